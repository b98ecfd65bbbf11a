"""Asking the person: at the terminal, one process at a time, and not for ever.

A prompt goes to stderr, which git and kubectl show, or to /dev/tty when stderr is redirected;
never to stdout, which is the protocol's.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..cache.folder import Folder
from ..errors import SignInError, printable, program

TIMEOUT = 300
"""Seconds a person has for one prompt, and others wait for another process's person."""
_UNANSWERED_LIMIT = 3
_UNANSWERED_FOR = 900
"""Seconds until unanswered prompts are forgotten: the person may be back."""
LOCK = "prompt"
"""The name of the one lock of this user under which a person is asked."""
_SUFFIX = ".unanswered"


def terminal() -> bool:
    """Say whether there is a terminal to ask at."""
    if _is_terminal(2):
        return True
    descriptor = _open_terminal()
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def show(lines: list[str]) -> None:
    """Show a prompt to the person; stderr is used as it is when there is no terminal at all."""
    text = "".join(f"{printable(line)}\n" for line in [f"{program()}: {lines[0]}", *lines[1:]])
    data = text.encode("utf-8", "backslashreplace")
    descriptor = None if _is_terminal(2) else _open_terminal()
    for place in (descriptor, 2):
        if place is None:
            continue
        try:
            os.write(place, data)
            break
        except OSError:
            continue
    if descriptor is not None:
        os.close(descriptor)


@contextmanager
def turn(env: Mapping[str, str], kind: str, until: float) -> Iterator[None]:
    """Hold the one prompt lock of this user; until: `time.monotonic()` at which to give up.

    Raises SignInError when another process's person has not answered by then. Without a place
    for the lock the prompt is shown anyway.
    """
    with locked(env, LOCK, until, aloud=True) as held:
        if held is False:
            raise busy(kind)
        yield


def somebody_asks(env: Mapping[str, str]) -> bool:
    """Say whether some process of this user holds the prompt lock."""
    with locked(env, LOCK, 0, create=False) as held:
        return held is False


def busy(kind: str) -> SignInError:
    """Return the error for another process's prompt that nobody answered in time."""
    return SignInError(
        f"{kind}: another process is still waiting for someone to sign in",
        "answer its prompt, or end it",
        deterministic=False,
    )


def refuse_if_ignored(env: Mapping[str, str], kind: str, name: str, hint: str | None) -> None:
    """Raise SignInError when the last prompts for this sign-in were not answered."""
    count, when = _unanswered(env, name)
    if count >= _UNANSWERED_LIMIT and 0 <= time.time() - when < _UNANSWERED_FOR:
        raise SignInError(f"{kind}: {count} sign-in prompts were not answered", hint)


def ignored(env: Mapping[str, str], name: str) -> None:
    """Count one more unanswered prompt; never raises."""
    count, when = _unanswered(env, name)
    count = count if 0 <= time.time() - when < _UNANSWERED_FOR else 0
    try:
        with Folder.state(env, create=True) as folder:
            folder.write(name + _SUFFIX, f"{count + 1} {int(time.time())}\n".encode())
    except OSError:
        pass


def answered(env: Mapping[str, str], name: str) -> None:
    """Forget the unanswered prompts of a sign-in; never raises."""
    try:
        with Folder.state(env) as folder:
            folder.remove(name + _SUFFIX)
    except OSError:
        pass


def _unanswered(env: Mapping[str, str], name: str) -> tuple[int, int]:
    try:
        with Folder.state(env) as folder:
            words = (folder.read(name + _SUFFIX) or b"").split()
    except OSError:
        return 0, 0
    if len(words) != 2 or not all(word.isdigit() and len(word) < 12 for word in words):
        return 0, 0
    return int(words[0]), int(words[1])


@contextmanager
def locked(
    env: Mapping[str, str],
    name: str,
    until: float,
    *,
    aloud: bool = False,
    create: bool = True,
) -> Iterator[bool | None]:
    """Hold a lock of the state directory; yields False on time-out, None without a place.

    name: without its suffix. until: `time.monotonic()`. aloud: see `KeyLock`.
    """
    try:
        folder = Folder.state(env, create=create)
    except OSError:
        yield None
        return
    left = max(0.0, until - time.monotonic())
    with folder, folder.lock(name, timeout=left, aloud=aloud) as held:
        yield held


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _open_terminal() -> int | None:
    try:
        return os.open("/dev/tty", os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
