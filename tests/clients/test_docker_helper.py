"""Real registry clients ask docker-credential-msauth: two registries, two tenants, one sign-in.

`msauth setup docker` writes what they read; a client finds each registry's tenant by its profile.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from ..conftest import run_program
from .tools import ORGANIZATIONS, REGISTRIES, Tool, docker_config

FIRST, SECOND = REGISTRIES
PROFILES = "".join(f'[{name}]\ntenant = "{name}.com"\n' for name in ORGANIZATIONS) + (
    "[match.registry]\n"
    + "".join(
        f'"{host}" = "{name}"\n' for host, name in zip(REGISTRIES, ORGANIZATIONS, strict=True)
    )
)


@pytest.fixture(autouse=True)
def nothing_left_for_a_stranger(cloud: Sandbox) -> Iterator[None]:
    yield
    assert cloud.stats()["unknown_hosts"] == []


@pytest.fixture
def ready(cloud: Sandbox, home: Path) -> None:
    """Two profiles, and stale passwords of both registries for setup to take away."""
    path = home / ".config/msauth/profiles.toml"
    path.parent.mkdir(parents=True)
    path.write_text(PROFILES)
    docker_config(home, dict.fromkeys(REGISTRIES, "stale"))


def set_up(cloud: Sandbox, tool: Tool) -> None:
    tool.env |= cloud.service_principal_environ("contoso")
    done = run_program("msauth", "setup", "docker", env=tool.env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "stale" not in (tool.home / ".docker/config.json").read_text()


def exchanges(cloud: Sandbox) -> dict[str, int]:
    asked = [r.host for r in cloud.requests if r.path == "/oauth2/exchange"]
    return {host: asked.count(host) for host in asked}


def one_request_each(cloud: Sandbox) -> None:
    """One of Entra ID for each tenant, one exchange for each registry, and nobody refused."""
    assert [cloud.count("token", tenant=name) for name in ORGANIZATIONS] == [1, 1]
    assert exchanges(cloud) == dict.fromkeys(REGISTRIES, 1)
    assert not [
        r for r in cloud.requests if r.kind == "registry" and r.error not in (None, "missing")
    ]


@pytest.mark.real_client
@pytest.mark.usefixtures("ready")
def test_crane(cloud: Sandbox, crane: Tool) -> None:
    set_up(cloud, crane)
    for registry in REGISTRIES:
        crane("pull", f"{registry}/hello:1.0", "image.tar")
        crane("push", "image.tar", f"{registry}/team/pushed:2.0")
        assert crane("ls", f"{registry}/team/pushed").stdout == b"2.0\n"
    crane("copy", f"{FIRST}/team/pushed:2.0", f"{SECOND}/team/copied:2.0")
    one_request_each(cloud)


@pytest.mark.real_client
@pytest.mark.usefixtures("ready")
def test_oras(cloud: Sandbox, oras: Tool) -> None:
    set_up(cloud, oras)
    oras.write("note.txt", "hello\n")
    for registry in REGISTRIES:
        oras("push", f"{registry}/team/notes:1.0", "note.txt:text/plain")
        oras("pull", "--output", "got", f"{registry}/team/notes:1.0")
        assert (oras.work / "got" / "note.txt").read_text() == "hello\n"
    one_request_each(cloud)


@pytest.mark.real_client
@pytest.mark.usefixtures("ready")
def test_helm(cloud: Sandbox, helm: Tool) -> None:
    set_up(cloud, helm)
    helm("create", "chart")
    helm("package", "chart")
    (helm.work / "got").mkdir()
    for registry in REGISTRIES:
        helm("push", "chart-0.1.0.tgz", f"oci://{registry}/charts")
        helm("pull", f"oci://{registry}/charts/chart", "--version", "0.1.0", "-d", "got")
        (helm.work / "got" / "chart-0.1.0.tgz").unlink()
    one_request_each(cloud)


@pytest.mark.real_client
@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("file", ["docker's", "podman's", "named"])
def test_skopeo(cloud: Sandbox, skopeo: Tool, file: str) -> None:
    """It looks into podman's file first, where that is."""
    if file != "docker's":
        config = skopeo.home / ".docker/config.json"
        place = skopeo.home / "run/containers/auth.json"
        place.parent.mkdir(parents=True)
        config.rename(place)
        name = "XDG_RUNTIME_DIR" if file == "podman's" else "REGISTRY_AUTH_FILE"
        skopeo.env[name] = str(place if file == "named" else skopeo.home / "run")
    skopeo.env |= cloud.service_principal_environ("contoso")
    done = run_program("msauth", "setup", "docker", env=skopeo.env)
    assert (done.returncode, done.stderr) == (0, b"")
    for registry in REGISTRIES:
        assert b"linux" in skopeo("inspect", f"docker://{registry}/hello:1.0").stdout
        place = f"docker://{registry}/team/pushed:3.0"
        skopeo("--insecure-policy", "copy", f"docker://{registry}/hello:1.0", place)
    one_request_each(cloud)


@pytest.mark.real_client
@pytest.mark.usefixtures("ready")
def test_docker(cloud: Sandbox, docker: Tool) -> None:
    set_up(cloud, docker)
    for registry in REGISTRIES:
        done = docker("manifest", "inspect", f"{registry}/hello:1.0")
        assert json.loads(done.stdout)["schemaVersion"] == 2
    one_request_each(cloud)


@pytest.mark.real_client
@pytest.mark.usefixtures("ready")
def test_a_revoked_token_and_logout(cloud: Sandbox, crane: Tool) -> None:
    """The registry refuses what we have, and does not tell us; `logout` brings another."""
    set_up(cloud, crane)
    crane("digest", f"{FIRST}/hello:1.0")
    cloud.revoke_registry_tokens()
    done = crane("digest", f"{FIRST}/hello:1.0", ok=False)
    assert b"UNAUTHORIZED" in done.stderr
    crane("auth", "logout", FIRST)
    crane("digest", f"{FIRST}/hello:1.0")
    assert cloud.count("token") == 1
    assert exchanges(cloud) == {FIRST: 2}


@pytest.mark.real_client
@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("name", ["crane", "oras", "helm", "skopeo", "docker"])
def test_what_a_client_shows_of_a_failure(
    cloud: Sandbox, name: str, request: pytest.FixtureRequest
) -> None:
    """Each shows the reason, by our stderr or by what it finds on our stdout."""
    tool: Tool = request.getfixturevalue(name)
    set_up(cloud, tool)
    tool.env["MSAUTH_PROFILE"] = ORGANIZATIONS[0]
    arguments = {
        "crane": ["digest", f"{SECOND}/hello:1.0"],
        "oras": ["manifest", "fetch", f"{SECOND}/hello:1.0"],
        "helm": ["pull", f"oci://{SECOND}/hello", "--version", "1.0.0"],
        "skopeo": ["inspect", f"docker://{SECOND}/hello:1.0"],
        "docker": ["manifest", "inspect", f"{SECOND}/hello:1.0"],
    }[name]
    done = tool(*arguments, ok=False)
    assert b"it belongs to another tenant" in done.stderr


@pytest.mark.real_client
@pytest.mark.usefixtures("ready")
def test_docker_login_and_logout(cloud: Sandbox, docker: Tool) -> None:
    """What `az acr login` does: it stores a token, which is discarded, and ours is the answer."""
    set_up(cloud, docker)
    password = run_program("docker-credential-msauth", "get", env=docker.env, stdin=FIRST.encode())
    secret = json.loads(password.stdout)["Secret"]
    user = "00000000-0000-0000-0000-000000000000"
    docker("login", FIRST, "-u", user, "-p", secret)
    config = docker.home / ".docker/config.json"
    assert json.loads(config.read_text())["auths"] == {FIRST: {}}
    docker("manifest", "inspect", f"{FIRST}/hello:1.0")
    assert exchanges(cloud) == {FIRST: 1}
    docker("logout", FIRST)
    docker("manifest", "inspect", f"{FIRST}/hello:1.0")
    assert exchanges(cloud) == {FIRST: 2}
    assert cloud.count("token") == 1
    # docker has written its file anew, and undo finds what is ours in it.
    docker("login", FIRST, "-u", user, "-p", secret)
    done = run_program("msauth", "setup", "docker", "--undo", env=docker.env)
    assert (done.returncode, done.stderr) == (0, b"")
    left = json.loads(config.read_text())
    assert "credHelpers" not in left
    assert set(left["auths"]) == set(REGISTRIES)
