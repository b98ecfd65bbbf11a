"""The cache directory on Windows: names are resolved by path, privacy is the profile folder's.

`%LOCALAPPDATA%` is closed to other users by its inherited access list, so there is no owner and
no mode to check. There is no openat(2) either: the "descriptor" of the directory is one of the
null device, which only says that the directory was found; every function goes by path.
"""

import os
import stat
import time

from . import folder as directory

_TRIES, _PAUSE = 40, 0.005
"""Seconds: a reader has a record open for microseconds, and Windows refuses to replace it then."""


def base(env: "os._Environ[str] | dict[str, str]") -> str:
    """Return platformdirs' user_cache_dir("msauth", False); raises Refused without a profile."""
    local = env.get("LOCALAPPDATA", "")
    if not local and env.get("USERPROFILE"):
        local = env["USERPROFILE"] + "\\AppData\\Local"
    if not local:
        raise directory.Refused(
            "LOCALAPPDATA is not set", "set MSAUTH_CACHE_DIR to a private directory"
        )
    return local.rstrip("\\/") + "\\msauth\\Cache"


def open_directory(where: str) -> int:
    """Return a descriptor to close later; raises as `directory.open_directory`."""
    status = os.lstat(where)
    # A junction or a symbolic link could lead to a folder that others can read.
    if stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", 0) != 0:
        raise directory.Refused(f"cache directory {where} is a link", f'rmdir "{where}"')
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(where)
    return os.open(os.devnull, os.O_RDONLY)


def create(_: int, name: str) -> int:
    """Return a descriptor of a new file, open for writing bytes."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.open(_path(name), flags | getattr(os, "O_NOINHERIT", 0), 0o600)


def replace(_: int, temporary: str, name: str) -> None:
    """Rename a file over another, also while a reader has that one open for a moment."""
    for left in range(_TRIES, -1, -1):
        try:
            os.replace(_path(temporary), _path(name))
        except PermissionError:
            if not left:
                raise
            time.sleep(_PAUSE)
        else:
            return


def unlink(_: int, name: str) -> None:
    """Remove a file."""
    os.unlink(_path(name))


def status(_: int, name: str) -> os.stat_result:
    """Return a name's status, a link's own."""
    return os.lstat(_path(name))


def listing(_: int) -> list[str]:
    """Return the names in the directory."""
    return os.listdir(directory.path())


def sync(_: int) -> None:
    """Do nothing: NTFS journals its directories."""


def _path(name: str) -> str:
    return os.path.join(directory.path(), name)
