"""The conformance table of docker-credential-msauth: what clients send it, and what they get."""

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.broker import changes
from msauth.cache import record
from msauth.cache.folder import Folder
from msauth.credential_helpers import docker, feeds
from msauth.errors import SignInError, UsageError
from msauth.request import urls
from msauth.request.request import Token
from msauth.request.selection import select
from msauth.signin import registry as exchanging
from msauth.signin.attempt import claims_of
from msauth_sandbox import Sandbox

from ..cache.seed import REGISTRY, seed
from ..conftest import SCRIPTS, Done, Environment, run_program, start_program
from .test_feeds import STRANGERS

PROG = "docker-credential-msauth"
USER = "00000000-0000-0000-0000-000000000000"
FABRIKAM = "fabrikam.azurecr.io"
ACR = "6a0ec4d3-30cb-4a83-91c0-ae56bc0e3d26"
NONE = b"credentials not found in native keychain\n"
NO_SERVER = b"no credentials server URL\n"


def ask(env: Environment, server: str = REGISTRY, *, program: str = PROG, **more: str) -> Done:
    return run_program(program, "get", env=env | more, stdin=server.encode())


def secret(env: Environment, server: str = REGISTRY, **more: str) -> str:
    """The refresh token that a client is given, and nothing on stderr."""
    done = ask(env, server, **more)
    assert (done.returncode, done.stderr) == (0, b""), done.stdout
    answer = json.loads(done.stdout)
    assert list(answer) == ["ServerURL", "Username", "Secret"]
    assert (answer["ServerURL"], answer["Username"]) == (server, USER)
    text = answer["Secret"]
    assert isinstance(text, str)
    return text


def refused(done: Done, *said: bytes) -> None:
    """Exit code 1, one line for the client, at most three for the person, and no token."""
    assert done.returncode == 1
    assert done.stdout.startswith(f"{PROG}: ".encode())
    assert done.stdout.count(b"\n") == 1
    assert done.stderr.count(b"\n") <= 3
    for text in said:
        assert text in done.stderr
    assert b"eyJ" not in done.stdout + done.stderr


def exchanges(cloud: Sandbox, host: str = REGISTRY) -> int:
    return sum(r.host == host and r.path == "/oauth2/exchange" for r in cloud.requests)


def profiles(home: Path, text: str) -> None:
    path = home / ".config/msauth/profiles.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_registry_s_own_token(env: Environment, cloud: Sandbox) -> None:
    first = secret(env)
    claims = claims_of(first)
    assert (claims["aud"], claims["grant_type"]) == (REGISTRY, "refresh_token")
    (asked,) = [r for r in cloud.requests if r.kind == "registry"]
    assert asked.grant == "access_token"
    assert secret(env) == first
    assert secret(env, f"https://{REGISTRY}") == first
    assert secret(env, f"https://{REGISTRY}/v2/") == first
    assert (cloud.count("token"), exchanges(cloud)) == (1, 1)
    status = run_program("msauth", "status", env=env).stdout.decode()
    assert f"acr of {REGISTRY}" in status


def test_what_the_client_asked_for_is_said_back(env: Environment) -> None:
    secret(env, f'https://{REGISTRY}/a"b')
    done = run_program(PROG, "get", env=env, stdin=f"{REGISTRY}\r\n".encode())
    assert json.loads(done.stdout)["ServerURL"] == REGISTRY


def test_one_request_however_many_ask(env: Environment, cloud: Sandbox) -> None:
    cloud.configure(latency=0.2)
    running = [start_program(PROG, "get", env=env) for _ in range(16)]
    answers = {process.communicate(REGISTRY.encode(), timeout=60) for process in running}
    assert len(answers) == 1
    assert json.loads(answers.pop()[0])["Username"] == USER
    assert (cloud.count("token"), exchanges(cloud)) == (1, 1)


@pytest.mark.parametrize("life", [200, 299])
def test_a_token_near_its_end_is_not_served(env: Environment, cloud: Sandbox, life: int) -> None:
    cloud.configure(registry_expires_in=life)
    assert secret(env) != secret(env)
    assert (cloud.count("token"), exchanges(cloud)) == (1, 2)


def test_a_token_of_six_minutes_is_served(env: Environment, cloud: Sandbox) -> None:
    cloud.configure(registry_expires_in=360)
    assert secret(env) == secret(env)


def test_erase_and_then_another(env: Environment, cloud: Sandbox) -> None:
    """`docker logout`, twice as docker does it: the registry's token goes, Entra ID's stays."""
    first = secret(env)
    cloud.revoke_registry_tokens()
    assert secret(env) == first  # nobody has told us
    for _ in range(2):
        done = run_program(PROG, "erase", env=env, stdin=f"https://{REGISTRY}".encode())
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    cloud.fail_http(REGISTRY, 503, path="/oauth2/exchange")
    refused(ask(env), b"503", b"try again in a minute")
    # A failure of the network is remembered for three seconds; --force-refresh does not wait.
    done = run_program(PROG, "--force-refresh", "get", env=env, stdin=REGISTRY.encode())
    assert json.loads(done.stdout)["Secret"] != first
    assert secret(env) != first


def test_erase_takes_what_any_tenant_was_given(env: Environment, cloud: Sandbox) -> None:
    first = secret(env)
    other = secret(env, MSAUTH_TENANT="contoso.com")
    run_program(PROG, "erase", env=env | {"MSAUTH_CONFIG": "/none"}, stdin=REGISTRY.encode())
    assert secret(env) != first
    assert secret(env, MSAUTH_TENANT="contoso.com") != other
    assert exchanges(cloud) == 4
    assert cloud.count("token") == 2


def test_logout_takes_it_too(env: Environment, cloud: Sandbox) -> None:
    first = secret(env)
    assert run_program("msauth", "logout", env=env).returncode == 0
    assert secret(env) != first
    assert (cloud.count("token"), exchanges(cloud)) == (2, 2)


def test_a_refused_token_of_entra_id_is_replaced_once(env: Environment, cloud: Sandbox) -> None:
    secret(env)
    run_program(PROG, "erase", env=env, stdin=REGISTRY.encode())
    cloud.revoke_all(ACR)
    secret(env)
    assert (cloud.count("token"), exchanges(cloud)) == (2, 3)
    assert cloud.count("registry", error="revoked") == 1


def test_entra_id_s_token_never_goes_out_as_the_registry_s(
    bare_env: Environment, cloud: Sandbox, records: Callable[[], list[Path]]
) -> None:
    """Where there is no other: the host of a managed identity gives the refused one again."""
    cloud.configure(managed_identity_caches=True)
    env = bare_env | cloud.environ | cloud.managed_identity_environ()
    secret(env)
    run_program(PROG, "erase", env=env, stdin=REGISTRY.encode())
    cloud.revoke_all(ACR)
    for _ in range(2):
        refused(ask(env), b"takes no token")
    found = [record.decode(path.read_bytes(), None) for path in records()]
    assert [each[0].get("request.registry") for each in found if each] == [None]


def test_the_wrong_tenant_and_the_hint(env: Environment, cloud: Sandbox, home: Path) -> None:
    """Both ways that the hint names lead to the token."""
    done = ask(env, FABRIKAM)
    tenant = cloud.tenants["contoso"].id.encode()
    refused(done, b"takes no token of tenant " + tenant, b"belongs to another tenant")
    hint = done.stderr.decode().rstrip("\n").rpartition("hint: ")[2]
    export, _, match = hint.partition(", or under ")
    name, _, value = export.removeprefix("export ").partition("=")
    assert value == "ITS-TENANT"
    secret(env, FABRIKAM, **{name: "fabrikam.com"})
    table, _, rest = match.partition(" in ")
    path, _, line = rest.partition(": ")
    Path(path).parent.mkdir(parents=True)
    matched = line.replace("PROFILE", "work")
    Path(path).write_text(f'[work]\ntenant = "fabrikam.com"\n{table}\n{matched}\n')
    secret(env, FABRIKAM)
    assert secret(env)
    assert cloud.count("registry", error="tenant") == 1


@pytest.mark.parametrize("variable", ["MSAUTH_TENANT", "MSAUTH_PROFILE"])
def test_the_hint_names_no_way_that_is_beaten(env: Environment, home: Path, variable: str) -> None:
    profiles(home, '[home]\ntenant = "contoso.com"\n')
    env[variable] = "contoso.com" if variable == "MSAUTH_TENANT" else "home"
    done = ask(env, FABRIKAM)
    refused(done, b"export MSAUTH_TENANT=ITS-TENANT\n")
    secret(env, FABRIKAM, MSAUTH_TENANT="fabrikam.com")


def test_a_profile_by_the_name_of_the_program(
    env: Environment, cloud: Sandbox, home: Path, tmp_path: Path
) -> None:
    profiles(home, '[work]\ntenant = "fabrikam.com"\n[home]\ntenant = "contoso.com"\n')
    for name in ("work", "nobody"):
        (tmp_path / f"{PROG}-{name}").symlink_to(SCRIPTS / PROG)
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    done = ask(env, FABRIKAM, program=f"{PROG}-work", MSAUTH_PROFILE="home")
    assert json.loads(done.stdout)["Username"] == USER
    done = ask(env, FABRIKAM, program=f"{PROG}-nobody")
    assert done.returncode == 1
    assert b"no profile 'nobody'" in done.stderr
    done = run_program(
        f"{PROG}-nobody", "--profile", "work", "get", env=env, stdin=FABRIKAM.encode()
    )
    assert json.loads(done.stdout)["Username"] == USER


@pytest.mark.parametrize(
    ("host", "authority", "there"),
    [
        ("contoso.azurecr.io", "https://login.microsoftonline.com", True),
        ("contoso.azurecr.us", "https://login.microsoftonline.us", True),
        ("contoso.azurecr.cn", "https://login.chinacloudapi.cn", True),
        ("contoso.azurecr.cn", "https://login.microsoftonline.com", False),
        ("contoso.azurecr.us", "https://login.microsoftonline.com", False),
        ("contoso.azurecr.io", "https://login.microsoftonline.us", False),
        ("contoso.azurecr.io", "https://login.microsoftonline.de", False),
        ("contoso.azurecr.io", "https://login.example.com", True),
    ],
)
def test_a_registry_is_of_one_cloud(host: str, authority: str, there: bool) -> None:
    env = {"HOME": "/none", "AZURE_AUTHORITY_HOST": authority}
    if there:
        request = feeds.registry_request(host, {}, env)
        assert (request.authority, request.registry) == (authority, host)
        assert request.scopes == ("https://containerregistry.azure.net/.default",)
    else:
        with pytest.raises(UsageError):
            feeds.registry_request(host, {}, env)


def test_another_cloud_s_registry_gets_no_request(env: Environment, cloud: Sandbox) -> None:
    done = ask(env, "contoso.azurecr.cn")
    refused(done, b"AzureChinaCloud", b"export AZURE_AUTHORITY_HOST=https://login.chinacloudapi.cn")
    assert cloud.requests == []


REGISTRY_STRANGERS = (
    b"ghcr.io",
    b"https://index.docker.io/v1/",
    b"localhost:5000",
    b"contoso.azurecr.io:5000",
    b"http://contoso.azurecr.io",
    b"contoso.azurecr.io.evil.example",
    b"evil.example/contoso.azurecr.io",
    b"contoso.azurecr.io@evil.example",
    b"evil@contoso.azurecr.io",
    b"contoso.azurecr.io\\.evil.example",
    b"contoso%2eazurecr.io",
    "contoso.azurecr.\u0456o".encode(),
    "contoso\u3002azurecr.io".encode(),
    b"contoso.azurecr.io\nevil.example",
    b"contoso.azurecr.io\0",
    b" contoso.azurecr.io",
    b"contoso.westeurope.data.azurecr.io",
    b"contoso.privatelink.azurecr.io",
    b"azurecr.io",
    b"contoso.azurecr.de",
    b"xazurecr.io",
    b"\xff\xfe",
    b"{}",
    b"x" * 100_000,
)


@pytest.mark.parametrize("server", [*REGISTRY_STRANGERS, *STRANGERS])
def test_strangers(server: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None, at once: nothing is asked, and no file of ours made or looked for."""
    monkeypatch.setenv("MSAUTH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MSAUTH_PROFILE", "there-is-no-such-profile")
    for program in (PROG, f"{PROG}-nobody"):
        expected = NONE if server else NO_SERVER
        assert docker.run(program, ["get"], lambda: server) == (1, expected)
        assert docker.run(program, ["erase"], lambda: server) in ((0, b""), (1, NO_SERVER))
    assert list(tmp_path.iterdir()) == []


@given(st.binary(max_size=60))
def test_no_bytes_raise(data: bytes) -> None:
    if urls.registry(data.strip()) is None:
        assert docker.run(PROG, ["get"], lambda: data) in ((1, NONE), (1, NO_SERVER))
    assert docker.run(PROG, ["store"], lambda: data)[0] in (0, 1)


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "stdout"),
    [
        (["get"], b"", 1, NO_SERVER),
        (["get"], b"\n", 1, NO_SERVER),
        (["erase"], b"", 1, NO_SERVER),
        (["erase"], b"ghcr.io", 0, b""),
        (["list"], b"", 0, b"{}\n"),
        (["version"], b"", 0, None),
        (["store"], b"not json", 0, b""),
        (["store"], b"[" * 50_000, 0, b""),
        (["store"], b'{"ServerURL":"contoso.azurecr.io","Username":"u","Secret":"p"}', 0, b""),
        (["store"], b'{"Username":"u","Secret":"p"}', 0, b""),
        (["store"], b'{"ServerURL":"ghcr.io","Username":"u","Secret":"sentinel"}', 1, None),
        (["frobnicate"], b"", 1, b"Unknown credential action `frobnicate`\n"),
        (["get", "--tenant", "no tenant"], b"contoso.azurecr.io", 2, None),
        (["--frobnicate", "get"], b"contoso.azurecr.io", 1, None),
        ([], b"", 2, None),
    ],
)
def test_the_table(
    bare_env: Environment, arguments: list[str], stdin: bytes, code: int, stdout: bytes | None
) -> None:
    done = run_program(PROG, *arguments, env=bare_env, stdin=stdin)
    assert done.returncode == code
    assert stdout in (None, done.stdout)
    assert b"Traceback" not in done.stderr
    assert b"sentinel" not in done.stdout + done.stderr
    if code == 0:
        assert done.stderr == b""
    assert not Path(bare_env["MSAUTH_CACHE_DIR"]).exists()


def test_version_and_help(bare_env: Environment) -> None:
    name, package, version = run_program(PROG, "version", env=bare_env).stdout.split()
    assert (name, package) == (PROG.encode(), b"(msauth)")
    assert run_program("msauth", "--version", env=bare_env).stdout.split()[1] == version
    assert b"usage: " in run_program(PROG, "--help", env=bare_env).stdout


def jwt(**claims: object) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts), "c2ln"])


def body(token: object) -> bytes:
    return json.dumps({"refresh_token": token}).encode()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", b"exchange of tokens with no JSON"),
        (b"<html>proxy</html>", b"exchange of tokens with no JSON"),
        (b"\xff\xfe", b"exchange of tokens with no JSON"),
        (b"[" * 30_000, b"exchange of tokens with no JSON"),
        (b"[]", b"exchange of tokens with no token"),
        (b'"eyJ"', b"exchange of tokens with no token"),
        (b"{}", b"exchange of tokens with no token"),
        (body(5), b"exchange of tokens with no token"),
        (body(""), b"exchange of tokens with no token"),
        (body('x"}, {"Secret": "y'), b"exchange of tokens with no token"),
        (body("line\nline"), b"exchange of tokens with no token"),
        (body("eyJ\u00e9"), b"exchange of tokens with no token"),
        (body("opaque"), b"until when"),
        (body(jwt()), b"until when"),
        (body(jwt(exp="soon")), b"until when"),
        (body(jwt(exp=True)), b"until when"),
        (body(jwt(exp=-5)), b"until when"),
        (body(jwt(exp=10**30)), b"until when"),
        (body(jwt(exp=1_000_000_000)), b"check the clock"),
        (body(jwt(exp=4_000_000_000, x="x" * 40_000)), b"more than"),
    ],
)
def test_a_hostile_answer(
    env: Environment, cloud: Sandbox, records: Callable[[], list[Path]], answer: bytes, said: bytes
) -> None:
    cloud.configure(registry_exchange=(200, {"Content-Type": "application/json"}, answer))
    refused(ask(env), said)
    assert len(records()) == 1  # Entra ID's


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (302, b"elsewhere"),
        (307, b"elsewhere"),
        (400, b"answered 400"),
        (403, b"AcrPull"),
        (404, b"answered 404"),
        (429, b"try again in a minute"),
        (500, b"try again in a minute"),
    ],
)
def test_a_refusal(env: Environment, cloud: Sandbox, status: int, said: bytes) -> None:
    """No redirect is followed: Entra ID's token would go to another server."""
    place = {"Location": f"https://{FABRIKAM}/oauth2/exchange"}
    cloud.configure(registry_exchange=(status, place, b'{"errors":[{"message":"sentinel"}]}'))
    done = ask(env)
    refused(done, said)
    assert b"sentinel" not in done.stdout + done.stderr
    assert {r.host for r in cloud.requests if r.kind == "registry"} == {REGISTRY}


def test_an_answer_is_not_read_to_its_end(env: Environment, cloud: Sandbox) -> None:
    """192 MiB of it would not go into what memory the helper may have here."""
    cloud.configure(registry_exchange=(200, {}, b" " * (192 << 20)))
    command = ("-c", f"ulimit -v 180000; exec {PROG} get")
    refused(run_program("sh", *command, env=env, stdin=REGISTRY.encode()), b"more than 32768 bytes")


def test_an_answer_that_drips_is_given_up(
    env: Environment, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte comes soon enough, and the last one never."""
    over = threading.Event()

    def drip() -> Iterator[bytes]:
        for _ in range(400):
            if not over.wait(0.05):
                yield b" "

    cloud.configure(registry_exchange=(200, {}, drip()))
    monkeypatch.setattr(exchanging, "LONGEST", 1)
    try:
        with pytest.raises(SignInError, match="did not exchange the token within 1 seconds") as it:
            feeds.registry_token(REGISTRY, {}, env)
    finally:
        over.set()
    assert not it.value.deterministic


def test_a_registry_out_of_reach(env: Environment, cloud: Sandbox) -> None:
    cloud.drop_connections(host=REGISTRY)
    refused(ask(env), b"cannot reach contoso.azurecr.io")


def test_a_certificate_that_is_not_trusted(
    env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    secret(env, MSAUTH_TENANT="contoso.com")  # Entra ID's token is there
    run_program(PROG, "erase", env=env, stdin=REGISTRY.encode())
    other = Path(next(p for p in ("/etc/ssl/certs/ca-certificates.crt",) if os.path.exists(p)))
    more = {"REQUESTS_CA_BUNDLE": str(other), "MSAUTH_TENANT": "contoso.com"}
    refused(ask(env, **more), b"certificate of contoso.azurecr.io is not trusted")


@pytest.mark.parametrize(
    ("issued", "life", "kept"),
    [(7200, 3600, 3600), (0, 1 << 39, 86400), (-(1 << 30), 1 << 31, 86400)],
)
def test_a_token_is_kept_no_longer_than_it_can_be_meant(
    env: Environment,
    cloud: Sandbox,
    records: Callable[[], list[Path]],
    issued: int,
    life: int,
    kept: int,
) -> None:
    """By a clock that is behind it would seem to live longer; and none is for years."""
    now = int(time.time())
    token = jwt(iat=now + issued, exp=now + issued + life)
    cloud.configure(registry_exchange=(200, {}, body(token)))
    assert secret(env) == token
    ends = [
        record.number(found[0]["expires_on"])
        for found in (record.decode(path.read_bytes(), None) for path in records())
        if found and found[0].get("request.registry")
    ]
    assert len(ends) == 1
    assert abs(ends[0] - (now + kept)) < 60


def test_a_sign_in_that_fails(env: Environment, cloud: Sandbox) -> None:
    cloud.fail_tokens(7000215, times=None)
    refused(ask(env), b"the client secret is wrong")
    assert exchanges(cloud) == 0


def test_a_cache_that_cannot_be_used_is_said_once(env: Environment, cloud: Sandbox) -> None:
    place = Path(env["MSAUTH_CACHE_DIR"])
    (place / "v1").mkdir(parents=True)
    (place / "v1").chmod(0o777)
    done = ask(env)
    assert json.loads(done.stdout)["Username"] == USER
    assert done.stderr.count(b"not using the token cache") == 1


def test_the_trace_shows_no_token(env: Environment) -> None:
    for _ in range(2):
        done = ask(env, MSAUTH_TRACE="2")
        assert b"cache" in done.stderr
        assert json.loads(done.stdout)["Secret"].encode() not in done.stderr


@pytest.mark.parametrize("signed_out", [False, True])
def test_who_signed_out_of_az_gets_no_exchange(
    bare_env: Environment, cloud: Sandbox, home: Path, signed_out: bool
) -> None:
    """az's encrypted tokens changed since it gave the cached one, and there is no az to ask."""
    tokens = home / ".azure/msal_token_cache.bin"
    tokens.parent.mkdir()
    tokens.write_bytes(b"encrypted")
    env = bare_env | cloud.environ | {"MSAUTH_CREDENTIAL": "azure-cli", "PATH": str(SCRIPTS)}
    env["MSAUTH_BACKGROUND_REFRESH"] = "1"
    selection = select({}, env)
    request = selection.request(selection.scopes_for("acr"))
    now = int(time.time())
    text = cloud.issue_token("contoso", request.scopes[0])
    token = Token(text, now + 3600, refresh_on=now + 1800, issued=now, credential="azure-cli")
    with Folder.cache(env, create=True) as folder:
        changes.keep(folder, request, token, generation=folder.generation(""), claims=None)
    if signed_out:
        tokens.write_bytes(b"")
        refused(ask(env), b"azure-cli")
    else:
        secret(env)
    assert exchanges(cloud) == (not signed_out)


def test_a_token_past_its_half_is_renewed_behind(
    bare_env: Environment, cloud: Sandbox, records: Callable[[], list[Path]]
) -> None:
    """The detached child knows that it is the registry's own token that is wanted."""
    env = bare_env | cloud.environ | cloud.service_principal_environ("contoso")
    env |= {"MSAUTH_BACKGROUND_REFRESH": "1", "MSAUTH_TENANT": "contoso.com"}
    seed(env, due=True)
    before = {path: path.read_bytes() for path in records()}
    old = secret(env)
    until = time.monotonic() + 60
    while (new := secret(env)) == old:
        assert time.monotonic() < until
    assert claims_of(new)["aud"] == REGISTRY
    assert exchanges(cloud) == 1
    changed = [path for path in records() if before.get(path) != path.read_bytes()]
    assert len(changed) == 2  # the registry's, and Entra ID's behind it
