"""The identity that Azure gives to a machine or an app service.

azure-identity finds the endpoint by IDENTITY_ENDPOINT, MSI_ENDPOINT and their keys in the
process's own environment; a request's `env` must be that one for these variables.
"""

from ..errors import SignInError
from ..request.request import Token
from . import aadsts, network, serve_endpoint
from .attempt import Attempt, Way, Who

TYPE_CHECKING = False
if TYPE_CHECKING:
    from azure.identity import ManagedIdentityCredential

AZURE_VM_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"
"""What the firmware of every Azure virtual machine says; cloud-init looks for the same."""


def _reason(attempt: Attempt) -> str | None:
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


def _sign_in(attempt: Attempt) -> Token:
    """The identity of the machine or app service; the tenant is the identity's own.

    A user-assigned identity is named by its resource id or its client id. `resource_id` is
    azure-identity's own word; each endpoint gets it under the parameter that it knows.
    """
    who = _who(attempt)
    if serve_endpoint.SERVE.reason(attempt) is None:
        return serve_endpoint.SERVE.sign_in(attempt)
    resource_id = attempt.request.identity_resource_id
    with aadsts.translated("managed-identity", attempt.request, claims=None):
        credential = _credential(attempt, who.account, resource_id)
    return attempt.ask("managed-identity", credential)


def assertion(attempt: Attempt, audience: str, identity: str) -> str:
    """Return a managed identity's token for an audience, as an assertion of who this machine is.

    identity: the client id or the resource id of a user-assigned one, "" for the machine's own.
    Raises SignInError and UnavailableError.
    """
    resource_id = identity if identity.startswith("/") else ""
    with aadsts.translated("managed-identity", attempt.request, claims=None):
        credential = _credential(attempt, "" if resource_id else identity, resource_id)
        return str(credential.get_token(f"{audience}/.default").token)


def _credential(attempt: Attempt, client_id: str, resource_id: str) -> "ManagedIdentityCredential":
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(
        client_id=client_id or None,
        identity_config={"resource_id": resource_id} if resource_id else None,
        transport=network.transport(attempt.env, connect=5),
        retry_total=2,
        # It would be chosen by the process's own variables, also where kubelogin's flags or
        # the cache key know nothing of them; `workload-identity` is a kind of its own.
        _exclude_workload_identity_credential=True,
    )


def _who(attempt: Attempt) -> Who:
    """Return the identity, where its client id names it; raises SignInError for a double name."""
    if serve_endpoint.SERVE.reason(attempt) is None:
        return serve_endpoint.SERVE.who(attempt)
    resource_id = attempt.request.identity_resource_id
    if resource_id and attempt.request.client_id:
        raise SignInError(
            "managed-identity: both a client id and a resource id name the identity",
            "use one of --client-id and --identity-resource-id",
        )
    return Who("" if resource_id else attempt.client_id, attempt.tenant or "")


MANAGED_IDENTITY = Way(_reason, _sign_in, who=_who)
