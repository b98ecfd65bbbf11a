"""`git-credential-msauth [options] get|store|erase|capability`: the helper that git calls.

Git runs it for every request to a host it is configured for, so most calls must cost nothing:
`store` and foreign hosts return at once, a cached `get` reads one small file.
"""

import sys

from .request.options import FLAG, SIGN_IN, Options, parse, standard_input, write_and_exit
from .system import environment

PROG = "git-credential-msauth"
_FALSE = ("", "0", "false", "no", "off")
OPTIONS = {**SIGN_IN, "--help": FLAG, "-h": FLAG, "--version": FLAG}


def main() -> int:
    """Answer git, and end the process."""
    return write_and_exit(lambda: run(sys.argv[1:], standard_input))


def run(argv: list[str], read: "Callable[[], bytes]") -> tuple[int, bytes]:
    """Return the exit code and what goes to stdout; read() returns all of stdin as bytes.

    `store` does not come here: it ends in `msauth_start`.
    """
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
            return _erase(options, read())
        if action == "capability":
            from .protocols.git import CAPABILITIES

            return 0, CAPABILITIES
        if not action:
            from .errors import UsageError

            raise UsageError("no action given", f"{PROG} --help")
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        from .errors import failed

        if argv[-1:] != ["get"]:
            return failed(error), b""
        from .protocols.git import QUIT

        return (0, b"") if _recognised(read())[0] is None else (failed(error), QUIT)
    return 0, b""  # gitcredentials(7): an unknown action is ignored


def _get(options: Options, data: bytes) -> tuple[int, bytes]:
    from .broker import broker
    from .protocols import git

    credential, organisation = _recognised(data)
    if credential is None:
        return 0, b""
    env = environment()
    challenges = credential.texts("wwwauth")
    tried, asks_first = git.tried(credential), git.asks_first(credential)

    def may_prompt() -> bool:
        return not asks_first and _may_prompt(credential, env)

    try:
        selection = _selection(options, credential, organisation, env)
        request = broker.devops_request(selection, organisation, challenges)
        if tried:
            from .broker.refusals import get_another
            from .protocols.challenges import claims_of

            claims, certain = claims_of(challenges), git.came_back(credential)
            token = get_another(request, tried, claims, certain=certain, may_prompt=may_prompt)
        else:
            token = broker.get_token(request, may_prompt=may_prompt)
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        from .errors import SignInError, failed

        if asks_first and isinstance(error, SignInError):
            return 0, git.ANONYMOUS  # which may do; else git asks again
        return failed(error), git.QUIT
    return 0, git.answer(
        credential,
        token.text,
        token.expires_on,
        fingerprint=token.fingerprint,
        final=bool(tried),
    )


def _selection(
    options: Options, credential: "Credential", organisation: str, env: "Mapping[str, str]"
) -> "Selection":
    """Return what is chosen for an organisation; raises UsageError."""
    from .request.selection import select

    host = credential.value("host").decode().lower().removesuffix(":443")
    return select(options, env, organisation=organisation, host=host)


def _may_prompt(credential: "Credential", env: "Mapping[str, str]") -> bool:
    """Say whether a person may be asked: git's variable and `credential.interactive`, and CI.

    git gives a helper no word of `credential.interactive` (git 2.47), and by git-config(1) the
    helper is to respect it; GIT_TERMINAL_PROMPT is a boolean as git reads one.
    """
    from .request.request import env_forbids_prompts
    from .signin.programs import git_setting

    if env_forbids_prompts(env) or env.get("GIT_TERMINAL_PROMPT", "1").lower() in _FALSE:
        return False
    host, path = credential.value("host"), credential.value("path")
    url = f"https://{host.decode()}/{path.decode('utf-8', 'replace')}"
    value = git_setting("credential.interactive", url, env)
    return value is None or value.strip().lower() not in (*_FALSE, "never")


def _erase(options: Options, data: bytes) -> tuple[int, bytes]:
    """Take note of a refusal, and say what a person can do about it where that is known."""
    from .broker.refusals import reject
    from .protocols import git
    from .protocols.challenges import claims_of

    credential, organisation = _recognised(data)
    if credential is None:
        return 0, b""
    secret = git.secret(credential)
    claims = claims_of(credential.texts("wwwauth"))
    env = environment()
    ours = reject(secret, claims, organisation=organisation, env=env)
    if not ours or claims is not None:
        return 0, b""
    from .errors import report
    from .signin.refusal import why

    selection = _selection(options, credential, organisation, env)
    error = why(secret, organisation, selection.origin("tenant"), selection.env)
    if error is not None:
        report(error)
    return 0, b""


def _recognised(data: bytes) -> "tuple[Credential, str] | tuple[None, str]":
    """Return git's attributes and the organisation, or None for whatever is not ours."""
    from .protocols import git
    from .request import organisations

    credential = git.parse(data)
    if credential is None:
        return None, ""
    value = credential.value
    username = value("username")
    if username == git.USERNAME.encode():
        username = b""  # ours, and no organisation's
    organisation = organisations.organisation(
        value("protocol"), value("host"), value("path"), username
    )
    if organisation is None:
        return None, ""
    return credential, organisation


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .protocols.git import Credential
    from .request.selection import Selection

if __name__ == "__main__":
    main()
