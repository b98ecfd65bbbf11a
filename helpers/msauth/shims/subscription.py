"""Which subscription az would answer for, without reading az's JSON again while it is the same.

What was found is kept as a record in the cache, with a stamp of az's two files, as a profile is.
"""

import time

from ..cache import record
from ..cache.folder import Folder
from ..request.kinds import az_directory, file_stamp
from ..system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_SUFFIX = ".subscription"
_RACY = 2
"""Seconds: a file this young may change again without a new stamp (FAT, NFS), so it is not kept."""


class Subscription:
    """A subscription as az names it; tenant: a GUID in lower case. current: az's own default."""

    __slots__ = ("current", "id", "tenant")

    def __init__(self, name: str, tenant: str, *, current: bool) -> None:
        self.id = name
        self.tenant = tenant
        self.current = current


def find(wanted: str, env: "Mapping[str, str]") -> Subscription | None:
    """Return the one subscription of an id or a name ("": MSAUTH_SUBSCRIPTION's, or az's current).

    None where nobody is signed in with az, there is no such one, or several are called so.
    """
    stamp, settled = _stamp(az_directory(env))
    if not stamp:
        return None
    key = "".join(
        f"request.{name}={value!r}\n"
        for name, value in (
            ("subscription", wanted or env.get("MSAUTH_SUBSCRIPTION", "")),
            ("az_directory", az_directory(env)),
            ("az_cloud", env.get("AZURE_CLOUD_NAME", "")),
        )
    ).encode("utf-8", "backslashreplace")
    found = _kept(key, stamp, env)
    if found is None:
        from ..signin.az_cache import AzCache

        entry = AzCache(env).subscription(wanted)
        if entry is None:
            return None
        current = entry.get("isDefault") is True
        found = Subscription(str(entry["id"]), str(entry["tenantId"]).lower(), current=current)
        if settled:
            _keep(key, stamp, found, env)
    return found


def _stamp(folder: str) -> tuple[str, bool]:
    """Return a stamp of az's profile and configuration, and whether both are old enough to trust.

    "" where there is no profile.
    """
    texts: list[str] = []
    newest = 0.0
    for name in ("azureProfile.json", "config"):
        try:
            status = os.stat(f"{folder}/{name}")
        except (OSError, ValueError):
            if not texts:
                return "", False
            texts.append("none")
            continue
        texts.append(file_stamp(status))
        newest = max(newest, status.st_mtime)
    return "+".join(texts), abs(time.time() - newest) >= _RACY


def _kept(key: bytes, stamp: str, env: "Mapping[str, str]") -> Subscription | None:
    try:
        with Folder.cache(env) as folder:
            found = folder.record(record.name_of(key) + _SUFFIX, key)
    except OSError:
        return None
    if found is None or found[0].get("stamp") != stamp:
        return None
    attributes = found[0]
    current = attributes.get("current") == "1"
    return Subscription(attributes.get("id", ""), attributes.get("tenant", ""), current=current)


def _keep(key: bytes, stamp: str, found: Subscription, env: "Mapping[str, str]") -> None:
    """Keep it for the next process; without a cache it is looked up again."""
    attributes = {"stamp": stamp, "id": found.id, "tenant": found.tenant}
    attributes["current"] = str(int(found.current))
    try:
        with Folder.cache(env, create=True) as folder:
            folder.write(record.name_of(key) + _SUFFIX, record.encode(key, attributes, b""))
    except OSError:
        pass
