"""`docker-credential-msauth get|store|erase|list|version`: container registries of Azure.

docker, podman, skopeo, crane, oras and helm run it for each registry that their configuration
gives it (`credHelpers`), and again for each command.
"""

import sys

from ..protocols import docker as protocol
from ..request.options import FLAG, SIGN_IN, Options, parse, standard_input, write_and_exit
from ..system import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PROG = "docker-credential-msauth"
ACTIONS = ("get", "store", "erase", "list", "version")
OPTIONS = {**SIGN_IN, "--help": FLAG, "-h": FLAG, "--version": FLAG}


def main() -> int:
    """Answer the client, and end the process."""
    return write_and_exit(lambda: run(sys.argv[0], sys.argv[1:], standard_input))


def run(program: str, argv: list[str], read: "Callable[[], bytes]") -> tuple[int, bytes]:
    """Return the exit code and what goes to stdout.

    program: argv[0], which may name a profile. read() returns all of stdin.
    """
    try:
        options, words = parse(argv, OPTIONS)
        action = words[0] if words else ""
        if action == "get":
            return _get(program, options, protocol.server(read()))
        if action == "store":
            return _store(read())
        if action == "erase":
            return _erase(protocol.server(read()))
        if action == "list":
            return 0, b"{}\n"
        if "--help" in options or "-h" in options:
            from .help import DOCKER

            return 0, DOCKER.encode()
        if action == "version" or "--version" in options:
            from .. import __version__

            return 0, f"{PROG} (msauth) {__version__}\n".encode()
        if action:
            return 1, b"Unknown credential action `%s`\n" % ascii(action)[1:-1].encode()
        raise _usage_error("no action given")
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        code, output = _failed(error)
        return (1 if argv[-1:] and argv[-1] in ACTIONS else code), output


def _get(program: str, options: Options, server: bytes) -> tuple[int, bytes]:
    from ..request import urls

    if not server:
        return 1, protocol.NO_SERVER
    registry = urls.registry(server)
    if registry is None:
        return 1, protocol.NOT_FOUND
    from . import feeds

    profile = feeds.profile_of_program(program, PROG)
    if profile and "--profile" not in options:
        options["--profile"] = profile
    token = feeds.registry_token(registry, options, environment())
    return 0, protocol.credentials(server, token.text)


def _store(data: bytes) -> tuple[int, bytes]:
    """Keep nothing, since a registry's token is in our cache; but say so of what is not ours.

    As a `credsStore`, for every registry, we would lose what a person has just typed.
    """
    server = protocol.stored_for(data)
    if server is None or not server:
        return 0, b""
    from ..request import urls

    if urls.registry(server) is not None:
        return 0, b""
    from ..errors import MsauthError

    shown = server.decode("utf-8", "replace")[:100]
    raise MsauthError(f"no password is kept for {shown}", "msauth setup docker --help")


def _erase(server: bytes) -> tuple[int, bytes]:
    """Let the registry's next token be a new one: `docker logout` and a refusal come here."""
    from ..request import urls

    if not server:
        return 1, protocol.NO_SERVER
    registry = urls.registry(server)
    if registry is not None:
        from ..broker.refusals import erase_registry

        erase_registry(registry, environment())
    return 0, b""


def _failed(error: Exception) -> tuple[int, bytes]:
    """Tell the person on stderr, and the client on stdout: most show what stands there."""
    from ..errors import MsauthError, failed, printable

    code = failed(error)
    message = error.message if isinstance(error, MsauthError) else "internal error"
    shown = printable(message.partition("\n")[0])
    return code, f"{PROG}: {shown}\n".encode()


def _usage_error(message: str) -> Exception:
    from ..errors import UsageError

    return UsageError(message, f"{PROG} --help")


if __name__ == "__main__":
    main()
