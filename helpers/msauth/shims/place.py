"""The folder that `msauth-run --shims` puts first in PATH, and how a shim is known for one.

The folder belongs to one installation and stays: msauth-run becomes its command by exec, so nobody
would be left to remove it. It holds no secret, and says nothing of whose tokens are given.
"""

import os

from ..cache import record
from ..cache.folder import state_base
from ..errors import MsauthError

NAMES = ("az", "azd")
"""The programs that there are shims of."""
ANSWER_AS = "--answer-as"
"""The first argument by which a shim starts msauth-run; the program's name is the second."""
_MARK = b"#!/bin/sh\n# a shim of msauth-run --shims\n"
_NOWHERE = "/dev/null"
"""A PATH in which nothing is found."""
DEFAULT_PATH = "/bin:/usr/bin"  # of execvp(3) when PATH is not set


def add(env: dict[str, str], launcher: str) -> None:
    """Put the shims first in an environment's PATH, making them where they are missing.

    launcher: the path of msauth-run, which they start. Raises MsauthError where they cannot be
    made, or not be run.
    """
    try:
        folder = _private(_base(env), record.name_of(os.fsencode(launcher)))
        for name in NAMES:
            _write(f"{folder}/{name}", _script(launcher, name))
    except OSError as error:
        why = getattr(error, "message", None) or error.strerror or str(error)
        raise MsauthError(f"no place for --shims: {why}", getattr(error, "fix", None)) from None
    env["PATH"] = f"{folder}:{without(env.get('PATH', DEFAULT_PATH))}"


def remove(env: dict[str, str]) -> None:
    """Remove the shims of all installations, for uninstall.sh; `add` makes them again.

    What is no shim stays, and so does the folder with it.
    """
    base = _base(env)
    try:
        folders = [f"{base}/{name}" for name in os.listdir(base)]
    except OSError:
        return
    for folder in folders:
        try:
            for name in NAMES:
                if is_shim(f"{folder}/{name}", follow=False):
                    os.unlink(f"{folder}/{name}")
            os.rmdir(folder)
        except OSError:
            continue
    try:
        os.rmdir(base)
    except OSError:
        pass


def _base(env: dict[str, str]) -> str:
    return f"{state_base(env)}/shims"


def without(path: str, name: str = "") -> str:
    """Return a PATH without the folders of shims, of any installation.

    Whoever looks for the real az must not find a shim, which would ask it again, or wait for a
    sign-in that waits for the answer. name: leave out whatever has a shim under this name; other
    programs may be there too, so such a PATH is to be searched for this one only.
    """
    left = [item for item in path.split(":") if not _has_shims(item, name)]
    # An empty PATH would mean the current directory (execvp(3)), which this one did not name.
    return ":".join(left) if left else _NOWHERE


def is_shim(path: str, *, follow: bool) -> bool:
    """Say whether a file is one of our scripts; follow: also a link to one."""
    try:
        if not follow and os.path.islink(path):
            return False
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError):
        return False
    try:
        return os.read(descriptor, len(_MARK)) == _MARK
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _has_shims(folder: str, name: str) -> bool:
    if name and is_shim(f"{folder or '.'}/{name}", follow=True):
        return True
    return all(is_shim(f"{folder or '.'}/{name}", follow=False) for name in NAMES)


def _script(launcher: str, name: str) -> bytes:
    quoted = b"'" + os.fsencode(launcher).replace(b"'", b"'\\''") + b"'"
    return _MARK + b'exec %s %s %s "$@"\n' % (quoted, ANSWER_AS.encode(), name.encode())


def _private(*parts: str) -> str:
    """Return a folder of ours below the state's, made private.

    Folder.open checks that nobody else can write there: each program in it will be run.
    """
    from ..cache.folder import Folder

    path = ""
    for part in parts:
        path = f"{path}/{part}" if path else part
        Folder.open(path, create=True).__exit__()
    if ":" in path:
        from ..cache.private import Refused

        raise Refused(f"{path} has a colon, which PATH cannot hold", "export XDG_STATE_HOME=…")
    return path


def _write(path: str, data: bytes) -> None:
    """Make a program, whole before it has its name; one that is right already is left alone."""
    if not _is_right(path, data):
        # Not by the process: after one that was killed, another may have its number.
        temporary = f"{path}.{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(temporary, flags, 0o700)
        try:
            with open(descriptor, "wb", buffering=0) as file:
                os.fchmod(descriptor, 0o700)  # whatever the umask is
                file.write(data)
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    if not os.access(path, os.X_OK):
        from ..cache.private import Refused

        raise Refused(f"nothing can be run in {os.path.dirname(path)}", "export XDG_STATE_HOME=…")


def _is_right(path: str, data: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        mine = status.st_uid == os.geteuid() and status.st_mode & 0o777 == 0o700
        return mine and os.read(descriptor, len(data) + 1) == data
    finally:
        os.close(descriptor)
