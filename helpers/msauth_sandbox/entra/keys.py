"""The key that signs every token and assertion of the sandbox, and what a token says unchecked."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm


class TokenRejectedError(Exception):
    """A resource server will not take this token.

    ``reason`` is one of malformed, signature, audience, issuer, tenant, expired, revoked and
    insufficient_claims; only the last has a ``challenge``, the JSON text of the wanted claims.
    """

    def __init__(self, reason: str, challenge: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.challenge = challenge


class Key:
    """One RSA key per process, made when first needed (about 0.1 s)."""

    _lock = threading.Lock()
    _private: rsa.RSAPrivateKey | None = None
    _kid = ""

    @classmethod
    def private(cls) -> rsa.RSAPrivateKey:
        with cls._lock:
            if cls._private is None:
                cls._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
                der = cls._private.public_key().public_bytes(
                    Encoding.DER, PublicFormat.SubjectPublicKeyInfo
                )
                cls._kid = base64url(hashlib.sha1(der, usedforsecurity=False).digest())
            return cls._private

    @classmethod
    def sign(cls, claims: Mapping[str, Any]) -> str:
        private = cls.private()
        headers = {"x5t": cls._kid, "kid": cls._kid}
        return jwt.encode(dict(claims), private, algorithm="RS256", headers=headers)

    @classmethod
    def verify(cls, token: str) -> dict[str, Any]:
        """The claims, only if the signature is ours; times and audience are not looked at."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                cls.private().public_key(),
                algorithms=["RS256"],
                options={
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_iss": False,
                },
            )
        except jwt.InvalidSignatureError as error:
            raise TokenRejectedError("signature") from error
        except jwt.PyJWTError as error:
            raise TokenRejectedError("malformed") from error
        return claims

    @classmethod
    def jwks(cls) -> dict[str, Any]:
        public = RSAAlgorithm.to_jwk(cls.private().public_key(), as_dict=True)
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "use": "sig",
                    "alg": "RS256",
                    "kid": cls._kid,
                    "x5t": cls._kid,
                    "n": public["n"],
                    "e": public["e"],
                }
            ]
        }


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def token_id(token: str) -> str | None:
    """The ``uti`` claim of something that looks like one of our tokens, without trusting it."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    uti = claims.get("uti")
    return uti if isinstance(uti, str) else None
