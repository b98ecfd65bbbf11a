"""The one question every helper asks, and its answer.

A `TokenRequest` names everything that could change the answer; its text is the cache
key, so two sign-ins can never share a record (a fault kubelogin and others had).
"""

from ..cache import record
from .clouds import DEVOPS_SCOPE, PUBLIC
from .kinds import identity_of, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MIN_VALID = 300
"""Seconds a served token must still live, unless the caller asks otherwise."""


def env_is_ci(env: "Mapping[str, str]") -> bool:
    """Say whether this is a CI job: nobody is there to be asked, and nothing may outlive it."""
    return bool(env.get("CI"))


def renews_behind(env: "Mapping[str, str]") -> bool:
    """Say whether a token may be renewed in the background, while an older one is served."""
    return not env_is_ci(env) and env.get("MSAUTH_BACKGROUND_REFRESH") != "0"


_OUTSIDE_THE_KEY = frozenset(
    (
        *("claims", "force_refresh", "interactive", "min_valid", "organisation", "origin"),
        *("persist", "refused"),
    )
)
"""The fields of a request that do not select whose token it is."""


_OPTIONAL = (
    *("username", "identity_resource_id", "redirect_url", "registry"),
    *("assertion", "assertion_audience", "assertion_identity"),
)
"""The fields that are in the key only where they are set."""


def env_forbids_prompts(env: "Mapping[str, str]") -> bool:
    """Say whether nobody may be asked to sign in, whatever terminal there is."""
    return env_is_ci(env) or env.get("MSAUTH_NO_PROMPT", "0") not in ("", "0")


def _nobody_knows(_: str) -> str:
    return ""


class TokenRequest:
    """Sign-in selection, authority, tenant, scopes and claims; immutable.

    credential: one of `kinds.NAMES`. profile, client_id: "" when not chosen. tenant: a GUID, a
    domain or None for the sign-in's own. scopes: full scopes. claims: the JSON of a claims
    challenge (OpenID Connect core 5.5) or None. min_valid: seconds. interactive: whether a
    person may be asked. username: the account that an interactive sign-in shall be of.
    identity_resource_id: an Azure resource id that names a user-assigned managed identity.
    redirect_url: of an application of one's own, for the browser. assertion: where `federated`
    has its client assertion from, see `kinds.ASSERTION`; assertion_audience: what that is to be
    for, "" for the cloud's usual one; assertion_identity: the managed identity that gives it, a
    client id or a resource id, "" for the machine's own. persist: whether an
    interactive sign-in outlives the process. env: the environment that a sign-in may read.
    organisation: the Azure DevOps organisation that the token is for, "" for anything else.
    refused: the fingerprint of a token that a server has just refused, or "".
    origin: from a field's name to what chose it, for an error (see `Selection.origin`).
    registry: the host of the container registry whose own token is wanted, in exchange for
    Entra ID's; "" for that of Entra ID itself.
    cache_key: the text of all that selects the answer. record_name: the stem of its file names.
    """

    __slots__ = (
        "assertion",
        "assertion_audience",
        "assertion_identity",
        "authority",
        "cache_key",
        "cae",
        "claims",
        "client_id",
        "credential",
        "env",
        "force_refresh",
        "identity_resource_id",
        "instance_discovery",
        "interactive",
        "min_valid",
        "organisation",
        "origin",
        "persist",
        "profile",
        "record_name",
        "redirect_url",
        "refused",
        "registry",
        "scopes",
        "tenant",
        "username",
    )
    assertion: str
    assertion_audience: str
    assertion_identity: str
    authority: str
    cache_key: bytes
    cae: bool
    claims: str | None
    client_id: str
    credential: str
    env: "Mapping[str, str]"
    force_refresh: bool
    identity_resource_id: str
    instance_discovery: bool
    interactive: bool
    min_valid: int
    organisation: str
    origin: "Callable[[str], str]"
    persist: bool
    profile: str
    record_name: str
    redirect_url: str
    refused: str
    registry: str
    scopes: tuple[str, ...]
    tenant: str | None
    username: str

    def __init__(
        self,
        scopes: tuple[str, ...],
        env: "Mapping[str, str]",
        *,
        credential: str = "auto",
        profile: str = "",
        client_id: str = "",
        authority: str = PUBLIC.authority,
        instance_discovery: bool = True,
        tenant: str | None = None,
        claims: str | None = None,
        cae: bool | None = None,
        min_valid: int = MIN_VALID,
        force_refresh: bool = False,
        interactive: bool = False,
        persist: bool = True,
        username: str = "",
        identity_resource_id: str = "",
        redirect_url: str = "",
        assertion: str = "",
        assertion_audience: str = "",
        assertion_identity: str = "",
        organisation: str = "",
        refused: str = "",
        origin: "Callable[[str], str] | None" = None,
        registry: str = "",
    ) -> None:
        fields = {
            "scopes": scopes,
            "env": env,
            "credential": credential,
            "profile": profile,
            "client_id": client_id,
            "authority": authority,
            "instance_discovery": instance_discovery,
            "tenant": tenant,
            "claims": claims,
            # Long-lived CAE tokens are asked for only where a rejection comes back to us.
            "cae": scopes == (DEVOPS_SCOPE,) if cae is None else cae,
            "min_valid": min_valid,
            "force_refresh": force_refresh,
            "interactive": interactive,
            "persist": persist,
            "username": username,
            "identity_resource_id": identity_resource_id,
            "redirect_url": redirect_url,
            "assertion": assertion,
            "assertion_audience": assertion_audience,
            "assertion_identity": assertion_identity,
            "organisation": organisation,
            "refused": refused,
            "origin": origin or _nobody_knows,
            "registry": registry,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        key = self._key()
        object.__setattr__(self, "cache_key", key)
        object.__setattr__(self, "record_name", record.name_of(key))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a TokenRequest is immutable; with_({name}=…) makes another")

    def with_(self, **changes: object) -> "TokenRequest":
        """Return a copy with some fields changed."""
        values = {name: getattr(self, name) for name in self.__slots__} | changes
        if not _OUTSIDE_THE_KEY.issuperset(changes):
            del values["cache_key"], values["record_name"]
            return TokenRequest(**values)
        # The stamps of the key are not looked at again: it stays the request that it was.
        copy = object.__new__(TokenRequest)
        for name, value in values.items():
            object.__setattr__(copy, name, value)
        return copy

    def _key(self) -> bytes:
        """Return one `name=value` line for each thing that selects the answer."""
        lines = [
            f"request.credential={self.credential}",
            f"request.profile={quoted(self.profile)}",
            f"request.client_id={self.client_id}",
            f"request.authority={self.authority}",
            f"request.tenant={self.tenant or ''}",
            f"request.scope={quoted(' '.join(self.scopes))}",
        ]
        if self.cae:
            lines.append("request.cae=1")
        if not self.instance_discovery:
            lines.append("request.instance_discovery=0")
        for name in _OPTIONAL:
            value = getattr(self, name)
            if value:
                lines.append(f"request.{name}={quoted(value)}")
        text = "\n".join(lines) + "\n" + identity_of(self.credential, self.env)
        return text.encode("utf-8", "surrogateescape")

    def __repr__(self) -> str:
        claims = "set" if self.claims else None
        return (
            f"TokenRequest({self.scopes!r}, credential={self.credential!r}, "
            f"tenant={self.tenant!r}, claims={claims})"
        )


class Token:
    """An access token and what is known of it; its repr never shows the token.

    text: RFC 6750 b64token characters only. expires_on, refresh_on: epoch seconds; refresh_on
    is when a renewal becomes worth trying (0: nobody knows). credential: the kind that gave it.
    asked: whether a person was asked for it just now, and is who signs in from now on.
    """

    __slots__ = (
        "_fingerprint",
        "account",
        "asked",
        "credential",
        "expires_on",
        "issued",
        "refresh_on",
        "tenant",
        "text",
    )

    def __init__(
        self,
        text: str,
        expires_on: int,
        *,
        refresh_on: int = 0,
        issued: int = 0,
        tenant: str = "",
        account: str = "",
        credential: str = "",
        fingerprint: str = "",
    ) -> None:
        self.text = text
        self._fingerprint = fingerprint
        self.expires_on = expires_on
        self.refresh_on = refresh_on
        self.issued = issued
        self.tenant = tenant
        self.account = account
        self.credential = credential
        self.asked = False

    @property
    def fingerprint(self) -> str:
        """What may be said of the token in a log or in git's `state[]`."""
        if not self._fingerprint:
            self._fingerprint = record.fingerprint(self.text)
        return self._fingerprint

    def __repr__(self) -> str:
        return f"Token(<{len(self.text)} characters>, expires_on={self.expires_on})"
