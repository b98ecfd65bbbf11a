"""Which tenant an Azure DevOps organisation belongs to, found by asking it once.

A HEAD on the organisation's URL without credentials is answered 401 with the tenant in its
headers. Nothing of ours is sent, no redirect is followed and no netrc is read.
"""

from collections.abc import Mapping
from typing import Any

from ..protocols.challenges import tenant_guid, tenant_of
from ..request.clouds import DEVOPS_HOST, LOGIN_HOSTS
from . import network


def probe(organisation: str, env: Mapping[str, str]) -> str | None:
    """Return the organisation's tenant GUID, "" when it has none, None when nobody knows.

    None: the server could not be reached or said nothing usable; not worth remembering.
    """
    import requests

    session = network.session(env, git=True)
    try:
        answer = session.head(
            f"https://{DEVOPS_HOST}/{organisation}",
            headers={"X-TFS-FedAuthRedirect": "Suppress", "User-Agent": "msauth"},
            timeout=(5, 10),
        )
    except (requests.RequestException, OSError):
        return None
    finally:
        session.close()
    challenges = [value for name, value in _pairs(answer.raw) if name == "www-authenticate"]
    tenant = tenant_of(challenges, LOGIN_HOSTS)
    if answer.status_code != 401:
        return tenant or None
    if tenant is None:
        tenant = tenant_guid(answer.headers.get("X-VSS-ResourceTenant", "").strip())
    return tenant


def _pairs(raw: Any) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in raw.headers.iteritems()]
