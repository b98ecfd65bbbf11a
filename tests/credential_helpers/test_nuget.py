"""nuget-plugin-msauth, by a transcript: what NuGet sends, and what a plugin has to answer.

There is no NuGet here. `NuGet` is its side of the conversation as its documents and the sources
of NuGet.Protocol.Plugins (6.13) have it: it rejects what those would throw a ProtocolException
for, such as a second response to one request.
"""

import json
import os
import select
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
import requests

from msauth.credential_helpers import nuget as plugin
from msauth.protocols import nuget as protocol
from msauth_sandbox import Sandbox

from ..conftest import Environment, run_program, start_program
from ..terminal import Terminal
from ..test_git_credential import tenant_in
from .test_feeds import FEED, STRANGERS

PROG = "nuget-plugin-msauth"
FEEDS = {
    name: f"https://pkgs.dev.azure.com/{name}/_packaging/hello/nuget/v3/index.json"
    for name in ("contoso", "fabrikam")
}
NO_CREDENTIALS = {
    "Username": None,
    "Password": None,
    "Message": None,
    "AuthenticationTypes": None,
    "ResponseCode": "NotFound",
}
_TYPES = {"Request", "Response", "Fault", "Progress", "Cancel"}

Json = dict[str, Any]


class NuGet:
    """The client's side. Every line is checked against what a client may be sent."""

    def __init__(self, env: Environment) -> None:
        self.process = start_program(PROG, "-Plugin", env=env)
        self._rest = b""
        self.asked: dict[str, str] = {}
        self.others: list[Json] = []
        """Requests of the plugin, and faults."""

    def __enter__(self) -> "NuGet":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def send(self, kind: str, method: str, payload: Json | None = None, request: str = "") -> str:
        request = request or str(uuid.uuid4())
        message = {"RequestId": request, "Type": kind, "Method": method, "Payload": payload}
        if kind == "Request":
            self.asked[request] = method
        self.write(json.dumps(message).encode() + b"\r\n")
        return request

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read(self, timeout: float = 30) -> Json | None:
        """The next message; None at the end."""
        assert self.process.stdout is not None
        end = time.monotonic() + timeout
        while b"\n" not in self._rest:
            left = end - time.monotonic()
            assert left > 0, "no message"
            assert select.select([self.process.stdout], [], [], left)[0], "no message"
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                assert self._rest == b""
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        message: Json = json.loads(line.decode("utf-8"))
        assert {"RequestId", "Type", "Method"} <= message.keys()
        assert message["Type"] in _TYPES
        return message

    def response(self, request: str) -> Json:
        """The next answer to a request: its payload. Others' are kept; progress only prolongs."""
        while True:
            message = self.read()
            assert message is not None
            if message["RequestId"] not in self.asked:
                assert message["Type"] in ("Request", "Fault"), message
                self.others.append(message)
                continue
            assert message["Method"] == self.asked[message["RequestId"]]
            if message["Type"] == "Progress":
                assert message["Payload"].keys() == {"Percentage"}
                self.others.append(message)
                continue
            assert message["RequestId"] == request
            del self.asked[request]
            assert message["Type"] == "Response", message
            payload: Json = message["Payload"]
            return payload

    def ask(self, method: str, payload: Json | None = None) -> Json:
        return self.response(self.send("Request", method, payload))

    def shake_hands(self) -> None:
        """Both at once; the plugin's part may come first or second."""
        versions = {"ProtocolVersion": "2.0.0", "MinimumProtocolVersion": "1.0.0"}
        assert self.ask("Handshake", versions) == {
            "ResponseCode": "Success",
            "ProtocolVersion": "2.0.0",
        }
        if not self.others:
            message = self.read()
            assert message is not None
            self.others.append(message)
        (theirs,) = self.others
        assert (theirs["Type"], theirs["Method"]) == ("Request", "Handshake")
        assert theirs["Payload"] == {"ProtocolVersion": "2.0.0", "MinimumProtocolVersion": "2.0.0"}
        answer = {"ResponseCode": "Success", "ProtocolVersion": "2.0.0"}
        self.send("Response", "Handshake", answer, request=theirs["RequestId"])
        self.others.clear()

    def start(self) -> None:
        """All that comes before the first question for credentials, in NuGet's order."""
        self.shake_hands()
        process = {"ProcessId": os.getpid()}
        assert self.ask("MonitorNuGetProcessExit", process) == {"ResponseCode": "Success"}
        client = {
            "ClientVersion": "6.13.1",
            "Culture": "en-US",
            "RequestTimeout": "00:00:05",
        }
        assert self.ask("Initialize", client) == {"ResponseCode": "Success"}
        agnostic = {"PackageSourceRepository": None, "ServiceIndex": None}
        assert self.ask("GetOperationClaims", agnostic) == {"Claims": ["Authentication"]}
        assert self.ask("SetLogLevel", {"LogLevel": "Information"}) == {"ResponseCode": "Success"}

    def credentials(self, uri: str, **more: bool) -> Json:
        return self.response(self.ask_for(uri, **more))

    def ask_for(self, uri: str, **more: bool) -> str:
        payload = {"Uri": uri, "IsRetry": False, "IsNonInteractive": True, "CanShowDialog": False}
        return self.send("Request", "GetAuthenticationCredentials", payload | more)

    def end(self, timeout: float = 30) -> int:
        """The plugin's exit code; nothing may come before it."""
        assert self.read() is None
        return self.process.wait(timeout)


@pytest.fixture
def nuget(env: Environment) -> Iterator[NuGet]:
    with NuGet(env) as client:
        client.start()
        yield client


def password(answer: Json) -> str:
    assert answer.keys() == NO_CREDENTIALS.keys()
    assert (answer["ResponseCode"], answer["AuthenticationTypes"]) == ("Success", ["Basic"])
    assert answer["Username"]
    assert answer["Message"] is None
    return str(answer["Password"])


def test_a_restore(nuget: NuGet, cloud: Sandbox) -> None:
    """From the handshake to Close, with two sources that are asked at the same time."""
    ids = {name: nuget.ask_for(uri) for name, uri in FEEDS.items()}
    first = nuget.read()
    assert first is not None
    for name in ids if first["RequestId"] == ids["contoso"] else reversed(ids):
        answer = first["Payload"] if first is not None else nuget.response(ids[name])
        first = None
        assert tenant_in(password(answer)) == cloud.tenants[name].id
    assert cloud.count("token") == 2
    nuget.send("Request", "Close")
    assert nuget.end() == 0


def test_the_feed_takes_the_password(nuget: NuGet, cloud: Sandbox) -> None:
    answer = nuget.credentials(FEEDS["contoso"])
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": cloud.url}
        session.verify = str(cloud.ca_file)
        done = session.get(FEEDS["contoso"], auth=(answer["Username"], password(answer)))
    assert done.status_code == 200


def test_a_retry_is_a_refusal(nuget: NuGet, cloud: Sandbox) -> None:
    first = password(nuget.credentials(FEEDS["contoso"]))
    assert password(nuget.credentials(FEEDS["contoso"])) == first
    second = password(nuget.credentials(FEEDS["contoso"], IsRetry=True))
    assert second != first
    assert password(nuget.credentials(FEEDS["contoso"])) == second
    assert cloud.count("token") == 2


@pytest.mark.parametrize(
    ("who", "reason", "hint"),
    [
        ("newcomers", "it has never opened the organisation in a browser (TF401444)", "browser"),
        ("strangers", "the account is no member (TF400813)", "ask an administrator"),
    ],
)
def test_a_refusal_that_no_other_token_helps(
    nuget: NuGet, cloud: Sandbox, who: str, reason: str, hint: str
) -> None:
    password(nuget.credentials(FEEDS["contoso"]))
    cloud.configure(**{who: (cloud.client_id,)})
    told = nuget.credentials(FEEDS["contoso"], IsRetry=True)
    assert told["ResponseCode"] == "Error"
    assert f"organisation contoso refused {cloud.client_id}: {reason}" in told["Message"]
    assert hint in told["Message"].partition("\nhint: ")[2]
    assert cloud.count("token") == 1


def test_a_retry_with_what_another_process_was_given(env: Environment, cloud: Sandbox) -> None:
    """NuGet ends an idle plugin after a minute and starts another one."""
    with NuGet(env) as client:
        client.start()
        first = password(client.credentials(FEEDS["contoso"]))
    with NuGet(env) as client:
        client.start()
        assert password(client.credentials(FEEDS["contoso"], IsRetry=True)) != first
    assert cloud.count("token") == 2


def test_strangers(bare_env: Environment) -> None:
    with NuGet(bare_env) as client:
        client.start()
        for url in STRANGERS:
            assert client.credentials(url.replace(FEED, b"/x").decode()) == NO_CREDENTIALS
            assert client.credentials(url.decode(), IsRetry=True) == NO_CREDENTIALS
        assert client.credentials("") == NO_CREDENTIALS
        assert client.response(client.send("Request", "GetAuthenticationCredentials")) == (
            NO_CREDENTIALS
        )


@pytest.mark.parametrize(
    "url",
    [
        "https://dev.azure.com/contoso/x/_apis/git/repositories/x/_packaging/x/nuget/v3/index.json",
        "https://contoso.visualstudio.com/_packaging/hello/nuget/v3/index.json",
        "https://pkgs.dev.azure.com/contoso/_packaging/hello/maven/v1/x/1/index.json",
        "https://pkgs.dev.azure.com/contoso/_packaging/hello/maven/v1/nuget/v3/index.json",
        "https://pkgs.dev.azure.com/contoso/_packaging/hello/maven/v1/x/?/nuget/v3/index.json",
        "https://pkgs.dev.azure.com/contoso/_packaging/hello/nuget/v3/flat2/x/1/x.nuspec",
        "https://pkgs.dev.azure.com/contoso/_packaging/x/../nuget/v3/index.json",
        "https://pkgs.dev.azure.com/contoso/_packaging/x/%2E%2e/nuget/v3/index.json",
        "https://pkgs.dev.azure.com/contoso/_packaging/x%2F../nuget/v3/index.json",
        "https://pkgs.dev.azure.com/contoso/",
    ],
)
def test_no_other_index_gets_a_token(nuget: NuGet, cloud: Sandbox, url: str) -> None:
    """NuGet gives a source's password to every host that the source's index names."""
    assert nuget.credentials(url) == NO_CREDENTIALS
    assert cloud.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "https://pkgs.dev.azure.com/contoso/_packaging/hello/nuget/v2/",
        "https://pkgs.dev.azure.com/Contoso/My%20Project/_packaging/hello@Local/nuget/v3/Index.json",
        "https://contoso.pkgs.visualstudio.com/DefaultCollection/_packaging/a.b/nuget/v3/index.json",
    ],
)
def test_every_address_of_a_feed_does(nuget: NuGet, url: str) -> None:
    assert password(nuget.credentials(url))


def test_it_has_no_packages(nuget: NuGet) -> None:
    source = {"PackageSourceRepository": FEEDS["contoso"], "ServiceIndex": {"version": "3.0.0"}}
    assert nuget.ask("GetOperationClaims", source) == {"Claims": []}


def test_a_proxys_credentials_are_taken_and_not_used(nuget: NuGet) -> None:
    payload = {"PackageSourceRepository": "/x", "ProxyUsername": "a", "ProxyPassword": "b"}
    assert nuget.ask("SetCredentials", payload) == {"ResponseCode": "Success"}


def test_a_nuget_that_is_gone_shows_no_traceback(
    bare_env: Environment, capfd: pytest.CaptureFixture[str]
) -> None:
    """A thread that cannot even say why there is no token ends without a word of its own."""

    def gone(_: bytes) -> None:
        raise BrokenPipeError

    side = plugin._Plugin({"--credential": "none"}, bare_env, gone)
    side._may_log = True
    payload = {"Uri": FEEDS["contoso"]}
    request = {"RequestId": "1", "Type": "Request", "Method": "GetAuthenticationCredentials"}
    side._sign_in(protocol.Message(json.dumps(request | {"Payload": payload}).encode()))
    assert "unknown credential" in capfd.readouterr().err


def test_what_it_does_not_know_is_a_fault(nuget: NuGet) -> None:
    request = nuget.send("Request", "PrefetchPackage", {"PackageId": "x"})
    message = nuget.read()
    assert message == {
        "RequestId": request,
        "Type": "Fault",
        "Method": "PrefetchPackage",
        "Payload": {"Message": f"{PROG} does not know PrefetchPackage"},
    }
    assert password(nuget.credentials(FEEDS["contoso"]))


def test_who_cannot_sign_in_reads_why(env: Environment) -> None:
    """NuGet shows no message of an answer; what it shows is a Log request."""
    with NuGet(env | {"AZURE_CLIENT_SECRET": "hunter2-1234"}) as client:
        client.start()
        answer = client.credentials(FEEDS["contoso"])
        assert (answer["ResponseCode"], answer["Password"]) == ("Error", None)
        assert answer["Message"]
        (log,) = client.others
        assert (log["Type"], log["Method"]) == ("Request", "Log")
        assert log["Payload"] == {
            "LogLevel": "Warning",
            "Message": f"{PROG}: {answer['Message']}",
        }
        assert "hunter2" not in json.dumps(log)
        client.send("Response", "Log", {"ResponseCode": "Success"}, request=log["RequestId"])
        client.send("Request", "Close")
        assert client.end() == 0
        assert client.process.stderr is not None
        assert client.process.stderr.read().startswith(f"{PROG}: error: ".encode())


def test_nothing_is_logged_before_nuget_allows_it(env: Environment) -> None:
    with NuGet(env | {"AZURE_CLIENT_SECRET": "no"}) as client:
        client.shake_hands()
        assert client.credentials(FEEDS["contoso"])["ResponseCode"] == "Error"
        assert client.others == []


@pytest.fixture
def slow(cloud: Sandbox) -> Iterator[Callable[[], None]]:
    """Entra ID does not answer until the function is called."""
    gate = threading.Event()

    def wait(_: object) -> None:
        gate.wait(60)

    cloud.on_token(wait)
    yield gate.set
    gate.set()
    cloud.on_token(None)


def test_what_takes_long_says_so(nuget: NuGet, slow: Callable[[], None]) -> None:
    request = nuget.ask_for(FEEDS["contoso"])
    for _ in range(2):
        message = nuget.read()
        assert message is not None
        assert (message["RequestId"], message["Type"]) == (request, "Progress")
    # Others are answered meanwhile.
    assert nuget.ask("SetLogLevel", {"LogLevel": "Debug"}) == {"ResponseCode": "Success"}
    slow()
    assert password(nuget.response(request))


def test_a_cancelled_request_is_answered_once(nuget: NuGet, slow: Callable[[], None]) -> None:
    request = nuget.ask_for(FEEDS["contoso"])
    nuget.send("Cancel", "GetAuthenticationCredentials", request=request)
    message = nuget.read()
    assert message is not None
    assert (message["RequestId"], message["Type"]) == (request, "Cancel")
    del nuget.asked[request]
    slow()
    assert password(nuget.credentials(FEEDS["contoso"]))  # read() takes no second answer to it
    nuget.send("Cancel", "GetAuthenticationCredentials", request=request)
    nuget.send("Request", "Close")
    assert nuget.end() == 0


@pytest.mark.parametrize("interactive", [False, True])
def test_a_person_is_asked_only_with_interactive(
    bare_env: Environment, cloud: Sandbox, tmp_path: Path, interactive: bool
) -> None:
    """`dotnet restore --interactive`; there is a terminal either way."""
    stdin, stdout = tmp_path / "stdin", tmp_path / "stdout"
    os.mkfifo(stdin)
    os.mkfifo(stdout)
    payload = {"Uri": FEEDS["contoso"], "IsRetry": False, "IsNonInteractive": not interactive}
    question = protocol.write("1", protocol.REQUEST, "GetAuthenticationCredentials", payload)
    command = ["sh", "-c", f"{PROG} -Plugin <{stdin} >{stdout}"]
    with (
        Terminal(command, bare_env | cloud.environ) as terminal,
        stdin.open("wb") as to_plugin,
        stdout.open("rb") as from_plugin,
    ):
        to_plugin.write(question)
        to_plugin.flush()
        if interactive:
            terminal.read_until(b"https://microsoft.com/devicelogin")
        lines = map(json.loads, from_plugin)
        answer = next(line for line in lines if line["Type"] == protocol.RESPONSE)
        assert (answer["Payload"]["ResponseCode"] == "Success") is interactive
    assert cloud.count("devicecode") == interactive


@pytest.mark.parametrize("how", ["close", "end", "eof-while-signing-in"])
def test_it_ends(nuget: NuGet, slow: Callable[[], None], how: str) -> None:
    assert nuget.process.stdin is not None
    if how == "eof-while-signing-in":
        nuget.ask_for(FEEDS["contoso"])
    if how == "close":
        nuget.send("Request", "Close")
    else:
        nuget.process.stdin.close()
    assert nuget.end() == 0


def test_it_ends_with_nugets_process(env: Environment) -> None:
    """Also where something else still holds its stdin."""
    with NuGet(env) as client, subprocess.Popen(["sleep", "600"]) as child:
        client.shake_hands()
        process = {"ProcessId": child.pid}
        assert client.ask("MonitorNuGetProcessExit", process) == {"ResponseCode": "Success"}
        child.send_signal(signal.SIGKILL)
        assert client.end() == 0


@pytest.mark.parametrize("process", [None, -1, 0, "1", 10**30, 2**22 + 1, {}])
def test_no_process_to_watch(nuget: NuGet, process: object) -> None:
    payload = {"ProcessId": process}
    assert nuget.ask("MonitorNuGetProcessExit", payload) == {"ResponseCode": "Error"}
    assert password(nuget.credentials(FEEDS["contoso"]))


@pytest.mark.parametrize(
    ("newest", "least", "works"),
    [
        ("2.0.0", "1.0.0", True),
        ("2.0.0", "2.0.0", True),
        ("3.1.0-beta+x", "2.0.0", True),
        ("1.0.0", "1.0.0", False),
        ("3.0.0", "3.0.0", False),
        ("1.0.0", "2.0.0", False),
        ("", "", False),
        ("2", "1", False),
    ],
)
def test_versions(newest: str, least: str, works: bool) -> None:
    payload = {"ProtocolVersion": newest, "MinimumProtocolVersion": least}
    message = protocol.Message(protocol.write("1", protocol.REQUEST, "Handshake", payload).strip())
    answer = protocol.shake(message)
    assert (answer["ResponseCode"] == "Success") is works
    assert answer.get("ProtocolVersion") == ("2.0.0" if works else None)


@pytest.mark.parametrize(
    "line", [b"hello", b"[]", b"{}", b'{"RequestId":"1","Type":"Request"}', b"\xff", b"[" * 100_000]
)
def test_garbage_is_a_fault_and_the_end(bare_env: Environment, line: bytes) -> None:
    done = run_program(PROG, "-Plugin", env=bare_env, stdin=line + b"\n")
    assert done.returncode == 2
    _, fault = map(json.loads, done.stdout.splitlines())
    assert (fault["Type"], fault["Method"]) == ("Fault", "None")
    assert fault["Payload"]["Message"].startswith("what NuGet sent ")
    assert done.stderr.startswith(f"{PROG}: error: ".encode())


def test_started_by_a_person(bare_env: Environment) -> None:
    done = run_program(PROG, env=bare_env)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"{PROG}: error: NuGet starts this program".encode())
    assert run_program(PROG, "--help", env=bare_env).stdout.startswith(f"usage: {PROG}".encode())


def test_nuget_waits_longer_than_the_signs_of_life_take() -> None:
    assert plugin.PROGRESS * 2 < 5
