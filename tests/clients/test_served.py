"""SDKs under `msauth-run --serve`: each finds its token by itself, and knows how long it lives."""

import pytest

from msauth_sandbox import Sandbox

from ..conftest import Environment, run_program
from .places import command

PROG = "msauth-run"
ARM = "https://management.azure.com"
GRAPH = "https://graph.microsoft.com"


def ask(client: str, *names: str, env: Environment, options: tuple[str, ...] = ()) -> list[str]:
    """What the client printed: a line for each name."""
    done = run_program(PROG, "--serve", *options, "--", *command(client), *names, env=env)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


def check(line: str, audience: str, cloud: Sandbox) -> None:
    aud, tid, life = line.split()
    assert (aud, tid) == (audience, cloud.tenants["contoso"].id)
    assert 3000 < int(life) <= 3600


@pytest.mark.parametrize(
    "client", ["go", "go-default", "node", "node-default", "java", "java-default", "python"]
)
def test_the_sdks_of_today(client: str, env: Environment, cloud: Sandbox) -> None:
    arm, graph = ask(client, f"{ARM}/.default", f"{GRAPH}/.default", env=env)
    check(arm, ARM, cloud)
    check(graph, GRAPH, cloud)
    assert cloud.count("token") == 2


@pytest.mark.parametrize("client", ["python-2020", "node-2021"])
def test_sdks_that_read_a_date(client: str, env: Environment, cloud: Sandbox) -> None:
    (line,) = ask(client, f"{ARM}/.default", env=env)
    check(line, ARM, cloud)


@pytest.mark.parametrize("client", ["nodeauth", "msrestazure"])
def test_sdks_that_add_a_slash(client: str, env: Environment, cloud: Sandbox) -> None:
    (line,) = ask(client, ARM, env=env | {"APPSETTING_WEBSITE_SITE_NAME": "site"})
    assert line.split()[:2] == [ARM, cloud.tenants["contoso"].id]


@pytest.mark.parametrize("version", ["", "2019-08-01"], ids=["default", "2019"])
def test_terraform(version: str, env: Environment, cloud: Sandbox) -> None:
    """As azurerm with `msi_api_version` unset and set, azuread, and the azurerm backend do."""
    more = {"GOCLIENTS_API_VERSION": version}
    arm, graph = ask("terraform", "arm", "graph", env=env | more, options=("--for", "terraform"))
    check(arm, ARM, cloud)
    check(graph, GRAPH, cloud)
