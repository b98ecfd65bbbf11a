"""What a user entry asks kubelogin for, and the arguments that ask msauth-token for it. Pure.

After what kubelogin's `convert-kubeconfig` writes for each login method (its documentation and
pkg/internal/converter), and what it wrote before kubectl had exec plugins: `auth-provider: azure`.
"""

import re
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError, nearest
from ..protocols import kubelogin
from ..request.clouds import cloud_named
from ..request.options import FLAG, MANY, VALUE, Options, one, parse
from .kubeconfig import text, texts

CONVERT_OPTIONS = {
    **kubelogin.OPTIONS,
    "--context": MANY,
    "--kubeconfig": VALUE,
    "--azure-config-dir": VALUE,
    "--dry-run": FLAG,
    "--help": FLAG,
    "-h": FLAG,
}
"""The options of `convert-kubeconfig`: kubelogin's own, and --dry-run."""

_PROVIDER = {
    "--server-id": "apiserver-id",
    "--client-id": "client-id",
    "--tenant-id": "tenant-id",
    "--environment": "environment",
}
# What of a user stays when it is converted to a login method, and what only the command line
# gives: as kubelogin does it. az with a managed identity, for one, takes no tenant.
_PERSON = ("--client-id", "--tenant-id", "--environment")
_STAYS = {
    "devicecode": _PERSON,
    "interactive": (*_PERSON, "--redirect-url", "--login-hint"),
    "spn": _PERSON,
    "azurepipelines": ("--tenant-id", "--environment"),
}
_GIVEN = {
    "azurecli": ("--tenant-id", "--subscription"),
    "azd": ("--tenant-id",),
    "chained": ("--tenant-id",),
    "spn": (
        "--client-secret",
        "--client-certificate",
        "--client-certificate-password",
    ),
    "msi": ("--client-id", "--identity-resource-id"),
    "workloadidentity": (
        "--client-id",
        "--tenant-id",
        "--authority-host",
        "--federated-token-file",
    ),
    "azurepipelines": ("--client-id", "--azure-pipelines-service-connection-id"),
}
_SWITCHES = ("--use-azurerm-env-vars", "--disable-environment-override")
_ALWAYS = ("--disable-instance-discovery",)


def check_login(method: str) -> None:
    """Raise UsageError unless this is a login method, "" for none, or one that users keep."""
    known = (*kubelogin.LOGINS, "ropc")  # users that have it are left to kubelogin, which is said
    if method and method not in known:
        near = nearest(method, known)
        hint = f"did you mean --login {near}?" if near else "one of: " + ", ".join(known)
        raise UsageError(f"unknown login method {method!r}", hint)


def is_provider(user: Mapping[Any, Any]) -> bool:
    """Say whether a user has the auth provider `azure`, which kubectl 1.26 has dropped."""
    provider = user.get("auth-provider")
    return isinstance(provider, dict) and provider.get("name") == "azure"


def is_exec(user: Mapping[Any, Any]) -> bool:
    """Say whether a user asks Azure's kubelogin; int128's, for OpenID Connect, has its name too."""
    plugin = user.get("exec")
    if not isinstance(plugin, dict) or "kubelogin" not in program(plugin):
        return False
    args = texts(plugin.get("args"))
    return "get-token" in args and not any(word.startswith("--oidc-") for word in args)


def is_ours(user: Mapping[Any, Any]) -> bool:
    """Say whether a user asks msauth-token."""
    plugin = user.get("exec")
    return isinstance(plugin, dict) and program(plugin) in ("msauth-token", "msauth-token.exe")


def program(plugin: Mapping[Any, Any]) -> str:
    """Return the name of a plugin's program, without its folder, in small letters."""
    return re.split(r"[/\\]", text(plugin.get("command")))[-1].lower()


def arguments(user: Mapping[Any, Any]) -> list[str] | None:
    """Return the arguments that ask msauth-token for what the user asks now; None: the same ones.

    Raises ValueError for what msauth does not do, and says why.
    """
    if is_provider(user):
        return converted(user, {"--login": "devicecode"})
    plugin = user["exec"]
    flags = _flags(plugin)
    _check(flags, _variables(plugin))
    return None


def converted(user: Mapping[Any, Any], flags: Options) -> list[str]:
    """Return a user's arguments for the login method of flags, as convert-kubeconfig makes them.

    flags: kubelogin's, by their long names, as given now. Raises ValueError.
    """
    old = _existing(user)
    login = one(flags, "--login") or "devicecode"
    wanted: Options = {"--login": login}
    if server := one(flags, "--server-id") or one(old, "--server-id"):
        wanted["--server-id"] = server
    for name in (*_STAYS.get(login, ()), *_GIVEN.get(login, ())):
        value = one(flags, name)
        if not value and name in _STAYS.get(login, ()):
            value = one(old, name)
        if value:
            wanted[name] = value
    if login == "spn" and wanted.get("--client-id") in kubelogin.PUBLIC_CLIENTS:
        del wanted["--client-id"]  # the application that people sign in with: it has no secret
    for name in (*(_SWITCHES if login == "spn" else ()), *_ALWAYS, "--pop-enabled", "--legacy"):
        if name in flags or (name in old and _keeps(name, login)):
            wanted[name] = "1"
    _check(wanted, {})
    words = ["get-token"]
    for name in wanted:
        words += [name] if kubelogin.OPTIONS[name] == FLAG else [name, one(wanted, name)]
    return words


def _keeps(switch: str, login: str) -> bool:
    if switch == "--legacy":
        return login in ("devicecode", "spn", "ropc")
    if switch == "--pop-enabled":
        return login in ("interactive", "spn")
    return switch in _ALWAYS


def _existing(user: Mapping[Any, Any]) -> Options:
    if not is_provider(user):
        return _flags(user["exec"])
    config = user["auth-provider"].get("config")
    config = config if isinstance(config, dict) else {}
    found: Options = {o: text(config.get(k)) for o, k in _PROVIDER.items() if config.get(k)}
    mode = config.get("config-mode")
    if getattr(mode, "text", mode) in (None, "", "0"):
        found["--legacy"] = "1"
    return found


def _flags(plugin: Mapping[Any, Any]) -> Options:
    """Return the flags of an exec section; raises ValueError for one that is not known."""
    words = kubelogin.after("get-token", texts(plugin.get("args")))
    if words is None:
        raise ValueError("its arguments are not those of kubelogin get-token")
    try:
        flags, more = parse(kubelogin.normalised(words), kubelogin.OPTIONS)
    except UsageError as error:
        raise ValueError(error.message) from None
    if more:
        raise ValueError("its arguments are not those of kubelogin get-token")
    return flags


def _check(flags: Options, env: Mapping[str, str]) -> None:
    """Raise ValueError unless msauth-token does what the flags ask for."""
    given = {name: value for name, value in flags.items() if isinstance(value, str)}
    try:
        kubelogin.translate(given, env)
        if environment := given.get("--environment"):
            cloud_named(environment)
    except ValueError as error:
        raise ValueError(error.args[0]) from None
    except UsageError as error:
        raise ValueError(error.message) from None
    if not given.get("--server-id"):
        raise ValueError("--server-id is required")


def _variables(plugin: Mapping[Any, Any]) -> dict[str, str]:
    entries = plugin.get("env")
    return {
        text(entry.get("name")): text(entry.get("value"))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
    }
