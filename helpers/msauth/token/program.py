"""`msauth-token [PRODUCT] [options]`: a token for a Kubernetes client, a script or a person.

As a Kubernetes credential plugin it follows `KUBERNETES_EXEC_INFO`; what a repeated question of
the same client means is told in `cache.handouts`.
"""

import os
import sys

from ..broker import broker
from ..protocols import exec_credential
from ..request.options import finish
from .arguments import Question

PROG = "msauth-token"


def main() -> int:
    """Answer, and end the process."""
    return finish(lambda: run(sys.argv[1:], os.environ))


def run(argv: list[str], env: "Environment") -> tuple[int, bytes]:
    """Return the exit code and what goes to stdout.

    env: the process's own, because sign-in reads it too.
    """
    try:
        return 0, _answer(Question(argv, env), env).encode("ascii", "backslashreplace")
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        from ..errors import failed

        return failed(PROG, error), b""


def _answer(question: Question, env: "Environment") -> str:
    if question.asks_for("--help", "-h", "--version", "--list-products"):
        return _about(question, env)
    token = _token(question, env)
    if question.format != "exec":
        from ..protocols import formats

        return formats.write(question.format, token.text, token.expires_on, token.tenant)
    if question.info is not None:
        version = question.info.api_version
    else:
        version = exec_credential.V1BETA1 if question.as_kubelogin else exec_credential.V1
    return exec_credential.write(version, token.text, token.expires_on)


def _token(question: Question, env: "Environment") -> "Token":
    info = question.info
    interactive = os.isatty(2) if info is None else info.interactive
    request = question.request(env, interactive=interactive and not env.get("CI"))
    token = broker.get_token(request, prog=PROG)
    if info is None or request.force_refresh or request.claims is not None:
        return token
    from . import exec_retry as handouts

    if not handouts.given_again(request, token):
        return token
    from ..errors import MsauthError, say

    forced = request.with_(force_refresh=True)
    try:
        renewed = handouts.force(request, lambda: broker.get_token(forced, prog=PROG))
    except MsauthError as error:
        say(PROG, "warning", f"asked again at once, but no new token: {error.message}")
        return token
    if renewed is None:
        return broker.cached(request) or token
    if handouts.given_again(request, renewed):
        say(PROG, "warning", "asked again at once, but signing in gives the same token again")
    return renewed


def _about(question: Question, env: "Environment") -> str:
    if question.asks_for("--list-products"):
        from ..request.clouds import listing

        return listing(question.authority(env))
    if question.asks_for("--version"):
        from .. import __version__

        return f"{PROG} {__version__}\n"
    from .help import text

    return text()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..request.request import Token

    Environment = os._Environ[str] | dict[str, str]

if __name__ == "__main__":
    main()
