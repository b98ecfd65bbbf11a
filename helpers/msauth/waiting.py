"""Signs of life: what a person at a terminal waits for, where it takes longer than two seconds.

Each is one whole line on stderr. Nothing is written over, because the terminal is also git's,
kubectl's and that of other processes of ours. A pipe is told no more than it asks for.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


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
    from .watch import Wait, of_this_thread

    watch = of_this_thread()
    watch.enter(Wait(text, seconds))
    try:
        yield
    finally:
        watch.leave()


def say_now(what: str, seconds: float, *, piped: str = "") -> None:
    """Say what has been waited for long enough already; see `waiting_for`."""
    from .watch import Wait

    if _has_the_terminal():
        Wait(what, seconds).say()
    elif piped:
        Wait(piped, 0).say()


def _has_the_terminal() -> bool:
    if not os.isatty(2):
        return False
    threading = sys.modules.get("threading")  # where nobody has imported it there is one thread
    return threading is None or threading.current_thread() is threading.main_thread()
