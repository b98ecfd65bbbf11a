"""Where we are: in the Windows subsystem for Linux, at the far end of ssh."""

import os
from collections.abc import Iterator

from ...errors import MsauthError
from ...request.selection import select
from ..finding import Finding
from .machine import Machine


def wsl(machine: Machine) -> Iterator[Finding]:
    """In WSL a browser is Windows' own, and is reached through interop."""
    if "microsoft" not in machine.system("/proc/version").lower():
        return
    formats = "/proc/sys/fs/binfmt_misc"
    if any(machine.system_has(f"{formats}/{n}") for n in ("WSLInterop", "WSLInterop-late")):
        return
    yield Finding(
        "wsl-no-interop",
        "note",
        "WSL cannot start programs of Windows",
        "no browser can be opened for a sign-in; a device code is used instead",
        "/etc/wsl.conf",
        "export MSAUTH_CREDENTIAL=device-code",
    )


def remote(machine: Machine) -> Iterator[Finding]:
    """At the far end of ssh a browser's answer comes to the near end."""
    env = machine.env
    far = env.get("SSH_CONNECTION") or env.get("SSH_TTY")
    if not far or env.get("DISPLAY") or env.get("WAYLAND_DISPLAY") or os.name == "nt":
        return
    try:
        request = select({}, env).request(("x://y",))
    except MsauthError:
        return
    if request.credential == "browser":
        yield Finding(
            "ssh-no-browser",
            "warning",
            "the sign-in is by browser, and this is the far end of ssh without a display",
            "the browser's answer goes to the machine that you sit at",
            "MSAUTH_CREDENTIAL",
            "export MSAUTH_CREDENTIAL=device-code",
        )
