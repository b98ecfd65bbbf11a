"""The command line: the wrapped command's own exit codes and signals, and a clean end."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

PROGRAM = [sys.executable, "-m", "msauth_sandbox"]


@pytest.fixture
def caller(tmp_path: Path) -> dict[str, str]:
    """A caller who is signed in as somebody else, behind a proxy of the company's."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    (tmp_path / ".gitconfig").write_text("[http]\n\tproxy = http://proxy.invalid:1\n")
    return kept | {
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "AZURE_CLIENT_ID": "mine",
        "AZURE_CLIENT_CERTIFICATE_PATH": "mine",
        "AZURE_CONFIG_DIR": "mine",
        "MSI_ENDPOINT": "mine",
        "HTTPS_PROXY": "http://proxy.invalid:1",
        "ALL_PROXY": "http://proxy.invalid:1",
        "KEPT": "yes",
    }


def run(caller: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments], env=caller, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("command", "status", "stderr"),
    [
        (["sh", "-c", "exit 7"], 7, ""),
        (["sh", "-c", "kill -TERM $$"], 143, ""),
        (["no-such-program"], 127, "msauth-sandbox: error: no-such-program: not found"),
        (["/etc/passwd"], 126, "msauth-sandbox: error: /etc/passwd: Permission denied"),
    ],
)
def test_exit_codes(caller, command, status, stderr):
    done = run(caller, "--", *command)
    assert done.returncode == status
    assert done.stderr.startswith(stderr)
    assert bool(done.stderr) is bool(stderr)


def test_usage(caller):
    done = run(caller)
    assert done.returncode == 2
    assert done.stderr.startswith("msauth-sandbox: error: give either a command or --print-env\n")
    assert "msauth-sandbox: hint: " in done.stderr
    assert "msauth-sandbox [options] -- COMMAND" in run(caller, "--help").stdout
    assert run(caller, "--tenant", "nowhere", "--", "true").returncode == 1
    done = run(caller, "--frob")
    assert done.returncode == 2
    assert done.stderr == (
        "msauth-sandbox: error: unrecognized arguments: --frob\n"
        "msauth-sandbox: hint: msauth-sandbox --help\n"
    )


def test_the_extra_is_missing(caller, tmp_path):
    (tmp_path / "trustme.py").write_text("raise ModuleNotFoundError('no', name='trustme')")
    path = os.pathsep.join([str(tmp_path), caller.get("PYTHONPATH", "")])
    done = run(caller | {"PYTHONPATH": path}, "--", "true")
    assert done.returncode == 1
    assert done.stderr == (
        "msauth-sandbox: error: the package trustme is missing\n"
        "msauth-sandbox: hint: in the checkout: sh install/install.sh --extras sandbox,"
        " or pip install '.[sandbox]'\n"
    )


def test_environment_and_a_clone(caller, tmp_path):
    script = """
env
token=$(curl -sS "$IDENTITY_ENDPOINT?resource=499b84ac-1321-427f-aa17-267ca6975798" \
        -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" |
        sed 's/.*"access_token": "\\([^"]*\\)".*/\\1/')
cd; git -c http.extraHeader="Authorization: Bearer $token" clone -q \
    https://contoso@dev.azure.com/contoso/hello/_git/hello copy; ls copy
"""
    done = run(caller, "--sign-in", "managed-identity", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("README.md\nhello.py\n")
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert seen["KEPT"] == "yes"
    assert "mine" not in seen.values()
    assert "ALL_PROXY" not in seen
    assert seen["HTTPS_PROXY"].startswith("http://127.0.0.1:")
    assert seen["AZURE_CONFIG_DIR"].startswith(str(tmp_path))
    assert not list(tmp_path.glob("msauth-sandbox-*"))


def test_signals_go_to_the_command(caller):
    """Both at once: the second must not be lost in a thread of the server."""
    script = "trap 'exit 9' TERM; trap '' INT; echo ready; while read x; do :; done; exit 3"
    with subprocess.Popen(
        [*PROGRAM, "--", "sh", "-c", script],
        env=caller,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        try:
            # The shell runs its trap once read returns.
            assert process.wait(timeout=20) == 9
        finally:
            process.kill()
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_print_env_serves_until_told_to_stop(caller, tmp_path, number):
    with subprocess.Popen(
        [*PROGRAM, "--print-env"],
        env=caller,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert "serving on http://127.0.0.1:" in process.stderr.readline()
        seen = {}
        for line in process.stdout:
            word, _, rest = line.partition(" ")
            if word == "export":
                name, _, value = rest.partition("=")
                seen[name] = shlex.split(value)[0]
            if "https_proxy" in seen:
                break
        with requests.Session() as http:
            http.trust_env = False
            stats = http.get(seen["MSAUTH_SANDBOX_URL"] + "/_sandbox/stats", timeout=5).json()
            assert stats["requests"] == 0
        process.send_signal(number)
        try:
            _, stderr = process.communicate(timeout=30)
        finally:
            process.kill()
        assert (process.returncode, stderr) == (0, "")
    assert not list(tmp_path.glob("msauth-sandbox-*"))
