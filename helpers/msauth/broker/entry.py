"""One key of the cache: its token, and why it may not be served. Reading takes no lock.

A reader sees the old record or the new one, never a mix, and any doubt is a miss. Nothing here
removes a record to make it invalid: a logout begins a new generation and a rejection leaves a mark
of its own, and both are looked at on every read. So a renewal that is late cannot undo either.
"""

from ..cache import record
from ..cache.folder import Folder
from ..cache.record import REJECTED, TENANT, TOKEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..request.request import Token, TokenRequest

_MAX_SKEW = 300


class Entry:
    """What an open cache folder holds for a request."""

    __slots__ = ("folder", "request")

    def __init__(self, folder: Folder, request: "TokenRequest") -> None:
        self.folder = folder
        self.request = request

    @property
    def name(self) -> str:
        """The record's file name."""
        return self.request.record_name + TOKEN

    def read(self, *, now: int, since: int | None = None, settled: bool = False) -> "Token | None":
        """Return the cached token, or None.

        now: epoch seconds. since: epoch nanoseconds; accept a token written after that however
        short-lived it is (another process signed in while we waited; asking again would give no
        more). settled: not one whose tool may have signed out since. A request with claims is
        only answered by a token issued for those very claims.
        """
        request = self.request
        found = self.folder.record(self.name, request.cache_key)
        if found is None or found[0].get("epoch") != self.folder.generation(request.profile):
            return None
        attributes, payload = found
        claims = request.claims
        if claims is not None and attributes.get("claims") != record.fingerprint(claims):
            return None
        token = token_of(attributes, payload)
        if token is None or token.issued > now + _MAX_SKEW:
            return None
        if token.fingerprint == request.refused or self._is_rejected(token):
            return None
        if attributes.get("signal", "") != signal_of(token.credential, request.env):
            from ..request.request import renews_behind

            if settled or not renews_behind(request.env):
                return None
            token.refresh_on = 1  # due: the tool may have signed out
        left = token.expires_on - now
        if left >= max(1, request.min_valid):
            return token
        if since is not None and left > 0 and record.number(attributes.get("written")) > since:
            return token
        return None

    def _is_rejected(self, token: "Token") -> bool:
        if not self.folder.exists(token.fingerprint + REJECTED):
            return False
        from ..cache.rejections import concerns

        return concerns(self.folder, token.fingerprint, self.request.organisation)


def signal_of(credential: str, env: "Mapping[str, str]") -> str:
    """Return the signal of the tool that a token came from (`Kind.signal`), or ""."""
    from ..request.kinds import KINDS

    kind = KINDS.get(credential)
    return kind.signal(env) if kind is not None and kind.signal is not None else ""


def token_of(attributes: dict[str, str], payload: bytes) -> "Token | None":
    """Return a record's token, or None when it is not one."""
    if not record.is_token(payload):
        return None
    from ..request.request import Token

    number = record.number
    return Token(
        payload.decode("ascii"),
        number(attributes.get("expires_on")),
        refresh_on=number(attributes.get("refresh_on")),
        issued=number(attributes.get("issued")),
        tenant=attributes.get("tenant", ""),
        account=attributes.get("account", ""),
        credential=attributes.get("credential", ""),
        fingerprint=attributes.get("fingerprint", ""),
    )


def read_tenant(folder: Folder, organisation: str, *, now: int) -> str | None:
    """Return an organisation's remembered tenant, "" when it is known to have none, or None."""
    key = organisation_key(organisation)
    found = folder.record(record.name_of(key) + TENANT, key)
    if found is None:
        return None
    attributes, payload = found
    number = record.number
    if not number(attributes.get("issued")) - _MAX_SKEW <= now < number(attributes.get("until")):
        return None
    return payload.decode("ascii", "replace")


def organisations(folder: Folder) -> list[str]:
    """Return the names of the organisations of which a tenant was remembered; raises OSError."""
    found = (folder.record(name, None) for name in folder.names(TENANT))
    return [each[0].get("request.organisation", "") for each in found if each is not None]


def organisation_key(organisation: str) -> bytes:
    """Return the text under which an organisation's tenant is remembered."""
    return f"request.organisation={organisation}\n".encode()
