"""Sign-ins without a secret: another issuer's token is the client assertion (RFC 7523).

Entra ID trusts the token of a Kubernetes service account, a GitHub workflow, an Azure Pipelines
job, a managed identity or any other issuer when the application has a federated credential for its
issuer and subject.
"""

import os
import subprocess
from collections.abc import Callable

from ..cache.record import is_token
from ..errors import SignInError, command
from ..request.clouds import CHINA, USGOV
from ..request.kinds import ASSERTION, COMMAND, FILE, MANAGED_IDENTITY, home
from ..request.request import Token
from . import managed_identity, network, programs
from .attempt import Attempt, Way, Who, application, nothing_else

AUDIENCE = "api://AzureADTokenExchange"
TIMEOUT = 60
"""Seconds that the command of a profile may take to print its assertion."""
_MAX_ASSERTION = 1 << 16
_SIGN_IN = "msauth help sign-in"


def _workload_identity(attempt: Attempt) -> Token:
    """Sign in with the token that Kubernetes projects into AZURE_FEDERATED_TOKEN_FILE."""
    from azure.identity import WorkloadIdentityCredential

    who = _workload_identity_who(attempt)
    credential = WorkloadIdentityCredential(
        tenant_id=who.tenant,
        client_id=who.account,
        token_file_path=attempt.env["AZURE_FEDERATED_TOKEN_FILE"],
        **attempt.authority_options(),
    )
    return attempt.ask("workload-identity", credential)


def _workload_identity_who(attempt: Attempt) -> Who:
    path = attempt.env["AZURE_FEDERATED_TOKEN_FILE"]
    if not os.path.isfile(path):
        raise SignInError(
            f"workload-identity: {path}: no such file", "check AZURE_FEDERATED_TOKEN_FILE"
        )
    return application(attempt)


def _azure_pipelines(attempt: Attempt) -> Token:
    """Sign in as the service connection of an Azure Pipelines job.

    AzureCLI@2 and AzurePowerShell@5 set the AZURESUBSCRIPTION_* variables; SYSTEM_ACCESSTOKEN
    must be mapped into the step's environment by hand.
    """
    from azure.identity import AzurePipelinesCredential

    who = _azure_pipelines_who(attempt)
    credential = AzurePipelinesCredential(
        tenant_id=who.tenant,
        client_id=who.account,
        service_connection_id=attempt.env["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"],
        system_access_token=attempt.env["SYSTEM_ACCESSTOKEN"],
        **attempt.authority_options(),
    )
    return attempt.ask("azure-pipelines", credential)


def _azure_pipelines_who(attempt: Attempt) -> Who:
    """Return the service connection's application; what the task says beats AZURE_… variables."""
    env, named = attempt.env, application(attempt)
    return Who(
        attempt.request.client_id or env.get("AZURESUBSCRIPTION_CLIENT_ID", "") or named.account,
        attempt.tenant or env.get("AZURESUBSCRIPTION_TENANT_ID", "") or named.tenant,
    )


def _github_actions(attempt: Attempt) -> Token:
    """Sign in with a GitHub workflow's OIDC token."""
    from azure.identity import ClientAssertionCredential

    credential = ClientAssertionCredential(
        attempt.tenant or attempt.env["AZURE_TENANT_ID"],
        attempt.client_id,
        _github_assertion(attempt),
        **attempt.authority_options(),
    )
    return attempt.ask("github-actions", credential)


def _github_assertion(attempt: Attempt) -> Callable[[], str]:
    """Return a function that asks GitHub for a token for Entra ID; it lives five minutes."""

    def assertion() -> str:
        import requests

        url = attempt.env["ACTIONS_ID_TOKEN_REQUEST_URL"]
        if not url.startswith("https://"):
            raise SignInError("github-actions: ACTIONS_ID_TOKEN_REQUEST_URL is not https")
        token = attempt.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
        with network.session(attempt.env) as session:
            try:
                answer = session.get(
                    url,
                    params={"audience": _audience(attempt)},
                    headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
                )
                body = answer.json() if answer.ok else None
            except (requests.RequestException, ValueError):
                raise SignInError(
                    "github-actions: GitHub's token service cannot be reached",
                    "try again in a minute",
                    deterministic=False,
                ) from None
        value = body.get("value") if isinstance(body, dict) else None
        if not isinstance(value, str) or not value:
            raise SignInError(
                f"github-actions: GitHub's token service answered {answer.status_code}",
                "check that the job has `permissions: id-token: write`",
                deterministic=answer.status_code < 500,
            )
        return value

    return assertion


def _audience(attempt: Attempt) -> str:
    """Return what an assertion is to be for: the profile's word, or the cloud's own.

    https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity
    """
    chosen = attempt.request.assertion_audience
    if chosen:
        return chosen
    host = attempt.request.authority.removeprefix("https://")
    for cloud, suffix in ((USGOV, "USGov"), (CHINA, "China")):
        if host in cloud.login_hosts:
            return AUDIENCE + suffix
    return AUDIENCE


def _federated_reason(attempt: Attempt) -> str | None:
    if not attempt.request.assertion:
        return "the profile has no assertion"
    if not attempt.client_id:
        return "the profile has no client_id"
    if not (attempt.tenant or attempt.env.get("AZURE_TENANT_ID")):
        return "the profile has no tenant"
    if attempt.request.assertion == MANAGED_IDENTITY:
        return managed_identity.MANAGED_IDENTITY.reason(attempt)
    return None


def _federated(attempt: Attempt) -> Token:
    """Sign in with the assertion that the profile names."""
    from azure.identity import ClientAssertionCredential

    credential = ClientAssertionCredential(
        attempt.tenant or attempt.env["AZURE_TENANT_ID"],
        attempt.client_id,
        lambda: _assertion(attempt),
        **attempt.authority_options(),
    )
    return attempt.ask("federated", credential)


def _assertion(attempt: Attempt) -> str:
    """Return the client assertion. Raises SignInError for what cannot be one: a JWT (RFC 7519)."""
    kind, *words = attempt.request.assertion.split(ASSERTION)
    words = [home(attempt.env) + word[1:] if word.startswith("~/") else word for word in words]
    if kind == COMMAND:
        where, text = words[0], _printed(attempt, words)
    elif kind == FILE:
        where, text = words[0], _contents(words[0])
    else:
        identity = attempt.request.assertion_identity
        where, text = (
            "the managed identity",
            managed_identity.assertion(attempt, _audience(attempt), identity),
        )
    text = text.strip()
    if not is_token(text) or text.count(".") != 2:
        raise SignInError(f"federated: what {where} gives is no assertion (a JWT)", _SIGN_IN)
    return text


def _printed(attempt: Attempt, words: list[str]) -> str:
    """Return what a command prints. What it says on stderr may be a secret, so it is not shown."""
    program = words[0]
    if not os.access(program, os.X_OK) or os.path.isdir(program):
        raise SignInError(f"federated: {program} is not there, or not a program", _SIGN_IN)
    hint = command(*words)
    try:
        done = programs.run(words, attempt.env, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        message = f"federated: {program} did not end within {TIMEOUT} seconds"
        raise SignInError(message, hint, deterministic=False) from None
    except programs.TooMuchError:
        raise SignInError(f"federated: {program} prints far more than a token", hint) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it cannot be started"
        raise SignInError(f"federated: {program}: {why.lower()}", hint) from None
    if done.returncode:
        how = f"exit code {done.returncode}"
        if done.returncode < 0:
            how = f"signal {-done.returncode}"
        raise SignInError(f"federated: {program} failed ({how})", hint, deterministic=False)
    return done.stdout


def _contents(path: str) -> str:
    """Return what is in a file that only its owner, the user or root, can write."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        why = (error.strerror or "cannot be read").lower()
        raise SignInError(f"federated: {path}: {why}", _SIGN_IN) from None
    try:
        why = programs.mistrusted(os.fstat(descriptor)) or ""
        if why:
            raise SignInError(f"federated: {path} {why}", command("ls", "-ld", path))
        return os.read(descriptor, _MAX_ASSERTION).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


WORKLOAD_IDENTITY = Way(nothing_else, _workload_identity, who=_workload_identity_who)
AZURE_PIPELINES = Way(nothing_else, _azure_pipelines, who=_azure_pipelines_who)
GITHUB_ACTIONS = Way(nothing_else, _github_actions)
FEDERATED = Way(_federated_reason, _federated)
