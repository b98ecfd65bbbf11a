"""Asking an Azure DevOps organisation which tenant it belongs to, where nobody remembers that."""

import time
from collections.abc import Mapping

from ..cache import record
from ..cache.folder import Folder
from .entry import organisation_key, read_tenant

_TENANT_TTL = 24 * 3600
_NO_TENANT_TTL = 600


def probe(organisation: str, env: Mapping[str, str]) -> str | None:
    """Return an organisation's tenant, "" when it says that it has none, None when nobody knows.

    It is asked once, however many processes want to know, and what it says is remembered. Those
    that wait import nothing that asks.
    """
    tenant: str | None = None
    try:
        folder = Folder.cache(env, create=True)
    except OSError:
        from ..signin import discovery

        return discovery.probe(organisation, env)

    def answered() -> bool:
        nonlocal tenant
        tenant = read_tenant(folder, organisation, now=int(time.time()))
        return tenant is not None

    name = record.name_of(organisation_key(organisation))
    with folder, folder.lock(name, timeout=20, answered=answered):
        if answered():
            return tenant
        from ..signin import discovery
        from . import changes

        tenant = discovery.probe(organisation, env)
        if tenant is not None:
            now = int(time.time())
            until = now + (_TENANT_TTL if tenant else _NO_TENANT_TTL)
            changes.write_tenant(folder, organisation, tenant, now=now, until=until)
    return tenant
