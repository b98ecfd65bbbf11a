"""`msauth.MsauthCredential` under azure-core's own pipeline and under real SDKs."""

import asyncio
import importlib.metadata
import os
import subprocess
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from azure.core import PipelineClient
from azure.core.credentials import AccessTokenInfo, TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.policies import (
    AsyncBearerTokenCredentialPolicy,
    BearerTokenCredentialPolicy,
)
from azure.core.rest import HttpRequest
from azure.identity import ChainedTokenCredential, CredentialUnavailableError

import msauth
import msauth.aio
from msauth.errors import UsageError
from msauth.request.request import Token
from msauth_sandbox import Sandbox

from .cache import store
from .cache.test_background import until
from .conftest import Environment

GRAPH = "https://graph.microsoft.com/.default"
ARM = "https://management.azure.com/.default"
DEVICES = "https://graph.microsoft.com/v1.0/deviceManagement/managedDevices"


@pytest.fixture
def here(env: Environment, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """This very process inside the sandbox, signed in as its service principal."""
    for name in os.environ:
        if name.startswith(("AZURE_", "MSAUTH_")):
            monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CI", raising=False)
    return env


@pytest.fixture
def profile(here: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "profiles.toml"
    path.write_text(f'[graph]\ncredential = "environment"\nscopes = ["{GRAPH}"]\n[bare]\n')
    path.chmod(0o600)
    monkeypatch.setenv("MSAUTH_CONFIG", str(path))
    return path


def test_importing_msauth_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import msauth; print(*set(sys.modules) - before)\n"
        "try: msauth.nothing\nexcept AttributeError as e: print(e)\n"
        "print(msauth.MsauthCredential.__module__)"
    )
    packages = str(Path(msauth.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": packages},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "msauth",
        "module 'msauth' has no attribute 'nothing'",
        "msauth.credential",
    ]


def test_protocol(here: Environment, cloud: Sandbox) -> None:
    with msauth.MsauthCredential() as credential:
        assert isinstance(credential, TokenCredential)
        token = credential.get_token(GRAPH)
        info = credential.get_token_info(GRAPH)
    assert token.token == info.token
    assert token.expires_on == info.expires_on
    assert token.expires_on - time.time() == pytest.approx(3600, abs=30)
    assert info.refresh_on is not None
    assert time.time() < info.refresh_on < info.expires_on
    assert info.token_type == "Bearer"
    assert cloud.count("token") == 1


def test_shares_the_cache_with_the_executables(here: Environment, cloud: Sandbox) -> None:
    from .conftest import run_program

    done = run_program("msauth-token", "graph", "--format", "token", env=here)
    assert done.returncode == 0, done.stderr
    assert msauth.MsauthCredential().get_token(GRAPH).token == done.stdout.decode().strip()
    assert cloud.count("token") == 1


def test_tenant_of_the_call_beats_that_of_the_credential(here: Environment, cloud: Sandbox) -> None:
    contoso, fabrikam = cloud.tenants["contoso"].id, cloud.tenants["fabrikam"].id
    credential = msauth.MsauthCredential(tenant=contoso)
    tokens = {
        credential.get_token(ARM).token,
        credential.get_token(ARM, tenant_id=fabrikam).token,
        credential.get_token_info(ARM, options={"tenant_id": fabrikam}).token,
    }
    assert len(tokens) == 2
    assert cloud.count("token", tenant="contoso") == cloud.count("token", tenant="fabrikam") == 1


def test_profile(profile: Path, cloud: Sandbox) -> None:
    credential = msauth.MsauthCredential(profile="graph")
    assert credential.get_token().token == credential.get_token(GRAPH).token
    assert credential.get_token_info().token == credential.get_token(GRAPH).token
    assert cloud.count("token") == 1
    with pytest.raises(UsageError, match="no product or scope"):
        msauth.MsauthCredential(profile="bare").get_token()
    with pytest.raises(UsageError, match="no profile 'grapf'"):
        msauth.MsauthCredential(profile="grapf").get_token()


def test_every_keyword_is_an_option(here: Environment) -> None:
    credential = msauth.MsauthCredential(
        profile="",
        tenant="contoso.com",
        credential="browser",
        client_id="c",
        authority_host="login.microsoftonline.us",
        disable_instance_discovery=True,
        username="u",
        min_valid=7,
        interactive=True,
        persist=False,
    )
    made = credential._request((GRAPH,), "{}", None, True)
    assert (made.profile, made.tenant, made.credential) == ("", "contoso.com", "browser")
    assert (made.client_id, made.authority) == ("c", "https://login.microsoftonline.us")
    assert (made.instance_discovery, made.username, made.min_valid) == (False, "u", 7)
    assert (made.interactive, made.persist, made.cae, made.claims) == (True, False, True, "{}")
    assert not msauth.MsauthCredential(interactive=False)._request((GRAPH,), None, None, False).cae


def test_claims_bypass_the_cache_once(here: Environment, cloud: Sandbox) -> None:
    credential = msauth.MsauthCredential()
    first = credential.get_token(GRAPH, enable_cae=True).token
    claims = cloud.require_claims("graph")
    second = credential.get_token(GRAPH, claims=claims, enable_cae=True).token
    assert second != first
    assert credential.get_token(GRAPH, claims=claims, enable_cae=True).token == second
    assert credential.get_token(GRAPH, enable_cae=True).token == second
    assert cloud.count("token") == 2


def test_failure_is_what_sdks_expect(here: Environment, cloud: Sandbox) -> None:
    cloud.fail_tokens(7000215, times=None)
    with pytest.raises(ClientAuthenticationError, match="the client secret is wrong") as caught:
        msauth.MsauthCredential().get_token(GRAPH)
    assert not isinstance(caught.value, CredentialUnavailableError)
    assert caught.value.__context__ is None
    assert here["AZURE_CLIENT_SECRET"] not in str(caught.value)


@pytest.mark.parametrize("kind", [None, "environment"])
def test_unavailable_lets_a_chain_go_on(
    kind: str | None, here: Environment, monkeypatch: pytest.MonkeyPatch, cloud: Sandbox
) -> None:
    with_secret = msauth.MsauthCredential(credential="service-principal", profile="")
    token = with_secret.get_token(GRAPH)
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    credential = msauth.MsauthCredential(credential=kind)
    for _ in ("at first", "remembered"):
        with pytest.raises(CredentialUnavailableError):
            credential.get_token(GRAPH)

    class Other:
        def get_token(self, *scopes: str, **_: object) -> object:
            return token

    chain = ChainedTokenCredential(credential, Other())  # type: ignore[arg-type]
    assert chain.get_token(GRAPH) is token


def test_twenty_threads_make_one_request(here: Environment, cloud: Sandbox) -> None:
    cloud.configure(latency=0.1)
    credential = msauth.MsauthCredential()
    together = threading.Barrier(20)

    def ask(_: int) -> str:
        together.wait()
        return credential.get_token(GRAPH).token

    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(ask, range(20)))) == 1
    assert cloud.count("token") == 1


def test_logout_is_seen_by_a_running_program(here: Environment, cloud: Sandbox) -> None:
    credential = msauth.MsauthCredential()
    first = credential.get_token(GRAPH).token
    store.logout(None)
    assert credential.get_token(GRAPH).token != first


def test_background_renewal_beside_threads(
    here: Environment, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No fork in a program with threads, and the cached token is answered at once."""
    monkeypatch.setenv("MSAUTH_BACKGROUND_REFRESH", "1")
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    credential = msauth.MsauthCredential()
    first = credential.get_token(GRAPH)
    request = credential._request((GRAPH,), None, None, False)
    now = int(time.time())
    assert store.read(request) == first.token
    store.write(request, Token(first.token, first.expires_on, refresh_on=now - 1, issued=now))
    assert credential.get_token(GRAPH).token == first.token
    until(lambda: cloud.count("token") == 2, "nobody renews")


def graph_client(credential: object) -> "PipelineClient[object, object]":
    policy = BearerTokenCredentialPolicy(credential, GRAPH, enable_cae=True)  # type: ignore[arg-type]
    return PipelineClient("https://graph.microsoft.com", policies=[policy])


def devices(client: "PipelineClient[object, object]") -> int:
    answer = client.send_request(HttpRequest("GET", DEVICES))
    status: int = answer.status_code  # type: ignore[attr-defined]
    return status


def test_pipeline_of_azure_core(here: Environment, cloud: Sandbox) -> None:
    with graph_client(msauth.MsauthCredential()) as client:
        assert devices(client) == 200
        cloud.require_claims("graph")
        assert devices(client) == 200  # challenged, and answered with the claims
    assert cloud.count("token") == 2
    with graph_client(msauth.MsauthCredential()) as other:
        assert devices(other) == 200  # of the token that met the claims
    assert cloud.count("token") == 2


def test_aio(here: Environment, cloud: Sandbox) -> None:
    cloud.configure(latency=0.2)
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def ask() -> None:
        ticking = asyncio.create_task(tick())
        async with msauth.aio.MsauthCredential() as credential:
            infos = await asyncio.gather(*(credential.get_token_info(GRAPH) for _ in range(8)))
            token = await credential.get_token(GRAPH)
            assert {info.token for info in infos} == {token.token}
        ticking.cancel()

    asyncio.run(ask())
    assert cloud.count("token") == 1
    assert len(ticks) > 5
    assert max(b - a for a, b in pairwise(ticks)) < 0.15


def test_aio_fails_alike(here: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_CLIENT_SECRET")

    async def ask() -> None:
        await msauth.aio.MsauthCredential(credential="environment").get_token(GRAPH)

    with pytest.raises(CredentialUnavailableError):
        asyncio.run(ask())


def test_async_policy_of_azure_core(here: Environment, cloud: Sandbox) -> None:
    async def ask() -> None:
        credential = msauth.aio.MsauthCredential()
        policy = AsyncBearerTokenCredentialPolicy(credential, GRAPH)
        request = PipelineRequest(
            HttpRequest("GET", "https://graph.microsoft.com"), PipelineContext(None)
        )
        await policy.on_request(request)
        token = (await credential.get_token(GRAPH)).token
        assert request.http_request.headers["Authorization"] == f"Bearer {token}"

    asyncio.run(ask())
    assert cloud.count("token") == 1


INTUNE = """
import asyncio, os, sys
from msauth import MsauthCredential, aio
from msgraph import GraphServiceClient

async def main():
    kind = aio.MsauthCredential if "aio" in sys.argv else MsauthCredential
    client = GraphServiceClient(credentials=kind(profile="intune", interactive=True),
                                scopes=[os.environ["SCOPE"]])
    found = await client.device_management.managed_devices.get()
    print(*(device.device_name for device in found.value))

asyncio.run(main())
"""


@pytest.mark.real_client
@pytest.mark.parametrize("kind", ["browser", "service-principal"])
def test_intune_with_msgraph_sdk(
    kind: str, env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    """GraphServiceClient lists managed devices; later processes are silent, also after expiry."""
    pytest.importorskip("msgraph")
    config = tmp_path / "profiles.toml"
    scope = GRAPH
    table = f'credential = "{kind}"\ntenant = "{cloud.tenants["contoso"].id}"\n'
    if kind == "browser":
        scope = "https://graph.microsoft.com/DeviceManagementManagedDevices.Read.All"
        table += f'client_id = "{cloud.intune_client_id}"\n'
        for name in cloud.identity_variables:
            env.pop(name, None)
        env |= cloud.browser_environ()
    config.write_text(f"[intune]\n{table}scopes = ['{scope}']\n")
    config.chmod(0o600)
    env |= {"MSAUTH_CONFIG": str(config), "SCOPE": scope}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", INTUNE, *arguments],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    asked = 1 if kind == "browser" else 0
    cloud.configure(expires_in=200)  # too short for a second process
    first = run()
    assert first.stdout == "alex-laptop sam-phone\n", first.stderr
    assert cloud.count("authorize") == asked
    silent = run("aio")
    assert silent.stdout == first.stdout, silent.stderr
    assert cloud.count("authorize") == asked
    assert cloud.count("token") >= 2
    cloud.configure(expires_in=3600)
    if kind == "browser":
        cloud.revoke_refresh_tokens()
        asked = 2
    again = run()
    assert again.stdout == first.stdout, again.stderr
    assert cloud.count("authorize") == asked
    requests = cloud.count("token")
    assert run("aio").stdout == first.stdout
    assert cloud.count("token") == requests, "the shared cache answers"


def test_the_broker_of_the_system(
    here: Environment, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """azure-identity-broker is stood in for: its runtime needs Windows, macOS or WSL."""
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    seen: dict[str, object] = {}

    class Credential:
        def __init__(self, **options: object) -> None:
            seen.update(options)

        def get_token_info(self, *scopes: str, options: object) -> AccessTokenInfo:
            seen.update(scopes=scopes, asked=options)
            return AccessTokenInfo(token, int(time.time()) + 3600)

    module = types.ModuleType("azure.identity.broker")
    module.InteractiveBrowserBrokerCredential = Credential  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "azure.identity.broker", module)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.3.0")
    monkeypatch.setenv("WSL_DISTRO_NAME", "Debian")
    tenant = cloud.tenants["contoso"].id
    credential = msauth.MsauthCredential(
        credential="broker", tenant=tenant, client_id=cloud.intune_client_id, interactive=False
    )
    assert credential.get_token(GRAPH).token == token
    assert seen["disable_interactive_fallback"] is True
    assert seen["use_default_broker_account"] is True
    assert (seen["tenant_id"], seen["client_id"]) == (tenant, cloud.intune_client_id)
    assert seen["scopes"] == (GRAPH,)
    seen.clear()
    assert credential.get_token(GRAPH).token == token
    assert seen == {}, "the shared cache answers"
