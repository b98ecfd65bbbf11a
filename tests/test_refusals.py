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
