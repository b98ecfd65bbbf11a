"""`MsauthCredential`: azure-core's `TokenCredential` on the shared cache, for every Azure SDK.

    from msauth import MsauthCredential
    client = GraphServiceClient(credentials=MsauthCredential(profile="intune"), scopes=[...])

A hundred scripts share one sign-in; a token that is cached costs one small file read, and one
that this process was given before costs a look at the times of three or four files.
"""

import os
from types import TracebackType
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import ClientAuthenticationError

from .broker import broker
from .broker.remembered import Remembered, remember
from .errors import SignInError, UnavailableError
from .request.options import Options
from .request.request import Token, TokenRequest
from .request.selection import select


class MsauthCredential:
    """Signs in as msauth's executables do, with the same options, environment and profiles.

    profile: a name of profiles.toml ("" is none, also where MSAUTH_PROFILE names one). tenant:
    a GUID or a domain. credential: a value of `--credential`. client_id: an application of your
    own, or a managed identity. authority_host: the sign-in host of another cloud. username: the
    account to suggest to a browser sign-in. min_valid: seconds a token must still live.
    interactive: whether a person may be asked; None means where there is a terminal and CI is
    not set. persist: whether a browser or device code sign-in outlives the process.

    Instances are cheap and may be used by many threads at once. A logout, a refusal, a renewal and
    another sign-in take effect at once, whichever process does it.
    """

    def __init__(
        self,
        *,
        profile: str | None = None,
        tenant: str | None = None,
        credential: str | None = None,
        client_id: str | None = None,
        authority_host: str | None = None,
        disable_instance_discovery: bool = False,
        username: str | None = None,
        min_valid: int | None = None,
        interactive: bool | None = None,
        persist: bool = True,
    ) -> None:
        chosen = {
            "--profile": profile,
            "--tenant": tenant,
            "--credential": credential,
            "--client-id": client_id,
            "--authority-host": authority_host,
            "--disable-instance-discovery": "1" if disable_instance_discovery else None,
            "--username": username,
            "--min-valid": None if min_valid is None else str(min_valid),
            "--no-persist": None if persist else "1",
        }
        self._options: Options = {k: v for k, v in chosen.items() if v is not None}
        self._interactive = interactive
        self._remembered: dict[tuple[object, ...], Remembered] = {}

    def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **_: Any,
    ) -> AccessToken:
        """Return a token; expires_on is in epoch seconds. Without scopes: the profile's own.

        claims: the JSON of a claims challenge; only a token that was issued for it is returned.
        Raises ClientAuthenticationError when signing in fails, its subclass
        CredentialUnavailableError when there is nothing to sign in with, and msauth's UsageError
        for an option or a profile that is wrong.
        """
        token = self._known(scopes, claims, tenant_id, enable_cae)
        if token is None:
            token = self._get(scopes, claims, tenant_id, enable_cae)
        return AccessToken(token.text, token.expires_on)

    def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """Return the same with `refresh_on`: from then on a newer token is to be had for less.

        options: azure-core's `claims`, `tenant_id` and `enable_cae`. Raises as `get_token`.
        """
        given = options or {}
        asked = given.get("claims"), given.get("tenant_id"), bool(given.get("enable_cae"))
        token = self._known(scopes, *asked) or self._get(scopes, *asked)
        return AccessTokenInfo(token.text, token.expires_on, refresh_on=token.refresh_on or None)

    def _known(
        self, scopes: tuple[str, ...], claims: str | None, tenant: str | None, cae: bool
    ) -> Token | None:
        """Return the token that was given for this before, if it still is the answer, or None.

        It waits for nothing, so it may be asked in an event loop.
        """
        if claims is not None:
            return None
        found = self._remembered.get((scopes, tenant, cae))
        return found.token if found is not None and found.holds() else None

    def close(self) -> None:
        """Do nothing; there is nothing open. The cached sign-in stays, for everybody else."""

    def __enter__(self) -> "MsauthCredential":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()

    def _get(
        self, scopes: tuple[str, ...], claims: str | None, tenant: str | None, cae: bool
    ) -> Token:
        request = self._request(scopes, claims, tenant, cae)
        try:
            token = broker.get_token(request)
        except SignInError as error:
            from azure.identity import CredentialUnavailableError

            text = f"{error.message} ({error.hint})" if error.hint else error.message
            unavailable = isinstance(error, UnavailableError)
            kind = CredentialUnavailableError if unavailable else ClientAuthenticationError
        else:
            found = remember(request, token) if claims is None and request.persist else None
            if found is not None:
                self._remembered[(scopes, tenant, cae)] = found
            return token
        # Outside of the except block: a context would show the request in a traceback.
        raise kind(message=text)

    def _request(
        self, scopes: tuple[str, ...], claims: str | None, tenant: str | None, cae: bool
    ) -> TokenRequest:
        options = self._options
        if tenant:
            options = {**options, "--tenant": tenant}
        interactive = self._interactive
        if interactive is None:
            interactive = broker.may_prompt(os.environ)
        return select(options, os.environ).request(
            scopes, interactive=interactive, claims=claims, cae=True if cae else None
        )
