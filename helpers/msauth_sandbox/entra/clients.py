"""Proving that a confidential client is who it says: secret, certificate, or federated token."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from .aadsts import SignInError
from .directory import TOKEN_EXCHANGE, Application, Certificate, Tenant
from .keys import Key, TokenRejectedError, base64url

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def authenticate(
    application: Application,
    tenant: Tenant,
    form: Mapping[str, str],
    token_url: str,
    now: float,
) -> None:
    """Raises SignInError unless the client proved itself (RFC 6749, 2.3; RFC 7523).

    ``now`` is what this cloud's clock says, in epoch seconds.
    """
    assertion = form.get("client_assertion")
    if assertion is not None:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise SignInError(900144, "client_assertion_type is missing or unknown.")
        _check_assertion(application, tenant, assertion, token_url, now)
        return
    secret = form.get("client_secret")
    if application.secret is None:
        if secret is not None:
            raise SignInError(700027 if application.certificates else 7000215)
        if application.certificates or application.federated:
            raise SignInError(7000218)
        return
    if secret is None:
        raise SignInError(7000218)
    if secret in application.expired_secrets:
        raise SignInError(7000222)
    if not secrets.compare_digest(secret.encode(), application.secret.encode()):
        raise SignInError(7000215, f"App '{application.client_id}'.")


def _check_assertion(
    application: Application, tenant: Tenant, assertion: str, token_url: str, now: float
) -> None:
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise SignInError(50027, "Invalid JWT token.", error="invalid_request") from None
    if claims.get("iss") == application.client_id:
        _check_certificate(application, tenant, assertion, header, token_url)
    else:
        _check_federated(application, assertion, claims)
    if float(claims.get("exp", 0)) <= now:
        raise SignInError(700024)


def _check_federated(application: Application, assertion: str, claims: Mapping[str, Any]) -> None:
    by_issuer = [f for f in application.federated if f.issuer == claims.get("iss")]
    if not by_issuer:
        raise SignInError(700211, f"Issuer '{claims.get('iss')}'.")
    by_subject = [f for f in by_issuer if f.subject == claims.get("sub")]
    if not by_subject:
        raise SignInError(700213, f"Subject '{claims.get('sub')}'.")
    audiences = claims.get("aud")
    audiences = audiences if isinstance(audiences, list) else [audiences]
    if TOKEN_EXCHANGE in audiences:
        audiences = ["api://AzureADTokenExchange"]
    if not any(f.audience in audiences for f in by_subject):
        raise SignInError(700212, f"Audience '{claims.get('aud')}'.")
    try:
        Key.verify(assertion)
    except TokenRejectedError:
        raise SignInError(50013, "The assertion's signature is wrong.") from None


def _check_certificate(
    application: Application,
    tenant: Tenant,
    assertion: str,
    header: Mapping[str, Any],
    token_url: str,
) -> None:
    certificate = _registered(application, header)
    if certificate is None:
        raise SignInError(700027)
    public = certificate.public_key()
    if not isinstance(public, RSAPublicKey):
        raise SignInError(700027, "Only RSA keys are supported.")
    host = token_url.partition("/oauth2/")[0]
    audiences = [token_url, f"{host}/v2.0", f"https://sts.windows.net/{tenant.id}/"]
    try:
        claims = jwt.decode(
            assertion,
            public,
            algorithms=["RS256", "PS256"],
            audience=audiences,
            options={"require": ["exp", "iss", "sub", "aud"]},
        )
    except jwt.ExpiredSignatureError:
        raise SignInError(700024) from None
    except jwt.PyJWTError:
        raise SignInError(700027, "The assertion's signature or audience is wrong.") from None
    if claims["sub"] != application.client_id:
        raise SignInError(700021, "Subject and issuer differ.", error="invalid_client")


def _registered(application: Application, header: Mapping[str, Any]) -> x509.Certificate | None:
    """The certificate an assertion's header names, by thumbprint, or by its chain (SNI)."""
    # MSAL for Python keeps the padding that RFC 7515 leaves out.
    named = str(header.get("x5t#S256") or header.get("x5t") or "").rstrip("=")
    for entry in application.certificates:
        if entry.subject_name is None and named in thumbprints(entry.certificate):
            return entry.certificate
    chain = header.get("x5c")
    if not chain:
        return None
    chain = [chain] if isinstance(chain, str) else chain
    leaf = _load(chain[0])
    if leaf is None:
        return None
    for entry in application.certificates:
        if entry.subject_name is not None and _is_issued(leaf, entry):
            return leaf
    return None


def _load(text: str) -> x509.Certificate | None:
    body = "".join(line for line in text.splitlines() if "-----" not in line)
    pem = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None


def _is_issued(leaf: x509.Certificate, entry: Certificate) -> bool:
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if entry.subject_name not in [name.value for name in names]:
        return False
    try:
        leaf.verify_directly_issued_by(entry.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def thumbprints(certificate: x509.Certificate) -> tuple[str, str]:
    """The ``x5t`` and ``x5t#S256`` header values of a certificate (RFC 7515, 4.1.7 and 4.1.8)."""
    der = certificate.public_bytes(Encoding.DER)
    return (
        base64url(hashlib.sha1(der, usedforsecurity=False).digest()),
        base64url(hashlib.sha256(der).digest()),
    )
