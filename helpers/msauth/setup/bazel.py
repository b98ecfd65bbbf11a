"""Bazel: its credential helper for the hosts of Azure DevOps, in ~/.bazelrc."""

import os
import re

from ..errors import MsauthError
from ..request.clouds import DEVOPS_HOST, FEED_HOST, LEGACY_DOMAIN
from ..request.kinds import home
from ..request.options import Options
from ..signin.programs import which
from . import files, journal, programs
from .files import Change
from .targets import DRY_RUN, Env, State, Target, put_back

_NAME = "bazel"
_PROGRAM = "bazel-credential-msauth"
_HOSTS = (FEED_HOST, DEVOPS_HOST, f"*.pkgs{LEGACY_DOMAIN}")
_HELP = """\
In ~/.bazelrc, one line for each of dev.azure.com, pkgs.dev.azure.com and *.pkgs.visualstudio.com.
Where a project's own .bazelrc names another helper for one of them, Bazel takes the last one said.

"""


def _file(env: Env) -> str:
    return os.path.join(home(env), ".bazelrc")


def _add(options: Options, env: Env) -> list[Change]:
    program = programs.called(programs.installed(_PROGRAM), env)
    if len(program.split()) != 1 or re.search(r"[\"'\\]", program):
        raise MsauthError(f"a .bazelrc cannot hold this path: {program}")

    def changed(data: bytes | None) -> bytes | None:
        before = data or b""
        missing = [host for host in _HOSTS if not _asks_us(before, host)]
        if not missing:
            return data
        gap = b"" if not before or before.endswith(b"\n") else b"\n"
        if before.rstrip(b"\r\n").endswith(b"\\"):
            gap += b"\n"  # else that line would go on with ours
        lines = [f"common --credential_helper={host}={program}\n" for host in missing]
        return before + gap + os.fsencode("".join(lines))

    return journal.edit(_NAME, _file(env), changed, env, mode=0o644, dry_run=DRY_RUN in options)


def _asks_us(data: bytes, host: str) -> bool:
    """Say whether the last helper that a .bazelrc names for a host is ours."""
    option = rb"(?m)^[ \t]*(?:common|build)[ \t][^#\n]*--credential_helper[= ]"
    found = re.findall(option + re.escape(host).encode() + rb"=(\S+)", data)
    return bool(found) and os.path.basename(os.fsdecode(found[-1])) == _PROGRAM


def _state(env: Env) -> State:
    file = _file(env)
    data = files.read(file)[0] or b""
    done = all(_asks_us(data, host) for host in _HOSTS)
    return State(which(_NAME, env) or which("bazelisk", env) or "", done=done, place=file)


TARGET = Target(
    name=_NAME,
    what="make Bazel ask msauth for Azure DevOps",
    options={},
    add=_add,
    remove=put_back(_NAME),
    state=_state,
    help=_HELP,
)
