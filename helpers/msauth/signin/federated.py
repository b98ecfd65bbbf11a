"""Sign-ins without a secret: another issuer's token is the client assertion (RFC 7523).

Entra ID trusts the token of a Kubernetes service account, a GitHub workflow or an Azure
Pipelines job when the application has a federated credential for its issuer and subject.
"""

import os
from collections.abc import Callable

from ..errors import SignInError
from ..request.request import Token
from . import network
from .attempt import Attempt, Way, Who, application, lacking

AUDIENCE = "api://AzureADTokenExchange"


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
                    params={"audience": AUDIENCE},
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


WORKLOAD_IDENTITY = Way(
    lacking("workload-identity"), _workload_identity, who=_workload_identity_who
)
AZURE_PIPELINES = Way(lacking("azure-pipelines"), _azure_pipelines, who=_azure_pipelines_who)
GITHUB_ACTIONS = Way(lacking("github-actions"), _github_actions)
