"""`msauth-token [PRODUCT] [options]`: a token for a Kubernetes client, a script or a person.

As a Kubernetes credential plugin it follows `KUBERNETES_EXEC_INFO`; what a repeated question of
the same client means is told in `exec_retry`.
"""

import os
import sys

from ..broker import broker
from ..protocols import exec_credential
from ..request.options import write_and_exit
from ..request.request import env_forbids_prompts
from .arguments import TokenArguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..request.request import Token


def main() -> int:
    """Answer, and end the process."""
    return write_and_exit(lambda: run(sys.argv[1:], os.environ))


def run(argv: list[str], env: "Mapping[str, str]") -> tuple[int, bytes]:
    """Return the exit code and what goes to stdout."""
    try:
        if "convert-kubeconfig" in argv:
            return _convert(argv, env), b""
        return 0, _answer(TokenArguments(argv, env)).encode("ascii", "backslashreplace")
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


def _answer(arguments: TokenArguments) -> str:
    if arguments.has("--help", "-h", "--version", "--list-products"):
        return _about(arguments)
    token = _token(arguments)
    if arguments.format != "exec":
        from ..protocols import formats

        return formats.write(arguments.format, token.text, token.expires_on, token.tenant)
    if arguments.info is not None:
        version = arguments.info.api_version
    else:
        version = exec_credential.V1 if arguments.kubelogin is None else exec_credential.V1BETA1
    return exec_credential.write(version, token.text, token.expires_on)


def _token(arguments: TokenArguments) -> "Token":
    env, info = arguments.env, arguments.info

    def may_prompt() -> bool:
        # spec.interactive only says that stdin is a terminal, and no sign-in of ours reads it.
        return broker.may_prompt(env) or (info is not None and info.interactive)

    request = arguments.request(interactive=not env_forbids_prompts(env))
    token = broker.get_token(request, may_prompt=may_prompt)
    if info is None or request.force_refresh or request.claims is not None:
        return token
    from . import exec_retry

    if not exec_retry.given_again(request, token):
        return token
    from ..errors import MsauthError, say

    forced = request.with_(force_refresh=True)
    try:
        renewed = exec_retry.force(request, lambda: broker.get_token(forced, may_prompt=may_prompt))
    except MsauthError as error:
        say("warning", f"asked again at once, but no new token: {error.message}")
        return token
    if renewed is None:
        return broker.cached(request) or token
    if exec_retry.given_again(request, renewed):
        say("warning", "asked again at once, but signing in gives the same token again")
    return renewed


def _about(arguments: TokenArguments) -> str:
    if arguments.has("--list-products"):
        return arguments.selection().cloud.listing()
    if arguments.has("--version"):
        from .. import __version__

        return f"msauth-token {__version__}\n"
    from .help import text

    return text()


if __name__ == "__main__":
    main()
