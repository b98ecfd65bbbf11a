"""Every helper against the URLs of strangers, garbage on stdin, and all of them at once.

HELPERS is the one table of the programs that other tools ask for a token by a URL; each says how
that tool asks, and what its protocol has for "none". A program of ours that is not in the table is
a failure.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

import pytest

from msauth_sandbox import Sandbox

from ..conftest import SCRIPTS, Done, Environment
from .test_feeds import STRANGERS

FEED = "https://pkgs.dev.azure.com/{}/_packaging/hello/"
REGISTRY_STRANGERS = (
    b"http://contoso.azurecr.io",
    b"azurecr.io",
    b".azurecr.io",
    b"-a.azurecr.io",
    b"a.b.azurecr.io",
    b"contoso.azurecr.io.evil.example",
    b"contoso.azurecr.io@evil.example",
    b"evil@contoso.azurecr.io",
    b"evil.example/contoso.azurecr.io",
    b"evil.example\\contoso.azurecr.io",
    b"evil.example#contoso.azurecr.io",
    b"https://evil.example/?contoso.azurecr.io",
    b"contoso.azurecr.io:5000",
    b"contoso.azurecr.io\tx",
    b"contoso%2eazurecr.io",
    b"contoso.azurecr.io\0",
    "contoso\u3002azurecr\u3002io".encode(),
    "contoso.azurecr.\uff49o".encode(),
    b"evilazurecr.io",
    b"contoso.azurecr.io.",
    b"ghcr.io",
    b"https://index.docker.io/v1/",
)
ODD = (
    b"https://pkgs.dev.azure.com/contoso\\@evil.example/",
    b"https://pkgs.dev.azure.com/contoso/\tx",
    b"https://pkgs.dev.azure.com/contoso/x y",
    "https://pkgs.dev.azure.com/contoso/\u2215".encode(),
    b"https://pkgs.dev.azure.com/contoso/" + b"x" * 9000,
)
"""Our host, and a path that two readers could read differently."""
PLACES = (*STRANGERS, *ODD, *REGISTRY_STRANGERS)
"""URLs and hosts that look like ours: of feeds and of registries."""

GARBAGE = (
    b"",
    b"\n\n\n",
    b"\0\xff\xfe\0\n",
    b"{\n",
    b"null\n",
    b"[]\n",
    b"{}\n",
    b'{"uri": 1, "v": 1, "ServerURL": 2}\n',
    b'{"v": 2, "registry": {"index-url": []}}\n',
    b"[" * 200_000 + b"\n",
    b"\xed\xa0\x80" * 1000 + b"\n",
    b"protocol=\0\nhost\n=\n",
    b"x" * 1_100_000 + b"\n",
)


class Answer(NamedTuple):
    code: int
    stdout: bytes
    stderr: bytes


Ask = Callable[[Environment, bytes], Answer]


class Helper(NamedTuple):
    """How a tool asks one of our programs, and what it is answered.

    ask: asks for a URL; raises NotAskableError for one that the tool could not ask for. none: the
    whole answer, of exit code `code`, that is none. place: what a test asks for in earnest.
    hear: gives the program bytes where it expects a request. garbage: the exit code for these
    bytes, and what its answer begins with.
    """

    program: str
    ask: Ask
    none: bytes
    place: str
    hear: Callable[[Environment, bytes], Done]
    garbage: Callable[[bytes], tuple[int, bytes]]
    code: int = 0


class NotAskableError(Exception):
    """No tool could say this URL to its helper."""


def run(env: Environment, stdin: bytes, *command: str | bytes) -> Done:
    program, *arguments = command
    path = os.path.join(SCRIPTS, os.fsdecode(program))
    return subprocess.run(
        [path, *arguments], input=stdin, env=env, capture_output=True, timeout=60, check=False
    )


def answer(done: Done) -> Answer:
    return Answer(done.returncode, done.stdout, done.stderr)


def hears(*command: str) -> Callable[[Environment, bytes], Done]:
    return lambda env, stdin: run(env, stdin, *command)


def ask_git(env: Environment, url: bytes) -> Answer:
    if b"\n" in url or b"\0" in url:
        raise NotAskableError("git itself refuses such a URL")
    if url in ODD:
        raise NotAskableError("git parses the URL itself, and tells the host apart")
    protocol, _, rest = url.partition(b"://")
    host, _, path = rest.partition(b"/")
    stdin = b"protocol=%s\nhost=%s\npath=%s\n\n" % (protocol, host, path)
    return answer(run(env, stdin, "git-credential-msauth", "get"))


def ask_go(env: Environment, url: bytes) -> Answer:
    if b"\0" in url or url[:1] in (b"", b"-"):
        raise NotAskableError("Go cannot give a program that as its one argument")
    where = b"Www-Authenticate: Bearer authorization_uri=https://login.microsoftonline.com/"
    tenant = os.fsencode(env["AZURE_TENANT_ID"])
    stdin = b"HTTP/1.1 401 Unauthorized\n" + where + tenant + b"\n\n"
    return answer(run(env, stdin, "msauth-token", "go", url))


def ask_docker(env: Environment, url: bytes) -> Answer:
    if not url or b"\n" in url:
        raise NotAskableError("docker asks for one server in one line")
    return answer(run(env, url + b"\n", "docker-credential-msauth", "get"))


def ask_cargo(env: Environment, url: bytes) -> Answer:
    registry = {"index-url": "sparse+" + url.decode(), "name": "x"}
    request = {"v": 1, "registry": registry, "kind": "get", "operation": "read"}
    stdin = json.dumps(request).encode() + b"\n"
    return answer(run(env, stdin, "cargo-credential-msauth", "--cargo-plugin"))


def ask_bazel(env: Environment, url: bytes) -> Answer:
    stdin = json.dumps({"uri": url.decode()}).encode()
    return answer(run(env, stdin, "bazel-credential-msauth", "get"))


def ask_nuget(env: Environment, url: bytes) -> Answer:
    """Only what it answers to the one request; its own handshake is left out."""
    payload = {"Uri": url.decode(), "IsRetry": False, "IsNonInteractive": True}
    request = {"RequestId": "1", "Type": "Request", "Method": "GetAuthenticationCredentials"}
    close = {"RequestId": "2", "Type": "Request", "Method": "Close"}
    with subprocess.Popen(
        [SCRIPTS / "nuget-plugin-msauth", "-Plugin"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({**request, "Payload": payload}).encode() + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            told = json.loads(line)
            if (told["RequestId"], told["Type"]) == ("1", "Response"):
                break
        _, stderr = process.communicate(json.dumps(close).encode() + b"\n", timeout=60)
        found = {name: value for name, value in told["Payload"].items() if value}
        return Answer(process.returncode, json.dumps(found).encode(), stderr)


_KEYRING = """
import sys
from msauth.credential_helpers.keyring_backend import AzureFeeds
url, backend = sys.stdin.buffer.read().decode("utf-8", "surrogateescape"), AzureFeeds()
found = backend.get_credential(url, None)
print(found and found.password, backend.get_password(url, "x"))
"""


def keyring(env: Environment, stdin: bytes) -> Done:
    return run(env, stdin, sys.executable, "-c", _KEYRING)


def ask_keyring(env: Environment, url: bytes) -> Answer:
    return answer(keyring(env, url))


_NUGET_NONE = b'{"ResponseCode": "NotFound"}'
_GO_URL = FEED.format("contoso") + "go/x/@v/list"

HELPERS = (
    Helper(
        program="git-credential-msauth",
        ask=ask_git,
        none=b"",
        place="https://dev.azure.com/{}/hello/_git/hello",
        hear=hears("git-credential-msauth", "get"),
        garbage=lambda _: (0, b""),
    ),
    Helper(
        program="msauth-token go",
        ask=ask_go,
        none=b"",
        place=FEED + "go/x/@v/list",
        hear=hears("msauth-token", "go", FEED.format("contoso") + "go/x/@v/list"),
        garbage=lambda _: (0, b""),
    ),
    Helper(
        program="docker-credential-msauth",
        ask=ask_docker,
        none=b"credentials not found in native keychain\n",
        code=1,
        place="{}.azurecr.io",
        hear=hears("docker-credential-msauth", "get"),
        garbage=lambda data: (1, b"credentials not found" if data else b"no credentials server"),
    ),
    Helper(
        program="cargo-credential-msauth",
        ask=ask_cargo,
        none=b'{"v":[1]}\n{"Err":{"kind":"url-not-supported"}}\n',
        place=FEED + "Cargo/index/",
        hear=hears("cargo-credential-msauth", "--cargo-plugin"),
        garbage=lambda data: (0, b'{"v":[1]}\n' + (b'{"Err":{"kind":"other"' if data else b"")),
    ),
    Helper(
        program="bazel-credential-msauth",
        ask=ask_bazel,
        none=b"{}\n",
        place=FEED + "x",
        hear=hears("bazel-credential-msauth", "get"),
        garbage=lambda _: (2, b""),
    ),
    Helper(
        program="nuget-plugin-msauth",
        ask=ask_nuget,
        none=b'{"ResponseCode": "NotFound"}',
        place=FEED + "nuget/v3/index.json",
        hear=hears("nuget-plugin-msauth", "-Plugin"),
        garbage=lambda data: (2 if data.strip() else 0, b"{"),
    ),
    Helper(
        program="keyring",
        ask=ask_keyring,
        none=b"None None\n",
        place=FEED + "pypi/simple/",
        hear=keyring,
        garbage=lambda _: (0, b"None None\n"),
    ),
)
TOLD_NO_URL = {
    "msauth": "a person's",
    "msauth-run": "a URL of a stranger behind --for is a usage error: unit/test_tool_env.py",
    "msauth-sandbox": "a person's",
    "msauth-token": "only `msauth-token go`",
    "pnpm-token-msauth": "pnpm tells it nothing: test_pnpm.py",
}


@pytest.fixture(params=HELPERS, ids=[helper.program for helper in HELPERS])
def helper(request: pytest.FixtureRequest) -> Helper:
    found: Helper = request.param
    return found


def test_no_program_is_missing_in_the_table() -> None:
    scripts = {script.name for script in entry_points(group="console_scripts")}
    ours = {name for name in scripts if "msauth" in name}
    known = {helper.program for helper in HELPERS if " " not in helper.program}
    assert ours == (known - {"keyring"}) | set(TOLD_NO_URL)
    assert entry_points(group="keyring.backends", name="msauth")


SLICE = 7
"""Every so many of the URLs are asked about by default; `-m long` asks about all the others."""
ASKED = [
    pytest.param(url, marks=[pytest.mark.long] if number % SLICE else [], id=ascii(url))
    for number, url in enumerate(PLACES)
]


@pytest.mark.parametrize("url", ASKED)
def test_a_stranger_gets_none(cloud: Sandbox, env: Environment, helper: Helper, url: bytes) -> None:
    try:
        told = helper.ask(env, url)
    except NotAskableError as error:
        pytest.skip(str(error))
    assert told == (helper.code, helper.none, b"")
    assert cloud.requests == []
    assert cloud.stats()["unknown_hosts"] == []


@pytest.mark.parametrize("data", GARBAGE, ids=lambda data: ascii(data[:16]))
def test_garbage_on_stdin(cloud: Sandbox, env: Environment, helper: Helper, data: bytes) -> None:
    done = helper.hear(env, data)
    code, first = helper.garbage(data)
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") <= 3
    assert cloud.requests == []
    assert (done.returncode, done.stdout[: len(first)]) == (code, first)
    assert first or not done.stdout
    assert code != 2 or done.stderr.startswith(f"{helper.program}: error: ".encode())


def test_all_helpers_together_make_one_request_for_each_tenant(
    cloud: Sandbox, env: Environment, home: Path
) -> None:
    """For Azure DevOps; a registry's token is of another resource, and so a request of its own."""
    config = home / ".config/msauth/profiles.toml"
    config.parent.mkdir(parents=True)
    tenant = cloud.tenants["fabrikam"].id  # no registry says its tenant
    config.write_text(
        f'[other]\ntenant = "{tenant}"\n[match.registry]\n"fabrikam.azurecr.io" = "other"\n'
    )
    asked = [
        (helper, helper.place.format(name).encode())
        for helper in HELPERS
        for name in ("contoso", "fabrikam")
    ]
    with ThreadPoolExecutor(len(asked) + 1) as pool:
        own = [pool.submit(run, env, b"", "pnpm-token-msauth")]
        told = [pool.submit(helper.ask, env, url) for helper, url in asked]
    assert own[0].result().stdout.startswith(b"Bearer ey")
    for (helper, _), future in zip(asked, told, strict=True):
        code, stdout, stderr = future.result()
        assert code == 0, stderr
        assert b"ey" in stdout, helper.program
    for name in ("contoso", "fabrikam"):
        assert cloud.count("token", tenant=name) == 2
