"""Real package managers against the sandbox's feeds of two organisations in two tenants.

The token comes by plain means: a variable, a URL, a configuration file. No helper of ours takes
part, so these tests say that the sandbox is what the clients take it for.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from .tools import ORGANIZATIONS, Tool, feed, import_msauth


@pytest.fixture
def tokens(cloud: Sandbox) -> dict[str, str]:
    """A token for each organisation, of its own tenant."""
    return {name: cloud.issue_token(name) for name in ORGANIZATIONS}


@pytest.fixture(autouse=True)
def nothing_left_for_a_stranger(cloud: Sandbox) -> Iterator[None]:
    yield
    assert cloud.stats()["unknown_hosts"] == []


def served(cloud: Sandbox, method: str = "GET") -> set[str]:
    """The organisations that answered a request for a package."""
    return {
        record.org
        for record in cloud.requests
        if record.kind == "feed" and record.method == method and record.status in (200, 201)
    }


def with_token(url: str, token: str) -> str:
    return url.replace("https://", f"https://x:{token}@")


def wheel(folder: Path, name: str = "published", version: str = "2.0") -> Path:
    """A package of our own, made by the sandbox's maker of packages."""
    from msauth_sandbox.services.feeds import pypi

    file, content = pypi.wheel(name, version)
    path = folder / file
    path.write_bytes(content)
    return path


class TestPython:
    @pytest.mark.parametrize(
        "address",
        [
            "https://pkgs.dev.azure.com/{}/_packaging/hello/pypi/simple/",
            "https://pkgs.dev.azure.com/{}/My%20Project/_packaging/hello/pypi/simple/",
            "https://{}.pkgs.visualstudio.com/_packaging/hello/pypi/simple/",
        ],
    )
    def test_pip(self, cloud: Sandbox, pip: Tool, tokens: dict[str, str], address: str) -> None:
        first, second = (with_token(address.format(name), tokens[name]) for name in ORGANIZATIONS)
        pip.env |= {"PIP_INDEX_URL": first, "PIP_EXTRA_INDEX_URL": second}
        pip("install", "--target", "got", "contoso-hello", "fabrikam-hello")
        for name in ORGANIZATIONS:
            assert (pip.work / "got" / f"{name}_hello.py").exists()
        assert cloud.count("feed", auth="basic", status=200) >= 4

    def test_pip_with_a_revoked_token(self, cloud: Sandbox, pip: Tool) -> None:
        token = cloud.issue_token()
        cloud.revoke(token)
        pip.env["PIP_INDEX_URL"] = with_token(feed("contoso", "pypi/simple/"), token)
        pip("install", "--no-input", "--target", "got", "contoso-hello", ok=False)
        assert cloud.count("feed", error="revoked") >= 1

    @pytest.mark.real_client
    def test_uv(self, cloud: Sandbox, uv: Tool, tokens: dict[str, str]) -> None:
        first, second = (f"{name}={feed(name, 'pypi/simple/')}" for name in ORGANIZATIONS)
        uv.env |= {"UV_DEFAULT_INDEX": first, "UV_INDEX": second}
        for name, token in tokens.items():
            uv.env[f"UV_INDEX_{name.upper()}_USERNAME"] = "x"
            uv.env[f"UV_INDEX_{name.upper()}_PASSWORD"] = token
        uv("pip", "install", "--target", "got", "contoso-hello", "fabrikam-hello")
        for name in ORGANIZATIONS:
            assert (uv.work / "got" / f"{name}_hello.py").exists()
        file = str(wheel(uv.work))
        url = feed("fabrikam", "pypi/upload/")
        token = tokens["fabrikam"]
        uv("publish", "--publish-url", url, "--username", "x", "--password", token, file)
        assert served(cloud, "POST") == {"fabrikam"}

    @pytest.mark.real_client
    def test_twine(self, cloud: Sandbox, twine: Tool, pip: Tool, tokens: dict[str, str]) -> None:
        file = str(wheel(twine.work))
        for name, token in tokens.items():
            twine.env |= {"TWINE_USERNAME": "x", "TWINE_PASSWORD": token}
            twine("upload", "--repository-url", feed(name, "pypi/upload/"), file)
        assert served(cloud, "POST") == set(ORGANIZATIONS)
        twine("upload", "--repository-url", feed("fabrikam", "pypi/upload/"), file, ok=False)
        index = with_token(feed("contoso", "pypi/simple/"), tokens["contoso"])
        pip("install", "--index-url", index, "--target", "got", "published")
        assert (pip.work / "got" / "published.py").exists()

    @pytest.mark.real_client
    def test_a_tool_can_import_what_is_tested(self, twine: Tool) -> None:
        """For a keyring backend, which the tools find by its entry point."""
        python = Tool([str(Path(twine.program[0]).with_name("python"))], twine.env, twine.work)
        import_msauth(python)
        program = (
            "import azure.identity, msauth, requests, sys\n"
            "from importlib.metadata import distribution\n"
            "assert distribution('msauth').entry_points\n"
            "assert requests.__file__.startswith(sys.prefix)\n"
        )
        python("-c", program)

    @pytest.mark.real_client
    def test_poetry(self, cloud: Sandbox, poetry: Tool, tokens: dict[str, str]) -> None:
        sources = "".join(
            f'[[tool.poetry.source]]\nname = "{name}"\nurl = "{feed(name, "pypi/simple/")}"\n'
            for name in ORGANIZATIONS
        )
        poetry.write(
            "pyproject.toml",
            '[project]\nname = "mine"\nversion = "1.0"\nrequires-python = ">=3.10"\n'
            'dependencies = ["contoso-hello", "fabrikam-hello"]\n'
            "[tool.poetry.dependencies]\n"
            + "".join(f'{name}-hello = {{ source = "{name}" }}\n' for name in ORGANIZATIONS)
            + sources,
        )
        for name, token in tokens.items():
            poetry.env[f"POETRY_HTTP_BASIC_{name.upper()}_USERNAME"] = "x"
            poetry.env[f"POETRY_HTTP_BASIC_{name.upper()}_PASSWORD"] = token
        poetry("env", "use", sys.executable)
        poetry("install", "--no-root")
        for name in ORGANIZATIONS:
            assert list(poetry.work.glob(f".venv/lib/*/site-packages/{name}_hello.py"))
        poetry("config", "repositories.contoso", feed("contoso", "pypi/upload/"))
        (poetry.work / "dist").mkdir()
        wheel(poetry.work / "dist", "mine", "1.0")
        poetry("publish", "--repository", "contoso")
        assert served(cloud, "POST") == {"contoso"}


# To install, a part of the registry's path would do; `npm publish` looks for the whole.
NPMRC = "".join(
    f"@{name}:registry={feed(name, 'npm/registry/')}\n"
    f"//pkgs.dev.azure.com/{name}/_packaging/hello/npm/registry/:_authToken="
    f"${{TOKEN_OF_{name.upper()}}}\n"
    for name in ORGANIZATIONS
)


@pytest.mark.real_client
class TestNode:
    def project(self, tool: Tool, tokens: dict[str, str]) -> None:
        tool.env |= {f"TOKEN_OF_{name.upper()}": token for name, token in tokens.items()}
        wanted = {f"@{name}/hello": "1.0.0" for name in ORGANIZATIONS}
        package = {"name": "mine", "version": "1.0.0", "dependencies": wanted}
        tool.write("package.json", json.dumps(package))

    def installed(self, tool: Tool) -> None:
        for name in ORGANIZATIONS:
            package = tool.work / "node_modules" / f"@{name}" / "hello"
            assert json.loads((package / "package.json").read_text())["version"] == "1.0.0"

    def package(self, tool: Tool) -> Path:
        package = {"name": "@contoso/published", "version": "2.0.0"}
        return tool.write("mine/package.json", json.dumps(package)).parent

    def test_npm(self, cloud: Sandbox, npm: Tool, tokens: dict[str, str]) -> None:
        npm.write("~/.npmrc", NPMRC)
        self.project(npm, tokens)
        npm("install")
        self.installed(npm)
        npm("ci")
        npm("publish", cwd=self.package(npm))
        assert served(cloud, "PUT") == {"contoso"}
        npm("publish", cwd=npm.work / "mine", ok=False)
        npm("install", "@contoso/published")
        assert (npm.work / "node_modules/@contoso/published/package.json").exists()

    def test_pnpm(self, cloud: Sandbox, pnpm: Tool, tokens: dict[str, str]) -> None:
        pnpm.write("~/.npmrc", NPMRC)
        self.project(pnpm, tokens)
        pnpm("install")
        self.installed(pnpm)
        pnpm("publish", "--no-git-checks", cwd=self.package(pnpm))
        assert served(cloud, "PUT") == {"contoso"}

    def test_yarn(self, cloud: Sandbox, yarn: Tool, tokens: dict[str, str]) -> None:
        self.project(yarn, tokens)
        scopes = {
            name: {
                "npmRegistryServer": feed(name, "npm/registry"),
                "npmAlwaysAuth": True,
                "npmAuthToken": f"${{TOKEN_OF_{name.upper()}}}",
            }
            for name in ORGANIZATIONS
        }
        yarn.write(".yarnrc.yml", json.dumps({"npmScopes": scopes}))
        yarn.write("yarn.lock", "")
        yarn("install")
        self.installed(yarn)
        assert served(cloud) == set(ORGANIZATIONS)


@pytest.mark.real_client
class TestCargo:
    def configure(self, cargo: Tool, tokens: dict[str, str]) -> None:
        cargo.env["CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS"] = "cargo:token"
        for name, token in tokens.items():
            prefix = f"CARGO_REGISTRIES_{name.upper()}"
            cargo.env[f"{prefix}_INDEX"] = f"sparse+{feed(name, 'Cargo/index/')}"
            cargo.env[f"{prefix}_TOKEN"] = f"Bearer {token}"

    def crate(self, cargo: Tool, name: str, *dependencies: str) -> None:
        lines = [f'[package]\nname = "{name}"\nversion = "2.0.0"\nedition = "2021"']
        lines += ['description = "x"', 'license = "MIT"', "[dependencies]", *dependencies]
        cargo.write("Cargo.toml", "\n".join(lines) + "\n")
        cargo.write("src/lib.rs", "")

    def test_build_and_publish(self, cloud: Sandbox, cargo: Tool, tokens: dict[str, str]) -> None:
        self.configure(cargo, tokens)
        wanted = [
            f'{name}-hello = {{ version = "1", registry = "{name}" }}' for name in ORGANIZATIONS
        ]
        self.crate(cargo, "mine", *wanted)
        cargo("build", "-q")
        assert cloud.count("feed", auth="bearer", status=200) >= 6
        cargo("publish", "--registry", "contoso", "--no-verify", "--allow-dirty")
        self.crate(cargo, "other", 'mine = { version = "2", registry = "contoso" }')
        cargo("fetch")

    def test_a_refused_token(self, cloud: Sandbox, cargo: Tool, tokens: dict[str, str]) -> None:
        self.configure(cargo, {"contoso": tokens["fabrikam"]})
        self.crate(cargo, "mine", 'contoso-hello = { version = "1", registry = "contoso" }')
        assert b"token rejected for `contoso`" in cargo("fetch", ok=False).stderr
        assert cloud.count("feed", error="tenant") >= 1


def test_go(cloud: Sandbox, go: Tool, tokens: dict[str, str]) -> None:
    addresses = [with_token(feed(name, "go"), token) for name, token in tokens.items()]
    go.env["GOPROXY"] = ",".join([*addresses, "off"])
    go("mod", "init", "mine.example/mine")
    go("get", "contoso.example/hello@latest", "fabrikam.example/hello@v1.0.0")
    for name in ORGANIZATIONS:
        assert (go.home / f"go/pkg/mod/{name}.example/hello@v1.0.0/hello.go").exists()
    assert "contoso.example/hello v1.0.0" in (go.work / "go.mod").read_text()


@pytest.mark.real_client
def test_maven(cloud: Sandbox, mvn: Tool, tokens: dict[str, str]) -> None:
    servers, repositories, wanted = "", "", ""
    for name, token in tokens.items():
        mvn.env[f"TOKEN_OF_{name.upper()}"] = token
        servers += (
            f"<server><id>{name}</id><configuration><httpHeaders><property>"
            f"<name>Authorization</name><value>Bearer ${{env.TOKEN_OF_{name.upper()}}}</value>"
            "</property></httpHeaders></configuration></server>"
        )
        url = feed(name, "maven/v1")
        repositories += f"<repository><id>{name}</id><url>{url}</url></repository>"
        wanted += (
            f"<dependency><groupId>com.{name}</groupId><artifactId>hello</artifactId>"
            "<version>1.0.0</version></dependency>"
        )
    mvn.write("settings.xml", f"<settings><servers>{servers}</servers></settings>")
    plugins = (Path(__file__).parent / "maven" / "pom.xml").read_text()
    more = f"<repositories>{repositories}</repositories><dependencies>{wanted}</dependencies>"
    mvn.write("pom.xml", plugins.replace("<build>", more + "<build>"))
    mvn("-s", "settings.xml", "dependency:copy-dependencies", "-DoutputDirectory=got")
    assert (mvn.work / "got" / "hello-1.0.0.jar").exists()
    url = feed("fabrikam", "maven/v1")
    deploy = ["-DrepositoryId=fabrikam", f"-Durl={url}", "-Dfile=pom.xml", "-DpomFile=pom.xml"]
    mvn("-s", "settings.xml", "deploy:deploy-file", *deploy)
    assert served(cloud, "PUT") == {"fabrikam"}
