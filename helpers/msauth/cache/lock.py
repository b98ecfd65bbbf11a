"""The lock of one key, on filelock. A lock file is permanent, empty and never unlinked.

Losing the lock (a read-only or full file system, a timeout) costs a duplicate request, never a
corrupt record: records are renamed into place whole.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from ..waiting import waiting_for

_POLL = 0.02
"""Seconds between two tries; with 128 processes a shorter pause is slower."""


@contextmanager
def file_lock(path: str, *, timeout: float, aloud: bool = False) -> Iterator[bool | None]:
    """Hold a lock file; yields True, False after the time-out, None where it cannot be had.

    timeout: seconds (0 tries once). aloud: a long wait is said in a pipe, too. A holder that is
    killed frees the lock at once, so exactly one waiter goes on. The directory must exist.
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
    held = _acquire(lock, timeout, aloud)
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


def _acquire(lock: FileLock, timeout: float, aloud: bool) -> bool | None:
    def whom() -> str:
        pid = _holder(lock.lock_file)
        return f"another process{f' ({pid})' if pid else ''} that is signing in"

    piped = "another process that is signing in" if aloud else ""
    try:
        with waiting_for(whom, timeout, piped=piped):
            lock.acquire(timeout=timeout)
    except Timeout:
        return False
    except (OSError, NotImplementedError):
        return None
    return True


def _holder(path: str) -> str:
    """Return the process that holds a lock file, "" where the system does not say (proc(5)).

    A line of /proc/locks: `1: FLOCK ADVISORY WRITE 4711 fe:00:10045666 0 EOF`; in that of a
    process that waits for it an arrow comes first.
    """
    try:
        status = os.stat(path)
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        with open("/proc/locks", encoding="ascii") as file:
            lines = [line.split() for line in file]
    except (OSError, ValueError, AttributeError):
        return ""
    for line in lines:
        if line[1:2] == ["FLOCK"] and line[5:6] == [f"{device}:{status.st_ino}"]:
            return line[4] if line[4].isdigit() and line[4] != "0" else ""
    return ""
