"""What can go wrong, and the one way of saying it to a person."""

import os


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
    """No credential could give a token; `deterministic` says that asking again cannot help."""

    def __init__(self, message: str, hint: str | None = None, *, deterministic: bool = True):
        super().__init__(message, hint)
        self.deterministic = deterministic


class UnavailableError(SignInError):
    """A kind of credential is not set up here; the `auto` chain goes on to the next one."""


# C0 and C1 controls, DEL, and the bidi and zero-width characters that can rewrite a terminal
# line (CVE-2024-50349, CVE-2021-42574).
_UNSAFE = frozenset(
    (
        *range(0x20),
        *range(0x7F, 0xA0),
        *(0x061C, 0x2028, 0x2029, 0xFEFF),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
)


def printable(text: str) -> str:
    """Return text with everything that could move a cursor or reorder a line escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if ord(c) not in _UNSAFE and not 0xD800 <= ord(c) < 0xE000 else f"\\u{ord(c):04x}"
        for c in text
    )


def say(prog: str, level: str, text: str) -> None:
    """Write `prog: level: text` to stderr, a line each; a closed stderr is not an error."""
    lines = "".join(f"{prog}: {level}: {printable(line)}\n" for line in text.split("\n"))
    try:
        os.write(2, lines.encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def say_waiting(prog: str) -> None:
    """Say why nothing happens for a while: a neighbour signs in, or asks the person."""
    say(prog, "note", "waiting for another process that is signing in")


def failed(prog: str, error: Exception) -> int:
    """Report an error and return its exit code, without a traceback whatever it is.

    For executables that import this module only once something went wrong. MSAUTH_TRACE shows
    where a fault of our own happened: files and lines, no values.
    """
    if isinstance(error, MsauthError):
        return report(prog, error)
    if os.environ.get("MSAUTH_TRACE"):
        import traceback

        for frame in traceback.extract_tb(error.__traceback__):
            say(prog, "trace", f"{frame.filename}:{frame.lineno} in {frame.name}")
    name = type(error).__name__
    return report(prog, MsauthError(f"internal error ({name})", "run again with MSAUTH_TRACE=1"))


def report(prog: str, error: MsauthError) -> int:
    """Say an error and its hint on stderr; return its exit code."""
    message, *details = error.message.split("\n")
    say(prog, "error", message)
    for detail in details:
        say(prog, "note", detail)
    if error.hint:
        say(prog, "hint", error.hint)
    return error.exit_code
