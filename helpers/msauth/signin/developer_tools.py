"""The sign-ins of the Azure Developer CLI and of Azure PowerShell.

Both keep their tokens themselves and give the same one until it nears its end.
"""

import base64
import datetime
import json
import subprocess
from typing import Any

from ..errors import SignInError, UnavailableError
from ..request.kinds import azd_directory, home
from ..request.request import Token
from ..waiting import waiting_for
from . import aadsts, libraries  # noqa: F401 - first
from .attempt import Attempt, Way, Who
from .programs import TooMuchError, run, which

TIMEOUT = 60
"""Seconds: these tools are slow to start, and a first pwsh builds its module cache."""


def answer(
    attempt: Attempt, kind: str, words: list[str], **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a tool that gives tokens; variables: what to set in its environment.

    Raises UnavailableError when it cannot be started, SignInError when it does not answer.
    """
    program = which(words[0], attempt.env)
    if program is None:
        raise UnavailableError(f"{words[0]} is not on PATH")
    try:
        return run([program, *words[1:]], {**attempt.env, **variables}, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise SignInError(
            f"{kind}: {words[0]} did not answer within {TIMEOUT} seconds",
            "try again in a minute",
            deterministic=False,
        ) from None
    except TooMuchError:
        raise SignInError(f"{kind}: {words[0]} printed far more than a token") from None
    except (OSError, ValueError):
        raise UnavailableError(f"{program} cannot be started") from None


def _azd_reason(attempt: Attempt) -> str | None:
    return None if which("azd", attempt.env) else "azd is not on PATH"


def _azd_absence(attempt: Attempt) -> str | None:
    """Say why `auto` need not start azd: nobody is signed in with it.

    After a logout its auth.json stays, with an empty account. With `auth.useAzCliAuth` it
    answers as whoever is signed in with az, which `auto` has asked already.
    """
    why = _azd_reason(attempt)
    if why is not None:
        return why
    env = attempt.env
    if env.get("AZD_AUTH_ENDPOINT") and env.get("AZD_AUTH_KEY"):
        return None
    account = _read(azd_directory(env) + "/auth.json", "auth", "account", "currentUser")
    return None if account else "nobody is signed in with azd"


def _azd(attempt: Attempt) -> Token:
    """Return the answer of `azd auth token`, which also takes claims.

    Options and values are joined by `=`: with a space azd takes the value for the name of an
    extension's command and looks it up in the web first, for seconds where that is blocked.
    """
    kind, request = "azure-developer-cli", attempt.request
    words = ["azd", "auth", "token", "--output=json", "--no-prompt"]
    words += [f"--scope={scope}" for scope in request.scopes]
    if attempt.tenant:
        words.append(f"--tenant-id={attempt.tenant}")
    if attempt.claims is not None:
        words.append("--claims=" + base64.b64encode(attempt.claims.encode()).decode())
    done = answer(attempt, kind, words, NO_COLOR="true")
    if done.returncode == 0:
        return _azd_token(attempt, kind, done.stdout)
    text = _azd_message(done.stdout) or _azd_message(done.stderr) or done.stderr
    if "AADSTS" not in text and ("not logged in" in text or "azd auth login" in text):
        hint = aadsts.login_hint(kind, request, None)
        raise UnavailableError("nobody is signed in with azd", hint)
    if "unknown flag: --claims" in text:
        raise SignInError(f"{kind}: this azd is too old to satisfy the server", "upgrade azd")
    raise aadsts.explain(kind, text, request, claims=None)


def _azd_token(attempt: Attempt, kind: str, output: str) -> Token:
    try:
        said = json.loads(output)
        text, until = said["token"], said["expiresOn"]  # RFC 3339, in UTC
        moment = datetime.datetime.fromisoformat(until.replace("Z", "+00:00"))
    except (ValueError, KeyError, TypeError, AttributeError):
        text, moment = None, datetime.datetime.max
    if not isinstance(text, str):
        raise SignInError(f"{kind}: azd's answer cannot be understood", "azd version")
    utc = moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
    expires_on = int(utc.timestamp())
    return attempt.token(kind, text, expires_on, refresh_on=expires_on)


def _azd_message(output: str) -> str:
    """Return the error in what azd prints as JSON lines: `error`, in older ones `data.message`."""
    older = ""
    for line in output.split("\n"):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if not isinstance(said, dict):
            continue
        if isinstance(said.get("error"), str) and said["error"].strip():
            return str(said["error"]).strip()
        data = said.get("data")
        message = data.get("message") if isinstance(data, dict) else None
        older = older or (message.strip() if isinstance(message, str) else "")
    return older


def _azd_who(attempt: Attempt) -> Who:
    """Return what azd's files say: whether somebody is signed in, but not who."""
    why = _azd_absence(attempt)
    config = azd_directory(attempt.env) + "/config.json"
    if why is not None and _read(config, "auth", "useAzCliAuth") != "true":
        raise UnavailableError(why, aadsts.login_hint("azure-developer-cli", attempt.request, None))
    return Who(tenant=attempt.tenant or "")


def _powershell_reason(attempt: Attempt) -> str | None:
    return None if which("pwsh", attempt.env) else "pwsh is not on PATH"


def _powershell_absence(attempt: Attempt) -> str | None:
    """Say why `auto` need not start pwsh: nobody is signed in with Connect-AzAccount.

    Importing Az.Accounts alone creates the file, with no account in it.
    """
    why = _powershell_reason(attempt)
    if why is not None:
        return why
    contexts = _read(_contexts(attempt), "Contexts")
    if isinstance(contexts, dict) and any(
        isinstance(context, dict) and context.get("Account") for context in contexts.values()
    ):
        return None
    return "nobody is signed in with Connect-AzAccount"


def _contexts(attempt: Attempt) -> str:
    return home(attempt.env) + "/.Azure/AzureRmContext.json"


def _powershell_who(attempt: Attempt) -> Who:
    """Return the account and tenant of Azure PowerShell's default context."""
    why = _powershell_absence(attempt)
    if why is not None:
        raise UnavailableError(why, aadsts.login_hint("azure-powershell", attempt.request, None))
    key = str(_read(_contexts(attempt), "DefaultContextKey"))
    account = _read(_contexts(attempt), "Contexts", key, "Account", "Id")
    tenant = attempt.tenant or _read(_contexts(attempt), "Contexts", key, "Tenant", "Id")
    return Who(str(account or ""), str(tenant or ""))


def _powershell(attempt: Attempt) -> Token:
    """Return the answer of `Get-AzAccessToken`; it takes no claims.

    azure-identity starts pwsh itself, in the process's own environment and from /bin.
    """
    from azure.identity import AzurePowerShellCredential

    kind = "azure-powershell"
    if attempt.claims is not None:
        raise UnavailableError(
            "the server wants a new sign-in that Azure PowerShell cannot do by itself",
            aadsts.login_hint(kind, attempt.request, attempt.claims),
        )
    credential = AzurePowerShellCredential(
        additionally_allowed_tenants=["*"], process_timeout=TIMEOUT
    )
    try:
        with waiting_for("pwsh", TIMEOUT):
            return attempt.ask(kind, credential, renewable=False)
    except UnavailableError as error:
        if "module" in error.message:  # signing in is one of its commands, too
            error.hint = "pwsh -Command 'Install-Module Az.Accounts -Scope CurrentUser'"
        raise


def _read(path: str, *names: str) -> Any:
    """Return a value of a tool's JSON file by its path of names, or None."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return None
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


AZURE_DEVELOPER_CLI = Way(_azd_reason, _azd, _azd_absence, _azd_who)
AZURE_POWERSHELL = Way(_powershell_reason, _powershell, _powershell_absence, _powershell_who)
