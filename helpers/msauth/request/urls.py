"""Which URLs are of Azure DevOps, of its package feeds or of a container registry of Azure.

Whether a URL is ours is decided on its raw bytes: https, the default port, an exact host, and
nothing in it that two readers could read differently (a user part, a backslash, a space, a
percent sign in the host, a letter outside ASCII).
"""

from .clouds import FEED_HOST, LEGACY_DOMAIN, REGISTRY_DOMAINS

_HOST = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789.-")
_LABEL = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-")
_MAX_URL = 8192


def split(url: bytes) -> tuple[bytes, bytes] | None:
    """Return host and path of an https URL, the host in lower case and without its port, or None.

    The path begins with a slash, or is empty, and ends before a query or fragment.
    """
    if len(url) > _MAX_URL or url[:8].lower() != b"https://" or not url.isascii():
        return None
    if b"\\" in url or min(url) <= 0x20 or max(url) >= 0x7F:
        return None
    rest = url[8:].partition(b"#")[0].partition(b"?")[0]
    host, slash, path = rest.partition(b"/")
    host = host.lower().removesuffix(b":443")
    if not host or not _HOST.issuperset(host):
        return None
    return host, slash + path


def place(url: bytes) -> tuple[str, str] | None:
    """Return host and organisation ("" if it names none) of an Azure DevOps URL, or None."""
    from . import organisations  # a registry needs none of it

    parts = split(url)
    if parts is None:
        return None
    host, path = parts
    organisation = organisations.organisation(b"https", host, path, b"")
    return None if organisation is None else (host.decode("ascii"), organisation)


def packages(url: bytes) -> tuple[str, str] | None:
    """Return host and path of a feed of Azure Artifacts, or None for any other URL.

    For the tools that then send the token to where the feed's own files say: on the other hosts
    of Azure DevOps, such files may be anybody's who can write to a repository. The path is in
    lower case, without the slashes at its ends, and has no empty segment and none of dots.
    """
    parts, found = split(url), place(url)
    if parts is None or found is None:
        return None
    host, path = found[0], parts[1].decode("ascii").lower().replace("%2e", ".").strip("/")
    feed = host == FEED_HOST or host.endswith(f".pkgs{LEGACY_DOMAIN}")
    if not feed or "%2f" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
        return None
    return host, path


def registry(text: bytes) -> str | None:
    """Return the host of an Azure container registry, given it or an https URL of it, or None."""
    parts = split(text if b"://" in text else b"https://" + text)
    if parts is None:
        return None
    host = parts[0].decode("ascii")
    name, dot, domain = host.partition(".")
    known = dot + domain in REGISTRY_DOMAINS and 0 < len(name) <= 63
    return host if known and _LABEL.issuperset(name.encode()) and name.strip("-") == name else None
