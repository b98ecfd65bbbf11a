"""Making a private directory, and what is said of one that is not: nothing of a cached answer."""

from ..errors import command
from ..system import os

FIX_PLACE = "export MSAUTH_CACHE_DIR=/a/private/directory"


class Refused(OSError):  # noqa: N818 - it is a refusal, and callers read it as one
    """The directory is not safe to use; `message` says why, `fix` how to mend it."""

    def __init__(self, message: str, fix: str = FIX_PLACE) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def refusal(status: os.stat_result, path: str) -> Refused:
    """Return why an existing directory is refused: its owner, else its mode."""
    mine = os.geteuid()
    if status.st_uid != mine:
        return Refused(
            f"directory {path} belongs to another user (uid {status.st_uid})",
            command("sudo", "chown", "-R", str(mine), path) if mine else FIX_PLACE,
        )
    return Refused(
        f"directory {path} is open to other users (mode {status.st_mode & 0o777:04o})",
        command("chmod", "700", path),
    )


def make(path: str, *, owned: bool) -> None:
    """Create a directory and its missing parents, each private from birth.

    The umask is left alone: it belongs to all threads of the process. owned: whether the platform
    knows owners. Raises Refused in another user's folder, where root (sudo -E) would leave files
    that their owner cannot use.
    """
    from os.path import dirname

    parent = dirname(path)
    if parent != path:
        try:
            owner = os.stat(parent).st_uid
        except FileNotFoundError:
            make(parent, owned=owned)
        else:
            if owned and owner not in (os.geteuid(), 0):
                raise Refused(f"{parent} belongs to another user (uid {owner})")
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass  # another process was faster; whoever made it, it is checked when it is opened
