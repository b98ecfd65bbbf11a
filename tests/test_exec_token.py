"""The conformance table of msauth-token: arguments, environment → stdout, stderr, exit code."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth.protocols.exec_credential import V1, V1BETA1
from msauth.protocols.formats import FORMATS
from msauth.request.request import Token, TokenRequest
from msauth.signin.attempt import claims_of
from msauth.token import exec_retry
from msauth.token.arguments import TokenArguments
from msauth_sandbox import Sandbox

from .conftest import Environment, run_program, start_program
from .hot_path import ALLOWED
from .signin_stubs import stub, subscription, write_profile
from .terminal import Terminal

PROG = "msauth-token"

AKS = "6dae42f8-4368-4678-94ff-3960e28e3630"
ARC = "6256c85f-0aad-4d50-b960-e6e9b21efe35"
GET_TOKEN = ("get-token", "--server-id", AKS)
ALLOW = ("--allow-cluster-config",)


def exec_info(version: str = V1, interactive: bool = False, **config: str) -> Environment:
    spec: dict[str, object] = {"interactive": interactive}
    if config:
        spec = {"cluster": {"server": "https://x", "config": config}, **spec}
    value = {"kind": "ExecCredential", "apiVersion": version, "spec": spec}
    return {"KUBERNETES_EXEC_INFO": json.dumps(value, separators=(",", ":")) + "\n"}


def status(output: bytes, version: str = V1) -> dict[str, str]:
    value = json.loads(output)
    assert value["kind"] == "ExecCredential"
    assert value["apiVersion"] == version
    assert set(value["status"]) == {"token", "expirationTimestamp"}
    return dict(value["status"])


@pytest.mark.parametrize(
    ("arguments", "more", "version"),
    [
        ((), {}, V1),
        ((), exec_info(V1), V1),
        ((), exec_info(V1BETA1), V1BETA1),
        (("aks",), exec_info(V1BETA1, tenant="contoso.com"), V1BETA1),
        # kubelogin answers v1beta1 when nobody says what is wanted.
        ((*GET_TOKEN, "--login", "spn"), {}, V1BETA1),
        ((*GET_TOKEN, "--login", "spn"), exec_info(V1), V1),
        (("--v=1", *GET_TOKEN, "--login", "spn"), exec_info(V1), V1),
        (GET_TOKEN, {"AAD_LOGIN_METHOD": "spn"}, V1BETA1),
        ((), {"KUBERNETES_EXEC_INFO": "{}"}, V1BETA1),
    ],
)
def test_exec_answers_in_the_version_that_was_asked(
    arguments: tuple[str, ...],
    more: Environment,
    version: str,
    env: Environment,
    cloud: Sandbox,
) -> None:
    before = int(time.time())
    done = run_program(PROG, *arguments, env=env | more)
    assert (done.returncode, done.stderr) == (0, b"")
    answer = status(done.stdout, version)
    claims = claims_of(answer["token"])
    assert claims["tid"] == cloud.tenants["contoso"].id
    expires = time.strptime(answer["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
    assert 3500 < time.mktime(expires) - time.timezone - before < 3700
    assert cloud.count("unknown_host") == 0


@pytest.mark.parametrize(
    ("arguments", "more", "code", "stderr"),
    [
        (("arn",), {}, 2, "error: unknown product 'arn'\n{}hint: did you mean arm?"),
        (("arm", "aks"), {}, 2, "error: one product at a time"),
        (("arm", "--scope", AKS), {}, 2, "error: give either the product arm or --scope"),
        (("--scope", "a b"), {}, 2, "error: scope 'a b' is empty or has a character"),
        (("--scope", "arm"), {}, 2, "hint: arm is a product"),
        (("--format", "yaml"), {}, 2, "error: unknown format 'yaml'\n{}hint: one of: exec, token"),
        (("arm", "--organization", "contoso"), {}, 2, "hint: msauth-token devops --organization"),
        (("--organization", "contoso/x"), {}, 2, "'contoso/x' is no name of an organisation"),
        (("--frmat", "json"), {}, 2, "hint: did you mean --format?"),
        (("--environment", "AzureGermanCloud"), {}, 2, "error: unknown cloud"),
        (("devops", "--environment", "AzureChinaCloud"), {}, 2, "does not exist in AzureChina"),
        (
            ("devops",),
            {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/"},
            2,
            "does not exist in AzureUSGovernment",
        ),
        (("--claims", "nonsense"), {}, 2, "error: --claims is neither"),
        (("--min-valid", "-1"), {}, 2, "error: --min-valid takes a number of seconds"),
        ((), {"KUBERNETES_EXEC_INFO": "{"}, 2, "error: KUBERNETES_EXEC_INFO is not JSON"),
        ((), exec_info("client.authentication.k8s.io/v2"), 2, "error: KUBERNETES_EXEC_INFO has"),
        (("arm", "convert-kubeconfig"), {}, 2, "error: convert-kubeconfig has to come first"),
        (("remove-tokens",), {}, 2, "hint: rm -r ~/.kube/cache/kubelogin"),
        (("get-token",), {}, 2, "error: --server-id is required"),
        ((*GET_TOKEN, "--login", "spn"), {}, 2, "error: --tenant-id is required"),
        ((*GET_TOKEN, "--login", "ropc"), {}, 2, "error: --login ropc is not supported"),
        ((*GET_TOKEN, "--pop-enabled"), {}, 2, "error: --pop-enabled is not supported"),
        ((*GET_TOKEN, "--legacy"), {}, 2, "error: --legacy is not supported"),
        ((*GET_TOKEN, "extra"), {}, 2, "error: get-token takes options only"),
        (("--credential", "azure-cli"), {"PATH_HAS_NO_AZ": "1"}, 1, "error: azure-cli: "),
    ],
)
def test_errors(
    arguments: tuple[str, ...], more: Environment, code: int, stderr: str, bare_env: Environment
) -> None:
    if "PATH_HAS_NO_AZ" in more:
        more = {"PATH": bare_env["PATH"].split(":")[0]}
    done = run_program(PROG, *arguments, env=bare_env | more)
    assert done.returncode == code
    assert done.stdout == b""
    text = done.stderr.decode()
    assert stderr.replace("{}", f"{PROG}: ") in text
    assert all(line.startswith(f"{PROG}: ") for line in text.splitlines())


@pytest.mark.parametrize("word", ["remove-tokens", "remove-cache-dir"])
def test_kubelogins_other_commands_are_known_whatever_their_options(
    word: str, bare_env: Environment
) -> None:
    done = run_program(PROG, word, env=bare_env)
    assert done.returncode == 2
    assert b"not a command of msauth-token" in done.stderr


def test_about(bare_env: Environment) -> None:
    assert run_program(PROG, "--version", env=bare_env).stdout.startswith(b"msauth-token ")
    done = run_program(PROG, "--help", env=bare_env)
    assert done.returncode == 0
    assert done.stdout == run_program(PROG, "get-token", "-h", env=bare_env).stdout
    text = done.stdout.decode()
    for name in (*exec_token_options(), "powershell", "azurepipelines", "--token-cache-dir"):
        assert name in text
    listing = run_program(PROG, "--list-products", env=bare_env).stdout.decode()
    assert "devops        499b84ac-1321-427f-aa17-267ca6975798/.default\n" in listing
    china = {"AZURE_AUTHORITY_HOST": "login.chinacloudapi.cn"}
    listing = run_program(PROG, "--list-products", env=bare_env | china).stdout.decode()
    assert "devops" not in listing
    assert "https://vault.azure.cn/.default\n" in listing


def exec_token_options() -> list[str]:
    from msauth.token.arguments import OPTIONS

    return list(OPTIONS.keys() - {"-h", "--help", "--version"})


@pytest.mark.parametrize(
    ("arguments", "audience"),
    [
        ((), AKS),
        (("arm",), "https://management.azure.com"),
        (("graph",), "https://graph.microsoft.com"),
        (("--scope", "https://management.azure.com"), "https://management.azure.com"),
        (("--scope", AKS), AKS),
        (("--environment", "AzurePublicCloud", "aks"), AKS),
    ],
)
def test_what_the_token_is_for(arguments: tuple[str, ...], audience: str, env: Environment) -> None:
    done = run_program(PROG, *arguments, "--format", "token", env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    claims = claims_of(done.stdout.decode().rstrip("\n"))
    assert str(claims["aud"]).rstrip("/") == audience


def test_formats_agree_and_share_one_request(env: Environment, cloud: Sandbox) -> None:
    def printed(kind: str) -> str:
        done = run_program(PROG, "arm", "--format", kind, env=env)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    token = printed("token").rstrip("\n")
    assert printed("header") == f"Authorization: Bearer {token}\n"
    value = json.loads(printed("json"))
    assert value["accessToken"] == token
    assert value["tenant"] == cloud.tenants["contoso"].id
    assert abs(value["expires_on"] - claims_of(token)["exp"]) <= 2  # counted from two clocks
    assert json.loads(printed("azd"))["token"] == token
    assert printed("github").startswith(f"::add-mask::{token}\n")
    assert status(printed("exec").encode())["token"] == token
    assert cloud.count("token") == 1


def test_a_failure_prints_no_token_and_no_traceback(env: Environment, cloud: Sandbox) -> None:
    cloud.fail_tokens(7000215, "invalid_client", times=None)
    done = run_program(PROG, env=env | exec_info())
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"msauth-token: error: ")
    assert b"Traceback" not in done.stderr
    assert cloud.client_secret.encode() not in done.stderr


def test_min_valid_and_force_refresh(env: Environment, cloud: Sandbox) -> None:
    run_program(PROG, env=env)
    run_program(PROG, "--min-valid", "3000", env=env)
    assert cloud.count("token") == 1
    for _ in range(2):
        run_program(PROG, "--force-refresh", env=env | exec_info())
    assert cloud.count("token") == 3


@pytest.mark.parametrize("encoded", [False, True])
def test_claims_reach_the_sign_in(encoded: bool, env: Environment, cloud: Sandbox) -> None:
    run_program(PROG, "arm", env=env)
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
    text = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=") if encoded else claims
    done = run_program(PROG, "arm", "--claims", text, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert cloud.count("token") == 2


# Who is asked to sign in, and where.

PAGE = b"https://microsoft.com/devicelogin"
DEVICE_CODE = (PROG, "--credential", "device-code")
NOT_INTERACTIVE = exec_info(interactive=False)


@pytest.fixture
def person_env(bare_env: Environment, cloud: Sandbox) -> Environment:
    """An empty home, and nobody signed in."""
    return bare_env | cloud.environ


@pytest.mark.parametrize("redirect", ["", "2>/dev/null"])
@pytest.mark.parametrize("more", [NOT_INTERACTIVE, exec_info(interactive=True), {}])
def test_a_person_at_a_terminal_is_asked_whatever_stdin_is(
    redirect: str, more: Environment, person_env: Environment, cloud: Sandbox
) -> None:
    """`… | kubectl apply -f -`: stdin is a pipe, so spec.interactive is false."""
    script = f"printf x | {' '.join(DEVICE_CODE)} {redirect} >answer; echo done"
    home = Path(person_env["HOME"])
    with Terminal(["/bin/sh", "-c", f"cd {home} && {script}"], person_env | more) as terminal:
        terminal.read_until(PAGE)
        terminal.read_until(b"done")
        assert terminal.event() == ("exited", 0)
    assert status((home / "answer").read_bytes())["token"]
    assert cloud.count("devicecode") == 1


@pytest.mark.parametrize("switch", ["CI", "MSAUTH_NO_PROMPT"])
def test_the_switches_that_keep_a_person_from_being_asked(
    switch: str, person_env: Environment, cloud: Sandbox
) -> None:
    env = person_env | exec_info(interactive=True) | {switch: "1"}
    with Terminal([*DEVICE_CODE], env) as terminal:
        terminal.read_until(b"msauth-token: error: ")
        assert terminal.event() == ("exited", 1)
    assert cloud.count("devicecode") == 0


def without_terminal(*argv: str, env: Environment) -> "subprocess.CompletedProcess[bytes]":
    """Run a program in a session of its own, where there is no /dev/tty."""
    path = str(Path(sys.executable).parent / argv[0])
    return subprocess.run(
        [path, *argv[1:]],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        check=False,
    )


@pytest.mark.parametrize("more", [NOT_INTERACTIVE, {}, {"MSAUTH_NO_PROMPT": "0"}])
def test_where_there_is_no_terminal_nobody_is_asked(
    more: Environment, person_env: Environment, cloud: Sandbox
) -> None:
    done = without_terminal(*DEVICE_CODE, env=person_env | more)
    assert (done.returncode, done.stdout) == (1, b"")
    assert cloud.count("devicecode") == 0


def test_a_client_that_says_it_is_interactive_is_believed(
    person_env: Environment, cloud: Sandbox
) -> None:
    """A program with a window has no terminal, and shows stderr."""
    done = without_terminal(*DEVICE_CODE, env=person_env | exec_info(interactive=True))
    assert done.returncode == 0
    assert PAGE in done.stderr
    assert cloud.count("devicecode") == 1


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("text", ["x'; touch pwned; '", "x\nLD_PRELOAD=evil.so", 'x","y":"z'])
def test_what_is_no_token_reaches_no_format(
    kind: str, text: str, person_env: Environment, tmp_path: Path
) -> None:
    """A broken azd printed it; `eval "$(msauth-token --format export)"` would run it."""
    answer = {"token": text, "expiresOn": "2100-01-01T00:00:00Z"}
    (tmp_path / "answer").write_text(json.dumps(answer))
    stub(person_env, "azd", f"cat {tmp_path}/answer")
    words = ("--credential", "azure-developer-cli", "--format", kind)
    done = run_program(PROG, *words, env=person_env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert text.encode() not in done.stderr
    assert b"no token" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "config", "more", "tenant", "scope", "credential"),
    [
        # The cluster's config, then what beats it, then what it beats.
        ((), {"tenant": "b.com"}, {}, "b.com", AKS, "auto"),
        (("--tenant", "a.com"), {"tenant": "b.com"}, {}, "a.com", AKS, "auto"),
        ((), {"tenant": "b.com"}, {"MSAUTH_TENANT": "c.com"}, "b.com", AKS, "auto"),
        ((), {"serverId": ARC}, {}, None, ARC, "auto"),
        (("aks",), {"serverId": "api://mine"}, {}, None, AKS, "auto"),
        ((*ALLOW, "serverId"), {"serverId": "api://mine"}, {}, None, "api://mine", "auto"),
        (("--scope", AKS), {"serverId": "api://mine"}, {}, None, AKS, "auto"),
        (
            (*ALLOW, "credential"),
            {"credential": "azure-cli"},
            {"MSAUTH_CREDENTIAL": "browser"},
            None,
            AKS,
            "azure-cli",
        ),
        (GET_TOKEN, {"serverId": "api://mine"}, {}, None, AKS, "device-code"),
        (("get-token", "-l", "msi"), {"serverId": AKS}, {}, None, AKS, "managed-identity"),
        (
            (*GET_TOKEN, "-l", "azurecli"),
            {"credential": "browser", "tenant": "b.com"},
            {},
            "b.com",
            AKS,
            "azure-cli",
        ),
    ],
)
def test_flags_beat_the_cluster_and_the_cluster_beats_the_environment(
    arguments: tuple[str, ...],
    config: dict[str, str],
    more: Environment,
    tenant: str | None,
    scope: str,
    credential: str,
) -> None:
    env = exec_info(**config) | more
    request = TokenArguments(list(arguments), env).request(interactive=False)
    assert request.tenant == tenant
    assert request.scopes == (f"{scope}/.default",)
    assert request.credential == credential


@pytest.mark.parametrize(
    ("arguments", "more", "authority"),
    [
        ((), {}, "https://login.microsoftonline.com"),
        (("--environment", "AzureChinaCloud"), {}, "https://login.chinacloudapi.cn"),
        (
            ("--environment", "AzurePublicCloud"),
            {"AZURE_AUTHORITY_HOST": "login.microsoftonline.us"},
            "https://login.microsoftonline.com",
        ),
        (
            ("--environment", "AzurePublicCloud"),
            {"AZURE_AUTHORITY_HOST": "https://adfs.contoso.com"},
            "https://adfs.contoso.com",
        ),
        (
            ("--environment", "AzureUSGovernment"),
            {"AZURE_AUTHORITY_HOST": "https://adfs.contoso.com"},
            "https://login.microsoftonline.us",
        ),
        (
            ("--environment", "AzureChinaCloud", "--authority-host", "https://a.example"),
            {},
            "https://a.example",
        ),
    ],
)
def test_who_decides_the_authority(
    arguments: tuple[str, ...], more: Environment, authority: str
) -> None:
    read = TokenArguments([*arguments, "--format", "token"], more)
    assert read.request(interactive=False).authority == authority


@pytest.mark.parametrize("by", ["id", "name"])
def test_the_subscription_chooses_azs_account(
    by: str, bare_env: Environment, cloud: Sandbox, home: Path
) -> None:
    """az's current account is contoso's; whatever other tools read says so too."""
    env = bare_env | cloud.environ | {"AZURE_SUBSCRIPTION_ID": cloud.subscription_id("contoso")}
    current = subscription(cloud, "contoso", default=True)
    other = subscription(cloud, "fabrikam", "alex@fabrikam.com")
    write_profile(home, current, other)
    answer = {"accessToken": "theirs", "expires_on": 4102444800}
    log = stub(env, "az", f"echo '{json.dumps(answer)}'")
    words = (*GET_TOKEN, "-l", "azurecli", "--format", "token")
    done = run_program(PROG, *words, "-s", str(other[by]), env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"theirs\n", b"")
    assert f"--subscription {other['id']}" in log.read_text()
    assert "--tenant" not in log.read_text()
    run_program(PROG, *words, env=env)
    assert "--subscription" not in log.read_text().splitlines()[1]


@pytest.mark.parametrize("tenant", [(), ("-t", "contoso.com")])
def test_a_subscription_that_az_does_not_have_there(
    tenant: tuple[str, ...], bare_env: Environment, cloud: Sandbox, home: Path
) -> None:
    env = bare_env | cloud.environ
    write_profile(home, subscription(cloud, "contoso", default=True))
    log = stub(env, "az", "exit 1")
    name = "nowhere"
    if tenant:
        other = subscription(cloud, "fabrikam", "alex@fabrikam.com")
        write_profile(home, subscription(cloud, "contoso", default=True), other)
        name = "fabrikam"
    done = run_program(PROG, *GET_TOKEN, "-l", "azurecli", "-s", name, *tenant, env=env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"error: azure-cli: az knows no subscription {name}".encode() in done.stderr
    assert not log.exists()


# What a client that was answered 401 does: it asks again at once, and does not say why.

TWICE = """
import subprocess, sys
for _ in range(int(sys.argv[1])):
    done = subprocess.run(sys.argv[2:], capture_output=True)
    sys.stderr.buffer.write(done.stderr)
    sys.stdout.buffer.write(done.stdout)
"""


def one_client(times: int, env: Environment) -> tuple[list[str], bytes]:
    """Run a client process that asks so many times; return the tokens it was given."""
    path = str(Path(sys.executable).parent / PROG)
    done = subprocess.run(
        [sys.executable, "-c", TWICE, str(times), path], env=env, capture_output=True, check=True
    )
    tokens = [status(line)["token"] for line in done.stdout.splitlines()]
    assert len(tokens) == times
    return tokens, done.stderr


def test_a_client_that_asks_again_at_once_gets_another_token(
    env: Environment, cloud: Sandbox
) -> None:
    env |= exec_info()
    tokens, stderr = one_client(4, env)
    assert tokens[0] != tokens[1]
    # Within the bounds: one forced renewal for this client, then the cache again.
    assert tokens[1] == tokens[2] == tokens[3]
    assert cloud.count("token") == 2
    assert stderr == b""
    # The next client is served the new one, from the cache.
    assert one_client(1, env)[0] == [tokens[3]]
    assert cloud.count("token") == 2


def test_other_clients_do_not_renew_each_others_tokens(env: Environment, cloud: Sandbox) -> None:
    env |= exec_info()
    one_client(1, env)
    clients = [start_program(sys.executable, "-c", TWICE, "1", PROG, env=env) for _ in range(8)]
    outputs = [client.communicate()[0] for client in clients]
    assert len({status(output)["token"] for output in outputs}) == 1
    assert cloud.count("token") == 1


def test_many_refused_clients_make_one_renewal(env: Environment, cloud: Sandbox) -> None:
    env |= exec_info()
    first = one_client(1, env)[0][0]
    clients = [start_program(sys.executable, "-c", TWICE, "3", PROG, env=env) for _ in range(6)]
    lines = [client.communicate()[0].splitlines() for client in clients]
    assert cloud.count("token") == 2
    # Each was served the refused token once, waited for the one renewal, and has the new one.
    for answers in lines:
        tokens = [status(answer)["token"] for answer in answers]
        assert first not in tokens[1:]


def test_without_exec_info_nobody_is_a_kubernetes_client(env: Environment, cloud: Sandbox) -> None:
    tokens, _ = one_client(3, env)
    assert len(set(tokens)) == 1
    assert cloud.count("token") == 1


def test_a_forced_renewal_that_fails_keeps_the_token(env: Environment, cloud: Sandbox) -> None:
    env |= exec_info()
    one_client(1, env)
    cloud.fail_tokens(90033, "temporarily_unavailable", times=None, http_status=400)
    tokens, stderr = one_client(2, env)
    assert tokens[0] == tokens[1]
    assert b"msauth-token: warning: asked again at once, but no new token" in stderr


TOKEN = Token("abc", 2_000_000_000)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "v1").mkdir(mode=0o700)
    return tmp_path / "v1"


@pytest.fixture
def request_(cache: Path) -> TokenRequest:
    return TokenRequest(("scope/.default",), {"MSAUTH_CACHE_DIR": str(cache.parent)})


@pytest.fixture
def another(request_: TokenRequest) -> TokenRequest:
    return request_.with_(scopes=("other/.default",))


def age(directory: Path, pattern: str, seconds: float) -> None:
    for path in directory.glob(pattern):
        then = time.time() - seconds
        os.utime(path, (then, then))


def test_an_answer_is_noted_for_a_minute_and_for_its_parent(
    request_: TokenRequest, another: TokenRequest, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_again = exec_retry.given_again
    assert not given_again(request_, TOKEN)
    assert given_again(request_, TOKEN)
    assert not given_again(request_, Token("another", 1))
    assert not given_again(another, TOKEN)
    age(cache, "*.given", exec_retry.WINDOW + 1)
    assert not given_again(request_, TOKEN)
    assert given_again(request_, TOKEN)  # the time was renewed
    monkeypatch.setattr(exec_retry, "parent", lambda: "1.1")
    assert not given_again(request_, TOKEN)


def forced(request: TokenRequest) -> bool:
    return exec_retry.force(request, lambda: TOKEN) is TOKEN


def test_the_bounds_of_forced_renewal(
    request_: TokenRequest, another: TokenRequest, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_retry, "parent", lambda: "1.1")
    assert forced(request_)
    assert not forced(request_)
    monkeypatch.setattr(exec_retry, "parent", lambda: "2.2")
    assert not forced(request_)  # the key rests
    assert forced(another)
    age(cache, "*.forced", exec_retry.KEY_REST + 1)
    assert forced(request_)
    age(cache, "*.forced", exec_retry.KEY_REST + 1)
    assert not forced(request_)  # the parent rests
    age(cache, "*.forced", exec_retry.PARENT_REST + 1)
    assert forced(request_)


def test_old_notes_are_removed(request_: TokenRequest, cache: Path) -> None:
    for number in range(5):
        (cache / f"{request_.record_name}-{number}-x.given").touch(0o600)
    age(cache, "*.given", exec_retry.WINDOW + 1)
    assert forced(request_)
    assert not list(cache.glob("*.given"))


def test_notes_are_private_and_hold_nothing(request_: TokenRequest, cache: Path) -> None:
    exec_retry.given_again(request_, TOKEN)
    (note,) = cache.iterdir()
    assert note.stat().st_mode & 0o777 == 0o600
    assert note.stat().st_size == 0
    assert "abc" not in note.name


def test_an_answer_is_no_rejection(request_: TokenRequest, cache: Path) -> None:
    """What is noted is that a token was given; it may be served again to everybody."""
    exec_retry.given_again(request_, TOKEN)
    exec_retry.given_again(request_, TOKEN)
    assert forced(request_)
    assert {path.suffix for path in cache.iterdir()} == {".given", ".forced", ".lock"}


@pytest.mark.parametrize("harm", ["missing", "open", "read-only"])
def test_a_cache_that_cannot_be_used_notices_nothing(
    harm: str, request_: TokenRequest, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if harm == "missing":
        request_ = request_.with_(env={"MSAUTH_CACHE_DIR": str(cache / "nowhere")})
    elif harm == "open":
        cache.chmod(0o755)
    else:
        monkeypatch.setattr(os, "open", refuse_to_create(os.open))
    assert not exec_retry.given_again(request_, TOKEN)
    assert not exec_retry.given_again(request_, TOKEN)
    assert not forced(request_)


def refuse_to_create(real: Callable[..., int]) -> Callable[..., int]:
    def fake(path: str, flags: int, *more: object, **named: object) -> int:
        if flags & os.O_CREAT:
            raise OSError(30, "Read-only file system")
        return real(path, flags, *more, **named)

    return fake


def test_the_parent_is_named_with_its_start_time() -> None:
    pid, _, started = exec_retry.parent().partition(".")
    assert int(pid) == os.getppid()
    if os.path.exists("/proc/self/stat"):
        assert started.isdigit()


# The hot path.

LOADED = """
import sys
before = set(sys.modules)
import os
import msauth.token.program as program
code, output = program.run(sys.argv[1:], os.environ)
assert code == 0 and output
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        ((), exec_info()),
        ((), {}),
        (("arm", "--format", "token"), {}),
        ((*GET_TOKEN, "--login", "spn"), exec_info()),
    ],
)
def test_a_cached_answer_imports_little(
    arguments: tuple[str, ...], more: Environment, env: Environment
) -> None:
    run_program(PROG, *arguments, env=env)
    command = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(command, env=env | more, capture_output=True, check=True)
    assert set(done.stdout.decode().split()) <= ALLOWED
