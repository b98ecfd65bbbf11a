"""The installed programs import nothing from the directory they are started in."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth import import_path
from msauth_sandbox import Sandbox

from ..conftest import SCRIPTS, Environment, run_program
from .hostile import Hostile

REPOSITORY = Path(__file__).parent.parent.parent
QUESTION = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n\n"
RELATIVE = ["", ":", ":/nowhere", "/nowhere:", ".", "./", "rel", "../hostile", "/nowhere:rel"]
COMMANDS: list[tuple[str, ...]] = [
    ("git-credential-msauth", "get"),
    ("msauth-token", "arm"),
    ("msauth-run", "--", "true"),
    ("msauth", "status"),
    ("msauth", "login", "--json"),
]


@pytest.fixture
def hostile(tmp_path: Path) -> Hostile:
    return Hostile(tmp_path / "hostile", early=sys.version_info >= (3, 11))


@pytest.mark.parametrize("pythonpath", RELATIVE)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_hostile_directory_runs_nothing(
    env: Environment, hostile: Hostile, command: tuple[str, ...], pythonpath: str
) -> None:
    env["PYTHONPATH"] = pythonpath
    for _ in ("cold", "hot"):
        done = run_program(*command, env=env, stdin=QUESTION, cwd=hostile.directory)
        assert hostile.sprung() == []
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("pythonpath", RELATIVE)
def test_the_sandbox_runs_nothing_either(
    bare_env: Environment, hostile: Hostile, pythonpath: str
) -> None:
    env = bare_env | {"PYTHONPATH": pythonpath}
    arguments = ("msauth-sandbox", "--", "true")
    assert run_program(*arguments, env=env, cwd=hostile.directory).returncode == 0
    assert hostile.sprung() == []


def test_the_traps_work(bare_env: Environment, hostile: Hostile) -> None:
    """Where the same directory is named by an absolute path, the person wants it."""
    env = bare_env | {"PYTHONPATH": str(hostile.directory)}
    run_program("msauth", "--version", env=env, cwd=hostile.directory)
    assert hostile.sprung()


def test_other_programs_keep_their_path(bare_env: Environment, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("print('mine')\n")
    program = tmp_path / "bin" / "my-msauth-tool"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport mine, msauth\n")
    program.chmod(0o755)
    env = bare_env | {"PYTHONPATH": "."}
    for command in ([program], [sys.executable, "-c", "import mine"]):
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=True)
        assert done.stdout == b"mine\n"


def test_a_wrapped_command_keeps_its_path(env: Environment, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("print('mine')\n")
    env |= {"PYTHONPATH": ":"}
    command = ("msauth-run", "--", sys.executable, "-c", "import mine")
    assert run_program(*command, env=env, cwd=tmp_path).stdout == b"mine\n"


def test_it_is_found_in_an_absolute_folder(env: Environment, tmp_path: Path) -> None:
    """As `pip install --target` leaves it, for a Python that has none of its own."""
    target = tmp_path / "target"
    target.mkdir()
    packages = Path(import_path.__file__).parent.parent
    (target / "msauth").symlink_to(packages / "msauth")
    launcher = tmp_path / "msauth"
    text = (SCRIPTS / "msauth").read_text().split("\n", 1)[1]
    launcher.write_text(f"#!{os.path.realpath(sys.executable)}\n{text}")
    launcher.chmod(0o755)
    for pythonpath in (str(target), f"/nowhere:{target}"):
        env["PYTHONPATH"] = pythonpath
        done = subprocess.run(
            [launcher, "--version"], env=env, cwd="/", capture_output=True, check=False
        )
        assert done.stdout.startswith(b"msauth "), done.stderr


@pytest.mark.parametrize("place", ["stdlib", "site-packages"])
def test_pythons_own_directories_stay(bare_env: Environment, place: str) -> None:
    module = os if place == "stdlib" else pytest
    cwd = Path(module.__file__).parent
    cwd = cwd if place == "stdlib" else cwd.parent
    env = bare_env | {"PYTHONPATH": ":"}
    done = run_program("msauth", "--version", env=env, cwd=cwd)
    assert done.returncode == 0, done.stderr


def test_every_program_is_covered() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text()
    scripts = project.partition("[project.scripts]\n")[2].partition("\n\n")[0]
    names = [line.partition(" = ")[0] for line in scripts.split("\n") if line[0] != "#"]
    assert sorted(names) == sorted(import_path.PROGRAMS)


@pytest.mark.long
@pytest.mark.parametrize("tool", ["pip", "pipx", "uv"])
def test_launchers_of_other_tools(
    bare_env: Environment,
    cloud: Sandbox,
    installed: Callable[[str], Path],
    hostile: Hostile,
    tool: str,
) -> None:
    """pip, pipx and uv install the wheel, each in its own way."""
    env = bare_env | cloud.environ | cloud.service_principal_environ("contoso")
    env["PATH"] = f"{installed(tool)}:/usr/local/bin:/usr/bin:/bin"
    for pythonpath in (":", "rel"):
        env["PYTHONPATH"] = pythonpath
        for command in COMMANDS:
            done = run_program(*command, env=env, stdin=QUESTION, cwd=hostile.directory)
            assert (done.returncode, hostile.sprung()) == (0, []), done.stderr
