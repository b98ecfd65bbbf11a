"""Built packages, and msauth installed from them by the tools that people use."""

import functools
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
Factory = pytest.TempPathFactory


def run(*command: str | Path, **more: str) -> None:
    subprocess.run(command, check=True, env=os.environ | more, cwd="/", stdout=subprocess.DEVNULL)


def environment(place: Path, *packages: str) -> Path:
    """Make a virtual environment with packages; skip the test, naming them, where pip cannot."""
    run(sys.executable, "-I", "-m", "venv", place)
    try:
        run(place / "bin" / "python", "-I", "-m", "pip", "install", "-q", *packages)
    except subprocess.CalledProcessError:
        pytest.skip(f"pip could not install {' '.join(packages)}")
    return place / "bin"


@pytest.fixture(scope="session")
def built(tmp_path_factory: Factory) -> dict[str, Path]:
    """The wheel and the sdist of this checkout, as a release has them."""
    place = tmp_path_factory.mktemp("built")
    programs = environment(place / "builder", "hatchling")
    for target in ("wheel", "sdist"):
        subprocess.run(
            [programs / "hatchling", "build", "-t", target, "-d", place],
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
        )
    return {"wheel": next(place.glob("*.whl")), "sdist": next(place.glob("*.tar.gz"))}


class Installation:
    """A place where one of the tools installs msauth, with a Python and other installers' help.

    tool: pip, pipx, `uv tool`, or `uv pip` into an environment of its own. tools: the folder that
    has pipx and uv, which pip does without.
    """

    def __init__(self, tool: str, place: Path, python: str, tools: Path | None = None) -> None:
        self._tool = tool
        self._python = python
        self._tools = tools
        self._variables = {
            "PIPX_HOME": f"{place}/pipx",
            "PIPX_BIN_DIR": f"{place}/bin",
            "UV_TOOL_DIR": f"{place}/uv",
            "UV_TOOL_BIN_DIR": f"{place}/bin",
            "UV_CACHE_DIR": f"{place}/uv-cache",
        }
        prefix = {"pipx": "pipx/venvs/msauth", "uv tool": "uv/msauth"}.get(tool, "environment")
        self.prefix = place / prefix
        self.programs = place / "bin" if tool in ("pipx", "uv tool") else self.prefix / "bin"
        self.uv_cache = place / "uv-cache"

    def install(self, *wheel: str | Path) -> None:
        """Install, or upgrade to, a wheel; options of the tool may stand before it."""
        own = self.prefix / "bin" / "python"
        match self._tool:
            case "pip":
                if not self.prefix.exists():
                    run(self._python, "-I", "-m", "venv", self.prefix)
                run(own, "-I", "-m", "pip", "install", "-q", *wheel)
            case "pipx":
                self._run("pipx", "install", "--force", "--python", self._python, *wheel)
            case "uv tool":
                self._run("uv", "tool", "install", "--python", self._python, *wheel)
            case "uv pip":
                if not self.prefix.exists():
                    self._run("uv", "venv", "-q", "--python", self._python, self.prefix)
                self._run("uv", "pip", "install", "-q", "--python", own, *wheel)

    def uninstall(self) -> None:
        """Remove msauth."""
        own = self.prefix / "bin" / "python"
        match self._tool:
            case "pip":
                run(own, "-I", "-m", "pip", "uninstall", "-q", "-y", "msauth")
            case "uv pip":
                self._run("uv", "pip", "uninstall", "-q", "--python", own, "msauth")
            case _:
                self._run(*self._tool.split(), "uninstall", "msauth")

    def _run(self, name: str, *words: str | Path) -> None:
        assert self._tools is not None
        run(self._tools / name, *words, **self._variables)


@pytest.fixture(scope="session")
def tools(tmp_path_factory: Factory) -> Callable[[], Path]:
    """A function that returns a folder with pipx and uv, which it installs once."""
    return functools.cache(lambda: environment(tmp_path_factory.mktemp("tools"), "pipx", "uv"))


@pytest.fixture(scope="session")
def installed(
    built: dict[str, Path], tools: Callable[[], Path], tmp_path_factory: Factory
) -> Callable[[str], Path]:
    """A function that installs the wheel with pip, pipx or uv, and returns the programs' folder."""

    @functools.cache
    def install(tool: str) -> Path:
        place = tmp_path_factory.mktemp(tool)
        if tool == "pip":
            return environment(place / "environment", str(built["wheel"]))
        name = "uv tool" if tool == "uv" else tool
        installation = Installation(name, place, sys.executable, tools())
        installation.install(built["wheel"])
        return installation.programs

    return install


def another_version(
    wheel: Path,
    folder: Path,
    version: str,
    files: dict[str, str],
    change: tuple[str, str] = ("", ""),
) -> Path:
    """Write the same wheel as another version, with more files (name → text) in it.

    A file's text is added to what one of that name has. change: text that is replaced in every
    file, and by what.
    """
    folder.mkdir(exist_ok=True)
    old = wheel.name.split("-")[1]
    rename = lambda name: name.replace(f"msauth-{old}.", f"msauth-{version}.")  # noqa: E731
    target = folder / wheel.name.replace(f"-{old}-", f"-{version}-")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(target, "w") as result:
        names = {rename(name): name for name in source.namelist()}
        for name in [*names, *(name for name in files if name not in names)]:
            data = source.read(names[name]) if name in names else b""
            data = data.replace(change[0].encode(), change[1].encode()) if change[0] else data
            if name.endswith(".dist-info/METADATA"):
                data = data.replace(
                    f"\nVersion: {old}\n".encode(), f"\nVersion: {version}\n".encode()
                )
            if name.endswith(".dist-info/RECORD"):
                lines = [line.split(",") for line in rename(data.decode()).split("\n") if line]
                data = "".join(f"{line[0]},,\n" for line in lines).encode()
                data += "".join(f"{extra},,\n" for extra in files if extra not in names).encode()
            result.writestr(name, data + files.get(name, "").encode())
    return target
