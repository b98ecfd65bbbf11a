"""The installed programs import nothing from the directory they are started in."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth import import_path
from msauth_sandbox import Sandbox

from ..cache.seed import REGISTRY, seed
from ..conftest import SCRIPTS, Environment, run_program
from ..hot_path import ALLOWED
from .hostile import Hostile

REPOSITORY = Path(__file__).parent.parent.parent
SIGN_IN = Path(import_path.__file__).parent / "signin"
HANDED = ("aadsts", "attempt", "browser")
"""Modules that are handed an object of such a package, by who has imported it."""
QUESTION = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n\n"
RELATIVE = [
    *("", ":", "rel"),
    *(
        pytest.param(path, marks=pytest.mark.long)
        for path in (":/nowhere", "/nowhere:", ".", "./", "../hostile", "/nowhere:rel")
    ),
]
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


def test_the_first_module_is_not_looked_for_beside_the_launcher(
    tmp_path: Path, bare_env: Environment
) -> None:
    (tmp_path / "msauth_start.py").write_text("raise SystemExit('started')\n")
    launcher = shutil.copy(SCRIPTS / "git-credential-msauth", tmp_path)
    done = subprocess.run([launcher, "capability"], env=bare_env, capture_output=True, check=False)
    assert done.stdout.startswith(b"version 0"), done.stderr


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


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A folder with the launchers that install.sh writes, of an environment like this one."""
    environment, folder = tmp_path / "environment", tmp_path / "programs"
    (environment / "bin").mkdir(parents=True)
    folder.mkdir()
    prefix = Path(sys.prefix)
    shutil.copy(prefix / "pyvenv.cfg", environment)
    for name in ("lib", "bin/python"):
        (environment / name).symlink_to(prefix / name)
    for program in (*HITS, "msauth"):
        shutil.copy(SCRIPTS / program, environment / "bin")
        code = '. "$1/common.sh"; write_launcher "$2" "$3" "$4" "$4"'
        install = str(REPOSITORY / "install")
        words = (install, program, str(folder / program), str(environment))
        subprocess.run(["sh", "-c", code, f"{install}/install.sh", *words], check=True)
    return folder


def test_the_installers_launchers_work(ours: Path, env: Environment) -> None:
    env["PATH"] = f"{ours}:{env['PATH']}"
    for _ in ("cold", "hot"):
        got = run_program("git-credential-msauth", "get", env=env, stdin=QUESTION)
        assert b"password=ey" in got.stdout, got.stderr
        token = run_program("msauth-token", "arm", "--format", "token", env=env)
        assert token.stdout.startswith(b"ey"), token.stderr
        done = run_program("msauth-run", "--", "sh", "-c", "echo $AZURE_ACCESS_TOKEN", env=env)
        assert done.stdout == token.stdout
    assert run_program("msauth", "--version", env=env).returncode == 0


LOADED = """
import posix, sys
before = set(sys.modules)
hard_exit = posix._exit
def leave(code):
    posix.write(2, "\\n".join(set(sys.modules) - before).encode())
    hard_exit(code)
posix._exit = leave
posix.execve = lambda *_: leave(0)
"""
HITS = {
    "git-credential-msauth": (("get",), QUESTION),
    "msauth-token": (("arm",), b""),
    "msauth-run": (("--", "true"), b""),
    "docker-credential-msauth": (("get",), REGISTRY.encode()),
    "pnpm-token-msauth": ((), b""),
}


@pytest.mark.parametrize("program", HITS)
def test_a_cached_answer_of_ours_does_without_os(
    ours: Path, bare_env: Environment, tmp_path: Path, program: str
) -> None:
    """Not even `os`, whose import costs more than the answer."""
    env = bare_env | {"MSAUTH_TENANT": "11111111-1111-1111-1111-111111111111"}
    seed(env)
    started = ours.parent / "environment" / "libexec" / program
    started = started if started.exists() else ours / program
    probed = tmp_path / program
    probed.write_text(LOADED + started.read_text())
    words, stdin = HITS[program]
    if started.parent.name == "libexec":  # which the shell tells what it was called
        words = (program, *words)
    python = str(ours.parent / "environment" / "bin" / "python")
    for flags in ("-ISB", "-IS", "-IS"):
        command = [python, flags, str(probed), *words]
        done = subprocess.run(command, env=env, input=stdin, capture_output=True, check=True)
        if b"msauth.merge" in done.stderr:
            continue  # it makes the merged file, which the next start finds
        loaded = set(done.stderr.decode().split("\n"))
        assert "msauth.broker.entry" in loaded
        assert loaded <= ALLOWED
        assert "os" not in loaded
    assert b"msauth.merge" not in done.stderr


def test_store_is_answered_without_python(ours: Path, bare_env: Environment) -> None:
    (ours.parent / "environment" / "bin" / "python").unlink()
    program = str(ours / "git-credential-msauth")
    for words in (["store"], ["--profile", "work", "store"]):
        done = subprocess.run([program, *words], input=QUESTION * 999, env=bare_env, check=True)
        assert done.returncode == 0
    other = subprocess.run(
        [program, "store", "get"], env=bare_env, capture_output=True, check=False
    )
    assert other.returncode != 0


def test_a_launcher_of_ours_with_a_space_or_a_long_name_goes_through_a_shell(
    tmp_path: Path, env: Environment
) -> None:
    place = tmp_path / "a b" / ("long" * 30)
    place.mkdir(parents=True)
    shutil.copytree(Path(sys.prefix) / "bin", place / "bin", symlinks=True)
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", place)
    (place / "lib").symlink_to(Path(sys.prefix) / "lib")
    install = str(REPOSITORY / "install")
    code = '. "$1/common.sh"; write_launcher "$2" "$3/$2" "$4" "$4"'
    for program in ("msauth-token", "docker-credential-msauth"):
        words = (install, program, str(tmp_path), str(place))
        subprocess.run(["sh", "-c", code, f"{install}/x", *words], check=True)
    done = run_program(str(tmp_path / "msauth-token"), "arm", "--format", "token", env=env)
    assert done.stdout.startswith(b"ey")
    work = tmp_path / "docker-credential-msauth-work"
    work.symlink_to("docker-credential-msauth")
    done = run_program(str(work), "get", env=env, stdin=REGISTRY.encode())
    assert b"error: no profile 'work'" in done.stderr


def without_site(code: str, env: Environment) -> bytes:
    """Return what Python prints that was started as our launchers start it."""
    packages = str(Path(import_path.__file__).parent.parent)
    code = f"import sys; sys.path.append({packages!r})\n{code}"
    command = [sys.executable, "-IS", "-c", code]
    return subprocess.run(command, env=env, capture_output=True, check=True).stdout


def test_who_signs_in_has_what_site_gives(bare_env: Environment) -> None:
    """A company's .pth file puts its CA into ssl; an answer of our own does without."""
    said = without_site(
        "import msauth_start\n"
        "import site; print(site.ENABLE_USER_SITE)\n"
        "import msauth.signin.azure_cli, msauth.signin.managed_identity\n"
        "print(site.ENABLE_USER_SITE)\n"
        "import msauth.signin.libraries; print(site.ENABLE_USER_SITE)\n",
        bare_env,
    )
    assert said.split() == [b"None", b"None", b"False"]


def test_who_imports_a_package_of_others_prepares_for_it() -> None:
    """`signin.libraries` runs what site would have run, so it is imported first."""
    seen = []
    for module in SIGN_IN.glob("*.py"):
        tree = ast.parse(module.read_text())
        packages, prepared = set(), module.stem in HANDED
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                packages |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                packages.add((node.module or "").partition(".")[0])
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.level == 1 and not node.module:
                names = {alias.name for alias in node.names}
                prepared = prepared or bool(names & {"libraries", "network"})
        if packages & {"azure", "msal", "msal_extensions", "requests"}:
            assert prepared, module
            seen.append(module.stem)
    assert {"service_principal", "federated", "interactive", "az_renewal"} <= set(seen)


def test_who_signs_in_knows_what_site_changed(bare_env: Environment) -> None:
    """Such a file may also name the CA in a variable; the request has its environment by then."""
    said = without_site(
        "from msauth.system import environment\n"
        "held = environment(); assert 'SSL_CERT_FILE' not in held\n"
        "import os, site\n"
        "site.main = lambda: os.environ.update(SSL_CERT_FILE='/ca.pem')\n"
        "import msauth.signin.libraries; print(held['SSL_CERT_FILE'])\n",
        bare_env,
    )
    assert said == b"/ca.pem\n"
