"""NuGet: nothing to write, for it looks for nuget-plugin-msauth itself; is it where it looks?

NuGet 6.13 and later runs every `nuget-plugin-*` that it finds in a folder of PATH, unless
variables name the plugins (https://learn.microsoft.com/nuget/reference/extensibility/
nuget-cross-platform-plugins). Older ones want a .NET assembly in ~/.nuget/plugins, which no
program of ours is.
"""

import os

from ..errors import MsauthError, command
from ..request.options import Options
from ..signin.programs import which
from . import programs
from .files import Change
from .finding import Finding
from .targets import Env, State, Target

_NAME = "nuget"
_PROGRAM = "nuget-plugin-msauth"
_VARIABLES = ("NUGET_PLUGIN_PATHS", "NUGET_NETCORE_PLUGIN_PATHS")
_HELP = """\
NuGet 6.13 and later (.NET 9) finds nuget-plugin-msauth by its name in a folder of PATH, so there is
nothing to write: this says whether it will. An older one needs Microsoft's own provider.

"""


def _add(_: Options, env: Env) -> list[Change]:
    program = programs.installed(_PROGRAM)
    if which(_PROGRAM, env) is None:
        folder = os.path.dirname(program)
        hint = 'export PATH="$PATH:' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
        raise MsauthError(f"NuGet looks for {_PROGRAM} on PATH, and it is not there", hint)
    return []


def _remove(_: Options, __: Env) -> list[Change]:
    return []


def _state(env: Env) -> State:
    program = which(_PROGRAM, env)
    done = program is not None and not _variables(env)
    return State(which("dotnet", env) or which(_NAME, env) or "", done=done, place=program or "")


def _variables(env: Env) -> list[str]:
    return [name for name in _VARIABLES if env.get(name)]


def _findings(env: Env) -> list[Finding]:
    """Return what makes NuGet not look on PATH."""
    why = "NuGet takes the plugins that it names, and looks for none on PATH"
    return [
        Finding("nuget-variable", "warning", f"{name} is set", why, "", command("unset", name))
        for name in _variables(env)
    ]


TARGET = Target(
    name=_NAME,
    what="see whether NuGet finds msauth for Azure Artifacts",
    options={},
    add=_add,
    remove=_remove,
    state=_state,
    help=_HELP,
    findings=_findings,
)
