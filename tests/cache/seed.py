"""A cache with made-up tokens for what the programs are asked, so that no cloud is needed.

Also a program: `python seed.py` seeds the cache of its own environment (MSAUTH_CACHE_DIR and
MSAUTH_TENANT are to be set). The tokens are well-formed and worth nothing anywhere.
"""

import base64
import os
import time
from collections.abc import Mapping

from msauth.broker import changes
from msauth.cache.folder import Folder
from msauth.request.request import Token
from msauth.request.selection import select

REGISTRY = "contoso.azurecr.io"


def made_up_jwt(audience: str, now: int) -> str:
    """Return a token of the size and form of Entra ID's, with a signature of zeros."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = f'{{"aud":"{audience}","exp":{now + 3600},"iat":{now},"x":"{"x" * 900}"}}'
    return ".".join((part(b'{"alg":"RS256","typ":"JWT"}'), part(claims.encode()), part(bytes(256))))


def seed(env: Mapping[str, str], *, due: bool = False) -> None:
    """Put tokens that live for a day into the cache of env.

    They are for Azure DevOps, ARM and AKS, and one is the own token of REGISTRY. due: they are
    worth renewing.
    """
    now = int(time.time())
    selection = select({}, env)
    with Folder.cache(env, create=True) as folder:
        for product, registry in (("devops", ""), ("arm", ""), ("aks", ""), ("acr", REGISTRY)):
            scopes = selection.scopes_for(product)
            request = selection.request(scopes, registry=registry)
            token = Token(
                made_up_jwt(scopes[0].rpartition("/")[0], now),
                now + 86400,
                refresh_on=now - 1 if due else now + 43200,
                issued=now,
                tenant=env["MSAUTH_TENANT"],
                credential="azure-cli",
            )
            generation = folder.generation(request.profile)
            changes.keep(folder, request, token, generation=generation, claims=None)


if __name__ == "__main__":
    seed(os.environ)
