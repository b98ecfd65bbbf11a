"""The proxy, the loopback endpoints, and the server under load."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import requests

from msauth_sandbox import Sandbox


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "dev.azure.com.evil.example",
        "xvisualstudio.com",
        "nonesuch.visualstudio.com",
        "dc.services.visualstudio.com",
        "login.microsoftonline.com.",
    ],
)
def test_nothing_else_is_served(cloud, http, host):
    with pytest.raises(requests.exceptions.ProxyError):
        http.get(f"https://{host}/")
    assert cloud.count("unknown_host", host=host) == 1
    assert cloud.stats()["unknown_hosts"] == [host]
    assert cloud.count("request") == 0


def test_no_other_port_and_no_plain_http(cloud, http):
    with pytest.raises(requests.exceptions.ProxyError):
        http.get("https://dev.azure.com:8443/")
    assert http.get("http://dev.azure.com/").status_code == 502
    assert cloud.count("unknown_host") == 2


def test_certificates_are_for_the_host(cloud, http):
    for host in ("dev.azure.com", "contoso.visualstudio.com", cloud.aks_host):
        assert http.head(f"https://{host}/").status_code in (401, 404)
    http.verify = True
    with pytest.raises(requests.exceptions.SSLError):
        http.get("https://dev.azure.com/")


def test_two_hundred_at_once(cloud, sign_in):
    with ThreadPoolExecutor(200) as pool:
        statuses = list(pool.map(lambda _: requests_ok(cloud), range(200)))
    assert statuses == [200] * 200
    assert cloud.count("token") == 200


def requests_ok(cloud: Sandbox) -> int:
    form = {
        "grant_type": "client_credentials",
        "client_id": cloud.client_id,
        "client_secret": cloud.client_secret,
        "scope": "https://vault.azure.net/.default",
    }
    url = "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token"
    answer = requests.post(
        url, data=form, proxies={"https": cloud.url}, verify=str(cloud.ca_file), timeout=60
    )
    return answer.status_code


def test_keep_alive(cloud, http):
    for _ in range(5):
        assert http.head("https://dev.azure.com/contoso/").status_code == 401
    assert cloud.count("connect") == 1


def test_chunked_bodies(cloud, http):
    def body():
        yield b"grant_type=refresh_token&client_id=04b07795-8ddb-461a-bbee-02f9e1bf7b46"
        yield b"&scope=https://vault.azure.net/.default&refresh_token=none"

    url = "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert http.post(url, data=body(), headers=headers).json()["error"] == "invalid_grant"
    assert http.post(url, data=body(), headers=headers).json()["error_codes"] == [70000]
    assert cloud.count("connect") == 1


def test_dropped_connections(cloud, http):
    cloud.drop_connections(1, host="dev.azure.com")
    with pytest.raises(requests.exceptions.ConnectionError):
        http.head("https://dev.azure.com/contoso/")
    assert http.head("https://dev.azure.com/contoso/").status_code == 401


class TestRoundTrip:
    """Lower bounds only, which hold on a busy machine, too."""

    def test_connecting_tls_and_each_request_take_one(self, cloud, http):
        cloud.configure(round_trip=0.02)
        for trips in (3, 1):
            began = time.monotonic()
            assert http.head("https://dev.azure.com/contoso/").status_code == 401
            assert time.monotonic() - began >= trips * 0.02
        assert cloud.count("connect") == 1

    def test_the_last_bytes_and_the_end_arrive(self, cloud, http):
        cloud.configure(round_trip=0.02)
        answer = http.head("https://dev.azure.com/contoso/", headers={"Connection": "close"})
        assert answer.status_code == 401
        cloud.drop_connections(1, host="dev.azure.com")
        with pytest.raises(requests.exceptions.ConnectionError):
            http.head("https://dev.azure.com/contoso/")

    def test_a_client_that_trusts_nobody_is_told_so(self, cloud, http):
        cloud.configure(round_trip=0.02)
        http.verify = True
        with pytest.raises(requests.exceptions.SSLError):
            http.get("https://dev.azure.com/")

    def test_what_is_on_the_machine_is_near(self, cloud, http):
        """The instance metadata service: an hour's way would run into the timeout."""
        cloud.configure(round_trip=3600)
        url = "http://169.254.169.254/metadata/identity/oauth2/token"
        query = {"api-version": "2018-02-01", "resource": "https://management.azure.com/"}
        answer = http.get(url, params=query, headers={"Metadata": "true"}, timeout=60)
        assert answer.status_code == 200


def test_garbage_does_not_hurt(cloud, http):
    for junk in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"CONNECT : HTTP/1.1\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", cloud.port)) as raw:
            raw.sendall(junk)
            raw.shutdown(socket.SHUT_WR)
            raw.recv(4096)
    assert http.head("https://dev.azure.com/contoso/").status_code == 401


class TestWire:
    """Bytes as a client sends them, through the tunnel or straight to the loopback port."""

    @pytest.fixture
    def tunnel(self, cloud: Sandbox) -> Iterator[ssl.SSLSocket]:
        raw = socket.create_connection(("127.0.0.1", cloud.port), timeout=10)
        raw.sendall(b"CONNECT dev.azure.com:443 HTTP/1.1\r\nHost: dev.azure.com:443\r\n\r\n")
        assert read_head(raw).startswith(b"HTTP/1.1 200 ")
        context = ssl.create_default_context(cafile=str(cloud.ca_file))
        with context.wrap_socket(raw, server_hostname="dev.azure.com") as tls:
            yield tls

    def post(self, cloud: Sandbox, *more: bytes) -> bytes:
        path = b"/contoso/hello/_git/hello/git-upload-pack"
        head = [
            b"POST " + path + b" HTTP/1.1",
            b"Host: dev.azure.com",
            b"Authorization: Bearer " + cloud.issue_token().encode(),
            b"Content-Type: application/x-git-upload-pack-request",
            b"Git-Protocol: version=2",
            *more,
        ]
        return b"\r\n".join(head) + b"\r\n\r\n"

    def test_expect_continue(self, cloud, tunnel):
        body = b"0014command=ls-refs\n0000"
        length = b"Content-Length: %d" % len(body)
        tunnel.sendall(self.post(cloud, length, b"Expect: 100-continue"))
        assert read_head(tunnel).startswith(b"HTTP/1.1 100 ")
        tunnel.sendall(body)
        head = read_head(tunnel)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"Transfer-Encoding: chunked" in head
        assert b"refs/heads/main" in read_until(tunnel, b"0\r\n\r\n")

    def test_refused_before_the_body(self, tunnel):
        """The body is not asked for, and the connection, in which it may still come, ends."""
        tunnel.sendall(
            b"POST /contoso/hello/_git/hello/git-receive-pack HTTP/1.1\r\nHost: dev.azure.com\r\n"
            b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        answer = read_until(tunnel, None)
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"\r\nConnection: close\r\n" in answer

    def test_an_unread_body_does_not_hurt_the_next_request(self, tunnel):
        for _ in range(2):
            tunnel.sendall(
                b"POST /contoso/ HTTP/1.1\r\nHost: dev.azure.com\r\nContent-Length: 300000\r\n"
                b"X-TFS-FedAuthRedirect: Suppress\r\n\r\n" + b"x" * 300_000
            )
            head = read_head(tunnel)
            assert head.startswith(b"HTTP/1.1 401 ")
            (length,) = re.findall(rb"Content-Length: (\d+)", head)
            left = int(length)
            while left:
                left -= len(tunnel.recv(left))

    def test_http_1_0(self, cloud, tunnel):
        body = b"0014command=ls-refs\n0000"
        request = self.post(cloud, b"Content-Length: %d" % len(body))
        tunnel.sendall(request.replace(b" HTTP/1.1", b" HTTP/1.0", 1) + body)
        answer = read_until(tunnel, None)
        assert b"chunked" not in answer
        assert b"refs/heads/main" in answer

    @pytest.mark.parametrize(
        "junk",
        [
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000,
        ],
    )
    def test_bad_requests(self, cloud, junk):
        with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as raw:
            raw.sendall(junk)
            assert re.match(rb"HTTP/1.1 4\d\d ", read_until(raw, None))
        assert cloud.requests == []


def read_head(stream: socket.socket) -> bytes:
    """One byte at a time, so that nothing of the body is taken."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        assert byte, head
        head += byte
    return head


def read_until(stream: socket.socket, end: bytes | None) -> bytes:
    """Everything up to ``end``, or up to the connection's end."""
    data = b""
    while end is None or not data.endswith(end):
        more = stream.recv(65536)
        if not more:
            assert end is None
            break
        data += more
    return data


class TestManagedIdentity:
    def test_app_service(self, cloud):
        environ = cloud.managed_identity_environ()
        query = {"api-version": "2019-08-01", "resource": "https://vault.azure.net"}
        ask = requests.Session()
        ask.trust_env = False
        url = environ["IDENTITY_ENDPOINT"]
        assert ask.get(url, params=query).status_code == 401
        headers = {"X-IDENTITY-HEADER": environ["IDENTITY_HEADER"]}
        body = ask.get(url, params=query, headers=headers).json()
        assert all(isinstance(value, str) for value in body.values())
        assert body["resource"] == "https://vault.azure.net"
        assert cloud.count("managed_identity") == 2
        rebound = {**headers, "Host": "evil.example:80"}
        assert ask.get(url, params=query, headers=rebound).status_code == 502

    ASK = (
        ("app-service", "2019-08-01", "X-IDENTITY-HEADER", "client_id", "client_id"),
        ("app-service", "2019-08-01", "X-IDENTITY-HEADER", "mi_res_id", "resource_id"),
        ("app-service", "2019-08-01", "X-IDENTITY-HEADER", "object_id", "object_id"),
        ("app-service", "2019-08-01", "X-IDENTITY-HEADER", "principal_id", "object_id"),
        ("msi", "2017-09-01", "secret", "clientid", "client_id"),
        ("msi", "2017-09-01", "secret", "mi_res_id", "resource_id"),
        ("msi", "2017-09-01", "secret", "msi_res_id", "resource_id"),
        ("msi", "2017-09-01", "secret", "object_id", "object_id"),
        ("imds", "2018-02-01", "Metadata", "client_id", "client_id"),
        ("imds", "2018-02-01", "Metadata", "msi_res_id", "resource_id"),
        ("imds", "2018-02-01", "Metadata", "mi_res_id", "resource_id"),
        ("imds", "2018-02-01", "Metadata", "object_id", "object_id"),
    )

    def ask(self, cloud, http, protocol, version, header, **options):
        """One request as the protocol has it; the answer's body, decoded claims in ``claims``."""
        environ = cloud.managed_identity_environ(protocol)
        url = environ.get("IDENTITY_ENDPOINT") or environ.get("MSI_ENDPOINT")
        secret = environ.get("IDENTITY_HEADER") or environ.get("MSI_SECRET") or "true"
        answer = http.get(
            url or "http://169.254.169.254/metadata/identity/oauth2/token",
            params={"api-version": version, "resource": "https://vault.azure.net", **options},
            headers={header: secret},
        )
        body = answer.json()
        if answer.ok:
            token = body["access_token"]
            body["claims"] = jwt.decode(token, options={"verify_signature": False})
        return answer.status_code, body

    @pytest.mark.parametrize(("protocol", "version", "header", "option", "name"), ASK)
    def test_which_identity(self, cloud, http, protocol, version, header, option, name):
        wanted = cloud.user_assigned_identity
        asked = wanted[name].upper() if name == "resource_id" else wanted[name]
        status, body = self.ask(cloud, http, protocol, version, header, **{option: asked})
        assert status == 200
        claims = body["claims"]
        assert body["client_id"] == claims["appid"] == wanted["client_id"]
        assert (claims["oid"], claims["xms_mirid"]) == (wanted["object_id"], wanted["resource_id"])
        assert cloud.requests[-1].identity == {option: asked}
        assert cloud.count("managed_identity", client_id=wanted["client_id"]) == 1
        _, own = self.ask(cloud, http, protocol, version, header)
        assert own["claims"]["appid"] == cloud.managed_identity_client_id
        assert own["claims"]["oid"] != claims["oid"]
        assert own["claims"]["xms_mirid"].endswith("/virtualMachines/hello")
        assert cloud.requests[-1].identity == {}
        log = requests.get(f"{cloud.url}/_sandbox/requests", timeout=5).json()
        assert [entry["identity"] for entry in log] == [{option: asked}, {}]
        status, body = self.ask(cloud, http, protocol, version, header, **{option: "nobody"})
        assert status == 400
        assert ("Identity not found" if protocol == "imds" else "No User Assigned") in str(body)
        assert cloud.count("managed_identity", error="identity", identity={option: "nobody"}) == 1

    def test_two_options_must_agree(self, cloud, http):
        wanted = cloud.user_assigned_identity
        same = {"client_id": wanted["client_id"], "object_id": wanted["object_id"]}
        ask = ("app-service", "2019-08-01", "X-IDENTITY-HEADER")
        assert self.ask(cloud, http, *ask, **same)[0] == 200
        same["client_id"] = cloud.managed_identity_client_id
        assert self.ask(cloud, http, *ask, **same)[0] == 400

    def test_a_word_that_the_host_does_not_know_is_ignored(self, cloud, http):
        """So a client that misspells an option gets the host's own identity, as in Azure."""
        asked = {"resource_id": cloud.user_assigned_identity["resource_id"]}
        _, body = self.ask(cloud, http, "imds", "2018-02-01", "Metadata", **asked)
        assert body["client_id"] == cloud.managed_identity_client_id
        assert cloud.requests[-1].identity == {}

    def test_a_host_that_caches(self, cloud, http):
        ask = ("imds", "2018-02-01", "Metadata")
        other = {"client_id": cloud.user_assigned_identity["client_id"]}
        tokens = [self.ask(cloud, http, *ask)[1]["access_token"] for _ in range(2)]
        assert tokens[0] != tokens[1]
        cloud.configure(managed_identity_caches=True)
        again = [self.ask(cloud, http, *ask)[1] for _ in range(2)]
        assert {body["access_token"] for body in again} == {tokens[1]}
        assert 3500 < int(again[0]["expires_in"]) <= 3600
        assert self.ask(cloud, http, *ask, **other)[1]["access_token"] != tokens[1]
        cloud.reset()
        assert self.ask(cloud, http, *ask)[1]["access_token"] != tokens[1]

    def test_a_host_that_caches_gives_another_token_before_the_end(self, cloud, http):
        ask = ("imds", "2018-02-01", "Metadata")
        cloud.configure(managed_identity_caches=True, expires_in=2)
        first = self.ask(cloud, http, *ask)[1]
        assert self.ask(cloud, http, *ask)[1]["access_token"] == first["access_token"]
        while (last := self.ask(cloud, http, *ask)[1])["access_token"] == first["access_token"]:
            assert int(first["expires_on"]) > time.time() - 1
        assert int(last["expires_in"]) > 0

    def test_instance_metadata(self, cloud, http):
        url = "http://169.254.169.254/metadata/identity/oauth2/token"
        query = {"api-version": "2018-02-01", "resource": "https://management.azure.com/"}
        assert http.get(url, params=query).status_code == 400
        body = http.get(url, params=query, headers={"Metadata": "true"}).json()
        assert body["token_type"] == "Bearer"
        cloud.configure(imds=False)
        assert http.get(url, params=query, headers={"Metadata": "true"}).status_code == 504


class TestControl:
    def test_stats_are_open_and_the_rest_is_not(self, cloud):
        base = cloud.url + "/_sandbox"
        assert requests.get(f"{base}/stats", timeout=5).json()["requests"] == 0
        assert requests.post(f"{base}/reset", timeout=5).status_code == 403
        key = {"X-Sandbox-Key": cloud.control_key}
        assert requests.post(f"{base}/close", headers=key, timeout=5).status_code == 404

    def test_every_knob(self, cloud, sign_in, http):
        def control(name, **arguments):
            key = {"X-Sandbox-Key": cloud.control_key}
            url = f"{cloud.url}/_sandbox/{name}"
            answer = requests.post(url, headers=key, json=arguments, timeout=5)
            return answer.status_code, answer.json()

        assert control("configure", expires_in=77)[0] == 200
        assert sign_in.app().json()["expires_in"] == 77
        assert control("configure", colour="red") == (400, {"error": "unknown setting colour"})
        assert control("fail-tokens", error_code=53003)[0] == 200
        assert sign_in.app().json()["error_codes"] == [53003]
        token = control("issue-token", tenant="fabrikam")[1]["result"]
        head = {"Authorization": f"Bearer {token}"}
        url = "https://dev.azure.com/fabrikam/_apis/projects"
        assert http.get(url, headers=head).ok
        assert control("revoke", token=token)[0] == 200
        assert http.get(url, headers=head).status_code == 401
        assert "nbf" in control("require-claims", audience="devops")[1]["result"]
        assert control("count", kind="token")[1] == {"result": 2}
        assert control("reset")[0] == 200
        assert http.get(url, headers=head).ok


def test_private_files(cloud):
    assert cloud.directory.stat().st_mode & 0o077 == 0
    assert (cloud.directory / "requests.jsonl").stat().st_mode & 0o077 == 0


def test_two_sandboxes_are_apart_and_leave_nothing(tmp_path):
    with Sandbox() as one, Sandbox(directory=tmp_path / "two") as two:
        assert one.port != two.port
        assert one.client_secret != two.client_secret
        where = one.directory
        assert where.exists()
    assert not where.exists()
    assert (tmp_path / "two" / "requests.jsonl").exists()
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", one.port))
