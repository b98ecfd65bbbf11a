"""A service principal: an application that signs in with its own secret or certificate."""

from ..errors import SignInError
from ..request.request import Token
from . import libraries  # noqa: F401 - first
from .attempt import Attempt, Way, Who, application, nothing_else


def _sign_in(attempt: Attempt) -> Token:
    """Sign in with what the environment names."""
    return attempt.ask(_kind(attempt), _named(attempt))


def _who(attempt: Attempt) -> Who:
    """Return the application; a certificate is read, because what is wrong with it would fail."""
    if not attempt.env.get("AZURE_CLIENT_SECRET"):
        _named(attempt)
    return application(attempt)


def _kind(attempt: Attempt) -> str:
    chosen = attempt.request.credential
    return chosen if chosen == "service-principal" else "environment"


def _named(attempt: Attempt) -> object:
    env = attempt.env
    return credential(
        attempt,
        _kind(attempt),
        attempt.tenant or env["AZURE_TENANT_ID"],
        attempt.client_id,
        secret=env.get("AZURE_CLIENT_SECRET", ""),
        certificate=env.get("AZURE_CLIENT_CERTIFICATE_PATH", ""),
        password=env.get("AZURE_CLIENT_CERTIFICATE_PASSWORD", ""),
        chain=env.get("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "").lower() in ("1", "true"),
    )


def credential(
    attempt: Attempt,
    kind: str,
    tenant: str,
    client_id: str,
    *,
    secret: str,
    certificate: str,
    password: str = "",
    chain: bool = False,
) -> object:
    """Return azure-identity's credential of an application; nothing is asked yet.

    Client credentials (RFC 6749 4.4) with a secret, else with a certificate (RFC 7523), which is
    a path. chain: whether to send it for subject name and issuer authentication. Raises
    SignInError for a certificate that cannot be used.
    """
    from azure.identity import CertificateCredential, ClientSecretCredential

    options = attempt.authority_options()
    if secret:
        return ClientSecretCredential(tenant, client_id, secret, **options)
    try:
        return CertificateCredential(
            tenant,
            client_id,
            certificate,
            password=password or None,
            send_certificate_chain=chain,
            **options,
        )
    except (OSError, ValueError, TypeError) as error:
        what = error.strerror if isinstance(error, OSError) else "not a usable PEM or PKCS#12 file"
        raise SignInError(
            f"{kind}: certificate {certificate}: {what or 'cannot be read'}",
            None
            if kind.startswith("azure-cli")  # az has its own
            else "check AZURE_CLIENT_CERTIFICATE_PATH and AZURE_CLIENT_CERTIFICATE_PASSWORD",
        ) from None


ENVIRONMENT = Way(nothing_else, _sign_in, who=_who)
SERVICE_PRINCIPAL = Way(nothing_else, _sign_in, who=_who)
