"""Many processes at once: all ask for one key, or each for its own, and the cache has none.

A crowd is started one after the other and waited for; the sandbox answers on loopback.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msauth_sandbox import Sandbox

from . import cold
from .cases import Case, Place
from .cold import Environment

SIZE = 256
BARE = f"{SIZE} x python -c pass"
APPLICATION = f"{SIZE} x azure-identity, application with a secret"
MACHINE = f"{SIZE} x azure-identity, managed identity"
_ARM = "https://management.azure.com/.default"
_ROUNDS = 5
_LONG_ROUNDS = 2
"""Of crowds that all import azure-identity: a quarter of a minute each."""


@contextmanager
def cases(place: Place) -> Iterator[list[Case]]:
    """Yield the cases, with a sandbox around them."""
    with Sandbox() as cloud:
        yield list(_cases(place, cloud))


def _cases(place: Place, cloud: Sandbox) -> Iterator[Case]:
    config = place.scratch / "profiles.toml"
    config.write_text("".join(f"[p{i}]\n" for i in range(SIZE)))
    bare = cloud.environ | place.environment(
        MSAUTH_CONFIG=str(config), MSAUTH_BACKGROUND_REFRESH="0"
    )
    machine = bare | cloud.managed_identity_environ()
    application = bare | cloud.service_principal_environ()
    yield Case(BARE, _crowd([[place.python, "-c", "pass"]] * SIZE, bare), rounds=_ROUNDS)
    rivals = (
        (APPLICATION, "EnvironmentCredential", application),
        (MACHINE, "ManagedIdentityCredential", machine),
    )
    for name, credential, env in rivals:
        rival = [place.python, "-c", cold.RIVAL.format(credential, _ARM)]
        yield Case(name, _crowd([rival] * SIZE, env), rounds=_LONG_ROUNDS)
    folders = {"pip": place.pip, "install.sh": place.installed}
    for who, folder in folders.items():
        if folder is None:
            continue
        one = [str(folder / "msauth-token"), "--scope", _ARM]
        keys = [[*one, "--profile", f"p{i}"] for i in range(SIZE)]
        run = _once(cloud, _crowd([one] * SIZE, application))
        yield Case(f"crowd: {SIZE} x one key ({who})", run, BARE, 2.0, _ROUNDS)
        run = _crowd(keys, machine)
        yield Case(f"crowd: {SIZE} keys, managed identity ({who})", run, MACHINE, 1.0, _ROUNDS)
        run = _crowd(keys, application)
        yield Case(f"crowd: {SIZE} keys, application ({who})", run, APPLICATION, 1.0, _LONG_ROUNDS)


def _crowd(commands: list[list[str]], env: Environment) -> Callable[[], float]:
    """Return a function that runs commands at once on an empty cache, and returns the seconds."""

    def run() -> float:
        cache = tempfile.mkdtemp(dir=env["HOME"])
        began = time.perf_counter()
        processes = [
            subprocess.Popen(
                command,
                env=env | {"MSAUTH_CACHE_DIR": cache},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for command in commands
        ]
        failed = sum(process.wait() != 0 for process in processes)
        seconds = time.perf_counter() - began
        shutil.rmtree(cache)
        if failed:
            raise RuntimeError(f"{failed} of {len(commands)} processes failed")
        return seconds

    return run


def _once(cloud: Sandbox, run: Callable[[], float]) -> Callable[[], float]:
    """Return the same function; it raises unless one token was asked for."""

    def counted() -> float:
        before = cloud.count("token")
        seconds = run()
        if cloud.count("token") != before + 1:
            raise RuntimeError(f"{cloud.count('token') - before} requests instead of one")
        return seconds

    return counted
