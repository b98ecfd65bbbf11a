"""Real registry clients against the sandbox's registries of two tenants.

Each finds the registries' own refresh tokens in docker's configuration file, where `az acr login`
puts them; no helper of ours takes part.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from .tools import ORGANIZATIONS, REGISTRIES, Tool, docker_config, refresh_token


@pytest.fixture
def signed_in(cloud: Sandbox, home: Path) -> Path:
    """docker's configuration with a refresh token for each registry, of its own tenant."""
    return docker_config(home, {name: refresh_token(cloud, name) for name in REGISTRIES})


@pytest.fixture(autouse=True)
def nothing_left_for_a_stranger(cloud: Sandbox) -> Iterator[None]:
    yield
    assert cloud.stats()["unknown_hosts"] == []


def served(cloud: Sandbox, status: int = 200) -> set[str]:
    """The registries that answered a request with a token of theirs."""
    return {
        record.host
        for record in cloud.requests
        if record.kind == "registry" and record.auth == "bearer" and record.status == status
    }


@pytest.mark.real_client
def test_crane(cloud: Sandbox, crane: Tool, signed_in: Path) -> None:
    for registry in REGISTRIES:
        crane("pull", f"{registry}/hello:1.0", "image.tar")
        crane("push", "image.tar", f"{registry}/team/pushed:2.0")
        assert crane("ls", f"{registry}/team/pushed").stdout == b"2.0\n"
        crane("catalog", registry)
    first, second = REGISTRIES
    crane("copy", f"{first}/team/pushed:2.0", f"{second}/team/copied:2.0")
    assert served(cloud, 201) == set(REGISTRIES)


@pytest.mark.real_client
def test_crane_finds_the_token_revoked(cloud: Sandbox, crane: Tool, signed_in: Path) -> None:
    cloud.revoke_registry_tokens()
    done = crane("digest", f"{REGISTRIES[0]}/hello:1.0", ok=False)
    assert b"UNAUTHORIZED" in done.stderr
    assert cloud.count("registry", error="revoked") >= 1


@pytest.mark.real_client
def test_oras(cloud: Sandbox, oras: Tool, signed_in: Path) -> None:
    oras.write("note.txt", "hello\n")
    for registry in REGISTRIES:
        place = f"{registry}/team/notes:1.0"
        oras("push", place, "note.txt:text/plain")
        oras("attach", "--artifact-type", "application/x-check", place, "note.txt:text/plain")
        found = json.loads(oras("discover", "--format", "json", place).stdout)
        assert len(found["referrers"]) == 1
        oras("pull", "--output", "got", place)
        assert (oras.work / "got" / "note.txt").read_text() == "hello\n"
    assert served(cloud, 201) == set(REGISTRIES)


@pytest.mark.real_client
def test_helm(cloud: Sandbox, helm: Tool, signed_in: Path) -> None:
    helm("create", "chart")
    helm("package", "chart")
    (helm.work / "got").mkdir()
    for registry in REGISTRIES:
        helm("push", "chart-0.1.0.tgz", f"oci://{registry}/charts")
        helm("pull", f"oci://{registry}/charts/chart", "--version", "0.1.0", "-d", "got")
        (helm.work / "got" / "chart-0.1.0.tgz").unlink()
    assert served(cloud, 201) == set(REGISTRIES)


@pytest.mark.real_client
def test_skopeo(cloud: Sandbox, skopeo: Tool, signed_in: Path) -> None:
    skopeo.env["REGISTRY_AUTH_FILE"] = str(signed_in)
    first, second = (f"docker://{registry}" for registry in REGISTRIES)
    assert b"linux" in skopeo("inspect", f"{first}/hello:1.0").stdout
    options = ["--insecure-policy", "copy"]
    skopeo(*options, f"{first}/hello:1.0", "oci:image:1.0")
    for registry in (first, second):
        skopeo(*options, "oci:image:1.0", f"{registry}/team/pushed:3.0")
    assert served(cloud, 201) == set(REGISTRIES)


@pytest.mark.real_client
def test_docker(cloud: Sandbox, docker: Tool, signed_in: Path) -> None:
    for registry in REGISTRIES:
        done = docker("manifest", "inspect", f"{registry}/hello:1.0")
        assert json.loads(done.stdout)["schemaVersion"] == 2
    assert served(cloud) == set(REGISTRIES)


def test_a_token_of_another_tenant(cloud: Sandbox) -> None:
    """What a helper is told when it asks the wrong tenant: a challenge does not name one."""
    for registry, tenant in zip(REGISTRIES, reversed(ORGANIZATIONS), strict=True):
        token = cloud.issue_token(tenant, "https://containerregistry.azure.net/.default")
        with pytest.raises(OSError, match="401"):
            refresh_token(cloud, registry, token)
    assert cloud.count("registry", error="tenant") == 2
