"""What the cluster entry of a kubeconfig may choose, and what only the person may allow it."""

import json
from pathlib import Path

import pytest

from msauth.signin.attempt import claims_of
from msauth_sandbox import Sandbox

from .conftest import Done, Environment, run_program
from .test_exec_token import AKS, ARC, PROG, exec_info, status

ARM = "https://management.azure.com"
ARM_APPLICATION = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
GET_TOKEN = ("get-token", "--server-id", AKS)


def refused(done: Done, cloud: Sandbox, *keys: str) -> None:
    """Check that the answer is an error that names these keys, and that nobody was asked."""
    names, allowed = ", ".join(keys), ",".join(keys)
    assert (done.returncode, done.stdout) == (2, b"")
    text = done.stderr.decode()
    assert text.startswith(
        f"msauth-token: error: the cluster's entry in the kubeconfig may not choose {names}"
    )
    assert f"--allow-cluster-config {allowed} in the args" in text
    assert f"MSAUTH_ALLOW_CLUSTER_CONFIG={allowed}\n" in text
    assert cloud.count("request") == 0


def audience(done: Done) -> str:
    assert (done.returncode, done.stderr) == (0, b"")
    return str(claims_of(status(done.stdout)["token"])["aud"])


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"scope": f"{ARM}/.default"}, "scope"),
        ({"scope": "https://graph.microsoft.com/.default"}, "scope"),
        ({"SCOPE": "arm"}, "scope"),
        # Even this one: a full scope may name permissions, and serverId says the same.
        ({"scope": f"{AKS}/.default"}, "scope"),
        *(
            ({spelling: value}, "serverId")
            for spelling in ("serverId", "server-id", "server_id", "SERVERID")
            for value in (ARM, ARM_APPLICATION)
        ),
        ({"serverId": f"{ARM}/"}, "serverId"),
        ({"serverId": f"{ARM}/.default"}, "serverId"),
        ({"serverId": "HTTPS://MANAGEMENT.AZURE.COM"}, "serverId"),
        ({"serverId": "https://management.core.windows.net"}, "serverId"),
        ({"serverId": "https://graph.microsoft.com"}, "serverId"),
        ({"serverId": "00000003-0000-0000-c000-000000000000"}, "serverId"),
        ({"serverId": f"{AKS}/user.read"}, "serverId"),
        ({"serverId": f"{AKS} {ARM}/.default"}, "serverId"),
        ({"serverId": f"api://{AKS}"}, "serverId"),
        ({"profile": "work"}, "profile"),
        ({"credential": "managed-identity"}, "credential"),
        ({"clientId": ARM_APPLICATION}, "clientId"),
        ({"environment": "AzureChinaCloud"}, "environment"),
        ({"environment": "nonsense"}, "environment"),
    ],
)
def test_a_cluster_that_chooses_more_than_its_server_is_refused(
    config: dict[str, str], key: str, env: Environment, cloud: Sandbox
) -> None:
    tenant = {"tenant": cloud.tenants["contoso"].id}
    for more in ({}, tenant, {"serverId": AKS} if key != "serverId" else {}):
        refused(run_program(PROG, env=env | exec_info(**{**more, **config})), cloud, key)


def test_every_refused_key_is_named(env: Environment, cloud: Sandbox) -> None:
    config = {"environment": "AzureChinaCloud", "serverId": ARM, "profile": "work"}
    done = run_program(PROG, env=env | exec_info(**config))
    assert b"may not choose environment, serverId, profile" in done.stderr
    assert b"--allow-cluster-config serverId,profile,environment in" in done.stderr
    assert (done.returncode, done.stdout, cloud.count("request")) == (2, b"", 0)


@pytest.mark.parametrize("login", ["msi", "azurecli"])
def test_get_token_is_no_way_around(login: str, env: Environment, cloud: Sandbox) -> None:
    def asked(*words: str, **config: str) -> Done:
        return run_program(PROG, "get-token", "-l", login, *words, env=env | exec_info(**config))

    refused(asked(serverId=ARM), cloud, "serverId")
    refused(asked(scope=ARM), cloud, "scope")
    refused(asked("--server-id", AKS, profile="work"), cloud, "profile")


def test_a_managed_identity_is_not_the_clusters_choice(env: Environment, cloud: Sandbox) -> None:
    more = exec_info(clientId=cloud.managed_identity_client_id)
    refused(run_program(PROG, *GET_TOKEN, "-l", "msi", env=bare(env) | more), cloud, "clientId")


def bare(env: Environment) -> Environment:
    return {name: value for name, value in env.items() if name != "AZURE_CLIENT_ID"}


@pytest.mark.parametrize("server", [AKS, AKS.upper(), ARC])
def test_a_cluster_may_choose_its_server_and_a_tenant(
    server: str, bare_env: Environment, cloud: Sandbox
) -> None:
    env = bare_env | cloud.environ | cloud.service_principal_environ("fabrikam")
    tenant = cloud.tenants["contoso"].id
    done = run_program(PROG, env=env | exec_info(serverId=server, tenantId=tenant))
    assert audience(done) == server.lower()
    assert claims_of(status(done.stdout)["token"])["tid"] == tenant


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        (("arm",), {}),
        (("--scope", ARM), {}),
        (("--scope", f"{AKS}/.default", "--scope", ARM), {}),
        (("get-token", "-l", "msi", "--server-id", ARM), {}),
        (("--allow-cluster-config", "serverId"), {"serverId": ARM}),
        (("--allow-cluster-config", "scope"), {"scope": ARM}),
        (("--profile", "ordinary"), {}),
        (("--allow-cluster-config", "profile"), {"profile": "ordinary"}),
    ],
)
def test_a_tenant_only_for_the_server_of_a_cluster(
    arguments: tuple[str, ...],
    config: dict[str, str],
    env: Environment,
    cloud: Sandbox,
    tmp_path: Path,
) -> None:
    profiles = tmp_path / "profiles.toml"
    profiles.write_text(f'[ordinary]\nscopes = ["{ARM}/.default"]\n')
    profiles.chmod(0o600)
    more = exec_info(tenant=cloud.tenants["fabrikam"].id, **config)
    done = run_program(PROG, *arguments, env=env | more | {"MSAUTH_CONFIG": str(profiles)})
    assert (done.returncode, done.stdout, cloud.count("request")) == (2, b"", 0)
    assert b"may not choose tenant for another server than that of AKS or Arc" in done.stderr
    allowed = ",".join(["tenant", *(key for key in config)])
    assert f"--allow-cluster-config {allowed} in the args".encode() in done.stderr


@pytest.mark.parametrize("by", ["option", "variable"])
@pytest.mark.parametrize("spelling", ["scope", "SCOPE", "tenant, Scope", "server-id,scope"])
def test_the_person_allows_a_key_by_its_name(
    by: str, spelling: str, env: Environment, cloud: Sandbox
) -> None:
    more = exec_info(scope=f"{ARM}/.default")
    if by == "option":
        done = run_program(PROG, "--allow-cluster-config", spelling, env=env | more)
    else:
        done = run_program(PROG, env=env | more | {"MSAUTH_ALLOW_CLUSTER_CONFIG": spelling})
    assert audience(done).rstrip("/") == ARM
    assert cloud.count("unknown_host") == 0


def test_the_option_replaces_the_variable_and_one_key_is_not_all(
    env: Environment, cloud: Sandbox
) -> None:
    env |= {"MSAUTH_ALLOW_CLUSTER_CONFIG": "scope"}
    done = run_program(PROG, "--allow-cluster-config=tenant", env=env | exec_info(scope=ARM))
    assert b"may not choose scope\n" in done.stderr
    assert b"--allow-cluster-config tenant,scope in" in done.stderr
    assert cloud.count("request") == 0


def test_a_key_that_does_not_exist(env: Environment) -> None:
    done = run_program(PROG, "--allow-cluster-config", "all", env=env | exec_info(tenant="a.com"))
    assert done.returncode == 2
    assert b"error: --allow-cluster-config has the unknown key 'all'" in done.stderr
    assert b"hint: one of: tenant, serverId, scope" in done.stderr


def test_what_a_flag_has_decided_is_no_choice_of_the_cluster(
    env: Environment, cloud: Sandbox
) -> None:
    """The value is not used, so there is nothing to refuse."""
    hostile = exec_info(serverId=ARM, scope=ARM)
    assert audience(run_program(PROG, "aks", env=env | hostile)) == AKS
    done = run_program(PROG, *GET_TOKEN, "-l", "spn", env=env | hostile)
    assert audience(done) == AKS
    assert {record.path for record in cloud.requests if "azure.com" in record.host} == set()


def test_a_cluster_config_of_another_plugin_is_not_ours(env: Environment) -> None:
    value = json.loads(exec_info(tenant="x")["KUBERNETES_EXEC_INFO"])
    value["spec"]["cluster"]["config"] = {"audience": ARM, "arguments": ["--scope", ARM]}
    done = run_program(PROG, env=env | {"KUBERNETES_EXEC_INFO": json.dumps(value)})
    assert audience(done) == AKS
