"""`msauth inspect --az`: the tables of az's own token cache, under its own names, no secret.

The format is MSAL's: https://github.com/AzureAD/microsoft-authentication-library-for-python
(`token_cache.py`). Only the fields listed here are ever taken out of the file.
"""

import os
import time
from typing import Any

from ..signin import az_cache
from . import show

FIELDS: dict[str, tuple[str, ...]] = {
    "Account": ("username", "realm", "home_account_id", "environment"),
    "AccessToken": ("target", "realm", "home_account_id", "client_id", "expires_on", "cached_at"),
    "IdToken": ("realm", "home_account_id", "client_id"),
    "RefreshToken": ("home_account_id", "client_id", "family_id", "last_modification_time"),
}
_TIMES = ("expires_on", "cached_at", "last_modification_time")


def run(*, as_json: bool) -> int:
    """Show the tables; 1 when there is a file of which nothing can be understood."""
    path, encrypted, kinds = az_cache.contents(os.environ)
    path = os.path.abspath(path)
    if kinds:
        state, text = "plain", f"{path} (not encrypted)"
    elif encrypted:
        state, text = "encrypted", f"{path} is encrypted: only az can read it"
    elif os.path.exists(path):
        state, text = "unreadable", f"{path} is empty, or no JSON that makes sense"
    else:
        state, text = "missing", f"there is no {path}: nobody has signed in with az (az login)"
    tables = _tables(kinds)
    if as_json:
        dated = {kind: [_dated(row) for row in found] for kind, found in tables.items()}
        show.as_json({"file": path, "state": state, **dated})
        return int(state == "unreadable")
    show.paragraph(text)
    users = {row["home_account_id"]: row["username"] for row in tables["Account"]}
    for kind, fields in FIELDS.items() if kinds else ():
        rows = [
            [_told(kind, field, row[field], users, now=int(time.time())) for field in fields]
            for row in tables[kind]
        ]
        if rows:
            columns = [_column(kind, field) for field in fields]
            show.table(f"{kind} ({len(rows)})", columns, rows)
        else:
            show.paragraph(f"{kind}: none")
    return int(state == "unreadable")


def _column(kind: str, field: str) -> str:
    """Return the cache's own name of a field, but for what is shown as something else."""
    if field == "home_account_id" and kind != "Account":
        return "account"
    return "age" if field == "last_modification_time" else field


def _tables(kinds: "dict[str, list[az_cache.Entry]]") -> dict[str, list[dict[str, str]]]:
    """Return the listed fields of each kind as texts, "" where the cache has none."""
    tables = {}
    for kind, fields in FIELDS.items():
        rows = [
            {field: str(entry.get(field) or "") for field in fields}
            for entry in kinds.get(kind, ())
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


def _told(kind: str, field: str, text: str, users: dict[str, str], *, now: int) -> str:
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
