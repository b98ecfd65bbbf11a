"""A private directory, opened once when it is really ours: the cache's, and the sign-ins' state.

The cache is in `MSAUTH_CACHE_DIR`, else a private `$XDG_RUNTIME_DIR` (memory, never on disk), else
the user's cache directory exactly as platformdirs names it (a test keeps both equal; importing it
would cost more than the whole answer). Its records are in the sub-directory `v1`, mode 0700.

Every file is named relative to the descriptor that was checked (openat(2)), so a directory that is
swapped for a link changes nothing; where a platform has no such calls it is named by its path.
Every write is a temporary file in the same directory (`O_EXCL|O_NOFOLLOW`, 0600), all bytes,
fsync, rename, fsync of the directory; so a reader, a kill -9 or a full disk leaves the old file
or the new one.
"""

import sys
import time

from ..system import S_ISDIR, S_ISREG, is_absolute, os
from . import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .lock import KeyLock

VERSION = "v1"
TEMPORARY = ".tmp"
LOCK = ".lock"
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_CAREFUL |= getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for a writer
_READ = os.O_RDONLY | _CAREFUL
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFUL
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _CAREFUL
_DIRECTORY = os.O_RDONLY | _CAREFUL | getattr(os, "O_DIRECTORY", 0)
_RELATIVE = sys.platform != "win32"
"""Whether files can be named relative to an open directory."""


class Folder:
    """A directory that was checked, open once; use it with `with`."""

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: str, descriptor: int | None) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def cache(cls, env: "Mapping[str, str]", *, create: bool = False) -> "Folder":
        """Open the directory of the cache's records; raises as `open`."""
        return cls.open(f"{cache_base(env)}/{VERSION}", create=create)

    @classmethod
    def state(cls, env: "Mapping[str, str]", *, create: bool = False) -> "Folder":
        """Open the directory that outlives a reboot: who signed in, and the locks around it.

        It is platformdirs' user_state_dir, `~/.local/state/msauth` on Linux. It holds no secret
        but in `setup`, where the backups of edited files are. Raises as `open`.
        """
        return cls.open(state_base(env), create=create)

    @classmethod
    def open(cls, path: str, *, create: bool = False) -> "Folder":
        """Open a directory, made private if it is missing and create is set.

        Raises FileNotFoundError when there is none, Refused when its owner or mode is wrong,
        OSError for the rest: also where nothing can be written, because there a token that a
        server rejected could never be forgotten.
        """
        try:
            return cls._open(path)
        except FileNotFoundError:
            if not create:
                raise
        from .private import make

        make(path, owned=_RELATIVE)
        return cls._open(path)

    @classmethod
    def _open(cls, path: str) -> "Folder":
        if not _RELATIVE:
            status = os.lstat(path)
            # A junction or a symbolic link could lead to a folder that others can read.
            if getattr(status, "st_reparse_tag", 0) or not S_ISDIR(status.st_mode):
                raise _refused(f"cache directory {path} is a link")
            return cls(path, None)
        descriptor = os.open(path, _DIRECTORY)
        try:
            _check(os.fstat(descriptor), path)
            if not os.access(path, os.W_OK):
                import errno

                raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        except OSError:
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def read(
        self, name: str, *, remove_loose: bool = True, limit: int = record.MAX_BYTES
    ) -> bytes | None:
        """Return a file's bytes if it is regular, ours, private and small, else None.

        What a hostile file system could put there instead (a link, a pipe, another user's file,
        a huge file) is refused by looking at the open file, not at its name. remove_loose:
        remove a file that others could read or write, for it may be known or forged.
        """
        try:
            return self._read(name, remove_loose, limit)
        except (OSError, ValueError):
            return None

    def _read(self, name: str, remove_loose: bool, limit: int = record.MAX_BYTES) -> bytes | None:
        descriptor = self._open_file(name, _READ)
        try:
            status = os.fstat(descriptor)
            if not S_ISREG(status.st_mode) or status.st_size > limit:
                return None
            if _RELATIVE:
                # A just-replaced inode has no link left; more than one is a trap.
                if status.st_nlink > 1 or status.st_uid != os.geteuid():
                    return None
                if status.st_mode & 0o077:
                    if remove_loose:
                        self.remove(name)
                    return None
            data = os.read(descriptor, status.st_size + 1)
            return data if len(data) == status.st_size else None
        finally:
            os.close(descriptor)

    def record(self, name: str, key: bytes | None) -> tuple[dict[str, str], bytes] | None:
        """Return the intact record of that name as attributes and payload, or None.

        key: the record must be of that request; None accepts any.
        """
        data = self.read(name)
        return None if data is None else record.decode(data, key)

    def write(self, name: str, data: bytes) -> None:
        """Replace a file by data, or raise OSError and leave it as it was."""
        temporary = f".{name}.{os.getpid()}.{os.urandom(6).hex()}{TEMPORARY}"
        handle = self._open_file(temporary, _CREATE)
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            self._replace(temporary, name)
        except BaseException:
            self.remove(temporary)
            raise
        if self._descriptor is not None:
            try:
                os.fsync(self._descriptor)
            except OSError:
                pass  # the rename is done; only its durability is unknown

    def append(self, name: str, data: bytes) -> None:
        """Add a few bytes to the end of a file, also while others do; raises OSError."""
        handle = self._open_file(name, _APPEND)
        try:
            os.write(handle, data)
        finally:
            os.close(handle)

    def remove(self, name: str) -> bool:
        """Remove a file; say whether it did."""
        try:
            if self._descriptor is None:
                os.unlink(self.path_of(name))
            else:
                os.unlink(name, dir_fd=self._descriptor)
        except OSError:
            return False
        return True

    def names(self, suffix: str) -> list[str]:
        """Return the names that end with suffix, sorted, without those of temporaries."""
        return sorted(name for name in self.listing() if name.endswith(suffix) and name[0] != ".")

    def listing(self) -> list[str]:
        """Return every name in the directory; raises OSError."""
        return os.listdir(self.path if self._descriptor is None else self._descriptor)

    def age(self, name: str) -> float | None:
        """Return the seconds since a file was written or touched; None when there is none."""
        try:
            status = self._status(name)
        except OSError:
            return None
        return abs(time.time() - status.st_mtime)

    def exists(self, name: str) -> bool:
        """Say whether there is anything of that name, also what cannot be looked at."""
        try:
            self._status(name)
        except FileNotFoundError:
            return False
        except OSError:
            pass
        return True

    def touch(self, name: str) -> float | None:
        """Create an empty file, or renew its time; return its age before, None if it is new.

        Raises OSError.
        """
        try:
            os.close(self._open_file(name, _CREATE))
        except FileExistsError:
            age = self.age(name)
            if self._descriptor is None:
                os.utime(self.path_of(name))
            else:
                os.utime(name, dir_fd=self._descriptor, follow_symlinks=False)
            return age
        return None

    def path_of(self, name: str) -> str:
        """Return a file's path, for a library that opens it itself."""
        return f"{self.path}/{name}"

    def lock(
        self,
        name: str,
        *,
        timeout: float,
        aloud: bool = False,
        answered: "Callable[[], bool] | None" = None,
    ) -> "KeyLock":
        """Hold `name.lock`; yields True, False after timeout seconds, None where it cannot be.

        answered: see `KeyLock`.
        """
        from .lock import KeyLock

        path = self.path_of(name + LOCK)
        return KeyLock(path, timeout=timeout, aloud=aloud, answered=answered)

    def generation(self, profile: str) -> str:
        """Return a text that every logout of this profile ("" without one), or of all, changes.

        A record is of one generation; a renewal in flight writes for the one that it began in.
        """
        return f"{self._word('epoch')}.{self._word(_generation_file(profile))}"

    def end_generation(self, profile: str | None) -> None:
        """Begin a new generation of a profile, or of all (None); raises OSError."""
        name = "epoch" if profile is None else _generation_file(profile)
        word = f"{time.time_ns():x}{os.urandom(4).hex()}\n"
        self.write(name, word.encode("ascii"))

    def _word(self, name: str) -> str:
        """Return a generation file's word, "0" only when there was never a logout.

        One that cannot be trusted is not taken for none: that would bring back what a logout
        ended. It stays another generation until the next logout replaces it.
        """
        try:
            data = self._read(name, remove_loose=False)
        except FileNotFoundError:
            return "0"
        except OSError:
            data = None
        if data is None:
            return "unreadable"
        text = data.decode("ascii", "replace").strip()
        return text if text.isalnum() else "unreadable"

    def _open_file(self, name: str, flags: int) -> int:
        if self._descriptor is None:
            return os.open(self.path_of(name), flags, 0o600)
        return os.open(name, flags, 0o600, dir_fd=self._descriptor)

    def _status(self, name: str) -> os.stat_result:
        if self._descriptor is None:
            return os.lstat(self.path_of(name))
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def _replace(self, temporary: str, name: str) -> None:
        if self._descriptor is None:
            os.replace(self.path_of(temporary), self.path_of(name))
            return
        place = self._descriptor
        os.replace(temporary, name, src_dir_fd=place, dst_dir_fd=place)


def cache_base(env: "Mapping[str, str]") -> str:
    """Return the path of the cache's base directory; it may not exist.

    Raises Refused when no place is known, or it is another user's (sudo -E).
    """
    chosen = env.get("MSAUTH_CACHE_DIR")
    if chosen:
        if not is_absolute(chosen):
            # Relative to where git happens to run, that is, in somebody's work tree.
            raise _refused(f"MSAUTH_CACHE_DIR={chosen} is not an absolute path")
        if _RELATIVE and not {"", ".", ".."} & {*chosen[1:].split("/")}:
            return chosen
        from os.path import normpath

        return normpath(chosen)
    if sys.platform == "win32":
        local = env.get("LOCALAPPDATA") or env.get("USERPROFILE", "") + "\\AppData\\Local"
        return local.rstrip("\\/") + "\\msauth\\Cache"
    runtime = env.get("XDG_RUNTIME_DIR", "")
    if _is_private(runtime):
        return runtime.rstrip("/") + "/msauth"
    return disk_base(env)


def disk_base(env: "Mapping[str, str]") -> str:
    """Return the cache's base directory where there is no private `$XDG_RUNTIME_DIR`."""
    xdg = env.get("XDG_CACHE_HOME", "")
    if xdg.startswith("/"):
        return xdg.rstrip("/") + "/msauth"
    return _home(env) + ("/Library/Caches/msauth" if sys.platform == "darwin" else "/.cache/msauth")


def state_base(env: "Mapping[str, str]") -> str:
    """Return the path of the directory that `Folder.state` opens; it may not exist."""
    if sys.platform in ("darwin", "win32"):
        import platformdirs

        return platformdirs.user_state_dir("msauth", appauthor=False)
    xdg = env.get("XDG_STATE_HOME", "")
    return (xdg.rstrip("/") if xdg.startswith("/") else _home(env) + "/.local/state") + "/msauth"


def _is_private(path: str) -> bool:
    if not path.startswith("/"):
        return False
    try:
        status = os.lstat(path)
    except OSError:
        return False
    private = S_ISDIR(status.st_mode) and not status.st_mode & 0o077
    return private and status.st_uid == os.geteuid()


def _home(env: "Mapping[str, str]") -> str:
    home = env.get("HOME", "")
    if not home.startswith("/"):
        # As platformdirs: an empty or relative HOME counts as none.
        import pwd

        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            home = ""
    if not home.startswith("/"):
        raise _refused("no home directory")
    return home.rstrip("/")


def _check(status: os.stat_result, path: str) -> None:
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        from .private import refusal

        raise refusal(status, path)


def _refused(message: str) -> OSError:
    """Return the error of a directory that is not safe to use."""
    from .private import Refused

    return Refused(message)


def _generation_file(profile: str) -> str:
    return "epoch-" + record.name_of(profile.encode("utf-8", "surrogateescape"))
