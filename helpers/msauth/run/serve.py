"""`msauth-run --serve`: which tokens the endpoint gives, and the run of its command beside it."""

import os
from collections.abc import Callable

from ..broker import broker
from ..errors import MsauthError, UsageError
from ..protocols.token_endpoint import Question, Refused
from ..request.clouds import PRODUCTS, scopes_for
from ..request.options import Options, many, one
from ..request.request import MIN_VALID, Token
from ..request.selection import request_for
from . import child
from .execution import may_ask
from .server import Endpoint, Flights

_ALIASES = {
    "https://management.core.windows.net": "arm",
    "https://management.core.usgovcloudapi.net": "arm",
    "https://management.core.chinacloudapi.cn": "arm",
    "00000003-0000-0000-c000-000000000000": "graph",
}
"""Other names under which SDKs ask for a product of the table."""
_DIRECT = ("127.0.0.1", "localhost")
_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


class Desk:
    """Answers the endpoint's questions from the broker, for the allowed scopes only.

    It signs in with our own environment, never with the one that was made for the command.
    options: ours; --tenant is then the only tenant there is.
    """

    def __init__(self, options: Options, allowed: dict[str, str], *, prog: str) -> None:
        self._options = {k: v for k, v in options.items() if k != "--force-refresh"}
        self._fresh: set[str] | None = set() if "--force-refresh" in options else None
        self._allowed = allowed
        self._prog = prog
        self._flights = Flights()
        self._interactive = may_ask()  # now: beside a command our stdin is /dev/null

    def answer(self, question: Question) -> Token:
        """Return a token with at least 5 minutes left wherever there is one to be had.

        Raises Refused for a scope or tenant that is not allowed, SignInError.
        """
        scope = self._scope(question)
        options = self._options
        if question.tenant:
            if one(options, "--tenant").lower() not in ("", question.tenant.lower()):
                raise Refused(403, "only the tenant of --tenant is allowed")
            options = {**options, "--tenant": question.tenant}
        request = request_for((scope,), options, os.environ, interactive=self._interactive)
        request = request.with_(min_valid=max(request.min_valid, MIN_VALID))
        if self._fresh is not None and scope not in self._fresh:
            self._fresh.add(scope)
            request = request.with_(force_refresh=True)
        token = broker.cached(request)
        if token is not None:
            return token
        return self._flights.share(
            request.canonical(), lambda: broker.get_token(request, prog=self._prog)
        )

    def _scope(self, question: Question) -> str:
        scopes = {self._allowed.get(_plain(wanted)) for wanted in question.wanted}
        scope = scopes.pop()
        if scope is None or None in scopes:
            raise Refused(403, "this scope is not allowed here; msauth-run --allow names more")
        if scopes:
            raise Refused(400, "one resource at a time")
        return scope


class Serving:
    """One endpoint and the command that it serves."""

    def __init__(
        self,
        options: Options,
        authority: str,
        scopes: Callable[[str], tuple[str, ...]],
        *,
        prog: str,
    ) -> None:
        """Listen already, for the scopes of --allow or those of all products.

        scopes: from a word of --allow to full scopes. Raises UsageError.
        """
        child.hold_places()
        wanted = [scope for word in many(options, "--allow") for scope in scopes(word)]
        desk = Desk(options, allowed_scopes(wanted, authority), prog=prog)
        try:
            self._endpoint = Endpoint(desk.answer)
        except OSError as error:
            raise MsauthError(f"no loopback port for --serve: {error.strerror}") from None

    def lead(self, env: dict[str, str]) -> None:
        """Put the endpoint into a command's environment; no proxy may stand between them.

        A program of ours in it is led here too, and not to an identity whose secret is gone.
        """
        env.update(self._endpoint.variables())
        for name in ("MSAUTH_CREDENTIAL", "MSAUTH_CLIENT_ID"):
            env.pop(name, None)
        if any(env.get(name) for name in _PROXIES):
            direct = env.get("no_proxy") or env.get("NO_PROXY") or ""
            for name in ("no_proxy", "NO_PROXY"):
                hosts = [host for host in (env.get(name) or direct).split(",") if host]
                env[name] = ",".join([*hosts, *(h for h in _DIRECT if h not in hosts)])

    def run(self, path: str, argv: list[str], env: dict[str, str]) -> int:
        """Run the command with the endpoint beside it, and end as it ended.

        Raises NotExecutedError.
        """
        code = child.run(path, argv, env, started=self._endpoint.start)
        # No teardown: it takes long, and threads may still be signing in.
        os._exit(code)


def allowed_scopes(wanted: list[str], authority: str) -> dict[str, str]:
    """Return the full scope behind each spelling that is answered (see `_plain`).

    wanted: full scopes; empty for all products of the authority's cloud.
    """
    if not wanted:
        for product in PRODUCTS:
            try:
                wanted += scopes_for(product, authority)
            except UsageError:  # not in this cloud
                continue
    allowed = {_plain(scope): scope for scope in wanted}
    for alias, product in _ALIASES.items():
        (scope,) = scopes_for(product, authority)
        if _plain(scope) in allowed:
            allowed.setdefault(alias, scope)
    return allowed


def _plain(scope: str) -> str:
    """Return what two spellings of a scope have in common: `https://host/` is `https://host`.

    Entra ID would put the slash into the audience; the products' servers take both.
    """
    text = scope.removesuffix("/.default").removesuffix("/")
    return text.lower() if "://" not in text or "/" not in text.partition("://")[2] else text
