"""msauth-token go: what GOAUTH runs, and what it prints."""

import os
from pathlib import Path

import pytest

from msauth.credential_helpers import go
from msauth.protocols import goauth
from msauth_sandbox import Sandbox

from ..conftest import Done, Environment, run_program
from ..test_git_credential import tenant_in
from .test_feeds import FEED, STRANGERS

PROG = "msauth-token"
HOST = "https://pkgs.dev.azure.com"
PLACE = "/_packaging/hello/go/x.example/y/@v/list"
URL = f"{HOST}/contoso{PLACE}"
CLAIMS = ', error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'


def response(status: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Length: 0", *headers, "", ""]
    return "\n".join(lines).encode()


REFUSED = response("401 Unauthorized")


def challenge(cloud: Sandbox, tenant: str, more: str = "") -> str:
    uri = f"https://login.microsoftonline.com/{cloud.tenants[tenant].id}"
    return f"Www-Authenticate: Bearer authorization_uri={uri}{more}, Basic realm=x, TFS-Federated"


def ask(env: Environment, url: str = URL, said: bytes = REFUSED) -> Done:
    return run_program(PROG, "go", url, env=env, stdin=said)


def answered(done: Done, prefix: str = f"{HOST}/contoso") -> str:
    """Return the token of an answer, which has exactly this form."""
    assert (done.returncode, done.stderr) == (0, b"")
    begin = f"{prefix}\n\nAuthorization: Bearer "
    text = done.stdout.decode()
    assert text.startswith(begin)
    assert text.endswith("\n\n")
    token = text[len(begin) : -2]
    assert "\n" not in token
    return token


def nothing(done: Done) -> bool:
    return (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_nothing_before_the_first_fetch(env: Environment, cloud: Sandbox) -> None:
    assert nothing(run_program(PROG, "go", env=env))
    assert nothing(run_program(PROG, "go", "--profile", "nobody", env=env))
    assert cloud.requests == []


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        (URL, f"{HOST}/contoso"),
        (f"{HOST}/contoso/My%20Project{PLACE}", f"{HOST}/contoso"),
        (f"{HOST}/Contoso{PLACE}", f"{HOST}/Contoso"),
        (f"{HOST}:443/contoso{PLACE}?x=/y", f"{HOST}:443/contoso"),
        (
            f"https://contoso.pkgs.visualstudio.com{PLACE}",
            "https://contoso.pkgs.visualstudio.com",
        ),
        ("https://dev.azure.com/contoso/p?go-get=1", "https://dev.azure.com/contoso"),
    ],
)
def test_the_prefix_is_of_the_organisation(
    env: Environment, cloud: Sandbox, url: str, prefix: str
) -> None:
    token = answered(ask(env, url), prefix)
    assert tenant_in(token) == cloud.tenants["contoso"].id
    assert cloud.count("token") == 1


@pytest.mark.parametrize(
    ("url", "host", "organisation"),
    [
        (b"https://pkgs.dev.azure.com", "pkgs.dev.azure.com", ""),
        (b"https://pkgs.dev.azure.com//contoso/x", "pkgs.dev.azure.com", "contoso"),
        (b"https://pkgs.dev.azure.com/?contoso/x", "pkgs.dev.azure.com", "contoso"),
    ],
)
def test_no_prefix_without_an_organisation(url: bytes, host: str, organisation: str) -> None:
    """The whole host would send one organisation's token to all others."""
    assert goauth.prefix(url, host, organisation) is None


def test_an_organisation_named_like_the_host() -> None:
    url = b"https://pkgs.dev.azure.com/pkgs/x"
    assert goauth.prefix(url, "pkgs.dev.azure.com", "pkgs") == url.removesuffix(b"/x")


@pytest.mark.parametrize("url", [url for url in STRANGERS if b"\0" not in url])
def test_strangers(bare_env: Environment, url: bytes) -> None:
    done = run_program(PROG, "go", os.fsdecode(url), env=bare_env, stdin=REFUSED)
    assert nothing(done)


def test_strangers_with_an_organisation_only(bare_env: Environment) -> None:
    assert nothing(ask(bare_env, HOST + "/"))
    assert nothing(ask(bare_env, HOST.replace("pkgs.", "evil") + FEED.decode()))


@pytest.mark.parametrize(
    "said",
    [
        response("404 Not Found"),
        response("400 Bad Request"),
        response("200 OK"),
        response("4010 Odd"),
        b"",
        b"\n",
        b"401 Unauthorized\n\n",
        b"SPDY 401 Unauthorized\n\n",
        response("4" * 5000),
        b"\xff\xfe\n\n",
        b"HTTP/1.1 \xb2\xb2\xb2\n",
    ],
)
def test_only_a_401_or_403_is_answered(env: Environment, cloud: Sandbox, said: bytes) -> None:
    assert nothing(ask(env, said=said))
    assert cloud.requests == []


def test_the_challenge_names_the_tenant(env: Environment, cloud: Sandbox) -> None:
    said = response("403 Forbidden", challenge(cloud, "fabrikam"))
    assert tenant_in(answered(ask(env, said=said))) == cloud.tenants["fabrikam"].id
    assert cloud.count("devops") == 0


def test_what_follows_the_blank_line_is_no_header() -> None:
    data = b"HTTP/2.0 401 \nA: b\n\nWww-Authenticate: Bearer x=y\n"
    assert goauth.response(data) == (401, [])


def test_claims_bring_another_token(env: Environment, cloud: Sandbox) -> None:
    first = answered(ask(env))
    said = response("401 Unauthorized", challenge(cloud, "contoso", CLAIMS))
    second = answered(ask(env, said=said))
    assert first != second
    assert cloud.count("token") == 2


def test_first_questions_of_one_go_are_no_refusals(env: Environment, cloud: Sandbox) -> None:
    """Of modules that it looks for at the same time, none with a token yet."""
    tokens = {answered(ask(env, f"{URL}{number}")) for number in range(4)}
    assert len(tokens) == 1
    assert cloud.count("token") == 1


def given_marks(env: Environment) -> list[Path]:
    return list(Path(env["MSAUTH_CACHE_DIR"]).glob("v1/*.given"))


def test_a_later_question_of_one_go_is_a_refusal(env: Environment, cloud: Sandbox) -> None:
    first = answered(ask(env))
    (mark,) = given_marks(env)
    long_ago = mark.stat().st_mtime - go.FIRST_FETCHES - 1
    os.utime(mark, (long_ago, long_ago))
    second = answered(ask(env))
    assert first != second
    # Not again at once: what looks like a refusal may be the server's own trouble.
    for mark in given_marks(env):
        os.utime(mark, (long_ago, long_ago))
    assert answered(ask(env)) == second
    assert cloud.count("token") == 2


@pytest.mark.parametrize(("who", "code"), [("newcomers", b"TF401444"), ("strangers", b"TF400813")])
def test_a_refusal_that_no_other_token_helps(
    env: Environment, cloud: Sandbox, who: str, code: bytes
) -> None:
    answered(ask(env))
    cloud.configure(**{who: (cloud.client_id,)})
    (mark,) = given_marks(env)
    os.utime(mark, (0, 0))
    done = ask(env)
    assert (done.returncode, done.stdout) == (1, b"")
    error, hint = done.stderr.split(b"\n", 1)
    assert b"organisation contoso refused " + cloud.client_id.encode() in error
    assert code in error
    assert b"hint: " in hint
    assert b"https://dev.azure.com/contoso" in hint
    assert cloud.count("token") == 1


def test_a_403_is_no_refusal_of_the_token(env: Environment, cloud: Sandbox) -> None:
    first = answered(ask(env))
    (mark,) = given_marks(env)
    os.utime(mark, (0, 0))
    assert answered(ask(env, said=response("403 Forbidden"))) == first
    assert cloud.count("token") == 1


def test_a_server_that_says_so_need_not_be_waited_for(env: Environment, cloud: Sandbox) -> None:
    said = response("401 Unauthorized", challenge(cloud, "contoso", ', error="invalid_token"'))
    first = answered(ask(env, said=said))
    # The first time it is about a token of somebody else's: this go has had none of ours.
    assert cloud.count("token") == 1
    assert answered(ask(env, said=said)) != first
    assert cloud.count("token") == 2


def test_who_cannot_sign_in_reads_why(env: Environment) -> None:
    done = ask(env | {"AZURE_CLIENT_SECRET": "no"})
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"msauth-token: error: ")


def test_options_come_from_goauth(env: Environment, cloud: Sandbox) -> None:
    done = run_program(PROG, "go", "--tenant", "fabrikam.com", URL, env=env, stdin=REFUSED)
    assert tenant_in(answered(done)) == cloud.tenants["fabrikam"].id
    done = run_program(PROG, "go", URL, URL, env=env, stdin=REFUSED)
    assert (done.returncode, done.stdout) == (2, b"")
    done = run_program(PROG, "go", "--help", env=env)
    assert done.stdout.startswith(b"usage: msauth-token go")
