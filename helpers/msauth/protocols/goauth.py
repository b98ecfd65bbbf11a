"""What Go says to a GOAUTH command and wants to hear (`go help goauth`). Pure.

Go runs the command without an argument before its first fetch, and after every answer of 4xx
once more with the URL, and that answer on stdin. Its own request, and so the token that it may
have sent, it does not show.
"""

from ..request.clouds import LEGACY_DOMAIN
from .challenges import bearer


def prefix(url: bytes, host: str, organisation: str) -> bytes | None:
    """Return the URLs that one token is good for, as a prefix of this one; None without any.

    host, organisation: as `urls.place` found them in it. Go compares the prefix with later URLs
    byte by byte, so it is cut out of this one. On a host of all organisations it always names
    the organisation: no other may be sent the token.
    """
    if not organisation:
        return None
    authority, _, rest = url[8:].partition(b"#")[0].partition(b"?")[0].partition(b"/")
    if host.endswith(LEGACY_DOMAIN):  # the organisation is in the host itself
        return b"https://" + authority
    label = rest.partition(b"/")[0]
    if label.lower() != organisation.encode():
        return None
    return b"https://" + authority + b"/" + label


def response(data: bytes) -> tuple[int, list[str]]:
    """Return the status (0 where there is none) and the `WWW-Authenticate` values of an answer.

    Several headers of one name come as one, with commas between them.
    """
    first, *lines = data.split(b"\n")
    protocol, _, status = first.partition(b" ")
    number = status.strip().partition(b" ")[0]
    if not protocol.startswith(b"HTTP/") or not number.isdigit() or len(number) != 3:
        return 0, []
    challenges = []
    for line in lines:
        if not line.strip():
            break
        name, _, value = line.partition(b":")
        if name.lower() == b"www-authenticate":
            challenges.append(value.strip().decode("utf-8", "replace"))
    return int(number), challenges


def says_refused(challenges: list[str]) -> bool:
    """Say whether a challenge answers a request that had a token (RFC 6750 3.1: `error`)."""
    return any("error" in parameters for parameters in bearer(challenges))


def credentials(prefix: bytes, token: str) -> bytes:
    """Return one set of URLs and headers, each list ended by a blank line."""
    return prefix + b"\n\nAuthorization: Bearer " + token.encode("ascii") + b"\n\n"
