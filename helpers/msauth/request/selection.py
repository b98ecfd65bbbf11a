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

    scopes: () asks for the profile's own.
    Raises UsageError for a value that cannot be meant: an unknown credential, a tenant that is
    neither a GUID nor a domain, an authority that is not https, a bad number of seconds, a
    profile that does not exist or is wrong.
    """
    options = with_profile(options, env)
    if not scopes:
        scopes = profile_scopes(options, env)
        if not scopes:
            raise usage_error("no product or scope is asked for", "name a product, or use --scope")
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
    _check(client_id, "client id")
    _check(tenant, "tenant")
    return TokenRequest(
        scopes,
        credential=credential,
        profile=_pick(options, "profile", {}, ""),
        client_id=client_id,
        authority=authority_of(options, env),
        instance_discovery="--disable-instance-discovery" not in options,
        tenant=tenant.lower() or None,
        identity=identity_of(credential, env),
        username=_pick(options, "--username", {}, ""),
        identity_resource_id=_pick(
            options, "--identity-resource-id", env, "MSAUTH_IDENTITY_RESOURCE_ID"
        ),
        persist="--no-persist" not in options,
        claims=claims,
        cae=cae,
        min_valid=_seconds(options, "--min-valid", MIN_VALID),
        force_refresh="--force-refresh" in options,
        interactive=interactive,
    )


def with_profile(options: Options, env: "os._Environ[str] | dict[str, str]") -> Options:
    """Return the options with the chosen profile's values where neither option nor variable is.

    `--profile ""` is no profile, also where MSAUTH_PROFILE names one. Idempotent. Raises
    UsageError, as `profiles.values`.
    """
    if "profile" in options:
        return options
    name = options["--profile"] if "--profile" in options else env.get("MSAUTH_PROFILE", "")
    if not name:
        return options
    assert isinstance(name, str)
    from . import profiles

    merged = {**options, "profile": name}
    for key, value in profiles.values(name, env).items():
        option, variable = profiles.TARGETS[key]
        if not options.get(option) and not env.get(variable):
            merged[option] = value
    return merged


def profile_scopes(options: Options, env: "os._Environ[str] | dict[str, str]") -> tuple[str, ...]:
    """Return the scopes of the chosen profile, () without any; raises UsageError."""
    scopes = with_profile(options, env).get("profile.scopes", "")
    assert isinstance(scopes, str)
    return tuple(scopes.split(" ")) if scopes else ()


def explicit_tenant(options: Options, env: "os._Environ[str] | dict[str, str]") -> str:
    """Return the tenant a person asked for by option, variable or profile, or ""."""
    options = with_profile(options, env)
    tenant = _pick(options, "--tenant", env, "MSAUTH_TENANT")
    _check(tenant, "tenant")
    return tenant.lower()


def authority_of(options: Options, env: "os._Environ[str] | dict[str, str]") -> str:
    """Return the sign-in authority as `https://host[:port]`, without a trailing slash."""
    options = with_profile(options, env)
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
