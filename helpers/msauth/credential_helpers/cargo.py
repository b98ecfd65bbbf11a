"""`cargo-credential-msauth --cargo-plugin`: tokens for the cargo registries of Azure Artifacts."""

import os
import sys

from ..request import urls
from ..request.options import FLAG, SIGN_IN, parse, usage_error
from . import command_line, feeds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..protocols.cargo import Request
    from ..request.options import Options

PROG = "cargo-credential-msauth"
OPTIONS = {**command_line.OPTIONS, "--cargo-plugin": FLAG}
_LONGEST = 1 << 20


def main() -> int:
    """Answer cargo until it closes our stdin, and end the process."""
    try:
        # By its number, since sys.stdin is None where it was closed.
        with open(0, "rb", closefd=False) as stdin:
            code = run(sys.argv[1:], os.environ, stdin.readline, command_line.write)
        sys.stdout.flush()
    except (KeyboardInterrupt, OSError):
        code = 1
    os._exit(code)  # the teardown of an interpreter costs more than an answer


def run(
    argv: list[str],
    env: "Mapping[str, str]",
    readline: "Callable[[int], bytes]",
    write: "Callable[[bytes], None]",
) -> int:
    """Speak cargo's protocol and return the exit code.

    readline: returns at most so many bytes of a line, b"" at the end. Raises OSError.
    """
    try:
        given = command_line.read(PROG, argv, OPTIONS, _help)
        if given is None:
            return 0
        options, words = given
        if words or "--cargo-plugin" not in options:
            raise usage_error("cargo starts this program, with --cargo-plugin", f"{PROG} --help")
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        from ..errors import failed

        return failed(error)
    from ..protocols import cargo

    write(cargo.HELLO)
    while line := readline(_LONGEST):
        write(_answer(line, options, env))
        if len(line) == _LONGEST and not line.endswith(b"\n"):
            return 0  # what is left of the line is no request, and wants no answer of its own
    return 0


def _answer(line: bytes, options: "Options", env: "Mapping[str, str]") -> bytes:
    from ..protocols import cargo

    try:
        request = cargo.Request(line)
    except ValueError as error:
        return cargo.failure(str(error))
    try:
        return _token(request, options, env)
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        from ..errors import MsauthError, failed

        failed(error)
        if not isinstance(error, MsauthError):
            return cargo.failure(f"{PROG} failed")
        message, *details = error.message.split("\n")
        return cargo.failure(message, *details, *([error.hint] if error.hint else []))


def _token(request: "Request", options: "Options", env: "Mapping[str, str]") -> bytes:
    from ..protocols import cargo

    feed = urls.packages(request.index)
    if feed is None or not cargo.is_index(feed[1]):
        return cargo.refusal(cargo.URL_NOT_SUPPORTED)
    if request.kind != "get":
        return cargo.refusal(cargo.NOT_SUPPORTED)
    more, words = parse(request.arguments, SIGN_IN)
    if words:
        raise usage_error(f"unknown argument {words[0]!r} behind {PROG} in cargo's configuration")
    token = feeds.devops_token(request.index, options | more, env, request.challenges)
    if token is None:
        return cargo.refusal(cargo.URL_NOT_SUPPORTED)
    return cargo.token(token.text, token.expires_on)


def _help() -> str:
    from .help import CARGO

    return CARGO


if __name__ == "__main__":
    main()
