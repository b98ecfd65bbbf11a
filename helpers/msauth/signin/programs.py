"""The programs that sign in for us (az, azd, pwsh), started safely, and git asked for settings."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping

from ..shims import place as shims
from ..waiting import waiting_for

_GIT = 5
"""Seconds that git has for a setting."""


def search_path(env: Mapping[str, str]) -> str:
    """Return PATH without its relative and empty items, which mean the current directory.

    That may be somebody's repository, with a program named `az` in it (CVE-2020-26233). Nor with
    our own shims of az and azd: they would wait for the very sign-in that asks them.
    """
    items = shims.without(env.get("PATH", os.defpath)).split(os.pathsep)
    return os.pathsep.join(item for item in items if os.path.isabs(item))


def which(program: str, env: Mapping[str, str]) -> str | None:
    """Return a program's path from PATH, never from the current directory, nor a shim of ours."""
    found = shutil.which(program, path=shims.without(search_path(env), program))
    return found if found and os.path.isabs(found) else None


def safe_directory(env: Mapping[str, str]) -> str:
    """Return a directory of the system's to start programs in, instead of the current one."""
    return env.get("SYSTEMROOT", "/") if os.name == "nt" else "/"


def run(
    words: list[str], env: Mapping[str, str], *, timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Run a program that asks nobody, and return what it printed.

    Raises subprocess.TimeoutExpired (timeout: seconds) and OSError. It gets a process group of
    its own, so that what a wrapper script started ends with it.
    """
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**env, "PATH": search_path(env)},
        cwd=safe_directory(env),
        start_new_session=True,
    ) as child:
        try:
            with waiting_for(os.path.basename(words[0]), timeout):
                output, said = child.communicate(timeout=timeout)
        except BaseException:
            _end(child)
            raise
    return subprocess.CompletedProcess(words, child.returncode, output, said)


def _end(child: "subprocess.Popen[str]") -> None:
    try:
        if os.name == "posix":
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    except OSError:
        pass


def git_setting(name: str, url: str, env: Mapping[str, str], *, kind: str = "") -> str | None:
    """Return git's setting for a URL (git-config(1) --get-urlmatch), or None when it has none.

    kind: git's own `--type`, such as "path". Nothing is raised for a git that cannot be asked.
    """
    git = which("git", env)
    if git is None:
        return None
    typed = [f"--type={kind}"] if kind else []
    try:
        with waiting_for("git", _GIT):
            done = subprocess.run(
                [git, "config", *typed, "--get-urlmatch", name, url],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_GIT,
                check=False,
                env=dict(env),
            )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return os.fsdecode(done.stdout.removesuffix(b"\n")) if done.returncode == 0 else None
