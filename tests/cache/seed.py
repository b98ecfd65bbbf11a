"""A cache with made-up tokens for what the programs are asked, so that no cloud is needed.

Also a program: `python seed.py` seeds the cache of its own environment (MSAUTH_CACHE_DIR and
MSAUTH_TENANT are to be set). The tokens are well-formed and worth nothing anywhere.
"""

import base64
import os
import time

from msauth.cache import reader, writer
from msauth.request import clouds as products
from msauth.request.request import DEVOPS_SCOPE, Token
from msauth.request.selection import request_for


def made_up_jwt(audience: str, now: int) -> str:
    """Return a token of the size and form of Entra ID's, with a signature of zeros."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = f'{{"aud":"{audience}","exp":{now + 3600},"iat":{now},"x":"{"x" * 900}"}}'
    return ".".join((part(b'{"alg":"RS256","typ":"JWT"}'), part(claims.encode()), part(bytes(256))))


def seed(env: dict[str, str]) -> None:
    """Put a token that lives for a day for Azure DevOps, ARM and AKS into the cache of env."""
    place = os.environ.get("MSAUTH_CACHE_DIR")
    os.environ["MSAUTH_CACHE_DIR"] = env["MSAUTH_CACHE_DIR"]
    now = int(time.time())
    try:
        descriptor = writer.create_directory()
        for scopes in (
            (DEVOPS_SCOPE,),
            *(products.scopes_for(name, authority(env)) for name in ("arm", "aks", "devops")),
        ):
            request = request_for(scopes, {}, env)
            token = Token(
                made_up_jwt(scopes[0].rpartition("/")[0], now),
                now + 86400,
                refresh_on=now + 43200,
                issued=now,
                tenant=env["MSAUTH_TENANT"],
                credential="azure-cli",
            )
            epoch = reader.epoch(descriptor, request.profile)
            writer.write_token(descriptor, request, token, epoch=epoch, claims=None)
        os.close(descriptor)
    finally:
        if place is None:
            del os.environ["MSAUTH_CACHE_DIR"]
        else:
            os.environ["MSAUTH_CACHE_DIR"] = place


def authority(env: dict[str, str]) -> str:
    from msauth.request.selection import authority_of

    return authority_of({}, env)


if __name__ == "__main__":
    seed(dict(os.environ))
