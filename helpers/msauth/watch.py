"""The timer behind `waiting`: what a person at a terminal is told, and when."""

import threading
import time
from collections.abc import Callable

from .errors import QUIET, say


class Wait:
    """Something that is waited for. text: what it is called, or a function that says so.

    seconds: the longest that it may take; 0: nothing is said of that.
    """

    def __init__(self, text: str | Callable[[], str], seconds: float) -> None:
        self.text = text
        self.seconds = seconds
        self.said = False

    def say(self) -> None:
        self.said = True
        text = self.text if isinstance(self.text, str) else self.text()
        seconds = round(self.seconds)
        limit = f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"
        say("note", f"waiting for {text}" + (f", for up to {limit}" if seconds else ""))


class Watch:
    """The waits that one thread is in, the innermost last, and the timer that says that one.

    The first to be said is the one that two seconds are over in, also where several short waits
    add up to them; another only once it has lasted two seconds itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waits: list[Wait] = []
        self._timer: threading.Timer | None = None
        self._began = 0.0
        self._spoken = False

    def enter(self, wait: Wait) -> None:
        with self._lock:
            if not self._waits:
                self._began, self._spoken = time.monotonic(), False
            self._waits.append(wait)
            self._set_timer()

    def leave(self) -> None:
        with self._lock:
            self._waits.pop()
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waits or self._waits[-1].said:
            return
        left = QUIET
        if not self._spoken:
            left = max(0.0, self._began + QUIET - time.monotonic())
        self._timer = threading.Timer(left, self._say, (self._waits[-1],))
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:  # no thread can be had: waiting in silence is no error
            self._timer = None

    def _say(self, wait: Wait) -> None:
        with self._lock:
            if self._waits and self._waits[-1] is wait and not wait.said:
                self._spoken = True
                wait.say()


def of_this_thread() -> Watch:
    """Return the watch of the thread that asks."""
    watch: Watch | None = getattr(_here, "watch", None)
    if watch is None:
        watch = _here.watch = Watch()
    return watch


_here = threading.local()
