"""Keep the programs of msauth from importing what lies in the current directory.

git runs its helper in the work tree. An empty item in PYTHONPATH (as `export
PYTHONPATH=$PYTHONPATH:/x` often leaves), or a relative one, would make Python take a repository's
`msauth/` or `json.py` for the real one. The launchers that pip, pipx and uv make cannot prevent
that, so `0_msauth.pth`, which Python reads before it runs a launcher, runs this file: in our own
programs it drops from sys.path what stems from such items. Other programs keep theirs, absolute
items stay, and so does PYTHONPATH itself for the commands that msauth-run starts.

Out of reach is what Python imports before it reads any .pth file: the package `encodings`, and
up to Python 3.10 also `os` and what it needs. install.sh's launchers (`python -I`) have no such
gap, nor does msauth where it is found through PYTHONPATH or in a `--target` folder and so has no
.pth file: there, PYTHONPATH must hold absolute items only.

This is no module to import: it is executed with `site_packages` set, and imports only what
Python itself has imported by then.
"""

import os
import sys

PROGRAMS = (
    *("bazel-credential-msauth", "cargo-credential-msauth", "docker-credential-msauth"),
    *("git-credential-msauth", "msauth", "msauth-run", "msauth-sandbox", "msauth-token"),
    *("nuget-plugin-msauth", "pnpm-token-msauth"),
)
"""The launchers, as [project.scripts] in pyproject.toml names them."""


def relative(pythonpath: str) -> set[str]:
    """Return where the empty and relative items of a PYTHONPATH lead now, made absolute."""
    items = pythonpath.split(os.pathsep)
    return {os.path.abspath(item) for item in items if not os.path.isabs(item)}


def drop(site_packages: str) -> None:
    """Take them out of sys.path, unless they are Python's own directories."""
    unwanted = relative(os.environ.get("PYTHONPATH") or sys.prefix)
    unwanted -= {site_packages, os.path.dirname(os.__file__)}
    sys.path[:] = [path for path in sys.path if path not in unwanted]


def is_ours(program: str) -> bool:
    """Say whether argv[0] is one of PROGRAMS, or by a name with a profile: NAME-work."""
    name = os.path.basename(program).removesuffix(".exe")
    return any(name == known or name.startswith(known + "-") for known in PROGRAMS)


if is_ours(sys.argv[0]) and "site_packages" in globals():
    drop(globals()["site_packages"])
