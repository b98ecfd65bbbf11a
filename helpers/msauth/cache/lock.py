"""The lock of one key, on filelock. A lock file is permanent, empty and never unlinked.

Losing the lock (a read-only or full file system, a timeout) costs a duplicate request, never a
corrupt record: records are renamed into place whole.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

_POLL = 0.02
"""Seconds between two tries; with 128 processes a shorter pause is slower."""


@contextmanager
def file_lock(
    path: str, *, timeout: float, waiting: Callable[[], None] | None = None
) -> Iterator[bool | None]:
    """Hold a lock file; yields True, False after the time-out, None where it cannot be had.

    timeout: seconds (0 tries once). waiting: called once when two seconds
    have passed. A holder that is killed frees the lock at once, so exactly one waiter goes on.
    The directory must exist.
    """
    if not _plain(path):
        yield None
        return
    lock = FileLock(
        path,
        mode=0o600,
        poll_interval=_POLL,
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
                pass  # the kernel frees it when the process ends


def _plain(path: str) -> bool:
    """Say whether a lock file is missing or really one: filelock 4.1 truncates a linked file."""
    try:
        status = os.lstat(path)
    except OSError:
        return True
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1


def _acquire(lock: FileLock, timeout: float, waiting: Callable[[], None] | None) -> bool | None:
    until = time.monotonic() + timeout
    try:
        if waiting is not None and timeout > 2:
            try:
                lock.acquire(timeout=2)
                return True
            except Timeout:
                waiting()
        lock.acquire(timeout=max(0.0, until - time.monotonic()))
    except Timeout:
        return False
    except (OSError, NotImplementedError):
        return None
    return True
