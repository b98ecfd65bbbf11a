"""Where tokens are cached: whose, with which mode, and on what."""

import os
import stat
from collections.abc import Iterator

from ...cache.folder import VERSION, Folder, cache_base
from ...cache.private import Refused
from ...errors import command
from ..finding import Finding
from .machine import Machine

_SLOW = "without a cache every token costs a sign-in"
_NETWORK = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph"))


def place(machine: Machine) -> Iterator[Finding]:
    """The cache must be ours alone, and we must be able to write there."""
    try:
        path = f"{cache_base(machine.env)}/{VERSION}"
    except Refused as refused:
        yield _finding("cache-place", refused.message, "MSAUTH_CACHE_DIR", _elsewhere(machine))
        return
    try:
        with Folder.open(path):
            pass
    except FileNotFoundError:
        yield from _cannot_be_made(path, machine)
    except Refused as refused:
        if refused.fix.startswith("chmod "):
            yield _finding("cache-mode", refused.message, path, refused.fix)
        else:
            yield _finding("cache-place", refused.message, path, _elsewhere(machine))
    except OSError as error:
        message = f"the cache {path} cannot be used: {error.strerror}"
        yield _finding("cache-place", message, path, _mend(path, machine))


def _cannot_be_made(path: str, machine: Machine) -> Iterator[Finding]:
    above = os.path.dirname(path)
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    status = os.stat(above) if os.path.exists(above) else None
    if status is None or not stat.S_ISDIR(status.st_mode):
        message = f"the cache {path} cannot be made: {above} is no folder"
    elif status.st_uid not in (os.geteuid(), 0):
        message = f"the cache {path} cannot be made: {above} belongs to another user"
    elif not os.access(above, os.W_OK):
        message = f"the cache {path} cannot be made: {above} is not yours to write"
    else:
        return
    yield _finding("cache-place", message, path, _elsewhere(machine))


def _mend(path: str, machine: Machine) -> str:
    """Return how a folder of ours becomes one that we can write, else another place for it."""
    try:
        status = os.lstat(path)
    except OSError:
        return _elsewhere(machine)
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
        return command("chmod", "700", path)
    return _elsewhere(machine)


def _elsewhere(machine: Machine) -> str:
    """Return the command after which the cache is where it would be by default."""
    if machine.env.get("MSAUTH_CACHE_DIR"):
        return "unset MSAUTH_CACHE_DIR"
    return 'export MSAUTH_CACHE_DIR="$(mktemp -d)"'


def _finding(name: str, message: str, where: str, fix: str) -> Finding:
    return Finding(name, "warning", message, _SLOW, where, fix)


def file_system(machine: Machine) -> Iterator[Finding]:
    """Locks and renames are not dependable on a network file system."""
    try:
        base = cache_base(machine.env)
    except OSError:
        return
    kind = file_system_of(os.path.realpath(base), machine.system("/proc/mounts"))
    if kind in _NETWORK:
        yield Finding(
            "cache-network",
            "warning",
            f"the cache is on a network file system ({kind})",
            "its locks may not hold between machines, and each token costs a round trip",
            base,
            'export MSAUTH_CACHE_DIR="$(mktemp -d)"',
        )


def file_system_of(path: str, mounts: str) -> str:
    """Return the type of the file system that a path is on, from the text of /proc/mounts."""
    best, kind = "", ""
    for line in mounts.split("\n"):
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def runtime(machine: Machine) -> Iterator[Finding]:
    """A runtime folder that is another's, as after su or sudo -E, is of no use."""
    path = machine.env.get("XDG_RUNTIME_DIR", "")
    if not path or machine.env.get("MSAUTH_CACHE_DIR"):
        return
    try:
        status = os.lstat(path)
    except OSError:
        problem = "does not exist"
    else:
        if status.st_uid != os.geteuid():
            problem = "belongs to another user"
        elif status.st_mode & 0o077 or not stat.S_ISDIR(status.st_mode):
            problem = "is open to other users"
        else:
            return
    message = f"XDG_RUNTIME_DIR {problem}"
    why = "tokens are cached on the disk, not in memory"
    yield Finding("runtime-dir", "warning", message, why, path, "unset XDG_RUNTIME_DIR")
