"""Renewal behind the answer: the cached token is served at once, a detached child renews it.

The child has its own session and no standard streams: git and kubectl wait for the end of
theirs, and a child that kept them open would hang both.
"""

import os
import sys
import time

from ..cache import folder as directory
from ..cache import record
from ..request.request import TokenRequest

COOL_DOWN = 30
"""Seconds between two attempts for one key."""


def renew_behind(request: TokenRequest, now: int) -> None:
    """Start a detached renewal unless one was started less than COOL_DOWN seconds ago.

    Never raises and never waits; imports nothing beyond the hot path's modules.
    """
    try:
        if not _claim(record.name_of(request.canonical()), now):
            return
        executable = sys.executable
        if not executable or not hasattr(os, "fork"):
            return
        if "threading" in sys.modules:
            _spawn([executable, "-I", "-m", __name__, *_arguments(request)])
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
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        # A lock or a pipe that the caller left open (`flock 9 git fetch`) is not ours to keep.
        os.closerange(3, 4096)
        os.execv(executable, [executable, "-I", "-m", __name__, *_arguments(request)])
    except BaseException:  # noqa: BLE001 - nothing of ours may run on in the forked copy
        pass
    os._exit(0)


def _spawn(command: list[str]) -> None:
    """Start the renewal from a program that may have threads, where a bare fork can deadlock."""
    import subprocess

    null = subprocess.DEVNULL
    subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)


def _claim(stem: str, now: int) -> bool:
    """Say whether this process is the one to renew now, marking the time on the stamp file."""
    descriptor = directory.open_directory()
    name = stem + ".renewing"
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= getattr(os, "O_NONBLOCK", 0)  # a pipe put in its place would make us wait for ever
    try:
        try:
            stamp = os.open(name, flags | os.O_EXCL, 0o600, dir_fd=descriptor)
        except FileExistsError:
            stamp = os.open(name, flags, 0o600, dir_fd=descriptor)
            try:
                if abs(now - os.fstat(stamp).st_mtime) < COOL_DOWN:
                    return False
                os.utime(stamp)
            finally:
                os.close(stamp)
            return True
        os.close(stamp)
        return True
    finally:
        os.close(descriptor)


_FIELDS = (
    "credential",
    "profile",
    "client_id",
    "authority",
    "tenant",
    "username",
    "identity_resource_id",
)


def _arguments(request: TokenRequest) -> list[str]:
    """Return a request as arguments; it holds no secret."""
    words = [f"{name}={getattr(request, name) or ''}" for name in _FIELDS]
    words += [
        f"instance_discovery={int(request.instance_discovery)}",
        f"cae={int(request.cae)}",
        f"persist={int(request.persist)}",
    ]
    return [*words, *(f"scope={scope}" for scope in request.scopes)]


def _request(arguments: list[str]) -> TokenRequest:
    from ..request.request import identity_of

    pairs = [word.partition("=")[::2] for word in arguments]
    fields = dict(pairs)
    return TokenRequest(
        tuple(value for name, value in pairs if name == "scope"),
        credential=fields["credential"],
        profile=fields["profile"],
        client_id=fields["client_id"],
        authority=fields["authority"],
        tenant=fields["tenant"] or None,
        username=fields["username"],
        identity_resource_id=fields["identity_resource_id"],
        instance_discovery=fields["instance_discovery"] == "1",
        cae=fields["cae"] == "1",
        persist=fields["persist"] == "1",
        identity=identity_of(fields["credential"], os.environ),
    )


def _main() -> int:
    """Renew one key if nobody else does; the old token stays until the new one is written."""
    from ..cache import reader
    from ..cache.lock import key_lock
    from ..errors import MsauthError
    from .renewal import _open, _sign_in

    request = _request(sys.argv[1:])
    descriptor = _open("msauth")
    if descriptor is None:
        return 1
    with key_lock(record.name_of(request.canonical()), timeout=0) as held:
        if not held:
            return 0
        now = int(time.time())
        token = reader.read(request, now=now)
        if token is not None and token.refresh_on > now:
            return 0
        try:
            _sign_in(descriptor, request, "msauth")
        except MsauthError:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
