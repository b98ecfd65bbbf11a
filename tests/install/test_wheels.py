"""The wheel under every Python, from every installer: with the merged files and without.

The default run has nothing of this but what tests/test_start.py does with a copy of the package.
All of it: `sh install/test.sh -m long tests/install/test_wheels.py`
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import msauth_start as start
from msauth import merge
from msauth_sandbox import Sandbox

from .. import pythons, unprivileged
from ..cache import seed
from ..conftest import Environment, run_program
from ..test_git_credential import HELLO
from .conftest import REPOSITORY, Installation, another_version, run

pytestmark = pytest.mark.long
TENANT = "11111111-1111-1111-1111-111111111111"
PRINT = 'echo "$AZURE_ACCESS_TOKEN"'
PROGRAMS = {
    "git_credential": (("git-credential-msauth", "get"), HELLO),
    "credential_helpers.docker": (("docker-credential-msauth", "get"), seed.REGISTRY.encode()),
    "credential_helpers.pnpm": (("pnpm-token-msauth",), b""),
    "token.program": (("msauth-token", "aks"), b""),
    "run.program": (("msauth-run", "--", "sh", "-c", PRINT), b""),
}
FIXED = 1_580_601_600
"""A time of all files, as packages have it that are built to be the same every time."""
LOADED = """
import msauth_start as start
from msauth import merge
for program in merge.MODULES:
    folder = start.FOLDER
    modules = start.load(folder, start.merged_file(folder, program))
    print(len(modules) if modules else modules)
"""
Answers = dict[str, bytes]


class Wheel:
    """An installation, what it answers, and what the merged files of it are."""

    def __init__(self, installation: Installation, env: Environment) -> None:
        self.installation = installation
        self._env = env | {"PATH": f"{installation.programs}:/usr/local/bin:/usr/bin:/bin"}

    @property
    def packages(self) -> Path:
        (found,) = self.installation.prefix.glob("lib/python*/site-packages")
        return found

    @property
    def python(self) -> str:
        return str(self.installation.prefix / "bin" / "python")

    def fill_cache(self) -> None:
        """Put tokens where the programs find them: no server is needed for their answers."""
        env = self.offline()
        subprocess.run([self.python, "-I", "-B", seed.__file__], env=env, check=True)

    def offline(self) -> Environment:
        """The environment of a cached answer: who is signed in is told by the tenant alone."""
        names = ("PATH", "HOME", "LANG", "MSAUTH_CACHE_DIR", "MSAUTH_BACKGROUND_REFRESH")
        return {name: self._env[name] for name in names} | {"MSAUTH_TENANT": TENANT}

    def answers(self, *, before: Callable[..., tuple[str, ...]] | None = None) -> Answers:
        """Return what each program says about a cached token."""
        found = {}
        for program, (words, stdin) in PROGRAMS.items():
            command = (str(self.installation.programs / words[0]), *words[1:])
            done = subprocess.run(
                before(*command) if before else command,
                input=stdin,
                env=self.offline(),
                capture_output=True,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, b""), (program, done.stderr)
            assert b"ey" in done.stdout, program
            found[program] = done.stdout
        return found

    def of_sources(self) -> Answers:
        """The same, with every module imported from its own file, as tracing has it."""
        return self.answers(before=lambda *words: ("env", "MSAUTH_TRACE=/dev/null", *words))

    def version(self) -> bytes:
        return run_program("git-credential-msauth", "capability", env=self._env).stdout

    def merged(self) -> dict[str, bytes]:
        """Return what of the package no source is: each merged file, and whatever stays of one."""
        folder = self.packages / "msauth"
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*.py*")
            if path.suffix != ".py" and path.parent.name != "__pycache__" and path.is_file()
            if path.name != "py.typed"
        }

    def loaded(self) -> list[str]:
        """Return how many modules each program loads from its file, or why it does not."""
        done = subprocess.run(
            [self.python, "-I", "-c", LOADED], capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    def set_time(self, seconds: int) -> None:
        for path in (self.packages / "msauth").rglob("*.py"):
            os.utime(path, (seconds, seconds))


NAMES = {start.merged_file(".", program).removeprefix("./") for program in merge.MODULES}
EMPTY = dict.fromkeys(NAMES, b"")
WHOLE = [str(len(names) + 1) for names in merge.MODULES.values()]


def works(wheel: Wheel) -> None:
    """A wheel that was just installed answers the same with the files and without."""
    wheel.fill_cache()
    assert wheel.merged() == EMPTY
    wanted = wheel.of_sources()
    assert wheel.merged() == EMPTY
    assert wheel.answers() == wanted
    made = wheel.merged()
    assert set(made) == NAMES
    assert wheel.loaded() == WHOLE
    assert wheel.answers() == wanted
    assert wheel.merged() == made


def cannot_be_written(wheel: Wheel) -> None:
    """An ordinary user of what root has installed: no file is made, and the answers are right."""
    wanted = wheel.answers()
    for path in (wheel.packages / "msauth").rglob("*.pyo"):
        path.unlink()
        path.write_bytes(b"")
    folders = [path for path in (wheel.packages / "msauth").rglob("*") if path.is_dir()]
    folders += [wheel.packages / "msauth"]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert wheel.answers(before=unprivileged.command) == wanted
        assert wheel.merged() == EMPTY
    finally:
        for folder in folders:
            folder.chmod(0o755)


def upgrades(wheel: Wheel, old: Path, folder: Path) -> None:
    """Of the old version nothing answers, also where no source has another time or size."""
    assert b"version 0" in wheel.version()
    wheel.set_time(FIXED)
    wheel.answers()
    assert wheel.loaded() == WHOLE
    new = another_version(old, folder, "9.0", {}, ("version 0", "version 9"))
    wheel.installation.install(new)
    wheel.set_time(FIXED)
    for _ in ("made", "used"):
        assert b"version 9" in wheel.version()
        wheel.answers()
    assert wheel.loaded() == WHOLE


def leaves_nothing(wheel: Wheel) -> None:
    wheel.installation.uninstall()
    prefix = wheel.installation.prefix
    left = [path for path in prefix.rglob("*") if "msauth" in path.name]
    # uv forgets what Python compiled of a module in no package; without a source nothing runs it.
    assert {path.name.partition(".")[0] for path in left} <= {"msauth_start"}, left
    assert {path.parent.name for path in left} <= {"__pycache__"}, left
    assert not [path for path in wheel.installation.programs.glob("*") if "msauth" in path.name]


@pytest.mark.parametrize("tool", ["pip", "pipx", "uv tool"])
@pytest.mark.parametrize("version", pythons.VERSIONS)
def test_it_is_installed_used_upgraded_and_removed(
    bare_env: Environment,
    cloud: Sandbox,
    built: dict[str, Path],
    tools: Callable[[], Path],
    tmp_path: Path,
    version: str,
    tool: str,
) -> None:
    python = pythons.needed(version)
    installation = Installation(tool, tmp_path, python, None if tool == "pip" else tools())
    installation.install(built["wheel"])
    wheel = Wheel(installation, bare_env)
    works(wheel)
    cannot_be_written(wheel)

    # A miss, which needs all that the wheel depends on.
    env = bare_env | cloud.environ | cloud.service_principal_environ("contoso")
    env |= {"PATH": f"{installation.programs}:/usr/bin:/bin", "MSAUTH_CACHE_DIR": f"{tmp_path}/new"}
    first = run_program("git-credential-msauth", "get", env=env, stdin=HELLO)
    assert b"password=ey" in first.stdout, first.stderr
    assert run_program("git-credential-msauth", "get", env=env, stdin=HELLO).stdout == first.stdout
    assert cloud.count("token") == 1

    upgrades(wheel, built["wheel"], tmp_path / "upgrade")
    leaves_nothing(wheel)


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy", "clone"])
def test_uv_s_cache_is_not_written_to(
    bare_env: Environment,
    built: dict[str, Path],
    tools: Callable[[], Path],
    tmp_path: Path,
    mode: str,
) -> None:
    """Its files are linked into every environment; what is made beside them stays in one."""
    installation = Installation("uv pip", tmp_path, pythons.needed("3.11"), tools())
    installation.install("--no-deps", "--link-mode", mode, built["wheel"])
    wheel = Wheel(installation, bare_env)
    works(wheel)
    cached = [path for path in installation.uv_cache.rglob("*.pyo") if path.is_file()]
    assert len(cached) == len(NAMES)
    assert [path for path in cached if path.stat().st_size] == []
    leaves_nothing(wheel)
    installation.install("--no-deps", "--link-mode", mode, built["wheel"])
    works(wheel)
    leaves_nothing(wheel)


def test_a_checkout_is_installed_as_it_is(
    bare_env: Environment, tmp_path: Path, built: dict[str, Path]
) -> None:
    """`pip install -e`: what is made there is beside the sources, and in no wheel built of them."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("helpers", "install", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, checkout / name)
    for made in checkout.rglob("*.pyo"):
        made.unlink()
    installation = Installation("pip", tmp_path, pythons.needed("3.11"))
    installation.install("--no-deps", "-e", checkout)
    wheel = Wheel(installation, bare_env)
    wheel.fill_cache()
    wanted = wheel.of_sources()
    for _ in ("made", "used"):
        assert wheel.answers() == wanted
    assert wheel.loaded() == WHOLE
    made_there = {path.relative_to(checkout / "helpers/msauth") for path in checkout.rglob("*.pyo")}
    assert {str(path) for path in made_there} == NAMES

    source = checkout / "helpers" / "msauth" / "protocols" / "git.py"
    source.write_text(source.read_text().replace("version 0", "version 9"))
    for _ in ("made", "used"):
        assert b"version 9" in wheel.version()
    python = wheel.python
    run(python, "-I", "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path / "wheels", checkout)
    (built_again,) = (tmp_path / "wheels").glob("*.whl")
    installation.uninstall()
    installation.install("--no-deps", built_again)
    works(wheel)
    leaves_nothing(wheel)
