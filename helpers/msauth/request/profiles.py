"""Profiles: named sign-ins of `profiles.toml`, read without a TOML parser when nothing changed.

The parsed profile is kept as a record in the cache directory, under the file's path and the
profile's name, with a stamp of the file: an edit takes effect at once, and a cache hit imports
nothing. What the file may hold, and every error about it, is in `profile_file`.
"""

import sys

from ..cache import record
from ..cache.folder import Folder
from ..system import os
from . import values as checks
from .kinds import file_stamp, home
from .options import ALL_NAMES, MATCH, PROFILE_KEYS, usage_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_SUFFIX = ".profile"


def path(env: "Mapping[str, str]") -> str:
    """Return the absolute path of profiles.toml, as platformdirs would name it.

    Raises UsageError for a relative MSAUTH_CONFIG.
    """
    chosen = env.get("MSAUTH_CONFIG")
    if chosen:
        return checks.absolute("MSAUTH_CONFIG", chosen)
    if sys.platform == "win32":
        from platformdirs import user_config_dir

        return user_config_dir("msauth", appauthor=False) + "\\profiles.toml"
    xdg = env.get("XDG_CONFIG_HOME", "")
    if xdg.startswith("/"):
        return xdg.rstrip("/") + "/msauth/profiles.toml"
    folder = "Library/Application Support" if sys.platform == "darwin" else ".config"
    return f"{home(env)}/{folder}/msauth/profiles.toml"


def values(name: str, env: "Mapping[str, str]") -> dict[str, str]:
    """Return a profile's values as texts: flags are "1", scopes are joined by a space.

    Raises UsageError for a file or a profile that is missing, unsafe or wrong.
    """
    if name in (MATCH, ALL_NAMES):  # what is kept under these names is of no profile
        raise usage_error(f"profile name {name!r} is not one", "msauth help profiles")
    found = _load(path(env), name, env)
    return {key: found[key] for key in PROFILE_KEYS if key in found}


def exists(name: str, env: "Mapping[str, str]") -> bool:
    """Say whether there is a profile of this name. Raises UsageError for an unsafe or bad file."""
    where = path(env)
    return bool(_stamp(where)) and f"name.{name}" in _load(where, ALL_NAMES, env)


def match(organisation: str, host: str, env: "Mapping[str, str]") -> str:
    """Return the profile that `[match]` chooses for an organisation or a host, or "".

    An organisation beats its host. Both in lower case; "" is none. Raises UsageError for a file
    or a table that is unsafe or wrong: the wrong person must not answer.
    """
    where = path(env)
    if not _stamp(where):
        return ""
    found = _load(where, MATCH, env)
    return found.get(f"organisation.{organisation}") or found.get(f"host.{host}") or ""


def _load(where: str, name: str, env: "Mapping[str, str]") -> dict[str, str]:
    """Return a table of the file as texts, from the record that is kept of it if it still holds."""
    mark = _stamp(where)
    key = f"request.profile_file={where!r}\nrequest.profile={name!r}\n"
    cache_key = key.encode("utf-8", "surrogateescape")
    found = _kept(cache_key, mark, env) if mark else None
    if found is None:
        from .profile_file import load

        found, mark = load(where, name)
        if mark:
            _keep(cache_key, {"stamp": mark, **found}, env)
    return found


def _stamp(where: str) -> str:
    """Return what changes with every edit of the file, or "" where there is none."""
    try:
        return file_stamp(os.stat(where))
    except (OSError, ValueError):
        return ""


def _kept(cache_key: bytes, mark: str, env: "Mapping[str, str]") -> dict[str, str] | None:
    try:
        with Folder.cache(env) as folder:
            found = folder.record(record.name_of(cache_key) + _SUFFIX, cache_key)
    except OSError:
        return None
    return found[0] if found is not None and found[0].get("stamp") == mark else None


def _keep(cache_key: bytes, attributes: dict[str, str], env: "Mapping[str, str]") -> None:
    """Keep a parsed profile for the next process; without a cache it is parsed again."""
    data = record.encode(cache_key, attributes, b"")
    try:
        with Folder.cache(env, create=True) as folder:
            folder.write(record.name_of(cache_key) + _SUFFIX, data)
    except OSError:
        pass
