"""The programs that sign in for us (az, azd, pwsh), started safely, and git asked for settings."""

import os
import stat
import time
from collections.abc import Mapping

from ..shims import place as shims
from ..waiting import waiting_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess

_GIT = 5
"""Seconds that git has for a setting."""

MAX_OUTPUT = 1 << 20
"""Bytes of stdout or stderr that a program may print: a token has a few thousand."""


class TooMuchError(OSError):
    """A program has printed more than MAX_OUTPUT, and was ended."""


def search_path(env: Mapping[str, str]) -> str:
    """Return PATH without its relative and empty items, which mean the current directory.

    That may be somebody's repository, with a program named `az` in it (CVE-2020-26233). Nor with
    our own shims of az and azd: they would wait for the very sign-in that asks them.
    """
    items = shims.without(env.get("PATH", os.defpath)).split(os.pathsep)
    return os.pathsep.join(item for item in items if os.path.isabs(item))


def which(program: str, env: Mapping[str, str]) -> str | None:
    """Return a program's path from PATH, never from the current directory, nor a shim of ours."""
    import shutil

    found = shutil.which(program, path=shims.without(search_path(env), program))
    return found if found and os.path.isabs(found) else None


def mistrusted(status: os.stat_result) -> str | None:
    """Return why what a file holds may be another user's word, or None."""
    if not stat.S_ISREG(status.st_mode):
        return "is not a file"
    if os.name == "nt":
        return None
    if status.st_uid not in (os.geteuid(), 0):
        return "belongs to another user"
    return "can be written by others" if status.st_mode & 0o022 else None


def safe_directory(env: Mapping[str, str]) -> str:
    """Return a directory of the system's to start programs in, instead of the current one."""
    return env.get("SYSTEMROOT", "/") if os.name == "nt" else "/"


def run(
    words: list[str], env: Mapping[str, str], *, timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Run a program that asks nobody, and return what it printed.

    Raises subprocess.TimeoutExpired (timeout: seconds), TooMuchError and OSError. It gets a
    process group of its own, so that what a wrapper script started ends with it.
    """
    import subprocess

    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**env, "PATH": search_path(env)},
        cwd=safe_directory(env),
        start_new_session=True,
    ) as child:
        try:
            with waiting_for(os.path.basename(words[0]), timeout):
                output, said = _read(child, timeout)
        except BaseException:
            _end(child)
            raise
    return subprocess.CompletedProcess(words, child.returncode, output, said)


def _read(child: "subprocess.Popen[bytes]", timeout: float) -> tuple[str, str]:
    """Return all of stdout and stderr, once the program has ended."""
    import selectors
    import subprocess

    if os.name == "nt":  # where select(2) takes no pipes
        output, said = child.communicate(timeout=timeout)
        return output.decode("utf-8", "replace"), said.decode("utf-8", "replace")
    deadline = time.monotonic() + timeout
    assert child.stdout is not None
    assert child.stderr is not None
    found: dict[int, bytearray] = {}
    with selectors.DefaultSelector() as selector:
        for stream in (child.stdout, child.stderr):
            found[stream.fileno()] = bytearray()
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(child.args, timeout)
            for key, _ in selector.select(left):
                data = os.read(key.fd, 65536)
                found[key.fd] += data
                if len(found[key.fd]) > MAX_OUTPUT:
                    raise TooMuchError
                if not data:
                    selector.unregister(key.fileobj)
    child.wait(max(0, deadline - time.monotonic()))
    text, errors = (bytes(data).decode("utf-8", "replace") for data in found.values())
    return text, errors


def _end(child: "subprocess.Popen[bytes]") -> None:
    import signal

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
    import subprocess

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
