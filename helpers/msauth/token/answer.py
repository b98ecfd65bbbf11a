"""What `msauth-token [PRODUCT] [options]` answers: a token, as the caller wants it written.

As a Kubernetes credential plugin it follows `KUBERNETES_EXEC_INFO`; what a repeated question of
the same client means is told in `exec_retry`.
"""

from ..broker import broker
from ..protocols import exec_credential
from ..request.request import env_forbids_prompts
from .arguments import TokenArguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..request.request import Token


def answer(arguments: TokenArguments) -> str:
    """Return what goes to stdout. Raises UsageError and SignInError."""
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
