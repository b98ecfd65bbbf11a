"""`msauth setup codespaces`: programs in HOME that tools of Codespaces ask for tokens.

They are called as those of the VS Code extension ms-codespaces-tools.ado-codespaces-auth, and take
the same arguments; see signin.codespaces.
"""

import os

from ..errors import MsauthError, command
from ..request.clouds import DEVOPS_SCOPE
from ..request.kinds import codespaces_files, home
from ..request.options import Options
from ..signin.codespaces import MARK, is_ours
from . import journal
from .files import Change
from .programs import installed
from .targets import DRY_RUN, Env, State, Target, put_back

_NAME = "codespaces"


def _add(options: Options, env: Env) -> list[Change]:
    token, git = installed("msauth-token"), installed("git-credential-msauth")
    text = _script(token, git)
    files = codespaces_files(env)
    for file in files:
        if os.path.lexists(file) and not is_ours(file):
            raise MsauthError(
                f"{file} is there already, and not ours", command("mv", file, f"{file}.old")
            )
    changes = []
    for file in files:
        changes += journal.edit(
            _NAME, file, lambda _: text, env, mode=0o700, dry_run=DRY_RUN in options
        )
    return changes


def _script(token: str, git: str) -> bytes:
    """Return the program, one for both names: the scopes that one is never given are the other's.

    Any other action than these two is ignored, as the extension's own programs do.
    """
    quoted = [command(os.path.abspath(path)) for path in (token, git)]
    lines = f"""\
case ${{1-}} in
get-access-token) ;;
get) exec {quoted[1]} get ;;
*) exit 0 ;;
esac
scopes=${{2:-{DEVOPS_SCOPE}}}
set -f --
for scope in $scopes; do set -- "$@" "--scope=$scope"; done
exec {quoted[0]} --format token "$@"
"""
    return MARK + lines.encode("utf-8", "surrogateescape")


def _state(env: Env) -> State:
    files = codespaces_files(env)
    there = os.path.isdir(home(env))
    return State("a home directory" if there else "", all(map(is_ours, files)), files[0])


TARGET = Target(
    _NAME,
    "let tools that look for ~/ado-auth-helper and ~/azure-auth-helper ask msauth",
    {},
    _add,
    put_back(_NAME),
    _state,
)
