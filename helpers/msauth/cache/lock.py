"""The lock of one key, on filelock. A lock file is permanent, empty and never unlinked.

Losing the lock (a read-only or full file system, a timeout) costs a duplicate request, never a
corrupt record: records are renamed into place whole.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from . import directory


@contextmanager
def key_lock(
    stem: str,
    *,
    timeout: float = 30,
    poll: float = 0.02,
    waiting: Callable[[], None] | None = None,
) -> Iterator[bool]:
    """Hold `<stem>.lock` of the cache directory; yields whether it is really held.

    timeout: seconds (0 tries once). waiting: called once when two seconds have passed.
    The directory must exist. Nothing is raised for a lock that cannot be had.
    """
    lock = FileLock(
        f"{directory.path()}/{stem}.lock",
        mode=0o600,
        poll_interval=poll,
        # A marker file would outlive a killed holder, and an unlinked lock splits its waiters.
        fallback_to_soft=False,
        preserve_lock_file=True,
    )
    held = _acquire(lock, timeout, waiting)
    try:
        yield held
    finally:
        if held:
            try:
                lock.release()
            except OSError:
                pass  # the kernel frees it with the process; the answer is in hand


def _acquire(lock: FileLock, timeout: float, waiting: Callable[[], None] | None) -> bool:
    until = time.monotonic() + timeout
    try:
        if waiting is not None and timeout > 2:
            try:
                lock.acquire(timeout=2)
                return True
            except Timeout:
                waiting()
        lock.acquire(timeout=max(0.0, until - time.monotonic()))
    except (Timeout, OSError, NotImplementedError):
        return False
    return True
