"""Profiles: named sign-ins of `profiles.toml`, read without a TOML parser when nothing changed.

The parsed profile is kept as a record in the cache directory, under the file's path and the
profile's name, with a stamp of the file: an edit takes effect at once, and a cache hit imports
nothing. What the file may hold, and every error about it, is in `profile_file`.
"""

import os
import sys

from ..cache import folder as directory
from ..cache import reader, record

SUFFIX = ".profile"
TARGETS = {
    # key: (the option it stands for, the variable that beats it)
    "tenant": ("--tenant", "MSAUTH_TENANT"),
    "credential": ("--credential", "MSAUTH_CREDENTIAL"),
    "client_id": ("--client-id", "MSAUTH_CLIENT_ID"),
    "authority_host": ("--authority-host", ""),
    "disable_instance_discovery": ("--disable-instance-discovery", ""),
    "min_valid": ("--min-valid", ""),
    "username": ("--username", ""),
    "identity_resource_id": ("--identity-resource-id", "MSAUTH_IDENTITY_RESOURCE_ID"),
    "persist": ("--no-persist", ""),
    "scopes": ("profile.scopes", ""),
}
"""The keys of a profile. An option without a leading dash exists in profiles only."""


def path(env: "os._Environ[str] | dict[str, str]") -> str:
    """Return the absolute path of profiles.toml, as platformdirs would name it."""
    chosen = env.get("MSAUTH_CONFIG")
    if chosen:
        return os.path.abspath(chosen)
    if sys.platform == "win32":
        from platformdirs import user_config_dir

        return os.path.join(user_config_dir("msauth", appauthor=False), "profiles.toml")
    xdg = env.get("XDG_CONFIG_HOME", "")
    if xdg.startswith("/"):
        return os.path.join(xdg, "msauth/profiles.toml")
    folder = "Library/Application Support" if sys.platform == "darwin" else ".config"
    return os.path.join(os.path.expanduser("~"), folder, "msauth/profiles.toml")


def values(name: str, env: "os._Environ[str] | dict[str, str]") -> dict[str, str]:
    """Return a profile's values as texts: flags are "1", scopes are joined by a space.

    Raises UsageError for a file or a profile that is missing, unsafe or wrong.
    """
    where = path(env)
    try:
        mark = stamp(os.stat(where))
    except (OSError, ValueError):
        mark = ""
    found = _compiled(where, name, mark) if mark else None
    if found is None:
        from .profile_file import compiled

        found = compiled(where, name)
    return {key: found[key] for key in TARGETS if key in found}


def stamp(status: os.stat_result) -> str:
    """Return a text that changes with every edit of the file, and with its owner and mode."""
    place = f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}"
    return f"{place}.{status.st_mode:o}.{status.st_uid}"


def key(where: str, name: str) -> bytes:
    """Return the canonical text under which a parsed profile is kept."""
    text = f"request.profile_file={where!r}\nrequest.profile={name!r}\n"
    return text.encode("utf-8", "surrogateescape")


def _compiled(where: str, name: str, mark: str) -> dict[str, str] | None:
    try:
        descriptor = directory.open_directory()
    except OSError:
        return None
    try:
        canonical = key(where, name)
        found = reader.read_record(descriptor, record.name_of(canonical) + SUFFIX, canonical)
    finally:
        os.close(descriptor)
    if found is None or found[0].get("stamp") != mark:
        return None
    return found[0]
