"""An API that takes bearer tokens: checks them, records whose they are, or refuses."""

from __future__ import annotations

import base64

from werkzeug.wrappers import Response

from ..entra.keys import TokenRejectedError, token_id
from ..entra.state import State
from ..network.service import Call, Service, bearer


class Api(Service):
    """``resource_id`` is the API's app id; ``home`` the one tenant whose tokens it takes, if so."""

    resource_id = ""
    home: str | None = None

    def __init__(self, state: State) -> None:
        self.state = state
        super().__init__()

    def respond(self, call: Call) -> Response:
        token, record = bearer(call.request), call.record
        tenants = (self.state.directory.tenants[self.home].id,) if self.home else None
        try:
            if token is None:
                raise TokenRejectedError("missing")
            record.auth, record.token_id = "bearer", token_id(token)
            call.claims = self.state.mint.check(token, self.resource_id, tenants)
        except TokenRejectedError as rejected:
            record.error = rejected.reason
            return self.denied(rejected)
        record.tenant, record.client_id = call.claims["tid"], call.claims["appid"]
        return super().respond(call)

    def denied(self, rejected: TokenRejectedError) -> Response:
        raise NotImplementedError


def challenge(rejected: TokenRejectedError, *before: str) -> str:
    """A Bearer challenge, with the wanted claims if there are any (RFC 6750, section 3)."""
    parts = [
        *before,
        'authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"',
    ]
    if rejected.challenge is None:
        parts += ['error="invalid_token"', f'error_description="{rejected.reason}"']
    else:
        claims = base64.b64encode(rejected.challenge.encode()).decode()
        parts += ['error="insufficient_claims"', f'claims="{claims}"']
    return "Bearer " + ", ".join(parts)
