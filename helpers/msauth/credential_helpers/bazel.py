"""`bazel-credential-msauth get`: tokens for Bazel, Buildbarn and others that speak its protocol."""

import os
import sys

from ..request.options import standard_input, usage_error, write_and_exit
from . import command_line, feeds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..request.options import Options

PROG = "bazel-credential-msauth"
OPTIONS = command_line.OPTIONS


def main() -> int:
    """Answer, and end the process."""
    return write_and_exit(lambda: run(sys.argv[1:], standard_input, os.environ))


def run(
    argv: list[str], read: "Callable[[], bytes]", env: "Mapping[str, str]"
) -> tuple[int, bytes]:
    """Return the exit code and what goes to stdout; read() returns all of stdin."""
    try:
        given = command_line.read(PROG, argv, OPTIONS, _help)
        if given is None:
            sys.stdout.flush()
            return 0, b""
        options, words = given
        if words != ["get"]:
            what = " ".join(words)
            message = f"unknown command {what!r}" if what else "no command given"
            raise usage_error(message, f"{PROG} --help")
        return 0, _get(read(), options, env)
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        from ..errors import failed

        return failed(error), b""


def _get(data: bytes, options: "Options", env: "Mapping[str, str]") -> bytes:
    from ..protocols import bazel

    try:
        uri = bazel.uri(data)
    except ValueError as error:
        raise usage_error(str(error), f"{PROG} --help") from None
    token = feeds.devops_token(uri, options, env)
    return bazel.NONE if token is None else bazel.headers(token.text, token.expires_on)


def _help() -> str:
    from .help import BAZEL

    return BAZEL


if __name__ == "__main__":
    main()
