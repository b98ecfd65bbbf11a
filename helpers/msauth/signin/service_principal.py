"""A service principal: an application that signs in with its own secret or certificate."""

from ..errors import SignInError
from ..request import Token
from .attempt import Attempt


def reason(attempt: Attempt) -> str | None:
    env = attempt.env
    if not attempt.client_id:
        return "AZURE_CLIENT_ID is not set"
    if not env.get("AZURE_CLIENT_SECRET") and not env.get("AZURE_CLIENT_CERTIFICATE_PATH"):
        return "neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set"
    if not (attempt.tenant or env.get("AZURE_TENANT_ID")):
        return "AZURE_TENANT_ID is not set"
    return None


def sign_in(attempt: Attempt) -> Token:
    """Client credentials (RFC 6749 4.4) with a secret, or with a certificate (RFC 7523)."""
    from azure.identity import CertificateCredential, ClientSecretCredential

    env = attempt.env
    tenant = attempt.tenant or env["AZURE_TENANT_ID"]
    kind = attempt.request.credential
    kind = "service-principal" if kind == "service-principal" else "environment"
    secret = env.get("AZURE_CLIENT_SECRET")
    credential: object
    if secret:
        credential = ClientSecretCredential(
            tenant, attempt.client_id, secret, **attempt.authority_options()
        )
        return attempt.ask(kind, credential)
    path = env["AZURE_CLIENT_CERTIFICATE_PATH"]
    chain = env.get("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "").lower() in ("1", "true")
    try:
        credential = CertificateCredential(
            tenant,
            attempt.client_id,
            path,
            password=env.get("AZURE_CLIENT_CERTIFICATE_PASSWORD") or None,
            send_certificate_chain=chain,
            **attempt.authority_options(),
        )
    except (OSError, ValueError, TypeError) as error:
        what = error.strerror if isinstance(error, OSError) else "not a usable PEM or PKCS#12 file"
        raise SignInError(
            f"{kind}: certificate {path}: {what or 'cannot be read'}",
            "check AZURE_CLIENT_CERTIFICATE_PATH and AZURE_CLIENT_CERTIFICATE_PASSWORD",
        ) from None
    return attempt.ask(kind, credential)
