"""A refusal is forgotten with the sign-in that it was of, and no state of git's brings it back."""

import base64

from msauth_sandbox import Sandbox

from .conftest import Environment, run_program
from .signin_stubs import attributes

PROG = "git-credential-msauth"
ASKED = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n"
CAPABLE = b"capability[]=authtype\ncapability[]=state\n"


def challenge(claims: str) -> bytes:
    encoded = base64.b64encode(claims.encode()).decode()
    return f'wwwauth[]=Bearer error="insufficient_claims", claims="{encoded}"\n'.encode()


def test_a_logout_forgets_the_claims_of_a_refusal(env: Environment, cloud: Sandbox) -> None:
    token = attributes(run_program(PROG, "get", env=env, stdin=ASKED).stdout)["password"]
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'
    stdin = ASKED + f"password={token}\n".encode() + challenge(claims)
    run_program(PROG, "erase", env=env, stdin=stdin)
    run_program("msauth", "logout", env=env)
    assert b"password=" in run_program(PROG, "get", env=env, stdin=ASKED).stdout
    assert (cloud.count("token"), cloud.count("token", claims=True)) == (2, 0)


def test_a_replayed_state_of_before_a_logout_does_not_end_the_cache(
    bare_env: Environment, cloud: Sandbox
) -> None:
    """Where the source gives the same token again, nobody has refused it since."""
    env = bare_env | cloud.environ | cloud.managed_identity_environ()
    cloud.configure(managed_identity_caches=True)
    first = attributes(run_program(PROG, "get", env=env, stdin=CAPABLE + ASKED).stdout)
    run_program("msauth", "logout", env=env)
    replay = CAPABLE + ASKED + f"state[]={first['state[]']}\n".encode()
    again = attributes(run_program(PROG, "get", env=env, stdin=replay).stdout)
    assert again["credential"] == first["credential"]
    for _ in range(2):
        run_program(PROG, "get", env=env, stdin=ASKED)
    asked = cloud.count("managed_identity")
    run_program(PROG, "get", env=env, stdin=ASKED)
    assert cloud.count("managed_identity") == asked


def erase(env: Environment, token: str, *lines: bytes, path: bytes = b"") -> bytes:
    stdin = b"protocol=https\nhost=dev.azure.com\n" + path + b"username=msauth\n"
    stdin += b"password=" + token.encode() + b"\n" + b"".join(lines)
    done = run_program(PROG, "erase", env=env, stdin=stdin)
    assert (done.returncode, done.stdout) == (0, b"")
    assert token.encode() not in done.stderr
    return done.stderr


HELLO_PATH = b"path=contoso/hello/_git/hello\n"


def test_a_secret_that_is_not_ours_is_sent_nowhere(env: Environment, cloud: Sandbox) -> None:
    """git names to every helper what any of them gave, such as another's PAT."""
    run_program(PROG, "get", env=env, stdin=ASKED)
    cloud.configure(strangers=(cloud.client_id,))
    asked = cloud.count("devops")
    other = cloud.issue_token("contoso")
    for secret in (cloud.pat, other):
        assert erase(env, secret, path=HELLO_PATH) == b""
    assert cloud.count("devops") == asked


def test_after_claims_the_organisation_is_not_asked_why(env: Environment, cloud: Sandbox) -> None:
    token = attributes(run_program(PROG, "get", env=env, stdin=ASKED).stdout)["password"]
    cloud.configure(strangers=(cloud.client_id,))
    asked = cloud.count("devops")
    assert erase(env, token, challenge('{"access_token":{}}'), path=HELLO_PATH) == b""
    assert cloud.count("devops") == asked


def test_a_refusal_that_says_nothing_of_the_account_says_nothing(
    env: Environment, cloud: Sandbox
) -> None:
    """The token was no longer good: the next one is a new one, and there is nothing to do."""
    token = attributes(run_program(PROG, "get", env=env, stdin=ASKED).stdout)["password"]
    cloud.revoke(token)
    assert erase(env, token, path=HELLO_PATH) == b""
    cloud.fail_http(host="dev.azure.com", status=503, times=None)
    again = attributes(run_program(PROG, "get", env=env, stdin=ASKED).stdout)["password"]
    assert erase(env, again, path=HELLO_PATH) == b""


def test_a_token_goes_to_no_place_that_an_organisation_names(
    env: Environment, cloud: Sandbox
) -> None:
    token = attributes(run_program(PROG, "get", env=env, stdin=ASKED).stdout)["password"]
    cloud.configure(strangers=(cloud.client_id,))
    before = cloud.count("connect")
    said = erase(env, token, path=HELLO_PATH)
    assert b"the account is no member (TF400813)" in said
    assert said.count(b"\n") == 2
    hosts = {r.host for r in cloud.requests if r.kind == "devops"}
    assert hosts == {"dev.azure.com"}
    assert cloud.count("connect") == before + 1


def test_our_own_user_name_is_no_organisation(env: Environment, cloud: Sandbox) -> None:
    """Without a path: an old git hands back the name that we gave it, and so the refusal."""
    nowhere = b"protocol=https\nhost=dev.azure.com\n"
    token = attributes(run_program(PROG, "get", env=env, stdin=nowhere).stdout)["password"]
    assert b"useHttpPath true" in erase(env, token)
    again = attributes(run_program(PROG, "get", env=env, stdin=nowhere).stdout)["password"]
    assert again != token
