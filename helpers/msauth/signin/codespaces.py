"""The sign-in of the VS Code that is connected to a codespace or a dev container.

Its extension ms-codespaces-tools.ado-codespaces-auth writes two programs into HOME that print a
token: `ado-auth-helper get-access-token` for Azure DevOps, and `azure-auth-helper get-access-token
SCOPES` for anything. They fail where no VS Code is connected, and may ask the person there.
https://github.com/microsoft/ado-codespaces-auth
"""

import os

from ..errors import SignInError, UnavailableError
from ..request.clouds import DEVOPS_RESOURCE, DEVOPS_SCOPE
from ..request.kinds import codespaces_files
from ..request.request import Token
from .attempt import Attempt, Way, Who, claims_of, time_of

KIND = "codespaces"
MARK = b"#!/bin/sh\n# made by msauth setup codespaces\n"
"""How our own programs of these names begin: they would ask us again."""


def is_ours(path: str) -> bool:
    """Say whether `msauth setup codespaces` made a file."""
    try:  # without waiting: it may be a pipe
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):
        return False
    try:
        return os.read(descriptor, len(MARK)) == MARK
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _program(attempt: Attempt) -> tuple[list[str], str]:
    """Return the command that gives the token, or [] and why there is none."""
    devops, anything = codespaces_files(attempt.env)
    scopes = attempt.request.scopes
    why = ""
    if scopes == (DEVOPS_SCOPE,):
        why = _unusable(devops)
        if not why:
            return [devops, "get-access-token"], ""
    other = _unusable(anything)
    if other:
        return [], why or other
    return [anything, "get-access-token", " ".join(scopes)], ""


def _unusable(path: str) -> str:
    """Return why a program is not to be run, or ""."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return f"there is no {path}"
    from .programs import mistrusted

    why = mistrusted(status)
    if why:
        return f"{path} {why}"
    if not os.access(path, os.X_OK):
        return f"{path} is not executable"
    return f"{path} is msauth's own" if is_ours(path) else ""


def _sign_in(attempt: Attempt) -> Token:
    from .developer_tools import answer

    words, why = _program(attempt)
    if not words:
        raise UnavailableError(why)
    if attempt.claims is not None:
        raise UnavailableError("the server wants a new sign-in that VS Code cannot be asked for")
    done = answer(attempt, KIND, words)
    if done.returncode:
        raise UnavailableError(f"{words[0]} gives no token: is VS Code connected?")
    text = done.stdout.strip()
    claims = claims_of(text)
    expiry, audience = time_of(claims, "exp"), claims.get("aud")
    if not expiry:
        raise SignInError(f"{KIND}: what {words[0]} prints is no token with an expiry")
    if expiry <= attempt.started:
        message = f"{KIND}: {words[0]} gave a token that is over already"
        raise SignInError(message, "check the clock of this machine", deterministic=False)
    # Older versions of the extension give a token for Azure DevOps whatever they are asked for.
    if (audience == DEVOPS_RESOURCE) is not (attempt.request.scopes == (DEVOPS_SCOPE,)):
        raise UnavailableError(f"{words[0]} gives a token for something else")
    return attempt.token(KIND, text, expiry, refresh_on=expiry)


def _who(attempt: Attempt) -> Who:
    return Who(tenant=attempt.tenant or "")


CODESPACES = Way(lambda attempt: _program(attempt)[1] or None, _sign_in, who=_who)
