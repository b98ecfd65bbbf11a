"""The one question every helper asks, and its answer.

A `TokenRequest` names everything that could change the answer; its canonical text is the cache
key, so two sign-ins can never share a record (a fault kubelogin and others had).
"""

import os

DEVOPS_RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
DEVOPS_SCOPE = DEVOPS_RESOURCE + "/.default"
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
MIN_VALID = 300
"""Seconds a served token must still live, unless the caller asks otherwise."""

KINDS = (
    "auto",
    "environment",
    "service-principal",
    "workload-identity",
    "managed-identity",
    "azure-pipelines",
    "github-actions",
    "azure-cli",
    "azure-cli-cache",
    "azure-developer-cli",
    "azure-powershell",
    "browser",
    "device-code",
    "broker",
)
"""The values of --credential, in the design's order."""

# Variables whose value selects an identity (or the place it is signed in from).
_SELECTING = (
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TOKEN_CREDENTIALS",
    "AZURE_REGIONAL_AUTHORITY_NAME",
    "AZURE_SUBSCRIPTION_ID",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
    "AZURESUBSCRIPTION_CLIENT_ID",
    "AZURESUBSCRIPTION_TENANT_ID",
    "IDENTITY_ENDPOINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "MSAUTH_IDENTITY_RESOURCE_ID",
)
# Variables that only select by being there: secrets, and per-run values.
_PRESENT = (
    "AZURE_CLIENT_SECRET",
    "SYSTEM_ACCESSTOKEN",
    "SYSTEM_OIDCREQUESTURI",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
)
# Keys of local endpoints: another run may listen at the same port for another identity.
_ENDPOINT_KEYS = ("IDENTITY_HEADER", "MSI_SECRET")
_AZ_KINDS = ("auto", "azure-cli", "azure-cli-cache")


class TokenRequest:
    """Sign-in selection, authority, tenant, scopes and claims.

    credential: one of KINDS. profile, client_id: "" when not chosen. tenant: a GUID, a domain
    or None for the sign-in's own. scopes: full scopes. claims: the JSON of a claims challenge
    (OpenID Connect core 5.5) or None; never part of the key, see `cache.reader`.
    min_valid: seconds. interactive: whether a person may be asked.
    identity: the selecting environment, from `identity_of`. username: the account that an
    interactive sign-in shall be of. identity_resource_id: an Azure resource id that names a
    user-assigned managed identity. persist: whether an interactive sign-in outlives the process.
    """

    __slots__ = (
        "authority",
        "cae",
        "claims",
        "client_id",
        "credential",
        "force_refresh",
        "identity",
        "identity_resource_id",
        "instance_discovery",
        "interactive",
        "min_valid",
        "persist",
        "profile",
        "scopes",
        "tenant",
        "username",
    )

    def __init__(
        self,
        scopes: tuple[str, ...],
        *,
        credential: str = "auto",
        profile: str = "",
        client_id: str = "",
        authority: str = PUBLIC_AUTHORITY,
        instance_discovery: bool = True,
        tenant: str | None = None,
        identity: str = "",
        claims: str | None = None,
        cae: bool | None = None,
        min_valid: int = MIN_VALID,
        force_refresh: bool = False,
        interactive: bool = False,
        persist: bool = True,
        username: str = "",
        identity_resource_id: str = "",
    ) -> None:
        self.scopes = scopes
        self.credential = credential
        self.profile = profile
        self.client_id = client_id
        self.authority = authority
        self.instance_discovery = instance_discovery
        self.tenant = tenant
        self.identity = identity
        self.claims = claims
        # Long-lived CAE tokens are asked for only where a rejection comes back to us.
        self.cae = scopes == (DEVOPS_SCOPE,) if cae is None else cae
        self.min_valid = min_valid
        self.force_refresh = force_refresh
        self.interactive = interactive
        self.persist = persist
        self.username = username
        self.identity_resource_id = identity_resource_id

    def with_(self, **changes: object) -> "TokenRequest":
        """Return a copy with some fields changed."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values.update(changes)
        return TokenRequest(**values)

    def canonical(self) -> bytes:
        """Return the cache key's text: one `name=value` line for all that selects the answer."""
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
        if self.username:
            lines.append(f"request.username={quoted(self.username)}")
        if self.identity_resource_id:
            lines.append(f"request.identity_resource_id={quoted(self.identity_resource_id)}")
        text = "\n".join(lines) + "\n" + self.identity
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
    """

    __slots__ = (
        "_fingerprint",
        "account",
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

    @property
    def fingerprint(self) -> str:
        """What may be said of the token in a log or in git's `state[]`."""
        if not self._fingerprint:
            from ..cache.record import fingerprint

            self._fingerprint = fingerprint(self.text)
        return self._fingerprint

    def __repr__(self) -> str:
        return f"Token(<{len(self.text)} characters>, expires_on={self.expires_on})"


def identity_of(credential: str, env: "os._Environ[str] | dict[str, str]") -> str:
    """Return the part of the key that the environment decides, as `request.…` lines.

    Holds names and places, and for secrets only that they are set. For sign-ins that may come
    from the Azure CLI it also holds the stamp of az's azureProfile.json, so that `az login`,
    `az logout` and `az account set` take effect at once.
    """
    lines = []
    for name in _SELECTING:
        value = env.get(name)
        if value:
            lines.append(f"request.env.{name}={quoted(value)}\n")
    for name in _PRESENT:
        if env.get(name):
            lines.append(f"request.env.{name}=(set)\n")
    for name in _ENDPOINT_KEYS:
        value = env.get(name)
        if value:
            # Sixteen bits tell two runs apart and say next to nothing of a random key.
            residue = int.from_bytes(value.encode("utf-8", "surrogateescape"), "big") % 65521
            lines.append(f"request.env.{name}=({residue})\n")
    if credential in _AZ_KINDS:
        lines.append(f"request.az={az_stamp(env)}\n")
    return "".join(lines)


def az_stamp(env: "os._Environ[str] | dict[str, str]") -> str:
    """Return a text that changes whenever az rewrites its azureProfile.json."""
    try:
        status = os.stat(az_directory(env) + "/azureProfile.json")
    except (OSError, ValueError):
        return "none"
    return f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}"


def az_directory(env: "os._Environ[str] | dict[str, str]") -> str:
    """Return the folder of az's own files."""
    return env.get("AZURE_CONFIG_DIR") or os.path.expanduser("~/.azure")


def quoted(value: str) -> str:
    """Return value on one line: `%` and control characters percent-encoded."""
    if value.isprintable() and "%" not in value:
        return value
    return "".join(c if c.isprintable() and c != "%" else f"%{ord(c):x};" for c in value)
