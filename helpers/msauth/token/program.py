"""`msauth-token [PRODUCT] [options]`: a token for a Kubernetes client, a script or a person.

Nothing but the options' reader is imported before it is known what is asked: `msauth-token go`
runs before every fetch of Go's, and mostly has nothing to say.
"""

import sys

from ..request.options import standard_input, write_and_exit
from ..system import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def main() -> int:
    """Answer, and end the process."""
    return write_and_exit(lambda: run(sys.argv[1:], environment()))


def run(argv: list[str], env: "Mapping[str, str]") -> tuple[int, bytes]:
    """Return the exit code and what goes to stdout."""
    try:
        if argv and argv[0] == "go":
            from ..credential_helpers import go

            return 0, go.run(argv[1:], standard_input, env)
        if "convert-kubeconfig" in argv:
            return _convert(argv, env), b""
        from .answer import answer
        from .arguments import TokenArguments

        return 0, answer(TokenArguments(argv, env)).encode("ascii", "backslashreplace")
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        from ..errors import failed

        return failed(error), b""


def _convert(argv: list[str], env: "Mapping[str, str]") -> int:
    from ..errors import flush_stdout, prepare_stdout
    from ..protocols.kubelogin import after
    from .convert import run as convert

    words = after("convert-kubeconfig", argv)
    if words is None:
        from ..errors import UsageError

        raise UsageError(
            "convert-kubeconfig has to come first", "msauth-token convert-kubeconfig --help"
        )
    prepare_stdout()
    return flush_stdout(convert(words, env))


if __name__ == "__main__":
    main()
