"""The command beside which the endpoint lives: started, signalled and waited for.

It shares our process group, so a terminal's Ctrl-C and Ctrl-Z reach it directly; what is sent to
our process alone is passed on. Afterwards our own status is made the same as the command's.
"""

import os
import signal
from collections.abc import Callable

from .execution import become

_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM")
_FROM_TERMINAL = ("SIGINT", "SIGQUIT", "SIGTSTP", "SIGCONT", "SIGWINCH")


def run(path: str, argv: list[str], env: dict[str, str], started: Callable[[], None]) -> int:
    """Run a program to its end; return its exit code, or end by the signal that ended it.

    started: called once the program runs; before that this process must have no other thread.
    Raises MsauthError, in the child.
    """
    inherited = _inherited()
    numbers = [signal.SIGCHLD, *(getattr(signal, name) for name in (*_PASSED_ON, *_FROM_TERMINAL))]
    # A signal that was ignored when we were started is passed on all the same: the command
    # finds it ignored, but may have come to listen to it by then.
    ignored = [number for number in numbers if signal.getsignal(number) == signal.SIG_IGN]
    # What arrives around the fork waits: in the child a handler of ours would swallow it.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    news = _watch(numbers)
    # Not posix_spawn, nor subprocess: glibc's leaves signals 32 and 33 ignored in the child.
    child = os.fork()
    if not child:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if not child:
        return become(path, argv, env)
    _let_go(inherited)
    started()
    while True:
        number = os.read(news, 1)[0]
        if number != signal.SIGCHLD:
            if _is_ours_to_pass(number):
                _send(child, number)
            continue
        try:
            pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        except InterruptedError:
            continue
        if pid == 0:
            continue
        if os.WIFSTOPPED(status):
            # Job control: the shell must see us stop too; its `fg` then continues both.
            os.kill(os.getpid(), signal.SIGSTOP)
        elif os.WIFSIGNALED(status):
            return die_of(os.WTERMSIG(status))
        else:
            return os.WEXITSTATUS(status)


def die_of(number: int) -> int:
    """End this process by a signal, without a core dump: it could hold tokens.

    Returns 128 + number when the signal does not end it.
    """
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, OSError, ValueError):
        pass
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


def hold_places() -> None:
    """Fill the places of standard streams that are closed, before the endpoint's socket gets one.

    The command finds them closed all the same: what is opened here does not survive execve(2).
    """
    for stream in (0, 1, 2):
        try:
            os.fstat(stream)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # the lowest free number is this one


def _watch(numbers: list[int]) -> int:
    """Return a descriptor from which each of these signals can be read as one byte."""
    news, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda _number, _frame: None)
    return news


def _is_ours_to_pass(number: int) -> bool:
    """Say whether the command has not had a signal yet.

    A terminal and its shell signal the whole foreground group; a second Ctrl-C means "at once"
    to some programs, and a late SIGCONT would undo a Ctrl-Z.
    """
    if number not in [getattr(signal, name) for name in _FROM_TERMINAL]:
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    except OSError:
        return True
    finally:
        os.close(terminal)


def _send(child: int, number: int) -> None:
    try:
        os.kill(child, number)
    except ProcessLookupError:
        pass


def _inherited() -> list[int]:
    """Return the descriptors above stderr that were open when we were started."""
    found = []
    for name in os.listdir("/dev/fd"):
        descriptor = int(name)
        try:
            if descriptor > 2 and os.get_inheritable(descriptor):
                found.append(descriptor)
        except OSError:  # the listing's own
            pass
    return found


def _let_go(inherited: list[int]) -> None:
    """Close what only the command needs: a pipe must see its end when the command closes it."""
    for descriptor in inherited:
        os.close(descriptor)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(null, 1)
