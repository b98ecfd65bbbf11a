"""msauth-run --serve: the endpoint as SDKs and attackers see it, and the command beside it."""

import calendar
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from msauth.protocols.token_endpoint import TokenQuery
from msauth.request.request import Token
from msauth.run.server import Endpoint, Wanted
from msauth.signin.attempt import claims_of
from msauth_sandbox import Record, Sandbox

from .conftest import SCRIPTS, Done, Environment, run_program, start_program
from .terminal import Terminal

PROG = "msauth-run"
ARM = "https://management.azure.com"
GRAPH = "https://graph.microsoft.com"
VERSION = "api-version=2019-08-01"
Answer = tuple[int, dict[str, str]]


class Served:
    """A running `msauth-run --serve`, and its endpoint as its command would call it."""

    def __init__(self, process: "subprocess.Popen[bytes]", env: Environment) -> None:
        self.process = process
        self.env = env
        self.secret = env["IDENTITY_HEADER"]
        self.port = int(env["AZD_AUTH_ENDPOINT"].rpartition(":")[2])

    def raw(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(data)
            chunks = []
            while chunk := connection.recv(65536):
                chunks.append(chunk)
            return b"".join(chunks)

    def send(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, target, body or None, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def get(self, resource: str, header: str = "X-IDENTITY-HEADER", **headers: str) -> Answer:
        target = f"/msi/token?{VERSION}&resource={resource}"
        return self.send("GET", target, {header: self.secret} | headers)

    def azd(self, *scopes: str, **more: str) -> Answer:
        return self.send(
            "POST",
            "/token?api-version=2023-07-12-preview",
            {"Authorization": f"Bearer {self.env['AZD_AUTH_KEY']}"},
            json.dumps({"scopes": scopes, **more}).encode(),
        )


@contextmanager
def serving(env: Environment, *options: str, limit: int = 0) -> Iterator[Served]:
    """Run a command that shows its environment and then waits until we let it go.

    limit: of descriptors (`ulimit -n`).
    """
    show = "import os, sys; print('\\0'.join(map('='.join, os.environ.items())), flush=True)"
    line = f"ulimit -n {limit or '$(ulimit -n)'}; exec {PROG} --serve " + '"$@"'
    command = ("--", sys.executable, "-c", f"{show}; sys.stdin.read()")
    process = start_program("sh", "-c", line, "sh", *options, *command, env=env)
    assert process.stdout is not None
    shown = process.stdout.readline().decode().rstrip("\n")
    if not shown:
        pytest.fail(process.communicate()[1].decode())
    served = Served(process, dict(pair.split("=", 1) for pair in shown.split("\0")))
    try:
        yield served
    finally:
        process.communicate(timeout=30)


def test_app_service(env: Environment, cloud: Sandbox) -> None:
    with serving(env) as served:
        before = time.time()
        status, body = served.get(ARM)
        assert status == 200
        assert list(body) == ["access_token", "expires_in", "expires_on", "resource", "token_type"]
        assert body["resource"] == ARM
        assert body["token_type"] == "Bearer"
        assert 3500 < int(body["expires_on"]) - before < 3700
        assert abs(int(body["expires_in"]) + before - int(body["expires_on"])) < 10
        assert cloud.count("token", scope=f"{ARM}/.default") == 1


def test_terraform_needs_no_option(env: Environment, cloud: Sandbox) -> None:
    """The requests of go-azure-sdk: `Metadata: true`, no secret, 2018-02-01 unless told."""
    with serving(env | {"ARM_MSI_API_VERSION": "2020-06-01"}) as served:
        assert served.env["ARM_USE_MSI"] == "true"
        assert "ARM_MSI_API_VERSION" not in served.env
        base = f"http://127.0.0.1:{served.port}"
        path = served.env["ARM_MSI_ENDPOINT"].removeprefix(base)
        for version in ("2018-02-01", "2019-08-01"):
            target = f"{path}?api-version={version}&client_id=x&resource={ARM}/"
            status, body = served.send("GET", target, {"Metadata": "true"})
            assert status == 200, body
            assert 3000 < int(body["expires_in"]) <= 3600
        assert cloud.count("token", scope=f"{ARM}/.default") == 1
        wrong = path.replace(served.secret, "x" * len(served.secret))
        for bad, headers in ((wrong, {"Metadata": "true"}), (path, {})):
            refused = served.send("GET", f"{bad}?{VERSION}&resource={ARM}", headers)
            assert refused[0] == 401
            assert without_token(refused)


def test_terraforms_own_identity_is_its_own(env: Environment) -> None:
    """A provider reads these before it looks for a managed identity; --for terraform insists."""
    own = {"ARM_CLIENT_ID": "x", "ARM_CLIENT_SECRET": "y", "ARM_USE_OIDC": "true"}
    with serving(env | own) as served:
        assert own.items() <= served.env.items()
    with serving(env | own, "--for", "terraform") as served:
        assert not own.keys() & served.env.keys()
        assert served.secret in served.env["ARM_MSI_ENDPOINT"]


def test_a_form_and_a_date_for_older_sdks(env: Environment) -> None:
    with serving(env) as served:
        headers = {
            "secret": served.secret,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = f"resource={ARM}&api-version=2017-09-01".encode()
        before = int(time.time())
        status, body = served.send("POST", "/msi/token/", headers, form)
        assert status == 200, body
        date = time.strptime(body["expires_on"], "%m/%d/%Y %I:%M:%S %p +00:00")
        assert 3500 < calendar.timegm(date) - before < 3700


def test_the_other_protocols_share_the_token(env: Environment, cloud: Sandbox) -> None:
    with serving(env) as served:
        token = served.get(ARM)[1]["access_token"]
        old = served.send(
            "GET",
            f"/msi/token?api-version=2017-09-01&resource={ARM}/&clientid=x",
            {"secret": served.env["MSI_SECRET"]},
        )
        assert old[1]["access_token"] == token
        assert old[1]["resource"] == f"{ARM}/"
        assert served.get(ARM, "x-ms-identity", Metadata="true")[1]["access_token"] == token
        status, azd = served.azd(f"{ARM}//.default")
        assert (status, azd["status"], azd["token"]) == (200, "success", token)
        assert azd["expiresOn"].endswith("Z")
        assert served.get("https://management.core.windows.net/")[1]["access_token"] == token
        assert cloud.count("token") == 1


def test_the_childs_environment(env: Environment) -> None:
    more = {"AZURE_USERNAME": "u", "IDENTITY_SERVER_THUMBPRINT": "t", "AZD_AUTH_CERT": "c"}
    with serving(env | more, "-e", "GRAPH_TOKEN=graph") as served:
        seen = served.env
        assert seen["IDENTITY_ENDPOINT"] == seen["MSI_ENDPOINT"]
        assert seen["IDENTITY_ENDPOINT"].startswith("http://127.0.0.1:")
        assert seen["AZURE_TOKEN_CREDENTIALS"] == "ManagedIdentityCredential"
        assert not {"AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", *more} & seen.keys()
        assert "AZURE_ACCESS_TOKEN" not in seen
        assert seen["GRAPH_TOKEN"].startswith("eyJ")
        assert len(served.secret) >= 43


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"no_proxy": "intra"}, "intra,127.0.0.1,localhost"),
        ({"NO_PROXY": "localhost,intra"}, "localhost,intra,127.0.0.1"),
    ],
)
def test_no_proxy_gets_the_secret(given: Environment, expected: str, env: Environment) -> None:
    plain = {k: v for k, v in env.items() if k.lower() != "no_proxy"}
    with serving(plain | given) as served:
        assert served.env["NO_PROXY"] == served.env["no_proxy"] == expected


def without_token(response: bytes | Answer) -> bool:
    return "eyJ" not in repr(response) and "access_token" not in repr(response)


def test_nobody_else_gets_anything(env: Environment, cloud: Sandbox) -> None:
    with serving(env) as served:
        target = f"/msi/token?{VERSION}&resource={ARM}"
        known = {"X-IDENTITY-HEADER": served.secret}
        azd = "/token?api-version=2023-07-12-preview"
        refused = {
            "no secret": (401, served.send("GET", target, {})),
            "wrong secret": (401, served.send("GET", target, {"X-IDENTITY-HEADER": "x"})),
            "wrong Host": (403, served.get(ARM, Host="evil.example")),
            "wrong port": (403, served.get(ARM, Host="127.0.0.1:80")),
            "a browser": (403, served.get(ARM, Origin=f"http://127.0.0.1:{served.port}")),
            "preflight": (405, served.send("OPTIONS", target, known)),
            "another path": (404, served.send("GET", "/", known)),
            "put": (405, served.send("PUT", target, known, b"{}")),
            "no form": (400, served.send("POST", target, known, b"{}")),
            "scope": (403, served.get("https://evil.example")),
            "narrower scope": (403, served.get(f"{GRAPH}/Mail.Send")),
            "no azd secret": (401, served.send("POST", azd, {}, b'{"scopes":["x"]}')),
        }
        for name, (status, answer) in refused.items():
            assert answer[0] == status, name
            assert answer[1]["statusCode"] == status
            assert set(answer[1]) == {"statusCode", "message"}
            assert without_token(answer), name
        for scopes in (["https://evil.example/.default"], [f"{ARM}/.default", f"{GRAPH}/.default"]):
            status, body = served.azd(*scopes)
            assert (status, body["status"], body["code"]) == (200, "error", "GetTokenError")
            assert "token" not in body
        assert cloud.count() == 0


def test_bytes_that_are_no_request(env: Environment) -> None:
    with serving(env) as served:
        host = f"Host: 127.0.0.1:{served.port}\r\nX-IDENTITY-HEADER: {served.secret}\r\n".encode()
        line = f"GET /msi/token?{VERSION}&resource={ARM} HTTP/1.1\r\n".encode()
        for data, status in {
            b"\0\1\2\r\n\r\n": b"400",
            line + host + b"X: " + b"x" * 20_000: b"431",
            line + host + b"secret: x\r\nsecret: y\r\n\r\n": b"400",
            line + host + b"Transfer-Encoding: chunked\r\n\r\n": b"400",
            line + host + b"Content-Length: 100000\r\n\r\n": b"413",
        }.items():
            answer = served.raw(data)
            assert answer.startswith(b"HTTP/1.1 " + status), data[:40]
            assert without_token(answer)
        assert served.get(ARM)[0] == 200


def test_allow_narrows(env: Environment) -> None:
    with serving(env, "--allow", "graph", "--allow", "https://vault.azure.net") as served:
        assert served.get(GRAPH)[0] == 200
        assert served.get("00000003-0000-0000-c000-000000000000")[0] == 200
        assert served.get("https://vault.azure.net/")[0] == 200
        assert served.get(ARM)[0] == 403
        assert served.get("https://management.core.windows.net")[0] == 403


def test_a_tenant_of_azds_choice(env: Environment, cloud: Sandbox) -> None:
    fabrikam = cloud.tenants["fabrikam"].id
    with serving(env) as served:
        assert served.azd(f"{ARM}/.default", tenantId=fabrikam)[1]["status"] == "success"
        assert cloud.count("token", tenant="fabrikam") == 1
        odd = served.azd(f"{ARM}/.default", tenantId="../x")[1]
        assert (odd["status"], "neither a GUID nor a domain" in odd["message"]) == ("error", True)
    with serving(env, "--tenant", cloud.tenants["contoso"].id) as served:
        answer = served.azd(f"{ARM}/.default", tenantId=fabrikam)
        assert answer[1]["status"] == "error"
        assert cloud.count("token", tenant="fabrikam") == 1


INNER = ("msauth-token", "arm", "--format", "token")


def test_programs_of_ours_get_the_tenant_or_nothing(env: Environment, cloud: Sandbox) -> None:
    contoso, fabrikam = (cloud.tenants[name].id for name in ("contoso", "fabrikam"))

    def token(tenant: str, *options: str) -> Done:
        inner = (*INNER, "--tenant", tenant)
        return run_program(PROG, "--serve", *options, "--", *inner, env=env)

    for options in ((), ("--tenant", fabrikam), ("--tenant", "fabrikam.com")):
        done = token(fabrikam, *options)
        assert done.returncode == 0, done.stderr
        assert claims_of(done.stdout.decode().strip())["tid"] == fabrikam
    for chosen in (contoso, "contoso.com"):
        done = token(fabrikam, "--tenant", chosen)
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"only the tenant that msauth-run was started for is allowed" in done.stderr
    # Its own variables choose for msauth-run, not once more for the programs in it.
    chosen_by_variable = env | {"MSAUTH_TENANT": contoso}
    done = run_program(PROG, "--serve", "--", *INNER, env=chosen_by_variable)
    assert claims_of(done.stdout.decode().strip())["tid"] == contoso, done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("arm", "--credential", "managed-identity", "--client-id", "another"),
        ("get-token", "--login=msi", "--server-id=https://x", "--client-id=another"),
        ("get-token", "--login=msi", "--server-id=https://x", "--identity-resource-id=/another"),
    ],
)
def test_programs_of_ours_get_no_other_identity_than_they_name(
    options: tuple[str, ...], env: Environment, cloud: Sandbox
) -> None:
    done = run_program(PROG, "--serve", "--", "msauth-token", *options, env=env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"msauth-run --serve has one identity" in done.stderr


def test_git_gets_the_tenant_of_its_organisation(
    env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    clone = ["git", "clone", "-q", "https://dev.azure.com/fabrikam/widgets/_git/widgets", "clone"]
    run = [PROG, "--serve", "--for", "git"]
    done = run_program(*run, "--", *clone, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (cloud.count("token"), cloud.count("token", tenant="fabrikam")) == (1, 1)
    again = [*clone[:-1], "again"]
    done = run_program(*run, "--tenant", "contoso.com", "--", *again, env=env, cwd=tmp_path)
    assert b"only the tenant that msauth-run was started for is allowed" in done.stderr


def test_a_refresh_inside_is_a_refresh(env: Environment, cloud: Sandbox) -> None:
    inner = "msauth-token arm >/dev/null && msauth-token arm --force-refresh >/dev/null"
    done = run_program(PROG, "--serve", "--", "sh", "-c", inner, env=env)
    assert done.returncode == 0, done.stderr
    assert cloud.count("token") == 2


def test_a_token_that_an_organisation_refused_is_replaced_inside(
    env: Environment, cloud: Sandbox
) -> None:
    asked = "protocol=https\\nhost=dev.azure.com\\npath=contoso/hello/_git/hello\\n"
    get = f"printf '{asked}' | git-credential-msauth get | sed -n 's/^password=//p'"
    erase = f"printf '{asked}password=%s\\n' $first | git-credential-msauth erase"
    inner = f"first=$({get}); {erase}; echo $first $({get})"
    done = run_program(PROG, "--serve", "--", "sh", "-c", inner, env=env)
    assert len(set(done.stdout.split())) == 2, done.stderr
    assert cloud.count("token") == 2


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1.evil.example:80", "http://evil.example:80", "127.0.0.1:80", ""]
)
def test_the_secret_goes_to_this_machine_only(
    address: str, env: Environment, cloud: Sandbox
) -> None:
    led = {"MSAUTH_SERVE": "1", "AZD_AUTH_ENDPOINT": address, "AZD_AUTH_KEY": "k"}
    led |= {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential", "IDENTITY_ENDPOINT": address}
    led |= {"MSI_ENDPOINT": "http://127.0.0.1:1/msi/token"}
    done = run_program("msauth-token", "arm", env=env | led)
    assert done.returncode == 1
    assert b"AZD_AUTH_ENDPOINT is not the address of msauth-run --serve" in done.stderr
    assert cloud.count() == 0


def test_an_endpoint_that_has_ended_is_an_error(env: Environment, cloud: Sandbox) -> None:
    with serving(env) as served:
        inside = served.env
    done = run_program("msauth-token", "arm", env=inside)
    assert done.returncode == 1
    assert b"msauth-run --serve has ended" in done.stderr


def test_a_claims_challenge_reaches_the_sign_in(env: Environment, cloud: Sandbox) -> None:
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'
    with serving(env) as served:
        first = served.azd(f"{ARM}/.default")[1]["token"]
        other = served.azd(f"{ARM}/.default", claims=claims)[1]["token"]
        assert other != first
        assert cloud.count("token") == 2
        challenged = [r for r in cloud.requests if r.kind == "token"][1]
        assert challenged.claims


STRANGER = """
import collections, os, select, socket, sys
port, number, first = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
"localhost".encode("idna")  # now: another user may not read this Python's files
if sys.argv[5]:
    os.setuid(int(sys.argv[5]))
idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(number)]
for connection in idle:
    connection.sendall(first)
print("idle", flush=True)
poll = select.poll()
for connection in idle:
    poll.register(connection, select.POLLIN)
told = {connection.fileno(): connection for connection in idle}
statuses = collections.Counter()
while sum(statuses.values()) < int(sys.argv[4]) and (ready := poll.poll(20_000)):
    for descriptor, _ in ready:
        statuses[told[descriptor].recv(12).decode()[-3:]] += 1
        poll.unregister(descriptor)
print(*sorted(statuses.elements()), flush=True)
sys.stdin.read()
"""


@contextmanager
def strangers(
    port: int, number: int, closed: int, *, first: str = "", user: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with idle connections; once that many are closed, it says with which statuses."""
    argv = [sys.executable, "-c", STRANGER, str(port), str(number), first, str(closed), user]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"idle\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("first", ["", "GET /msi/token HTTP/1.1\r\n"], ids=["silent", "slow"])
def test_idle_connections_stall_nobody(first: str, env: Environment) -> None:
    with serving(env) as served, strangers(served.port, 512, 0, first=first):
        assert served.get(ARM)[0] == 200  # signs in
        before = time.monotonic()
        assert served.get(ARM)[0] == 200
        assert time.monotonic() - before < 8  # before any of them is closed because of its age


def test_idle_connections_leave_descriptors_to_sign_in_with(env: Environment) -> None:
    before = time.monotonic()
    with serving(env, limit=64) as served, strangers(served.port, 200, 168) as process:
        assert process.stdout is not None
        # The oldest; half of the limit stays.
        assert process.stdout.readline().split() == [b"503"] * 168
        assert served.get(ARM)[0] == 200
        assert served.get(GRAPH)[0] == 200
        assert time.monotonic() - before < 8  # before the rest is closed because of its age


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="does not say whose a socket is")
def test_another_user_holds_sixteen_connections_for_a_moment(env: Environment) -> None:
    with serving(env) as served:
        served.get(ARM)
        ours = socket.create_connection(("127.0.0.1", served.port))
        with ours, strangers(served.port, 512, 512, user="65534") as process:
            before = time.monotonic()
            assert served.get(ARM)[0] == 200
            assert process.stdout is not None
            statuses = process.stdout.readline().split()
            # Only the newest sixteen wait until they are too old, each time a busy machine stalls.
            assert len(statuses) == 512
            assert 16 <= statuses.count(b"408") <= 256
            # Well before our own user's connections, which have ten seconds, are closed.
            assert time.monotonic() - before < 8
            ours.settimeout(0)
            with pytest.raises(BlockingIOError):
                ours.recv(1)


def test_a_failed_sign_in_is_told_without_secrets(env: Environment, cloud: Sandbox) -> None:
    cloud.fail_tokens(7000215, times=None)
    with serving(env) as served:
        status, body = served.get(ARM)
        assert (status, body["statusCode"]) == (400, 400)
        assert "AADSTS7000215" in body["message"]
        assert cloud.client_secret not in body["message"]
        azd = served.azd(f"{ARM}/.default")[1]
        assert (azd["status"], azd["code"]) == ("error", "NotSignedInError")


def test_two_hundred_at_once_make_one_request(env: Environment, cloud: Sandbox) -> None:
    cloud.configure(latency=0.2)
    with serving(env) as served, ThreadPoolExecutor(200) as pool:
        resources = [ARM, GRAPH] * 100
        answers = list(pool.map(served.get, resources))
        assert [status for status, _ in answers] == [200] * 200
        assert len({body["access_token"] for _, body in answers}) == 2
        assert cloud.count("token", scope=f"{ARM}/.default") == 1
        assert cloud.count("token", scope=f"{GRAPH}/.default") == 1


def test_two_hundred_short_lived_ones_too(env: Environment, cloud: Sandbox) -> None:
    """A token that is too short for the cache is still shared by all who waited for it."""
    cloud.configure(latency=0.5, expires_in=120)
    with serving(env) as served, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(served.get, [ARM] * 50))
        assert {status for status, _ in answers} == {200}
        assert cloud.count("token") == 1


def test_one_request_also_without_a_cache(env: Environment, cloud: Sandbox) -> None:
    """The threads share by themselves what no lock file can make processes share."""
    cloud.configure(latency=0.5)
    Path(env["MSAUTH_CACHE_DIR"], "v1").mkdir(parents=True, mode=0o755)
    with serving(env) as served, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(served.get, [ARM] * 50))
        assert {status for status, _ in answers} == {200}
        assert cloud.count("token") == 1


def test_a_slow_sign_in_holds_up_nobody_else(env: Environment, cloud: Sandbox) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def slow_graph(request: Record) -> None:
        if request.scope == f"{GRAPH}/.default":
            arrived.set()
            assert go_on.wait(20)

    cloud.on_token(slow_graph)
    with serving(env) as served, ThreadPoolExecutor(1) as pool:
        graph = pool.submit(served.get, GRAPH)
        try:
            assert arrived.wait(20)
            assert served.get(ARM)[0] == 200
            assert not graph.done()
        finally:
            go_on.set()
        assert graph.result()[0] == 200


def test_no_token_of_less_than_five_minutes(env: Environment, cloud: Sandbox) -> None:
    cloud.configure(expires_in=250)
    with serving(env, "--min-valid", "1") as served:
        first = served.get(ARM)[1]
        cloud.configure(expires_in=3600)
        deadline = time.monotonic() + 10
        while served.get(ARM)[1] == first and time.monotonic() < deadline:
            pass  # what was signed in within this second is shared by single flight
        assert int(served.get(ARM)[1]["expires_in"]) > 3000


def test_force_refresh_is_meant_once(env: Environment, cloud: Sandbox) -> None:
    assert run_program(PROG, "true", env=env).returncode == 0
    with serving(env, "--force-refresh") as served:
        tokens = {served.get(ARM)[1]["access_token"] for _ in range(4)}
        assert len(tokens) == 1
        assert cloud.count("token") == 2


@pytest.mark.parametrize("broken", ["wanted", "known", "get"])
def test_a_fault_of_ours_is_an_answer_and_no_traceback(
    broken: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def fault(name: str) -> None:
        if name == broken:
            raise KeyError("a secret of ours")

    class Broken:
        def wanted(self, query: TokenQuery) -> Wanted:
            fault("wanted")
            return query.wanted[0], "", None, False

        def known(self, wanted: Wanted) -> None:
            fault("known")

        def get(self, wanted: Wanted) -> Token:
            fault("get")
            raise AssertionError("not asked for")

    endpoint = Endpoint(Broken())
    endpoint.start()
    served = Served(None, endpoint.variables())  # type: ignore[arg-type]
    status, body = served.get(ARM)
    assert (status, body["message"]) == (400, "internal error (KeyError)")
    assert served.azd(ARM)[1]["code"] == "GetTokenError"
    assert capfd.readouterr().err == ""


ASK = f"""
import os, sys, urllib.request as r
url = os.environ['IDENTITY_ENDPOINT'] + '?{VERSION}&resource={ARM}'
secret = {{'X-IDENTITY-HEADER': os.environ['IDENTITY_HEADER']}}
answer = r.urlopen(r.Request(url, headers=secret)).read()
streams = []
for number in (0, 1, 2):
    try:
        os.fstat(number)
    except OSError:
        streams.append(number)
with open(sys.argv[1], 'w') as file:
    print(len(answer) > 1000, streams, file=file)
"""


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams(closed: tuple[int, ...], env: Environment, tmp_path: Path) -> None:
    """The endpoint's socket must not take their places, and the command has them closed too."""
    (tmp_path / "ask.py").write_text(ASK)
    close = " ".join(f"{number}>&-" for number in closed)
    line = f'exec {PROG} --serve -- "$@" {close}'
    out = tmp_path / "out"
    run_program("sh", "-c", line, "sh", sys.executable, str(tmp_path / "ask.py"), str(out), env=env)
    assert out.read_text() == f"True {list(closed)}\n"


def test_programs_of_ours_are_led_to_the_endpoint_too(
    env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    """The secret of the chosen identity is not there for them; the endpoint is."""
    clone = ["git", "clone", "-q", "https://dev.azure.com/contoso/hello/_git/hello", "clone"]
    chosen = ("--credential", "service-principal")
    done = run_program(
        PROG, "--serve", "--for", "git", *chosen, "--", *clone, env=env, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    env |= {"MSAUTH_CREDENTIAL": "service-principal", "MSAUTH_CLIENT_ID": cloud.client_id}
    done = run_program(PROG, "--serve", "--", "msauth-token", "devops", env=env)
    assert done.returncode == 0, done.stderr
    assert cloud.count("token") == 2  # one for each way of choosing


def test_the_endpoint_ends_with_its_command(env: Environment) -> None:
    with serving(env) as served:
        assert served.get("x")[0] == 403
    assert served.process.returncode == 0
    with pytest.raises(ConnectionRefusedError):
        served.get(ARM)


def test_a_sign_in_in_flight_does_not_delay_the_end(env: Environment, cloud: Sandbox) -> None:
    arrived, go_on = threading.Event(), threading.Event()
    cloud.on_token(lambda _: (arrived.set(), go_on.wait(20), None)[2])
    try:
        with serving(env) as served:
            threading.Thread(target=_ignore, args=(served.get, ARM), daemon=True).start()
            assert arrived.wait(20)
        assert served.process.returncode == 0
    finally:
        go_on.set()


def _ignore(call: object, *arguments: object) -> None:
    try:
        call(*arguments)  # type: ignore[operator]
    except (OSError, http.client.HTTPException):
        pass


STATUS = {
    **{f"exit {code}": ["sh", "-c", f"exit {code}"] for code in (0, 1, 126, 127, 255)},
    **{
        f"killed by {name}": ["sh", "-c", f"kill -{name} $$"]
        for name in ("TERM", "INT", "QUIT", "HUP", "KILL", "PIPE", "SEGV", "USR1", "ALRM")
    },
    "no such command": ["no-such-command"],
    "not executable": ["/etc/passwd"],
    "missing interpreter": ["orphan"],
    "no interpreter line": ["plain", "x"],
    "stdin": ["cat"],
    "umask": ["sh", "-c", "umask"],
    "signal dispositions": ["grep", "-E", "^Sig(Blk|Ign|Cgt):", "/proc/self/status"],
    "descriptors": [
        sys.executable,
        "-c",
        "import os; print(sorted(os.listdir('/proc/self/fd')))",
    ],
}


@pytest.mark.parametrize("argv", STATUS.values(), ids=STATUS)
def test_served_is_as_bare(argv: list[str], bare_env: Environment, tmp_path: Path) -> None:
    for name, text in {"orphan": "#!/no/such/interpreter\n", "plain": 'echo "$1"; exit 9'}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    env = bare_env | {"PATH": f"{tmp_path}:{bare_env['PATH']}"}
    bare = run_program("env", *argv, env=env, stdin=b"in\n")
    done = run_program(PROG, "--serve", "--", *argv, env=env, stdin=b"in\n")
    assert (done.returncode, done.stdout) == (bare.returncode, bare.stdout)


@pytest.mark.parametrize(
    "name", ["TERM", "HUP", "USR1", "USR2", "INT", "QUIT", "CONT", "ALRM", "WINCH"]
)
def test_a_signal_is_passed_on(name: str, bare_env: Environment) -> None:
    number = getattr(signal, f"SIG{name}")
    # start_program has no terminal of its own, or not its foreground: all signals are for us.
    program = (
        f"import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIG{name}])\n"
        f"print('ready', flush=True); signal.sigwait([signal.SIG{name}])\n"
        "print('got', flush=True); raise SystemExit(9)\n"
    )
    process = start_program(PROG, "--serve", "--", sys.executable, "-c", program, env=bare_env)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert process.stdout.readline() == b"got\n"
    process.communicate(timeout=20)
    assert process.returncode == 9


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT"])
def test_an_ignored_signal_reaches_a_command_that_listens(name: str, bare_env: Environment) -> None:
    """As under nohup, or in the background of a shell: ignored until somebody wants it."""
    program = (
        "import os, signal\n"
        f"signal.signal(signal.SIG{name}, lambda *_: (os.write(1, b'got'), os._exit(9)))\n"
        "print('ready', flush=True)\n"
        "while True: signal.pause()\n"
    )
    line = f"trap '' {name}; exec {PROG} --serve -- " + '"$@"'
    process = start_program("sh", "-c", line, "sh", sys.executable, "-c", program, env=bare_env)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(getattr(signal, f"SIG{name}"))
    assert process.communicate(timeout=20)[0] == b"got"
    assert process.returncode == 9


def test_an_ignored_hangup_stays_ignored(bare_env: Environment) -> None:
    line = f"trap '' HUP; exec {PROG} --serve -- sh -c 'kill -HUP $PPID; kill -HUP $$; echo alive'"
    assert run_program("sh", "-c", line, env=bare_env).stdout == b"alive\n"


def test_ctrl_c_reaches_the_command_once(bare_env: Environment) -> None:
    """Terminal and kernel signal the whole group; we must not add a second interrupt."""
    program = (
        "import os, signal\n"
        "news, wakeup = os.pipe()\n"
        "os.set_blocking(wakeup, False)\n"
        "signal.set_wakeup_fd(wakeup)\n"
        "for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):\n"
        "    signal.signal(number, lambda *_: None)\n"
        "print('ready', flush=True)\n"
        "interrupts = 0\n"
        "while (number := os.read(news, 1)[0]) != signal.SIGUSR1:\n"
        "    interrupts += number == signal.SIGINT\n"
        "    print('interrupted' if number == signal.SIGINT else 'second', flush=True)\n"
        "raise SystemExit(40 + interrupts)\n"
    )
    argv = [PROG, "--serve", "--", sys.executable, "-c", program]
    with Terminal(argv, bare_env, resume=False) as terminal:
        terminal.read_until(b"ready")
        # Stopped, so that the command takes its interrupt before we could send another.
        os.kill(terminal.pid, signal.SIGSTOP)
        assert terminal.event() == ("stopped", signal.SIGSTOP)
        terminal.press(b"\x03")
        terminal.read_until(b"interrupted")
        os.kill(terminal.pid, signal.SIGCONT)
        # What is pending together arrives in any order; what comes after the second does not.
        os.kill(terminal.pid, signal.SIGUSR2)
        terminal.read_until(b"second")
        os.kill(terminal.pid, signal.SIGUSR1)
        assert terminal.event() == ("exited", 41)


def test_an_interrupt_before_the_command_is_there_is_the_commands(
    bare_env: Environment,
) -> None:
    program = (
        "import os, signal; from msauth.run import child\n"
        "hit = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        "os.register_at_fork(after_in_child=hit)\n"
        "raise SystemExit(child.run('/bin/true', ['true'], {}, lambda: None))\n"
    )
    with Terminal([sys.executable, "-c", program], bare_env) as terminal:
        assert terminal.event() == ("signaled", signal.SIGINT)


def test_ctrl_c_ends_both(bare_env: Environment) -> None:
    command = ["sh", "-c", "echo ready; exec sleep 60"]
    with Terminal([PROG, "--serve", "--", *command], bare_env) as terminal:
        terminal.read_until(b"ready")
        terminal.press(b"\x03")
        assert terminal.event() == ("signaled", signal.SIGINT)


def test_job_control(bare_env: Environment) -> None:
    command = ["sh", "-c", "echo ready; read line; exit 5"]
    with Terminal([PROG, "--serve", "--", *command], bare_env) as terminal:
        terminal.read_until(b"ready")
        for _ in range(2):
            terminal.press(b"\x1a")
            assert terminal.event()[0] == "stopped"
        terminal.press(b"\n")
        assert terminal.event() == ("exited", 5)


def test_a_command_may_close_its_output(bare_env: Environment) -> None:
    """Our own copies of its pipes must not keep them open: their readers wait for the end."""
    third, theirs = os.pipe()
    command = f"echo ready >&{theirs}; exec >&- {theirs}>&-; read x"
    with subprocess.Popen(
        [str(SCRIPTS / PROG), "--serve", "--", "bash", "-c", command],
        env=bare_env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(theirs,),
    ) as process:
        os.close(theirs)
        watchdog = threading.Timer(20, process.kill)
        watchdog.start()
        assert process.stdout is not None
        assert process.stdout.read() == b""
        with open(third, "rb") as pipe:
            assert pipe.read() == b"ready\n"
        assert process.poll() is None
        process.communicate(b"\n")
        watchdog.cancel()
    assert process.returncode == 0


def test_endpoints_can_be_nested(env: Environment, cloud: Sandbox) -> None:
    """The inner run signs in with the managed identity that the outer one serves."""
    ask = (
        "import os, urllib.request as r\n"
        f"url = os.environ['IDENTITY_ENDPOINT'] + '?{VERSION}&resource={ARM}'\n"
        "secret = {'X-IDENTITY-HEADER': os.environ['IDENTITY_HEADER']}\n"
        "print(r.urlopen(r.Request(url, headers=secret)).read()[:20])\n"
    )
    outer = [PROG, "--serve", "--"]
    done = run_program(*outer, *outer, sys.executable, "-c", ask, env=env)
    assert done.stdout.startswith(b'b\'{"access_token": '), done.stderr
    assert cloud.count("token") == 1


SDK = """
import base64, json, os, time, requests
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
URLS = {
    "https://management.azure.com/.default":
        "https://management.azure.com/subscriptions?api-version=2022-12-01",
    "https://graph.microsoft.com/.default": "https://graph.microsoft.com/v1.0/organization",
    "499b84ac-1321-427f-aa17-267ca6975798/.default":
        "https://dev.azure.com/contoso/_apis/projects?api-version=7.1",
}
assert "AZURE_CLIENT_SECRET" not in os.environ
credentials = [ManagedIdentityCredential(), DefaultAzureCredential()]
first = [(c, scope, c.get_token(scope)) for c in credentials for scope in URLS]
def exp(token):  # the server's word: an SDK counts from whole seconds and may be a second early
    body = token.token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["exp"]
while time.time() <= max(exp(token) for _, _, token in first) + 1:
    time.sleep(0.1)
for credential, scope, token in first:
    statuses = []
    for text in (token.token, credential.get_token(scope).token):
        answer = requests.get(URLS[scope], headers={"Authorization": "Bearer " + text})
        statuses.append(answer.status_code)
    print(type(credential).__name__, scope, *statuses)
"""


def test_real_sdks_keep_working_past_an_expiry(env: Environment, cloud: Sandbox) -> None:
    cloud.configure(expires_in=3)
    done = run_program(PROG, "--serve", "--", sys.executable, "-c", SDK, env=env)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().rstrip("\n").split("\n")
    assert len(lines) == 6
    # Azure DevOps answers an expired token with its sign-in page, and a 203.
    assert all(line.endswith((" 401 200", " 203 200")) for line in lines), lines


NODE = """
const { DefaultAzureCredential, ManagedIdentityCredential } = require("@azure/identity");
const scopes = ["https://management.azure.com/.default", "https://graph.microsoft.com/.default",
  "https://vault.azure.net/.default"];
(async () => {
  for (const kind of [ManagedIdentityCredential, DefaultAzureCredential]) {
    const credential = new kind();
    for (const scope of scopes) {
      const token = await credential.getToken(scope);
      console.log(token.token.split(".").length, token.expiresOnTimestamp > Date.now() + 3000e3);
    }
  }
})();
"""


@pytest.mark.real_client
def test_the_javascript_sdk(env: Environment, cloud: Sandbox) -> None:
    """Needs `npm install @azure/identity`; MSAUTH_TEST_NODE_MODULES names the node_modules."""
    modules = os.environ.get("MSAUTH_TEST_NODE_MODULES", "")
    if not modules:
        pytest.skip("MSAUTH_TEST_NODE_MODULES does not name a folder with @azure/identity")
    done = run_program(PROG, "--serve", "--", "node", "-e", NODE, env=env | {"NODE_PATH": modules})
    assert done.stdout.split() == [b"3", b"true"] * 6, done.stderr
    assert cloud.count("token") == 3
