"""The private directory that outlives a reboot: who signed in, and the locks around it.

`platformdirs.user_state_dir`: `~/.local/state/msauth` on Linux. It holds no secret; the refresh
tokens are in azure-identity's own store (see `persistence`). The token cache cannot be the
place: it is in memory where the system has a private `$XDG_RUNTIME_DIR`.
"""

import os
import random
import time

from ..cache import folder as cache_directory
from ..cache import reader, writer


def directory(*, create: bool = True) -> str | None:
    """Return the state directory's path, or None when there is none that is ours and private."""
    import platformdirs

    where = platformdirs.user_state_dir("msauth", appauthor=False)
    try:
        if create:
            old = os.umask(0o077)
            try:
                os.makedirs(where, 0o700, exist_ok=True)
            finally:
                os.umask(old)
        descriptor = os.open(where, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    try:
        cache_directory.check(os.fstat(descriptor), where)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return where


def read(name: str) -> bytes | None:
    """Return a private file's bytes, or None."""
    descriptor = _open(create=False)
    if descriptor is None:
        return None
    try:
        return reader.read_file(descriptor, name)
    finally:
        os.close(descriptor)


def write(name: str, data: bytes) -> bool:
    """Replace a file whole; says whether that could be done."""
    descriptor = _open(create=True)
    if descriptor is None:
        return False
    try:
        writer.write_file(descriptor, name, data)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def remove(name: str) -> bool:
    """Remove a file; says whether there was one."""
    descriptor = _open(create=False)
    if descriptor is None:
        return False
    try:
        os.unlink(name, dir_fd=descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def names(suffix: str) -> list[str]:
    """Return the names in the directory that end so, sorted."""
    descriptor = _open(create=False)
    if descriptor is None:
        return []
    try:
        return writer.names(descriptor, suffix)
    finally:
        os.close(descriptor)


def epoch(profile: str) -> str:
    """Return a text that every logout of this profile ("" without one), or of all, changes."""
    descriptor = _open(create=False)
    if descriptor is None:
        return ""
    try:
        return reader.epoch(descriptor, profile)
    finally:
        os.close(descriptor)


def end_epoch(profile: str | None) -> bool:
    """Begin a new epoch of a profile, or of all (None); says whether that could be written."""
    name = "epoch" if profile is None else reader.epoch_name(profile)
    return write(name, f"{time.time_ns():x}{random.getrandbits(32):08x}\n".encode())


def _open(*, create: bool) -> int | None:
    where = directory(create=create)
    if where is None:
        return None
    try:
        return os.open(where, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
