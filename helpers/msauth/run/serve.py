"""`msauth-run --serve`: which tokens the endpoint gives, and the run of its command beside it."""

import os

from ..broker import broker
from ..broker.remembered import Remembered, remember
from ..errors import MsauthError
from ..protocols.token_endpoint import Refused, TokenQuery
from ..request import values
from ..request.clouds import Cloud
from ..request.options import many
from ..request.request import MIN_VALID, Token
from ..request.selection import Selection
from . import child
from .server import Endpoint, Wanted
from .tool_env import remove_identities

_CHOOSING = (
    "MSAUTH_CREDENTIAL",
    "MSAUTH_CLIENT_ID",
    "MSAUTH_TENANT",
    "MSAUTH_PROFILE",
    "MSAUTH_IDENTITY_RESOURCE_ID",
    "MSAUTH_SHIM_OPTIONS",
    "ARM_MSI_API_VERSION",
)
"""Variables that chose an identity for us, which the endpoint now stands for."""
_DIRECT = ("127.0.0.1", "localhost")
_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


class TokenSource:
    """Answers the endpoint's queries from the broker, for the allowed scopes only.

    It signs in with our own environment, never with the one that was made for the command.
    """

    def __init__(self, selection: Selection, allowed: dict[str, str]) -> None:
        """allowed: the full scope behind each spelling that is answered."""
        self._selection = selection
        self._allowed = allowed
        self._forced = set(allowed.values()) if "--force-refresh" in selection.options else set()
        self._remembered: dict[Wanted, Remembered] = {}

    def wanted(self, query: TokenQuery) -> Wanted:
        """Return what a query asks for; equal ones share an answer. Raises Refused."""
        scope = self._scope(query)
        force = query.refresh or query.claims is not None or scope in self._forced
        return scope, query.tenant.lower(), query.claims, force

    def known(self, wanted: Wanted) -> Token | None:
        """Return the token that was given for this before, if it still is the answer."""
        found = self._remembered.get(wanted)
        return found.token if found is not None and found.holds() else None

    def get(self, wanted: Wanted) -> Token:
        """Return a token with at least 5 minutes left wherever there is one to be had.

        Where a tenant was chosen for msauth-run, its token is the only one, and is refused to
        who names another. Raises Refused, SignInError.
        """
        scope, tenant, claims, force = wanted
        request = self._selection.request(
            (scope,),
            interactive=True,
            claims=claims,
            tenant=values.name("tenantId", tenant) or None,
        )
        request = request.with_(min_valid=max(request.min_valid, MIN_VALID), force_refresh=force)
        token = broker.get_token(request, may_prompt=lambda: broker.may_prompt(os.environ))
        self._forced.discard(scope)  # it means the first token of each scope, not every one
        chosen = self._selection.explicit_tenant
        if chosen and tenant not in ("", chosen, token.tenant.lower()):
            raise Refused(403, "only the tenant that msauth-run was started for is allowed")
        found = None if force else remember(request, token)
        if found is not None:
            self._remembered[wanted] = found
        return token

    def _scope(self, query: TokenQuery) -> str:
        scopes = {self._allowed.get(_plain(wanted)) for wanted in query.wanted}
        scope = scopes.pop()
        if scope is None or None in scopes:
            raise Refused(403, "this scope is not allowed here; msauth-run --allow names more")
        if scopes:
            raise Refused(400, "one resource at a time")
        return scope


class Serving:
    """One endpoint and the command that it serves."""

    def __init__(self, selection: Selection) -> None:
        """Listen already, for the scopes of --allow or those of all products. Raises UsageError."""
        child.hold_places()
        words = many(selection.options, "--allow")
        wanted = [scope for word in words for scope in selection.scopes_for(word)]
        source = TokenSource(selection, allowed_scopes(wanted, selection.cloud))
        try:
            self._endpoint = Endpoint(source)
        except OSError as error:
            raise MsauthError(f"no loopback port for --serve: {error.strerror}") from None

    def set_environment(self, env: dict[str, str]) -> None:
        """Put the endpoint into a command's environment; no proxy may stand between them.

        A program of ours in it asks the endpoint too: what chose an identity for us is gone.
        """
        remove_identities(env)
        for name in _CHOOSING:
            env.pop(name, None)
        env.update(self._endpoint.variables())
        if any(env.get(name) for name in _PROXIES):
            direct = env.get("no_proxy") or env.get("NO_PROXY") or ""
            for name in ("no_proxy", "NO_PROXY"):
                hosts = [host for host in (env.get(name) or direct).split(",") if host]
                env[name] = ",".join([*hosts, *(h for h in _DIRECT if h not in hosts)])

    def run(self, path: str, argv: list[str], env: dict[str, str]) -> int:
        """Run the command with the endpoint beside it, and end as it ended.

        Raises MsauthError.
        """
        code = child.run(path, argv, env, started=self._endpoint.start)
        # No teardown: it takes long, and threads may still be signing in.
        os._exit(code)


def allowed_scopes(wanted: list[str], cloud: Cloud) -> dict[str, str]:
    """Return the full scope behind each spelling that is answered (see `_plain`).

    wanted: full scopes; empty for all products of the cloud.
    """
    wanted = wanted or [f"{resource}/.default" for resource in cloud.resources.values()]
    allowed = {_plain(scope): scope for scope in wanted}
    for alias, product in cloud.aliases.items():
        scope = f"{cloud.resource(product)}/.default"
        if _plain(scope) in allowed:
            allowed.setdefault(alias, scope)
    return allowed


def _plain(scope: str) -> str:
    """Return what two spellings of a scope have in common: `https://host/` is `https://host`.

    Entra ID would put the slash into the audience; the products' servers take both.
    """
    text = scope.removesuffix("/.default").removesuffix("/")
    return text.lower() if "://" not in text or "/" not in text.partition("://")[2] else text
