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

from msauth.cache import record
from msauth.protocols.exec_credential import V1, V1BETA1
from msauth.request.request import Token, TokenRequest
from msauth.token import exec_retry as handouts
from msauth.token import program as exec_token
from msauth_sandbox import Sandbox

from .conftest import Environment, run_program, start_program
from .hot_path import ALLOWED

PROG = "msauth-token"

AKS = "6dae42f8-4368-4678-94ff-3960e28e3630"
ARC = "6256c85f-0aad-4d50-b960-e6e9b21efe35"
GET_TOKEN = ("get-token", "--server-id", AKS)


def exec_info(version: str = V1, interactive: bool = False, **config: str) -> Environment:
    spec: dict[str, object] = {"interactive": interactive}
    if config:
        spec = {"cluster": {"server": "https://x", "config": config}, **spec}
    value = {"kind": "ExecCredential", "apiVersion": version, "spec": spec}
    return {"KUBERNETES_EXEC_INFO": json.dumps(value, separators=(",", ":")) + "\n"}


def claims_in(token: str) -> dict[str, object]:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert isinstance(claims, dict)
    return claims


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
    claims = claims_in(answer["token"])
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
        (("convert-kubeconfig", "-l", "azurecli"), {}, 2, "unknown option -l"),
        (("convert-kubeconfig",), {}, 2, "hint: in the kubeconfig, change `command: kubelogin`"),
        (("remove-tokens",), {}, 2, "hint: rm -r ~/.kube/cache/kubelogin"),
        (("get-token",), {}, 2, "error: --server-id is required"),
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


@pytest.mark.parametrize("word", ["convert-kubeconfig", "remove-tokens", "remove-cache-dir"])
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
    claims = claims_in(done.stdout.decode().rstrip("\n"))
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
    assert abs(value["expires_on"] - claims_in(token)["exp"]) <= 2  # counted from two clocks
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


@pytest.mark.parametrize(
    ("more", "interactive"),
    [(exec_info(interactive=True), True), (exec_info(interactive=False), False)],
)
def test_spec_interactive_decides_whether_a_person_may_be_asked(
    more: Environment, interactive: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[TokenRequest] = []

    def get_token(request: TokenRequest, *, prog: str) -> Token:
        asked.append(request)
        return Token("abc", 2_000_000_000)

    monkeypatch.setenv("MSAUTH_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(exec_token.broker, "get_token", get_token)
    code, output = exec_token.run([], dict(more))
    assert code == 0
    assert status(output)["token"] == "abc"
    assert [request.interactive for request in asked] == [interactive]
    exec_token.run([], dict(more) | {"CI": "true"})
    assert not asked[-1].interactive


@pytest.mark.parametrize(
    ("arguments", "config", "more", "tenant", "scope", "credential"),
    [
        # The cluster's config, then what beats it, then what it beats.
        ((), {"tenant": "b.com"}, {}, "b.com", AKS, "auto"),
        (("--tenant", "a.com"), {"tenant": "b.com"}, {}, "a.com", AKS, "auto"),
        ((), {"tenant": "b.com"}, {"MSAUTH_TENANT": "c.com"}, "b.com", AKS, "auto"),
        ((), {"serverId": ARC}, {}, None, ARC, "auto"),
        (("aks",), {"serverId": "api://mine"}, {}, None, AKS, "auto"),
        ((), {"serverId": "api://mine"}, {}, None, "api://mine", "auto"),
        (("--scope", AKS), {"serverId": "api://mine"}, {}, None, AKS, "auto"),
        ((), {"credential": "azure-cli"}, {"MSAUTH_CREDENTIAL": "browser"}, None, AKS, "azure-cli"),
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
    question = exec_token.Question(list(arguments), env)
    request = question.request(env, interactive=False)
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
    question = exec_token.Question([*arguments, "--format", "token"], more)
    assert question.request(more, interactive=False).authority == authority


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


REQUEST = TokenRequest(("scope/.default",))
TOKEN = Token("abc", 2_000_000_000)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MSAUTH_CACHE_DIR", str(tmp_path))
    (tmp_path / "v1").mkdir(mode=0o700)
    return tmp_path / "v1"


def age(directory: Path, pattern: str, seconds: float) -> None:
    for path in directory.glob(pattern):
        then = time.time() - seconds
        os.utime(path, (then, then))


def test_a_hand_out_is_noted_for_a_minute_and_for_its_parent(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not handouts.given_again(REQUEST, TOKEN)
    assert handouts.given_again(REQUEST, TOKEN)
    assert not handouts.given_again(REQUEST, Token("another", 1))
    assert not handouts.given_again(TokenRequest(("other/.default",)), TOKEN)
    age(cache, "*.given", handouts.WINDOW + 1)
    assert not handouts.given_again(REQUEST, TOKEN)
    assert handouts.given_again(REQUEST, TOKEN)  # the time was renewed
    monkeypatch.setattr(handouts, "parent", lambda: "1.1")
    assert not handouts.given_again(REQUEST, TOKEN)


def forced(request: TokenRequest = REQUEST) -> bool:
    return handouts.force(request, lambda: TOKEN) is TOKEN


def test_the_bounds_of_forced_renewal(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handouts, "parent", lambda: "1.1")
    assert forced()
    assert not forced()
    monkeypatch.setattr(handouts, "parent", lambda: "2.2")
    assert not forced()  # the key rests
    assert forced(TokenRequest(("other/.default",)))
    age(cache, "*.forced", handouts.KEY_REST + 1)
    assert forced()
    age(cache, "*.forced", handouts.KEY_REST + 1)
    assert not forced()  # the parent rests
    age(cache, "*.forced", handouts.PARENT_REST + 1)
    assert forced()


def test_old_notes_are_removed(cache: Path) -> None:
    stem = record.name_of(REQUEST.canonical())
    for number in range(5):
        (cache / f"{stem}-{number}-x.given").touch(0o600)
    age(cache, "*.given", handouts.WINDOW + 1)
    assert forced()
    assert not list(cache.glob("*.given"))


def test_notes_are_private_and_hold_nothing(cache: Path) -> None:
    handouts.given_again(REQUEST, TOKEN)
    (note,) = cache.iterdir()
    assert note.stat().st_mode & 0o777 == 0o600
    assert note.stat().st_size == 0
    assert "abc" not in note.name


@pytest.mark.parametrize("harm", ["missing", "open", "read-only"])
def test_a_cache_that_cannot_be_used_notices_nothing(
    harm: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if harm == "missing":
        monkeypatch.setenv("MSAUTH_CACHE_DIR", str(cache / "nowhere"))
    elif harm == "open":
        cache.chmod(0o755)
    else:
        monkeypatch.setattr(os, "open", refuse_to_create(os.open))
    assert not handouts.given_again(REQUEST, TOKEN)
    assert not handouts.given_again(REQUEST, TOKEN)
    assert not forced()


def refuse_to_create(real: Callable[..., int]) -> Callable[..., int]:
    def fake(path: str, flags: int, *more: object, **named: object) -> int:
        if flags & os.O_CREAT:
            raise OSError(30, "Read-only file system")
        return real(path, flags, *more, **named)

    return fake


def test_the_parent_is_named_with_its_start_time() -> None:
    pid, _, started = handouts.parent().partition(".")
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
    assert set(done.stdout.decode().split()) <= ALLOWED | {"errno", "time", "stat"}
