"""Signs of life: what a person at a terminal waits for, where it takes longer than two seconds.

Each is one whole line on stderr. Nothing is written over, because the terminal is also git's,
kubectl's and that of other processes of ours. A pipe is told no more than it asks for.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import QUIET, say


@contextmanager
def waiting_for(
    what: str | Callable[[], str], seconds: float, *, piped: str = ""
) -> Iterator[None]:
    """While open, say on a terminal what is waited for, if it takes long; waits may be nested.

    what: a function is called only when it is said. seconds: the longest that it can take, 0 for
    unknown. piped: what to say of it where stderr is no terminal. Other threads than the main
    one say that, too: beside them a wrapped command has the terminal.
    """
    text: str | Callable[[], str] = what
    if not _has_the_terminal():
        text, seconds = piped, 0
    if not text:
        yield
        return
    watch: _Watch | None = getattr(_here, "watch", None)
    if watch is None:
        watch = _here.watch = _Watch()
    watch.enter(_Wait(text, seconds))
    try:
        yield
    finally:
        watch.leave()


def say_now(what: str, seconds: float, *, piped: str = "") -> None:
    """Say what has been waited for long enough already; see `waiting_for`."""
    if _has_the_terminal():
        _Wait(what, seconds).say()
    elif piped:
        _Wait(piped, 0).say()


def _has_the_terminal() -> bool:
    return threading.current_thread() is threading.main_thread() and os.isatty(2)


class _Wait:
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


class _Watch:
    """The waits that one thread is in, the innermost last, and the timer that says that one.

    The first to be said is the one that two seconds are over in, also where several short waits
    add up to them; another only once it has lasted two seconds itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waits: list[_Wait] = []
        self._timer: threading.Timer | None = None
        self._began = 0.0
        self._spoken = False

    def enter(self, wait: _Wait) -> None:
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

    def _say(self, wait: _Wait) -> None:
        with self._lock:
            if self._waits and self._waits[-1] is wait and not wait.said:
                self._spoken = True
                wait.say()


_here = threading.local()
