"""`msauth setup kubectl` and `msauth-token convert-kubeconfig`, with real files and kubectl."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from msauth.setup import kubectl
from msauth.setup.kubeconfig import Kubeconfig, Plugin
from msauth_sandbox import Sandbox

from ..conftest import SCRIPTS, Done, Environment, run_program
from ..slices import sliced
from ..terminal import Terminal
from .kubeconfig_samples import (
    AZ,
    CLIENT,
    HEAD,
    MODES,
    OTHERS,
    PROVIDER,
    PROVIDER_USED,
    REFUSED,
    SERVER,
    TENANT,
    kubelogin,
)

USER = "clusterUser_rg_hello"
AZ_PROGRAM = os.environ.get("MSAUTH_TEST_AZ") or shutil.which("az") or ""
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")


@pytest.fixture
def config(home: Path) -> Path:
    """`~/.kube/config`, as az wrote it, with other users in it."""
    folder = home / ".kube"
    folder.mkdir()
    path = folder / "config"
    path.write_text(AZ + OTHERS)
    path.chmod(0o600)
    return path


def setup(env: Environment, *options: str) -> Done:
    return run_program("msauth", "setup", "kubectl", *options, env=env)


def convert(env: Environment, *options: str) -> Done:
    return run_program("msauth-token", "convert-kubeconfig", *options, env=env)


def users(path: Path) -> dict[str, Any]:
    entries = YAML(typ="safe", pure=True).load(path.read_text())["users"]
    return {entry["name"]: entry.get("user") for entry in entries}


def plugin(path: Path, user: str = USER) -> Any:
    return users(path)[user]["exec"]


# --- A person's files ---------------------------------------------------------------------------


def test_set_up_twice_and_undone(bare_env: Environment, config: Path) -> None:
    before = config.read_bytes()
    done = setup(bare_env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == f"wrote {config}\n".encode()
    after = config.read_bytes()
    assert after != before
    assert after.endswith(OTHERS.encode())
    assert plugin(config)["command"] == "msauth-token"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert setup(bare_env).stdout == b"nothing to do\n"
    assert config.read_bytes() == after
    state = Path(bare_env["HOME"]) / ".local" / "state" / "msauth" / "setup"
    kept = [path for path in state.iterdir() if path.read_bytes() == before]
    assert [stat.S_IMODE(path.stat().st_mode) for path in kept] == [0o600]
    assert setup(bare_env, "--undo").stdout == f"wrote {config}\n".encode()
    assert config.read_bytes() == before
    assert setup(bare_env, "--undo").stdout == b"nothing to do\n"


def test_what_the_person_wrote_since_stays(bare_env: Environment, config: Path) -> None:
    before = config.read_text()
    setup(bare_env)
    added = "- name: mine\n  user: {token: t}\n"
    config.write_text("# my clusters\n" + config.read_text() + added)
    done = setup(bare_env, "--undo")
    assert (done.returncode, done.stderr) == (0, b"")
    assert config.read_text() == "# my clusters\n" + before + added


@needs_kubectl
@pytest.mark.parametrize("sample", [AZ, PROVIDER, kubelogin(*MODES["azurecli"])])
def test_what_kubectl_wrote_since_stays(sample: str, bare_env: Environment, config: Path) -> None:
    """kubectl writes all of the file anew; our lines are as it would write them."""
    config.write_text(sample)
    setup(bare_env)
    run_program("kubectl", "config", "set-context", "mine", "--user=x", env=bare_env)
    assert setup(bare_env, "--undo").stderr == b""
    added = '- context:\n    cluster: ""\n    user: x\n  name: mine\n'
    assert config.read_text() == sample.replace("current-context", added + "current-context")


def test_a_dry_run_changes_nothing_and_shows_no_secret(
    bare_env: Environment, config: Path, home: Path
) -> None:
    for sample in (AZ, PROVIDER_USED, kubelogin(*MODES["spn with a secret"])):
        config.write_text(sample + OTHERS)
        done = setup(bare_env, "--dry-run")
        assert done.returncode == 0
        assert b"+      command: msauth-token\n" in done.stdout
        assert b"SENTINEL" not in done.stdout + done.stderr
        assert config.read_text() == sample + OTHERS
        assert not (home / ".local").exists()
    config.write_text(PROVIDER_USED + OTHERS)
    setup(bare_env)
    after = config.read_bytes()
    done = setup(bare_env, "--undo", "--dry-run")
    assert b"+        refresh-token: ***\n" in done.stdout
    assert b"SENTINEL" not in done.stdout + done.stderr
    assert config.read_bytes() == after


def test_one_context(bare_env: Environment, config: Path) -> None:
    other = AZ.partition("users:\n")[2].replace(USER, "clusterUser_rg_other")
    context = "- context:\n    cluster: other\n    user: clusterUser_rg_other\n  name: other\n"
    text = AZ.replace("current-context", context + "current-context") + other
    config.write_text(text)
    done = setup(bare_env, "--context", "other")
    assert (done.returncode, done.stderr) == (0, b"")
    assert plugin(config)["command"] == "kubelogin"
    assert plugin(config, "clusterUser_rg_other")["command"] == "msauth-token"
    assert config.read_text().startswith(
        AZ.partition("users:\n")[0].replace("current", context + "current", 1)
    )
    done = setup(bare_env, "--context", "othr")
    assert done.returncode == 2
    assert b"msauth: error: there is no context othr\n" in done.stderr
    assert b"msauth: hint: did you mean --context other?\n" in done.stderr
    assert b"takes back all of a file" in setup(bare_env, "--undo", "--context", "other").stderr


def test_a_context_whose_user_is_not_azures(bare_env: Environment, config: Path) -> None:
    context = "- context:\n    cluster: hello\n    user: eks\n  name: eks\n"
    config.write_text(AZ.replace("current-context", context + "current-context") + OTHERS)
    before = config.read_bytes()
    done = setup(bare_env, "--context", "eks")
    assert done.stdout == b"nothing to do\n"
    assert b"user eks is left as it is: it does not sign in with kubelogin\n" in done.stderr
    assert config.read_bytes() == before


def test_several_files_are_merged_as_kubectl_does(
    bare_env: Environment, config: Path, tmp_path: Path
) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    context = "contexts:\n- name: c\n  context: {cluster: x, user: WHO}\n"
    entry = AZ.partition("users:\n")[2]
    first.write_text(context.replace("WHO", USER))
    second.write_text("users:\n" + entry)
    third.write_text(context.replace("WHO", "nobody") + "users:\n" + entry)
    missing = tmp_path / "missing"
    env = bare_env | {"KUBECONFIG": f"{missing}::{first}:{second}:{third}:{second}"}
    for options, changed in ((("--context", "c"), [second]), ((), [third])):
        done = setup(env, *options)
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode() == "".join(f"wrote {path}\n" for path in changed)
    assert config.read_text() == AZ + OTHERS
    done = setup(env, "--kubeconfig", str(config))
    assert done.stdout == f"wrote {config}\n".encode()
    done = setup(bare_env, "--undo", "--kubeconfig", str(second))
    assert (second.read_text(), done.returncode) == ("users:\n" + entry, 0)
    done = setup(bare_env, "--undo")
    assert third.read_text().endswith(entry)
    assert config.read_text() == AZ + OTHERS


def test_no_kubeconfig(bare_env: Environment, tmp_path: Path) -> None:
    done = setup(bare_env)
    assert (done.returncode, done.stdout) == (0, b"nothing to do\n")
    assert b"note: there is no kubeconfig yet: /" in done.stderr
    assert b"hint: az aks get-credentials" in done.stderr
    done = setup(bare_env, "--kubeconfig", str(tmp_path / "none"))
    assert done.returncode == 1
    assert b"there is no file" in done.stderr


def link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def lock(path: Path) -> None:
    path.with_name("config.lock").touch()


Spoil = Callable[[Path], object]
SPOILED: dict[str, tuple[Spoil, str, str]] = {
    "a link": (link, "is a link to", "name the file itself"),
    "read-only": (lambda p: p.chmod(0o400), "is read-only", "chmod u+w"),
    "locked": (lock, "config.lock exists", "rm "),
    "broken": (
        lambda p: p.write_text("users: [\n" + AZ),
        "is not valid YAML",
        "kubectl --kubeconfig",
    ),
    "two documents": (
        lambda p: p.write_text(AZ + "---\n" + AZ),
        "more than one YAML doc",
        "kubectl",
    ),
    "a key twice": (lambda p: p.write_text(AZ + "kind: Config\n"), "stands there twice", "kubectl"),
    "a shared anchor": (
        lambda p: p.write_text(
            AZ.replace("    exec:", "    exec: &e") + "- {name: you, user: {x: *e}}\n"
        ),
        "shares YAML anchors",
        "kubectl",
    ),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), "is not a regular file", "ls -ld"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_is_left_alone(what: str, bare_env: Environment, config: Path, tmp_path: Path) -> None:
    """And no other file is changed, either."""
    if what == "read-only" and os.getuid() == 0 and not config.exists():
        pytest.skip("root")
    spoil, error, hint = SPOILED[what]
    spoil(config)
    other = tmp_path / "other"
    other.write_text(AZ)
    before = config.read_bytes() if config.is_file() else b""
    env = bare_env | {"KUBECONFIG": f"{other}:{config}"}
    for options in ((), ("--dry-run",)):
        done = setup(env, *options)
        assert done.returncode == 1
        lines = done.stderr.decode().split("\n")
        assert lines[0].startswith("msauth: error: ")
        assert error in lines[0]
        assert lines[1].startswith("msauth: hint: ")
        assert hint in lines[1]
        assert len(lines) == 3
        assert other.read_text() == AZ
        assert (config.read_bytes() if config.is_file() else b"") == before


def test_a_link_that_has_nothing_to_change_is_no_error(bare_env: Environment, config: Path) -> None:
    config.write_text(HEAD + "users:\n" + OTHERS)
    link(config)
    done = setup(bare_env)
    assert (done.returncode, done.stdout) == (0, b"nothing to do\n")


def test_undo_leaves_a_link_alone(bare_env: Environment, config: Path) -> None:
    setup(bare_env)
    link(config)
    after = config.read_bytes()
    done = setup(bare_env, "--undo")
    assert done.returncode == 1
    assert b"is a link to" in done.stderr
    assert config.read_bytes() == after


@pytest.mark.parametrize("what", REFUSED)
def test_what_msauth_does_not_do_stays_with_kubelogin(
    what: str, bare_env: Environment, config: Path
) -> None:
    args, reason = REFUSED[what]
    config.write_text(kubelogin(*args))
    done = setup(bare_env)
    assert (done.returncode, done.stdout) == (0, b"nothing to do\n")
    line = f"msauth: note: {config}: user {USER} is left as it is: {reason}"
    assert done.stderr.decode().startswith(line)
    assert done.stderr.count(b"\n") == 1
    assert config.read_text() == kubelogin(*args)


@pytest.mark.parametrize("mode", ["'0'", '""', "0"])
def test_the_retired_sign_in_of_aks_stays(mode: str, bare_env: Environment, config: Path) -> None:
    before = PROVIDER.replace("config-mode: '1'", f"config-mode: {mode}")
    for text in (before, re.sub("        config-mode.*\n", "", before)):
        config.write_text(text)
        assert b"--legacy is not supported" in setup(bare_env).stderr
        assert config.read_text() == text


def test_an_absolute_path_where_path_does_not_lead_to_it(
    bare_env: Environment, config: Path
) -> None:
    program = SCRIPTS / "msauth"
    env = bare_env | {"PATH": "/usr/bin:/bin"}
    subprocess.run([program, "setup", "kubectl"], env=env, check=True, capture_output=True)
    assert plugin(config)["command"] == str(SCRIPTS / "msauth-token")
    # A shell in another folder would not find it so, or find another one.
    setup(bare_env, "--undo")
    env = bare_env | {"PATH": ":/usr/bin:/bin"}
    subprocess.run(
        [program, "setup", "kubectl"], env=env, cwd=SCRIPTS, check=True, capture_output=True
    )
    assert plugin(config)["command"] == str(SCRIPTS / "msauth-token")
    # It runs, so it stays, also where PATH leads to it now.
    assert setup(bare_env).stdout == b"nothing to do\n"
    config.write_text(config.read_text().replace(str(SCRIPTS), "/opt/gone"))
    assert setup(bare_env).stdout == f"wrote {config}\n".encode()
    assert plugin(config)["command"] == "msauth-token"


def test_another_login(bare_env: Environment, config: Path) -> None:
    done = setup(bare_env, "--login", "azurecli")
    assert (done.returncode, done.stderr) == (0, b"")
    assert plugin(config)["args"] == ["get-token", "--login", "azurecli", "--server-id", SERVER]
    # Also for one that is ours already.
    setup(bare_env, "--login", "msi")
    assert plugin(config)["args"] == ["get-token", "--login", "msi", "--server-id", SERVER]
    setup(bare_env, "--undo")
    assert config.read_text() == AZ + OTHERS


def test_the_list_of_targets(bare_env: Environment, config: Path) -> None:
    def line() -> str:
        out = run_program("msauth", "setup", env=bare_env).stdout.decode()
        return next(line for line in out.split("\n") if line.strip().startswith("kubectl"))

    assert "msauth setup kubectl" in line()
    setup(bare_env)
    assert "set up" in line()
    assert " 1 user of AKS " in line()
    assert str(config) in line()
    config.write_text("users: [\n")
    assert "config cannot be changed: line 2: it is not valid YAML" in line()
    config.unlink()
    assert "not on this machine" in line()


# --- convert-kubeconfig -------------------------------------------------------------------------

_PERSON = ["--client-id", CLIENT, "--tenant-id", TENANT, "--environment", "AzurePublicCloud"]
CONVERTED = {
    # kubelogin's own arguments, and what it makes of the sample of az (its own test table).
    "": ["--login", "devicecode", "--server-id", SERVER, *_PERSON],
    "-l devicecode --client-id C": [
        *("--login", "devicecode", "--server-id", SERVER, "--client-id", "C", *_PERSON[2:]),
    ],
    "-l azurecli": ["--login", "azurecli", "--server-id", SERVER],
    "--login=azurecli -t T": ["--login", "azurecli", "--server-id", SERVER, "--tenant-id", "T"],
    "-lazd": ["--login", "azd", "--server-id", SERVER],
    "-l interactive --login-hint me --redirect-url http://localhost:8000": [
        *("--login", "interactive", "--server-id", SERVER, *_PERSON),
        *("--redirect-url", "http://localhost:8000", "--login-hint", "me"),
    ],
    "-l spn": ["--login", "spn", "--server-id", SERVER, *_PERSON[2:]],
    "-l spn --client-id C --client-secret S": [
        *("--login", "spn", "--server-id", SERVER, "--client-id", "C", *_PERSON[2:]),
        *("--client-secret", "S"),
    ],
    "-l spn --client-certificate P --client-certificate-password Q": [
        *("--login", "spn", "--server-id", SERVER, *_PERSON[2:], "--client-certificate", "P"),
        *("--client-certificate-password", "Q"),
    ],
    "-l spn --disable-environment-override --disable-instance-discovery": [
        *("--login", "spn", "--server-id", SERVER, *_PERSON[2:]),
        *("--disable-environment-override", "--disable-instance-discovery"),
    ],
    "-l msi": ["--login", "msi", "--server-id", SERVER],
    "-l msi --client-id C": ["--login", "msi", "--server-id", SERVER, "--client-id", "C"],
    "-l msi --identity-resource-id /a/b": [
        *("--login", "msi", "--server-id", SERVER, "--identity-resource-id", "/a/b"),
    ],
    "-l workloadidentity": ["--login", "workloadidentity", "--server-id", SERVER],
    "-l workloadidentity --client-id C --authority-host https://a --federated-token-file /f": [
        *("--login", "workloadidentity", "--server-id", SERVER, "--client-id", "C"),
        *("--authority-host", "https://a", "--federated-token-file", "/f"),
    ],
    "-l azurepipelines --client-id C --azure-pipelines-service-connection-id I": [
        *("--login", "azurepipelines", "--server-id", SERVER, *_PERSON[2:], "--client-id", "C"),
        *("--azure-pipelines-service-connection-id", "I"),
    ],
    "-l azurecli --server-id S2": ["--login", "azurecli", "--server-id", "S2"],
}


@pytest.mark.parametrize(
    "sample", [AZ, PROVIDER, AZ.replace("kubelogin\n      env", "msauth-token\n      env")]
)
@pytest.mark.parametrize("line", sliced(CONVERTED, 3))
def test_converted_as_kubelogin_does(
    line: str, sample: str, bare_env: Environment, config: Path
) -> None:
    config.write_text(sample + OTHERS)
    done = convert(bare_env, *line.split())
    assert (done.returncode, done.stderr) == (0, b"")
    assert plugin(config)["args"] == ["get-token", *CONVERTED[line]]
    assert plugin(config)["apiVersion"] == "client.authentication.k8s.io/v1"
    assert config.read_text().endswith(OTHERS)
    assert convert(bare_env, *line.split()).stdout == b"nothing to do\n"
    setup(bare_env, "--undo")
    assert config.read_text() == sample + OTHERS


def test_convert_kubeconfigs_other_options(
    bare_env: Environment, config: Path, tmp_path: Path
) -> None:
    env = bare_env | {"AAD_LOGIN_METHOD": "msi"}
    done = convert(env, "--dry-run", "--context", "hello")
    assert b"+      - msi\n" in done.stdout
    assert b"SENTINEL" not in done.stdout
    file = tmp_path / "other"
    shutil.copyfile(config, file)
    convert(env, "-l", "azurecli", "--kubeconfig", str(file), "--azure-config-dir", "/az")
    assert plugin(file)["args"][2] == "azurecli"
    assert plugin(file)["env"] == [{"name": "AZURE_CONFIG_DIR", "value": "/az"}]
    assert config.read_text() == AZ + OTHERS
    done = run_program("msauth-token", "-v", "5", "convert-kubeconfig", "-l", "azd", env=env)
    assert done.stdout == f"wrote {config}\n".encode()


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("-l ropc", 0, "--login ropc is not supported"),
        ("-l interactive --pop-enabled --pop-claims u=x", 0, "--pop-enabled is not supported"),
        ("-l devicecode --legacy", 0, "--legacy is not supported"),
        (
            "-l azurcli",
            2,
            "unknown login method 'azurcli'\nmsauth-token: hint: did you mean --login a",
        ),
        ("-l", 2, "option --login needs a value"),
        ("--frobnicate", 2, "unknown option --frobnicate"),
        ("azurecli", 2, "takes options only"),
        ("--context nowhere", 2, "there is no context nowhere"),
        ("--legacy=perhaps", 2, "--legacy is true or false"),
    ],
)
def test_what_convert_kubeconfig_does_not_do(
    line: str, code: int, said: str, bare_env: Environment, config: Path
) -> None:
    done = convert(bare_env, *line.split())
    assert done.returncode == code
    assert said.encode() in done.stderr
    assert config.read_text() == AZ + OTHERS


def test_help(bare_env: Environment) -> None:
    assert b"usage: msauth-token convert-kubeconfig" in convert(bare_env, "-h").stdout
    assert b"--context NAME" in setup(bare_env, "--help").stdout


# --- A real kubectl in the sandbox --------------------------------------------------------------


def here(config: Path, cloud: Sandbox, text: str) -> str:
    """Write a sample to the file, for the sandbox's cluster and tenant; return it."""
    text = text.replace(
        "    certificate-authority-data: Q0E=\n", f"    certificate-authority: {cloud.ca_file}\n"
    )
    text = text.replace(TENANT, cloud.tenants["contoso"].id)
    config.write_text(text)
    return text


def namespaces(env: Environment) -> Done:
    return run_program("kubectl", "get", "namespaces", env=env)


def works_and_is_undone(env: Environment, config: Path, before: str) -> None:
    assert setup(env).returncode == 0
    done = namespaces(env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"kube-system" in done.stdout
    assert setup(env, "--undo").returncode == 0
    assert config.read_text() == before


Identity = Callable[[Sandbox], dict[str, str]]
SIGN_IN: dict[str, tuple[str, Identity]] = {
    # Their variables as kubelogin's documentation sets them beside what convert-kubeconfig left.
    "spn": (
        "spn",
        lambda cloud: {
            "AAD_SERVICE_PRINCIPAL_CLIENT_ID": cloud.client_id,
            "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET": cloud.client_secret,
        },
    ),
    "msi": ("msi", lambda cloud: cloud.managed_identity_environ()),
    "workloadidentity": ("workloadidentity", lambda cloud: cloud.workload_identity_environ()),
    "github": ("workloadidentity", lambda cloud: cloud.github_actions_environ()),
    "azurepipelines": ("azurepipelines", lambda cloud: cloud.azure_pipelines_environ()),
}


# Kubernetes reads YAML 1.1, where some of these are no texts.
WORDS = [
    *("yes", "No", "y", "on", "OFF", "null", "~", "true", "1", "1e5", "0x1f", "0o7", "1_000"),
    *("1:30", "2001-01-01", "6dae42f8-4368-4678-94ff-3960e28e3630", ".inf", "=", "<<", "-", "--"),
    *("a: b", "a:", "#a", "a #b", "*a", "&a", "!a", "@a", "%a", "{a}", "[a]", "'a'", '"', "\\n"),
    *("", " ", " a ", "a b", "https://a/b:1?c=d", "/a b/c", "é 😀", "--a=b", "--a: b", "a, b - c"),
]


@needs_kubectl
@pytest.mark.parametrize("sample", [AZ, PROVIDER])
def test_kubectl_reads_every_word_as_it_is_meant(
    sample: str, bare_env: Environment, config: Path
) -> None:
    new = Plugin("/my bin/yes", WORDS, {"yes": "no"})
    config.write_bytes(Kubeconfig(sample.encode()).with_plugins({USER: new})[0])
    done = run_program("kubectl", "config", "view", "--raw", "-o", "json", env=bare_env)
    assert (done.returncode, done.stderr) == (0, b"")
    read = json.loads(done.stdout)["users"][0]["user"]["exec"]
    assert (read["command"], read["args"]) == (new.command, WORDS)
    assert read["env"] == [{"name": "yes", "value": "no"}]


@needs_kubectl
@pytest.mark.parametrize("who", SIGN_IN)
def test_kubectl_works_as_an_application(
    who: str, bare_env: Environment, cloud: Sandbox, config: Path
) -> None:
    mode, identity = SIGN_IN[who]
    variables = identity(cloud)
    args = MODES[mode]
    if mode == "azurepipelines":
        connection = variables.pop("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")
        args = (*args[:5], variables.pop("AZURESUBSCRIPTION_CLIENT_ID"), *args[6:-1], connection)
        variables.pop("AZURESUBSCRIPTION_TENANT_ID")
    before = here(config, cloud, kubelogin(*args))
    works_and_is_undone(bare_env | cloud.environ | variables, config, before)


@needs_kubectl
def test_kubectl_works_with_a_secret_in_the_file(
    bare_env: Environment, cloud: Sandbox, config: Path
) -> None:
    args = (*MODES["spn"], "--client-secret", cloud.client_secret)
    before = here(config, cloud, kubelogin(*args).replace(CLIENT, cloud.client_id))
    works_and_is_undone(bare_env | cloud.environ, config, before)


@needs_kubectl
@pytest.mark.parametrize("sample", [AZ, PROVIDER, kubelogin(*MODES["devicecode"])])
def test_kubectl_works_with_a_device_code(
    sample: str, bare_env: Environment, cloud: Sandbox, config: Path
) -> None:
    here(config, cloud, sample)
    env = bare_env | cloud.environ
    setup(env)
    with Terminal(["kubectl", "get", "namespaces"], env) as terminal:
        terminal.read_until(b"https://microsoft.com/devicelogin")
        terminal.read_until(b"kube-system")
        assert terminal.event() == ("exited", 0)
    assert cloud.count("devicecode") == 1


@needs_kubectl
def test_kubectl_works_with_a_browser(bare_env: Environment, cloud: Sandbox, config: Path) -> None:
    here(config, cloud, kubelogin(*MODES["interactive"]))
    env = bare_env | cloud.environ | cloud.browser_environ() | {"DISPLAY": ":0"}
    setup(env)
    with Terminal(["kubectl", "get", "namespaces"], env) as terminal:
        terminal.read_until(b"kube-system")
        assert terminal.event() == ("exited", 0)
    assert cloud.count("authorize") == 1


TOOL = """#!{python}
import json, sys
token = {token!r}
if {name!r} == "az":
    assert sys.argv[1:3] == ["account", "get-access-token"]
    assert sys.argv[sys.argv.index("--resource") + 1] == {resource!r}
    print(json.dumps({{"accessToken": token, "expires_on": 4102444800,
        "expiresOn": "2100-01-01 00:00:00.000000", "tokenType": "Bearer", "tenant": "t"}}))
else:
    assert sys.argv[1:3] == ["auth", "token"]
    print(json.dumps({{"token": token, "expiresOn": "2100-01-01T00:00:00Z"}}))
"""


@needs_kubectl
@pytest.mark.parametrize(("mode", "name"), [("azurecli", "az"), ("azd", "azd")])
def test_kubectl_works_with_a_tool_that_is_signed_in(
    mode: str, name: str, bare_env: Environment, cloud: Sandbox, config: Path, tmp_path: Path
) -> None:
    """az and azd themselves are played here; what they print is the sandbox's token for AKS."""
    token = cloud.issue_token(scope=f"{SERVER}/.default", user="alex@contoso.com")
    tool = tmp_path / "bin" / name
    tool.parent.mkdir()
    tool.write_text(TOOL.format(python=sys.executable, name=name, token=token, resource=SERVER))
    tool.chmod(0o755)
    env = bare_env | cloud.environ | cloud.azure_cli_environ()
    env["PATH"] = f"{tool.parent}:{env['PATH']}"
    works_and_is_undone(env, config, here(config, cloud, kubelogin(*MODES[mode])))
    here(config, cloud, AZ)  # and straight from what az aks get-credentials wrote
    convert(env, "-l", mode)
    assert namespaces(env).returncode == 0


@needs_kubectl
@pytest.mark.real_az
@pytest.mark.skipif(not AZ_PROGRAM, reason="no az on PATH, and MSAUTH_TEST_AZ does not name one")
@pytest.mark.parametrize("form", [(), ("--format", "azure")])
def test_what_a_real_az_writes(
    form: tuple[str, ...], bare_env: Environment, cloud: Sandbox, home: Path
) -> None:
    env = bare_env | cloud.environ
    env["PATH"] = f"{env['PATH']}:{Path(AZ_PROGRAM).parent}"
    cluster = ("aks", "get-credentials", "-g", "hello", "-n", "hello", *form)
    for words in (("login", "--use-device-code"), cluster):
        done = run_program(AZ_PROGRAM, *words, env=env, timeout=120)
        assert done.returncode == 0, done.stderr
    config = home / ".kube" / "config"
    before = config.read_bytes()
    assert convert(env, "-l", "azurecli").returncode == 0
    done = namespaces(env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"kube-system" in done.stdout
    assert setup(env, "--undo").returncode == 0
    assert config.read_bytes() == before
    assert setup(env).returncode == 0
    args = plugin(config, "clusterUser_hello_hello")["args"]
    assert args[args.index("--login") + 1] == "devicecode"


# --- Findings -----------------------------------------------------------------------------------


def found(env: Environment) -> list[tuple[str, str]]:
    """Return ids and fixes, and check that each says what a person needs, and no secret."""
    findings = kubectl.findings(env)
    for finding in findings:
        assert "SENTINEL" not in repr(finding)
        assert finding.message
        assert finding.why
        assert finding.place.startswith("/")
    return [(finding.id, finding.fix) for finding in findings]


FIX = "msauth setup kubectl"


def test_a_healthy_kubeconfig(bare_env: Environment, config: Path) -> None:
    setup(bare_env)
    assert found(bare_env) == []
    config.unlink()
    assert found(bare_env) == []


def test_what_is_wrong_with_a_kubeconfig(
    bare_env: Environment, config: Path, tmp_path: Path
) -> None:
    assert found(bare_env) == [("kubelogin-missing", FIX)]
    program = tmp_path / "bin" / "kubelogin"
    program.parent.mkdir()
    program.touch(0o755)
    assert found(bare_env | {"PATH": str(program.parent)}) == [("kubelogin", FIX)]
    config.write_text(PROVIDER_USED)
    assert found(bare_env) == [("kubeconfig-auth-provider", FIX)]
    run_program("sh", "-c", setup(bare_env).stdout.decode() and FIX, env=bare_env)
    assert found(bare_env) == []
    config.write_text(config.read_text().replace("msauth-token", "/opt/gone/msauth-token"))
    assert found(bare_env) == [("kubeconfig-command", FIX)]
    token = f"{HEAD}users:\n- name: {USER}\n  user:\n    token: SENTINEL\n"
    config.write_text(token)
    assert found(bare_env) == [("kubeconfig-static-token", "")]
    config.write_text(token.replace("azmk8s.io", "eks.amazonaws.com"))
    assert found(bare_env) == []
    config.write_text("users: SENTINEL [\n")
    assert found(bare_env) == [("kubeconfig-broken", "")]
    [broken] = kubectl.findings(bare_env)
    assert broken.message.startswith("a kubeconfig cannot be read: users is not a list of names")


def test_a_login_method_that_does_not_exist(bare_env: Environment, config: Path) -> None:
    done = setup(bare_env, "--login", "azurcli")
    assert done.returncode == 2
    assert done.stderr.startswith(b"msauth: error: unknown login method 'azurcli'\n")
    assert config.read_text() == AZ + OTHERS


def test_a_kubeconfig_that_others_may_read(bare_env: Environment, config: Path) -> None:
    setup(bare_env)
    config.chmod(0o640)
    [(name, fix)] = found(bare_env)
    assert name == "kubeconfig-mode"
    assert run_program("sh", "-c", fix, env=bare_env).returncode == 0
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert found(bare_env) == []
