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

Everything is in names and modification times of empty private files of the cache, so that noting
an answer is one system call, atomic, with nothing that could be read torn.
"""

from ..cache.folder import Folder
from ..cache.record import FORCED, GIVEN
from ..system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..request.request import Token, TokenRequest

WINDOW = 60
"""Seconds in which a repeated question counts as a refusal."""
KEY_REST = 60
"""Seconds between two forced renewals of one key."""
PARENT_REST = 900
"""Seconds between two forced renewals of one key for one parent."""
LOCK_TIMEOUT = 30
"""Seconds to wait for another process's forced renewal."""

_RESTS = ((GIVEN, WINDOW), (FORCED, PARENT_REST))


def given_again(request: "TokenRequest", token: "Token") -> bool:
    """Note that the parent is given this token; say whether it was given it a moment ago.

    Never raises: a cache that cannot be written notices nothing.
    """
    try:
        with Folder.cache(request.env) as folder:
            age = folder.touch(_name(request, token))
            if age is None and os.getpid() % 64 == 0:
                _prune(folder)
    except (OSError, NotImplementedError):
        return False
    return age is not None and age < WINDOW


def given_since(request: "TokenRequest", token: "Token") -> float | None:
    """Note that the parent is given this token; return for how many seconds it has had it.

    None: it has not been given it before. Never raises, as above.
    """
    name = _name(request, token)
    try:
        with Folder.cache(request.env) as folder:
            age = folder.age(name)
            if age is None:
                folder.touch(name)
    except (OSError, NotImplementedError):
        return None
    return age


def force(request: "TokenRequest", renew: "Callable[[], Token]") -> "Token | None":
    """Return what renew() gives, or None where the bounds say no; one process at a time.

    None also after another process's forced renewal was waited for: its token is in the cache
    then. Raises what renew raises.
    """
    own, everyone = f"{request.record_name}-{parent()}{FORCED}", request.record_name + FORCED
    try:
        folder = Folder.cache(request.env)
    except OSError:
        return None
    with folder:
        if _rests(folder, own, PARENT_REST):
            return None
        with folder.lock(request.record_name + "-forced", timeout=LOCK_TIMEOUT) as held:
            if not held or _rests(folder, everyone, KEY_REST):
                return None
            try:
                folder.touch(everyone)
                folder.touch(own)
                _prune(folder)
            except (OSError, NotImplementedError):
                return None  # what cannot be counted cannot be bounded
            return renew()


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


def _name(request: "TokenRequest", token: "Token") -> str:
    return f"{request.record_name}-{parent()}-{token.fingerprint[:16]}{GIVEN}"


def _rests(folder: Folder, name: str, seconds: int) -> bool:
    age = folder.age(name)
    return age is not None and age < seconds


def _prune(folder: Folder) -> None:
    for suffix, rest in _RESTS:
        for name in folder.names(suffix):
            if not _rests(folder, name, rest):
                folder.remove(name)
