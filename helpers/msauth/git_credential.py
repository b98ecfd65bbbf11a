"""`git-credential-msauth [options] get|store|erase|capability`: the helper that git calls.

Git runs it for every request to a host it is configured for, so most calls must cost nothing:
`store` and foreign hosts return at once, a cached `get` reads one small file.
"""

import os
import sys

from .request.options import FLAG, SIGN_IN, Options, finish, parse

PROG = "git-credential-msauth"
OPTIONS = {**SIGN_IN, "--help": FLAG, "-h": FLAG, "--version": FLAG}


def main() -> int:
    """Answer git, and end the process."""
    return finish(lambda: run(sys.argv[1:], _standard_input))


def run(argv: list[str], read: "Callable[[], bytes]") -> tuple[int, bytes]:
    """Return the exit code and what goes to stdout; read() returns all of stdin as bytes."""
    if argv and argv[-1] == "store":
        read()  # a token is its own record: nothing that git knows is worth keeping
        return 0, b""
    try:
        options, words = parse(argv, OPTIONS)
        if "--help" in options or "-h" in options:
            from .git_credential_help import HELP

            return 0, HELP.encode()
        if "--version" in options:
            from . import __version__

            return 0, f"{PROG} {__version__}\n".encode()
        action = words[0] if words else ""
        if action == "get":
            return _get(options, read())
        if action == "erase":
            return _erase(read())
        if action == "capability":
            from .protocols.git import CAPABILITIES

            return 0, CAPABILITIES
        if not action:
            from .errors import UsageError

            raise UsageError("no action given", f"{PROG} --help")
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        from .errors import failed

        if argv[-1:] != ["get"]:
            return failed(PROG, error), b""
        from .protocols.git import QUIT

        return (0, b"") if _recognised(read())[0] is None else (failed(PROG, error), QUIT)
    return 0, b""  # gitcredentials(7): an unknown action is ignored


def _get(options: Options, data: bytes) -> tuple[int, bytes]:
    from .broker import broker
    from .protocols import azure_devops, git

    credential, organisation = _recognised(data)
    if credential is None:
        return 0, b""
    challenges = credential.texts("wwwauth")
    tried = git.tried(credential)

    def may_ask() -> bool:
        from . import git_settings

        host, path = credential.value("host"), credential.value("path")
        return git_settings.may_ask(f"https://{host.decode()}/{path.decode('utf-8', 'replace')}")

    try:
        request = broker.devops_request(options, organisation, challenges, prog=PROG)
        if tried:
            # The token of the first round was rejected inside this very git command.
            claims = azure_devops.claims_of(challenges)
            token = broker.get_another(request, tried, claims, prog=PROG, may_ask=may_ask)
        else:
            token = broker.get_token(request, prog=PROG, may_ask=may_ask)
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        from .errors import failed

        return failed(PROG, error), git.QUIT
    return 0, git.answer(
        credential,
        token.text,
        token.expires_on,
        fingerprint=token.fingerprint,
        final=bool(tried),
    )


def _erase(data: bytes) -> tuple[int, bytes]:
    from .broker import broker
    from .protocols import azure_devops, git

    credential, organisation = _recognised(data)
    if credential is not None:
        secret = git.secret(credential)
        claims = azure_devops.claims_of(credential.texts("wwwauth"))
        broker.reject(secret, claims, organisation=organisation, prog=PROG)
    return 0, b""


def _recognised(data: bytes) -> "tuple[Credential, str] | tuple[None, str]":
    """Return git's attributes and the organisation, or None for whatever is not ours."""
    from .protocols import azure_devops, git

    credential = git.parse(data)
    if credential is None:
        return None, ""
    value = credential.value
    organisation = azure_devops.organisation(
        value("protocol"), value("host"), value("path"), value("username")
    )
    if organisation is None:
        return None, ""
    return credential, organisation


def _standard_input() -> bytes:
    chunks = []
    try:
        while chunk := os.read(0, 65536):
            chunks.append(chunk)
    except OSError:
        pass
    return b"".join(chunks)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .protocols.git import Credential

if __name__ == "__main__":
    main()
