"""`MsauthCredential` in a process that has it already: a token that it gave before, beside what
azure-identity keeps in its own memory; and what importing them costs.

The calls are made in loops by a process of the measured environment (`sdk_process.py`). Wanted are
15 µs, and 30 µs in an event loop.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msauth_sandbox import Sandbox
from tests.cache.seed import seed

from .cases import Case, Missing, Place
from .sdk_process import NOT_THERE

BARE = "sdk: python -c pass"
THEIRS = "get_token: ClientSecretCredential, from its memory"
THEIRS_AIO = "get_token: aio.ClientSecretCredential, from its memory"


@contextmanager
def cases(place: Place) -> Iterator[list[Case]]:
    """Yield the cases; a sandbox and the process that makes the calls run until the end."""
    with Sandbox() as cloud:
        env = cloud.environ | place.environment(
            MSAUTH_CACHE_DIR=str(place.scratch / "cache"),
            MSAUTH_TENANT=cloud.tenants["contoso"].id,
        )
        seed(env)
        script = str(Path(__file__).with_name("sdk_process.py"))
        identity = [cloud.service_principal_environ()[name] for name in _IDENTITY]
        process = subprocess.Popen(
            [place.python, script, *identity],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            yield [*_calls(process), *_imports(place, env)]
            assert process.stdin is not None
            process.stdin.close()


_IDENTITY = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")


def _calls(process: "subprocess.Popen[str]") -> Iterator[Case]:
    def call(name: str, which: str, base: str | None = None) -> Case:
        def run() -> float:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(which + "\n")
            process.stdin.flush()
            answer = process.stdout.readline().strip()
            if not answer:
                raise RuntimeError("the process that makes the calls has ended")
            if answer == NOT_THERE:
                raise Missing("azure-identity needs aiohttp for it: pip install aiohttp")
            return float(answer)

        return Case(name, run, base=base)

    yield call(THEIRS, "theirs")
    yield call("get_token: MsauthCredential, remembered", "ours", THEIRS)
    yield call(THEIRS_AIO, "theirs-aio")
    yield call("get_token: aio.MsauthCredential, remembered", "ours-aio", THEIRS_AIO)


def _imports(place: Place, env: dict[str, str]) -> Iterator[Case]:
    def start(name: str, code: str, base: str | None = BARE) -> Case:
        command = [place.python, "-c", code]

        def run() -> None:
            subprocess.run(command, env=env, check=True)

        return Case(name, run, base=base)

    yield start(BARE, "pass", None)
    for code in (
        "import msauth",
        "from msauth import MsauthCredential",
        "from azure.identity import ClientSecretCredential",
        "from azure.identity import DefaultAzureCredential",
    ):
        yield start(code, code)
