"""From the URL of a feed to the token for it; every helper here asks through this module.

For a URL that `request.urls` does not know there is no answer and no request.
"""

from ..broker import broker
from ..request import urls
from ..request.clouds import cloud_of_registry, host_of
from ..request.options import usage_error
from ..request.selection import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..request.options import Options
    from ..request.request import Token, TokenRequest


def devops_request(
    url: bytes, options: "Options", env: "Mapping[str, str]", challenges: "list[str] | None" = None
) -> "TokenRequest | None":
    """Return the request for the organisation that a URL names, or None for a stranger's.

    challenges: the `WWW-Authenticate` values that the tool was answered, where it tells them.
    Raises UsageError.
    """
    found = urls.place(url)
    if found is None:
        return None
    host, organisation = found
    selection = select(options, env, organisation=organisation, host=host)
    return broker.devops_request(selection, organisation, challenges or [])


def devops_token(
    url: bytes, options: "Options", env: "Mapping[str, str]", challenges: "list[str] | None" = None
) -> "Token | None":
    """Return a token for a URL of Azure DevOps, or None for a stranger's.

    Raises UsageError or SignInError.
    """
    request = devops_request(url, options, env, challenges)
    return None if request is None else answer(request, challenges)


def answer(
    request: "TokenRequest",
    challenges: "list[str] | None" = None,
    *,
    refused: str = "",
    may_prompt: "Callable[[], bool] | None" = None,
) -> "Token":
    """Return the token for a request of devops_request; another one where that was refused.

    refused: the fingerprint of the token that a server has refused for certain, or "". Claims
    among the challenges are an answer to a token, too, though nobody says to which: what is
    cached is given again only if it was issued for these very claims.
    may_prompt: whether a person may be asked, where the environment is not to say so alone.
    Raises SignInError.
    """
    claims, certain = None, bool(refused)
    if challenges:
        from ..protocols.challenges import claims_of

        claims = claims_of(challenges)

    def may_ask() -> bool:
        return broker.may_prompt(request.env) and (may_prompt is None or may_prompt())

    if not certain and claims is None:
        return broker.get_token(request, may_prompt=may_ask)
    if not certain:
        held = broker.cached(request.with_(min_valid=0))
        refused = "" if held is None else held.fingerprint
    from ..broker.refusals import get_another

    return get_another(request, refused, claims, certain=certain, may_prompt=may_ask)


def check_refusal(url: bytes, token: str, options: "Options", env: "Mapping[str, str]") -> None:
    """Raise what a person can do about a token that a feed refused, where that is known.

    The organisation is asked for the reason with that token, which must be one of ours.
    """
    found = urls.place(url)
    if found is None or not found[1]:
        return
    from ..signin.refusal import why

    host, organisation = found
    selection = select(options, env, organisation=organisation, host=host)
    error = why(token, organisation, selection.origin("tenant"), selection.env)
    if error is not None:
        raise error


def registry_request(host: str, options: "Options", env: "Mapping[str, str]") -> "TokenRequest":
    """Return the request for a registry's own token; host: as `urls.registry` returns it.

    A registry takes tokens of its own cloud only, and those of another are not for it to see.
    Raises UsageError.
    """
    selection = select(options, env, host=host)
    cloud = cloud_of_registry(host)
    if selection.cloud is not cloud:
        raise usage_error(
            f"{host} is in {cloud.name}, but the sign-in is at {host_of(selection.authority)}",
            f"export AZURE_AUTHORITY_HOST={cloud.authority}",
        )
    return selection.request(selection.scopes_for("acr"), interactive=True, registry=host)


def registry_token(host: str, options: "Options", env: "Mapping[str, str]") -> "Token":
    """Return the own (refresh) token of a registry; raises UsageError or SignInError."""
    request = registry_request(host, options, env)
    return broker.get_token(request, may_prompt=lambda: broker.may_prompt(env))


def profile_of_program(program: str, base: str) -> str:
    """Return what stands behind a helper's own name in the name it was started by, or "".

    program: argv[0]. `docker-credential-msauth-work` chooses the profile `work`: for the tools
    that tell their helper nothing else.
    """
    name = program.replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
    return name[len(base) + 1 :] if name.startswith(base + "-") else ""
