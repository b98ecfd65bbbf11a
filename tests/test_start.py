"""The merged modules of a cached answer: used when they are right, ignored when they are not."""

import importlib.metadata
import itertools
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import msauth
import msauth_start as start
from msauth import merge

from . import hot_path, pythons, unprivileged
from .cache import strace
from .cache.conftest import Cache, cache
from .cache.seed import REGISTRY, seed
from .conftest import Environment
from .slices import sliced
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

    def run(self, program: str, *arguments: str, python: tuple[str, ...] = ()) -> dict[str, str]:
        """Run a program for a cached answer; returns how each module of ours was loaded.

        python: words in place of those that start Python.
        """
        out = self.place / "out"
        words = (*(python or (sys.executable, "-I")), "-c", CODE, str(self.place), ENTRY[program])
        done = subprocess.run(
            [*words, str(out), *(arguments or PROGRAMS[program])],
            env=self.env,
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
    head = len(start.version())
    file.write_bytes(
        {
            "empty": b"",
            "short": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "hash": whole[:head] + bytes(8) + whole[head + 8 :],
            "garbage": b"not marshalled at all" * 9,
        }[damage]
    )
    assert package.run("git_credential")["msauth.broker.broker"] == "merged"
    assert start.load(str(package.folder), str(file)) is not None


@pytest.mark.parametrize(
    "case", sliced(itertools.product(pythons.VERSIONS, PROGRAMS), 99), ids="-".join
)
def test_under_every_python(package: Package, case: tuple[str, str]) -> None:
    version, program = case
    python = (pythons.needed(version), "-I")
    first = package.run(program, python=python)
    assert "msauth.merge" in first
    made = package.merged_file(program).read_bytes()
    second = package.run(program, python=python)
    assert {name for name, how in second.items() if how == "merged"} == {
        f"msauth.{name}".rstrip(".") for name in (*merge.MODULES[program], program)
    }
    assert package.merged_file(program).read_bytes() == made


def test_pythons_that_share_a_folder_do_not_take_turns(package: Package) -> None:
    found = [(python, "-I") for python in map(pythons.find, pythons.VERSIONS) if python]
    if len(found) < 2:
        pytest.skip("there is only one Python on this machine")
    package.run("git_credential", python=found[0])
    made = package.merged_file("git_credential").read_bytes()
    for _ in range(2):
        for python in found:
            how = "merged" if python == found[0] else "imported"
            assert package.run("git_credential", python=python)["msauth.broker.broker"] == how
    assert package.merged_file("git_credential").read_bytes() == made


@pytest.fixture
def anothers(package: Package, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A merged file of another Python than this."""
    with monkeypatch.context() as patched:
        patched.setattr(start, "version", lambda: start.MADE_FOR + b"cpython-299\n")
        assert merge.merge(str(package.folder), "git_credential")
    return package.merged_file("git_credential")


def test_another_pythons_is_left_alone(package: Package, anothers: Path) -> None:
    before = anothers.read_bytes()
    for _ in range(2):
        assert set(package.run("git_credential").values()) == {"imported"}
        assert anothers.read_bytes() == before


def test_after_an_upgrade_of_python_there_is_a_new_one(package: Package, anothers: Path) -> None:
    a_day_ago = anothers.stat().st_mtime - start.OTHERS_STAY - 1
    os.utime(anothers, (a_day_ago, a_day_ago))
    for _ in ("made again", "used"):
        assert package.run("git_credential")["msauth.broker.broker"] == "merged"


def test_with_and_without_o_it_is_the_same(package: Package) -> None:
    package.run("git_credential", python=(sys.executable, "-IO"))
    made = package.merged_file("git_credential").read_bytes()
    assert package.run("git_credential")["msauth.broker.broker"] == "merged"
    assert package.merged_file("git_credential").read_bytes() == made


def test_a_container_image_keeps_it(package: Package) -> None:
    """The layers of an image have times to the second; an edit has any other."""
    source = package.folder / "protocols" / "git.py"
    os.utime(source, ns=(0, 1_700_000_000_987_654_321))
    package.run("git_credential")
    file, folder = package.merged_file("git_credential"), str(package.folder)
    os.utime(source, ns=(0, 1_700_000_000_000_000_000))
    assert start.load(folder, str(file))
    for other in (1_700_000_000_987_654_322, 1_700_000_001_000_000_000, 1_700_000_000_000_000_001):
        os.utime(source, ns=(0, other))
        assert start.load(folder, str(file)) is None


def test_whatever_removes_the_package_knows_of_them() -> None:
    """The wheel has them; what is no file of a wheel is left behind by uv."""
    known = {
        str(file) for file in importlib.metadata.files("msauth") or () if file.suffix == ".pyo"
    }
    assert known == {start.merged_file("msauth", program) for program in merge.MODULES}


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
    assert "msauth.merge" not in out.read_text(), "it takes half as long as Python's start"
    assert not package.merged_file("git_credential").exists()


def test_a_folder_that_cannot_be_written(package: Package) -> None:
    package.folder.chmod(0o500)
    python = unprivileged.command(sys.executable, "-I")
    try:
        loaded = package.run("git_credential", python=python)
    finally:
        package.folder.chmod(0o700)
    assert set(loaded.values()) == {"imported"}
    assert "msauth.merge" not in loaded
    assert not package.merged_file("git_credential").exists()


def test_the_owner_makes_all_at_once_and_is_told_where_that_cannot_be(package: Package) -> None:
    own = f"import runpy, sys; sys.path.insert(0, {str(package.place)!r})\n"
    words = ("-I", "-c", own + "runpy.run_module('msauth.merge', run_name='__main__')")

    def made(*python: str) -> tuple[int, bytes, int]:
        done = subprocess.run([*python, *words], env=package.env, capture_output=True, check=False)
        return done.returncode, done.stderr, len(list(package.folder.rglob("*.pyo")))

    folders = [package.folder, *(path for path in package.folder.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    try:
        code, said, files = made(*unprivileged.command(sys.executable))
    finally:
        for folder in folders:
            folder.chmod(0o700)
    assert (code, files) == (1, 0)
    error, hint = said.decode().splitlines()
    assert error == f"msauth: error: cannot write below {package.folder}"
    assert hint.startswith("msauth: hint: sudo ")
    assert hint.endswith(" -I -m msauth.merge")
    assert made(sys.executable) == (0, b"", len(merge.MODULES))


def test_what_the_file_system_refuses_is_not_left_half_written(package: Package) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        assert merge.merge(str(package.folder), "git_credential") is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(package.folder.rglob("*.pyo*")) == []


def test_the_file_that_was_there_is_not_written_to(package: Package) -> None:
    """It may be a link into the cache of uv, which other environments share."""
    file = package.merged_file("git_credential")
    for link in (os.link, os.symlink):
        cached = package.place / f"cached-{link.__name__}"
        cached.write_bytes(b"")
        file.unlink(missing_ok=True)
        link(cached, file)
        assert merge.merge(str(package.folder), "git_credential")
        assert cached.read_bytes() == b""
        assert not file.is_symlink()


def test_a_file_that_another_puts_there_meanwhile_is_not_written_to(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = package.place / "cached"
    cached.write_bytes(b"")
    package.merged_file("git_credential").symlink_to(cached)
    monkeypatch.setattr(os, "unlink", lambda _: None)
    assert merge.merge(str(package.folder), "git_credential") is None
    assert cached.read_bytes() == b""


@pytest.mark.parametrize(("source", "merged"), [(0o644, 0o644), (0o444, 0o644), (0o700, 0o600)])
def test_it_is_open_to_nobody_who_may_not_have_the_source(
    package: Package, source: int, merged: int
) -> None:
    """Whatever the umask of the first who asks: it is code that others run."""
    package.folder.joinpath("git_credential.py").chmod(source)
    before = os.umask(0)
    try:
        assert merge.merge(str(package.folder), "git_credential")
    finally:
        os.umask(before)
    mode = package.merged_file("git_credential").stat().st_mode & 0o777
    assert mode == merged


KILLED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from msauth import merge
try:
    os.stat("/the-mark")
except OSError:
    pass
merge.merge(sys.argv[1] + "/msauth", "git_credential")
"""


@pytest.mark.parametrize(
    "before",
    [
        "a slice",
        *(pytest.param(state, marks=pytest.mark.long) for state in ("nothing", "empty", "stale")),
    ],
)
def test_killed_anywhere_it_leaves_nothing_but_the_file(
    package: Package, tmp_path: Path, before: str
) -> None:
    strace.needed()
    command = [*strace.python(KILLED), str(package.place)]
    folder, file = str(package.folder), package.merged_file("git_credential")
    subprocess.run(command, env=package.env, check=True)  # which also writes the .pyc files
    stale = file.read_bytes()[:-1]

    def set_up() -> None:
        file.unlink(missing_ok=True)
        if before != "nothing":
            file.write_bytes(b"" if before == "empty" else stale)

    set_up()
    strace.run(command, "trace=all", env=package.env, log=tmp_path / "log")
    wanted = start.load(folder, str(file))
    assert wanted
    calls = strace.after_mark(tmp_path / "log", "/the-mark")
    first = next(number for number, (name, _) in enumerate(calls) if name == "unlink")
    if before == "a slice":
        (written,) = (number for number, (name, _) in enumerate(calls) if name == "write")
        calls = [calls[first], calls[first + 1], calls[written], calls[written + 1]]
    elif before != "stale":
        calls = calls[first:]  # those before only read, whatever is there
    files = {*package.folder.rglob("*"), file}
    for name, when in calls:
        set_up()
        kill = f"inject={name}:signal=KILL:when={when}"
        done = strace.run(command, f"trace={name}", kill, env=package.env)
        assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), (name, when)
        assert start.load(folder, str(file)) in (None, wanted), (name, when)
        assert set(package.folder.rglob("*")) <= files, (name, when)
        if before != "a slice":
            assert package.run("git_credential")["msauth.broker.broker"] == "merged"
            assert start.load(folder, str(file)) == wanted, (name, when)


@pytest.mark.parametrize("count", sliced([6, 60], 2))
def test_a_crowd_that_makes_it_together_is_answered(package: Package, count: int) -> None:
    """Nobody waits: each makes it, and whoever finds another's half written makes it again."""
    command = (sys.executable, "-I", "-c", CODE, str(package.place), "git_credential", os.devnull)
    processes = [
        subprocess.Popen(
            [*command, "get"],
            env=package.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(count)
    ]
    answers = {process.communicate(HELLO) for process in processes}
    assert len(answers) == 1
    assert answers.pop()[1] == b""
    for _ in range(2):
        loaded = package.run("git_credential")
    assert loaded["msauth.broker.broker"] == "merged"
    assert "msauth.merge" not in loaded
    file = package.merged_file("git_credential")
    assert [path.name for path in file.parent.glob("*.pyo*")] == [file.name]


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
