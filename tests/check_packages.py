"""Check that the built wheel and sdist hold what they should and nothing else.

Usage: python tests/check_packages.py DIRECTORY
"""

import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

PROGRAMS = {
    *("git-credential-msauth", "docker-credential-msauth", "cargo-credential-msauth"),
    *("bazel-credential-msauth", "nuget-plugin-msauth", "pnpm-token-msauth"),
    *("msauth", "msauth-token", "msauth-run", "msauth-sandbox"),
}
BESIDE = {"0_msauth.pth", "msauth_start.py"}
"""What stands beside the packages."""
MERGED = {
    *("msauth/git_credential.pyo", "msauth/run/program.pyo", "msauth/token/program.pyo"),
    *("msauth/credential_helpers/docker.pyo", "msauth/credential_helpers/pnpm.pyo"),
}
"""Empty files, in whose place the programs keep their modules merged."""
TOP = {
    *("helpers", "tests", "install", "README.md", "CHANGELOG.md", "LICENSE"),
    *("pyproject.toml", "PKG-INFO", ".gitignore"),
}


HELPERS = Path(__file__).parent.parent / "helpers"
TOPICS = {path.stem for path in (HELPERS / "msauth/topics").glob("*.md")}
SHARED = {
    *(f"man/man1/{name}.1" for name in PROGRAMS),
    *(f"man/man7/msauth-{name}.7" for name in TOPICS),
    "bash-completion/completions/msauth",
    "zsh/site-functions/_msauth",
    "fish/vendor_completions.d/msauth.fish",
}
"""What a wheel brings below share/: a manual page of each program and topic, and completions."""


def problems_of_wheel(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as wheel:
        names = [PurePosixPath(name) for name in wheel.namelist()]
        entry = next(name for name in names if name.name == "entry_points.txt")
        programs = {
            line.partition("=")[0].strip()
            for line in wheel.read(str(entry)).decode().split("\n")
            if "=" in line and ":" in line
        }
        merged = {info.filename for info in wheel.infolist() if info.filename.endswith(".pyo")}
        found = [f"not empty: {name}" for name in sorted(merged) if wheel.read(name)]
    found += [f"missing: {name}" for name in sorted(MERGED - merged)]
    found += [f"program missing: {name}" for name in sorted(PROGRAMS - programs)]
    shared = {"/".join(name.parts[3:]) for name in names if name.parts[1:3] == _SHARE}
    found += [f"missing below share/: {name}" for name in sorted(SHARED - shared)]
    found += [f"not wanted below share/: {name}" for name in sorted(shared - SHARED)]
    topics = {name.stem for name in names if name.parts[:2] == ("msauth", "topics")}
    found += [f"topic missing: {name}" for name in sorted(TOPICS - topics)]
    for name in names:
        info = name.parts[0].endswith(".dist-info") or name.parts[1:3] == _SHARE
        ours = name.parts[0] in ("msauth", "msauth_sandbox")
        if not info and str(name) not in BESIDE and not (ours and _is_ours(name)):
            found.append(f"not wanted in the wheel: {name}")
    if PurePosixPath("msauth/py.typed") not in names:
        found.append("py.typed is missing")
    found += [f"{name} is missing" for name in sorted(BESIDE - set(map(str, names)))]
    return found


_SHARE = ("data", "share")
"""Where share/ is below a wheel's `….data` folder."""


def _is_ours(name: PurePosixPath) -> bool:
    topic = name.parent == PurePosixPath("msauth/topics") and name.suffix == ".md"
    return name.suffix == ".py" or name.name == "py.typed" or topic or str(name) in MERGED


def problems_of_sdist(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        names = [PurePosixPath(name) for name in archive.getnames()]
    found = []
    for name in names:
        if len(name.parts) > 1 and name.parts[1] not in TOP:
            found.append(f"not wanted in the sdist: {name}")
        if "__pycache__" in name.parts or name.suffix in (".pyc", ".pyo"):
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
