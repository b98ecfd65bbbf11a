"""The lock of one key: flock(2) on a file of its own, the same that filelock takes.

filelock stays the contract: on POSIX its UnixFileLock takes this very lock on this very file, and
where there is no flock(2) it is used itself. It costs five times a start of Python to import, and
a waiter of a crowd should cost nothing.

Losing the lock (a read-only or full file system, a timeout) costs a duplicate request, never a
corrupt record: records are renamed into place whole. A lock file is empty. It is unlinked by
whoever holds it and only when nobody has used it for long; so whoever gets the lock looks whether
the file still bears its name, and otherwise tries again with the one that does.
"""

import os
import stat
import time

from ..errors import QUIET

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LOCK_TIMEOUT = 30
"""Seconds to wait for another process's silent sign-in before going on without it."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.05
"""Seconds between two tries; shorter ones slow down whoever holds the lock."""


class KeyLock:
    """Holds a lock file, as a context manager: True, False after timeout, None where it cannot be.

    timeout: seconds (0 tries once). aloud: a long wait is said in a pipe, too. answered: looked
    at between two tries; once it is true the lock is not needed any more (False). A holder that
    is killed frees the lock at once, so exactly one waiter goes on. The directory must exist.
    """

    def __init__(
        self,
        path: str,
        *,
        timeout: float,
        aloud: bool = False,
        answered: "Callable[[], bool] | None" = None,
    ) -> None:
        self._path = path
        self._timeout = timeout
        self._aloud = aloud
        self._answered = answered
        self._release: Callable[[], object] | None = None

    def __enter__(self) -> bool | None:
        began = time.monotonic()
        quiet = min(QUIET, self._timeout)
        held = self._poll(began + quiet)
        if held is not False or self._timeout <= quiet or self._is_answered():
            return held
        from ..waiting import say_now

        pid = _holder(self._path)
        whom = "another process that is signing in"
        named = whom.replace("process", f"process ({pid})") if pid else whom
        say_now(named, self._timeout, piped=whom if self._aloud else "")
        return self._poll(began + self._timeout)

    def __exit__(self, *_: object) -> None:
        if self._release is not None:
            try:
                self._release()
            except OSError:
                pass  # the kernel frees it when the process ends
            self._release = None

    def remove(self) -> None:
        """Unlink the file while it is held; a waiter notices."""
        if self._release is not None:
            os.unlink(self._path)

    def _is_answered(self) -> bool:
        return self._answered is not None and self._answered()

    def _poll(self, until: float) -> bool | None:
        pause = _FIRST_PAUSE
        while True:
            held = self._try()
            if held is not False:
                return held
            if self._is_answered():
                return False
            left = until - time.monotonic()
            if left <= 0:
                return False
            # A part of it by the process, so that a crowd does not come all at once.
            time.sleep(min(left, pause * (0.75 + (os.getpid() % 64) / 128)))
            pause = min(_LONGEST_PAUSE, pause * 1.5)

    def _try(self) -> bool | None:
        if not _plain(self._path):
            return None
        return self._try_filelock() if fcntl is None else self._try_flock()

    def _try_flock(self) -> bool | None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._path, flags, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _bears_its_name(descriptor, self._path):
                os.close(descriptor)
                return False
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            return None
        self._release = lambda: os.close(descriptor)
        return True

    def _try_filelock(self) -> bool | None:
        from filelock import FileLock, Timeout

        # A marker file would outlive a killed holder, and an unlinked lock splits its waiters.
        lock = FileLock(self._path, mode=0o600, fallback_to_soft=False, preserve_lock_file=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            return None
        self._release = lock.release
        return True


def _bears_its_name(descriptor: int, path: str) -> bool:
    """Say whether an open lock file was not unlinked before the lock was had."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _plain(path: str) -> bool:
    """Say whether a lock file is missing or really one: filelock 4.1 truncates a linked file."""
    try:
        status = os.lstat(path)
    except OSError:
        return True
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1


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
