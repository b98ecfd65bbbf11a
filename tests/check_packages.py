"""Check that the built wheel and sdist hold what they should and nothing else.

Usage: python tests/check_packages.py DIRECTORY
"""

import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

PROGRAMS = {"git-credential-msauth", "msauth", "msauth-token", "msauth-run", "msauth-sandbox"}
PATHS = "0_msauth.pth"
TOP = {
    *("helpers", "tests", "install", "README.md", "CHANGELOG.md", "LICENSE"),
    *("pyproject.toml", "PKG-INFO", ".gitignore"),
}


def problems_of_wheel(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as wheel:
        names = [PurePosixPath(name) for name in wheel.namelist()]
        entry = next(name for name in names if name.name == "entry_points.txt")
        programs = {
            line.partition("=")[0].strip()
            for line in wheel.read(str(entry)).decode().split("\n")
            if "=" in line and ":" in line
        }
    found = [f"program missing: {name}" for name in sorted(PROGRAMS - programs)]
    for name in names:
        info = name.parts[0].endswith(".dist-info")
        ours = name.parts[0] in ("msauth", "msauth_sandbox")
        if (
            not info
            and str(name) != PATHS
            and not (ours and (name.suffix == ".py" or name.name == "py.typed"))
        ):
            found.append(f"not wanted in the wheel: {name}")
    if PurePosixPath("msauth/py.typed") not in names:
        found.append("py.typed is missing")
    if PurePosixPath(PATHS) not in names:
        found.append(f"{PATHS} is missing")
    return found


def problems_of_sdist(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        names = [PurePosixPath(name) for name in archive.getnames()]
    found = []
    for name in names:
        if len(name.parts) > 1 and name.parts[1] not in TOP:
            found.append(f"not wanted in the sdist: {name}")
        if "__pycache__" in name.parts or name.suffix == ".pyc":
            found.append(f"not wanted in the sdist: {name}")
    present = {name.parts[1] for name in names if len(name.parts) > 1}
    return found + [f"missing from the sdist: {name}" for name in sorted(TOP - present)]


def main(directory: str) -> int:
    found = []
    for path in Path(directory).iterdir():
        if path.suffix == ".whl":
            found += problems_of_wheel(path)
        elif path.name.endswith(".tar.gz"):
            found += problems_of_sdist(path)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
