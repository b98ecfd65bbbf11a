"""Reading a record: no lock, no third-party import, and any doubt is a miss.

A reader sees the old record or the new one, never a mix: the writer only ever renames whole
files into place. What a hostile file system could put there instead (a link, a pipe, another
user's file, a huge file) is refused by looking at the open descriptor, not at the name.
"""

import os
import stat

from ..request.request import Token, TokenRequest
from . import folder as directory
from . import record

TOKEN = ".tok"
TENANT = ".org"
_OPEN_FILE = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_B64TOKEN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")
_MAX_SKEW = 300


def read(request: TokenRequest, *, now: int, since: int | None = None) -> Token | None:
    """Return the cached token for a request, or None.

    now: epoch seconds. since: epoch nanoseconds; accept a token written after that however
    short-lived it is (a neighbour signed in while we waited; asking again would give no more).
    A request with claims is only answered by a token that was issued for those very claims.
    """
    try:
        descriptor = directory.open_directory()
    except OSError:
        return None
    try:
        canonical = request.canonical()
        found = read_record(descriptor, record.name_of(canonical) + TOKEN, canonical)
        if found is None:
            return None
        attributes, payload = found
        if attributes.get("epoch") != epoch(descriptor, request.profile):
            return None
    finally:
        os.close(descriptor)
    if request.claims is not None and attributes.get("claims") != record.fingerprint(
        request.claims
    ):
        return None
    token = token_of(attributes, payload)
    if token is None or token.issued > now + _MAX_SKEW:
        return None
    left = token.expires_on - now
    if left >= max(1, request.min_valid):
        return token
    if since is not None and left > 0 and record.number(attributes.get("written")) > since:
        return token
    return None


def token_of(attributes: dict[str, str], payload: bytes) -> Token | None:
    """Return a record's token, or None when it is not one."""
    if not is_token(payload):
        return None
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


def is_token(payload: bytes) -> bool:
    """Say whether these are characters of a token (RFC 6750, b64token), and some."""
    return bool(payload) and _B64TOKEN.issuperset(payload)


def read_tenant(organisation: str, *, now: int) -> str | None:
    """Return an organisation's remembered tenant, "" when it is known to have none, or None."""
    try:
        descriptor = directory.open_directory()
    except OSError:
        return None
    try:
        canonical = organisation_key(organisation)
        found = read_record(descriptor, record.name_of(canonical) + TENANT, canonical)
    finally:
        os.close(descriptor)
    if found is None:
        return None
    attributes, payload = found
    number = record.number
    if not number(attributes.get("issued")) - _MAX_SKEW <= now < number(attributes.get("until")):
        return None
    return payload.decode("ascii", "replace")


def organisation_key(organisation: str) -> bytes:
    """Return the canonical text under which an organisation's tenant is remembered."""
    return f"request.organisation={organisation}\n".encode()


def read_record(
    descriptor: int, name: str, canonical: bytes | None
) -> tuple[dict[str, str], bytes] | None:
    """Return the intact, private record of that name in the open directory, or None."""
    data = read_file(descriptor, name)
    return None if data is None else record.decode(data, canonical)


def read_file(directory_descriptor: int, name: str, *, remove_loose: bool = True) -> bytes | None:
    """Return a file's bytes if it is regular, ours, private and small, else None.

    remove_loose: remove a file that others could read or write, for what it holds may be known
    or forged.
    """
    try:
        if os.open in os.supports_dir_fd:
            descriptor = os.open(name, _OPEN_FILE, dir_fd=directory_descriptor)
        else:
            descriptor = os.open(directory.path() + "/" + name, _OPEN_FILE)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > record.MAX_BYTES:
            return None
        if hasattr(os, "geteuid"):
            # A just-replaced inode has no link left; more than one is a trap.
            if status.st_nlink > 1 or status.st_uid != os.geteuid():
                return None
            if status.st_mode & 0o077:
                if remove_loose:
                    os.unlink(name, dir_fd=directory_descriptor)
                return None
        data = os.read(descriptor, record.MAX_BYTES + 1)
        if len(data) != status.st_size:
            return None
        return data
    except OSError:
        return None
    finally:
        os.close(descriptor)


def epoch(descriptor: int, profile: str) -> str:
    """Return the logout epoch that records of this profile must carry."""
    return f"{_word(descriptor, 'epoch')}.{_word(descriptor, epoch_name(profile))}"


def epoch_name(profile: str) -> str:
    """Return the name of one profile's epoch file ("" is the selection without a profile)."""
    return "epoch-" + record.name_of(profile.encode("utf-8", "surrogateescape"))


def _word(descriptor: int, name: str) -> str:
    """Return an epoch file's word, "0" only when there was never a logout.

    An epoch that cannot be trusted is not taken for none: that would bring back what a logout
    ended. It stays another epoch until the next logout replaces it.
    """
    data = read_file(descriptor, name, remove_loose=False)
    if data is None:
        return "0" if _missing(descriptor, name) else "unreadable"
    text = data.decode("ascii", "replace").strip()
    return text if text.isalnum() else "unreadable"


def _missing(descriptor: int, name: str) -> bool:
    try:
        if os.stat in os.supports_dir_fd:
            os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        else:
            os.lstat(directory.path() + "/" + name)
    except FileNotFoundError:
        return True
    except OSError:
        pass
    return False
