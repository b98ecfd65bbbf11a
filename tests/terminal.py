"""A command as a shell's foreground job in a terminal of its own."""

import os
import pty
import select
import subprocess
import sys
from types import TracebackType

from .conftest import Environment

# What an interactive shell does for a job: its own process group, in the foreground; told of
# each stop. Argument 1 is the descriptor for the events, 2 whether a stop is ended at once.
SHELL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
events, resume = int(sys.argv[1]), int(sys.argv[2])
go, gone = os.pipe()
job = os.fork()
if not job:
    os.setpgid(0, 0)
    os.close(events)
    os.read(go, 1)
    # What Python ignores, and what nohup or a shell's `&` let the tests themselves ignore.
    for name in ("TTOU", "PIPE", "XFSZ", "HUP", "INT", "QUIT", "TSTP"):
        signal.signal(getattr(signal, "SIG" + name), signal.SIG_DFL)
    os.execvp(sys.argv[3], sys.argv[3:])
os.setpgid(job, job)
os.tcsetpgrp(0, job)
os.write(gone, b"x")
os.write(events, b"pid %d\\n" % job)
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        if resume:
            os.killpg(job, signal.SIGCONT)
        os.write(events, b"stopped %d\\n" % os.WSTOPSIG(status))
    elif os.WIFSIGNALED(status):
        os.write(events, b"signaled %d\\n" % os.WTERMSIG(status))
        break
    else:
        os.write(events, b"exited %d\\n" % os.WEXITSTATUS(status))
        break
"""


class Terminal:
    """Runs argv in a new terminal; what is pressed reaches it as from a keyboard."""

    def __init__(self, argv: list[str], env: Environment, *, resume: bool = True) -> None:
        self._screen, terminal = pty.openpty()
        self._events, theirs = os.pipe()
        self._seen = b""
        self._past = 0
        self._told = b""
        self._shell = subprocess.Popen(
            [sys.executable, "-c", SHELL, str(theirs), str(int(resume)), *argv],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=env,
            pass_fds=(theirs,),
            start_new_session=True,
        )
        os.close(terminal)
        os.close(theirs)
        kind, self.pid = self.event()
        assert kind == "pid"

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._shell.kill()
        self._shell.wait()
        os.close(self._screen)
        os.close(self._events)

    def press(self, keys: bytes) -> None:
        os.write(self._screen, keys)

    def read_until(self, text: bytes) -> None:
        while text not in self._seen:
            self._seen += _read(self._screen, self._seen)

    def rest(self) -> bytes:
        """Return all that was shown, once the job has ended."""
        while True:
            try:
                data = os.read(self._screen, 4096)
            except OSError:  # EIO: nobody has the terminal open any more
                return self._seen
            self._seen += data

    def read_past(self, text: bytes) -> None:
        """Read until text is shown once more, after what was read past before."""
        while (found := self._seen.find(text, self._past)) < 0:
            self._seen += _read(self._screen, self._seen)
        self._past = found + len(text)

    def event(self) -> tuple[str, int]:
        """Return what became of the job next, and the number that belongs to it."""
        while b"\n" not in self._told:
            self._told += _read(self._events, self._seen)
        line, _, self._told = self._told.partition(b"\n")
        word, number = line.decode().split(" ")
        return word, int(number)


def _read(descriptor: int, seen: bytes) -> bytes:
    ready, _, _ = select.select([descriptor], [], [], 20)
    assert ready, f"nothing happened; the screen shows {seen!r}"
    try:
        data = os.read(descriptor, 4096)
    except OSError:
        data = b""
    assert data, f"it ended; the screen shows {seen!r}"
    return data
