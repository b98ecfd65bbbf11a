"""Where we are: in the Windows subsystem for Linux, at the far end of ssh, in a container."""

from collections.abc import Iterator

from ...errors import MsauthError
from ...request.selection import select
from ...signin.browser import no_browser
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


def browser(machine: Machine) -> Iterator[Finding]:
    """At the far end of ssh, in a container and in WSL there may be no browser to sign in with."""
    reason = no_browser(machine.env)
    if reason is None:
        return
    try:
        request = select({}, machine.env).request(("x://y",))
    except MsauthError:
        return  # `environment.wrong` says so
    if request.credential == "browser":
        yield Finding(
            "no-browser",
            "note",
            f"the sign-in is by browser, and none opens here: {reason}",
            "a device code is shown instead",
            "MSAUTH_CREDENTIAL",
            "export MSAUTH_CREDENTIAL=device-code",
        )
