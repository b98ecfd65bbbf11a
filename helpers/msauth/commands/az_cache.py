"""`msauth inspect --az`: the tables of az's own token cache, under its own names, no secret.

The format is MSAL's: https://github.com/AzureAD/microsoft-authentication-library-for-python
(`token_cache.py`). Only the fields listed here are ever taken out of the file.
"""

import json
import os
import time
from typing import Any

from ..errors import MsauthError
from ..request import az_directory
from . import show

FIELDS: dict[str, tuple[str, ...]] = {
    "Account": ("username", "realm", "home_account_id", "environment"),
    "AccessToken": ("target", "realm", "home_account_id", "client_id", "expires_on", "cached_at"),
    "IdToken": ("realm", "home_account_id", "client_id"),
    "RefreshToken": ("home_account_id", "client_id", "family_id", "last_modification_time"),
}
_TIMES = ("expires_on", "cached_at", "last_modification_time")
_MAX_BYTES = 16 << 20


def run(*, as_json: bool) -> int:
    """Show the tables. Raises MsauthError for a file that cannot be read."""
    folder = os.path.abspath(az_directory(os.environ))
    plain, encrypted = f"{folder}/msal_token_cache.json", f"{folder}/msal_token_cache.bin"
    now = int(time.time())
    if not os.path.exists(plain):
        there = os.path.exists(encrypted)
        state, file = ("encrypted", encrypted) if there else ("missing", plain)
        if as_json:
            show.as_json({"file": file, "state": state} | {kind: [] for kind in FIELDS})
        elif there:
            show.paragraph(f"{encrypted} is encrypted; only az can read it")
        else:
            show.paragraph(f"there is no {plain}: nobody has signed in with az (az login)")
        return 0
    tables = _tables(_read(plain))
    if as_json:
        dated = {kind: [_dated(row) for row in found] for kind, found in tables.items()}
        show.as_json({"file": plain, "state": "plain", **dated})
        return 0
    show.paragraph(f"{plain} (not encrypted)")
    users = {row["home_account_id"]: row["username"] for row in tables["Account"]}
    for kind, fields in FIELDS.items():
        rows = [
            [_told(kind, field, row[field], users, now) for field in fields] for row in tables[kind]
        ]
        columns = [_COLUMNS.get(field, field) for field in fields]
        if rows:
            show.table(f"{kind} ({len(rows)})", columns, rows)
        else:
            show.paragraph(f"{kind}: none")
    return 0


_COLUMNS = {"home_account_id": "account", "last_modification_time": "age", "cached_at": "cached"}


def _read(path: str) -> dict[str, Any]:
    """Return the parsed file; az truncates it while it rewrites it, so an empty one is retried."""
    problem = "is not JSON"
    for pause in (0.05, 0.2, 0.5, 0):
        try:
            with open(path, "rb") as file:
                data = json.loads(file.read(_MAX_BYTES))
            if isinstance(data, dict):
                return data
            break
        except OSError as error:
            problem = error.strerror or "cannot be read"
            break
        except ValueError:
            time.sleep(pause)
    raise MsauthError(f"az's token cache {path} {problem}", "az logout; az login")


def _tables(data: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    tables = {}
    for kind, fields in FIELDS.items():
        entries = data.get(kind)
        found = entries.values() if isinstance(entries, dict) else ()
        rows = [
            {field: str(entry.get(field) or "") for field in fields}
            for entry in found
            if isinstance(entry, dict)
        ]
        tables[kind] = sorted(rows, key=lambda row: list(row.values()))
    return tables


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _dated(row: dict[str, str]) -> dict[str, Any]:
    """Return a row for programs: times as numbers, and again as RFC 3339 under `…_rfc3339`."""
    dated: dict[str, Any] = {}
    for field, text in row.items():
        dated[field] = text or None
        if field in _TIMES:
            dated[field] = _number(text) or None
            dated[field + "_rfc3339"] = show.rfc3339(_number(text))
    return dated


def _told(kind: str, field: str, text: str, users: dict[str, str], now: int) -> str:
    if field == "home_account_id" and kind != "Account":
        return users.get(text, text)
    if field not in _TIMES:
        return text
    number = _number(text)
    if not number:
        return "unknown"
    if field == "expires_on":
        return show.when(number, now) if number > now else f"expired {show.local(number)}"
    return f"{show.words(max(0, now - number))} ago"
