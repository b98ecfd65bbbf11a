"""`msauth logout`: end the cached sign-ins, so that no renewal in flight brings one back."""

import os
import sys
from difflib import get_close_matches

from .. import signin
from ..cache import folder as directory
from ..cache import writer
from ..errors import MsauthError, UsageError, say
from ..request import profile_file, profiles
from ..request.options import FLAG, VALUE, one
from . import arguments as asked

HELP = """\
usage: msauth logout [--profile NAME | --all]

Forgets the cached tokens and the kept browser and device code sign-ins: of a profile, of every
profile and none (--all), or by default of what was signed in without a profile (or with the one
that MSAUTH_PROFILE names). az, azd and PowerShell keep their own sign-ins: `az logout`.
"""


def run(argv: list[str]) -> int:
    """Sign out. Raises UsageError, or MsauthError when the cache cannot be written."""
    given = asked.understood(argv, {"--profile": VALUE, "--all": FLAG}, HELP)
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
    # an epoch that the cache's logout ends.
    kept = signin.forget(profile)
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
        near = get_close_matches(profile, there, 1)
        say("msauth", "warning", f"no profile {profile!r} in {where}")
        if near:
            say("msauth", "hint", f"did you mean --profile {near[0]}?")


def _forget(profile: str | None) -> int:
    try:
        return writer.logout(profile)
    except directory.Refused as refused:
        raise MsauthError(f"cannot sign out: {refused.message}", refused.fix) from None
    except OSError as error:
        raise MsauthError(
            f"cannot sign out: {directory.path()}: {error.strerror}", "check the directory"
        ) from None
