"""The process in which `sdk.py` has tokens asked for: `sdk_process.py TENANT CLIENT SECRET`.

For each line of its input that names a credential it prints the seconds that a call took, as the
mean of a loop.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.util import find_spec

ARM = "https://management.azure.com/.default"
CALLS = 2000
NOT_THERE = "not there"
"""What is printed in place of the seconds of a credential that cannot be used here."""


def loop(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS


async def loop_of(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        await call()
    return (time.perf_counter() - began) / CALLS


async def main(*identity: str) -> None:
    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.identity import ClientSecretCredential
    from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential

    from msauth import MsauthCredential
    from msauth.aio import MsauthCredential as AsyncMsauthCredential

    here: dict[str, TokenCredential] = {
        "theirs": ClientSecretCredential(*identity),
        "ours": MsauthCredential(interactive=False),
    }
    in_event_loop: dict[str, AsyncTokenCredential] = {
        "ours-aio": AsyncMsauthCredential(interactive=False)
    }
    if find_spec("aiohttp"):
        in_event_loop["theirs-aio"] = AsyncClientSecretCredential(*identity)
    # msauth remembers nothing within two seconds of a change, and the cache was just made.
    await asyncio.sleep(2.5)
    for credential in here.values():
        credential.get_token(ARM)
    for asynchronous in in_event_loop.values():
        await asynchronous.get_token(ARM)
    for line in sys.stdin:
        name = line.strip()
        if name in here:
            print(loop(partial(here[name].get_token, ARM)), flush=True)
        elif name in in_event_loop:
            seconds = await loop_of(partial(in_event_loop[name].get_token, ARM))
            print(seconds, flush=True)
        else:
            print(NOT_THERE, flush=True)
    for asynchronous in in_event_loop.values():
        await asynchronous.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
