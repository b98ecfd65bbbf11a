"""What Azure DevOps' `WWW-Authenticate` challenges say: a tenant, claims (RFC 9110 11.6.1)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_NO_TENANT = "00000000-0000-0000-0000-000000000000"
_HEX = frozenset("0123456789abcdef")


def tenant_of(challenges: list[str], sign_in_hosts: "Collection[str]") -> str | None:
    """Return the tenant GUID that `WWW-Authenticate` values name, "" for none, None if silent.

    Only a known sign-in host over https is believed. "" is the answer of an organisation that
    is backed by personal accounts (a bare `Bearer`, or the zero GUID).
    """
    silent: str | None = None
    for parameters in bearer(challenges):
        uri = parameters.get("authorization_uri", "")
        if not uri:
            silent = ""
            continue
        if not uri.startswith("https://"):
            continue
        host, _, rest = uri[8:].partition("/")
        if host not in sign_in_hosts:
            continue
        tenant = rest.partition("/")[0].lower()
        if tenant == _NO_TENANT:
            silent = ""
        elif tenant_guid(tenant):
            return tenant
    return silent


def tenant_guid(text: str) -> str:
    """Return a tenant GUID in lower case, or "" for the zero GUID and anything else."""
    text = text.lower()
    if len(text) != 36 or text == _NO_TENANT:
        return ""
    parts = text.split("-")
    if [len(part) for part in parts] != [8, 4, 4, 4, 12] or not _HEX.issuperset("".join(parts)):
        return ""
    return text


def claims_of(challenges: list[str]) -> str | None:
    """Return the JSON of a claims challenge (continuous access evaluation), or None.

    Claims are believed only as base64 of a JSON object, and only up to 8 KiB.
    """
    for parameters in bearer(challenges):
        encoded = parameters.get("claims", "")
        if not encoded or parameters.get("error", "") != "insufficient_claims":
            continue
        if len(encoded) > 8192:
            continue
        from .base64url import json_object

        found = json_object(encoded)
        if found is not None:
            return found[0]
    return None


def bearer(challenges: list[str]) -> list[dict[str, str]]:
    """Return the parameters of every Bearer challenge (RFC 9110 11.6.1), names in lower case.

    Azure DevOps sends one header per scheme or all in one, and `authorization_uri` unquoted
    although it holds characters that RFC 9110 wants quoted.
    """
    found: list[dict[str, str]] = []
    current: dict[str, str] | None = None
    for challenge in challenges:
        current = None
        for part in _parts(challenge):
            name, equals, value = part.partition("=")
            scheme, space, rest = name.strip().partition(" ")
            if not equals or space:
                # A new scheme, alone or with its first parameter behind a space.
                current = {} if scheme.lower() == "bearer" else None
                if current is not None:
                    found.append(current)
                name = rest
                if not equals:
                    continue
            if current is not None:
                value = value.strip()
                if len(value) > 1 and value[0] == value[-1] == '"':
                    value = value[1:-1]
                current.setdefault(name.strip().lower(), value)
    return found


def _parts(challenge: str) -> list[str]:
    """Split at commas outside of quotes."""
    parts, start, quoted = [], 0, False
    for index, character in enumerate(challenge):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            parts.append(challenge[start:index].strip())
            start = index + 1
    parts.append(challenge[start:].strip())
    return [part for part in parts if part]
