"""What a sign-in is made of: variables of a service principal, profiles, az's own files."""

import os
from collections.abc import Iterator

from ...errors import MsauthError
from ...request import profile_file
from ...request import profiles as profiles_of
from ...request.kinds import az_directory
from ..finding import Finding
from .machine import Machine

_WAYS = (
    *("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"),
    *("ACTIONS_ID_TOKEN_REQUEST_URL", "SYSTEM_OIDCREQUESTURI", "IDENTITY_ENDPOINT"),
    *("MSI_ENDPOINT", "IMDS_ENDPOINT", "AZURE_USERNAME", "AZURE_POD_IDENTITY_AUTHORITY_HOST"),
)
"""With one of these a client id and a tenant are somebody who can sign in."""
_FILES = ("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE")


def principal(machine: Machine) -> Iterator[Finding]:
    """A service principal is a tenant, an id and a way to prove it: all three or none."""
    env = machine.env
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")
    given = [name for name in (*names, *_WAYS[:2]) if env.get(name)]
    missing = [name for name in names if not env.get(name)]
    if not missing and not any(map(env.get, _WAYS)):
        missing = ["AZURE_CLIENT_SECRET"]
    elif not missing or not any(map(env.get, _WAYS[:2])):
        return  # an id alone names a managed identity, a tenant alone a default
    yield Finding(
        "principal-half",
        "warning",
        f"{' and '.join(given)} are set without {' and '.join(missing)}",
        "the service principal that they name cannot sign in, and others are tried",
        ", ".join(given),
        f"unset {' '.join(given)}",
    )


def files(machine: Machine) -> Iterator[Finding]:
    """A certificate or a federated token is in a file that must be readable."""
    for name in _FILES:
        path = machine.env.get(name, "")
        if not path or (os.path.isfile(path) and os.access(path, os.R_OK)):
            continue
        problem = "cannot be read" if os.path.exists(path) else "does not exist"
        message = f"{name} names a file that {problem}"
        why = "the sign-in that needs it fails"
        yield Finding("principal-file", "error", message, why, path, f"unset {name}")


def profiles(machine: Machine) -> Iterator[Finding]:
    """Each profile must be one that can be used."""
    try:
        where = profiles_of.path(machine.env)
    except MsauthError:
        return  # MSAUTH_CONFIG is relative: `environment.wrong` says so
    why = "whoever chooses that profile cannot sign in"
    try:
        names = profile_file.names(where)
    except MsauthError as error:
        yield _profile(error, where, "no profile can be used")
        return
    for name in names:
        try:
            profile_file.load(where, name)
        except MsauthError as error:
            yield _profile(error, where, why)


def _profile(error: MsauthError, where: str, why: str) -> Finding:
    hint = error.hint or ""
    fix = hint if hint.startswith(("chmod ", "sudo ")) else ""
    if hint and not fix:
        why = f"{why}; {hint}"
    return Finding("profile-wrong", "error", error.message, why, where, fix)


def encrypted(machine: Machine) -> Iterator[Finding]:
    """Where az keeps its tokens encrypted, each new token needs az itself, which is slow."""
    folder = az_directory(machine.env)
    kept = [f"{folder}/msal_token_cache{suffix}" for suffix in (".bin", ".sig")]
    if os.path.exists(f"{folder}/msal_token_cache.json") or not any(map(os.path.exists, kept)):
        return
    yield Finding(
        "az-encrypted",
        "note",
        "az keeps its tokens encrypted",
        "az is started for each new token, and it cannot answer a claims challenge",
        folder,
        "az config set core.encrypt_token_cache=false && az login",
    )


def subscription(machine: Machine) -> Iterator[Finding]:
    """A folder of az's that a variable names must be there."""
    folder = machine.env.get("AZURE_CONFIG_DIR", "")
    if folder and not os.path.isdir(folder):
        message = "AZURE_CONFIG_DIR names a folder that does not exist"
        why = "nobody is signed in with az there"
        fix = "unset AZURE_CONFIG_DIR"
        yield Finding("az-folder", "warning", message, why, folder, fix)
