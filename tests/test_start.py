"""The merged modules of a cached answer: used when they are right, ignored when they are not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import msauth
import msauth_start as start
from msauth import merge

from . import hot_path
from .cache.conftest import Cache, cache
from .cache.seed import REGISTRY, seed
from .conftest import Environment
from .test_git_credential import HELLO

__all__ = ["cache"]
PROGRAMS = {
    "git_credential": ("get",),
    "credential_helpers.docker": ("get",),
    "token.program": ("aks",),
    "run.program": ("--", "true"),
}
ENTRY = {
    "git_credential": "git_credential",
    "credential_helpers.docker": "docker_credential",
    "token.program": "token",
    "run.program": "run",
}
CODE = """
import os, sys
sys.path.insert(0, sys.argv[1])
name, out, *sys.argv[1:] = sys.argv[2:]
def report(*_):
    with open(out, "w") as file:
        for module in list(sys.modules):
            if module.startswith("msauth"):
                merged = sys.modules[module].__spec__ is None
                print(module, "merged" if merged else "imported", file=file)
hard_exit = os._exit
os._exit = sys.modules["posix"]._exit = lambda code: (report(), hard_exit(code))
os.execve = os.execv = lambda *_: (report(), hard_exit(0))
import msauth_start as start
sys.exit(getattr(start, name)())
"""


class Package:
    """A copy of the installed package, and what its programs import there."""

    def __init__(self, place: Path, env: Environment) -> None:
        self.place = place
        self.folder = place / "msauth"
        self.env = env
        shutil.copytree(
            Path(msauth.__file__).parent, self.folder, ignore=shutil.ignore_patterns("*.py[co]")
        )
        shutil.copy(start.__file__, place)

    def merged_file(self, program: str) -> Path:
        return Path(start.merged_file(str(self.folder), program))

    def run(self, program: str, *arguments: str, **variables: str) -> dict[str, str]:
        """Run a program for a cached answer; returns how each module of ours was loaded."""
        out = self.place / "out"
        words = ("-I", "-c", CODE, str(self.place), ENTRY[program], str(out))
        done = subprocess.run(
            [sys.executable, *words, *(arguments or PROGRAMS[program])],
            env=self.env | variables,
            input=REGISTRY.encode() if program == "credential_helpers.docker" else HELLO,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        if program == "git_credential":
            assert b"password=" in done.stdout or arguments
        return dict(line.split() for line in out.read_text().splitlines())


@pytest.fixture
def package(tmp_path: Path, bare_env: Environment, cache: Cache) -> Package:
    tenant = "11111111-1111-1111-1111-111111111111"
    env = bare_env | {"MSAUTH_CACHE_DIR": str(cache.base), "MSAUTH_TENANT": tenant}
    seed(env)
    return Package(tmp_path / "copy", env)


@pytest.mark.parametrize("program", PROGRAMS)
def test_made_once_and_then_used(package: Package, program: str) -> None:
    assert not package.merged_file(program).exists()
    package.run(program)
    file = package.merged_file(program)
    made = file.stat()
    assert made.st_mode & 0o777 == 0o666 & ~_umask()
    loaded = package.run(program)
    wanted = {f"msauth.{name}".rstrip(".") for name in (*merge.MODULES[program], program)}
    assert {name for name, how in loaded.items() if how == "merged"} == wanted
    assert set(loaded) == {"msauth_start", *wanted}, "MODULES names what is imported"
    assert wanted <= hot_path.OURS
    assert file.stat().st_mtime_ns == made.st_mtime_ns
    assert [path.name for path in file.parent.glob("*.pyo*")] == [file.name]


def test_nothing_is_collected(package: Package) -> None:
    """The modules alone would start the collector of garbage five times."""
    code = CODE.replace("hard_exit(code))", "print(len(runs), file=sys.stderr), hard_exit(code))")
    watch = "import gc; gc.collect(); runs = []; gc.callbacks.append(lambda *_: runs.append(1))\n"
    words = ("-I", "-c", watch + code, str(package.place), "git_credential", os.devnull, "get")
    for _ in ("made", "used"):
        done = subprocess.run(
            [sys.executable, *words], env=package.env, input=HELLO, capture_output=True, check=True
        )
    assert done.stderr == b"0\n"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_edited_source_is_what_runs(package: Package) -> None:
    package.run("git_credential", "capability")
    source = package.folder / "protocols" / "git.py"
    text = source.read_text()
    assert text.count("version 0") == 1
    source.write_text(text.replace("version 0", "version 9"))
    words = ("-I", "-c", CODE, str(package.place), "git_credential")
    for _ in ("made again", "used"):
        done = subprocess.run(
            [sys.executable, *words, os.devnull, "capability"],
            env=package.env,
            capture_output=True,
            check=True,
        )
        assert b"version 9" in done.stdout


@pytest.mark.parametrize("damage", ["empty", "short", "flipped", "hash", "garbage"])
def test_a_damaged_file_is_made_again(package: Package, damage: str) -> None:
    package.run("git_credential")
    file = package.merged_file("git_credential")
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        {
            "empty": b"",
            "short": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "hash": b"\0" * 8 + whole[8:],
            "garbage": b"not marshalled at all" * 9,
        }[damage]
    )
    assert package.run("git_credential")["msauth.broker.broker"] == "merged"
    assert start.load(str(package.folder), str(file)) is not None


def test_another_pythons_is_left_alone(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "version", lambda: ("cpython-299", b"\0\0\r\n", 0))
    assert merge.merge(str(package.folder), "git_credential")
    file = package.merged_file("git_credential")
    before = file.read_bytes()
    assert set(package.run("git_credential").values()) == {"imported"}
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONDONTWRITEBYTECODE": "1"},
        {"PYTHONPYCACHEPREFIX": "/nowhere"},
        {"PYTHONOPTIMIZE": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        {"MSAUTH_TRACE": "/dev/null"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_where_none_is_made(package: Package, variables: dict[str, str]) -> None:
    out = package.place / "out"
    done = subprocess.run(  # without -I, which ignores Python's variables
        [sys.executable, "-c", CODE, str(package.place), "git_credential", str(out), "get"],
        env=package.env | variables,
        input=HELLO,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "merged" not in out.read_text()
    assert "msauth.merge" not in out.read_text(), "what makes it costs more than the answer"
    assert not package.merged_file("git_credential").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(package: Package) -> None:
    package.folder.chmod(0o500)
    try:
        assert set(package.run("git_credential").values()) == {"imported"}
    finally:
        package.folder.chmod(0o700)


def test_what_the_file_system_refuses_costs_nothing(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(merge.os, "replace", refuse)
    assert merge.merge(str(package.folder), "git_credential") is None
    assert list(package.folder.glob("*.pyo*")) == []


def test_a_build_that_was_killed_leaves_it_working(package: Package) -> None:
    file = package.merged_file("git_credential")
    (file.parent / (file.name + ".0123456789ab")).write_bytes(b"half")
    package.run("git_credential")
    assert package.run("git_credential")["msauth.broker.broker"] == "merged"


def test_store_needs_none(package: Package) -> None:
    assert set(package.run("git_credential", "store")) == {"msauth_start"}
    assert not package.merged_file("git_credential").exists()


def test_go_needs_none(package: Package) -> None:
    loaded = package.run("token.program", "go")
    assert set(loaded) == {
        *("msauth", "msauth_start", "msauth.system", "msauth.token", "msauth.token.program"),
        *("msauth.credential_helpers", "msauth.credential_helpers.go"),
        *("msauth.request", "msauth.request.options"),
    }
    assert not package.merged_file("token.program").exists()
