"""Where the cache is, and opening it only when it is really ours.

`MSAUTH_CACHE_DIR`, else a private `$XDG_RUNTIME_DIR` (memory, never on disk), else the user's
cache directory exactly as platformdirs names it (a test keeps both equal; importing it would
cost more than the whole answer). The records are in its sub-directory `v1`, mode 0700.
"""

import errno
import os
import stat
import sys

VERSION = "v1"
_OPEN_DIRECTORY = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


class Refused(OSError):  # noqa: N818 - it is a refusal, and callers read it as one
    """The directory is there, but not safe to use; str() says why, `fix` how to mend it."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def base() -> str:
    """Return the path of the cache's base directory; it may not exist.

    Raises Refused when no place is known, or for root with another user's HOME (sudo -E).
    """
    env = os.environ
    chosen = env.get("MSAUTH_CACHE_DIR")
    if chosen:
        if not os.path.isabs(chosen):
            # Relative to where git happens to run, that is, in somebody's work tree.
            raise Refused(
                f"MSAUTH_CACHE_DIR={chosen} is not an absolute path",
                "export MSAUTH_CACHE_DIR=/a/private/directory",
            )
        return os.path.normpath(chosen)
    if sys.platform == "win32":
        from . import windows

        return windows.base(env)
    runtime = env.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        try:
            status = os.lstat(runtime)
        except OSError:
            pass
        else:
            if (
                stat.S_ISDIR(status.st_mode)
                and status.st_uid == os.geteuid()
                and not status.st_mode & 0o077
            ):
                return runtime.rstrip("/") + "/msauth"
    xdg = env.get("XDG_CACHE_HOME", "")
    if xdg.startswith("/"):
        return xdg.rstrip("/") + "/msauth"
    return _home() + ("/Library/Caches/msauth" if sys.platform == "darwin" else "/.cache/msauth")


def _home() -> str:
    home = os.environ.get("HOME")
    if home is None or not home.startswith("/"):
        # As platformdirs: an empty or relative HOME counts as none.
        import pwd

        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            home = ""
    if not home.startswith("/"):
        raise Refused("no home directory", "export MSAUTH_CACHE_DIR=/a/private/directory")
    if os.geteuid() == 0:
        try:
            owner = os.stat(home).st_uid
        except OSError:
            owner = 0
        if owner != 0:
            raise Refused(
                f"{home} belongs to another user", "export MSAUTH_CACHE_DIR=/a/private/directory"
            )
    return home.rstrip("/")


def path() -> str:
    """Return the path of the directory that holds the records."""
    return base() + "/" + VERSION


def open_directory() -> int:
    """Return a file descriptor of the records' directory.

    Raises FileNotFoundError when there is none yet, Refused when its owner or mode is wrong,
    OSError for the rest: also where nothing can be written, because there a token that a server
    rejected could never be forgotten. Everything else is then opened relative to this
    descriptor, so that a directory swapped for a link changes nothing.
    """
    where = path()
    if sys.platform == "win32":
        from . import windows

        return windows.open_directory(where)
    descriptor = os.open(where, _OPEN_DIRECTORY)
    try:
        check(os.fstat(descriptor), where)
        if not os.access(where, os.W_OK):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), where)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def check(status: os.stat_result, where: str) -> None:
    """Raise Refused unless the directory is ours and private."""
    if not hasattr(os, "geteuid"):
        return
    if status.st_uid != os.geteuid():
        raise Refused(
            f"cache directory {where} belongs to another user (uid {status.st_uid})",
            f"sudo chown -R {os.geteuid()} {_quoted(where)}",
        )
    if status.st_mode & 0o077:
        raise Refused(
            f"cache directory {where} is open to other users (mode {status.st_mode & 0o777:04o})",
            f"chmod 700 {_quoted(where)}",
        )


def _quoted(where: str) -> str:
    """Return a path as one word of a shell command that a person may paste."""
    from shlex import quote

    return quote(where)
