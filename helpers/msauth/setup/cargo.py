"""cargo: one more credential provider in its configuration, asked before the others."""

import os
from collections.abc import Callable

from ..errors import MsauthError, command
from ..request.kinds import home
from ..request.options import Options
from ..signin.programs import which
from . import cargo_config, files, journal, programs
from .files import Change
from .finding import Finding
from .targets import DRY_RUN, Env, State, Target, put_back

_NAME = "cargo"
_PROGRAM = "cargo-credential-msauth"
_VARIABLE = "CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS"
_HELP = """\
In `registry.global-credential-providers` of $CARGO_HOME/config.toml; for crates.io and every other
registry cargo goes on to ask those that are there now.

"""


def _file(env: Env) -> str:
    """Return the configuration that cargo reads: of two, the one without an ending."""
    folder = env.get("CARGO_HOME") or os.path.join(home(env), ".cargo")
    old = os.path.join(os.path.abspath(folder), "config")
    return old if os.path.isfile(old) else old + ".toml"


def _add(options: Options, env: Env) -> list[Change]:
    file = _file(env)
    provider = programs.called(programs.installed(_PROGRAM), env)
    if len(provider.split()) != 1:
        raise MsauthError(f"cargo takes no provider with a space in its path: {provider}")
    change = _with(file, provider)
    return journal.edit(_NAME, file, change, env, mode=0o644, dry_run=DRY_RUN in options)


def _with(file: str, provider: str) -> Callable[[bytes | None], bytes | None]:
    def changed(data: bytes | None) -> bytes | None:
        try:
            if _is_first(data or b""):
                return data
            return cargo_config.with_provider(data or b"", provider)
        except ValueError as error:
            raise MsauthError(f"cannot change {file}: {error}", files.editor(file)) from None

    return changed


def _is_first(data: bytes) -> bool:
    """Say whether cargo asks us first. Raises ValueError."""
    found = cargo_config.providers(data)
    words = found[-1].split() if found else []
    return bool(words) and os.path.basename(words[0]) == _PROGRAM


def _state(env: Env) -> State:
    file = _file(env)
    try:
        with open(file, "rb") as stream:
            done = _is_first(stream.read())
    except (OSError, ValueError):
        done = False
    return State(which(_NAME, env) or "", done=done, place=file)


def _findings(env: Env) -> list[Finding]:
    """Return what makes cargo not ask us although its file says so."""
    if not env.get(_VARIABLE):
        return []
    message = f"{_VARIABLE} is set"
    why = "cargo does not read the list in its configuration then"
    return [Finding("cargo-variable", "warning", message, why, "", command("unset", _VARIABLE))]


TARGET = Target(
    name=_NAME,
    what="make cargo ask msauth for Azure Artifacts",
    options={},
    add=_add,
    remove=put_back(_NAME),
    state=_state,
    help=_HELP,
    findings=_findings,
)
