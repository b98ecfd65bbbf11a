"""Endpoints of managed identities: every kind of host, and those that are down, busy or hostile."""

import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from msauth.errors import OnlyRejectedError, SignInError, UnavailableError
from msauth.request.request import Token, TokenRequest
from msauth.signin import arc, identity_endpoint, local_endpoint
from msauth.signin.attempt import Attempt
from msauth.signin.managed_identity import MANAGED_IDENTITY

from .conftest import Done, Environment, run_program
from .signin_stubs import ARM

TOKEN = b'{"access_token":"opaque","expires_in":"3600"}'
KEY = "3f0c-the-key-of-this-host"
OK = b"HTTP/1.1 200 OK\r\n"
Say = Callable[[BaseHTTPRequestHandler], None]


class Host:
    """An HTTP server of which each answer is scripted; keeps what it was asked."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: list[Say] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.close_connection = True
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                host.asked.append((self.command, self.path, dict(self.headers), body))
                host.answers[min(len(host.asked), len(host.answers)) - 1](self)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that has seen enough

        self._server: HTTPServer = Server(("127.0.0.1", 0), Handler)
        scheme = "http"
        if context is not None:
            scheme = "https"
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        serve = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        serve.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def raw(data: bytes) -> Say:
    def say(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)

    return say


def status(code: int, body: bytes = TOKEN, **headers: str) -> Say:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {code} X\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
    return raw(head.encode() + body)


@pytest.fixture(scope="module")
def server() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


@pytest.fixture
def host(server: Host) -> Host:
    server.asked.clear()
    server.answers = [status(200)]
    return server


def app_service(host: Host) -> Environment:
    return {"IDENTITY_ENDPOINT": host.url + "/token", "IDENTITY_HEADER": KEY}


def imds(host: Host) -> Environment:
    return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": host.url}


def machine_learning(host: Host) -> Environment:
    return {"MSI_ENDPOINT": host.url + "/msi?a=b", "MSI_SECRET": KEY}


def azure_arc(host: Host) -> Environment:
    return {"IDENTITY_ENDPOINT": host.url + "/token", "IMDS_ENDPOINT": host.url}


def cloud_shell(host: Host) -> Environment:
    return {"MSI_ENDPOINT": host.url + "/oauth2/token"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that last no time; their number stays."""
    for name in ("_PAUSES", "_UPDATING_PAUSES"):
        monkeypatch.setattr(identity_endpoint, name, (0.0,) * len(getattr(identity_endpoint, name)))


def sign_in(env: Environment, scope: str = ARM, **fields: str) -> Token:
    request = TokenRequest((scope,), env, credential="managed-identity", **fields)  # type: ignore[arg-type] # all are texts
    return MANAGED_IDENTITY.sign_in(Attempt(request, None, lambda _: False))


RESOURCE = "resource=https%3A%2F%2Fmanagement.azure.com"


@pytest.mark.parametrize(
    ("place", "path", "header"),
    [
        (app_service, f"/token?api-version=2019-08-01&{RESOURCE}", ("X-IDENTITY-HEADER", KEY)),
        (
            imds,
            f"/metadata/identity/oauth2/token?api-version=2018-02-01&{RESOURCE}",
            ("Metadata", "true"),
        ),
        (machine_learning, f"/msi?a=b&api-version=2017-09-01&{RESOURCE}", ("secret", KEY)),
        (azure_arc, f"/token?api-version=2020-06-01&{RESOURCE}", ("Metadata", "true")),
    ],
)
def test_each_host_is_asked_once_in_its_own_words(
    host: Host, place: Callable[[Host], Environment], path: str, header: tuple[str, str]
) -> None:
    token = sign_in(place(host))
    assert (token.text, token.credential) == ("opaque", "managed-identity")
    ((method, asked, headers, _),) = host.asked
    assert (method, asked) == ("GET", path)
    assert headers[header[0]] == header[1]
    assert "Authorization" not in headers


def test_cloud_shell_is_asked_by_a_form(host: Host) -> None:
    assert sign_in(cloud_shell(host)).text == "opaque"
    ((method, path, headers, body),) = host.asked
    assert (method, path, body) == ("POST", "/oauth2/token", RESOURCE.encode())
    assert headers["Metadata"] == "true"


@pytest.mark.parametrize("name", ["client_id", "identity_resource_id"])
def test_cloud_shell_has_one_identity(host: Host, name: str) -> None:
    with pytest.raises(SignInError, match="none can be chosen") as caught:
        sign_in(cloud_shell(host), **{name: "IDENTITY"})
    assert caught.value.hint == "name no identity"
    with pytest.raises(SignInError) as caught:
        sign_in(cloud_shell(host) | {"AZURE_CLIENT_ID": "c"})
    assert caught.value.hint == "unset AZURE_CLIENT_ID"
    assert host.asked == []


@pytest.mark.parametrize(
    ("said", "lives"),
    [
        ('"expires_in":3600', 3600),
        ('"expires_in":"3600","expires_on":"1"', 3600),
        ('"expires_on":"{in_an_hour}"', 3600),
        ('"expires_on":{in_an_hour},"expires_in":""', 3600),
    ],
)
def test_the_expiry_is_a_life_or_a_time(host: Host, said: str, lives: int) -> None:
    in_an_hour = int(time.time()) + 3600
    body = '{"access_token":"opaque",' + said.replace("{in_an_hour}", str(in_an_hour)) + "}"
    host.answers = [status(200, body.encode())]
    token = sign_in(app_service(host))
    assert abs(token.expires_on - token.issued - lives) <= 2
    assert abs(token.refresh_on - token.issued - lives // 2) <= lives // 20 + 2


def ask(env: Environment, *options: str) -> Done:
    return run_program("msauth-token", "arm", "--credential", "managed-identity", *options, env=env)


DEEP = b"[" * 100_000
HOSTILE: dict[str, tuple[bytes, str]] = {
    "giant": (OK + b"\r\n" + b"x" * 500_000, "answered with more than 262144 bytes"),
    "announced giant": (
        OK + b"Content-Length: 9999999\r\n\r\n",
        "answered with more than 262144 bytes",
    ),
    "wordy chunks": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + (b"1;" + b"x" * 200_000 + b"\r\na\r\n") * 4,
        "answered with more than 262144 bytes",
    ),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", "answered with what is no HTTP"),
    "nothing": (b"", "answered with nothing"),
    "half": (OK + b"Content-Length: 90\r\n\r\n{", "answered with half an answer"),
    "no JSON": (OK + b"\r\n<html>sign in</html>", "answered with no JSON"),
    "another JSON": (OK + b'\r\n["access_token"]', "answered with no JSON"),
    "deep JSON": (OK + b"\r\n" + DEEP, "answered with no JSON"),
    "no token": (OK + b'\r\n{"expires_in":"60"}', "answered with no token and its expiry"),
    "no expiry": (OK + b'\r\n{"access_token":"t"}', "answered with no token and its expiry"),
    "eternal": (
        OK + b'\r\n{"access_token":"t","expires_on":' + b"9" * 40 + b"}",
        "answered with no token and its expiry",
    ),
    "over": (
        OK + b'\r\n{"access_token":"t","expires_on":"60"}',
        "gave a token that is over already",
    ),
    "two lines": (
        OK + b'\r\n{"access_token":"t\\nX: y","expires_in":60}',
        "what came is no token (RFC 6750)",
    ),
    "refused": (
        b'HTTP/1.1 400 X\r\n\r\n{"statusCode":400,"message":"No identity.\\nSecond line"}',
        "127.0.0.1 answered 400: No identity",
    ),
    "key told": (
        b'HTTP/1.1 401 X\r\n\r\n{"message":"wrong key %s"}' % KEY.encode(),
        "127.0.0.1 answered 401",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_strange_answer_is_one_error(host: Host, name: str) -> None:
    data, words = HOSTILE[name]
    host.answers = [raw(data)]
    with pytest.raises(SignInError) as caught:
        sign_in(app_service(host))
    message, hint = caught.value.message, caught.value.hint
    assert message.endswith(words)
    assert "\n" not in message
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert KEY not in f"{message}{hint}"
    assert len(host.asked) == 1


@pytest.mark.parametrize("name", ["deep JSON", "refused", "key told"])
def test_a_program_says_it_with_one_hint(bare_env: Environment, host: Host, name: str) -> None:
    data, words = HOSTILE[name]
    host.answers = [raw(data)]
    done = ask(bare_env | app_service(host) | {"MSAUTH_TRACE": f"{bare_env['HOME']}/trace"})
    assert (done.returncode, done.stdout) == (1, b"")
    error, hint, rest = done.stderr.decode().split("\n")
    assert error.startswith("msauth-token: error: managed-identity: ")
    assert error.endswith(words)
    assert hint.startswith("msauth-token: hint: ")
    assert rest == ""
    assert KEY not in done.stderr.decode() + Path(bare_env["HOME"], "trace").read_text()
    assert not list(Path(bare_env["MSAUTH_CACHE_DIR"]).glob("v1/*.tok"))


def test_a_redirect_is_not_followed(bare_env: Environment, host: Host) -> None:
    host.answers = [status(302, b"", Location=f"{host.url}/elsewhere"), status(200)]
    done = ask(bare_env | app_service(host))
    assert b"sends the request elsewhere (302), which is not followed" in done.stderr
    assert b"hint: check IDENTITY_ENDPOINT\n" in done.stderr
    assert len(host.asked) == 1


def test_nobody_listens(bare_env: Environment) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/token"
    listener.close()
    done = ask(bare_env | {"IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": KEY})
    assert done.stderr == (
        b"msauth-token: error: managed-identity: 127.0.0.1 cannot be reached\n"
        b"msauth-token: hint: check IDENTITY_ENDPOINT\n"
    )


Address = tuple[str | int, ...]


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Address, float | None]]:
    """Where connections are tried and for how many seconds; none comes about."""
    tried: list[tuple[Address, float | None]] = []

    class Unreachable(socket.socket):
        def connect(self, address: Address) -> None:  # type: ignore[override] # no text
            tried.append((address, self.gettimeout()))
            raise TimeoutError

    monkeypatch.setattr(socket, "socket", Unreachable)
    return tried


def named(monkeypatch: pytest.MonkeyPatch, *addresses: Address) -> Environment:
    """Return the environment of an endpoint of which the name has these addresses."""
    families = {2: socket.AF_INET, 4: socket.AF_INET6}
    found = [(families[len(one)], socket.SOCK_STREAM, 6, "", one) for one in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    return {"IDENTITY_ENDPOINT": "http://name.example/", "IDENTITY_HEADER": KEY}


def test_the_addresses_of_a_host_share_its_seconds(
    connects: list[tuple[Address, float | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many a name server says; a machine or a link has one or two."""
    with pytest.raises(UnavailableError, match="cannot be reached"):
        sign_in(named(monkeypatch, *[("127.0.0.1", 1)] * 100))
    assert len(connects) == 100
    assert sum(seconds or 0 for _, seconds in connects) == pytest.approx(local_endpoint.CONNECT)


def test_nobody_is_asked_before_who_listens_at_127_0_0_1(
    connects: list[tuple[Address, float | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnavailableError):
        sign_in(named(monkeypatch, ("::1", 1, 0, 0), ("127.0.0.1", 1)))
    assert [address[0] for address, _ in connects] == ["127.0.0.1", "::1"]


def test_a_host_is_asked_at_the_address_that_answers(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(host.url.rpartition(":")[2])
    env = named(monkeypatch, ("127.0.0.1", 1), ("::1", 1, 0, 0), ("127.0.0.1", port))
    assert sign_in(env).text == "opaque"


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    monkeypatch.setattr(identity_endpoint, "_IMDS", host.url)
    assert sign_in({"AZURE_POD_IDENTITY_AUTHORITY_HOST": ""}).text == "opaque"


@pytest.mark.parametrize("place", [app_service, imds, machine_learning, azure_arc, cloud_shell])
def test_each_host_is_known_by_its_variables(
    host: Host, place: Callable[[Host], Environment]
) -> None:
    attempt = Attempt(TokenRequest((ARM,), place(host)), None, lambda _: False)
    assert MANAGED_IDENTITY.absence is not None
    assert MANAGED_IDENTITY.absence(attempt) is None
    assert MANAGED_IDENTITY.reason(attempt) is None


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://u:p@127.0.0.1/", "http://h/\n"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(SignInError, match="IDENTITY_ENDPOINT is no http URL"):
        sign_in({"IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": KEY})


def test_a_key_that_is_no_header_is_not_sent(host: Host) -> None:
    with pytest.raises(SignInError, match="cannot be sent"):
        sign_in(app_service(host) | {"IDENTITY_HEADER": "a\r\nX-Forged: b"})
    assert host.asked == []


def test_an_endpoint_without_its_key() -> None:
    with pytest.raises(UnavailableError, match="but neither IDENTITY_HEADER nor IMDS_ENDPOINT"):
        sign_in({"IDENTITY_ENDPOINT": "http://127.0.0.1:1/"})


def test_one_that_sends_a_byte_at_a_time_is_given_up(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_endpoint, "_TIMEOUT", 0.2)
    stop = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(OK + b"\r\n")
        for _ in range(300):
            if stop.wait(0.01):
                return
            handler.wfile.write(b" ")

    host.answers = [trickle]
    with pytest.raises(SignInError, match=r"did not answer within 0\.2 seconds") as caught:
        sign_in(app_service(host))
    stop.set()
    assert not caught.value.deterministic


@pytest.mark.parametrize(
    ("place", "codes", "asked"),
    [
        (imds, [404, 503, 429, 200], 4),
        (imds, [500, 200], 2),
        (imds, [410] * 7 + [200], 8),
        (app_service, [503, 429, 200], 3),
    ],
)
def test_who_is_busy_is_asked_again(
    host: Host, place: Callable[[Host], Environment], codes: list[int], asked: int
) -> None:
    host.answers = [status(code) for code in codes]
    assert sign_in(place(host)).text == "opaque"
    assert len(host.asked) == asked


@pytest.mark.parametrize(
    ("place", "code", "asked", "again"),
    [
        (imds, 400, 1, False),
        (imds, 503, 4, True),
        (imds, 410, 8, False),
        (app_service, 404, 1, False),
        (app_service, 500, 1, True),  # its answer to a resource that does not exist
        (app_service, 503, 4, True),
    ],
)
def test_but_not_for_ever(
    host: Host, place: Callable[[Host], Environment], code: int, asked: int, again: bool
) -> None:
    host.answers = [status(code, b'{"error":"e","error_description":"it is so. More."}')]
    with pytest.raises(UnavailableError, match=f"answered {code}: it is so$") as caught:
        sign_in(place(host))
    assert len(host.asked) == asked
    assert caught.value.deterministic is not again


def test_an_update_of_the_service_may_last_seventy_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert sum(identity_endpoint._UPDATING_PAUSES) >= 70
    assert 5 <= sum(identity_endpoint._PAUSES) <= 10


def test_the_words_of_entra_id_are_explained(host: Host) -> None:
    said = b'{"error":"x","error_description":"AADSTS500011: The resource principal was not found"}'
    host.answers = [status(400, said)]
    with pytest.raises(SignInError, match="the resource does not exist in this tenant"):
        sign_in(imds(host))


def test_a_token_that_was_rejected_is_given_as_the_only_one(host: Host) -> None:
    request = TokenRequest((ARM,), app_service(host))
    with pytest.raises(OnlyRejectedError) as caught:
        MANAGED_IDENTITY.sign_in(Attempt(request, None, lambda text: text == "opaque"))
    assert caught.value.token.text == "opaque"


def test_two_scopes_are_one_too_many(host: Host) -> None:
    request = TokenRequest((ARM, "x/.default"), app_service(host))
    with pytest.raises(SignInError, match="one scope"):
        MANAGED_IDENTITY.sign_in(Attempt(request, None, lambda _: False))
    assert host.asked == []


# Azure Arc


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the agent's keys, with one in it."""
    monkeypatch.setattr(arc, "folder", lambda _: str(tmp_path))
    (tmp_path / "one.key").write_text("c2VjcmV0\n")
    return tmp_path


def test_arc_s_agent_is_found_without_its_variables(
    host: Host, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cron and the services of a container have none; azure-identity looks for the program too."""
    monkeypatch.setattr(identity_endpoint, "_ARC", host.url + "/token")
    monkeypatch.setattr(identity_endpoint, "_IMDS", host.url)
    monkeypatch.setattr(arc, "_AGENT", str(keys / "himds"))
    asked_for = Attempt(TokenRequest((ARM,), {}), None, lambda _: False)
    sign_in({})
    assert MANAGED_IDENTITY.reason(asked_for) is not None
    (keys / "himds").touch()
    assert MANAGED_IDENTITY.reason(asked_for) is None
    assert MANAGED_IDENTITY.absence is not None
    assert MANAGED_IDENTITY.absence(asked_for) is not None
    host.answers = [status(200), challenge(keys / "one.key"), status(200)]
    sign_in({})
    sign_in(imds(host))
    paths = [path.partition("?")[0] for _, path, _, _ in host.asked]
    assert paths == ["/metadata/identity/oauth2/token", "/token", "/token", paths[0]]


def test_arc_s_key_is_not_told(host: Host, keys: Path) -> None:
    refused = status(400, b'{"error":"bad key c2VjcmV0"}')
    host.answers = [challenge(keys / "one.key"), refused]
    with pytest.raises(SignInError) as caught:
        sign_in(azure_arc(host))
    assert caught.value.message.endswith("answered 400")


def challenge(path: Path | str) -> Say:
    return status(401, b"", WWW_Authenticate=f"Basic realm={path}")


def test_arc_wants_what_is_in_its_file(host: Host, keys: Path) -> None:
    host.answers = [challenge(keys / "one.key"), status(200)]
    assert sign_in(azure_arc(host)).text == "opaque"
    first, second = (headers.get("Authorization") for _, _, headers, _ in host.asked)
    assert (first, second) == (None, "Basic c2VjcmV0")


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("{keys}/../shadow.key", "none of Azure Arc's"),
        ("/etc/shadow.key", "none of Azure Arc's"),
        ("{keys}/below/one.key", "none of Azure Arc's"),
        ("{keys}/one.txt", "no challenge"),
        ("{keys}/missing.key", "cannot be read"),
        ("{keys}/folder.key", "cannot be read"),
        ("{keys}/large.key", "too long"),
        ("", "no challenge"),
        ("x={keys}/one.key", "none of Azure Arc's"),
    ],
)
def test_arc_gets_no_other_file(host: Host, keys: Path, named: str, words: str) -> None:
    for place in (keys.parent / "shadow.key", keys / "one.txt", keys / "below" / "one.key"):
        place.parent.mkdir(exist_ok=True)
        place.write_text("not yours")
    (keys / "large.key").write_text("x" * 4097)
    (keys / "folder.key").mkdir()
    host.answers = [challenge(named.format(keys=keys)), status(200)]
    with pytest.raises(SignInError, match=words):
        sign_in(azure_arc(host))
    assert len(host.asked) == 1


@pytest.mark.parametrize("words", ["Digest realm={keys}/one.key", "{keys}/one.key"])
def test_arc_s_key_answers_no_other_challenge(host: Host, keys: Path, words: str) -> None:
    host.answers = [status(401, b"", WWW_Authenticate=words.format(keys=keys)), status(200)]
    with pytest.raises(SignInError, match="no challenge"):
        sign_in(azure_arc(host))
    assert len(host.asked) == 1


def test_arc_s_key_stays_on_this_machine(host: Host, keys: Path) -> None:
    """127.1 leads here as well, but only who is known to be here is asked."""
    host.answers = [challenge(f"{keys}/one.key"), status(200)]
    env = azure_arc(host)
    env["IDENTITY_ENDPOINT"] = env["IDENTITY_ENDPOINT"].replace("127.0.0.1", "127.1")
    with pytest.raises(SignInError, match=r"and 127\.1 is not"):
        sign_in(env)
    assert host.asked == []


def test_no_key_lies_where_somebody_happens_to_be(
    host: Host, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(keys)
    monkeypatch.setattr(arc, "folder", lambda _: "")
    host.answers = [challenge("one.key"), status(200)]
    with pytest.raises(SignInError, match="none of Azure Arc's"):
        sign_in(azure_arc(host))
    assert len(host.asked) == 1


def test_a_user_who_may_not_have_arc_s_token(
    host: Host, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(keys / "one.key"))

    monkeypatch.setattr(arc, "open", refuse, raising=False)
    host.answers = [challenge(keys / "one.key")]
    with pytest.raises(SignInError, match=r"one.key: permission denied") as caught:
        sign_in(azure_arc(host))
    assert caught.value.hint == "sudo usermod --append --groups himds $USER"


@pytest.mark.parametrize(
    ("fields", "echo", "taken"),
    [
        ({"client_id": "AB"}, b'"client_id":"ab"', True),
        ({"client_id": "AB"}, b'"client_id":"other"', False),
        ({"client_id": "AB"}, b'"x":1', False),
        ({"client_id": "none"}, b'"x":1', False),
        ({"identity_resource_id": "/R"}, b'"msi_res_id":"/r"', True),
        ({"identity_resource_id": "/R"}, b'"client_id":"/r"', False),
        ({}, b'"x":1', True),
    ],
)
def test_an_old_agent_of_arc_gives_no_other_identity(
    host: Host, keys: Path, fields: dict[str, str], echo: bytes, taken: bool
) -> None:
    host.answers = [challenge(keys / "one.key"), status(200, TOKEN[:-1] + b"," + echo + b"}")]
    if taken:
        assert sign_in(azure_arc(host), **fields).text == "opaque"
        return
    with pytest.raises(SignInError, match="another identity than the chosen one"):
        sign_in(azure_arc(host), **fields)


# Service Fabric


@pytest.mark.long
def test_service_fabric_s_certificate_is_known_by_its_thumbprint(bare_env: Environment) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.configure_cert(context)
    chain = certificate.cert_chain_pems[0].bytes().decode()
    thumbprint = hashlib.sha1(ssl.PEM_cert_to_DER_cert(chain)).hexdigest()
    host = Host(context)
    body = b'{"access_token":"opaque","expires_on":4102444800,"token_type":"Bearer"}'
    host.answers = [status(200, body)]
    env = bare_env | app_service(host) | {"IDENTITY_SERVER_THUMBPRINT": thumbprint}
    try:
        done = ask(env, "--format", "token")
        assert done.stdout == b"opaque\n", done.stderr
        assert host.asked[0][2]["Secret"] == KEY
    finally:
        host.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "https://127.0.0.1:1/x"])
def test_a_thumbprint_is_never_left_aside(url: str) -> None:
    env = {"IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": KEY, "IDENTITY_SERVER_THUMBPRINT": "t"}
    assert not identity_endpoint.is_plain(env)
