"""What an interactive sign-in leaves: the refresh tokens, and who they belong to.

The tokens are in azure-identity's persistent cache: the OS keyring where there is one, else a
private file in `~/.IdentityService`. Beside it an AuthenticationRecord, which is no secret, says
whose they are; that is a file of the state directory. One cache per profile, authority and
client, so that no two sign-ins share one, under a lock of our own: the library truncates its
file in place, and its own lock outlives a killed process.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from ..cache.record import fingerprint
from ..request.request import TokenRequest
from . import prompts, state

if TYPE_CHECKING:
    from azure.identity import AuthenticationRecord, TokenCachePersistenceOptions

_SUFFIX = ".account"
_LOCK = ".lock"
_ANY = "any"
"""The place of the sign-in that is used where a tenant has none of its own."""
_CACHES = (".cae", ".nocae")


class Store:
    """Where one selection's interactive sign-ins are kept."""

    def __init__(self, request: TokenRequest, client_id: str) -> None:
        self._profile = request.profile
        self._host = request.authority.removeprefix("https://")
        self._username = request.username
        parts = (request.profile, request.authority, client_id, request.username)
        self.name = "msauth-" + fingerprint("\n".join(parts))[:16]

    @property
    def usable(self) -> bool:
        """Whether there is a private place for it, now or once it is made.

        The library's directory is made private, before it would be made 0755.
        """
        if state.directory() is None:
            return False
        folder = os.path.dirname(self._path(""))
        old = os.umask(0o077)
        try:
            os.makedirs(folder, 0o700, exist_ok=True)
        except OSError:
            return False
        finally:
            os.umask(old)
        return os.access(folder, os.R_OK | os.W_OK | os.X_OK)

    def options(self) -> "TokenCachePersistenceOptions":
        """Return azure-identity's options; the plain file is its fallback, announced by us."""
        from azure.identity import TokenCachePersistenceOptions

        return TokenCachePersistenceOptions(name=self.name, allow_unencrypted_storage=True)

    def locked(
        self, until: float, waiting: Callable[[], None]
    ) -> AbstractContextManager[bool | None]:
        """Hold the lock that every use of the store needs; see `prompts.locked`."""
        return prompts.locked(self.name + _LOCK, until, waiting)

    @contextmanager
    def in_epoch(self) -> Iterator[None]:
        """While open, a logout wins: the library may write again what the logout removed.

        The lock must be held, so that what is then removed is nobody else's.
        """
        epoch = state.epoch(self._profile)
        try:
            yield
        finally:
            if state.epoch(self._profile) != epoch:
                self.forget()

    def prepare(self) -> None:
        """Free the library's lock: only a killed process of ours can have left it.

        We hold the store's own.
        """
        for suffix in _CACHES:
            _unlink(self._path(suffix) + ".lockfile")

    def known(self) -> bool:
        """Whether anybody signed in with this selection."""
        return any(name.startswith(self.name + ".") for name in state.names(_SUFFIX))

    def records(self, tenant: str | None) -> "list[AuthenticationRecord]":
        """Return the sign-ins to try for a tenant: its own, then the one for anywhere."""
        from azure.identity import AuthenticationRecord

        found: list[AuthenticationRecord] = []
        for place in dict.fromkeys((tenant or _ANY, _ANY)):
            data = state.read(self._file(place))
            try:
                record = AuthenticationRecord.deserialize(json.loads(data or b"{}")["record"])
            except (ValueError, KeyError, TypeError):
                continue
            if record.authority == self._host and all(
                record.home_account_id != other.home_account_id for other in found
            ):
                found.append(record)
        return found

    def remember(self, record: "AuthenticationRecord", tenant: str | None) -> bool:
        """Keep a new sign-in; says whether it is the first one kept here."""
        first = not self.known()
        data = json.dumps({"profile": self._profile, "record": record.serialize()}).encode()
        state.write(self._file(tenant or _ANY), data)
        if tenant and state.read(self._file(_ANY)) is None:
            state.write(self._file(_ANY), data)
        return first

    def forget(self) -> None:
        """Remove the sign-ins that are kept here, and the library's cache with them."""
        for file in state.names(_SUFFIX):
            if file.startswith(self.name + "."):
                state.remove(file)
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
        origin = type(cause).__module__.partition(".")[0]
        return origin in ("msal_extensions", "portalocker", "gi")

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

    def _file(self, place: str) -> str:
        return f"{self.name}.{place.lower()}{_SUFFIX}"

    def _path(self, suffix: str) -> str:
        base = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
        return os.path.join(base or os.path.expanduser("~"), ".IdentityService", self.name + suffix)


def forget(profile: str | None) -> int:
    """Remove the kept sign-ins of a profile, or all (None); returns how many accounts.

    Twice, with a new epoch between: what a sign-in in flight wrote before it could see the epoch
    is removed then, and one that sees it removes its own.
    """
    forgotten = _remove(profile)
    if state.directory(create=False) is None:
        return forgotten
    state.end_epoch(profile)
    return forgotten + _remove(profile)


def _remove(profile: str | None) -> int:
    removed = 0
    stores = set()
    for file in state.names(_SUFFIX):
        data = state.read(file)
        try:
            owner = json.loads(data or b"{}").get("profile", "")
        except (ValueError, AttributeError):
            owner = ""
        if profile is None or owner == profile:
            removed += state.remove(file)
            stores.add(file.partition(".")[0])
    if profile is None:  # also what a killed process left without saying whose it is
        stores.update(file[: -len(_LOCK)] for file in state.names(_LOCK) if file != prompts.LOCK)
    for name in stores:
        state.remove(name + ".unanswered")
        _store_named(name).discard()
    return removed


def _store_named(name: str) -> Store:
    store = Store(TokenRequest(()), "")
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


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
