"""Signing in with a person: in a browser, by a device code, or through the system's broker.

What was signed in once is used silently by later processes (see `persistence`). Tokens are asked
for with continuous access evaluation, as az does: the library keeps tokens with and without it
in two caches, and a sign-in in one would be asked for again by the other.
"""

import json
import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ..errors import SignInError, UnavailableError, not_kept, say
from ..request.request import Token
from ..waiting import waiting_for
from . import aadsts, libraries, prompts  # noqa: F401 - first
from .attempt import Attempt, Way, Who
from .az_cache import CLIENT_ID as DEFAULT_CLIENT
from .browser import BrowserUnusable, is_wsl, no_browser, our_browser
from .persistence import KEYRING_REFUSES, Store, trouble

if TYPE_CHECKING:
    from azure.core.credentials import TokenRequestOptions
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import AuthenticationRecord

_SILENT_WAIT = 30
"""Seconds to wait for another process when nobody may be asked anyway."""
_ASKING_HELPS = frozenset(
    {"invalid_grant", "interaction_required", "login_required", "consent_required"}
)
"""OAuth errors after which a person can get further (OpenID Connect core 3.1.2.6)."""
_UNANSWERED = ("Timed out", "AADSTS70016", "AADSTS70019", "AADSTS70020", "code_expired")


def _browser_absence(attempt: Attempt) -> str | None:
    """Say why `auto` does not open a browser: there is none, or nobody to look at it."""
    if _store(attempt).known():
        return None
    return _nobody(attempt) or no_browser(attempt.env)


def _device_code_absence(attempt: Attempt) -> str | None:
    """Say why `auto` shows no device code: nobody would see it.

    What is kept of an earlier sign-in was tried by `browser`, just before.
    """
    return _nobody(attempt)


def _nobody(attempt: Attempt) -> str | None:
    if not attempt.request.interactive:
        return "nobody has signed in yet, and nobody may be asked here"
    return None if prompts.terminal() else "nobody has signed in yet, and no terminal to ask at"


def _browser(attempt: Attempt) -> Token:
    """Authorization code with PKCE (RFC 7636) in the person's browser, else a device code."""
    return _sign_in(attempt, "browser")


def _device_code(attempt: Attempt) -> Token:
    """A code to enter on another device (RFC 8628)."""
    return _sign_in(attempt, "device-code")


def _sign_in(attempt: Attempt, kind: str) -> Token:
    store = _store(attempt)
    refused = store.refused() if attempt.request.persist else None
    if refused is not None and attempt.prompt:
        raise not_kept("the sign-in", *refused)  # before anybody is asked in vain
    kept = attempt.request.persist and refused is None
    may_prompt = attempt.prompt or _may_prompt(attempt)
    import azure.identity  # noqa: F401 - it takes long, and others should not wait for it

    until = time.monotonic() + (prompts.TIMEOUT if may_prompt else _SILENT_WAIT)
    with store.locked(until) if kept else nullcontext(True) as held:
        if held is False:
            raise prompts.busy(kind)
        with store.in_generation() if kept else nullcontext():
            return _in_turn(attempt, kind, store, until if may_prompt else None, kept=kept)


def _may_prompt(attempt: Attempt) -> bool:
    """Who names the kind may read stderr somewhere else; `auto` wants to see a terminal."""
    named = attempt.request.credential != "auto"
    return attempt.request.interactive and (named or prompts.terminal())


def _who(attempt: Attempt, kind: str) -> Who:
    """Return who has signed in already, or who would be asked."""
    store = _store(attempt)
    for record in store.records(attempt.tenant) if attempt.request.persist else ():
        return Who(record.username, attempt.tenant or record.tenant_id)
    hint = aadsts.login_hint(kind, attempt.request, None)
    if not _may_prompt(attempt):
        raise UnavailableError(f"{kind}: nobody has signed in yet", hint)
    prompts.refuse_if_ignored(attempt.env, kind, store.name, hint)
    return Who(attempt.request.username, attempt.tenant or "", asks=True)


def _in_turn(
    attempt: Attempt, kind: str, store: Store, until: float | None, *, kept: bool
) -> Token:
    """Sign in while the store's lock is held; until: when to give up, None to ask nobody."""
    why, claims = "nobody has signed in yet", attempt.claims
    if kept:
        store.prepare()
        if not attempt.prompt:
            answer = _silent(attempt, kind, store)
            if isinstance(answer, Token):
                return answer
            why, claims = answer
    hint = aadsts.login_hint(kind, attempt.request, None)
    if until is None:
        nobody = UnavailableError(f"{kind}: {why}", hint)
        nobody.lapsed = kept and store.known()
        raise nobody
    if not attempt.prompt:
        prompts.refuse_if_ignored(attempt.env, kind, store.name, hint)
    with prompts.turn(attempt.env, kind, until):
        return _ask(attempt, kind, store, claims, kept=kept)


def _silent(attempt: Attempt, kind: str, store: Store) -> Token | tuple[str, str | None]:
    """Return a token without asking, or why a person is needed and with which claims.

    Raises SignInError for what asking cannot mend: no network, a resource that is not there.
    """
    needed: tuple[str, str | None] = ("nobody has signed in yet", attempt.claims)
    for record in store.records(attempt.tenant):
        claims = attempt.claims
        if claims is None and attempt.request.force_refresh:
            claims = _not_before_now()
        answer = _redeem(attempt, kind, store, record, claims)
        if isinstance(answer, Token) and attempt.rejected(answer.text):
            answer = _redeem(attempt, kind, store, record, claims or _not_before_now())
        if isinstance(answer, Token):
            if attempt.rejected(answer.text):
                continue
            return answer
        needed = answer
    return needed


def _redeem(
    attempt: Attempt, kind: str, store: Store, record: Any, claims: str | None
) -> Token | tuple[str, str | None]:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import AuthenticationRequiredError, DeviceCodeCredential

    options = attempt.authority_options()
    del options["authority"]  # the record's own, which is the request's
    try:
        credential = DeviceCodeCredential(
            authentication_record=record,
            disable_automatic_authentication=True,
            cache_persistence_options=store.options(),
            tenant_id=attempt.tenant or record.tenant_id,
            **options,
        )
        info = credential.get_token_info(*attempt.request.scopes, options=_options(attempt, claims))
    except AuthenticationRequiredError as error:
        return _what_is_needed(attempt, kind, error)
    except ClientAuthenticationError as error:
        if not store.broken(error.__cause__):
            raise aadsts.refusal(kind, attempt.request, error, claims=None) from None
        store.discard()  # torn, or its keyring lost it: sign in again
        return "what was kept of the last sign-in cannot be read", attempt.claims
    except (ValueError, OSError) as error:
        raise SignInError(f"{kind}: {aadsts.first_sentence(str(error))}") from None
    return attempt.token(
        kind, info.token, int(info.expires_on), refresh_on=int(info.refresh_on or 0), check=False
    )


def _what_is_needed(
    attempt: Attempt, kind: str, error: "ClientAuthenticationError"
) -> tuple[str, str | None]:
    """Return why a person is needed, and the claims that the server wants met."""
    body: Any = None
    if error.response is not None:
        try:
            body = json.loads(error.response.text())
        except (ValueError, AttributeError):
            body = None
    if not isinstance(body, dict):
        return "nobody has signed in yet", attempt.claims
    text = str(body.get("error_description") or body.get("error"))
    explained = aadsts.explain(kind, text, attempt.request, claims=None)
    if body.get("error") not in _ASKING_HELPS:
        raise explained
    claims = body.get("claims")
    wanted = claims if isinstance(claims, str) and claims else attempt.claims
    return explained.message.removeprefix(f"{kind}: "), wanted


def _ask(attempt: Attempt, kind: str, store: Store, claims: str | None, *, kept: bool) -> Token:
    """Ask the person, and keep what came of it."""
    reason = None
    if kind == "browser" or attempt.request.credential == "auto":
        reason = no_browser(attempt.env)
    if kind == "browser" and reason is None:
        try:
            return _authenticate(attempt, kind, "browser", store, claims, kept=kept)
        except BrowserUnusable as unusable:
            reason = str(unusable)
    if reason is not None:
        say("note", f"{reason}: signing in with a device code")
    return _authenticate(attempt, kind, "device-code", store, claims, kept=kept)


def _authenticate(
    attempt: Attempt, kind: str, used: str, store: Store, claims: str | None, *, kept: bool
) -> Token:
    from azure.identity import DeviceCodeCredential, InteractiveBrowserCredential

    options: dict[str, Any] = {
        "client_id": attempt.request.client_id or DEFAULT_CLIENT,
        "tenant_id": attempt.tenant or "organizations",
        "disable_automatic_authentication": True,
        "timeout": prompts.TIMEOUT,
        **attempt.authority_options(),
    }
    if kept:
        options["cache_persistence_options"] = store.options()
    credential: DeviceCodeCredential | InteractiveBrowserCredential
    if used == "browser":
        if attempt.request.username:
            options["login_hint"] = attempt.request.username
        if attempt.request.redirect_url:
            options["redirect_uri"] = attempt.request.redirect_url
        prompts.show(["sign in: a browser window is opening"])
        credential = InteractiveBrowserCredential(**options)
    else:
        credential = DeviceCodeCredential(prompt_callback=_show_code, **options)
    began = time.time()
    opening = our_browser(attempt.env) if used == "browser" else nullcontext()
    person = "the sign-in in the browser" if used == "browser" else "the code to be entered"
    try:
        with (
            waiting_for(person, prompts.TIMEOUT),
            opening,
            aadsts.translated(kind, attempt.request, claims=None),
        ):
            try:
                record = credential.authenticate(
                    scopes=attempt.request.scopes,
                    claims=claims,
                    tenant_id=attempt.tenant,
                    enable_cae=True,
                )
                info = credential.get_token_info(
                    *attempt.request.scopes, options=_options(attempt, None)
                )
            except Exception as error:
                refused = store.write_refused(error.__cause__ or error) if kept else None
                if refused is not None:
                    raise not_kept("the sign-in", *refused) from None
                if any(word in str(error) for word in _UNANSWERED):
                    prompts.ignored(attempt.env, store.name)
                    raise SignInError(
                        f"{kind}: nobody answered the sign-in prompt",
                        aadsts.login_hint(kind, attempt.request, None),
                    ) from None
                raise
    except UnavailableError as error:
        if used == "browser":
            raise BrowserUnusable(error.message) from None
        raise SignInError(error.message, error.hint) from None
    prompts.answered(attempt.env, store.name)
    store.forget_others(record)  # also with --no-persist: the next process must not be them again
    refused = store.refused() if attempt.request.persist else None
    if refused is not None:
        _not_kept(attempt, *refused)
    elif kept:
        _keep(attempt, store, record, began)
    token = attempt.token(
        kind, info.token, int(info.expires_on), refresh_on=int(info.refresh_on or 0)
    )
    token.asked = kept
    return token


def _keep(attempt: Attempt, store: Store, record: "AuthenticationRecord", began: float) -> None:
    """Note whose the tokens are that the library has put away since `began` (epoch seconds)."""
    if not store.written(began):
        _not_kept(attempt, *KEYRING_REFUSES)
        return
    try:
        first = store.remember(record, attempt.tenant)
    except OSError as error:
        _not_kept(attempt, *trouble(error, "~/.local/state/msauth"))
        return
    if first and not attempt.prompt:  # `msauth login` says it in any case
        _announce(store)


def _not_kept(attempt: Attempt, why: str, fix: str) -> None:
    """Say why a sign-in is not kept; raises SignInError for who signs in to have it kept."""
    error = not_kept("the sign-in", why, fix)
    if attempt.prompt:
        raise error
    say("warning", error.message)


def _announce(store: Store) -> None:
    path = store.plain_file()
    if path is not None:
        say(
            "note",
            f"no keyring here: the sign-in is kept in {path}, readable by you and root;"
            " --no-persist keeps nothing",
        )


def _show_code(url: str, code: str, _expires: object) -> None:
    prompts.show(["sign in: open this page and enter this code", f"    {url}", f"    {code}"])


def _options(attempt: Attempt, claims: str | None) -> "TokenRequestOptions":
    options: TokenRequestOptions = {"enable_cae": True}
    if attempt.tenant:
        options["tenant_id"] = attempt.tenant
    if claims is not None:
        options["claims"] = claims
    return options


def _not_before_now() -> str:
    """Return claims that only a token issued from now on meets; they bypass the library's cache.

    The form is that of a continuous access evaluation challenge.
    """
    value = {"essential": True, "value": str(int(time.time()))}
    return json.dumps({"access_token": {"nbf": value}})


def _store(attempt: Attempt) -> Store:
    return Store(attempt.request, attempt.request.client_id or DEFAULT_CLIENT)


def _broker_reason(attempt: Attempt) -> str | None:
    """Say why the system's account broker (WAM, Company Portal) cannot be asked."""
    from importlib import metadata

    try:
        metadata.version("azure-identity-broker")
    except metadata.PackageNotFoundError:
        return "azure-identity-broker is not installed"
    if sys.platform == "linux" and not is_wsl(attempt.env):
        return "the broker is on Windows, macOS and WSL"
    return None


def _broker(attempt: Attempt) -> Token:
    """The account that the system is signed in with; a person is asked only where allowed."""
    import importlib

    module = importlib.import_module("azure.identity.broker")
    options: dict[str, Any] = {
        "tenant_id": attempt.tenant or "organizations",
        "parent_window_handle": _console_window(),
        "use_default_broker_account": True,
        "disable_interactive_fallback": not attempt.request.interactive,
        **attempt.authority_options(),
    }
    if attempt.request.client_id:
        options["client_id"] = attempt.request.client_id
    try:
        credential = module.InteractiveBrowserBrokerCredential(**options)
    except Exception as error:  # noqa: BLE001 - the broker's runtime fails in its own ways
        raise UnavailableError(f"broker: {aadsts.first_sentence(str(error))}") from None
    with waiting_for("the system's account broker", 0):
        return attempt.ask("broker", credential)


def _broker_who(attempt: Attempt) -> Who:
    return Who(attempt.request.username, attempt.tenant or "")


def _console_window() -> object:
    import msal

    return msal.PublicClientApplication.CONSOLE_WINDOW_HANDLE


BROWSER = Way(lambda _: None, _browser, _browser_absence, lambda a: _who(a, "browser"))
DEVICE_CODE = Way(
    lambda _: None, _device_code, _device_code_absence, lambda a: _who(a, "device-code")
)
BROKER = Way(_broker_reason, _broker, who=_broker_who)
