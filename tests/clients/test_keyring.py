"""pip, uv, twine and poetry with the keyring backend: two organisations of two tenants."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from ..conftest import SCRIPTS, run_program, start_program
from ..terminal import Terminal
from .test_feeds import served, wheel
from .tools import ORGANIZATIONS, Tool, feed, import_msauth

INDEXES = tuple(feed(name, "pypi/simple/") for name in ORGANIZATIONS)
WANTED = tuple(f"{name}-hello" for name in ORGANIZATIONS)


@pytest.fixture(autouse=True)
def nothing_left_for_a_stranger(cloud: Sandbox) -> Iterator[None]:
    yield
    assert cloud.stats()["unknown_hosts"] == []


@pytest.fixture
def signed_in(cloud: Sandbox) -> Callable[[Tool], Tool]:
    """Give a tool an identity of both tenants, and link the tests' `keyring` as install.sh does.

    From PATH, pip takes no keyring of its own environment.
    """

    def sign_in(tool: Tool) -> Tool:
        tool.env |= cloud.service_principal_environ("contoso")
        link = tool.home / ".local" / "bin" / "keyring"
        if not link.exists():
            link.parent.mkdir(parents=True)
            link.symlink_to(SCRIPTS / "keyring")
        tool.env["PATH"] = f"{link.parent}:{tool.env['PATH']}"
        return tool

    return sign_in


def one_request_each(cloud: Sandbox) -> None:
    """Both tenants were asked for a token, each once."""
    asked = Counter(record.tenant for record in cloud.requests if record.kind == "token")
    assert asked == {cloud.tenants[name].id: 1 for name in ORGANIZATIONS}


def installed(tool: Tool, folder: str = "got") -> bool:
    return all((tool.work / folder / f"{name}_hello.py").exists() for name in ORGANIZATIONS)


ALWAYS = 'authenticate = "always"\n'


def with_uv_project(uv: Tool, more: str, indexes: dict[str, str]) -> Path:
    """A project that wants a package of each feed; `more` is said of each index."""
    wanted = ", ".join(f'"{name}-hello"' for name in indexes)
    text = '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.10"\n'
    text += f"dependencies = [{wanted}]\n"
    for name, index in indexes.items():
        text += f'[[tool.uv.index]]\nname = "{name}"\nurl = "{index}"\nexplicit = true\n{more}'
        text += f'[tool.uv.sources."{name}-hello"]\nindex = "{name}"\n'
    return uv.write("uv/pyproject.toml", text).parent


def with_poetry_project(poetry: Tool) -> None:
    text = '[tool.poetry]\nname = "mine"\nversion = "1"\ndescription = ""\nauthors = []\n'
    text += 'package-mode = false\n[tool.poetry.dependencies]\npython = ">=3.10"\n'
    for name in ORGANIZATIONS:
        text += f'{name}-hello = {{ version = "*", source = "{name}" }}\n'
    for name, index in zip(ORGANIZATIONS, INDEXES, strict=True):
        text += f'[[tool.poetry.source]]\nname = "{name}"\nurl = "{index}"\npriority = "explicit"\n'
    poetry.write("pyproject.toml", text)


# --- pip ---


def with_two_indexes(pip: Tool) -> tuple[str, ...]:
    pip.env |= {"PIP_INDEX_URL": INDEXES[0], "PIP_EXTRA_INDEX_URL": INDEXES[1]}
    return ("install", "--no-cache-dir", "--target", "got", *WANTED)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"PIP_KEYRING_PROVIDER": "import", "PIP_NO_INPUT": "1"},
        {"PIP_KEYRING_PROVIDER": "subprocess", "PIP_NO_INPUT": "1"},
    ],
    ids=["auto", "import", "subprocess"],
)
def test_pip(
    cloud: Sandbox, pip: Tool, signed_in: Callable[[Tool], Tool], how: dict[str, str]
) -> None:
    done = signed_in(pip)(*with_two_indexes(pip), **how)
    assert installed(pip)
    one_request_each(cloud)
    assert not done.stderr
    assert b"Response" not in done.stdout  # what signs in logs its requests
    pip(*with_two_indexes(pip)[:-1], "--upgrade", **how)
    one_request_each(cloud)


def test_pip_of_another_environment(
    cloud: Sandbox, pip: Tool, signed_in: Callable[[Tool], Tool]
) -> None:
    """A project's own environment has neither keyring nor msauth: `keyring` on PATH answers."""
    signed_in(pip)
    run_program(sys.executable, "-m", "venv", "--without-pip", str(pip.home / "venv"), env=pip.env)
    python = str(pip.home / "venv" / "bin" / "python")
    arguments = with_two_indexes(pip)
    pip("--python", python, *arguments, PIP_KEYRING_PROVIDER="subprocess")
    assert installed(pip)
    one_request_each(cloud)


def test_pip_without_a_sign_in(cloud: Sandbox, pip: Tool) -> None:
    """What is wrong is said once, and pip goes on without credentials."""
    pip.env |= {"PIP_KEYRING_PROVIDER": "import", "PIP_NO_INPUT": "1"}
    done = pip(*with_two_indexes(pip), ok=False)
    said = done.stderr.decode()
    assert said.count("msauth: error: ") == 1
    assert said.count("msauth: hint: ") == 1
    assert "Traceback" not in said
    assert "disabled" not in said  # pip's word when a backend raises
    assert cloud.count("token") == 0


def at_a_terminal(cloud: Sandbox, pip: Tool, *options: str) -> tuple[tuple[str, int], bytes]:
    """How pip ends for somebody who is not signed in, and what is on the screen then."""
    pip.env |= {"PIP_KEYRING_PROVIDER": "subprocess", "MSAUTH_CREDENTIAL": "device-code"}
    for name in cloud.service_principal_environ("contoso"):
        pip.env.pop(name)
    arguments = ("install", *options, "--index-url", INDEXES[0], "--target", f"{pip.work}/got")
    with Terminal([*pip.program, *arguments, WANTED[0]], pip.env) as screen:
        return screen.event(), screen.rest()


def test_pip_lets_a_person_sign_in(
    cloud: Sandbox, pip: Tool, signed_in: Callable[[Tool], Tool]
) -> None:
    """pip drops what `keyring` says on stderr, so the code to type in is on the terminal."""
    end, screen = at_a_terminal(cloud, signed_in(pip))
    assert end == ("exited", 0), screen
    assert b"msauth: sign in: " in screen
    assert (pip.work / "got" / "contoso_hello.py").exists()


def test_pip_that_may_ask_nobody(
    cloud: Sandbox, pip: Tool, signed_in: Callable[[Tool], Tool]
) -> None:
    """Why there is no token is on the terminal all the same."""
    end, screen = at_a_terminal(cloud, signed_in(pip), "--no-input")
    assert end == ("exited", 1)
    assert screen.count(b"msauth: error: device-code: nobody ") == 1
    assert screen.count(b"hint: msauth login ") == 1
    assert b"sign in: " not in screen


def test_a_feed_that_is_not_ones_own(
    cloud: Sandbox, pip: Tool, signed_in: Callable[[Tool], Tool]
) -> None:
    cloud.configure(forbidden_feeds=["contoso/private"])
    url = feed("contoso", "pypi/simple/", "private")
    arguments = ("install", "--no-input", "--keyring-provider", "import", "--index-url", url)
    signed_in(pip)(*arguments, "--target", "got", "contoso-private", ok=False)
    assert cloud.count("feed", status=403) >= 1
    assert cloud.count("token") == 1


@pytest.mark.parametrize(
    ("identity", "organization"),
    [
        ("service-principal", "fabrikam"),
        pytest.param("service-principal", "contoso", marks=pytest.mark.real_client),
        pytest.param("managed", "contoso", marks=pytest.mark.real_client),
    ],
)
def test_a_token_that_was_revoked(
    cloud: Sandbox,
    pip: Tool,
    signed_in: Callable[[Tool], Tool],
    identity: str,
    organization: str,
) -> None:
    """Nobody tells us of a refusal: the same token is served until somebody asks for another."""
    signed_in(pip).env |= {"PIP_KEYRING_PROVIDER": "subprocess", "PIP_NO_INPUT": "1"}
    if identity == "managed":
        for name in cloud.service_principal_environ("contoso"):
            del pip.env[name]
        pip.env |= cloud.managed_identity_environ()
    url = feed(organization, "pypi/simple/")
    arguments = ("install", "--index-url", url, "--target", "got", f"{organization}-hello")
    token = run_program("keyring", "get", url, "x", env=pip.env).stdout.decode().strip()
    cloud.revoke(token)
    pip(*arguments, ok=False)
    assert cloud.count("feed", error="revoked") >= 1
    again = run_program("keyring", "get", url, "x", env=pip.env).stdout.decode().strip()
    assert again == token
    remedy = ("devops", "--organization", organization, "--force-refresh", "--format", "token")
    done = run_program("msauth-token", *remedy, env=pip.env)
    assert done.returncode == 0, done.stderr
    pip(*arguments)


def test_pip_as_setup_makes_it(
    cloud: Sandbox, pip: Tool, signed_in: Callable[[Tool], Tool]
) -> None:
    signed_in(pip).env.pop("PIP_CONFIG_FILE")
    arguments = ("--index", INDEXES[0], "--index", INDEXES[1])
    done = run_program("msauth", "setup", "pip", *arguments, env=pip.env)
    assert (done.returncode, done.stderr) == (0, b"")
    pip("install", "--no-input", "--target", "got", *WANTED)
    assert installed(pip)
    one_request_each(cloud)


# --- uv ---

SUBPROCESS = {"UV_KEYRING_PROVIDER": "subprocess"}


def synced(uv: Tool, cwd: Path, **more: str) -> int:
    uv("sync", cwd=cwd, **SUBPROCESS, **more)
    return len(list(cwd.glob(".venv/lib/*/site-packages/*_hello.py")))


@pytest.mark.real_client
@pytest.mark.parametrize("organization", ORGANIZATIONS)
def test_uv_with_authenticate_always(
    cloud: Sandbox, uv: Tool, signed_in: Callable[[Tool], Tool], organization: str
) -> None:
    project = with_uv_project(uv, ALWAYS, {organization: feed(organization, "pypi/simple/")})
    assert synced(signed_in(uv), project) == 1
    assert cloud.count("token", tenant=cloud.tenants[organization].id) == cloud.count("token") == 1
    assert cloud.count("feed", status=401) == 0


@pytest.mark.real_client
@pytest.mark.parametrize("more", ["", ALWAYS])
def test_uv_and_two_organizations_on_one_host(
    cloud: Sandbox, uv: Tool, signed_in: Callable[[Tool], Tool], more: str
) -> None:
    """uv keeps credentials by host and user: the users in the URLs have to differ."""
    indexes = {
        name: feed(name, "pypi/simple/").replace("://", f"://{name}@") for name in ORGANIZATIONS
    }
    assert synced(signed_in(uv), with_uv_project(uv, more, indexes)) == 2
    one_request_each(cloud)


@pytest.mark.real_client
def test_uv_with_user_names_in_variables(
    cloud: Sandbox, uv: Tool, signed_in: Callable[[Tool], Tool]
) -> None:
    names = {f"UV_INDEX_{name.upper()}_USERNAME": name for name in ORGANIZATIONS}
    indexes = {name: feed(name, "pypi/simple/") for name in ORGANIZATIONS}
    assert synced(signed_in(uv), with_uv_project(uv, "", indexes), **names) == 2
    one_request_each(cloud)


@pytest.mark.real_client
def test_uv_and_two_organizations_on_their_own_hosts(
    cloud: Sandbox, uv: Tool, signed_in: Callable[[Tool], Tool]
) -> None:
    indexes = {
        name: f"https://{name}.pkgs.visualstudio.com/_packaging/hello/pypi/simple/"
        for name in ORGANIZATIONS
    }
    assert synced(signed_in(uv), with_uv_project(uv, ALWAYS, indexes)) == 2
    one_request_each(cloud)


@pytest.mark.real_client
def test_uv_as_setup_makes_it(cloud: Sandbox, uv: Tool, signed_in: Callable[[Tool], Tool]) -> None:
    """The project says nothing of a sign-in, and two tenants share the host."""
    arguments = ("--index", INDEXES[0], "--index", INDEXES[1])
    done = run_program("msauth", "setup", "uv", *arguments, env=signed_in(uv).env)
    assert (done.returncode, done.stderr) == (0, b"")
    indexes = {name: feed(name, "pypi/simple/") for name in ORGANIZATIONS}
    project = with_uv_project(uv, "", indexes)
    uv("sync", cwd=project)
    assert len(list(project.glob(".venv/lib/*/site-packages/*_hello.py"))) == 2
    one_request_each(cloud)
    assert cloud.count("feed", status=401) == 0
    assert "@" not in (project / "uv.lock").read_text()


@pytest.mark.real_client
def test_uv_publish(cloud: Sandbox, uv: Tool, signed_in: Callable[[Tool], Tool]) -> None:
    file = str(wheel(uv.work))
    signed_in(uv)
    for name in ORGANIZATIONS:
        url = feed(name, "pypi/upload/")
        uv("publish", "--publish-url", url, "--username", "x", file, **SUBPROCESS)
    assert served(cloud, "POST") == set(ORGANIZATIONS)
    one_request_each(cloud)


# --- twine and poetry ---


@pytest.mark.real_client
def test_twine(cloud: Sandbox, twine: Tool, signed_in: Callable[[Tool], Tool]) -> None:
    import_msauth(signed_in(twine))
    file = str(wheel(twine.work))
    for name in ORGANIZATIONS:
        url = feed(name, "pypi/upload/")
        done = twine("upload", "--non-interactive", "--repository-url", url, file)
        assert b"Traceback" not in done.stderr
    assert served(cloud, "POST") == set(ORGANIZATIONS)
    one_request_each(cloud)


@pytest.mark.real_client
def test_poetry(cloud: Sandbox, poetry: Tool, signed_in: Callable[[Tool], Tool]) -> None:
    import_msauth(signed_in(poetry))
    with_poetry_project(poetry)
    poetry("install", "--no-root")
    assert len(list(poetry.work.glob(".venv/lib/*/site-packages/*_hello.py"))) == 2
    one_request_each(cloud)


# --- All at once ---


@pytest.mark.real_client
def test_started_together_they_sign_in_once(
    cloud: Sandbox,
    pip: Tool,
    uv: Tool,
    twine: Tool,
    poetry: Tool,
    signed_in: Callable[[Tool], Tool],
) -> None:
    cloud.configure(latency=0.3)  # longer than it takes to find that somebody else signs in
    for tool in (twine, poetry):
        import_msauth(signed_in(tool))
    file = str(wheel(twine.work))
    with_poetry_project(poetry)
    project = with_uv_project(uv, ALWAYS, {"contoso": INDEXES[0]})
    upload = feed("fabrikam", "pypi/upload/")
    started = [
        (signed_in(pip), with_two_indexes(pip), {"PIP_KEYRING_PROVIDER": "subprocess"}),
        (signed_in(uv), ("sync", "--directory", str(project)), SUBPROCESS),
        (twine, ("upload", "--non-interactive", "--repository-url", upload, file), {}),
        (poetry, ("install", "--no-root", "--directory", str(poetry.work)), {}),
    ]
    os.chdir(pip.work)
    processes = [
        start_program(*tool.program, *arguments, env=tool.env | more)
        for tool, arguments, more in started
    ]
    for process in processes:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, (out + errors).decode()
    one_request_each(cloud)
