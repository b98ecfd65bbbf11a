"""The kinds of credential: for each, whether its environment is there, and how to ask it.

`reason(env)` says why a kind is not usable here, or None; it looks at the environment only and
never starts a program or opens a connection. The signing-in function may still find out that
nobody is signed in, and raises UnavailableError then.
"""

import os
import shutil
from collections.abc import Callable, Mapping

from ..errors import SignInError, UnavailableError
from ..request import Token
from .attempt import Attempt

Reason = Callable[[Attempt], "str | None"]
SignIn = Callable[[Attempt], Token]

AZURE_VM_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"
"""What the firmware of every Azure virtual machine says; cloud-init looks for the same."""


def service_principal_reason(attempt: Attempt) -> str | None:
    env = attempt.env
    if not attempt.client_id:
        return "AZURE_CLIENT_ID is not set"
    if not env.get("AZURE_CLIENT_SECRET") and not env.get("AZURE_CLIENT_CERTIFICATE_PATH"):
        return "neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set"
    if not (attempt.tenant or env.get("AZURE_TENANT_ID")):
        return "AZURE_TENANT_ID is not set"
    return None


def service_principal(attempt: Attempt) -> Token:
    """Client credentials (RFC 6749 4.4) with a secret, or with a certificate (RFC 7523)."""
    from azure.identity import CertificateCredential, ClientSecretCredential

    env = attempt.env
    tenant = attempt.tenant or env["AZURE_TENANT_ID"]
    kind = attempt.request.credential
    kind = "service-principal" if kind == "service-principal" else "environment"
    secret = env.get("AZURE_CLIENT_SECRET")
    credential: object
    if secret:
        credential = ClientSecretCredential(
            tenant, attempt.client_id, secret, **attempt.authority_options()
        )
        return attempt.ask(kind, credential)
    path = env["AZURE_CLIENT_CERTIFICATE_PATH"]
    chain = env.get("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "").lower() in ("1", "true")
    try:
        credential = CertificateCredential(
            tenant,
            attempt.client_id,
            path,
            password=env.get("AZURE_CLIENT_CERTIFICATE_PASSWORD") or None,
            send_certificate_chain=chain,
            **attempt.authority_options(),
        )
    except (OSError, ValueError, TypeError) as error:
        what = error.strerror if isinstance(error, OSError) else "not a usable PEM or PKCS#12 file"
        raise SignInError(
            f"{kind}: certificate {path}: {what or 'cannot be read'}",
            "check AZURE_CLIENT_CERTIFICATE_PATH and AZURE_CLIENT_CERTIFICATE_PASSWORD",
        ) from None
    return attempt.ask(kind, credential)


def workload_identity_reason(attempt: Attempt) -> str | None:
    env = attempt.env
    if not attempt.client_id:
        return "AZURE_CLIENT_ID is not set"
    if not env.get("AZURE_FEDERATED_TOKEN_FILE"):
        return "AZURE_FEDERATED_TOKEN_FILE is not set"
    if not (attempt.tenant or env.get("AZURE_TENANT_ID")):
        return "AZURE_TENANT_ID is not set"
    return None


def workload_identity(attempt: Attempt) -> Token:
    """A Kubernetes service account's token as client assertion (RFC 7523)."""
    from azure.identity import WorkloadIdentityCredential

    path = attempt.env["AZURE_FEDERATED_TOKEN_FILE"]
    if not os.path.isfile(path):
        raise SignInError(
            f"workload-identity: {path}: no such file", "check AZURE_FEDERATED_TOKEN_FILE"
        )
    credential = WorkloadIdentityCredential(
        tenant_id=attempt.tenant or attempt.env["AZURE_TENANT_ID"],
        client_id=attempt.client_id,
        token_file_path=path,
        **attempt.authority_options(),
    )
    return attempt.ask("workload-identity", credential)


def managed_identity_reason(attempt: Attempt) -> str | None:
    env = attempt.env
    if env.get("IDENTITY_ENDPOINT") or env.get("MSI_ENDPOINT"):
        return None
    try:
        with open("/sys/class/dmi/id/chassis_asset_tag", encoding="ascii") as tag:
            if tag.read(64).strip() == AZURE_VM_ASSET_TAG:
                return None
    except (OSError, ValueError):
        pass
    return "neither IDENTITY_ENDPOINT nor MSI_ENDPOINT is set, and this is no Azure machine"


def managed_identity(attempt: Attempt) -> Token:
    """The identity of the machine or app service; the tenant is the identity's own."""
    from azure.identity import ManagedIdentityCredential

    resource_id = attempt.request.identity_resource_id
    credential = ManagedIdentityCredential(
        client_id=attempt.client_id or None,
        identity_config={"mi_res_id": resource_id} if resource_id else None,
        connection_timeout=5,
        read_timeout=30,
        retry_total=2,
    )
    return attempt.ask("managed-identity", credential)


def azure_cli_reason(attempt: Attempt) -> str | None:
    return None if which("az", attempt.env) else "az is not on PATH"


def azure_cli(attempt: Attempt) -> Token:
    """`az account get-access-token`, through azure-identity.

    az truncates its cache while it rewrites it, and a reader of that moment is told that nobody
    is signed in: asked once more before that is believed.
    """
    from azure.identity import AzureCliCredential

    if attempt.claims is not None:
        from .aadsts import login_hint

        raise SignInError(
            "azure-cli: the server wants a new sign-in that az cannot do by itself",
            login_hint("azure-cli", attempt.request, attempt.claims),
        )
    credential = AzureCliCredential(
        tenant_id=attempt.tenant or "", additionally_allowed_tenants=["*"], process_timeout=60
    )
    try:
        return attempt.ask("azure-cli", credential, renewable=False)
    except SignInError as error:
        if isinstance(error, UnavailableError) and "not found" in error.message:
            raise
        if "AADSTS" in error.message or "rejected" in error.message:
            raise
        return attempt.ask("azure-cli", credential, renewable=False)


def which(program: str, env: Mapping[str, str]) -> str | None:
    """Return a program's path from PATH, never from the current directory (CVE-2020-26233)."""
    found = shutil.which(program, path=env.get("PATH"))
    return found if found and os.path.isabs(found) else None


KINDS: dict[str, tuple[Reason, SignIn]] = {
    "environment": (service_principal_reason, service_principal),
    "service-principal": (service_principal_reason, service_principal),
    "workload-identity": (workload_identity_reason, workload_identity),
    "managed-identity": (managed_identity_reason, managed_identity),
    "azure-cli": (azure_cli_reason, azure_cli),
}
