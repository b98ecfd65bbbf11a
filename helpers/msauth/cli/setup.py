"""`msauth setup`: make other programs ask msauth, and undo it; what changes is shown."""

import os
import sys
from importlib import import_module
from textwrap import fill

from ..errors import MsauthError, UsageError, nearest, say
from ..request.options import FLAG, Options
from ..setup import files
from ..setup.targets import DRY_RUN, WORDS, Target
from . import arguments, show

TARGETS = (
    *("git", "kubectl", "pats", "docker", "pip", "uv", "pnpm", "cargo", "go", "bazel"),
    *("nuget", "codespaces"),
)
"""What can be set up; each is a module of msauth.setup."""


def target(name: str) -> Target:
    """Return a target of TARGETS."""
    found: Target = import_module(f"msauth.setup.{name}").TARGET
    return found


COMMON = {DRY_RUN: FLAG, "--undo": FLAG}
"""The options that every target takes."""
_COMMON_HELP = """\
  --dry-run              show what would change, as a diff, and change nothing
  --undo                 take it back; what you have changed since stays
"""
OPTIONS = {
    **COMMON,
    **{key: kind for name in TARGETS for key, kind in target(name).options.items()},
}
"""The options of all targets; each takes only its own."""


def _entry(name: str, what: str) -> str:
    """Return a line of the list of targets, and those on which it goes on."""
    return fill(what, 100, initial_indent=f"  {name:21}  ", subsequent_indent=" " * 25) + "\n"


HELP = f"""\
usage: msauth setup [TARGET [--dry-run | --undo] [options]]

Makes another program ask msauth for its tokens. Without a TARGET: lists what can be set up on
this machine, and what is. `msauth setup TARGET --help` tells more.

{"".join(_entry(name, target(name).what) for name in TARGETS)}
{_COMMON_HELP}"""


def run(argv: list[str]) -> int:
    """Set up or undo a target; 1 if it still cannot work. Raises UsageError and MsauthError."""
    if not argv or argv[0].startswith("-"):
        if arguments.parse_or_help(argv, {}, HELP) is not None:
            _list()
        return 0
    name, *rest = argv
    if name not in TARGETS:
        near = nearest(name, TARGETS)
        raise UsageError(
            f"nothing called {name} to set up",
            f"did you mean msauth setup {near}?" if near else "msauth setup",
        )
    chosen = target(name)
    words = len(rest) if chosen.words else 0
    given = arguments.parse_or_help(rest, COMMON | chosen.options, help_of(chosen), words=words)
    if given is None:
        return 0
    options: Options = {**given[0], WORDS: given[1]}
    undo, dry_run = "--undo" in options, DRY_RUN in options
    changes = (chosen.remove if undo else chosen.add)(options, os.environ)
    sys.stdout.write(files.told(changes, dry_run=dry_run, shown=chosen.shown))
    return 0 if undo or dry_run else _tell_findings(chosen)


def _tell_findings(chosen: Target) -> int:
    """Say what still stands in the way of what was set up; 1 if it cannot work like this."""
    if chosen.findings is None:
        return 0
    found = chosen.findings(os.environ)
    for finding in found:
        place = f" ({finding.place})" if finding.place else ""
        say(finding.severity, f"{finding.message}{place}: {finding.why}")
        if finding.fix:
            say("hint", finding.fix)
    return int(any(finding.severity == "error" for finding in found))


def help_of(chosen: Target) -> str:
    """Return a target's own help."""
    words = f" {chosen.words}" if chosen.words else ""
    return (
        f"usage: msauth setup {chosen.name}{words} [--dry-run | --undo] [options]\n\n"
        f"To {chosen.what}.\n\n{chosen.help}{_COMMON_HELP}"
    )


def _list() -> None:
    rows = []
    for name in TARGETS:
        try:
            available, done, place = target(name).state(os.environ)
        except MsauthError as error:
            rows.append((name, "", error.message, ""))
            continue
        state = "not on this machine"
        if available:
            state = ("set up" if place else "nothing to do") if done else f"msauth setup {name}"
        rows.append((name, available, state, place))
    show.table("", ("target", "found", "state", "file"), rows)
