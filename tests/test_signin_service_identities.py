"""Signing in without a person: certificates, federated tokens, and what the errors say."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import RequestsTransport
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from msauth.errors import SignInError
from msauth.request.kinds import KINDS
from msauth.request.request import TokenRequest
from msauth.signin import local_endpoint, network
from msauth.signin.attempt import Attempt
from msauth.signin.managed_identity import MANAGED_IDENTITY
from msauth_sandbox import Sandbox

from .conftest import Environment, run_program
from .signin_stubs import ARM, HELLO, attributes

PROG = "git-credential-msauth"
Key = rsa.RSAPrivateKey
Issued = tuple[x509.Certificate, Key]


@pytest.fixture
def network_env(bare_env: Environment, cloud: Sandbox) -> Environment:
    return bare_env | cloud.environ


def issue(name: str, issuer: Issued | None = None) -> Issued:
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    return certificate, key


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(c.public_bytes(Encoding.PEM) for c in certificates)


def key_pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def with_certificate(env: Environment, cloud: Sandbox, path: Path, data: bytes) -> Environment:
    path.write_bytes(data)
    given = cloud.service_principal_environ("contoso")
    del given["AZURE_CLIENT_SECRET"]
    return env | given | {"AZURE_CLIENT_CERTIFICATE_PATH": str(path)}


@pytest.mark.parametrize("kind", ["service-principal", "environment", "auto"])
def test_pem_certificate(
    network_env: Environment, cloud: Sandbox, tmp_path: Path, kind: str
) -> None:
    certificate, key = issue("msauth")
    cloud.register_certificate(pem(certificate))
    data = key_pem(key) + pem(certificate)
    env = with_certificate(network_env, cloud, tmp_path / "c.pem", data)
    done = run_program(PROG, "--credential", kind, "get", env=env, stdin=HELLO)
    assert "password" in attributes(done.stdout), done.stderr


def test_pfx_with_its_chain_by_subject_name_and_issuer(
    network_env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    root = issue("contoso CA")
    leaf, key = issue("msauth.contoso.com", root)
    cloud.register_certificate(pem(root[0]), subject_name="msauth.contoso.com")
    data = pkcs12.serialize_key_and_certificates(
        b"msauth", key, leaf, [root[0]], BestAvailableEncryption(b"p4ss word")
    )
    env = with_certificate(network_env, cloud, tmp_path / "c.pfx", data)
    env["AZURE_CLIENT_CERTIFICATE_PASSWORD"] = "p4ss word"
    without = run_program(PROG, "get", env=env, stdin=HELLO)
    assert b"AADSTS700027" in without.stderr, "only the chain (SNI) can identify this leaf"
    env["AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"] = "true"
    for record in Path(env["MSAUTH_CACHE_DIR"]).glob("v1/*.fail"):
        record.unlink()
    done = run_program(PROG, "get", env=env, stdin=HELLO)
    assert "password" in attributes(done.stdout), done.stderr


@pytest.mark.parametrize("data", [b"", b"not a certificate", None])
def test_unusable_certificate_is_one_error(
    network_env: Environment, cloud: Sandbox, tmp_path: Path, data: bytes | None
) -> None:
    path = tmp_path / "c.pem"
    env = with_certificate(network_env, cloud, path, data or b"")
    if data is None:
        path.unlink()
    done = run_program(PROG, "get", env=env, stdin=HELLO)
    assert done.returncode == 1
    assert done.stderr.count(b"error:") == 1
    assert b"AZURE_CLIENT_CERTIFICATE_PATH" in done.stderr
    assert b"Traceback" not in done.stderr
    assert cloud.count("token") == 0


@pytest.mark.parametrize("kind", ["github-actions", "auto"])
def test_github_actions(network_env: Environment, cloud: Sandbox, kind: str) -> None:
    env = network_env | cloud.github_actions_environ()
    done = run_program(PROG, "--credential", kind, "get", env=env, stdin=HELLO)
    assert "password" in attributes(done.stdout), done.stderr
    assert cloud.count("oidc") == 1
    assert cloud.count("token", grant="client_credentials") == 1
    assert env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"].encode() not in done.stderr


def test_github_actions_refused_is_one_error(network_env: Environment, cloud: Sandbox) -> None:
    env = network_env | cloud.github_actions_environ()
    env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "stale"
    done = run_program(PROG, "--credential", "github-actions", "get", env=env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"
    assert b"answered 401" in done.stderr
    assert b"permissions: id-token: write" in done.stderr
    assert done.stderr.count(b"\n") == 2


def test_github_token_goes_nowhere_without_tls(network_env: Environment, cloud: Sandbox) -> None:
    env = network_env | cloud.github_actions_environ()
    env["ACTIONS_ID_TOKEN_REQUEST_URL"] = f"{cloud.url}/idtoken?api-version=2.0"
    done = run_program(PROG, "--credential", "github-actions", "get", env=env, stdin=HELLO)
    assert b"is not https" in done.stderr
    assert cloud.count("oidc") == 0


@pytest.mark.parametrize("kind", ["azure-pipelines", "auto"])
def test_azure_pipelines(network_env: Environment, cloud: Sandbox, kind: str) -> None:
    env = network_env | cloud.azure_pipelines_environ()
    done = run_program(PROG, "--credential", kind, "get", env=env, stdin=HELLO)
    assert "password" in attributes(done.stdout), done.stderr
    assert cloud.count("token", grant="client_credentials") == 1


def test_workload_identity(network_env: Environment, cloud: Sandbox) -> None:
    env = network_env | cloud.workload_identity_environ()
    done = run_program(PROG, "get", env=env, stdin=HELLO)
    assert "password" in attributes(done.stdout), done.stderr


@pytest.mark.parametrize("protocol", ["app-service", "msi"])
def test_managed_identity(network_env: Environment, cloud: Sandbox, protocol: str) -> None:
    env = network_env | cloud.managed_identity_environ(protocol)
    done = run_program(PROG, "get", env=env, stdin=HELLO)
    assert "password" in attributes(done.stdout), done.stderr


@pytest.fixture
def workload_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pod's variables in this process: they once chose the identity, unknown to the cache key."""
    token = tmp_path / "token"
    token.write_text("e30.e30.e30")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/")
    monkeypatch.setenv("AZURE_TENANT_ID", "contoso.com")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(token))


def sign_in_with_managed_identity(env: Environment) -> None:
    request = TokenRequest((ARM,), env, credential="managed-identity", client_id="hello")
    with pytest.raises(SignInError):
        MANAGED_IDENTITY.sign_in(Attempt(request, None, lambda _: False))


def test_a_managed_identity_is_no_workload_identity(
    monkeypatch: pytest.MonkeyPatch, workload_variables: None
) -> None:
    urls: list[str] = []

    def ask(url: str, *_: object, **__: object) -> None:
        urls.append(url)
        raise local_endpoint.UnreachableError

    monkeypatch.setattr(local_endpoint, "ask", ask)
    sign_in_with_managed_identity({})
    assert [url.partition("/metadata/")[0] for url in urls] == ["http://169.254.169.254"]


def test_nor_is_one_that_is_left_to_azure_identity(
    monkeypatch: pytest.MonkeyPatch, workload_variables: None
) -> None:
    urls: list[str] = []

    class NoNetwork(RequestsTransport):
        def send(self, request: Any, **_: Any) -> Any:
            urls.append(request.url)
            raise ServiceRequestError("no network")

        def sleep(self, duration: float) -> None:
            pass

    monkeypatch.setattr(network, "transport", lambda *_, **__: NoNetwork())
    place = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": "https://pods.example"}
    monkeypatch.setenv(*place.copy().popitem())
    sign_in_with_managed_identity(place)
    assert {url.partition("/metadata/")[0] for url in urls} == {"https://pods.example"}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (50076, b"multi-factor"),
        (53003, b"Conditional Access"),
        (65001, b"consented"),
        (700082, b"inactivity"),
        (50173, b"revoked"),
        (90033, b"try again in a minute"),
        (500011, b"check AZURE_TENANT_ID and --scope"),
        (7000222, b"secret has expired"),
        (700016, b"does not exist in this tenant"),
        (99999, b"AADSTS99999"),
    ],
)
def test_each_code_is_one_error_and_at_most_one_hint(
    env: Environment, cloud: Sandbox, code: int, words: bytes
) -> None:
    claims = '{"access_token":{"capolids":{"essential":true,"values":["CAPOLID-SENTINEL"]}}}'
    cloud.fail_tokens(code, times=None, claims=claims)
    done = run_program(PROG, "get", env=env, stdin=HELLO)
    lines = done.stderr.decode().rstrip("\n").split("\n")
    assert done.returncode == 1
    assert done.stdout == b"quit=1\n"
    assert words in done.stderr
    assert [line.split(": ")[1] for line in lines] in (["error"], ["error", "hint"])
    assert b"SENTINEL" not in done.stderr
    assert b"Trace ID" not in done.stderr
    if code in (53003, 65001, 50076):
        hint = f"?client_id={cloud.client_id}".encode() if code == 65001 else b"administrator"
        assert hint in done.stderr.partition(b": hint: ")[2]
    # azure-core retries what the server calls transient (HTTP 5xx); nothing else is asked twice.
    assert cloud.count("token") <= (3 if code == 90033 else 1)


def test_network_failure_names_the_host(network_env: Environment, cloud: Sandbox) -> None:
    env = network_env | cloud.service_principal_environ("contoso")
    cloud.drop_connections(times=None, host="login.microsoftonline.com")
    done = run_program(PROG, "get", env=env, stdin=HELLO)
    assert b"cannot reach login.microsoftonline.com" in done.stderr


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_kind_that_is_not_set_up_has_one_error_and_one_hint(
    bare_env: Environment, cloud: Sandbox, kind: str
) -> None:
    done = run_program("msauth-token", "arm", "--credential", kind, env=bare_env | cloud.environ)
    assert (done.returncode, done.stdout) == (1, b"")
    lines = done.stderr.decode().split("\n")
    assert [line.split(": ")[1] for line in lines[:-1]] == ["error", "hint"], lines
    assert cloud.count("token") == 0


@pytest.mark.parametrize(
    ("variables", "message", "hint"),
    [
        ({"REQUESTS_CA_BUNDLE": "/nonexistent"}, "TLS CA certificate bundle", "REQUESTS_CA_BUNDLE"),
        ({"AZURE_TENANT_ID": "nosuch.example"}, "AADSTS90002", "export AZURE_TENANT_ID="),
        ({"AZURE_AUTHORITY_HOST": "login.x.example"}, "no sign-in host", "AZURE_AUTHORITY_HOST"),
        (
            {"AZURE_CLIENT_SECRET": "\udcff\udcfe"},
            "AZURE_CLIENT_SECRET is not UTF-8",
            "export AZURE_CLIENT_SECRET=",
        ),
    ],
)
def test_settings_of_this_machine_that_are_wrong(
    env: Environment, cloud: Sandbox, variables: dict[str, str], message: str, hint: str
) -> None:
    done = run_program("msauth-token", "arm", env=env | variables)
    assert (done.returncode, done.stdout) == (1, b"")
    error, advice, rest = done.stderr.decode().split("\n")
    assert message in error
    assert advice.startswith("msauth-token: hint: ")
    assert hint in advice
    assert rest == ""


def test_told_to_wait_for_a_minute_it_says_so_at_once(env: Environment, cloud: Sandbox) -> None:
    """A Retry-After of minutes slept through in silence looks like a hang."""
    cloud.fail_http(host="login.microsoftonline.com", status=429, times=None, retry_after=3600)
    done = run_program("msauth-token", "arm", env=env, timeout=30)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"in a minute" in done.stderr
    assert cloud.count("token") <= 1
