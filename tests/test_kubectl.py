"""Real Kubernetes clients against the sandbox's API server, with kubeconfigs as people have them.

`kubelogin convert-kubeconfig` writes a user's exec section; the kubeconfigs here are those, with
`command: kubelogin` changed to `command: msauth-token` and nothing else.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from .conftest import Done, Environment, run_program
from .terminal import Terminal

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630"
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")

# What `az account get-access-token` prints, from the sandbox's own token.
AZ = """#!{python}
import json, os, sys
assert sys.argv[1:3] == ["account", "get-access-token"]
assert sys.argv[sys.argv.index("--resource") + 1] == {resource!r}
print(json.dumps({{"accessToken": {token!r}, "expires_on": 4102444800,
    "expiresOn": "2100-01-01 00:00:00.000000", "tokenType": "Bearer", "tenant": "t"}}))
"""


def kubectl(kubeconfig: Path, env: Environment, *arguments: str) -> Done:
    arguments = arguments or ("get", "namespaces")
    return run_program("kubectl", *arguments, env=env | {"KUBECONFIG": str(kubeconfig)})


def converted(cloud: Sandbox, *args: str, version: str = V1BETA1) -> Path:
    """Return a kubeconfig as `az aks get-credentials` and `kubelogin convert-kubeconfig` make it:
    arguments in convert's order, `env: null`, no interactiveMode, provideClusterInfo: false."""
    exec_plugin = {
        "apiVersion": version,
        "args": ["get-token", *args],
        "command": "msauth-token",
        "env": None,
        "installHint": "\\nkubelogin is not installed\\n",
        "provideClusterInfo": False,
    }
    if version == V1:
        exec_plugin["interactiveMode"] = "IfAvailable"
    return cloud.kubeconfig(exec=exec_plugin)


@needs_kubectl
@pytest.mark.parametrize("version", [V1, V1BETA1])
def test_kubectl_gets_namespaces(version: str, env: Environment, cloud: Sandbox) -> None:
    kubeconfig = cloud.kubeconfig(api_version=version)
    for _ in range(2):
        done = kubectl(kubeconfig, env)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"kube-system" in done.stdout
    assert cloud.count("token") == 1
    assert cloud.count("unknown_host") == 0


@needs_kubectl
def test_a_cached_token_costs_no_request_more_than_one_in_the_kubeconfig(
    env: Environment, cloud: Sandbox
) -> None:
    def asked(kubeconfig: Path) -> list[tuple[str, str, int]]:
        before = len(cloud.requests)
        assert kubectl(kubeconfig, env).returncode == 0
        return [(one.method, one.path, one.status) for one in cloud.requests[before:]]

    plugin = cloud.kubeconfig()
    asked(plugin)  # signs in, and fills kubectl's own cache
    ours = asked(plugin)
    assert ours == asked(cloud.kubeconfig(token=cloud.issue_token(scope=f"{AKS}/.default")))
    assert [status for _, _, status in ours] == [200, 200]


def with_cluster_config(cloud: Sandbox, *args: str, **config: str) -> Path:
    """Return a kubeconfig whose cluster entry has a config for the exec plugin."""
    path = cloud.kubeconfig(args=args, provide_cluster_info=True)
    value = json.loads(path.read_text())
    value["clusters"][0]["cluster"]["extensions"] = [
        {"name": "client.authentication.k8s.io/exec", "extension": config}
    ]
    path.write_text(json.dumps(value))
    return path


@needs_kubectl
def test_the_cluster_says_tenant_and_server(bare_env: Environment, cloud: Sandbox) -> None:
    """Per-cluster settings beat an environment that would sign in elsewhere."""
    env = bare_env | cloud.environ | cloud.service_principal_environ("fabrikam")
    kubeconfig = with_cluster_config(cloud, tenant=cloud.tenants["contoso"].id, serverId=AKS)
    done = kubectl(kubeconfig, env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert cloud.count("token", tenant="contoso") == 1
    assert cloud.count("token", tenant="fabrikam") == 0


@needs_kubectl
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scope", "https://management.azure.com/.default"),
        ("serverId", "https://graph.microsoft.com"),
        ("profile", "work"),
        ("credential", "azure-cli"),
    ],
)
def test_a_cluster_that_wants_another_token_gets_none(
    key: str, value: str, env: Environment, cloud: Sandbox
) -> None:
    done = kubectl(with_cluster_config(cloud, **{key: value}), env)
    assert done.returncode == 1
    assert f"the cluster's entry in the kubeconfig may not choose {key}".encode() in done.stderr
    assert f"--allow-cluster-config {key} in the args".encode() in done.stderr
    assert cloud.count("token") == 0
    assert cloud.count("request", host=cloud.aks_host) == 0


@needs_kubectl
def test_the_user_entry_allows_a_cluster_more(env: Environment, cloud: Sandbox) -> None:
    allow = ("--allow-cluster-config", "scope")
    done = kubectl(with_cluster_config(cloud, *allow, scope=f"{AKS}/.default"), env)
    assert (done.returncode, done.stderr) == (0, b"")


@needs_kubectl
@pytest.mark.parametrize("redirect", ["", "2>/dev/null"])
def test_a_person_is_asked_when_stdin_is_a_pipe(
    redirect: str, bare_env: Environment, cloud: Sandbox
) -> None:
    """`… | kubectl apply -f -` at a terminal: kubectl says that it is not interactive."""
    kubeconfig = converted(cloud, "--server-id", AKS, version=V1)
    env = bare_env | cloud.environ | {"KUBECONFIG": str(kubeconfig)}
    script = f"echo | kubectl get namespaces {redirect}"
    with Terminal(["/bin/sh", "-c", script], env) as terminal:
        terminal.read_until(b"https://microsoft.com/devicelogin")
        terminal.read_until(b"kube-system")
        assert terminal.event() == ("exited", 0)
    assert cloud.count("devicecode") == 1


@needs_kubectl
@pytest.mark.parametrize("version", [V1, V1BETA1])
def test_converted_for_spn(version: str, bare_env: Environment, cloud: Sandbox) -> None:
    """The secret in the kubeconfig; the identity in the environment is an application's own."""
    env = bare_env | cloud.environ
    env |= {
        "AZURE_CLIENT_ID": "11111111-2222-3333-4444-555555555555",
        "AZURE_TENANT_ID": cloud.tenants["fabrikam"].id,
        "AZURE_CLIENT_SECRET": "another application's",
    }
    kubeconfig = converted(
        cloud,
        *("--login", "spn", "--server-id", AKS, "--client-id", cloud.client_id),
        *("--tenant-id", cloud.tenants["contoso"].id, "--environment", "AzurePublicCloud"),
        *("--client-secret", cloud.client_secret),
        version=version,
    )
    done = kubectl(kubeconfig, env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"kube-system" in done.stdout
    assert cloud.count("token", client_id=cloud.client_id) == 1


@needs_kubectl
def test_converted_for_spn_with_kubelogins_variables(bare_env: Environment, cloud: Sandbox) -> None:
    env = bare_env | cloud.environ
    env |= {
        "AAD_SERVICE_PRINCIPAL_CLIENT_ID": cloud.client_id,
        "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET": cloud.client_secret,
        "AAD_LOGIN_METHOD": "spn",
        "AZURE_TENANT_ID": cloud.tenants["contoso"].id,
    }
    done = kubectl(converted(cloud, "--server-id", AKS), env)
    assert (done.returncode, done.stderr) == (0, b"")


@needs_kubectl
def test_converted_for_workloadidentity(bare_env: Environment, cloud: Sandbox) -> None:
    env = bare_env | cloud.environ | cloud.workload_identity_environ("contoso")
    done = kubectl(converted(cloud, "--login", "workloadidentity", "--server-id", AKS), env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert cloud.count("token") == 1


@needs_kubectl
def test_converted_for_workloadidentity_with_flags(bare_env: Environment, cloud: Sandbox) -> None:
    given = cloud.workload_identity_environ("contoso")
    kubeconfig = converted(
        cloud,
        *("--login", "workloadidentity", "--server-id", AKS),
        *("--client-id", given["AZURE_CLIENT_ID"], "--tenant-id", given["AZURE_TENANT_ID"]),
        *("--authority-host", given["AZURE_AUTHORITY_HOST"]),
        *("--federated-token-file", given["AZURE_FEDERATED_TOKEN_FILE"]),
    )
    done = kubectl(kubeconfig, bare_env | cloud.environ)
    assert (done.returncode, done.stderr) == (0, b"")


@needs_kubectl
def test_converted_for_workloadidentity_in_a_github_workflow(
    bare_env: Environment, cloud: Sandbox
) -> None:
    env = bare_env | cloud.environ | cloud.github_actions_environ("contoso")
    done = kubectl(converted(cloud, "--login", "workloadidentity", "--server-id", AKS), env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert cloud.count("token") == 1


@needs_kubectl
def test_converted_for_msi(bare_env: Environment, cloud: Sandbox) -> None:
    env = bare_env | cloud.environ | cloud.managed_identity_environ()
    done = kubectl(converted(cloud, "--login", "msi", "--server-id", AKS), env)
    assert (done.returncode, done.stderr) == (0, b"")


@needs_kubectl
def test_converted_for_azurecli(bare_env: Environment, cloud: Sandbox, tmp_path: Path) -> None:
    """az itself is played here: what it prints is the sandbox's token for the AKS server."""
    token = cloud.issue_token(scope=f"{AKS}/.default", user="alex@contoso.com")
    az = tmp_path / "bin" / "az"
    az.parent.mkdir()
    az.write_text(AZ.format(python=sys.executable, resource=AKS, token=token))
    az.chmod(0o755)
    env = bare_env | cloud.environ | cloud.azure_cli_environ()
    env["PATH"] = f"{az.parent}:{env['PATH']}"
    # An application's identity must not take over what the kubeconfig says.
    env |= {"AZURE_CLIENT_ID": "11111111-2222-3333-4444-555555555555"}
    kubeconfig = converted(cloud, "--login", "azurecli", "--server-id", AKS)
    for _ in range(2):
        done = kubectl(kubeconfig, env)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"kube-system" in done.stdout
        az.write_text("#!/bin/sh\nexit 1\n")  # the second run is served from the cache
    assert cloud.count("token") == 0


@needs_kubectl
def test_a_refused_token_heals_itself(env: Environment, cloud: Sandbox) -> None:
    """kubectl asks again after the 401; its next request, and the next kubectl, are served."""
    kubeconfig = cloud.kubeconfig()
    kubectl(kubeconfig, env)
    refused = run_program("msauth-token", "--format", "token", env=env).stdout.decode().strip()
    cloud.revoke(refused)
    kubectl(kubeconfig, env)
    done = kubectl(kubeconfig, env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert cloud.count("token") == 2
    served = run_program("msauth-token", "--format", "token", env=env).stdout.decode().strip()
    assert served != refused


@needs_kubectl
def test_a_cluster_that_refuses_everybody_makes_no_storm(env: Environment, cloud: Sandbox) -> None:
    cloud.fail_http(cloud.aks_host, 401, times=None)
    for _ in range(4):
        assert kubectl(cloud.kubeconfig(), env).returncode == 1
    assert cloud.count("token") == 2


@needs_kubectl
def test_an_error_reaches_the_person(bare_env: Environment, cloud: Sandbox) -> None:
    done = kubectl(converted(cloud, "--login", "ropc", "--server-id", AKS), bare_env)
    assert done.returncode == 1
    assert b"msauth-token: error: --login ropc is not supported" in done.stderr


CLIENT = """
from kubernetes import client, config
config.load_kube_config()
print(*(item.metadata.name for item in client.CoreV1Api().list_namespace().items))
"""


@pytest.mark.skipif(
    not importlib.util.find_spec("kubernetes"), reason="the kubernetes package is not installed"
)
@pytest.mark.real_client
@pytest.mark.parametrize("version", [V1, V1BETA1])
def test_the_python_client(version: str, env: Environment, cloud: Sandbox) -> None:
    kubeconfig = cloud.kubeconfig(api_version=version)
    done = subprocess.run(
        [sys.executable, "-c", CLIENT],
        env=env | {"KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.split() == [b"default", b"hello", b"kube-system"]


@needs_kubectl
def test_git_kubectl_and_a_wrapped_command_share_one_token(
    env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    """Three real clients, one scope, one tenant: one request, and one token at the servers."""
    tenant = cloud.tenants["contoso"].id
    repository = "https://dev.azure.com/contoso/hello/_git/hello"
    git_env = env | {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "credential.https://dev.azure.com.helper",
        "GIT_CONFIG_VALUE_0": "msauth",
        "GIT_CONFIG_KEY_1": "credential.https://dev.azure.com.useHttpPath",
        "GIT_CONFIG_VALUE_1": "true",
    }
    done = run_program("git", "clone", "-q", repository, str(tmp_path / "clone"), env=git_env)
    assert done.returncode == 0, done.stderr
    # An API server takes another scope than git's: here kubectl and a script ask git's.
    api = "/contoso/_apis/projects"
    kubeconfig = cloud.kubeconfig(args=("devops", "--tenant", tenant))
    kubeconfig.write_text(kubeconfig.read_text().replace(cloud.aks_host, "dev.azure.com"))
    done = kubectl(kubeconfig, env, "get", "--raw", f"{api}?api-version=7.1")
    assert (done.returncode, done.stderr) == (0, b"")
    ask = (
        "import os, urllib.request as r\n"
        "header = {'Authorization': 'Bearer ' + os.environ['AZURE_ACCESS_TOKEN']}\n"
        f"url = 'https://dev.azure.com{api}?api-version=7.1'\n"
        "r.urlopen(r.Request(url, headers=header))\n"
    )
    options = ("--product", "devops", "--tenant", tenant)
    done = run_program("msauth-run", *options, "--", sys.executable, "-c", ask, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [r.status for r in cloud.requests if r.path == api] == [200, 200]
    assert len({r.token_id for r in cloud.requests if r.token_id}) == 1
    assert cloud.count("token") == 1


def test_kubectl_git_and_a_script_share_one_token(env: Environment, cloud: Sandbox) -> None:
    """One scope and one tenant is one token, whoever asks."""
    env |= {"MSAUTH_TENANT": cloud.tenants["contoso"].id}
    question = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n\n"
    git = run_program("git-credential-msauth", "get", env=env, stdin=question).stdout.decode()
    password = dict(line.split("=", 1) for line in git.splitlines())["password"]
    printed = run_program("msauth-token", "devops", "--format", "token", env=env).stdout.decode()
    assert printed == f"{password}\n"
    assert cloud.count("token") == 1
    if shutil.which("kubectl"):
        assert kubectl(cloud.kubeconfig(), env).returncode == 0
        run_program("msauth-token", env=env)
        assert cloud.count("token", scope=f"{AKS}/.default") == 1
