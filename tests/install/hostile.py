"""A directory that nothing may be imported or started from: all that is in it leaves a trace."""

import os
from pathlib import Path

MODULES = (
    *("azure", "ensurepip", "filelock", "json", "msauth", "msauth_sandbox", "pip", "platformdirs"),
    *("random", "re", "sitecustomize", "time", "tomllib", "usercustomize", "venv"),
    *("_virtualenv", "_distutils_hack"),
)
# Up to Python 3.10 these are imported before any .pth file is read: see msauth/import_path.py.
EARLY = ("os", "site", "stat", "posixpath", "io", "abc")
PROGRAMS = ("python3", "python", "git", "dirname", "sed", "find", "readlink", "id", "mkdir")


class Hostile:
    """A directory full of traps; `sprung` lists those that ran."""

    def __init__(self, directory: Path, *, early: bool) -> None:
        self.directory = directory
        self._trace = directory.parent / f"{directory.name}-sprung"
        modules = MODULES + EARLY * early
        for place in (directory, directory / "rel"):
            place.mkdir()
            for name in modules:
                self._module(place, name)
        for name in PROGRAMS:
            program = directory / name
            program.write_text(f"#!/bin/sh\necho {name} >>'{self._trace}'\nexit 1\n")
            program.chmod(0o755)
        self._trace.write_text("")
        os.chmod(self._trace, 0o666)

    def _module(self, place: Path, name: str) -> None:
        code = f"open({str(self._trace)!r}, 'a').write({name + chr(10)!r})\n"
        (place / name).mkdir()
        for file in ("__init__", "__main__", "cli", "git_credential", "run", "identity"):
            (place / name / f"{file}.py").write_text(code)

    def sprung(self) -> list[str]:
        return self._trace.read_text().split("\n")[:-1]
