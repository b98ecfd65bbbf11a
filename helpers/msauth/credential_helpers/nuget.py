"""`nuget-plugin-msauth -Plugin`: NuGet's authentication plugin, for the feeds of Azure Artifacts.

NuGet keeps the process for as long as it works, asks several things at a time, and gives each
request five seconds: so each sign-in has a thread of its own, and what lasts says so every two.
"""

import os
import select
import sys
import threading
import time

from ..protocols import nuget
from ..request import urls
from ..request.options import FLAG, usage_error
from . import command_line, feeds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..request.options import Options

PROG = "nuget-plugin-msauth"
OPTIONS = {**command_line.OPTIONS, "-Plugin": FLAG}
PROGRESS = 2
"""Seconds between two signs of life of what takes long."""
_LONGEST = 16 << 20


def main() -> int:
    """Serve NuGet until it closes our stdin or ends, and end the process."""
    try:
        code = run(sys.argv[1:], os.environ, 0, command_line.write)
        sys.stdout.flush()
    except (KeyboardInterrupt, OSError):
        code = 1
    os._exit(code)  # a sign-in that nobody waits for any more must not hold the process


def run(
    argv: list[str], env: "Mapping[str, str]", stdin: int, write: "Callable[[bytes], None]"
) -> int:
    """Speak NuGet's protocol and return the exit code. stdin: a descriptor. Raises OSError."""
    from ..errors import failed

    try:
        given = command_line.read(PROG, argv, OPTIONS, _help)
        if given is None:
            return 0
        options, words = given
        if words or "-Plugin" not in options:
            raise usage_error("NuGet starts this program, with -Plugin", f"{PROG} --help")
        return _Plugin(options, env, write).serve(stdin)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        return failed(error)


class _Plugin:
    """One conversation with a NuGet."""

    def __init__(
        self, options: "Options", env: "Mapping[str, str]", write: "Callable[[bytes], None]"
    ) -> None:
        self._options, self._env = options, env
        self._to_nuget = write
        self._lock = threading.Lock()
        self._waiting: dict[str, nuget.Message] = {}
        """The requests that a thread is busy with, by their id."""
        self._given: dict[str, str] = {}
        """The fingerprint of the token that was last given for a URI."""
        self._nuget = -1
        self._may_log = False

    def serve(self, stdin: int) -> int:
        """Answer until Close, the end of stdin or of NuGet's process."""
        self._write(nuget.handshake(_new_id()))
        rest, due = b"", time.monotonic() + PROGRESS
        while True:
            watched = [stdin] if self._nuget < 0 else [stdin, self._nuget]
            pause = max(0.0, due - time.monotonic()) if self._waiting else None
            ready = select.select(watched, [], [], pause)[0]
            if self._nuget in ready:
                return 0
            if time.monotonic() >= due:
                due = time.monotonic() + PROGRESS
                self._tell_progress()
            if stdin not in ready:
                continue
            data = os.read(stdin, 65536)
            if not data:
                return 0
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.strip() and not self._take(line):
                    return 0
            if len(rest) > _LONGEST:
                raise usage_error("what NuGet sent has no end", f"{PROG} --help")

    def _take(self, line: bytes) -> bool:
        """Do what a line asks; False where it is the last."""
        try:
            message = nuget.Message(line)
        except ValueError as error:
            self._write(nuget.write(_new_id(), nuget.FAULT, "None", {"Message": str(error)}))
            raise usage_error(str(error), f"{PROG} --help") from None
        if message.method == "Close":
            return False
        if message.type == nuget.CANCEL:
            self._finish(message, nuget.CANCEL, None)
        elif message.type == nuget.REQUEST:
            self._answer(message)
        return True  # a response to our handshake or log, or a fault: nothing to say to it

    def _answer(self, message: nuget.Message) -> None:
        match message.method:
            case "Handshake":
                payload = nuget.shake(message)
            case "Initialize" | "SetCredentials":  # the latter are a proxy's
                payload = {"ResponseCode": nuget.SUCCESS}
            case "SetLogLevel":
                self._may_log = True
                payload = {"ResponseCode": nuget.SUCCESS}
            case "MonitorNuGetProcessExit":
                payload = {"ResponseCode": self._watch(message.payload.get("ProcessId"))}
            case "GetOperationClaims":
                payload = nuget.claims(message)
            case "GetAuthenticationCredentials":
                with self._lock:
                    self._waiting[message.id] = message
                threading.Thread(target=self._sign_in, args=[message], daemon=True).start()
                return
            case _:
                fault = {"Message": f"{PROG} does not know {message.method[:80]}"}
                self._write(message.reply(nuget.FAULT, fault))
                return
        self._write(message.reply(nuget.RESPONSE, payload))

    def _watch(self, process: object) -> str:
        """End with a process from now on, where the system can tell."""
        if not isinstance(process, int):
            return nuget.ERROR
        try:
            watched = os.pidfd_open(process)
        except (OSError, AttributeError, OverflowError):
            return nuget.ERROR  # the end of stdin will tell, too
        if self._nuget >= 0:
            os.close(self._nuget)
        self._nuget = watched
        return nuget.SUCCESS

    def _sign_in(self, message: nuget.Message) -> None:
        """In a thread: answer for credentials, unless that is cancelled meanwhile."""
        try:
            self._finish(message, nuget.RESPONSE, self._payload(message))
        except OSError:
            pass  # NuGet is gone, which the main thread sees as well

    def _payload(self, message: nuget.Message) -> "dict[str, object]":
        """Return the answer; OSError only where NuGet cannot be told why there is no token."""
        try:
            return self._credentials(message)
        except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
            from ..errors import MsauthError, failed

            failed(error)
            lines = [f"{PROG} failed"]
            if isinstance(error, MsauthError):
                lines = [error.message, *([f"hint: {error.hint}"] if error.hint else [])]
            text = "\n".join(lines)
            if self._may_log:  # NuGet does not show the message of an answer
                self._write(nuget.log(_new_id(), f"{PROG}: {text}"))
            return nuget.nothing(nuget.ERROR, text)

    def _credentials(self, message: nuget.Message) -> "dict[str, object]":
        uri = message.text("Uri")
        url = uri.encode("utf-8", "surrogatepass")
        feed = urls.packages(url)
        if feed is None or not nuget.is_source(feed[1]):
            return nuget.nothing(nuget.NOT_FOUND)
        request = feeds.devops_request(url, self._options, self._env)
        if request is None:
            return nuget.nothing(nuget.NOT_FOUND)
        refused = ""
        if message.flag("IsRetry"):
            from ..broker import broker

            held = broker.cached(request.with_(min_valid=0))
            refused = self._given.get(uri) or ("" if held is None else held.fingerprint)
            if held is not None and held.fingerprint == refused:
                feeds.check_refusal(url, held.text, self._options, self._env)
        interactive = not message.flag("IsNonInteractive")
        token = feeds.answer(request, refused=refused, may_prompt=lambda: interactive)
        self._given[uri] = token.fingerprint
        return nuget.credentials(token.text)

    def _finish(
        self, message: nuget.Message, kind: str, payload: "Mapping[str, object] | None"
    ) -> None:
        """Answer a request of a thread, once: what comes after a cancellation is dropped."""
        with self._lock:
            if self._waiting.pop(message.id, None) is not None:
                self._to_nuget(message.reply(kind, payload))

    def _tell_progress(self) -> None:
        with self._lock:
            for message in self._waiting.values():
                self._to_nuget(message.reply(nuget.PROGRESS, {"Percentage": None}))

    def _write(self, data: bytes) -> None:
        with self._lock:
            self._to_nuget(data)


def _new_id() -> str:
    """Return an id for a request of ours, as NuGet makes them: a GUID."""
    digits = os.urandom(16).hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _help() -> str:
    from .help import NUGET

    return NUGET


if __name__ == "__main__":
    main()
