"""The cache directory on POSIX: every name is relative to the descriptor that was checked.

So a directory that is swapped for a link after the check changes nothing (openat(2)).
"""

import os

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_CREATE |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def create(descriptor: int, name: str) -> int:
    """Return a descriptor of a new file that is born private, open for writing."""
    return os.open(name, _CREATE, 0o600, dir_fd=descriptor)


def replace(descriptor: int, temporary: str, name: str) -> None:
    """Rename a file over another; readers see the old one or the new one (rename(2))."""
    os.replace(temporary, name, src_dir_fd=descriptor, dst_dir_fd=descriptor)


def unlink(descriptor: int, name: str) -> None:
    """Remove a file."""
    os.unlink(name, dir_fd=descriptor)


def status(descriptor: int, name: str) -> os.stat_result:
    """Return a name's status, a link's own."""
    return os.stat(name, dir_fd=descriptor, follow_symlinks=False)


def listing(descriptor: int) -> list[str]:
    """Return the names in the directory."""
    return os.listdir(descriptor)


def sync(descriptor: int) -> None:
    """Make the directory's renames durable."""
    os.fsync(descriptor)
