"""What the hot paths load beyond `python -c pass`: an allow-list, for this Python.

Nothing of the list is taken on trust: what an interpreter loads at its start is asked of itself.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from msauth.request.clouds import DEVOPS_RESOURCE

from ..conftest import Environment
from ..hot_path import ALLOWED, STANDARD
from ..test_git_credential import HELLO
from .conftest import Cache
from .seed import REGISTRY, seed

NEVER = (
    "argparse", "azure", "base64", "ctypes", "dataclasses", "datetime", "filelock", "hashlib",
    "inspect", "json", "logging", "msal", "pathlib", "platformdirs", "random", "re", "requests",
    "shlex", "shutil", "signal", "socket", "ssl", "subprocess", "tempfile", "threading", "typing",
    "urllib",
)  # fmt: skip

HARNESS = """
import sys
before = set(sys.modules)
import os
hard_exit = os._exit
def leave(code):
    report()
    hard_exit(code)
os._exit = leave
os.execve = os.execv = os.execvpe = lambda *_: leave(0)
module, arguments = sys.argv[1], sys.argv[3:]
out, sys.argv = sys.argv[2], [module, *arguments]
def report(out=out):
    new = sorted(set(sys.modules) - before)
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, "\\n".join(new).encode())
main = __import__(module, fromlist=["main"]).main
try:
    code = main()
except SystemExit as stop:
    code = stop.code
leave(code or 0)
"""


def loaded(module: str, *arguments: str, env: Environment, stdin: bytes, out: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", HARNESS, module, str(out), *arguments],
        env=env,
        input=stdin,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return set(out.read_text().split())


SHIM = ["--answer-as", "az", "account", "get-access-token", "--resource", DEVOPS_RESOURCE]
SHIM_AZD = ["--output=json", f"--scope={DEVOPS_RESOURCE}/.default"]
GO_FEED = "https://pkgs.dev.azure.com/contoso/_packaging/hello/go/x/@v/list"
PATHS = [
    ("msauth.git_credential", ["get"], HELLO, True),
    ("msauth.git_credential", ["capability"], b"", False),
    ("msauth.credential_helpers.docker", ["get"], REGISTRY.encode(), True),
    ("msauth.credential_helpers.docker", ["list"], b"", False),
    ("msauth.token.program", ["devops"], b"", True),
    ("msauth.token.program", ["devops", "--format", "token"], b"", True),
    ("msauth.token.program", ["go"], b"", False),
    ("msauth.token.program", ["go", GO_FEED], b"HTTP/1.1 401 Unauthorized\n\n", True),
    ("msauth.run.program", ["--", "/bin/true"], b"", True),
    ("msauth.run.program", [*SHIM, "--query", "accessToken", "-o", "tsv"], b"", True),
    ("msauth.run.program", [*SHIM, "-o", "json"], b"", True),
    ("msauth.run.program", [*SHIM, "--tenant", "contoso.com", "-o", "json"], b"", True),
    ("msauth.run.program", ["--answer-as", "azd", "auth", "token", *SHIM_AZD], b"", True),
    ("msauth.credential_helpers.pnpm", [], b"", True),
]


@pytest.mark.parametrize(
    ("module", "arguments", "stdin", "cached"),
    PATHS,
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_cached_answer_loads_only_these(
    cache: Cache,
    bare_env: Environment,
    tmp_path: Path,
    module: str,
    arguments: list[str],
    stdin: bytes,
    cached: bool,
) -> None:
    # No variable that a machine may have: each could lead to another, legitimate path.
    env = bare_env | {"MSAUTH_CACHE_DIR": str(cache.base), "MSAUTH_TENANT": "contoso.com"}
    del env["MSAUTH_BACKGROUND_REFRESH"]
    if cached:
        seed(env)
    found = loaded(module, *arguments, env=env, stdin=stdin, out=tmp_path / "modules")
    assert not found & set(NEVER)
    assert found <= ALLOWED
    if cached:
        assert "msauth.broker.renewal" not in found
        assert "msauth.broker.entry" in found


def test_go_without_a_url_loads_next_to_nothing(bare_env: Environment, tmp_path: Path) -> None:
    found = loaded("msauth.token.program", "go", env=bare_env, stdin=b"", out=tmp_path / "modules")
    ours = {name for name in found if name.startswith("msauth")}
    assert ours == {
        *("msauth", "msauth.credential_helpers", "msauth.credential_helpers.go"),
        *("msauth.request", "msauth.request.options", "msauth.system"),
        *("msauth.token", "msauth.token.program"),
    }
    assert found - ours <= STANDARD


def test_a_foreign_host_loads_no_cache(bare_env: Environment, tmp_path: Path) -> None:
    found = loaded(
        "msauth.git_credential",
        "get",
        env=bare_env,
        stdin=b"protocol=https\nhost=github.com\n",
        out=tmp_path / "modules",
    )
    assert not found & set(NEVER)
    assert "msauth.cache.lock" not in found


def test_the_installed_launcher_adds_nothing_dear(bare_env: Environment) -> None:
    """pip up to 24 wrote launchers that import `re`: six milliseconds for nothing."""
    path = shutil.which("git-credential-msauth", path=bare_env["PATH"])
    assert path is not None
    text = Path(path).read_text()
    if "import re\n" in text:
        pytest.skip("installed by an old pip, whose launchers import re")
    assert "msauth_start" in text


def test_the_allow_list_is_about_something(tmp_path: Path, bare_env: Environment) -> None:
    """The harness sees an import when there is one."""
    (tmp_path / "dear.py").write_text("def main():\n    import json\n    return 0\n")
    program = HARNESS.replace(
        "module, arguments", f"sys.path.insert(0, {str(tmp_path)!r})\nmodule, arguments", 1
    )
    out = tmp_path / "modules"
    subprocess.run(
        [sys.executable, "-I", "-c", program, "dear", str(out)], env=bare_env, check=True
    )
    assert "json" in out.read_text().split()
