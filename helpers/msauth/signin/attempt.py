"""One attempt to sign in, and the way from azure-identity's answers and errors to ours."""

import os
import time
from collections.abc import Callable

from ..cache.record import is_token
from ..errors import OnlyRejectedError, SignInError, UnavailableError, command
from ..protocols.base64url import json_object
from ..request.clouds import is_guid
from ..request.kinds import KINDS, MANAGED_IDENTITY
from ..request.request import Token, TokenRequest
from . import aadsts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Attempt:
    """What a kind of credential needs to know: the request, the claims and who is asking.

    rejected: says of a token whether a server rejected it. prompt: a person asked to sign in
    now, so what an earlier sign-in left is not used. env: all that may be known of the
    environment.
    """

    def __init__(
        self,
        request: TokenRequest,
        claims: str | None,
        rejected: Callable[[str], bool],
        *,
        prompt: bool = False,
    ) -> None:
        self.request = request
        self.claims = claims
        self.rejected = rejected
        self.prompt = prompt
        self.env = request.env
        # Expiry is counted from before the request left, so a slow answer cannot lengthen it.
        self.started = int(time.time())

    @property
    def tenant(self) -> str | None:
        return self.request.tenant

    @property
    def client_id(self) -> str:
        return self.request.client_id or self.env.get("AZURE_CLIENT_ID", "")

    @property
    def wants_new(self) -> bool:
        """Whether a token that somebody already holds will not do."""
        return self.claims is not None or self.request.force_refresh

    def authority_options(self) -> "dict[str, Any]":
        """Return azure-identity's keyword arguments for authority, network and retries."""
        from . import network

        return {
            "authority": self.request.authority,
            "disable_instance_discovery": not self.request.instance_discovery,
            "additionally_allowed_tenants": ["*"],
            **network.azure_options(self.env),
        }

    def ask(self, kind: str, credential: "Any", *, renewable: bool = True) -> Token:
        """Return the token of an azure-identity credential.

        renewable: whether asking again before the expiry gives a newer token.
        Raises UnavailableError or SignInError; no error holds a token, a secret or claims.
        """
        options: dict[str, object] = {}
        if self.tenant:
            options["tenant_id"] = self.tenant
        if self.request.cae or self.claims is not None:
            options["enable_cae"] = True
        if self.claims is not None:
            options["claims"] = self.claims
        with aadsts.translated(kind, self.request, claims=self.claims):
            info = credential.get_token_info(*self.request.scopes, options=options)
        expires_on = int(info.expires_on)
        refresh_on = int(info.refresh_on or 0) if renewable else expires_on
        return self.token(kind, info.token, expires_on, refresh_on=refresh_on)

    def token(
        self, kind: str, text: str, expires_on: int, *, refresh_on: int, check: bool = True
    ) -> Token:
        """Return our value for a token; times in epoch seconds, refresh_on 0 for half its life.

        This is the one place where a token comes in, whoever gave it. Raises SignInError for a
        text that is no token and for a token of another tenant than the GUID that was asked
        for; unless check is False, OnlyRejectedError for one that a server rejected.
        """
        if not is_token(text):
            raise SignInError(f"{kind}: what came is no token (RFC 6750)", _mend(kind))
        self._check_tenant(kind, text)
        if not refresh_on:
            refresh_on = self.started + (expires_on - self.started) // 2
        found = token_from(
            kind,
            text,
            expires_on,
            refresh_on=jittered(self.started, refresh_on, expires_on),
            issued=self.started,
        )
        if check and self.rejected(text):
            raise self.only_rejected(kind, found)
        return found

    def only_rejected(self, kind: str, token: Token) -> OnlyRejectedError:
        """Return the error for a token that a server rejected, where there is no other."""
        return OnlyRejectedError(
            f"{kind}: the only token to be had is the one that the server rejected",
            aadsts.login_hint(kind, self.request, self.claims)
            or command("msauth", "login", "--credential", kind, "--scope", self.request.scopes[0]),
            token,
        )

    def _check_tenant(self, kind: str, text: str) -> None:
        wanted, given = self.tenant or "", claims_of(text).get("tid")
        if not is_guid(wanted) or not isinstance(given, str) or given.lower() == wanted.lower():
            return
        hint = aadsts.other("tenant", self.request.origin("tenant"), self.env)
        message = f"{kind}: a token of tenant {given} came, but tenant {wanted} was asked for"
        if kind in (MANAGED_IDENTITY, "codespaces"):  # one tenant; `auto` may try another kind
            raise UnavailableError(message, "choose another --credential, or leave --tenant out")
        raise SignInError(message, aadsts.login_hint(kind, self.request, None) or hint)


class Who:
    """Whom a kind would sign in; "" for what only the sign-in itself can tell.

    asks: whether the person would be asked first.
    """

    def __init__(self, account: str = "", tenant: str = "", *, asks: bool = False) -> None:
        self.account = account
        self.tenant = tenant
        self.asks = asks


def application(attempt: Attempt) -> Who:
    """Return the application and the tenant that options or AZURE_… variables name."""
    return Who(attempt.client_id, attempt.tenant or attempt.env.get("AZURE_TENANT_ID", ""))


class Way:
    """How a kind signs in, and why it would not.

    reason: why it is not usable here, or None. It is asked only where there is what the table says
    that the kind needs; it looks at the environment, and never starts a program or opens a
    connection. sign_in may still find that nobody is signed in, and raises UnavailableError then.
    absence: the stricter reason by which `auto` passes the kind over. who: whom sign_in would sign
    in, from what is on this machine alone; raises as it would.
    """

    def __init__(
        self,
        reason: Callable[[Attempt], str | None],
        sign_in: Callable[[Attempt], Token],
        absence: Callable[[Attempt], str | None] | None = None,
        who: Callable[[Attempt], Who] = application,
    ) -> None:
        self.reason = reason
        self.sign_in = sign_in
        self.absence = absence
        self.who = who


def unmet(kind: str, attempt: Attempt) -> list[tuple[str, ...]]:
    """Return what a kind needs and does not have: the alternatives for each thing."""
    given = {"AZURE_CLIENT_ID": attempt.client_id, "AZURE_TENANT_ID": attempt.tenant}
    return [
        names
        for names in KINDS[kind].needs
        if not any(attempt.env.get(name) or given.get(name) for name in names)
    ]


def lacking(kind: str, attempt: Attempt) -> str | None:
    """Return which variable that a kind needs is not set, or None."""
    for names in unmet(kind, attempt):
        return f"{names[0]} is not set" if len(names) == 1 else _neither(names)
    return None


def nothing_else(_: Attempt) -> None:
    """Stand for the reason of a kind that needs its variables alone."""


def _neither(names: tuple[str, ...]) -> str:
    return f"neither {' nor '.join(names)} is set"


def _mend(kind: str) -> str:
    tool = KINDS[kind].tool
    if tool:
        return f"check which {tool} is first in PATH, and its version"
    return "choose another --credential"


def jittered(started: int, refresh_on: int, expires_on: int) -> int:
    """Return refresh_on moved by up to ±10 % of its distance, so that machines spread out."""
    if refresh_on >= expires_on:
        return expires_on
    share = (int.from_bytes(os.urandom(4), "big") / (1 << 32) - 0.5) / 5
    return min(refresh_on + int(max(0, refresh_on - started) * share), expires_on)


def token_from(kind: str, text: str, expires_on: int, *, refresh_on: int, issued: int) -> Token:
    """Return a Token with what its own claims say of account, tenant and expiry.

    expires_on: counted from this machine's clock, which may be wrong; the token's own `exp`, if
    it can be read and is earlier, wins. Account and tenant are for display only.
    """
    claims = claims_of(text)
    stated = claims.get("exp")
    if isinstance(stated, int) and stated > 0:
        expires_on = min(expires_on, stated)
    account = ""
    for name in ("upn", "preferred_username", "unique_name", "appid", "azp", "oid"):
        value = claims.get(name)
        if isinstance(value, str) and value:
            account = value
            break
    tenant = claims.get("tid")
    return Token(
        text,
        expires_on,
        refresh_on=refresh_on,
        issued=issued,
        tenant=tenant if isinstance(tenant, str) else "",
        account=account,
        credential=kind,
    )


def claims_of(token: str) -> "dict[str, Any]":
    """Return a JWT's claims without checking its signature, or {} for an opaque token.

    To show, and to shorten an expiry; servers decide what a token is worth.
    """
    parts = token.split(".")
    found = json_object(parts[1]) if len(parts) == 3 else None
    return found[1] if found is not None else {}


def time_of(claims: "dict[str, Any]", name: str) -> int:
    """Return a claim that is a time in epoch seconds, 0 for any other: no year may be too far."""
    value = claims.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 40:
        return value
    return 0
