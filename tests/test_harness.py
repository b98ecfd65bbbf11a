"""The tests themselves: nothing of whoever runs them, or of how they were started, gets in."""

import os
import signal
import subprocess
import sys
from pathlib import Path


def test_a_home_of_its_own() -> None:
    home = os.environ["HOME"]
    assert Path(home).name.startswith("msauth-test-home-")
    done = subprocess.run(["git", "config", "--list"], cwd="/", capture_output=True, check=True)
    assert done.stdout == b""
    assert [name for name in os.environ if os.environ[name] == "poison"] == []


def test_signals_reach_children() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        done = subprocess.run(["sh", "-c", f"kill -{number:d} $$"], check=False)
        assert done.returncode == -number


def test_both_hold_however_the_tests_are_started(tmp_path: Path) -> None:
    """With another home and identity, under nohup (SIGHUP) and in a background job (SIGINT)."""
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = poison\n")
    names = ("AZURE_TENANT_ID", "MSAUTH_PROFILE", "https_proxy", "NO_PROXY", "GIT_AUTHOR_NAME")
    env = os.environ | dict.fromkeys((*names, "XDG_CONFIG_HOME", "ARM_USE_CLI"), "poison")
    env["HOME"] = str(tmp_path)
    options = "-n 0 -p no:cacheprovider -k 'home or signals'"
    line = f'trap \'\' HUP INT QUIT; exec "$0" -I -m pytest -q {options} "$1"'
    command = ["sh", "-c", line, sys.executable, __file__]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout
