"""Answers that the cache does not have: az's token, a managed identity, an application, a failure.

The cloud is the sandbox's, on loopback: what is measured is our side, and a request costs hardly
more than its processing. Each run begins with an empty cache of its own.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from msauth_sandbox import Sandbox

from .cases import Case, Place

BARE = "python -c pass, between cold answers"
_ARM = "https://management.azure.com/.default"
_HELD = "https://management.core.windows.net//.default"
"""The scope of the token that `az login` leaves."""
_MEMORY = 3
"""Seconds that a failure surely stays remembered."""
RIVAL = "from azure.identity import {0}; {0}().get_token({1!r})"
Environment = dict[str, str]


@contextmanager
def cases(place: Place) -> Iterator[list[Case]]:
    """Yield the cases, with a sandbox around them."""
    with Sandbox() as cloud:
        cloud.sign_in()
        cloud.configure(managed_identity_caches=True)  # as Azure's hosts do
        yield list(_cases(place, cloud))


def _cases(place: Place, cloud: Sandbox) -> Iterator[Case]:
    yield Case(BARE, _timed([place.python, "-c", "pass"], _environment(place, cloud)))
    secret = cloud.service_principal_environ()
    kinds: dict[str, tuple[Environment, float | None]] = {
        "az's held token": (cloud.azure_cli_environ(), 4.5),
        "managed identity": (cloud.managed_identity_environ(), 3.0),
        "application with a secret": (secret, None),
        "application with a certificate": (_certificate(place, cloud), None),
    }
    folders = {"pip": place.pip, "install.sh": place.installed}
    for who, folder in folders.items():
        if folder is None:
            continue
        program = str(folder / "msauth-token")
        for kind, (more, limit) in kinds.items():
            scope = _HELD if kind == "az's held token" else _ARM
            env = _environment(place, cloud) | more
            run = _timed([program, "--scope", scope], env)
            yield Case(f"cold: {kind} ({who})", run, BARE, limit)
        env = _environment(place, cloud) | secret | {"AZURE_CLIENT_SECRET": "wrong"}
        yield Case(f"cold: a remembered failure ({who})", _again(program, env), BARE, 3.5)
    for kind, name in (
        ("managed identity", "ManagedIdentityCredential"),
        ("application with a secret", "EnvironmentCredential"),
    ):
        command = [place.python, "-c", RIVAL.format(name, _ARM)]
        run = _timed(command, _environment(place, cloud) | kinds[kind][0])
        yield Case(f"cold: {kind} (azure-identity)", run, BARE)


def _environment(place: Place, cloud: Sandbox) -> Environment:
    """Return an environment in the sandbox, with an `az` that is there and never asked."""
    folder = place.scratch / "bin"
    folder.mkdir(exist_ok=True)
    az = folder / "az"
    az.write_text("#!/bin/sh\nexit 1\n")
    az.chmod(0o755)
    return cloud.environ | place.environment(
        PATH=f"{folder}:/usr/bin:/bin",
        MSAUTH_CACHE_DIR=str(place.scratch / "failed"),
        MSAUTH_BACKGROUND_REFRESH="0",
    )


def _certificate(place: Place, cloud: Sandbox) -> Environment:
    """Register a certificate with the sandbox's application; return what leads to it."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "msauth")])
    now, day = datetime.now(timezone.utc), timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day)
    pem = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    cloud.register_certificate(pem)
    path = place.scratch / "application.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem)
    env = cloud.service_principal_environ()
    del env["AZURE_CLIENT_SECRET"]
    return env | {"AZURE_CLIENT_CERTIFICATE_PATH": str(path)}


def _timed(command: list[str], env: Environment) -> Callable[[], float]:
    """Return a function that runs a command with an empty cache, and returns the seconds."""

    def run() -> float:
        cache = tempfile.mkdtemp(dir=env["HOME"])
        try:
            return _seconds(command, env | {"MSAUTH_CACHE_DIR": cache}, code=0)
        finally:
            shutil.rmtree(cache)

    return run


def _again(program: str, env: Environment) -> Callable[[], float]:
    """Return a function that is told a failure which has just been remembered."""
    command, failed = [program, "--scope", _ARM], 0.0

    def run() -> float:
        nonlocal failed
        if time.monotonic() - failed > _MEMORY:
            shutil.rmtree(env["MSAUTH_CACHE_DIR"], ignore_errors=True)
            _seconds(command, env, code=1)
            failed = time.monotonic()
        return _seconds(command, env, code=1)

    return run


def _seconds(command: list[str], env: Environment, *, code: int) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode != code:
        raise RuntimeError(f"{Path(command[0]).name}: {done.stderr.decode()}")
    return seconds
