"""What uninstall.sh calls last: no folder of ours stays, and nothing of anybody else's goes."""

import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import Environment, run_program

LEAVE_NOTHING = "from msauth.cli.logout import leave_nothing; leave_nothing()"


KEPT = ["", "setup/kubectl-1.before", "notes/mine", "shims/1/mine"]


@pytest.mark.parametrize("kept", KEPT)
def test_the_folders_of_ours_go(kept: str, bare_env: Environment, home: Path) -> None:
    bare_env.pop("MSAUTH_CACHE_DIR")
    cache, state = home / ".cache" / "msauth" / "v1", home / ".local" / "state" / "msauth"
    for folder in (cache, state, state / "setup", home / ".IdentityService"):
        folder.mkdir(mode=0o700, parents=True)
    for file in (cache / "epoch", cache / "1.lock", state / "prompt.lock"):
        file.touch(mode=0o600)
    done = run_program("msauth-run", "--shims", "--", "true", env=bare_env)
    assert done.returncode == 0, done.stderr
    (shim,) = state.glob("shims/*/az")
    if kept:
        (state / kept).parent.mkdir(exist_ok=True)
        (state / kept).touch()
    subprocess.run([sys.executable, "-c", LEAVE_NOTHING], env=bare_env, check=True)
    assert not cache.parent.exists()
    assert not (home / ".IdentityService").exists()
    assert not shim.parent.exists()
    assert state.exists() is bool(kept)
    assert not kept or (state / kept).exists()


def test_a_folder_that_others_may_read_is_left_alone(bare_env: Environment, home: Path) -> None:
    bare_env.pop("MSAUTH_CACHE_DIR")
    cache = home / ".cache" / "msauth" / "v1"
    cache.mkdir(parents=True)
    cache.chmod(0o755)
    (cache / "epoch").touch()
    subprocess.run([sys.executable, "-c", LEAVE_NOTHING], env=bare_env, check=True)
    assert (cache / "epoch").exists()
