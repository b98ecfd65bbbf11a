"""A message bus and an unlocked gnome-keyring of their own, for az with an encrypted cache."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..conftest import Environment

PASSWORD = b"correct horse\n"
NAME = "org.freedesktop.secrets"


@contextmanager
def unlocked_keyring(env: Environment) -> Iterator[Environment]:
    """The variables that lead a program of `env` to the keyring; it ends with the block.

    The keyring's file is in env's HOME. Sockets are in a folder of their own, since the path of a
    socket may have 107 bytes.
    """
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="keyring-"))
        stack.callback(shutil.rmtree, folder)
        found = {"XDG_RUNTIME_DIR": str(folder)}
        bus = ("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address")
        address = f"--address=unix:path={folder}/bus"
        daemon = stack.enter_context(_running([*bus, address], env | found))
        assert daemon.stdout is not None
        found["DBUS_SESSION_BUS_ADDRESS"] = daemon.stdout.readline().decode().strip()
        unlock = ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"]
        keyring = stack.enter_context(_running(unlock, env | found))
        assert keyring.stdin is not None
        keyring.stdin.write(PASSWORD)
        keyring.stdin.close()
        wait = ["gdbus", "wait", "--session", "--timeout", "30", NAME]
        subprocess.run(wait, env=env | found, check=True)
        yield found


@contextmanager
def _running(command: list[str], env: Environment) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
