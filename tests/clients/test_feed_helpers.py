"""cargo and go with our helpers, as `msauth setup` lets them ask: two organisations of two tenants.

Nobody gives them a token; each tenant is asked for one, once.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from ..conftest import run_program
from .test_feeds import TestCargo as Plain
from .test_feeds import served
from .tools import ORGANIZATIONS, Tool, feed


@pytest.fixture(autouse=True)
def nothing_left_for_a_stranger(cloud: Sandbox) -> Iterator[None]:
    yield
    assert cloud.stats()["unknown_hosts"] == []


def one_request_each(cloud: Sandbox) -> None:
    asked = Counter(record.tenant for record in cloud.requests if record.kind == "token")
    assert asked == {cloud.tenants[name].id: 1 for name in ORGANIZATIONS}


def set_up(tool: Tool, name: str, cloud: Sandbox) -> None:
    """Sign in, and do what a person does once."""
    tool.env |= cloud.service_principal_environ("contoso")
    done = run_program("msauth", "setup", name, env=tool.env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"wrote ")


@pytest.mark.real_client
class TestCargo:
    def project(self, cargo: Tool, protocol: str = "Cargo/index/") -> None:
        for name in ORGANIZATIONS:
            index = f"sparse+{feed(name, protocol)}"
            cargo.env[f"CARGO_REGISTRIES_{name.upper()}_INDEX"] = index
        lines = [f'{n}-hello = {{ version = "1", registry = "{n}" }}' for n in ORGANIZATIONS]
        Plain().crate(cargo, "mine", *lines)

    def test_build_and_publish(self, cloud: Sandbox, cargo: Tool) -> None:
        set_up(cargo, "cargo", cloud)
        self.project(cargo)
        cargo("fetch")
        cargo("build", "-q")
        for name in ORGANIZATIONS:
            cargo("publish", "--registry", name, "--no-verify", "--allow-dirty")
        assert served(cloud, "PUT") == set(ORGANIZATIONS)
        one_request_each(cloud)

    def test_another_registry_stays_with_cargos_own_file(self, cloud: Sandbox, cargo: Tool) -> None:
        set_up(cargo, "cargo", cloud)
        index = "sparse+https://stranger.example/_packaging/hello/Cargo/index/"
        cargo.env["CARGO_REGISTRIES_OTHER_INDEX"] = index
        text = '[registries.other]\ntoken = "their-own"\n'
        file = cargo.write("~/cargo/credentials.toml", text)
        cargo("logout", "--registry", "other")
        assert "their-own" not in file.read_text()
        assert cloud.count("token") == 0

    def test_who_cannot_sign_in_reads_why(self, cloud: Sandbox, cargo: Tool) -> None:
        set_up(cargo, "cargo", cloud)
        self.project(cargo)
        said = cargo("fetch", ok=False, AZURE_CLIENT_SECRET="no").stderr
        assert b"cargo-credential-msauth: error: " in said
        assert b"failed action `get`" in said

    def test_a_profile_by_the_programs_name(self, cloud: Sandbox, cargo: Tool) -> None:
        set_up(cargo, "cargo", cloud)
        self.project(cargo)
        (Path(cargo.env["CARGO_HOME"]) / "config.toml").unlink()
        text = '[work]\ncredential = "service-principal"\ntenant = "contoso.com"\n'
        cargo.write("~/.config/msauth/profiles.toml", text).chmod(0o600)
        link = cargo.home / "bin" / "cargo-credential-msauth-work"
        link.parent.mkdir()
        program = cargo.env["PATH"].split(":")[1] + "/cargo-credential-msauth"
        link.symlink_to(program)
        cargo.env["CARGO_REGISTRIES_CONTOSO_CREDENTIAL_PROVIDER"] = str(link)
        Plain().crate(cargo, "mine", 'contoso-hello = { version = "1", registry = "contoso" }')
        cargo("fetch")
        assert cloud.count("token", tenant="contoso") == 1
        assert cloud.count("devops") == 0


class TestGo:
    @pytest.fixture
    def module(self, go: Tool, cloud: Sandbox) -> Tool:
        go.env["GOPROXY"] = ",".join([*(feed(name, "go") for name in ORGANIZATIONS), "off"])
        go.env["GOENV"] = str(go.home / "config" / "go" / "env")
        set_up(go, "go", cloud)
        go("mod", "init", "mine.example/mine")
        return go

    def test_two_organisations(self, cloud: Sandbox, module: Tool) -> None:
        module("get", "contoso.example/hello@latest", "fabrikam.example/hello@v1.0.0")
        for name in ORGANIZATIONS:
            assert (module.home / f"go/pkg/mod/{name}.example/hello@v1.0.0/hello.go").exists()
        one_request_each(cloud)

    def test_the_second_run_asks_nobody(self, cloud: Sandbox, module: Tool) -> None:
        module("list", "-m", "-versions", "contoso.example/hello")
        module("list", "-m", "-versions", "contoso.example/hello")
        assert cloud.count("token") == 1

    def test_a_token_that_was_revoked(self, cloud: Sandbox, module: Tool) -> None:
        """Go fails with it, and says no word of it: the remedy is a person's."""
        module("list", "-m", "-versions", "contoso.example/hello")
        cloud.revoke_all()
        module("list", "-m", "-versions", "contoso.example/hello", ok=False)
        words = ("devops", "--organization", "contoso", "--force-refresh")
        done = run_program("msauth-token", *words, env=module.env)
        assert done.returncode == 0, done.stderr
        module("list", "-m", "-versions", "contoso.example/hello")

    def test_a_module_that_no_feed_has(self, cloud: Sandbox, module: Tool) -> None:
        """Go asks after each 404, too; there is no token for those, and no error."""
        module("list", "-m", "contoso.example/hello@v1.0.0")
        done = module("list", "-x", "-m", "contoso.example/other@v1.0.0", ok=False)
        assert b": 404 " in done.stderr
        assert b"GOAUTH encountered errors" not in done.stderr
        assert cloud.count("feed", status=404) >= 1

    def test_who_cannot_sign_in_reads_why_with_x(self, cloud: Sandbox, module: Tool) -> None:
        words = ("list", "-x", "-m", "contoso.example/hello@v1.0.0")
        done = module(*words, ok=False, AZURE_CLIENT_SECRET="no")
        assert b"msauth-token: error: " in done.stderr
