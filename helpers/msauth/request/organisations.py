"""Which hosts are Azure DevOps', and whose organisation a URL names.

Everything is decided on raw ASCII bytes against an exact list. No URL parser is involved: their
disagreements (userinfo, backslash, stripped tabs) are how tokens went to the wrong host.
"""

from .clouds import DEVOPS_HOST, DEVOPS_SERVICES, LEGACY_DOMAIN, LEGACY_SERVICES

_HOSTS = frozenset(
    name.encode() for name in (DEVOPS_HOST, *(f"{s}.{DEVOPS_HOST}" for s in DEVOPS_SERVICES))
)
_LEGACY = LEGACY_DOMAIN.encode()
_LEGACY_SERVICES = frozenset(service.encode() for service in LEGACY_SERVICES)
# Labels under the legacy domain that are Microsoft's own sites, not organisations.
_NOT_ORGANISATIONS = frozenset(
    (b"www", b"app", b"vs-ssh", b"marketplace", b"my", b"login", b"code", b"docs", b"support")
)
_LABEL = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-")


def organisation(protocol: bytes, host: bytes, path: bytes, username: bytes) -> str | None:
    """Return the organisation a credential is asked for, or None when the host is not ours.

    protocol, host (with its port, if any), path and username are git's attributes, as bytes.
    "" means the host is Azure DevOps' but names no organisation (no `useHttpPath`, no user).
    """
    if protocol != b"https" or not host.isascii():
        return None
    host = host.lower().removesuffix(b":443")
    if host in _HOSTS:
        return name_in(path.lstrip(b"/").partition(b"/")[0]) or name_in(username) or ""
    if not host.endswith(_LEGACY):
        return None
    label, _, service = host[: -len(_LEGACY)].partition(b".")
    if label in _NOT_ORGANISATIONS or (service and service not in _LEGACY_SERVICES):
        return None
    if service == b"" and host != label + _LEGACY:
        return None
    return name_in(label) or None


def name_in(text: bytes) -> str:
    """Return an organisation's name in lower case, or "" for anything that cannot be one."""
    text = text.lower()
    if not 0 < len(text) <= 50 or not _LABEL.issuperset(text):
        return ""
    if text[:1] == b"-" or text[-1:] == b"-":
        return ""
    return text.decode("ascii")
