"""`msauth-token go [URL]`: for GOAUTH, tokens for the module proxies of Azure DevOps.

Go makes its first fetches without a token, several at the same time, asks for one after each
401, and sends it from then on. So the first questions of a go command are no refusals, but one
that comes later is: by then every request has the token. Where the server itself says that the
request had one, there is nothing to wait for.
"""

from ..request.options import FLAG, SIGN_IN, parse, usage_error
from ..system import fsencode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..request.options import Options
    from ..request.request import Token, TokenRequest

OPTIONS = {**SIGN_IN, "--help": FLAG, "-h": FLAG}
FIRST_FETCHES = 10
"""Seconds after which a go command's requests all have the token that it was given."""


def run(argv: list[str], read: "Callable[[], bytes]", env: "Mapping[str, str]") -> bytes:
    """Return what Go is to read; nothing before the first fetch, nor for a stranger's URL.

    argv: what stands behind `go`. read: returns all of stdin. Raises UsageError and SignInError.
    """
    options, words = parse(argv, OPTIONS)
    if "--help" in options or "-h" in options:
        from .help import GO

        return GO.encode()
    if len(words) > 1:
        raise usage_error(f"one URL at a time, not {' '.join(words)}", "msauth-token go --help")
    return _answer(fsencode(words[0]), options, read, env) if words else b""


def _answer(
    url: bytes, options: "Options", read: "Callable[[], bytes]", env: "Mapping[str, str]"
) -> bytes:
    from ..protocols import goauth
    from ..request import urls

    place = urls.place(url)
    prefix = None if place is None else goauth.prefix(url, *place)
    if prefix is None:
        return b""
    from . import feeds

    status, challenges = goauth.response(read())
    if status not in (401, 403):
        return b""
    request = feeds.devops_request(url, options, env, challenges)
    if request is None:
        return b""
    token = feeds.answer(request, challenges)
    if status == 401 and _is_refused(request, token, challenges):

        def renew() -> "Token":
            feeds.check_refusal(url, token.text, options, env)
            return feeds.answer(request, challenges, refused=token.fingerprint)

        return goauth.credentials(prefix, _another(request, token, renew).text)
    return goauth.credentials(prefix, token.text)


def _is_refused(request: "TokenRequest", token: "Token", challenges: list[str]) -> bool:
    from ..protocols import goauth
    from ..token import exec_retry

    seconds = exec_retry.given_since(request, token)
    if seconds is None:
        return False
    return seconds >= FIRST_FETCHES or goauth.says_refused(challenges)


def _another(request: "TokenRequest", token: "Token", renew: "Callable[[], Token]") -> "Token":
    """Return a new token, or the same one where signing in gives no other or not so soon."""
    from ..broker import broker
    from ..token import exec_retry

    another = exec_retry.force(request, renew) or broker.cached(request) or token
    exec_retry.given_since(request, another)
    return another
