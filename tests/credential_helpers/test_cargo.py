"""cargo-credential-msauth: a line of cargo's, and what it is answered."""

import json
import subprocess
from typing import Any

import pytest

from msauth_sandbox import Sandbox

from ..conftest import Environment, run_program, start_program
from ..test_git_credential import tenant_in
from .test_feeds import FEED, STRANGERS

PROG = "cargo-credential-msauth"
INDEX = b"/contoso/_packaging/hello/Cargo/index/"
URL = "sparse+https://pkgs.dev.azure.com" + INDEX.decode()
HELLO = {"v": [1]}
NOT_OURS = {"Err": {"kind": "url-not-supported"}}


def line(url: str = URL, *headers: str, **more: Any) -> bytes:
    registry: dict[str, Any] = {"index-url": url, "name": "contoso"}
    if headers:
        registry |= {"headers": list(headers)}
    value = {"v": 1, "registry": registry, "kind": "get", "operation": "read", **more}
    return json.dumps(value).encode() + b"\n"


def ask(*lines: bytes, env: Environment, code: int = 0) -> tuple[list[dict[str, Any]], bytes]:
    """Return the answers behind the hello, and stderr."""
    done = run_program(PROG, "--cargo-plugin", env=env, stdin=b"".join(lines))
    assert done.returncode == code, done.stderr
    hello, *answers = map(json.loads, done.stdout.splitlines())
    assert hello == HELLO
    assert len(answers) == len(lines)
    return answers, done.stderr


def challenge(cloud: Sandbox, tenant: str, more: str = "") -> str:
    uri = f"https://login.microsoftonline.com/{cloud.tenants[tenant].id}"
    return f"WWW-Authenticate: Bearer authorization_uri={uri}{more}"


def token(answer: dict[str, Any]) -> str:
    scheme, _, text = answer["Ok"]["token"].partition(" ")
    assert scheme == "Bearer"
    return str(text)


def test_a_token_is_the_value_of_the_header(env: Environment, cloud: Sandbox) -> None:
    (answer,), said = ask(line(URL, challenge(cloud, "contoso")), env=env)
    assert said == b""
    ok = answer["Ok"]
    assert {**ok, "token": "", "expiration": 0} == {
        "kind": "get",
        "token": "",
        "cache": "expires",
        "expiration": 0,
        "operation_independent": True,
    }
    assert tenant_in(token(answer)) == cloud.tenants["contoso"].id
    assert type(ok["expiration"]) is int
    assert cloud.count("token") == 1


def test_many_questions_of_one_process_are_one_request(env: Environment, cloud: Sandbox) -> None:
    publish = line(operation="publish", name="x", vers="1.0.0", cksum="00")
    answers, _ = ask(line(), publish, line(operation="owners", name="x"), env=env)
    assert len({token(answer) for answer in answers}) == 1
    assert cloud.count("token") == 1


def test_the_hello_comes_before_any_question(env: Environment) -> None:
    """And each answer before the next question; at the end of stdin the program ends."""
    child = start_program(PROG, "--cargo-plugin", env=env)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert json.loads(child.stdout.readline()) == HELLO
        for _ in range(2):
            child.stdin.write(line())
            child.stdin.flush()
            assert token(json.loads(child.stdout.readline()))
        child.stdin.close()
        assert child.wait(timeout=30) == 0
        assert child.stdout.read() == b""
    except subprocess.TimeoutExpired:
        child.kill()
        raise


def test_the_challenge_names_the_tenant(env: Environment, cloud: Sandbox) -> None:
    """So that nobody asks the organisation for it."""
    headers = ["www-authenticate: Basic realm=x", challenge(cloud, "fabrikam"), "X-Other: y"]
    (answer,), _ = ask(line(URL, *headers), env=env)
    assert tenant_in(token(answer)) == cloud.tenants["fabrikam"].id
    assert cloud.count("devops") == 0


def test_claims_bring_another_token_once(env: Environment, cloud: Sandbox) -> None:
    more = ', error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'
    claims = line(URL, challenge(cloud, "contoso", more))
    (first,), _ = ask(line(), env=env)
    (second, third), _ = ask(claims, claims, env=env)
    assert token(first) != token(second) == token(third)
    assert cloud.count("token") == 2


@pytest.mark.parametrize("url", STRANGERS)
def test_strangers(bare_env: Environment, url: bytes) -> None:
    text = url.replace(FEED, INDEX).decode("utf-8")
    for kind in ("get", "login"):
        answers, said = ask(line("sparse+" + text, kind=kind), env=bare_env)
        assert (answers, said) == ([NOT_OURS], b"")


@pytest.mark.parametrize(
    "url",
    [
        URL.removeprefix("sparse+"),  # an index in git: who writes to it says where tokens go
        "sparse+" + URL,
        "registry+https://pkgs.dev.azure.com" + INDEX.decode(),
        "sparse+https://dev.azure.com/contoso/_apis/git/_packaging/hello/Cargo/index/",
        "sparse+https://contoso.visualstudio.com/_packaging/hello/Cargo/index/",
        "sparse+https://pkgs.dev.azure.com/contoso/_packaging/hello/maven/v1/x/",
        "sparse+https://pkgs.dev.azure.com/contoso/_packaging/hello/maven/v1/x/?/Cargo/index/",
        "sparse+https://pkgs.dev.azure.com/contoso/_packaging/hello/maven/v1/x/#/Cargo/index/",
        "sparse+https://pkgs.dev.azure.com/contoso/_packaging/../Cargo/index/",
        "sparse+https://pkgs.dev.azure.com/contoso/_packaging/%2E%2e/Cargo/index/",
        "sparse+https://pkgs.dev.azure.com/contoso/_packaging/x%2F../Cargo/index/",
        "sparse+https://pkgs.dev.azure.com/contoso/_packaging//Cargo/index/",
        "sparse+https://pkgs.dev.azure.com/contoso/_packaging/hello/Cargo/index/../../maven/v1/x/",
        "https://github.com/rust-lang/crates.io-index",
        "sparse+https://index.crates.io/",
    ],
)
def test_no_other_index_gets_a_token(bare_env: Environment, url: str) -> None:
    assert ask(line(url), env=bare_env) == ([NOT_OURS], b"")


@pytest.mark.parametrize(
    "url",
    [
        URL.rstrip("/"),
        "sparse+https://pkgs.dev.azure.com/Contoso/My%20Project/_packaging/hello/cargo/index/",
        "sparse+https://contoso.pkgs.visualstudio.com/_packaging/hello/Cargo/index/",
        "sparse+https://contoso.pkgs.visualstudio.com/My%20Project/_packaging/a.b/Cargo/index/",
    ],
)
def test_every_address_of_a_feed_does(env: Environment, url: str) -> None:
    (answer,), _ = ask(line(url), env=env)
    assert token(answer)


def test_a_line_without_an_end_has_one_answer(bare_env: Environment) -> None:
    data = b"x" * 5_000_000 + b"\n" + line()
    done = run_program(PROG, "--cargo-plugin", env=bare_env, stdin=data)
    assert done.returncode == 0
    _, answer = map(json.loads, done.stdout.splitlines())
    assert answer["Err"]["kind"] == "other"


def test_a_closed_stdin_is_no_fault(bare_env: Environment) -> None:
    done = run_program("sh", "-c", f"exec {PROG} --cargo-plugin <&-", env=bare_env)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


@pytest.mark.parametrize("kind", ["login", "logout", "rotate"])
def test_there_is_nothing_to_log_in_to(bare_env: Environment, kind: str) -> None:
    answers, _ = ask(line(kind=kind), env=bare_env)
    assert answers == [{"Err": {"kind": "operation-not-supported"}}]


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (line(v=2), "cargo speaks version 2 of the credential provider protocol"),
        (line(v="1"), "cargo speaks version '1' of"),
        (line(v=None), "cargo speaks version None of"),
        (line(registry=None), "names no registry"),
        (line(registry={}), "names no registry"),
        (line(registry={"index-url": 1}), "names no registry"),
        (b"[]\n", "is not a JSON object"),
        (b"\n", "is not a JSON object"),
        (b"\xff\xfe\n", "is not a JSON object"),
        (b"[" * 100_000 + b"\n", "is not a JSON object"),
    ],
)
def test_what_is_no_question_is_an_error_of_the_protocol(
    bare_env: Environment, question: bytes, says: str
) -> None:
    answers, said = ask(question, env=bare_env)
    assert answers[0]["Err"]["kind"] == "other"
    assert says in answers[0]["Err"]["message"]
    assert said == b""


def test_who_cannot_sign_in_reads_why(env: Environment, cloud: Sandbox) -> None:
    (answer,), said = ask(line(), env=env | {"AZURE_CLIENT_SECRET": "hunter2-1234"})
    error = answer["Err"]
    assert error["kind"] == "other"
    assert f"{PROG}: error: {error['message']}".encode() in said
    assert error["caused-by"]
    assert b"hunter2" not in said


def test_arguments_of_cargos_configuration(env: Environment, cloud: Sandbox) -> None:
    (answer,), _ = ask(line(args=["--tenant", "fabrikam.com"]), env=env)
    assert tenant_in(token(answer)) == cloud.tenants["fabrikam"].id
    (answer,), _ = ask(line(args=["fabrikam.com"]), env=env)
    assert "unknown argument 'fabrikam.com'" in answer["Err"]["message"]


def test_started_by_a_person(bare_env: Environment) -> None:
    done = run_program(PROG, env=bare_env)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{PROG}: error: cargo starts this program".encode())
    assert run_program(PROG, "--help", env=bare_env).stdout.startswith(f"usage: {PROG}".encode())
    assert run_program(PROG, "--version", env=bare_env).stdout.startswith(PROG.encode() + b" 0.")
