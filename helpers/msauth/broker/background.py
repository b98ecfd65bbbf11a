"""Renewal behind the answer: the cached token is served at once, a detached child renews it.

The child has its own session and no standard streams: git and kubectl wait for the end of
theirs, and a child that kept them open would hang both.
"""

import os
import sys
import time

from ..cache.folder import Folder
from ..cache.record import RENEWING
from ..request.request import TokenRequest

COOL_DOWN = 30
"""Seconds between two attempts for one key."""
# What the child runs: isolated, so nothing is imported from the directory it is started in, and
# told where msauth is, which with -I would not be found in PYTHONPATH or a --target folder.
_CODE = (
    "import sys; place = sys.argv.pop(1); place in sys.path or sys.path.insert(0, place); "
    "from msauth.broker.background import main; sys.exit(main(sys.argv[1:]))"
)


def renew_behind(request: TokenRequest) -> None:
    """Start a detached renewal unless one was started less than COOL_DOWN seconds ago.

    Never raises and never waits; imports nothing beyond the hot path's modules.
    """
    executable = sys.executable
    if not executable or not hasattr(os, "fork"):
        return
    try:
        with Folder.cache(request.env) as folder:
            name = request.record_name + RENEWING
            if _recent(folder.age(name)) or _recent(folder.touch(name)):
                return  # started by us, or by a process that was faster just now
        place = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        command = [executable, "-I", "-c", _CODE, place, *_arguments(request)]
        if "threading" in sys.modules:
            _spawn(command, dict(request.env))
            return
        child = os.fork()
    except (OSError, NotImplementedError):
        return
    if child:
        # The middle process ends at once; reaping it here leaves no zombie to a wrapped command.
        try:
            os.waitpid(child, 0)
        except OSError:
            pass
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        # A lock or a pipe that the caller left open (`flock 9 git fetch`) is not ours to keep.
        os.closerange(3, _highest_descriptor() + 1)
        os.execve(executable, command, dict(request.env))
    except BaseException:  # noqa: BLE001 - nothing of ours may run on in the forked copy
        pass
    os._exit(0)


def _recent(age: float | None) -> bool:
    return age is not None and age < COOL_DOWN


def _highest_descriptor() -> int:
    """Return the highest number of an open descriptor: the limit may be lower by now."""
    try:
        return max(map(int, os.listdir("/dev/fd")))
    except (OSError, ValueError):
        return int(os.sysconf("SC_OPEN_MAX"))


def _spawn(command: list[str], env: dict[str, str]) -> None:
    """Start the renewal from a program that may have threads, where a bare fork can deadlock."""
    import subprocess

    null = subprocess.DEVNULL
    subprocess.Popen(
        command, stdin=null, stdout=null, stderr=null, env=env, cwd="/", start_new_session=True
    )


_TEXTS = (
    *("credential", "profile", "client_id", "authority", "tenant", "username"),
    *("identity_resource_id", "redirect_url", "organisation", "registry"),
    *("assertion", "assertion_audience", "assertion_identity"),
)
_FLAGS = ("instance_discovery", "cae")


def _arguments(request: TokenRequest) -> list[str]:
    """Return a request as arguments; it holds no secret."""
    words = [f"{name}={getattr(request, name) or ''}" for name in _TEXTS]
    words += [f"{name}={int(getattr(request, name))}" for name in _FLAGS]
    return [*words, *(f"scope={scope}" for scope in request.scopes)]


def _request(arguments: list[str]) -> TokenRequest:
    pairs = [word.partition("=")[::2] for word in arguments]
    given = dict(pairs)
    fields: dict[str, object] = {name: given[name] for name in _TEXTS}
    fields |= {name: given[name] == "1" for name in _FLAGS}
    fields["tenant"] = given["tenant"] or None
    scopes = tuple(value for name, value in pairs if name == "scope")
    return TokenRequest(scopes, os.environ, **fields)  # type: ignore[arg-type] # as _arguments


def main(arguments: list[str]) -> int:
    """Renew one key if nobody else does; the old token stays until the new one is written."""
    from ..errors import MsauthError
    from .entry import Entry
    from .renewal import sign_in

    request = _request(arguments)
    try:
        folder = Folder.cache(request.env, create=True)
    except OSError:
        return 1
    with folder, folder.lock(request.record_name, timeout=0) as held:
        if not held:
            return 0
        now = int(time.time())
        token = Entry(folder, request).read(now=now)
        if token is not None and token.refresh_on > now:
            return 0
        try:
            sign_in(folder, request)
        except MsauthError:
            return 1
    return 0
