"""The identity that Azure gives to a machine or an app service."""

from ..request.request import Token
from .attempt import Attempt

AZURE_VM_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"
"""What the firmware of every Azure virtual machine says; cloud-init looks for the same."""


def reason(attempt: Attempt) -> str | None:
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


def sign_in(attempt: Attempt) -> Token:
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
