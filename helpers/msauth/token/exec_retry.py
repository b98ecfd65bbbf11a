"""Which token was handed to which process: how a rejection by a Kubernetes API server is noticed.

A Kubernetes client keeps a token in memory until it expires. It runs the plugin again at once
after an answer of 401, and does not say why. So: **a process that asks again within 60 seconds
for a key, and would be given the very token that it was given before, is taken to have been
refused with it, and the token is renewed by force.**

- "The same process" is the parent's pid with its start time, so that another kubectl with a
  reused pid is another process. kubectl processes that run in parallel are different parents:
  none of them triggers the rule for another, and the one that does renews for all, because the
  others then find another token in the cache.
- A token that worked for an hour and is then revoked: the first question after the 401 comes
  later than 60 seconds and gets the old token once more; the next one follows at once.
- The evidence is weak: a client that keeps nothing in memory (a Python script that loads its
  kubeconfig for every call) looks the same. So the token is not marked as rejected and stays
  in the cache until a new one replaces it, and the renewals are bounded: one in 60 seconds for
  a key, one in 15 minutes for a key and parent. `--force-refresh` has no bound.

Everything is in names and modification times of empty private files, so that noting a hand-out
is one system call, atomic, with nothing that could be read torn.
"""

import os
import time

from ..cache import folder as directory
from ..cache import record
from ..request.request import Token, TokenRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW = 60
"""Seconds in which a repeated question counts as a refusal."""
KEY_REST = 60
"""Seconds between two forced renewals of one key."""
PARENT_REST = 900
"""Seconds between two forced renewals of one key for one parent."""

GIVEN = ".given"
FORCED = ".forced"
_CREATE = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


def given_again(request: TokenRequest, token: Token) -> bool:
    """Note that the parent is given this token; say whether it was given it a moment ago.

    Never raises: a cache that cannot be written notices nothing.
    """
    try:
        descriptor = directory.open_directory()
    except OSError:
        return False
    try:
        stem = record.name_of(request.canonical())
        name = f"{stem}-{parent()}-{token.fingerprint[:16]}{GIVEN}"
        age = _touch(descriptor, name)
        if age is None and os.getpid() % 64 == 0:
            _prune(descriptor)
        return age is not None and age < WINDOW
    except (OSError, NotImplementedError):
        return False
    finally:
        os.close(descriptor)


def force(request: TokenRequest, renew: "Callable[[], Token]") -> Token | None:
    """Return what renew() gives, or None where the bounds say no; one process at a time.

    None also after a neighbour's forced renewal was waited for: its token is in the cache then.
    Raises what renew raises.
    """
    try:
        descriptor = directory.open_directory()
    except OSError:
        return None
    try:
        stem = record.name_of(request.canonical())
        own, everyone = f"{stem}-{parent()}{FORCED}", stem + FORCED
        if _rests(descriptor, own, PARENT_REST):
            return None
        from ..cache.lock import key_lock

        with key_lock(stem + "-forced") as held:
            if not held or _rests(descriptor, everyone, KEY_REST):
                return None
            try:
                _touch(descriptor, everyone)
                _touch(descriptor, own)
                _prune(descriptor)
            except (OSError, NotImplementedError):
                return None  # what cannot be counted cannot be bounded
            return renew()
    finally:
        os.close(descriptor)


def parent() -> str:
    """Return the parent process's pid and, where /proc has it, its start time (proc(5))."""
    pid = os.getppid()
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return str(pid)
    try:
        # The second field, the name, may hold anything, also spaces and parentheses.
        fields = os.read(descriptor, 2048).rpartition(b")")[2].split()
    finally:
        os.close(descriptor)
    return f"{pid}.{fields[19].decode('ascii')}" if len(fields) > 19 else str(pid)


def _touch(descriptor: int, name: str) -> float | None:
    """Create an empty private file, or renew its time; return its age in seconds if it existed."""
    try:
        os.close(os.open(name, _CREATE, 0o600, dir_fd=descriptor))
    except FileExistsError:
        age = _age(descriptor, name)
        os.utime(name, dir_fd=descriptor, follow_symlinks=False)
        return age
    return None


def _rests(descriptor: int, name: str, seconds: int) -> bool:
    age = _age(descriptor, name)
    return age is not None and age < seconds


def _age(descriptor: int, name: str) -> float | None:
    try:
        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return abs(time.time() - status.st_mtime)


def _prune(descriptor: int) -> None:
    for name in os.listdir(descriptor):
        rest = WINDOW if name.endswith(GIVEN) else PARENT_REST if name.endswith(FORCED) else 0
        if rest and not _rests(descriptor, name, rest):
            try:
                os.unlink(name, dir_fd=descriptor)
            except OSError:
                pass
