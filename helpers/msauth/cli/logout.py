"""`msauth logout`: end the cached sign-ins, so that no renewal in flight brings one back."""

import os
import sys

from .. import signin
from ..broker import changes
from ..cache.folder import VERSION, Folder, cache_base, disk_base, state_base
from ..cache.private import Refused
from ..errors import MsauthError, UsageError, command, nearest, say
from ..request import profile_file, profiles
from ..request.options import FLAG, VALUE, one
from ..signin.persistence import trouble
from . import arguments

OPTIONS = {"--profile": VALUE, "--all": FLAG}
HELP = """\
usage: msauth logout [--profile NAME | --all]

Forgets the cached tokens and the kept browser and device code sign-ins: of a profile, of every
profile and none (--all), or by default of what was signed in without a profile (or with the one
that MSAUTH_PROFILE names). az, azd and PowerShell keep their own sign-ins: `az logout`.

  --profile NAME         of this profile; --profile "" for none
  --all                  of every profile and none
"""


_RUNTIME = "/run/user"
"""Where systemd makes each user's runtime directory (pam_systemd(8))."""


def run(argv: list[str]) -> int:
    """Sign out. Raises UsageError, or MsauthError when the cache cannot be written."""
    given = arguments.parse_or_help(argv, OPTIONS, HELP)
    if given is None:
        return 0
    options, _ = given
    if "--all" in options and "--profile" in options:
        raise UsageError("--all and --profile exclude each other")
    profile: str | None = None
    if "--all" not in options:
        named = "--profile" in options
        profile = one(options, "--profile") if named else os.environ.get("MSAUTH_PROFILE", "")
    # In this order: who signs in from here on finds nothing kept, and who began before wrote for
    # a generation that the cache's logout ends.
    kept = signin.forget(profile, os.environ)
    removed = _forget(profile)
    whose = "every sign-in" if profile is None else f"profile {profile}" if profile else ""
    what = f"{removed} token{'s' * (removed != 1)} removed"
    if kept:
        what += ", and what browser or device code kept"
    if profile and not removed and not kept:
        _check_name(profile)
    sys.stdout.write(f"signed out{' of ' + whose if whose else ''}: {what}\n")
    return 0


def _check_name(profile: str) -> None:
    """Warn of a name that no profile has: the one that was meant is still signed in."""
    where = profiles.path(os.environ)
    try:
        there = profile_file.names(where)
    except MsauthError:
        return
    if profile not in there:
        near = nearest(profile, there)
        say("warning", f"no profile {profile!r} in {where}")
        if near:
            say("hint", f"did you mean {command('--profile', near)}?")


def _forget(profile: str | None) -> int:
    env, where = os.environ, ""
    removed = 0
    try:
        where = f"{cache_base(env)}/{VERSION}"
        with Folder.open(where) as folder:
            removed = changes.logout(folder, profile)
    except FileNotFoundError:
        pass
    except Refused as refused:
        raise MsauthError(f"cannot sign out: {refused.message}", refused.fix) from None
    except OSError as error:
        why, hint = trouble(error, where)
        raise MsauthError(f"cannot sign out: {why}", hint) from None
    finally:
        if profile is None:
            _erase(_other_places(where))
    return removed


def _erase(places: list[str]) -> None:
    for place in places:
        try:
            changes.erase(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            say("warning", f"there may be tokens left in {place}: {error.strerror or error}")


def _other_places(where: str) -> list[str]:
    """Return where another session or an earlier version may have kept tokens of ours.

    A session with a runtime directory caches in memory, one without it (cron, su) on disk.
    """
    places = []
    try:
        places.append(disk_base(os.environ))
    except Refused:
        pass
    if hasattr(os, "geteuid"):
        places.append(f"{_RUNTIME}/{os.geteuid()}/msauth")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        places.append(runtime.rstrip("/") + "/msauth")
    return [f"{place}/{VERSION}" for place in places if f"{place}/{VERSION}" != where]


def leave_nothing() -> None:
    """Remove the empty shells of our private folders, once all is signed out: for uninstall.sh.

    What `msauth setup` can still undo stays, and so does a folder with anything else in it.
    """
    from ..shims import place as shims

    env = os.environ
    shims.remove(dict(env))
    places = [state_base(env)]
    try:
        places += [f"{cache_base(env)}/{VERSION}", *_other_places("")]
    except Refused:
        pass
    for place in dict.fromkeys(places):
        _remove_folder(f"{place}/setup")
        try:
            with Folder.open(place) as folder:
                for name in folder.listing():
                    folder.remove(name)
        except OSError:
            continue
        for path in (place, os.path.dirname(place)):
            if os.path.basename(path) in (VERSION, "msauth"):
                _remove_folder(path)
    _remove_folder(os.path.expanduser("~/.IdentityService"))


def _remove_folder(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass  # there is more in it, or it was never made
