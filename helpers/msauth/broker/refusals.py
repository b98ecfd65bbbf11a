"""What follows when a server has refused a token.

git-lfs also comes here for a token that it never sent, so a hit loads nothing that it can do
without.
"""

from ..cache.folder import Folder
from ..errors import OnlyRejectedError, trace
from ..request.request import Token, TokenRequest
from .broker import cached, get_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def reject(secret: str, claims: str | None, *, organisation: str, env: "Mapping[str, str]") -> bool:
    """Take note that an organisation ("" when unknown) refused a token; never raises.

    Returns whether the token is one that is cached here: git also names what others gave it.
    claims: the JSON of the refusal's claims challenge, honoured by the next sign-in.
    """
    from . import changes

    try:
        with Folder.cache(env, create=bool(secret)) as folder:
            if organisation:  # it may have moved to another tenant
                changes.forget_tenant(folder, organisation)
            holders = changes.reject(folder, secret, organisation, claims) if secret else []
    except OSError:
        return False
    if "MSAUTH_TRACE" in env:
        trace(f"rejected: held by {len(holders)} records, claims {claims is not None}", env)
    return bool(holders)


def erase_registry(registry: str, env: "Mapping[str, str]") -> None:
    """Never serve what is cached for a container registry again; never raises.

    Entra ID's token behind it stays: nothing was said against that, and other registries use it.
    """
    from . import changes

    try:
        with Folder.cache(env) as folder:
            for token in changes.tokens_of_registry(folder, registry):
                changes.reject(folder, token, "", None)
    except OSError:
        return


def get_another(
    request: TokenRequest,
    fingerprint: str,
    claims: str | None,
    *,
    certain: bool,
    may_prompt: "Callable[[], bool]",
) -> Token:
    """Return the token for whoever was given one before and asks again.

    fingerprint: of the token given before. claims: as for `reject`. certain: a server has refused
    that token. Otherwise the one who asks may never have sent it (git-lfs), so the cache's token
    is the answer, the same one too; if it was refused, an `erase` follows.

    Without claims nothing is noted: a new token takes the old one's place in the cache anyway,
    and where no other can be had, the same one is the answer and the server decides.
    Raises SignInError.
    """
    if not certain:
        token = cached(request.with_(claims=claims))
        if token is not None:
            return token
        fingerprint = fingerprint if claims is not None else ""
    if claims is not None:
        token = cached(request.with_(min_valid=0))
        if token is not None and token.fingerprint == fingerprint:
            reject(token.text, claims, organisation=request.organisation, env=request.env)
    another = request.with_(claims=claims, refused=fingerprint)
    try:
        return get_token(another, may_prompt=may_prompt)
    except OnlyRejectedError as error:
        if claims is not None:
            raise
        same: Token = error.token
        return same
