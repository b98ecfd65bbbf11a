"""A managed identity whose endpoint has TLS, by azure-identity: that of Service Fabric.

The endpoint is known by the thumbprint of its certificate. azure-identity finds all that in the
process's own environment; a request's `env` must be that one for these variables.
"""

from ..request.kinds import MANAGED_IDENTITY as KIND
from ..request.request import Token
from . import aadsts, network
from .attempt import Attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from azure.identity import ManagedIdentityCredential


def sign_in(attempt: Attempt, client_id: str, resource_id: str) -> Token:
    """Return the identity's token. Raises SignInError and UnavailableError."""
    with aadsts.translated(KIND, attempt.request, claims=None):
        credential = _credential(attempt, client_id, resource_id)
    return attempt.ask(KIND, credential)


def assertion(attempt: Attempt, audience: str, client_id: str, resource_id: str) -> str:
    """Return the identity's token for an audience; raises as `sign_in`."""
    with aadsts.translated(KIND, attempt.request, claims=None):
        credential = _credential(attempt, client_id, resource_id)
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
