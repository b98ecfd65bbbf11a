"""Tokens that a server refused: remembered for each token and organisation.

One organisation may refuse what all the others take (a policy of its own, an outage, a hostile
submodule that names a server of its own), so its refusal concerns that organisation alone. It
concerns everybody when claims came with it, or when a second organisation agrees.

Some sources give the same token until it nears its end (azd, PowerShell, a host that caches its
managed identity). What they give again after a refusal is not offered at once, but after a
minute, then after two, four, … up to an hour: the server decides. Otherwise one refusal would
lock a person out for as long as the token lives. Nor can any number of organisations take from the
others the only token there is.
"""

import time

from . import record
from .folder import Folder
from .record import REJECTED

FOR = 28 * 3600
"""Seconds a refusal is remembered: the longest life of a token (continuous access evaluation)."""
FIRST_PAUSE = 60
"""Seconds until the same token is offered again for the first time."""
LONGEST_PAUSE = 3600
CLAIMS = ".claims"
_CLAIMS_FOR = 3600


class _Mark:
    """What is remembered of a refused token.

    organisations: who refused it. count: how often; at: when last, epoch seconds (0: nothing is
    known). claims: whether claims came with it. only: whether its source has no other token to
    give.
    """

    def __init__(self, folder: Folder, fingerprint: str) -> None:
        found = folder.record(fingerprint + REJECTED, _key(fingerprint))
        attributes = found[0] if found is not None else {}
        names = attributes.get("organisations", "").split(" ")
        self.organisations = {"" if name == "-" else name for name in names if name}
        self.count = record.number(attributes.get("count"))
        self.at = record.number(attributes.get("at"))
        self.claims = attributes.get("claims") == "1"
        self.only = attributes.get("only") == "1"

    def write(self, folder: Folder, fingerprint: str) -> None:
        attributes = {
            "organisations": " ".join(sorted(name or "-" for name in self.organisations)),
            "count": str(self.count),
            "at": str(self.at),
            "claims": str(int(self.claims)),
            "only": str(int(self.only)),
        }
        data = record.encode(_key(fingerprint), attributes, b"")
        folder.write(fingerprint + REJECTED, data)

    @property
    def paused(self) -> bool:
        """Whether it is too early to offer the token again."""
        pause: int = FIRST_PAUSE << max(0, min(self.count, 12) - 1)
        return time.time() < self.at + min(pause, LONGEST_PAUSE)


def reject(folder: Folder, fingerprint: str, organisation: str, claims: str | None) -> None:
    """Remember that a server refused a token; raises OSError where nothing can be written.

    organisation: "" when unknown. claims: of the refusal's challenge.
    """
    mark = _Mark(folder, fingerprint)
    mark.organisations.add(organisation)
    mark.claims = mark.claims or claims is not None
    if not mark.paused:  # what parallel transfers of one command report is one refusal
        mark.count += 1
    mark.at = int(time.time())
    mark.write(folder, fingerprint)


def concerns(folder: Folder, fingerprint: str, organisation: str) -> bool:
    """Say whether a token must not be offered to an organisation ("" for anything else) now.

    A mark that cannot be read concerns everybody.
    """
    if not folder.exists(fingerprint + REJECTED):
        return False
    mark = _Mark(folder, fingerprint)
    if not mark.at:
        return True
    if mark.at + FOR < time.time() or (mark.only and not mark.paused):
        return False
    # Where there is no other token, those who refuse it cannot take it from everybody else.
    everybody = mark.claims or (len(mark.organisations) > 1 and not mark.only)
    return everybody or organisation in mark.organisations


def is_the_only_one(folder: Folder, fingerprint: str) -> None:
    """Note that the source of a refused token gives no other."""
    mark = _Mark(folder, fingerprint)
    if not mark.at:
        return  # what cannot be said of anybody would be taken for everybody's refusal
    mark.only = True
    try:
        mark.write(folder, fingerprint)
    except OSError:
        pass


def forget(folder: Folder, fingerprint: str) -> None:
    """Forget that a token was refused: a person asked for it again."""
    folder.remove(fingerprint + REJECTED)


def forget_all(folder: Folder) -> None:
    """Forget every refusal."""
    for name in folder.names(REJECTED):
        folder.remove(name)


def keep_claims(folder: Folder, stem: str, claims: str) -> None:
    """Keep a refusal's claims for the next sign-in of a key; raises OSError."""
    attributes = {"until": str(int(time.time()) + _CLAIMS_FOR)}
    data = record.encode(_key(stem), attributes, claims.encode("utf-8", "replace"))
    folder.write(stem + CLAIMS, data)


def pending_claims(folder: Folder, stem: str) -> str | None:
    """Return the claims that a refusal left for the next sign-in of a key."""
    found = folder.record(stem + CLAIMS, _key(stem))
    if found is None or record.number(found[0].get("until")) < time.time():
        return None
    return found[1].decode("utf-8", "replace")


def _key(name: str) -> bytes:
    return f"request.key={name}\n".encode()
