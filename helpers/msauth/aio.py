"""`msauth.aio.MsauthCredential`: the same credential for asyncio; see `msauth.credential`.

A token that this process was given before is answered at once. Any other work is done in a thread,
so the event loop never waits for a lock, a server or a person.
"""

import asyncio
from types import TracebackType
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

from . import credential


class MsauthCredential:
    """azure-core's `AsyncTokenCredential` on the shared cache.

    Takes the keywords of `msauth.MsauthCredential` and raises what that raises.
    """

    def __init__(self, **options: Any) -> None:
        self._credential = credential.MsauthCredential(**options)

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **_: Any,
    ) -> AccessToken:
        """Return a token; expires_on is in epoch seconds. Without scopes: the profile's own."""
        token = self._credential._known(scopes, claims, tenant_id, enable_cae)
        if token is not None:
            return AccessToken(token.text, token.expires_on)
        return await asyncio.to_thread(
            self._credential.get_token,
            *scopes,
            claims=claims,
            tenant_id=tenant_id,
            enable_cae=enable_cae,
        )

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """Return the same with `refresh_on`."""
        return await asyncio.to_thread(self._credential.get_token_info, *scopes, options=options)

    async def close(self) -> None:
        """Do nothing; there is nothing open."""

    async def __aenter__(self) -> "MsauthCredential":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()
