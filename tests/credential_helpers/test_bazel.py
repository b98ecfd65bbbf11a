"""bazel-credential-msauth: EngFlow's credential helper specification, by its words."""

import json
import time
from calendar import timegm

import pytest

from msauth_sandbox import Sandbox

from ..conftest import Done, Environment, run_program
from ..test_git_credential import tenant_in
from .test_feeds import FEED, STRANGERS

PROG = "bazel-credential-msauth"
URI = b"https://pkgs.dev.azure.com" + FEED


def get(env: Environment, uri: str, **more: object) -> Done:
    return run_program(PROG, "get", env=env, stdin=json.dumps({"uri": uri, **more}).encode())


def test_headers_and_their_end(env: Environment, cloud: Sandbox) -> None:
    before = int(time.time())
    for uri in (URI.decode(), "https://dev.azure.com/contoso/_apis/git/repositories"):
        done = get(env, uri, additional="property")
        assert (done.returncode, done.stderr) == (0, b"")
        answer = json.loads(done.stdout)
        assert answer.keys() == {"headers", "expires"}
        ((name, (value,)),) = answer["headers"].items()
        assert name == "Authorization"
        assert tenant_in(value.removeprefix("Bearer ")) == cloud.tenants["contoso"].id
        end = timegm(time.strptime(answer["expires"], "%Y-%m-%dT%H:%M:%SZ"))
        assert 3000 < end - before < 90_000
    assert cloud.count("token") == 1


@pytest.mark.parametrize("uri", [*STRANGERS, b"grpcs://pkgs.dev.azure.com/x.Service/Method"])
def test_strangers(bare_env: Environment, uri: bytes) -> None:
    done = get(bare_env, uri.decode())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"{}\n", b"")


@pytest.mark.parametrize(
    "data", [b"", b"get", b"[]", b"{}", b'{"uri": 1}', b"\xff", b"[" * 100_000, b'{"uri": "x"']
)
def test_what_is_no_request_fails(bare_env: Environment, data: bytes) -> None:
    done = run_program(PROG, "get", env=bare_env, stdin=data)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"{PROG}: error: no JSON object with a uri".encode())


@pytest.mark.parametrize("words", [(), ("set",), ("get", "more"), ("--unknown", "get")])
def test_only_get_is_understood(bare_env: Environment, words: tuple[str, ...]) -> None:
    done = run_program(PROG, *words, env=bare_env, stdin=b'{"uri": ""}')
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"{PROG}: error: ".encode())


def test_who_cannot_sign_in_reads_why(env: Environment) -> None:
    done = get(env | {"AZURE_CLIENT_SECRET": "no"}, URI.decode())
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(f"{PROG}: error: ".encode())
    assert done.stderr.count(b"\n") <= 3
