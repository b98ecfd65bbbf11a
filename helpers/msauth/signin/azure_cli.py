"""The Azure CLI's sign-in: the token it holds, az itself, or its refresh token in process.

az gives the same token until it nears its end, also after a server rejected it, and takes no
claims. So a new token can only come from what az keeps to renew its own: see `az_renewal`.
"""

import json
import re

from ..errors import OnlyRejectedError, SignInError, UnavailableError, command
from ..request.request import Token
from . import aadsts
from .attempt import Attempt, Way, Who
from .az_cache import Account, AzCache, number
from .programs import which

_KIND = "azure-cli"
_NOBODY = r"az login|az account set|does not exist in MSAL token cache"
# What az prints where it keeps its sign-in in a keyring and cannot open that: msal-extensions'
# own words, and those of libsecret, D-Bus, the macOS keychain and DPAPI.
_KEYRING = (
    r"(?i)libsecret|PyGObject|No module named 'gi'|D-?Bus|freedesktop\.secret|key(ring|chain)"
    r"|locked (collection|object)|(de|en)cryption failed"
)


def _reason(attempt: Attempt) -> str | None:
    return None if which("az", attempt.env) else "az is not on PATH"


def _azure_cli(attempt: Attempt) -> Token:
    """Return the token az holds, else az's answer, else (a new one is needed) a redeemed one."""
    cache = _look(attempt, "azure-cli")
    account = cache.account(attempt.tenant)
    if attempt.wants_new:
        return _new(attempt, cache, account, "azure-cli")
    held = _held(attempt, cache, account)
    if held is not None:
        if not attempt.rejected(held.text):
            return held
        return _new(attempt, cache, account, "azure-cli", rejected=held)
    if not _whole_resource(attempt):
        return _new(attempt, cache, account, "azure-cli", instead=True)
    token = _from_az(attempt, cache, account)
    if attempt.rejected(token.text):
        return _new(attempt, cache, account, "azure-cli", rejected=token)
    return token


def _azure_cli_cache(attempt: Attempt) -> Token:
    """Return what az's files give without starting az, and start it only where they do not."""
    cache = _look(attempt, "azure-cli-cache")
    account = cache.account(attempt.tenant)
    if not attempt.wants_new:
        held = _held(attempt, cache, account)
        if held is not None and not attempt.rejected(held.text):
            return held
    return _new(attempt, cache, account, "azure-cli-cache", instead=True)


def _look(attempt: Attempt, kind: str) -> AzCache:
    cache = AzCache(attempt.env)
    if cache.other_cloud(attempt.request.authority):
        host = attempt.request.authority.removeprefix("https://")
        raise UnavailableError(
            f"{kind}: az is set to another cloud than {host}",
            "az cloud set --name … and az login, or unset AZURE_AUTHORITY_HOST",
        )
    return cache


def _held(attempt: Attempt, cache: AzCache, account: Account | None) -> Token | None:
    """Return the access token that az already holds, or None.

    It is renewed when az would renew it, not before: az would only give the same one again.
    """
    if account is None:
        return None
    request = attempt.request
    entry = cache.access_token(
        account, request.scopes, request.authority, now=attempt.started, least=request.min_valid
    )
    if entry is None:
        return None
    expires_on = number(entry, "expires_on")
    return attempt.token(
        "azure-cli",
        str(entry["secret"]),
        expires_on,
        refresh_on=number(entry, "refresh_on") or expires_on,
        check=False,
    )


def _new(
    attempt: Attempt,
    cache: AzCache,
    account: Account | None,
    kind: str,
    *,
    instead: bool = False,
    rejected: Token | None = None,
) -> Token:
    """Return a token that az has not handed out before.

    instead: az itself will do too. rejected: what az gave, if a server rejected that.
    Raises SignInError, OnlyRejectedError when az has but a rejected token.
    """
    if account is not None:
        user = cache.refreshable(account, attempt.request.authority)
        if user is not None:
            from . import az_renewal

            return az_renewal.redeem(attempt, cache, account, user, kind)
        secret = cache.secret(account, attempt.request.authority)
        if secret is not None:
            from . import az_renewal

            return az_renewal.with_secret(attempt, account, secret, kind)
    if attempt.claims is None and (instead or attempt.request.force_refresh):
        token = _from_az(attempt, cache, account)
        if not attempt.rejected(token.text):
            return token
        rejected = token
    message = f"{kind}: the server wants a new sign-in that az cannot do by itself"
    hint = _login_hint(attempt, account, kind)
    if rejected is not None and attempt.claims is None:
        raise OnlyRejectedError(message, hint, rejected)
    raise SignInError(message, hint)


def _login_hint(attempt: Attempt, account: Account | None, kind: str) -> str | None:
    if account is None or not (account.managed or account.service_principal):
        return aadsts.login_hint(kind, attempt.request, attempt.claims)
    if account.managed:
        return "az logout, and then az login --identity"
    who = ("--username", account.name, "--tenant", account.tenant)
    return "az logout, and then " + command("az", "login", "--service-principal", *who)


def _whole_resource(attempt: Attempt) -> bool:
    """Say whether az can be asked: it answers for one resource as a whole."""
    scopes = attempt.request.scopes
    return len(scopes) == 1 and scopes[0].endswith("/.default")


def _from_az(attempt: Attempt, cache: AzCache, account: Account | None) -> Token:
    """Ask `az account get-access-token`.

    While az rewrites its cache another az may believe that nobody is signed in; so it is asked
    once more when its profile says that somebody is. If it still finds no tokens they are gone:
    `az logout` with a keyring removes them, and then crashes before it changes the profile.
    """
    _check_askable(attempt)
    try:
        return _ask_az(attempt, account)
    except UnavailableError:
        if cache.signed_in is False:
            raise
    try:
        return _ask_az(attempt, account)
    except UnavailableError as error:
        error.signed_out = error.lapsed = cache.signed_in is True
        raise


def _check_askable(attempt: Attempt) -> None:
    if which("az", attempt.env) is None:
        raise UnavailableError("az is not on PATH")
    if not _whole_resource(attempt):
        raise UnavailableError(
            "az can only be asked for one resource as a whole",
            "use RESOURCE/.default, or an app registration of your own: --credential browser",
        )


def _who(attempt: Attempt) -> Who:
    """Return az's account in the tenant; az need not be there for what is taken from its files."""
    cache = _look(attempt, attempt.request.credential.replace("auto", _KIND))
    account = cache.account(attempt.tenant)
    if account is None:
        raise _nobody(attempt)
    authority = attempt.request.authority
    if not (
        _held(attempt, cache, account)
        or cache.refreshable(account, authority)
        or cache.secret(account, authority)
    ):
        _check_askable(attempt)
    return Who("" if account.managed else account.name, account.tenant)


def _nobody(attempt: Attempt) -> UnavailableError:
    hint = aadsts.login_hint(_KIND, attempt.request, None)
    return UnavailableError("nobody is signed in with az", hint)


def _ask_az(attempt: Attempt, account: Account | None) -> Token:
    """Raises UnavailableError when az says that nobody is signed in, SignInError for the rest."""
    from .developer_tools import answer

    resource = attempt.request.scopes[0].removesuffix("/.default")
    words = ["az", "account", "get-access-token", "--output", "json", "--resource", resource]
    if account is not None and account.subscription:
        words += ["--subscription", account.subscription]
    elif attempt.tenant:
        words += ["--tenant", attempt.tenant]
    done = answer(attempt, _KIND, words, AZURE_CORE_NO_COLOR="true")
    if done.returncode == 0:
        return _az_token(attempt, done.stdout)
    text = done.stderr
    if "AADSTS" in text:
        raise aadsts.explain(_KIND, text, attempt.request, claims=None)
    if re.search(_NOBODY, text):
        raise _nobody(attempt)
    if re.search(_KEYRING, text):
        raise SignInError(
            f"{_KIND}: az cannot open the keyring that holds its sign-in",
            "unlock the keyring, or let az use a file: az config set"
            " core.encrypt_token_cache=false && az login",
            deterministic=False,
        )
    raise aadsts.explain(_KIND, text, attempt.request, claims=None)


def _az_token(attempt: Attempt, output: str) -> Token:
    """Return the token that az prints: `expires_on` in epoch seconds, else a local time."""
    import datetime

    try:
        said = json.loads(output)
        text = said["accessToken"]
        if "expires_on" in said:
            expires_on = int(said["expires_on"])
        else:  # az before 2.54
            expires_on = int(datetime.datetime.fromisoformat(said["expiresOn"]).timestamp())
    except (ValueError, KeyError, TypeError, OverflowError):
        text, expires_on = None, 0
    if not isinstance(text, str):
        raise SignInError(f"{_KIND}: az's answer cannot be understood", "az version")
    return attempt.token(_KIND, text, expires_on, refresh_on=expires_on, check=False)


AZURE_CLI = Way(_reason, _azure_cli, who=_who)
AZURE_CLI_CACHE = Way(lambda _: None, _azure_cli_cache, who=_who)
