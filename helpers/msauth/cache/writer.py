"""Changing the cache: whole files renamed into place, never edited.

Every write is: a temporary file in the same directory (`O_EXCL|O_NOFOLLOW`, 0600), all bytes,
fsync, rename, fsync of the directory; the temporary is unlinked on every failure. So a reader,
a kill -9 or a full disk leaves the old record or the new one.
"""

import hmac
import os
import random
import sys
import time
from collections.abc import Callable

from ..request.request import Token, TokenRequest, quoted
from . import folder as directory
from . import reader, record

if sys.platform == "win32":
    from . import windows as files
else:
    from . import posix as files

REJECTED = ".rej"
CLAIMS = ".claims"
FAILURE = ".fail"
LOCK = ".lock"
_TEMPORARY = ".tmp"
_REJECTED_FOR = 28 * 3600
"""Seconds a rejected token is remembered: the longest life of a CAE token."""
_CLAIMS_FOR = 3600
_ABANDONED = 600
"""Seconds after which a temporary can only be of a writer that was killed."""


def create_directory() -> int:
    """Return a descriptor of the records' directory, made private if it was missing.

    Raises directory.Refused or OSError, as `directory.open_directory`.
    """
    try:
        return directory.open_directory()
    except FileNotFoundError:
        pass
    _make(directory.path())
    return directory.open_directory()


def _make(where: str) -> None:
    """Create a directory and its missing parents, each private from birth.

    The umask is left alone: it belongs to all threads of the process.
    """
    parent = os.path.dirname(where)
    if parent != where and not os.path.isdir(parent):
        _make(parent)
    try:
        os.mkdir(where, 0o700)
    except FileExistsError:
        pass  # a neighbour was faster; whoever made it, it is checked when it is opened


def write_file(descriptor: int, name: str, data: bytes) -> None:
    """Replace a file of the open directory by data, or raise OSError and leave it as it was."""
    temporary = f".{name}.{os.getpid()}.{random.getrandbits(48):012x}{_TEMPORARY}"
    handle = files.create(descriptor, temporary)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        files.replace(descriptor, temporary, name)
    except BaseException:
        remove(descriptor, temporary)
        raise
    try:
        files.sync(descriptor)
    except OSError:
        pass  # the rename is done; only its durability is unknown


def write_token(
    descriptor: int, request: TokenRequest, token: Token, *, epoch: str, claims: str | None
) -> None:
    """Write a token's record, unless a server rejected that token (before or meanwhile).

    epoch: as read before the token was asked for, so that a logout meanwhile wins.
    Raises OSError when the file system will not.
    """
    payload = token.text.encode("utf-8", "surrogateescape")
    if not reader.is_token(payload) or _unwanted(descriptor, request, token, epoch):
        return
    canonical = request.canonical()
    name = record.name_of(canonical) + reader.TOKEN
    attributes = {
        "epoch": epoch,
        "issued": str(token.issued),
        "written": str(time.time_ns()),
        "refresh_on": str(token.refresh_on),
        "expires_on": str(token.expires_on),
        "tenant": _line(token.tenant),
        "account": _line(token.account),
        "credential": _line(token.credential),
        "fingerprint": token.fingerprint,
    }
    if claims is not None:
        attributes["claims"] = record.fingerprint(claims)
    write_file(descriptor, name, record.encode(canonical, attributes, payload))
    # An erase or a logout that came between the check and the rename left its mark before it
    # looked for the record; so one of the two sees the other.
    if _unwanted(descriptor, request, token, epoch):
        evict(descriptor, name, token.text)
    _prune(descriptor)


def _unwanted(descriptor: int, request: TokenRequest, token: Token, epoch: str) -> bool:
    """Say whether a server rejected the token, or its sign-in was ended since that epoch."""
    return is_rejected(descriptor, token.text) or reader.epoch(descriptor, request.profile) != epoch


def evict(descriptor: int, name: str, token: str) -> bool:
    """Remove a token's record if it holds exactly this token; say whether it did."""
    found = reader.read_record(descriptor, name, None)
    if found is None or not hmac.compare_digest(found[1], token.encode("utf-8", "replace")):
        return False
    return remove(descriptor, name)


def reject(token: str, claims: str | None) -> list[str]:
    """Forget a token that a server rejected, wherever it is cached, and never take it again.

    claims: of the rejection's challenge; kept for the next sign-in of each key that held the
    token. Returns the names of the evicted records. Raises OSError without a usable directory;
    a full one can take no note, but what is cached still goes.
    """
    descriptor = create_directory()
    try:
        _noted(descriptor, record.fingerprint(token) + REJECTED, b"rejected\n")
        evicted = []
        for name in names(descriptor, reader.TOKEN):
            found = reader.read_record(descriptor, name, None)
            if found is None:
                continue
            if not hmac.compare_digest(found[1], token.encode("utf-8", "replace")):
                continue
            stem = name[: -len(reader.TOKEN)]
            if claims is not None:
                attributes = {"until": str(int(time.time()) + _CLAIMS_FOR)}
                data = record.encode(
                    f"request.key={stem}\n".encode(), attributes, claims.encode("utf-8")
                )
                _noted(descriptor, stem + CLAIMS, data)
            with_lock(stem, lambda name=name: evict(descriptor, name, token))  # type: ignore[misc]
            evicted.append(name)
        _prune(descriptor)
        return evicted
    finally:
        os.close(descriptor)


def _noted(descriptor: int, name: str, data: bytes) -> None:
    try:
        write_file(descriptor, name, data)
    except OSError:
        pass


def with_lock(stem: str, action: Callable[[], object]) -> None:
    """Do a short action under a key's lock, or without it when it cannot be had soon."""
    from .lock import key_lock

    with key_lock(stem, timeout=2):
        action()


def is_rejected(descriptor: int, token: str) -> bool:
    """Say whether a server rejected this very token."""
    return _exists(descriptor, record.fingerprint(token) + REJECTED)


def pending_claims(descriptor: int, canonical: bytes) -> str | None:
    """Return the claims that a rejection left for the next sign-in of this key."""
    stem = record.name_of(canonical)
    found = reader.read_record(descriptor, stem + CLAIMS, f"request.key={stem}\n".encode())
    if found is None or record.number(found[0].get("until")) < time.time():
        return None
    return found[1].decode("utf-8", "replace")


def clear_claims(descriptor: int, canonical: bytes) -> None:
    """Forget the pending claims of a key: they were honoured."""
    remove(descriptor, record.name_of(canonical) + CLAIMS)


def write_tenant(organisation: str, tenant: str, *, now: int, until: int) -> None:
    """Remember an organisation's tenant ("" for none); times in epoch seconds. Never raises."""
    try:
        descriptor = create_directory()
    except OSError:
        return
    try:
        canonical = reader.organisation_key(organisation)
        attributes = {"issued": str(now), "until": str(until)}
        data = record.encode(canonical, attributes, tenant.encode("ascii"))
        write_file(descriptor, record.name_of(canonical) + reader.TENANT, data)
    except (OSError, UnicodeEncodeError):
        pass
    finally:
        os.close(descriptor)


def forget_tenant(organisation: str) -> None:
    """Forget an organisation's tenant, so that the next question probes again. Never raises."""
    try:
        descriptor = directory.open_directory()
    except OSError:
        return
    remove(descriptor, record.name_of(reader.organisation_key(organisation)) + reader.TENANT)
    os.close(descriptor)


def logout(profile: str | None) -> int:
    """End the cached sign-ins of a profile ("" without one), or of everybody (None).

    The new epoch is written first: from then on every older record is a miss, also one that a
    renewal in flight writes later. Then the files go. Returns how many tokens were removed.
    Raises OSError when the epoch cannot be written, with nothing removed.
    """
    try:
        descriptor = directory.open_directory()
    except FileNotFoundError:
        return 0
    try:
        name = "epoch" if profile is None else reader.epoch_name(profile)
        word = f"{time.time_ns():x}{random.getrandbits(32):08x}"
        write_file(descriptor, name, word.encode("ascii") + b"\n")
        removed = 0
        for file in names(descriptor, reader.TOKEN):
            found = reader.read_record(descriptor, file, None)
            if profile is None or (
                found is not None and found[0].get("request.profile", "") == quoted(profile)
            ):
                removed += remove(descriptor, file)
                stem = file[: -len(reader.TOKEN)]
                remove(descriptor, stem + CLAIMS)
                remove(descriptor, stem + FAILURE)
        # A killed writer's temporary holds a token too. A living writer that loses its own here
        # has the answer in hand.
        for file in files.listing(descriptor):
            if file.endswith(_TEMPORARY) and reader.TOKEN + "." in file:
                remove(descriptor, file)
        if profile is None:
            for suffix in (CLAIMS, FAILURE, reader.TENANT):
                for file in names(descriptor, suffix):
                    remove(descriptor, file)
        return removed
    finally:
        os.close(descriptor)


def names(descriptor: int, suffix: str) -> list[str]:
    """Return the names in the open directory that end with suffix, sorted."""
    return sorted(
        name for name in files.listing(descriptor) if name.endswith(suffix) and name[0] != "."
    )


def _prune(descriptor: int) -> None:
    """Remove what has outlived its use: rejections, dead tokens, temporaries of killed writers."""
    now = time.time()
    try:
        found = files.listing(descriptor)
    except OSError:
        return  # tidying is no reason to fail
    for name in found:
        if name.endswith(_TEMPORARY):
            age = _ABANDONED
        elif name.endswith((REJECTED, reader.TOKEN, CLAIMS, FAILURE)):
            age = _REJECTED_FOR
        else:
            continue
        try:
            if files.status(descriptor, name).st_mtime + age < now:
                files.unlink(descriptor, name)
        except OSError:
            continue


def _exists(descriptor: int, name: str) -> bool:
    try:
        files.status(descriptor, name)
    except OSError:
        return False
    return True


def remove(descriptor: int, name: str) -> bool:
    """Remove a file of the open directory; say whether it did."""
    try:
        files.unlink(descriptor, name)
    except OSError:
        return False
    return True


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
