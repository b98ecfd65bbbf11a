"""What can go wrong, and the one way of saying it to a person."""

import sys
import time

from .system import environment, os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


SEE_HELP = "see --help"
"""A hint that becomes the command which shows the help, where it is known which one that is."""
QUIET = 2.0
"""Seconds that a person waits before they are told for what."""


class MsauthError(Exception):
    """A failure with one message, one hint (the command that fixes it) and an exit code.

    Neither text ever holds a token, a secret, an assertion or a claims challenge.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MsauthError):
    """The command line or the environment asks for something that does not exist."""

    exit_code = 2


class SignInError(MsauthError):
    """No credential could give a token; `deterministic` says that asking again cannot help.

    signed_out: the person signed out of the tool that would answer, so what it gave before is
    not theirs to use any more. lapsed: somebody did sign in, and it holds no longer. asks_nobody:
    the kind that failed never asks a person, so it would fail in the same way where one may be
    asked. tried: the kinds of `auto` that could not, each as `kind: why`, for whoever asks with
    MSAUTH_TRACE.
    """

    signed_out = False
    lapsed = False
    asks_nobody = False
    tried: tuple[str, ...] = ()

    def __init__(self, message: str, hint: str | None = None, *, deterministic: bool = True):
        super().__init__(message, hint)
        self.deterministic = deterministic


class UnavailableError(SignInError):
    """A kind of credential is not set up here; the `auto` chain goes on to the next one."""


class OnlyRejectedError(SignInError):
    """The only token to be had is one that a server refused; it is `token`, a request.Token."""

    def __init__(self, message: str, hint: str | None, token: "Any") -> None:
        super().__init__(message, hint)
        self.token = token


def not_kept(what: str, why: str, hint: str) -> SignInError:
    """Return the error for a sign-in that was to be kept for others to use, and was not."""
    return SignInError(f"{what} cannot be kept: {why}", hint, deterministic=False)


class ExchangeRefusedError(SignInError):
    """A container registry takes no token of this tenant, or not this token, for its own."""


# C0 and C1 controls, DEL, and the bidi and zero-width characters that can rewrite a terminal
# line (CVE-2024-50349, CVE-2021-42574).
_UNSAFE = frozenset(
    (
        *range(0x20),
        *range(0x7F, 0xA0),
        *(0x00AD, 0x061C, 0x180E, 0x2028, 0x2029, 0xFEFF),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFFF9, 0xFFFC),
        *range(0xE0000, 0xE0080),
    )
)
_IN_NAMES = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@-")
"""What names of profiles and organisations have."""


def printable(text: str) -> str:
    """Return text with everything that could move a cursor or reorder a line escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if ord(c) not in _UNSAFE and not 0xD800 <= ord(c) < 0xE000 else f"\\u{ord(c):04x}"
        for c in text
    )


def program() -> str:
    """Return the name under which this process speaks to people: its own, if it is one of ours.

    Whoever made a link chose its name, and people paste hints: so none with a character that a
    terminal or a shell could take for more than itself.
    """
    name = sys.argv[0].replace("\\", "/").rpartition("/")[2] if sys.argv else ""
    ours = name.startswith("msauth") or "-msauth" in name
    return name if ours and _IN_NAMES.issuperset(name) else "msauth"


def say(level: str, text: str) -> None:
    """Write `program: level: text` to stderr, a line each; a closed stderr is not an error."""
    name = program()
    try:  # what was said on stdout before comes before
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):
        pass
    lines = "".join(f"{name}: {level}: {printable(line)}\n" for line in text.split("\n"))
    try:
        os.write(2, lines.encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def nearest(word: str, known: "Iterable[str]") -> str:
    """Return the known word that was probably meant, or ""."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), 1)), "")


def command(*words: str) -> str:
    """Return a command line that a person may paste into a POSIX shell, each word quoted."""
    from shlex import join

    return join(words)


def failed(error: Exception) -> int:
    """Report an error and return its exit code, without a traceback whatever it is.

    For executables that import this module only once something went wrong. MSAUTH_TRACE shows
    where a fault of our own happened: files and lines, no values.
    """
    if isinstance(error, MsauthError):
        if error.hint == SEE_HELP:
            error.hint = f"{program()} --help"
        return report(error)
    if isinstance(error, OSError) and _is_full(error):
        return unwritten(error)
    if environment().get("MSAUTH_TRACE"):
        import traceback

        for frame in traceback.extract_tb(error.__traceback__):
            say("trace", f"{frame.filename}:{frame.lineno} in {frame.name}")
    name = type(error).__name__
    return report(MsauthError(f"internal error ({name})", "run again with MSAUTH_TRACE=1"))


def report(error: MsauthError) -> int:
    """Say an error and its hint on stderr; return its exit code."""
    message, *details = error.message.split("\n")
    say("error", message)
    for detail in details:
        say("note", detail)
    if error.hint:
        say("hint", _help_command() if error.hint == SEE_HELP else error.hint)
    return error.exit_code


def _help_command() -> str:
    """Return the command that shows the help of what was called."""
    name, *words = program(), *sys.argv[1:3]
    if name == "msauth":
        known = words if words[:1] == ["setup"] else words[:1]
    else:
        known = [word for word in words[:1] if word in ("get-token", "convert-kubeconfig")]
    return command(name, *(word for word in known if not word.startswith("-")), "--help")


def prepare_stdout() -> None:
    """Let a program write to stdout also where it is closed, or cannot show every character."""
    if sys.stdout is None:
        from os import devnull

        sys.stdout = open(devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as we run
    elif hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def flush_stdout(code: int) -> int:
    """Flush stdout and return the exit code, which is not 0 where that failed; say why it did."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return max(code, unwritten(error))
    return code


def unwritten(error: OSError) -> int:
    """Say that stdout could not be written and return 1; silent when its reader has just left."""
    from os import devnull

    # The interpreter flushes once more at its end: what is left must go somewhere.
    os.dup2(os.open(devnull, os.O_WRONLY), 1)
    if not isinstance(error, BrokenPipeError):  # `msauth status | head`
        report(MsauthError(f"cannot write: {error.strerror}", "df -h" if _is_full(error) else None))
    return 1


def _is_full(error: Exception) -> bool:
    from errno import EDQUOT, ENOSPC

    return isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT)


def trace(text: str, env: "Mapping[str, str]") -> None:
    """Write one line of what was decided, where MSAUTH_TRACE asks for it; never raises.

    `1` or `2` writes to stderr; an absolute path appends to that file, born private. The text
    never holds a token, a secret or claims.
    """
    where = env.get("MSAUTH_TRACE", "")
    if not where or where == "0":
        return
    line = f"{time.time():.3f} {program()}[{os.getpid()}] {printable(text)}\n"
    data = line.encode("utf-8", "backslashreplace")
    try:
        if not where.startswith("/"):
            os.write(2, data)
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(where, flags, 0o600)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
    except OSError:
        pass
