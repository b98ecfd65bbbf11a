"""``az`` for a sandbox on a machine that has none: sign in, sign out, and hand out tokens.

It is the same client to the cloud as the Azure CLI and keeps the same files, so that one can
go on where the other stopped. Everything else that az can do it refuses.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from msauth.signin.az_cache import CLIENT_ID

from .az_files import CACHE, PROFILE, write, write_profile

_ARM = "https://management.core.windows.net/"
_HELP = """\
This az is the sandbox's own, because there is no Azure CLI on PATH. It knows:

  az login [--tenant TENANT]
  az logout
  az account show | list | set --subscription S
  az account get-access-token [--resource R | --scope S] [--tenant T | --subscription S]
"""


def main() -> NoReturn:
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Do one command; 0 done, 1 failed (``ERROR: …`` as az says it), 2 not one of ours."""
    words = [word for word in argv[:2] if not word.startswith("-")]
    command = " ".join(words)
    if command not in _COMMANDS:
        print(_HELP, end="", file=sys.stdout if set(argv) & {"-h", "--help"} else sys.stderr)
        return 0 if set(argv) & {"-h", "--help"} else 2
    options = _parser().parse_known_args(argv[len(words) :])[0]
    try:
        result = _COMMANDS[command](options)
    except _Error as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    if result is not None and options.output != "none":
        tsv = options.output == "tsv" and isinstance(result, dict)
        wanted = result.get(options.query) if options.query and isinstance(result, dict) else result
        print(wanted if tsv and options.query else json.dumps(wanted, indent=2))
    return 0


class _Error(Exception):
    """What az says after ``ERROR:``."""


def _parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="az", add_help=False)
    result.add_argument("--output", "-o", default="json")
    for name in ("--query", "--resource", "--scope", "--subscription", "--tenant"):
        result.add_argument(name)
    for short, name in (("-n", "--name"), ("-s", "--subscription"), ("-t", "--tenant")):
        result.add_argument(short, dest=name[2:])
    return result


def _login(options: argparse.Namespace) -> Any:
    """The person whom the sandbox takes for granted, as a browser sign-in would."""
    try:
        sign_in(None, options.tenant)
    except ValueError as error:
        raise _Error(str(error)) from None
    return _subscriptions()


def sign_in(user: str | None, tenant: str | None) -> str:
    """Ask the sandbox that we are in to sign somebody in with az; returns their name.

    Raises OSError where it does not answer, and ValueError with its reason for refusing.
    """
    body = json.dumps({"user": user, "tenant": tenant}).encode()
    request = urllib.request.Request(  # noqa: S310 - our own loopback URL
        os.environ["MSAUTH_SANDBOX_URL"] + "/_sandbox/sign-in",
        body,
        {"X-Sandbox-Key": os.environ["MSAUTH_SANDBOX_KEY"]},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=30) as answer:
            return str(json.load(answer)["result"])
    except urllib.error.HTTPError as error:
        raise ValueError(json.load(error)["error"]) from None


def _logout(_: argparse.Namespace) -> None:
    _signed_in(None)
    write_profile(_directory(), [])
    (_directory() / CACHE).unlink(missing_ok=True)


def _show(options: argparse.Namespace) -> Any:
    return _signed_in(options.subscription)


def _list(_: argparse.Namespace) -> Any:
    return _subscriptions()


def _set(options: argparse.Namespace) -> None:
    chosen = _signed_in(options.subscription or options.name)
    current = [s | {"isDefault": s["id"] == chosen["id"]} for s in _subscriptions()]
    write_profile(_directory(), current)


def _get_access_token(options: argparse.Namespace) -> Any:
    """As az prints it: ``expires_on`` is in epoch seconds, ``expiresOn`` a local time."""
    import msal

    chosen = _signed_in(options.subscription)
    tenant = options.tenant or chosen["tenantId"]
    scope = options.scope or (options.resource or _ARM) + "/.default"
    cache = msal.SerializableTokenCache()
    path = _directory() / CACHE
    if path.exists():
        cache.deserialize(path.read_text(encoding="utf-8"))
    try:
        app = msal.PublicClientApplication(
            CLIENT_ID,
            authority=f"https://login.microsoftonline.com/{tenant}",
            client_capabilities=["CP1"],
            token_cache=cache,
        )
    except ValueError as error:
        raise _Error(str(error)) from None
    accounts = app.get_accounts(chosen["user"]["name"])
    result = app.acquire_token_silent_with_error([scope], accounts[0]) if accounts else None
    if not result or "access_token" not in result:
        said = (result or {}).get("error_description", "Please run 'az login' to setup account.")
        raise _Error(f"{said}\nInteractive authentication is needed. Please run:\naz login")
    if cache.has_state_changed:
        write(path, cache.serialize())
    expires_on = int(time.time()) + int(result["expires_in"])
    local = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.localtime(expires_on))
    found = {"accessToken": result["access_token"], "expiresOn": local, "expires_on": expires_on}
    named = {} if options.tenant else {"subscription": chosen["id"]}
    return found | named | {"tenant": tenant, "tokenType": "Bearer"}


_COMMANDS = {
    "login": _login,
    "logout": _logout,
    "account show": _show,
    "account list": _list,
    "account set": _set,
    "account get-access-token": _get_access_token,
}


def _directory() -> Path:
    return Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")


def _subscriptions() -> list[dict[str, Any]]:
    try:
        text = (_directory() / PROFILE).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return []
    found: list[dict[str, Any]] = json.loads(text)["subscriptions"]
    return found


def _signed_in(wanted: str | None) -> dict[str, Any]:
    """The subscription that is meant, by its id or its name, or the current one."""
    for entry in _subscriptions():
        if wanted in (entry["id"], entry["name"]) if wanted else entry["isDefault"]:
            return entry
    if wanted:
        raise _Error(f"The subscription of '{wanted}' doesn't exist in cloud 'AzureCloud'.")
    raise _Error("Please run 'az login' to setup account.")


if __name__ == "__main__":
    main()
