"""Opening the person's browser so that it never touches our standard streams.

git reads our stdout to its end; a browser that inherited it would hang git, or write into the
protocol. So it is started by a child process of its own, with all three streams closed.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .programs import safe_directory, search_path, which

# A browser started in the background is not waited for by `webbrowser`, which says "opened" of a
# command that fails a moment later, such as an xdg-open that finds no browser.
_START = """
import os, sys, webbrowser
failed = not webbrowser.open(sys.argv[1])
while not failed and hasattr(os, 'wait'):
    try:
        failed = os.wait()[1] != 0
    except ChildProcessError:
        break
sys.exit(failed)
"""
_SETTLED = 2
"""Seconds after which a browser that has not failed counts as open."""


class BrowserUnusable(Exception):  # noqa: N818 - it is a finding, answered with a device code
    """The browser could not be opened; str() says why."""


def no_browser(env: Mapping[str, str]) -> str | None:
    """Return why no browser of the person's can be opened from here, or None."""
    if env.get("BROWSER"):
        return None
    if env.get("CODESPACES"):
        return "a codespace has no browser of its own"
    remote = env.get("SSH_CONNECTION") or env.get("SSH_TTY")
    if sys.platform in ("darwin", "win32"):
        return "this is an SSH session" if remote else None
    if env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"):
        return None
    if remote:
        return "this is an SSH session"
    if is_wsl(env):
        if which("wslview", env):
            return None
        return "WSL has no browser of its own (BROWSER=wslview would open Windows')"
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return "a container has no browser"
    return "there is no display"


def is_wsl(env: Mapping[str, str]) -> bool:
    """Say whether this is Linux under Windows."""
    if sys.platform != "linux":
        return False
    return bool(env.get("WSL_DISTRO_NAME")) or "microsoft" in os.uname().release.lower()


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the browser's environment: Python does not know WSL's way to Windows' browser.

    `webbrowser` looks a program up in PATH, also where that names the current directory.
    """
    chosen = {**env, "PATH": search_path(env)}
    if not env.get("BROWSER") and is_wsl(env) and which("wslview", env):
        chosen["BROWSER"] = "wslview"
    return chosen


class _Detached:
    """A browser for `webbrowser` that starts the person's own one in a child process.

    active: the environments to start it in, of the sign-ins under way.
    """

    def __init__(self) -> None:
        self.active: list[Mapping[str, str]] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        """Start the browser; False leaves the page to whoever else is registered."""
        del new, autoraise
        if not self.active:
            return False
        from azure.identity import CredentialUnavailableError

        try:
            child = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, url],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=_environment(self.active[-1]),
                cwd=safe_directory(self.active[-1]),
            )
            # One that stays in the foreground (BROWSER without `&`) is not waited for.
            failed = child.wait(_SETTLED) != 0
        except subprocess.TimeoutExpired:
            failed = False
        except OSError:
            failed = True
        if failed:
            raise CredentialUnavailableError(message="the browser could not be opened")
        return True


_detached = _Detached()
_registered = False


@contextmanager
def our_browser(env: Mapping[str, str]) -> Iterator[None]:
    """While open, `webbrowser.open` starts the browser detached.

    azure-identity opens its page that way, and a failure then ends the attempt.
    """
    global _registered  # noqa: PLW0603 - the registry is the process's own
    import webbrowser

    if not _registered:
        webbrowser.register("msauth", None, _detached, preferred=True)  # type: ignore[arg-type]
        _registered = True
    _detached.active.append(env)
    try:
        yield
    finally:
        _detached.active.remove(env)
