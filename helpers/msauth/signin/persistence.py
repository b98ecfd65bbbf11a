"""What an interactive sign-in leaves: the refresh tokens, and who they belong to.

The tokens are in azure-identity's persistent cache: the OS keyring where there is one, else a
private file in `~/.IdentityService`. Beside it an AuthenticationRecord, which is no secret, says
whose they are; that is a file of the state directory. One cache per profile, authority and
client, so that no two sign-ins share one, under a lock of our own: the library truncates its
file in place, and its own lock outlives a killed process.
"""

import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from ..cache.folder import Folder
from ..cache.private import Refused
from ..cache.record import fingerprint
from ..errors import command
from ..request.request import TokenRequest
from . import libraries, prompts  # noqa: F401 - first

if TYPE_CHECKING:
    from azure.identity import AuthenticationRecord, TokenCachePersistenceOptions

_SUFFIX = ".account"
_LOCK = ".lock"
_ANY = "any"
"""The place of the sign-in that is used where a tenant has none of its own."""
_CACHES = (".cae", ".nocae")
_LIBRARIES = ("msal_extensions", "portalocker", "gi")
KEYRING_REFUSES = ("the keyring refuses it", "unlock the keyring, and sign in again")
"""What is said, and the hint."""


class Store:
    """Where one selection's interactive sign-ins are kept."""

    def __init__(self, request: TokenRequest, client_id: str) -> None:
        self._env = request.env
        self._profile = request.profile
        self._host = request.authority.removeprefix("https://")
        self._username = request.username
        parts = (request.profile, request.authority, client_id, request.username)
        self.name = "msauth-" + fingerprint("\n".join(parts))[:16]

    def refused(self) -> tuple[str, str] | None:
        """Return why there is no private place for it and what would help, or None.

        The library's directory is made private, before it would be made 0755.
        """
        folder = os.path.dirname(self._path(""))
        try:
            with Folder.state(self._env, create=True):
                pass
            old = os.umask(0o077)
            try:
                os.makedirs(folder, 0o700, exist_ok=True)
            finally:
                os.umask(old)
        except OSError as error:
            return trouble(error, folder)
        if _is_ours(folder) and os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return None
        return f"{folder} must be a directory of yours alone", command("chmod", "700", folder)

    def options(self) -> "TokenCachePersistenceOptions":
        """Return azure-identity's options; the plain file is its fallback, announced by us."""
        from azure.identity import TokenCachePersistenceOptions

        return TokenCachePersistenceOptions(name=self.name, allow_unencrypted_storage=True)

    def locked(self, until: float) -> AbstractContextManager[bool | None]:
        """Hold the lock that every use of the store needs; see `prompts.locked`."""
        return prompts.locked(self._env, self.name, until, aloud=True)

    @contextmanager
    def in_generation(self) -> Iterator[None]:
        """While open, a logout wins: the library may write again what the logout removed.

        The lock must be held, so that what is then removed is nobody else's.
        """
        generation = _generation(self._env, self._profile)
        try:
            yield
        finally:
            if _generation(self._env, self._profile) != generation:
                self.forget()

    def prepare(self) -> None:
        """Free the library's lock: only a killed process of ours can have left it.

        We hold the store's own.
        """
        for suffix in _CACHES:
            _unlink(self._path(suffix) + ".lockfile")

    def known(self) -> bool:
        """Whether anybody signed in with this selection."""
        return bool(self._files())

    def records(self, tenant: str | None) -> "list[AuthenticationRecord]":
        """Return the sign-ins to try for a tenant: its own, then the one for anywhere."""
        found: list[AuthenticationRecord] = []
        for place in dict.fromkeys((tenant or _ANY, _ANY)):
            record = self._record(self._file(place))
            if record is None or record.authority != self._host:
                continue
            if all(record.home_account_id != other.home_account_id for other in found):
                found.append(record)
        return found

    def remember(self, record: "AuthenticationRecord", tenant: str | None) -> bool:
        """Keep a new sign-in; says whether it is the first one kept here. Raises OSError."""
        first = not self._files()
        data = json.dumps({"profile": self._profile, "record": record.serialize()}).encode()
        with Folder.state(self._env, create=True) as folder:
            folder.write(self._file(tenant or _ANY), data)
            if tenant and folder.read(self._file(_ANY)) is None:
                folder.write(self._file(_ANY), data)
        return first

    def forget_others(self, record: "AuthenticationRecord") -> None:
        """Remove what is kept of other people, for any tenant: who signed in last is meant."""
        for file in self._files():
            other = self._record(file)
            if other is None or other.home_account_id != record.home_account_id:
                self._remove(file)

    def forget(self) -> None:
        """Remove the sign-ins that are kept here, and the library's cache with them."""
        for file in self._files():
            self._remove(file)
        self.discard()

    def discard(self) -> None:
        """Remove the library's cache: it cannot be read, or the sign-ins in it are forgotten."""
        for suffix in _CACHES:
            path = self._path(suffix)
            _clear_keyring(path, self.name + suffix)
            _unlink(path)
            _unlink(path + ".lockfile")

    def broken(self, cause: BaseException | None) -> bool:
        """Say whether the store, and not the network, is what failed.

        A plain file is looked at; of a keyring only the exception's origin is known. An answer
        that was no JSON must not cost the sign-in.
        """
        for suffix in _CACHES:
            try:
                with open(self._path(suffix), "rb") as file:
                    data = file.read()
                if data and not isinstance(json.loads(data), dict):
                    return True
            except OSError:
                continue
            except ValueError:
                return True
        return _origin(cause) in _LIBRARIES

    def write_refused(self, cause: BaseException) -> tuple[str, str] | None:
        """Return why the library's cache could not be written and what would help.

        None when something else is what failed.
        """
        if _origin(cause) in _LIBRARIES:
            return KEYRING_REFUSES
        if type(cause).__module__ == "builtins" and isinstance(cause, OSError) and cause.filename:
            return trouble(cause, "")
        return None

    def written(self, since: float) -> bool:
        """Say whether the library's cache took something since then (epoch seconds).

        Beside a keyring it touches a file when it has stored something, and says nothing when the
        keyring declines. The file system's clock is up to some hundredths of a second behind.
        """
        for suffix in _CACHES:
            try:
                if os.stat(self._path(suffix)).st_mtime > since - 0.05:
                    return True
            except OSError:
                continue
        return False

    def place(self) -> str:
        """Return where the refresh tokens are: the path of a file, `keyring`, "" for nowhere."""
        return (self.plain_file() or "keyring") if self.known() else ""

    def plain_file(self) -> str | None:
        """Return the path of the unencrypted cache, or None when a keyring or DPAPI has it."""
        if sys.platform != "linux":
            return None
        for suffix in _CACHES:
            path = self._path(suffix)
            try:
                if os.path.getsize(path) > 2:
                    return path
            except OSError:
                continue
        return None

    def _files(self) -> list[str]:
        files = _names(self._env, _SUFFIX)
        return [file for file in files if file.startswith(self.name + ".")]

    def _record(self, file: str) -> "AuthenticationRecord | None":
        from azure.identity import AuthenticationRecord

        try:
            with Folder.state(self._env) as folder:
                kept = json.loads(folder.read(file) or b"{}")
            return AuthenticationRecord.deserialize(kept["record"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _remove(self, file: str) -> None:
        try:
            with Folder.state(self._env) as folder:
                folder.remove(file)
        except OSError:
            pass

    def _file(self, place: str) -> str:
        return f"{self.name}.{place.lower()}{_SUFFIX}"

    def _path(self, suffix: str) -> str:
        # Where azure-identity puts it, which knows the process's own environment alone.
        base = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
        return os.path.join(base or os.path.expanduser("~"), ".IdentityService", self.name + suffix)


def forget(profile: str | None, env: Mapping[str, str]) -> int:
    """Remove the kept sign-ins of a profile, or all (None); returns how many accounts.

    Twice, with a new generation between: what a sign-in in flight wrote before it could see the
    new one is removed then, and one that sees it removes its own. Never raises.
    """
    try:
        with Folder.state(env) as folder:
            forgotten = _remove(folder, profile, env)
            try:
                folder.end_generation(profile)
            except OSError:
                pass
            return forgotten + _remove(folder, profile, env)
    except OSError:
        return 0


def _remove(folder: Folder, profile: str | None, env: Mapping[str, str]) -> int:
    removed = 0
    stores = set()
    for file in folder.names(_SUFFIX):
        try:
            owner = json.loads(folder.read(file) or b"{}").get("profile", "")
        except (ValueError, AttributeError):
            owner = ""
        if profile is None or owner == profile:
            removed += folder.remove(file)
            stores.add(file.partition(".")[0])
    if profile is None:  # also what a killed process left without saying whose it is
        locks = (file.removesuffix(_LOCK) for file in folder.names(_LOCK))
        stores.update(name for name in locks if name != prompts.LOCK)
    for name in stores:
        folder.remove(name + ".unanswered")
        _store_named(name, env).discard()
    return removed


def _generation(env: Mapping[str, str], profile: str) -> str:
    try:
        with Folder.state(env) as folder:
            return folder.generation(profile)
    except OSError:
        return ""


def _names(env: Mapping[str, str], suffix: str) -> list[str]:
    try:
        with Folder.state(env) as folder:
            return folder.names(suffix)
    except OSError:
        return []


def _store_named(name: str, env: Mapping[str, str]) -> Store:
    store = Store(TokenRequest((), env), "")
    store.name = name
    return store


def _clear_keyring(path: str, name: str) -> None:
    """Empty the keyring's entry, where azure-identity keeps it in one; never raises."""
    try:
        import msal_extensions

        persistence: Any
        if sys.platform == "darwin":
            persistence = msal_extensions.KeychainPersistence(
                path, "Microsoft.Developer.IdentityService", name
            )
        elif sys.platform == "linux" and _has_libsecret():
            persistence = msal_extensions.LibsecretPersistence(
                path, name, {"MsalClientID": "Microsoft.Developer.IdentityService"}
            )
        else:
            return
        persistence.save("{}")
    except Exception:  # noqa: BLE001 - a keyring fails in its own ways; the file goes anyway
        pass


def _has_libsecret() -> bool:
    from importlib.util import find_spec

    return find_spec("gi") is not None


def _origin(cause: BaseException | None) -> str:
    return type(cause).__module__.partition(".")[0]


def trouble(error: OSError, place: str) -> tuple[str, str]:
    """Return what the file system said of a place, and the command that helps or shows why."""
    if isinstance(error, Refused):
        return error.message, error.fix
    path = str(error.filename or place)
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return f"{path}: {error.strerror}", command(*(("df",) if full else ("ls", "-ld")), path)


def _is_ours(path: str) -> bool:
    """Say whether nobody else can put a file of theirs where the library will write a token."""
    status = os.stat(path)
    return os.name != "posix" or (status.st_uid == os.geteuid() and not status.st_mode & 0o002)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
