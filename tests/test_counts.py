"""What an answer costs, in counts that no load of the machine changes: files, calls, modules,
requests.

Time is measured by install/benchmark.sh and asserted nowhere. A limit below is what was counted,
with a few calls more for other versions of Python. To lower one after making something cheaper,
run `sh install/test.sh -n 0 -s tests/test_counts.py`, which prints the counts, and write down the
new one. Raise one only with the reason in the commit: each file and each call of a cached answer is
paid for at every `git fetch` and every `kubectl get`, and they come back one at a time, unnoticed.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from .cache import strace
from .cache.conftest import Cache, cache
from .cache.seed import REGISTRY, seed
from .cache.test_imports import loaded
from .conftest import SCRIPTS, Environment
from .install.test_launchers import ours
from .signin_stubs import DEVOPS, az_login, stub, subscription, write_profile
from .test_git_credential import HELLO

__all__ = ["cache", "ours"]
GIVEN = HELLO + b"username=x\npassword=y\n"
BARE = {
    "pip": (sys.executable, "-c", "pass"),
    "install.sh": (sys.executable, "-IS", "-c", "pass"),
    "install.sh, store": ("/bin/sh", "-c", ":"),
}
# The words and what they read; then the files that are opened and the system calls, beyond those of
# the bare interpreter that the program runs in: as pip installs it, and as install.sh does.
CASES: dict[str, tuple[tuple[str, ...], bytes, tuple[int, int], tuple[int, int]]] = {
    "get": (("git-credential-msauth", "get"), HELLO, (7, 108), (11, 160)),
    "store": (("git-credential-msauth", "store"), GIVEN, (4, 60), (1, 96)),
    "docker get": (("docker-credential-msauth", "get"), REGISTRY.encode(), (7, 110), (8, 110)),
    "token": (("msauth-token", "aks"), b"", (7, 110), (8, 110)),
    "run": (("msauth-run", "--", "/bin/true"), b"", (9, 138), (10, 138)),
}
# Modules that are in sys.modules beyond those of `python -c pass`. Which ones: hot_path.py.
MODULES: list[tuple[str, tuple[str, ...], bytes, int]] = [
    ("msauth.git_credential", ("get",), HELLO, 20),
    ("msauth.credential_helpers.docker", ("get",), REGISTRY.encode(), 22),
    ("msauth.token.program", ("aks",), b"", 22),
    ("msauth.run.program", ("--", "/bin/true"), b"", 20),
]
# What a miss asks of the cloud, by the kind of the sandbox's records, and how many modules it
# loads, with room for newer versions of the libraries. `devops` is the question which tenant an
# organisation is in.
MISSES: dict[str, tuple[dict[str, int], int]] = {
    "azure-cli": ({"devops": 1}, 350),
    "managed-identity": ({"devops": 1, "managed_identity": 1}, 600),
    "service-principal": ({"devops": 1, "discovery": 1, "token": 1}, 600),
}
_OPENED = re.compile(r"\bopenat\(.*\) = \d+$")


def count(command: list[str], stdin: bytes, env: Environment, log: Path) -> tuple[int, int]:
    """Return the files that a command opened, those that are there, and its system calls."""
    done = strace.run(command, "trace=all", env=env, stdin=stdin, log=log)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = log.read_text(errors="replace").splitlines()
    return sum(1 for line in lines if _OPENED.search(line)), len(strace.calls(log))


@pytest.mark.parametrize("installer", ["pip", "install.sh"])
def test_a_cached_answer_opens_and_calls_no_more(
    bare_env: Environment, cache: Cache, ours: Path, tmp_path: Path, installer: str
) -> None:
    strace.needed()
    folder = SCRIPTS if installer == "pip" else ours
    env = bare_env | {"MSAUTH_CACHE_DIR": str(cache.base), "MSAUTH_TENANT": "contoso.com"}
    seed(env)
    base = {name: count([*words], b"", env, tmp_path / "log") for name, words in BARE.items()}
    print(f"\n{installer}: bare {base}")
    over = {}
    for name, (words, stdin, *limits) in CASES.items():
        command = [str(folder / words[0]), *words[1:]]
        subprocess.run(command, input=stdin, env=env, capture_output=True, check=True)
        found = count(command, stdin, env, tmp_path / "log")
        bare = base.get(f"{installer}, {name}", base[installer])
        beyond = (found[0] - bare[0], found[1] - bare[1])
        limit = limits[installer == "install.sh"]
        print(f"{name}: {beyond[0]:+} files, {beyond[1]:+} calls; allowed {limit}")
        if beyond[0] > limit[0] or beyond[1] > limit[1]:
            over[name] = (beyond, limit)
    assert over == {}


@pytest.mark.parametrize(("module", "words", "stdin", "limit"), MODULES)
def test_a_cached_answer_loads_no_more_modules(
    bare_env: Environment,
    cache: Cache,
    tmp_path: Path,
    module: str,
    words: tuple[str, ...],
    stdin: bytes,
    limit: int,
) -> None:
    env = bare_env | {"MSAUTH_CACHE_DIR": str(cache.base), "MSAUTH_TENANT": "contoso.com"}
    seed(env)
    found = loaded(module, *words, env=env, stdin=stdin, out=tmp_path / "modules")
    print(f"\n{module} {words[0]}: {len(found)} modules")
    assert len(found) <= limit, sorted(found)


@pytest.mark.parametrize("kind", MISSES)
def test_a_miss_asks_and_loads_no_more(
    bare_env: Environment, cloud: Sandbox, home: Path, tmp_path: Path, kind: str
) -> None:
    env = bare_env | cloud.environ
    match kind:
        case "azure-cli":
            write_profile(home, subscription(cloud, "contoso", default=True))
            az_login(cloud, env, DEVOPS)
            stub(env, "az", "exit 1")
        case "managed-identity":
            env |= cloud.managed_identity_environ()
        case "service-principal":
            env |= cloud.service_principal_environ("contoso")
    cloud.reset()
    arguments = ("--credential", kind, "get")
    found = loaded(
        "msauth.git_credential", *arguments, env=env, stdin=HELLO, out=tmp_path / "modules"
    )
    asked = Counter(record.kind for record in cloud.requests if record.kind != "connect")
    print(f"\n{kind}: {dict(asked)}, {len(found)} modules")
    requests, limit = MISSES[kind]
    assert asked == requests
    assert len(found) <= limit
