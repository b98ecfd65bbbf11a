"""`msauth COMMAND`: for a person, who signs in, looks at what is cached, and signs out."""

import sys

from ..errors import (
    SEE_HELP,
    MsauthError,
    UsageError,
    failed,
    flush_stdout,
    nearest,
    prepare_stdout,
    unwritten,
)

PROG = "msauth"
COMMANDS = {
    "login": ("login", "sign in now, and say as whom and until when"),
    "status": ("status", "who would answer for a product, and what is cached"),
    "inspect": ("inspect_token", "the claims of the token that would be served, explained"),
    "logout": ("logout", "end the cached sign-ins"),
    "setup": ("setup", "make git and other programs ask msauth, and undo it"),
    "doctor": ("doctor", "what is wrong on this machine, and the command that mends it"),
    "help": ("help", "explain a topic: git, kubectl, run, serve, sign-in, security, …"),
    "completion": ("completion", "completions of all programs for your shell"),
}
"""Each command's module and what it does, in one line."""

HELP = f"""\
usage: msauth COMMAND [options]

One sign-in and one token cache for git, kubectl, scripts and SDKs.

{"".join(f"  {name:17}  {summary}" + chr(10) for name, (_, summary) in COMMANDS.items())}
`msauth COMMAND --help` tells more. `--version` shows the version.
"""


def main() -> int:
    """Run a command; 0 done, 1 failed, 2 not understood, 130 interrupted."""
    prepare_stdout()
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    return flush_stdout(code)


def run(argv: list[str]) -> int:
    """Do what the words say; what a person reads goes to stdout, trouble to stderr."""
    command = argv[0] if argv else ""
    try:
        if command in COMMANDS:
            from importlib import import_module

            code: int = import_module(f".{COMMANDS[command][0]}", __package__).run(argv[1:])
            return code
        if command in ("--help", "-h", ""):
            sys.stdout.write(HELP)
            return 0 if command else 2
        if command == "--version":
            from .. import __version__

            sys.stdout.write(f"{PROG} {__version__}\n")
            return 0
        raise _unknown(command)
    except BrokenPipeError as error:
        return unwritten(error)
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        if isinstance(error, MsauthError) and error.hint == SEE_HELP:
            error.hint = _help_of(argv)
        return failed(error)


def _help_of(argv: list[str]) -> str:
    """Return the command that shows the help of what was called."""
    target = argv[1:2] if argv[0] == "setup" else []
    words = [argv[0], *(word for word in target if not word.startswith("-"))]
    return " ".join([PROG, *words, "--help"])


def _unknown(command: str) -> MsauthError:
    what = "option" if command.startswith("-") else "command"
    near = nearest(command, COMMANDS)
    hint = f"did you mean {PROG} {near}?" if near else f"{PROG} --help"
    return UsageError(f"unknown {what} {command}", hint)


if __name__ == "__main__":
    sys.exit(main())
