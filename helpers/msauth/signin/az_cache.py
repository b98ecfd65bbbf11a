"""az's own files, read only: who is signed in, and what az holds for them.

Nothing here writes, locks or removes anything of az's. az truncates a file and then writes it,
so a reader may see half of one: it reads again, briefly, and then leaves the question to az.
The entries' names and fields are those of MSAL's unified cache schema.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping

from ..cache.record import is_token
from ..errors import SignInError
from ..request.clouds import CLOUDS, LOGIN_HOSTS
from ..request.kinds import az_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Entry: TypeAlias = dict[str, Any]

CLIENT_ID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""Microsoft Azure CLI, the same in every tenant."""
LEAST = 300
"""Seconds a held token must still live: MSAL itself would renew it with less."""
_PAUSES = (0.03, 0.1)
"""Seconds before each further reading of a file that did not make sense."""
_SIGNALS = (".bin", ".sig")
"""az writes such a file, beside where the plain one would be, when it keeps it encrypted."""


class Account:
    """Who az would answer for: a user or a service principal, and a tenant of theirs.

    subscription: the id to name to az where the account is not az's current one, else "".
    tenant: a GUID. managed: a managed identity or a Cloud Shell, of which az holds nothing.
    """

    def __init__(self, subscription: "Entry", tenant: str, *, current: bool) -> None:
        user = subscription["user"]
        self.name: str = str(user["name"])
        self.service_principal = user.get("type") == "servicePrincipal"
        self.managed = "assignedIdentityInfo" in user or bool(user.get("cloudShellID"))
        self.tenant = tenant
        self.subscription = "" if current else str(subscription["id"])


class AzCache:
    """One look at az's profile and token cache.

    signed_in: whether somebody is, None when the profile could not be read.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self.directory = az_directory(env)
        self.cloud = _cloud(env, self.directory)
        profile = _read(self.directory + "/azureProfile.json")
        found = profile.get("subscriptions") if isinstance(profile, dict) else None
        self._chosen = env.get("MSAUTH_SUBSCRIPTION", "")
        self._subscriptions = [
            entry
            for entry in (found if isinstance(found, list) else [])
            if _is_subscription(entry) and str(entry.get("environmentName")).lower() == self.cloud
        ]
        self.signed_in = None if profile is None else bool(self._subscriptions)
        self._cache: Entry | None = None
        self._login_hosts = next((c.login_hosts for c in CLOUDS if self.cloud in c.names), ())

    def serves(self, authority: str) -> bool:
        """Say whether az's cloud signs in at this authority (`https://host`)."""
        return authority.removeprefix("https://") in self._login_hosts

    def other_cloud(self, authority: str) -> bool:
        """Say whether az is set to one cloud and the authority certainly is another's."""
        known = authority.removeprefix("https://") in LOGIN_HOSTS
        return known and bool(self._login_hosts) and not self.serves(authority)

    def account(self, tenant: str | None) -> Account | None:
        """Return whom az would answer for in a tenant (GUID or domain; None: az's current one).

        That is the current account; if it has nothing in the tenant and exactly one other
        signed-in account has, then that one. None when nobody is, or the profile is unreadable.
        MSAUTH_SUBSCRIPTION, an id or a name as for az's own --subscription, chooses the account
        by one of its subscriptions; raises SignInError where az has no such one in the tenant.
        """
        if self._chosen:
            return self._of_subscription(tenant)
        current = next((s for s in self._subscriptions if s.get("isDefault") is True), None)
        if current is None:
            return None
        if tenant is None:
            return Account(current, str(current["tenantId"]).lower(), current=True)
        there = [s for s in self._subscriptions if _is_of(s, tenant)]
        guid = str(there[0]["tenantId"]).lower() if there else tenant.lower()
        who = current["user"]["name"]
        others = {s["user"]["name"] for s in there}
        if who in others or len(others) != 1:
            return Account(current, guid, current=True)
        return Account(there[0], guid, current=False)

    def subscription(self, wanted: str = "") -> "Entry | None":
        """Return the one subscription of an id or a name ("": the chosen or current one).

        None where there is none, or several are called so.
        """
        wanted = (wanted or self._chosen).lower()
        found = [
            entry
            for entry in self._subscriptions
            if (
                wanted in (str(entry["id"]).lower(), str(entry.get("name")).lower())
                if wanted
                else entry.get("isDefault") is True
            )
        ]
        return found[0] if len(found) == 1 else None

    def _of_subscription(self, tenant: str | None) -> Account:
        wanted = self._chosen.lower()
        for entry in self._subscriptions:
            if wanted in (str(entry["id"]).lower(), str(entry.get("name")).lower()) and (
                tenant is None or _is_of(entry, tenant)
            ):
                current = entry.get("isDefault") is True
                return Account(entry, str(entry["tenantId"]).lower(), current=current)
        where = f" in tenant {tenant}" if tenant else ""
        raise SignInError(
            f"azure-cli: az knows no subscription {self._chosen}{where}",
            "az login, then az account list --output table",
        )

    def access_token(
        self, account: Account, scopes: tuple[str, ...], authority: str, *, now: int, least: int
    ) -> "Entry | None":
        """Return the entry of an access token that az would hand out itself, or None.

        Entries with an ext_cache_key are bound to something else than the account, and those
        past their refresh_on are about to be renewed by az.
        """
        homes = [] if account.service_principal else self._homes(account)
        if account.managed or (not account.service_principal and len(homes) != 1):
            return None
        client = account.name if account.service_principal else CLIENT_ID
        best = None
        for entry in self._entries("AccessToken"):
            home = entry.get("home_account_id") or None
            if (
                home != (homes[0] if homes else None)
                or str(entry.get("client_id")).lower() != client.lower()
                or str(entry.get("realm")).lower() != account.tenant
                or not self._is_here(entry, authority)
                or entry.get("ext_cache_key")
                or str(entry.get("token_type", "Bearer")).lower() != "bearer"
                or not set(scopes) <= set(str(entry.get("target", "")).split())
                or not _usable(entry.get("secret"))
                or number(entry, "expires_on") - now < max(LEAST, least)
                or number(entry, "cached_at") > now + LEAST
                or 0 < number(entry, "refresh_on") <= now
            ):
                continue
            if best is None or number(entry, "expires_on") > number(best, "expires_on"):
                best = entry
        return best

    def refreshable(self, account: Account, authority: str) -> "Entry | None":
        """Return the Account entry of a user for whom az holds a refresh token, or None."""
        if account.managed or account.service_principal:
            return None
        homes = self._homes(account)
        if len(homes) != 1:
            return None
        if not any(
            entry.get("home_account_id") == homes[0]
            and self._is_here(entry, authority)
            and (entry.get("client_id") == CLIENT_ID or entry.get("family_id"))
            and _usable(entry.get("secret"))
            for entry in self._entries("RefreshToken")
        ):
            return None
        return next(
            entry for entry in self._entries("Account") if entry.get("home_account_id") == homes[0]
        )

    def secret(self, account: Account, authority: str) -> "Entry | None":
        """Return az's entry of a service principal: its client_secret or its certificate's path.

        None for another account, where az keeps it encrypted, and for a federated assertion,
        which is stale by now.
        """
        if account.managed or not account.service_principal or not self.serves(authority):
            return None
        path = self.directory + "/service_principal_entries.json"
        found = None if _signal(path) else _read(path)
        for entry in found if isinstance(found, list) else ():
            if (
                isinstance(entry, dict)
                and str(entry.get("client_id")).lower() == account.name.lower()
                and str(entry.get("tenant")).lower() == account.tenant
                and any(
                    isinstance(entry.get(name), str) and entry[name]
                    for name in ("client_secret", "certificate")
                )
            ):
                return entry
        return None

    def serialized(self) -> str:
        """Return the token cache's text, as msal's SerializableTokenCache takes it."""
        return json.dumps(self._load())

    @property
    def encrypted(self) -> bool:
        """Whether az keeps its tokens where only it can read them (DPAPI, a keyring)."""
        return _signal(self._plain) is not None

    @property
    def path(self) -> str:
        """The file that says how az keeps its tokens: the plain cache, or a signal."""
        return _signal(self._plain) or self._plain

    @property
    def _plain(self) -> str:
        return self.directory + "/msal_token_cache.json"

    def _homes(self, account: Account) -> list[str]:
        name = account.name.lower()
        return sorted(
            {
                str(entry["home_account_id"])
                for entry in self._entries("Account")
                if str(entry.get("username")).lower() == name and entry.get("home_account_id")
            }
        )

    def _is_here(self, entry: "Entry", authority: str) -> bool:
        return self.serves(authority) and entry.get("environment") in self._login_hosts

    def _entries(self, kind: str) -> "Iterator[Entry]":
        section = self._load().get(kind)
        for entry in section.values() if isinstance(section, dict) else ():
            if isinstance(entry, dict):
                yield entry

    def _load(self) -> "Entry":
        if self._cache is None:
            read = None if self.encrypted else _read(self._plain)
            self._cache = read if isinstance(read, dict) else {}
        return self._cache


def contents(env: Mapping[str, str]) -> "tuple[str, bool, dict[str, list[Entry]]]":
    """Return what az's token cache holds: `AzCache.path`, whether it is encrypted, entries by kind.

    The kinds and fields keep the cache's own names; no entry has its `secret`.
    """
    cache = AzCache(env)
    loaded = cache._load()
    kinds = {
        str(kind): [
            {name: value for name, value in entry.items() if name != "secret"}
            for entry in section.values()
            if isinstance(entry, dict)
        ]
        for kind, section in loaded.items()
        if isinstance(section, dict)
    }
    return cache.path, cache.encrypted, kinds


def number(entry: "Entry", name: str) -> int:
    """Return a field that MSAL writes as a decimal string, 0 when it is not one."""
    try:
        return int(entry.get(name) or 0)
    except (TypeError, ValueError):
        return 0


def _signal(plain: str) -> str | None:
    """Return the file by which az says that it keeps this one encrypted, or None.

    A plain file that is older than the signal is what az used before: it would name the person
    who was signed in then.
    """
    written = _modified(plain)
    for ending in _SIGNALS:
        path = plain.removesuffix(".json") + ending
        signalled = _modified(path)
        if signalled is not None and (written is None or signalled > written):
            return path
    return None


def _modified(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, ValueError):
        return None


def _read(path: str) -> "Any":
    """Return a JSON file's value, None when it is missing or makes no sense even on re-reading."""
    for pause in (*_PAUSES, None):
        try:
            with open(path, encoding="utf-8-sig") as file:
                return json.load(file)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):
            if pause is not None:
                time.sleep(pause)
    return None


def _cloud(env: Mapping[str, str], directory: str) -> str:
    """Return the name of az's cloud in lower case, as knack's configuration finds it."""
    name = env.get("AZURE_CLOUD_NAME")
    if not name:
        import configparser

        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(directory + "/config", encoding="utf-8")
            name = parser.get("cloud", "name", fallback="")
        except (configparser.Error, OSError, ValueError):
            name = ""
    return (name or "AzureCloud").lower()


def _is_subscription(entry: "Any") -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("user"), dict)
        and isinstance(entry["user"].get("name"), str)
        and isinstance(entry.get("tenantId"), str)
        and isinstance(entry.get("id"), str)
    )


def _is_of(subscription: "Entry", tenant: str) -> bool:
    wanted = tenant.lower()
    return wanted in (
        str(subscription["tenantId"]).lower(),
        str(subscription.get("tenantDefaultDomain")).lower(),
    )


def _usable(secret: object) -> bool:
    return isinstance(secret, str) and is_token(secret)
