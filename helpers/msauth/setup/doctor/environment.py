"""Environment variables and what else a process inherits."""

import os
from collections.abc import Iterator, Mapping

from ...errors import MsauthError, UsageError, command, nearest, printable
from ...request import profiles
from ...request.kinds import order
from ...request.request import env_is_ci
from ...request.selection import select
from ..finding import Finding
from .machine import Machine

VARIABLES = frozenset(
    (
        *("MSAUTH_ALLOW_CLUSTER_CONFIG", "MSAUTH_BACKGROUND_REFRESH", "MSAUTH_CACHE_DIR"),
        *("MSAUTH_CLIENT_ID", "MSAUTH_CONFIG", "MSAUTH_CREDENTIAL", "MSAUTH_IDENTITY_RESOURCE_ID"),
        *("MSAUTH_NO_PROMPT", "MSAUTH_PROFILE", "MSAUTH_SANDBOX_KEY", "MSAUTH_SANDBOX_URL"),
        *("MSAUTH_SERVE", "MSAUTH_SHIM_OPTIONS", "MSAUTH_SUBSCRIPTION", "MSAUTH_TENANT"),
        "MSAUTH_TRACE",
    )
)
"""All variables that msauth knows."""
_OF_TESTS = ("MSAUTH_TEST_", "MSAUTH_BUILD_DIR", "MSAUTH_CLIENTS_DIR")
_CHOOSING = (
    *("MSAUTH_CONFIG", "MSAUTH_PROFILE", "MSAUTH_CREDENTIAL", "MSAUTH_TENANT", "MSAUTH_CLIENT_ID"),
    *("AZURE_AUTHORITY_HOST", "AZURE_TENANT_ID"),
)


def unknown(machine: Machine) -> Iterator[Finding]:
    """A variable that nobody reads is a typing error."""
    for name in sorted(machine.env):
        if not name.startswith("MSAUTH_") or name in VARIABLES or name.startswith(_OF_TESTS):
            continue
        near = nearest(name, VARIABLES)
        why = f"did you mean {near}?" if near else "no such variable is known"
        fix = command("unset", name) if name.isidentifier() else ""
        message = f"the variable {printable(name)} has no effect"
        yield Finding("variable-unknown", "warning", message, why, printable(name), fix)


def wrong(machine: Machine) -> Iterator[Finding]:
    """A value that cannot be meant stops every program of ours."""
    problem = _problem(machine.env)
    if problem is not None:
        env = dict(machine.env)
        guilty = next((n for n in _CHOOSING if n in env and _problem({**env, n: ""}) is None), "")
        why = "nobody can sign in with it"
        fix = command("unset", guilty) if guilty else ""
        yield Finding("variable-wrong", "error", problem.message, why, guilty, fix)
    try:
        order(machine.env.get("AZURE_TOKEN_CREDENTIALS", ""))
    except UsageError as error:
        name = "AZURE_TOKEN_CREDENTIALS"
        why = "neither msauth nor azure-identity accepts it"
        yield Finding("variable-wrong", "error", error.message, why, name, f"unset {name}")


def _problem(env: Mapping[str, str]) -> MsauthError | None:
    try:
        select({}, env)
        profiles.path(env)
    except MsauthError as error:
        return error
    return None


def ci(machine: Machine) -> Iterator[Finding]:
    """CI is for machines: with it nobody is asked to sign in."""
    if env_is_ci(machine.env) and os.isatty(0) and os.isatty(2):
        yield Finding(
            "ci-set",
            "warning",
            "CI is set, and somebody sits at the terminal",
            "nobody is asked to sign in, and nothing is renewed ahead",
            "CI",
            "unset CI",
        )


def paths(machine: Machine) -> Iterator[Finding]:
    """Relative and empty items of search paths lead into whatever folder git runs in."""
    why = "a program may be taken from the repository that git happens to run in"
    path = machine.env.get("PATH", "")
    kept = [item for item in path.split(os.pathsep) if os.path.isabs(item)]
    if kept and len(kept) < len(path.split(os.pathsep)):
        fix = "export PATH=" + command(os.pathsep.join(kept))
        yield Finding("path-relative", "warning", "PATH has a relative item", why, "PATH", fix)
    items = machine.env.get("PYTHONPATH", "")
    if items and not all(map(os.path.isabs, items.split(os.pathsep))):
        kept = [item for item in items.split(os.pathsep) if os.path.isabs(item)]
        fix = "export PYTHONPATH=" + command(os.pathsep.join(kept)) if kept else "unset PYTHONPATH"
        message = "PYTHONPATH has a relative or empty item"
        why = "Python may take a module from the repository that it happens to run in"
        yield Finding("python-path-relative", "warning", message, why, "PYTHONPATH", fix)
    home = machine.env.get("HOME", "")
    if os.name == "posix" and not os.path.isabs(home):
        message = "HOME is relative" if home else "HOME is not set"
        why = "programs do not agree on where your settings are"
        fix = "export HOME=" + command(os.path.expanduser("~" + _user()))
        yield Finding("home-wrong", "warning", message, why, "HOME", fix)


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def umask(_: Machine) -> Iterator[Finding]:
    """Without a umask other programs' files, also those with tokens, are everybody's to write."""
    mask = os.umask(0o077)
    os.umask(mask)
    if not mask & 0o002:
        yield Finding(
            "umask-open",
            "warning",
            f"the umask is {mask:03o}: new files are everybody's to write",
            "az, git and kubectl keep their settings in such files",
            "umask",
            "umask 022",
        )
