"""`msauth completion SHELL`: completions of every program, made from the option tables."""

import os
import sys
from importlib import import_module

from ..errors import UsageError, nearest
from ..request import profile_file, profiles
from ..request.options import VALUE, one
from . import arguments
from .shells import SHELLS

HELP = """\
usage: msauth completion bash|zsh|fish|powershell
       msauth completion --values LIST

Prints completions for all programs of the suite, to be read by the shell:

  eval "$(msauth completion bash)"                                  # in ~/.bashrc
  eval "$(msauth completion zsh)"                                   # in ~/.zshrc, after compinit
  msauth completion fish | source                                   # in ~/.config/fish/config.fish
  msauth completion powershell | Out-String | Invoke-Expression     # in $PROFILE

  --values LIST          print the values of a list, a line each: profiles, products, …
"""
OPTIONS = {"--values": VALUE}


def run(argv: list[str]) -> int:
    """Print a script or a list. Raises UsageError."""
    given = arguments.parse_or_help(argv, OPTIONS, HELP, words=1)
    if given is None:
        return 0
    options, words = given
    if "--values" in options:
        if words:
            raise UsageError("give either a shell or --values")
        sys.stdout.write("".join(f"{value}\n" for value in _values(one(options, "--values"))))
        return 0
    if not words:
        raise UsageError("for which shell?", "msauth completion bash")
    if words[0] not in SHELLS:
        near = nearest(words[0], SHELLS)
        hint = f"did you mean msauth completion {near}?" if near else "one of: " + ", ".join(SHELLS)
        raise UsageError(f"no completions for {words[0]!r}", hint)
    from .programs import commands

    writer = import_module(f".shells.{words[0]}", __package__)
    sys.stdout.write(writer.script(commands()))
    return 0


def _values(name: str) -> tuple[str, ...]:
    """Return a list's values; the profiles without looking at anything else, for each Tab.

    A shell may expand what it is given to choose from: only names that a profile can have.
    """
    if name == "profiles":
        names = profile_file.names(profiles.path(os.environ))
        return tuple(filter(profile_file.is_name, names))
    from .programs import lists

    known = lists()
    if name not in known:
        raise UsageError(f"no list {name!r}", "one of: profiles, " + ", ".join(known))
    return known[name]
