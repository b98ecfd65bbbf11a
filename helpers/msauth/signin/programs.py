"""Finding the programs that sign in for us (az, azd, pwsh), and asking git for its settings."""

import os
import shutil
import subprocess
from collections.abc import Mapping


def which(program: str, env: Mapping[str, str]) -> str | None:
    """Return a program's path from PATH, never from the current directory (CVE-2020-26233)."""
    found = shutil.which(program, path=env.get("PATH"))
    return found if found and os.path.isabs(found) else None


def git_setting(name: str, url: str, env: Mapping[str, str], *, kind: str = "") -> str | None:
    """Return git's setting for a URL (git-config(1) --get-urlmatch), or None when it has none.

    kind: git's own `--type`, such as "path". Nothing is raised for a git that cannot be asked.
    """
    git = which("git", env)
    if git is None:
        return None
    typed = [f"--type={kind}"] if kind else []
    try:
        done = subprocess.run(
            [git, "config", *typed, "--get-urlmatch", name, url],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return os.fsdecode(done.stdout.removesuffix(b"\n")) if done.returncode == 0 else None
