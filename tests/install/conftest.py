"""Built packages, and msauth installed from them by the tools that people use."""

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


@pytest.fixture(scope="session")
def installed(built: dict[str, Path], tmp_path_factory: Factory) -> Callable[[str], Path]:
    """A function that installs the wheel with pip, pipx or uv, and returns the programs' folder."""
    done: dict[str, Path] = {}

    def install(tool: str) -> Path:
        place = tmp_path_factory.mktemp(tool)
        if tool == "pip":
            return environment(place / "environment", str(built["wheel"]))
        tools = environment(place / "tools", tool)
        names = {"PIPX_HOME": "pipx", "UV_TOOL_DIR": "uv", "UV_CACHE_DIR": "uv-cache"}
        places = {name: str(place / folder) for name, folder in names.items()}
        places |= {"PIPX_BIN_DIR": str(place / "bin"), "UV_TOOL_BIN_DIR": str(place / "bin")}
        words = ("tool", "install", "--python", sys.executable) if tool == "uv" else ("install",)
        run(tools / tool, *words, built["wheel"], **places)
        return place / "bin"

    def once(tool: str) -> Path:
        if tool not in done:
            done[tool] = install(tool)
        return done[tool]

    return once


def another_version(wheel: Path, folder: Path, version: str, files: dict[str, str]) -> Path:
    """Write the same wheel as another version, with more files (name → text) in it.

    A file's text is added to what one of that name has.
    """
    folder.mkdir(exist_ok=True)
    old = wheel.name.split("-")[1]
    rename = lambda name: name.replace(f"msauth-{old}.", f"msauth-{version}.")  # noqa: E731
    target = folder / wheel.name.replace(f"-{old}-", f"-{version}-")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(target, "w") as result:
        names = {rename(name): name for name in source.namelist()}
        for name in [*names, *(name for name in files if name not in names)]:
            data = source.read(names[name]) if name in names else b""
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
