"""What an answer from the cache takes, of every program that clients run often.

The tokens are made up, so no sign-in and no network is needed. Each program is measured as pip
installs it and, where install.sh made its own launcher of it, as that.
"""

import functools
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..cache.seed import seed
from .cases import Case, Place

TENANT = "11111111-1111-1111-1111-111111111111"
FEED = b"https://pkgs.dev.azure.com/contoso/_packaging/hello"
GIT = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n"
STORE = GIT + b"username=x\npassword=y\n"
CARGO = b'{"v":1,"registry":{"index-url":"sparse+%s/Cargo/index/"},"kind":"get"}\n' % FEED
TRUE = shutil.which("true", path="/usr/bin:/bin") or "true"

Run = tuple[list[str], bytes]
"""The words of a command and its input."""
_GET: Run = (["git-credential-msauth", "get"], GIT)
_STORE: Run = (["git-credential-msauth", "store"], STORE)
PROGRAMS: dict[str, tuple[list[Run], float | None, float | None]] = {
    # name: (what is run, the limit as pip installs it, the limit as install.sh does)
    "git get": ([_GET], 1.0, 0.9),
    "git store": ([_STORE], 1.0, 0.15),
    "git get, store": ([_GET, _STORE], None, 1.0),
    "docker get": ([(["docker-credential-msauth", "get"], b"contoso.azurecr.io")], 1.05, 0.95),
    "token": ([(["msauth-token", "aks"], b"")], 1.05, 0.95),
    "go, no URL": ([(["msauth-token", "go"], b"")], 1.05, 0.95),
    "go": (
        [
            (
                ["msauth-token", "go", f"{FEED.decode()}/go/x/@v/list"],
                b"HTTP/1.1 401 Unauthorized\n\n",
            )
        ],
        None,
        None,
    ),
    "cargo": ([(["cargo-credential-msauth", "--cargo-plugin"], CARGO)], 2.0, 2.0),
    "bazel": ([(["bazel-credential-msauth", "get"], b'{"uri":"%s"}' % FEED)], None, None),
    "pnpm": ([(["pnpm-token-msauth"], b"")], 1.05, 0.95),
    "run -- true": ([(["msauth-run", "--", TRUE], b"")], 1.1, 1.0),
}
"""`run -- true` is held against Python and `true`, all others against Python alone."""


@contextmanager
def cases(place: Place) -> Iterator[list[Case]]:
    """Yield `python -c pass` of the same environment, and the programs that answer from a cache."""
    env = with_tokens(place)
    python: Run = ([place.python, "-c", "pass"], b"")
    bare, both = "python -c pass (hot)", "python -c pass, true (hot)"
    found = [
        Case(bare, functools.partial(_run, [python], env)),
        Case(both, functools.partial(_run, [python, ([TRUE], b"")], env)),
    ]
    for name, (runs, *limits) in PROGRAMS.items():
        base = both if name.startswith("run") else bare
        folders = (("pip", place.pip), ("install.sh", place.installed))
        for (how, folder), limit in zip(folders, limits, strict=True):
            if folder is None or not (folder / runs[0][0][0]).exists():
                continue
            here = [([str(folder / words[0]), *words[1:]], stdin) for words, stdin in runs]
            _check(here[0], env)
            run = functools.partial(_run, here, env)
            found.append(Case(f"{name} ({how})", run, base=base, limit=limit))
    yield found


def with_tokens(place: Place) -> dict[str, str]:
    """Return an environment with a cache that has a token for every program."""
    env = place.environment(
        MSAUTH_CACHE_DIR=str(place.scratch / "cache"),
        MSAUTH_TENANT=TENANT,
        AZURE_CONFIG_DIR=str(place.scratch / "azure"),
    )
    seed(env)
    return env


def _run(runs: list[Run], env: dict[str, str]) -> float:
    """Run commands one after another; return the seconds they took."""
    # A go command that asks again after ten seconds was refused (see `credential_helpers.go`).
    for given in Path(env["MSAUTH_CACHE_DIR"]).glob("v1/*.given"):
        given.unlink()
    began = time.perf_counter()
    for words, stdin in runs:
        subprocess.run(words, input=stdin, stdout=subprocess.DEVNULL, env=env, check=True)
    return time.perf_counter() - began


def _check(run: Run, env: dict[str, str]) -> None:
    """Raise where a program says anything but its answer: what is measured would be another thing.

    The second start finds what the first one writes for all that follow (see `msauth_start`).
    """
    words, stdin = run
    for _ in range(2):
        done = subprocess.run(words, input=stdin, env=env, capture_output=True, check=True)
        if done.stderr:
            raise RuntimeError(f"{os.path.basename(words[0])}: {done.stderr.decode()}")
