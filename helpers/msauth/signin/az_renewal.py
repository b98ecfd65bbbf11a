"""A new token for whom az is signed in as, with what az keeps to renew its own: in process.

For a user that is a refresh token. The one that comes back with the new token is thrown away; Entra
ID keeps the old one valid for a public client. For a service principal it is the secret or the
certificate. az's files stay as they are.
"""

from ..request.request import Token
from . import aadsts, network, service_principal
from .attempt import Attempt
from .az_cache import CLIENT_ID, Account, AzCache


def with_secret(attempt: Attempt, account: Account, entry: dict[str, object], kind: str) -> Token:
    """Sign in as az's service principal, in process."""
    principal = service_principal.credential(
        attempt,
        kind,
        account.tenant,
        account.name,
        secret=str(entry.get("client_secret") or ""),
        certificate=str(entry.get("certificate") or ""),
        chain=bool(entry.get("use_cert_sn_issuer")),
    )
    return attempt.ask(kind, principal)


def redeem(
    attempt: Attempt, cache: AzCache, account: Account, user: dict[str, object], kind: str
) -> Token:
    """Redeem az's refresh token at the account's tenant, in memory.

    A refresh token belongs to a user, not to a tenant: the home account's serves wherever the
    user is a guest.
    """
    import msal
    import requests

    request = attempt.request
    memory = msal.SerializableTokenCache()
    try:
        memory.deserialize(cache.serialized())
        with network.session(attempt.env) as session:
            app = msal.PublicClientApplication(
                CLIENT_ID,
                authority=f"{request.authority}/{account.tenant}",
                client_capabilities=["CP1"],
                instance_discovery=None if request.instance_discovery else False,
                token_cache=memory,
                http_client=session,
            )
            result = app.acquire_token_silent_with_error(
                list(request.scopes),
                account=user,
                force_refresh=True,
                claims_challenge=attempt.claims,
            )
    except msal.exceptions.MsalError:
        raise aadsts.down(kind, "") from None
    except requests.RequestException as error:
        raise aadsts.unreachable(kind, request, str(error)) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise aadsts.explain(kind, str(error), request, claims=attempt.claims) from None
    if not isinstance(result, dict) or not isinstance(result.get("access_token"), str):
        found = result if isinstance(result, dict) else {}
        text = str(found.get("error_description") or found.get("error") or "az has no sign-in")
        raise aadsts.explain(kind, text, request, claims=attempt.claims)
    lifetime = int(result["expires_in"])
    return attempt.token(
        kind,
        result["access_token"],
        attempt.started + lifetime,
        refresh_on=attempt.started + int(result.get("refresh_in") or lifetime // 2),
    )
