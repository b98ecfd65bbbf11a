"""`msauth-run` around the real package managers: two organisations in two tenants."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from ..conftest import SCRIPTS
from .tools import ORGANIZATIONS, Tool, feed, machines_own

pytestmark = pytest.mark.real_client
FEEDS = {name: feed(name, "npm/registry/") for name in ORGANIZATIONS}


@pytest.fixture(autouse=True)
def one_request_for_each(cloud: Sandbox) -> Iterator[None]:
    """No tenant is asked twice, and no stranger is asked for anything."""
    yield
    for name in ORGANIZATIONS:
        assert cloud.count("token", tenant=name) <= 1
    assert cloud.stats()["unknown_hosts"] == []


def within(tool: Tool, cloud: Sandbox, *options: str) -> Tool:
    """The tool as msauth-run starts it, for the sandbox's service principal."""
    env = tool.env | cloud.service_principal_environ("contoso")
    return Tool([str(SCRIPTS / "msauth-run"), *options, "--", *tool.program], env, tool.work)


def both(tool: str) -> list[str]:
    return [word for url in FEEDS.values() for word in ("--for", f"{tool}={url}")]


def project(tool: Tool) -> None:
    wanted = {f"@{name}/hello": "1.0.0" for name in ORGANIZATIONS}
    tool.write(
        "package.json", json.dumps({"name": "m", "version": "1.0.0", "dependencies": wanted})
    )
    tool.write(".npmrc", "".join(f"@{name}:registry={url}\n" for name, url in FEEDS.items()))


def package(tool: Tool) -> Path:
    folder = tool.write("mine/.npmrc", (tool.work / ".npmrc").read_text()).parent
    tool.write("mine/package.json", json.dumps({"name": "@fabrikam/mine", "version": "2.0.0"}))
    return folder


def installed(tool: Tool, cloud: Sandbox) -> None:
    for name in ORGANIZATIONS:
        assert (tool.work / f"node_modules/@{name}/hello/package.json").exists()
        assert cloud.count("token", tenant=name) == 1


def published(cloud: Sandbox) -> bool:
    return [r.org for r in cloud.requests if r.kind == "feed" and r.method == "PUT"] == ["fabrikam"]


def test_npm(cloud: Sandbox, npm: Tool) -> None:
    project(npm)
    npm = within(npm, cloud, *both("npm"))
    npm("install")
    npm("ci")
    npm("publish", cwd=package(npm))
    installed(npm, cloud)
    assert published(cloud)


def test_pnpm(cloud: Sandbox, pnpm: Tool) -> None:
    project(pnpm)
    pnpm = within(pnpm, cloud, *both("pnpm"))
    pnpm("install")
    pnpm("publish", "--no-git-checks", cwd=package(pnpm))
    installed(pnpm, cloud)
    assert published(cloud)


def test_all_of_azure_artifacts(cloud: Sandbox, npm: Tool) -> None:
    npm.write(".npmrc", f"@contoso:registry={FEEDS['contoso']}\n")
    within(npm, cloud, "--for", "npm")("install", "@contoso/hello")
    assert (npm.work / "node_modules/@contoso/hello/package.json").exists()


def test_yarn_with_a_feed(cloud: Sandbox, yarn: Tool) -> None:
    """The token is for every registry that has none of its own, so that is the feed, too."""
    wanted = {"@fabrikam/hello": "1.0.0"}
    yarn.write(
        "package.json", json.dumps({"name": "mine", "version": "1.0.0", "dependencies": wanted})
    )
    yarn.write("yarn.lock", "")
    yarn.write(".yarnrc.yml", "npmRegistryServer: https://registry.yarnpkg.com\n")
    yarn = within(yarn, cloud, "--for", f"yarn={FEEDS['fabrikam']}")
    yarn("install")
    assert (yarn.work / "node_modules/@fabrikam/hello/package.json").exists()
    assert cloud.count("token", tenant="fabrikam") == 1
    yarn("add", "left-pad", ok=False)


def test_yarn_with_two_feeds(cloud: Sandbox, yarn: Tool) -> None:
    wanted = {f"@{name}/hello": "1.0.0" for name in ORGANIZATIONS}
    yarn.write(
        "package.json", json.dumps({"name": "mine", "version": "1.0.0", "dependencies": wanted})
    )
    yarn.write("yarn.lock", "")
    registries = {
        FEEDS[name].removeprefix("https:").rstrip("/"): {
            "npmAlwaysAuth": True,
            "npmAuthToken": f"${{{name.upper()}_TOKEN:-}}",
        }
        for name in ORGANIZATIONS
    }
    scopes = {name: {"npmRegistryServer": url} for name, url in FEEDS.items()}
    settings = {"npmRegistries": registries, "npmScopes": scopes}
    yarn.write(".yarnrc.yml", json.dumps(settings))
    yarn.env["YARN_HTTPS_PROXY"] = yarn.env["HTTPS_PROXY"]
    for name in ORGANIZATIONS:
        tenant = cloud.tenants[name].id
        options = ["--tenant", tenant, "--product", "devops", "-e", f"{name.upper()}_TOKEN=devops"]
        yarn = within(yarn, cloud, *options)
    yarn("install")
    installed(yarn, cloud)


def test_maven(cloud: Sandbox, mvn: Tool) -> None:
    """`settings.xml` names variables: of the run's own token, and of a run around it."""
    variables = {"contoso": "AZURE_ACCESS_TOKEN", "fabrikam": "FABRIKAM_TOKEN"}
    servers = "".join(
        f"<server><id>{name}</id><configuration><httpHeaders><property>"
        f"<name>Authorization</name><value>Bearer ${{env.{variable}}}</value>"
        "</property></httpHeaders></configuration></server>"
        for name, variable in variables.items()
    )
    repositories = "".join(
        f"<repository><id>{name}</id><url>{feed(name, 'maven/v1')}</url></repository>"
        for name in ORGANIZATIONS
    )
    wanted = "".join(
        f"<dependency><groupId>com.{name}</groupId><artifactId>hello</artifactId>"
        "<version>1.0.0</version></dependency>"
        for name in ORGANIZATIONS
    )
    mvn.write("settings.xml", f"<settings><servers>{servers}</servers></settings>")
    pom = (Path(__file__).parent / "maven" / "pom.xml").read_text()
    more = f"<repositories>{repositories}</repositories><dependencies>{wanted}</dependencies>"
    mvn.write("pom.xml", pom.replace("<build>", more + "<build>"))
    mvn = within(mvn, cloud, "--product", "devops")
    tenant = cloud.tenants["fabrikam"].id
    mvn = within(
        mvn, cloud, "--tenant", tenant, "--product", "devops", "-e", "FABRIKAM_TOKEN=devops"
    )
    mvn("-s", "settings.xml", "dependency:copy-dependencies", "-DoutputDirectory=got")
    assert (mvn.work / "got" / "hello-1.0.0.jar").exists()
    assert {r.org for r in cloud.requests if r.kind == "feed"} == set(ORGANIZATIONS)
    assert cloud.count("feed", auth="bearer") == cloud.count("feed")


def test_terraform_modules(cloud: Sandbox, tool: Callable[..., Tool]) -> None:
    terraform = tool(machines_own("terraform"), CHECKPOINT_DISABLE="1")
    source = "git::https://dev.azure.com/contoso/hello/_git/hello"
    terraform.write("main.tf", f'module "hello" {{\n  source = "{source}"\n}}\n')
    within(terraform, cloud, "--for", "terraform", "--for", "git")("get")
    assert list(terraform.work.glob(".terraform/modules/hello/*"))
