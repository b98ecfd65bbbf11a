"""A process that has imported everything once, and forks to run a program's main() for a test.

The program is the installed one, with its own environment, umask and user; only the interpreter's
start and the imports are shared, which is what makes a table of a hundred cold sign-ins quick.
"""

import importlib
import json
import os
import struct
import subprocess
import sys
import tempfile
from typing import IO, Any

MODULES = (
    "azure.identity",
    "requests",
    "msauth.broker.renewal",
    "msauth.git_credential",
    # What is imported late; another user may not be able to read this interpreter's library.
    "encodings.idna",
    "encodings.utf_8_sig",
    "decimal",
    "filelock",
    "msal_extensions",
    "shlex",
)


_PROGRAMS = {"msauth.git_credential": "git-credential-msauth"}
"""What a module's program is called, which it says of itself."""


class Warm:
    """The forking process, seen from a test."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def close(self) -> None:
        self._process.communicate()

    def run(self, module: str, *arguments: str, **how: Any) -> "subprocess.CompletedProcess[bytes]":
        """Run module.main(); how: env, stdin (bytes), umask, uid, timeout (seconds)."""
        how["stdin"] = how.get("stdin", b"").decode("latin-1")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        _send(self._process.stdin, {"module": module, "arguments": arguments, **how})
        answer = _receive(self._process.stdout)
        return subprocess.CompletedProcess(
            [module, *arguments],
            answer["code"],
            answer["stdout"].encode("latin-1"),
            answer["stderr"].encode("latin-1"),
        )


def _send(stream: IO[bytes], value: Any) -> None:
    data = json.dumps(value).encode()
    stream.write(struct.pack(">I", len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(4)
    return json.loads(stream.read(struct.unpack(">I", head)[0])) if len(head) == 4 else None


def _serve() -> None:
    for name in MODULES:
        importlib.import_module(name)
    while (task := _receive(sys.stdin.buffer)) is not None:
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(task["stdin"].encode("latin-1"))
            given.seek(0)
            child = os.fork()
            if not child:
                _become(task, given.fileno(), out.fileno(), err.fileno())
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            out.seek(0)
            err.seek(0)
            _send(
                sys.stdout.buffer,
                {
                    "code": code,
                    "stdout": out.read().decode("latin-1"),
                    "stderr": err.read().decode("latin-1"),
                },
            )


def _become(task: Any, *streams: int) -> None:
    try:
        import signal

        signal.alarm(task.get("timeout", 20))  # a hang ends as -SIGALRM
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.environ.clear()
        os.environ.update(task["env"])
        os.umask(task.get("umask", 0o022))
        if uid := task.get("uid"):
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        sys.argv = [_PROGRAMS.get(task["module"], task["module"]), *task["arguments"]]
        importlib.import_module(task["module"]).main()
    finally:
        os._exit(70)


if __name__ == "__main__":
    _serve()
