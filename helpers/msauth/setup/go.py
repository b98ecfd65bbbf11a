"""Go: a command of ours in GOAUTH, in the file that `go env -w` writes."""

import os
import re
import subprocess

from ..errors import MsauthError
from ..request.clouds import DEVOPS_HOST
from ..request.options import Options
from ..signin import programs as other_programs
from . import files, journal, programs
from .files import Change
from .finding import Finding
from .targets import DRY_RUN, Env, State, Target, put_back

_NAME = "go"
_PROGRAM = "msauth-token"
_DEFAULT = "netrc"
_OLDEST = (1, 24)
_HELP = """\
In the file that `go env GOENV` names; the commands that are in GOAUTH now stay, behind ours. For
modules in the repositories of Azure Repos, Go asks git: `msauth setup git`.

"""
_LINE = re.compile(rb"(?m)^GOAUTH=([^\r\n]*)")


class _Go:
    """What `go env` says. file: "" where it reads none. version: as (1, 26), () if unknown."""

    def __init__(self, env: Env) -> None:
        """Raises MsauthError where there is no go, or it does not answer."""
        names = ("GOENV", "GOVERSION", "GOPRIVATE")
        path = other_programs.which(_NAME, env)
        if path is None:
            raise MsauthError("there is no go on PATH")
        try:
            done = other_programs.run([path, "env", *names], env, timeout=20)
        except (OSError, subprocess.SubprocessError) as error:
            raise MsauthError(f"{path} env does not answer") from error
        lines = done.stdout.split("\n")
        if done.returncode or len(lines) < len(names):
            said = done.stderr.strip().split("\n")[0]
            raise MsauthError(f"{path} env fails: {said or 'it says nothing'}")
        self.file = "" if lines[0] == "off" else lines[0]
        self.name = lines[1]
        found = re.match(r"go(\d+)\.(\d+)", self.name)
        self.version = tuple(map(int, found.groups())) if found else ()
        self.private = lines[2].split(",")


def _add(options: Options, env: Env) -> list[Change]:
    go = _Go(env)
    if not go.file:
        raise MsauthError("GOENV=off: go reads no file of settings", "unset GOENV")
    if go.version and go.version < _OLDEST:
        raise MsauthError(f"{go.name} has no GOAUTH, which came with go1.24")
    ours = _command(programs.called(programs.installed(_PROGRAM), env))

    def changed(data: bytes | None) -> bytes | None:
        lines = _LINE.findall(data or b"")
        if len(lines) > 1:
            raise MsauthError(f"{go.file} has GOAUTH twice", "go env -u GOAUTH")
        theirs = lines[0].decode("utf-8", "surrogateescape").strip() if lines else ""
        if theirs == "off":
            raise MsauthError(f"{go.file} says GOAUTH=off: no authentication", "go env -u GOAUTH")
        if _asks_us(theirs):
            return data
        value = os.fsencode(f"GOAUTH={ours};{theirs or _DEFAULT}")
        if lines:
            return _LINE.sub(lambda _: value, data or b"")
        before = data or b""
        gap = b"" if not before or before.endswith(b"\n") else b"\n"
        return before + gap + value + b"\n"

    return journal.edit(_NAME, go.file, changed, env, mode=0o644, dry_run=DRY_RUN in options)


def _command(program: str) -> str:
    """Return what GOAUTH is to hold for a program, as Go splits it into words."""
    if ";" in program or ("'" in program and '"' in program):
        raise MsauthError(f"GOAUTH cannot hold this path: {program}")
    if len(program.split()) > 1 or "'" in program or '"' in program:
        quote = '"' if "'" in program else "'"
        program = f"{quote}{program}{quote}"
    return f"{program} go"


def _asks_us(value: str) -> bool:
    """Say whether one of the commands of a GOAUTH is ours."""
    pattern = rf"(?:[^;]*[/\\])?{_PROGRAM}['\"]? go(?: |$)"
    return any(re.match(pattern, part.strip()) for part in value.split(";"))


def _state(env: Env) -> State:
    if other_programs.which(_NAME, env) is None:
        return State("", done=False, place="")
    go = _Go(env)
    data = files.read(go.file)[0] if go.file else None
    lines = _LINE.findall(data or b"")
    done = bool(lines) and _asks_us(lines[-1].decode("utf-8", "replace"))
    return State(go.name, done=done, place=go.file)


def _findings(env: Env) -> list[Finding]:
    """Return what makes go not ask us although its file says so, and what modules still want."""
    found = []
    if env.get("GOAUTH") and not _asks_us(env["GOAUTH"]):
        message, why = "the variable GOAUTH is set", "it beats what `go env -w` has written"
        found.append(Finding("go-variable", "warning", message, why, "", "unset GOAUTH"))
    go = _Go(env)
    if DEVOPS_HOST not in go.private:
        message = f"GOPRIVATE does not name {DEVOPS_HOST}"
        why = "modules of your own in Azure Repos are looked for at the public proxy first"
        names = ",".join(name for name in (*go.private, DEVOPS_HOST) if name)
        fix = f"go env -w GOPRIVATE={names}"
        found.append(Finding("go-private", "note", message, why, "", fix))
    return found


TARGET = Target(
    name=_NAME,
    what="make go ask msauth for module proxies of Azure DevOps",
    options={},
    add=_add,
    remove=put_back(_NAME),
    state=_state,
    help=_HELP,
    findings=_findings,
)
