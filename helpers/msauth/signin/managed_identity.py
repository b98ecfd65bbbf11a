"""The identity that Azure gives to a machine or an app service."""

from ..errors import SignInError
from ..request.kinds import MANAGED_IDENTITY as KIND
from ..request.request import Token
from .attempt import Attempt, Way, Who

AZURE_VM_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"
"""What the firmware of every Azure virtual machine says; cloud-init looks for the same."""
_VARIABLES = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST")
"""Each says where an identity is to be had; see `identity_endpoint`."""


def _reason(attempt: Attempt) -> str | None:
    reason = _absence(attempt)
    if reason is None:
        return None
    from . import arc

    return None if arc.is_here(attempt.env) else reason


def _absence(attempt: Attempt) -> str | None:
    """`auto` passes over Azure Arc where no variable names it: few people may have its token."""
    env = attempt.env
    if any(map(env.get, _VARIABLES)):
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

    A user-assigned identity is named by its resource id or its client id; each endpoint gets it
    under the parameter that it knows.
    """
    who = _who(attempt)
    if _is_inside_serve(attempt):
        from . import serve_endpoint

        return serve_endpoint.sign_in(attempt)
    from . import identity_endpoint

    resource_id = attempt.request.identity_resource_id
    if not identity_endpoint.is_plain(attempt.env):
        from . import service_fabric

        return service_fabric.sign_in(attempt, who.account, resource_id)
    if len(attempt.request.scopes) != 1:
        raise SignInError(f"{KIND}: one scope can be asked for at a time", "give one --scope")
    resource = attempt.request.scopes[0].removesuffix("/.default")
    text, expires_on = identity_endpoint.ask(attempt, resource, who.account, resource_id)
    return attempt.token(KIND, text, expires_on, refresh_on=0)


def assertion(attempt: Attempt, audience: str, identity: str) -> str:
    """Return a managed identity's token for an audience, as an assertion of who this machine is.

    identity: the client id or the resource id of a user-assigned one, "" for the machine's own.
    Raises SignInError and UnavailableError.
    """
    from . import identity_endpoint

    resource_id = identity if identity.startswith("/") else ""
    client_id = "" if resource_id else identity
    if not identity_endpoint.is_plain(attempt.env):
        from . import service_fabric

        return service_fabric.assertion(attempt, audience, client_id, resource_id)
    return identity_endpoint.ask(attempt, audience, client_id, resource_id)[0]


def _is_inside_serve(attempt: Attempt) -> bool:
    """Say whether this runs inside msauth-run --serve, which then is who gives the identity."""
    return attempt.env.get("MSAUTH_SERVE") == "1"


def _who(attempt: Attempt) -> Who:
    """Return the identity, where its client id names it.

    Raises SignInError for a double name, and what stands against asking its endpoint.
    """
    if _is_inside_serve(attempt):
        from . import serve_endpoint

        return serve_endpoint.who(attempt)
    resource_id = attempt.request.identity_resource_id
    if resource_id and attempt.request.client_id:
        raise SignInError(
            f"{KIND}: both a client id and a resource id name the identity",
            "use one of --client-id and --identity-resource-id",
        )
    client_id = "" if resource_id else attempt.client_id
    from . import identity_endpoint

    if identity_endpoint.is_plain(attempt.env):
        identity_endpoint.prepared(attempt, client_id, resource_id)
    return Who(client_id, attempt.tenant or "")


MANAGED_IDENTITY = Way(_reason, _sign_in, _absence, _who)
