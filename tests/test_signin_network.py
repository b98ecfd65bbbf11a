"""What leaves the machine while signing in, and where it goes: identities, netrc, proxies."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.rest import HttpRequest

from msauth.request.request import TokenRequest
from msauth.signin import aadsts, network
from msauth.signin.attempt import Attempt
from msauth_sandbox import Sandbox

from .conftest import Environment, run_program
from .signin_stubs import HELLO, attributes

NETRC = "machine 127.0.0.1 login eve password hunter2\ndefault login eve password hunter2\n"
ANSWER = b'{"access_token":"opaque","expires_on":"4102444800","expires_in":"3600","resource":"r"}'


class Recorder:
    """A loopback HTTP server that keeps what it was asked; redirect: where it sends everybody."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.redirect = ""
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                recorder.asked.append((self.path, dict(self.headers)))
                self.send_response(302 if recorder.redirect else 200)
                if recorder.redirect:
                    self.send_header("Location", recorder.redirect)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(ANSWER)))
                self.end_headers()
                self.wfile.write(ANSWER)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture
def elsewhere() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.mark.parametrize("protocol", ["app-service", "msi"])
@pytest.mark.parametrize("named", ["client_id", "resource_id", ""])
def test_the_identity_that_was_named_is_asked_for(
    bare_env: Environment, cloud: Sandbox, protocol: str, named: str
) -> None:
    env = bare_env | cloud.environ | cloud.managed_identity_environ(protocol)
    identity = cloud.user_assigned_identity
    options: tuple[str, ...] = ("--credential", "managed-identity")
    if named == "client_id":
        options += ("--client-id", identity["client_id"])
    elif named == "resource_id":
        # A client id that is merely in the environment does not stand against it.
        env["MSAUTH_IDENTITY_RESOURCE_ID"] = identity["resource_id"]
        env["AZURE_CLIENT_ID"] = cloud.managed_identity_client_id
    done = run_program("git-credential-msauth", *options, "get", env=env, stdin=HELLO)
    assert "password" in attributes(done.stdout), done.stderr
    (sent,) = [r.identity for r in cloud.requests if r.kind == "managed_identity"]
    word = {
        ("app-service", "client_id"): "client_id",
        ("msi", "client_id"): "clientid",
        ("app-service", "resource_id"): "mi_res_id",
        ("msi", "resource_id"): "msi_res_id",
    }.get((protocol, named))
    assert sent == ({} if word is None else {word: identity[named]})


def test_kubelogin_s_option_names_the_identity(bare_env: Environment, cloud: Sandbox) -> None:
    env = bare_env | cloud.environ | cloud.managed_identity_environ()
    identity = cloud.user_assigned_identity["resource_id"]
    options = ("get-token", "--login", "msi", "--identity-resource-id", identity)
    server_id = ("--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630")
    done = run_program("msauth-token", *options, *server_id, env=env)
    assert done.returncode == 0, done.stderr
    (sent,) = [r.identity for r in cloud.requests if r.kind == "managed_identity"]
    assert sent == {"mi_res_id": identity}


@pytest.mark.parametrize("host", ["virtual machine", "arc"])
@pytest.mark.parametrize("named", ["client_id", "identity_resource_id"])
def test_the_identity_reaches_the_endpoints_of_machines(
    bare_env: Environment, server: Recorder, host: str, named: str
) -> None:
    program = (
        "import os, sys\n"
        "from msauth.errors import SignInError\n"
        "from msauth.request.request import TokenRequest\n"
        "from msauth.signin.attempt import Attempt\n"
        "from msauth.signin.managed_identity import MANAGED_IDENTITY\n"
        "scopes = ('https://management.azure.com/.default',)\n"
        "request = TokenRequest(scopes, dict(os.environ), **{sys.argv[1]: 'IDENTITY'})\n"
        "try:\n"
        "    MANAGED_IDENTITY.sign_in(Attempt(request, None, lambda _: False))\n"
        "except SignInError as error:\n"
        "    print(error)\n"
    )
    places = {
        "virtual machine": {"AZURE_POD_IDENTITY_AUTHORITY_HOST": server.url},
        "arc": {"IDENTITY_ENDPOINT": server.url, "IMDS_ENDPOINT": server.url},
    }
    done = run_program("python", "-c", program, named, env=bare_env | places[host])
    assert done.returncode == 0, done.stderr
    query = parse_qs(urlsplit(server.asked[0][0]).query)
    word = "client_id" if named == "client_id" else "msi_res_id"
    assert query[word] == ["IDENTITY"]


def test_two_names_for_one_identity_are_an_error(bare_env: Environment, cloud: Sandbox) -> None:
    env = bare_env | cloud.environ | cloud.managed_identity_environ()
    env["MSAUTH_IDENTITY_RESOURCE_ID"] = cloud.user_assigned_identity["resource_id"]
    options = ("arm", "--credential", "managed-identity", "--client-id", "c")
    done = run_program("msauth-token", *options, env=env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"hint: use one of --client-id and --identity-resource-id" in done.stderr
    assert cloud.count("managed_identity") == 0


@pytest.mark.parametrize(
    "names", [("IDENTITY_ENDPOINT", "IDENTITY_HEADER"), ("MSI_ENDPOINT", "MSI_SECRET")]
)
def test_an_endpoint_here_is_reached_without_proxy_and_without_netrc(
    bare_env: Environment, home: Path, server: Recorder, elsewhere: Recorder, names: tuple[str, str]
) -> None:
    (home / ".netrc").write_text(NETRC)
    (home / ".netrc").chmod(0o600)
    env = bare_env | {names[0]: server.url, names[1]: "key", "HTTP_PROXY": elsewhere.url}
    env |= {"http_proxy": elsewhere.url, "ALL_PROXY": elsewhere.url}
    done = run_program("msauth-token", "arm", "--format", "token", env=env)
    assert done.stdout == b"opaque\n", done.stderr
    ((_, headers),) = server.asked
    assert "Authorization" not in headers
    assert elsewhere.asked == []


def test_a_managed_identity_of_another_tenant_is_an_error(
    bare_env: Environment, cloud: Sandbox, home: Path
) -> None:
    env = bare_env | cloud.environ | cloud.managed_identity_environ()
    tenant = cloud.tenants["fabrikam"].id
    done = run_program("msauth-token", "arm", "--tenant", tenant, env=env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"but tenant {tenant} was asked for".encode() in done.stderr
    assert not list((home / "cache/v1").glob("*.tok"))


@pytest.fixture
def netrc_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    (home / ".netrc").write_text(NETRC)
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("NETRC", raising=False)
    return {"HOME": str(home)}


def test_no_transport_reads_netrc(netrc_home: Environment, server: Recorder) -> None:
    with network.session(netrc_home) as session:
        session.get(server.url)
        session.post(server.url, data={"refresh_token": "r"})
    attempt = Attempt(TokenRequest((), netrc_home), None, lambda _: False)
    for transport in (network.transport(netrc_home), attempt.authority_options()["transport"]):
        with transport:
            transport.send(HttpRequest("POST", server.url, data={"client_secret": "s"}))
    assert len(server.asked) == 4
    for _, headers in server.asked:
        assert "Authorization" not in headers


def test_no_session_follows_a_redirect(
    netrc_home: Environment, server: Recorder, elsewhere: Recorder
) -> None:
    """A 307 would send the refresh token on to whatever host the first one names."""
    server.redirect = elsewhere.url + "/stolen"
    with network.session(netrc_home) as session:
        answers = [
            session.post(server.url, data={"refresh_token": "r"}),
            session.get(server.url, allow_redirects=True),
            session.request("POST", server.url, allow_redirects=True),
        ]
    assert [answer.status_code for answer in answers] == [302, 302, 302]
    assert elsewhere.asked == []


def test_the_proxy_is_the_request_s_not_the_process_s(
    monkeypatch: pytest.MonkeyPatch, server: Recorder, elsewhere: Recorder
) -> None:
    monkeypatch.setenv("HTTP_PROXY", elsewhere.url)
    monkeypatch.setenv("http_proxy", elsewhere.url)
    with network.session({"HTTP_PROXY": server.url}) as session:
        session.get("http://login.example/")
    assert [path for path, _ in server.asked] == ["http://login.example/"]
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("url", "env", "proxy"),
    [
        ("https://login.example/x", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://login.example/x", {"https_proxy": "p:1"}, "http://p:1"),
        ("https://login.example/x", {"https_proxy": "l", "HTTPS_PROXY": "u"}, "http://l"),
        ("https://login.example/x", {"ALL_PROXY": "socks5://p:1"}, "socks5://p:1"),
        ("https://login.example/x", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://login.example/x", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("https://login.example/x", {"HTTPS_PROXY": "p", "NO_PROXY": ".example"}, None),
        ("https://login.example/x", {"HTTPS_PROXY": "p", "no_proxy": "a, login.example"}, None),
        ("https://login.example/x", {"HTTPS_PROXY": "p", "NO_PROXY": "*"}, None),
        ("https://login.example/x", {"HTTPS_PROXY": "p", "NO_PROXY": "other.example"}, "http://p"),
        ("https://login.example:8443/x", {"HTTPS_PROXY": "p", "NO_PROXY": "login.example"}, None),
        ("https://10.1.2.3/x", {"HTTPS_PROXY": "p", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://11.1.2.3/x", {"HTTPS_PROXY": "p", "NO_PROXY": "10.0.0.0/8,x/y"}, "http://p"),
        ("http://169.254.169.254/metadata", {"HTTP_PROXY": "p"}, None),
        ("http://127.0.0.2:42356/msi", {"HTTP_PROXY": "p", "ALL_PROXY": "p"}, None),
        ("http://localhost:42356/msi", {"HTTP_PROXY": "p"}, None),
        ("http://[::1]:42356/msi", {"HTTP_PROXY": "p"}, None),
        ("http://127.1:42356/msi", {"HTTP_PROXY": "p"}, None),
        ("http://2130706433:42356/msi", {"HTTP_PROXY": "p"}, None),
        ("http://0.0.0.0:42356/msi", {"HTTP_PROXY": "p"}, None),
        ("http://[fe80::1]/msi", {"HTTP_PROXY": "p"}, None),
        ("http://127.0.0.1.evil.example/", {"HTTP_PROXY": "p"}, "http://p"),
    ],
)
def test_which_proxy(url: str, env: dict[str, str], proxy: str | None) -> None:
    found = network.proxies(url, env)
    assert found == ({} if proxy is None else {urlsplit(url).scheme: proxy})


TENANT = "11111111-1111-1111-1111-111111111111"


@pytest.mark.parametrize(
    ("code", "kind", "words", "hint"),
    [
        (70007, "browser", "no longer answers", "pip install --upgrade azure-identity"),
        (530084, "azure-cli", "bound to this device", "msauth login --credential broker"),
        (530084, "service-principal", "bound to this device", "ask the tenant's administrator"),
        (530036, "device-code", "by device code", "msauth login --credential browser --tenant"),
        (530036, "azure-cli", "by device code", "az login --tenant"),
        (50076, "azure-cli", "multi-factor authentication is required", "az login --tenant"),
        (50079, "azure-developer-cli", "must be set up", "azd auth login --tenant-id"),
        (65001, "github-actions", "nobody has consented", f"/{TENANT}/adminconsent?client_id=app"),
        (700016, "browser", "does not exist in this tenant", "check --client-id, and that"),
        (7000215, "service-principal", "client secret is wrong", "export AZURE_CLIENT_SECRET="),
        (7000222, "service-principal", "secret has expired", "a new secret for application app"),
        (53003, "device-code", "Conditional Access", "sign in where the policy lets you"),
        (50173, "azure-powershell", "was revoked", f"Connect-AzAccount -Tenant {TENANT}"),
        (900971, "browser", "no reply address", "add the redirect URI http://localhost"),
    ],
)
def test_what_a_code_means_and_what_helps(code: int, kind: str, words: str, hint: str) -> None:
    request = TokenRequest(("s/.default",), {"AZURE_CLIENT_ID": "app"}, tenant=TENANT)
    error = aadsts.explain(kind, f"AADSTS{code}: server's words", request, claims=None)
    assert words in error.message
    assert f"(AADSTS{code})" in error.message
    assert error.hint is not None
    assert hint in error.hint
    assert error.deterministic


def test_commands_in_hints_are_quoted() -> None:
    request = TokenRequest(("s/.default",), {}, profile="work; rm -r ~")
    hint = aadsts.login_hint("browser", request, None)
    assert hint == "msauth login --profile 'work; rm -r ~'"
    request = TokenRequest(("https://h/$(x)",), {}, username="a b@c", tenant="t")
    assert aadsts.login_hint("azure-cli", request, None) == (
        "az login --tenant t --scope 'https://h/$(x)'"
    )
    assert "--username 'a b@c'" in str(aadsts.login_hint("device-code", request, None))
