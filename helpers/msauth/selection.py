"""From options, environment and profile to a `TokenRequest`: the one place that knows who wins.

Options beat `MSAUTH_*` variables, those beat the profile, and that beats `AZURE_*` defaults.
"""

import os

from .options import Options, usage_error
from .request import KINDS, MIN_VALID, PUBLIC_AUTHORITY, TokenRequest, identity_of

_TENANT_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")


def request_for(
    scopes: tuple[str, ...],
    options: Options,
    env: "os._Environ[str] | dict[str, str]",
    *,
    interactive: bool = False,
    claims: str | None = None,
    cae: bool | None = None,
) -> TokenRequest:
    """Return the request that these options and this environment ask for.

    Raises UsageError for a value that cannot be meant: an unknown credential, a tenant that is
    neither a GUID nor a domain, an authority that is not https, a bad number of seconds.
    """
    credential = _pick(options, "--credential", env, "MSAUTH_CREDENTIAL") or "auto"
    if credential not in KINDS:
        from difflib import get_close_matches

        near = get_close_matches(credential, KINDS, 1)
        raise usage_error(
            f"unknown credential {credential!r}",
            f"did you mean --credential {near[0]}?" if near else "one of: " + ", ".join(KINDS),
        )
    client_id = _pick(options, "--client-id", env, "MSAUTH_CLIENT_ID")
    tenant = _pick(options, "--tenant", env, "MSAUTH_TENANT")
    if not tenant and env.get("AZURE_CLIENT_ID"):
        # A complete identity in the environment names its home; az's is az's own business.
        tenant = env.get("AZURE_TENANT_ID", "")
    _check(client_id, "--client-id")
    _check(tenant, "--tenant")
    return TokenRequest(
        scopes,
        credential=credential,
        client_id=client_id,
        authority=authority_of(options, env),
        instance_discovery="--disable-instance-discovery" not in options,
        tenant=tenant.lower() or None,
        identity=identity_of(credential, env),
        claims=claims,
        cae=cae,
        min_valid=_seconds(options, "--min-valid", MIN_VALID),
        force_refresh="--force-refresh" in options,
        interactive=interactive,
    )


def explicit_tenant(options: Options, env: "os._Environ[str] | dict[str, str]") -> str:
    """Return the tenant a person asked for by option, variable or profile, or ""."""
    tenant = _pick(options, "--tenant", env, "MSAUTH_TENANT")
    _check(tenant, "--tenant")
    return tenant.lower()


def authority_of(options: Options, env: "os._Environ[str] | dict[str, str]") -> str:
    """Return the sign-in authority as `https://host[:port]`, without a trailing slash."""
    text = _pick(options, "--authority-host", env, "AZURE_AUTHORITY_HOST")
    if not text:
        return PUBLIC_AUTHORITY
    text = text.strip()
    if "://" not in text:
        text = "https://" + text
    text = text.rstrip("/")
    host = text[8:]
    if not text.startswith("https://") or not host or not set(host) <= _TENANT_CHARACTERS | {":"}:
        raise usage_error(f"authority host {text!r} is not an https host")
    return text.lower()


def _pick(
    options: Options, name: str, env: "os._Environ[str] | dict[str, str]", variable: str
) -> str:
    value = options.get(name) or env.get(variable) or ""
    assert isinstance(value, str)
    return value


def _check(value: str, name: str) -> None:
    if value and not set(value) <= _TENANT_CHARACTERS:
        raise usage_error(f"{name} {value!r} is neither a GUID nor a domain name")


def _seconds(options: Options, name: str, default: int) -> int:
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 6:
        raise usage_error(f"{name} takes a number of seconds")
    return int(value)
