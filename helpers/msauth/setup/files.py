"""Editing a file that is a person's: all of a change or nothing, shown first, never in a race.

Every function raises MsauthError with the command that helps, and then has changed nothing. None
stands for the bytes of a file that does not exist.
"""

import errno
import os
import re
import shlex
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

from ..errors import MsauthError, command, printable, program


class Change(NamedTuple):
    """What would be written: a file, and its bytes before and after (None: no such file)."""

    file: str
    before: bytes | None
    after: bytes | None


def edit(
    file: str,
    change: Callable[[bytes | None], bytes | None],
    *,
    mode: int | None = None,
    dry_run: bool = False,
    keep: Callable[[Change], None] | None = None,
) -> list[Change]:
    """Replace a file's bytes by what change makes of them; return what was (to be) changed.

    Links are followed and stay. The lock is git's and kubectl's own: whoever creates FILE.lock
    may write; it is filled and renamed to FILE, so that readers see the old or the new bytes.
    mode: the permissions of a new file. keep: called with the change before it is written, under
    the lock; what it raises stops the change.
    """
    target = os.path.realpath(file)
    try:
        before = read(target)[0]
        after = change(before)
        if after == before:
            return []
        _check_writable(target)
        if before is None:
            _check_owner(target)
        if dry_run:
            return [Change(file, before, after)]
        with _locked(target) as lock:
            again, status = read(target)
            if again != before:
                before, after = again, change(again)
            if keep is not None:
                keep(Change(file, before, after))
            if after is None:
                os.unlink(target)
            else:
                _fill(lock, after, status, mode)
                os.replace(lock.name, target)
    except OSError as error:
        raise MsauthError(f"cannot change {file}: {error.strerror or error}") from error
    return [Change(file, before, after)]


def current_folder() -> str:
    """Return the current directory, which may have been removed: then MsauthError."""
    try:
        return os.getcwd()
    except OSError as error:
        raise MsauthError("the current directory is gone", "cd") from error


def refuse_link(file: str) -> None:
    """Raise where a file is a symbolic link: whoever made it may not want its target edited."""
    if os.path.islink(file):
        target = os.path.realpath(file)
        raise MsauthError(f"{file} is a link to {target}", "name the file itself, if it is yours")


def read(target: str) -> tuple[bytes | None, os.stat_result | None]:
    """Return a file's bytes and status. Raise where the name leads to anything but a file."""
    try:
        # Without waiting: it may be a pipe, or become one between two looks at its name.
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None, None
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise _irregular(target) from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _irregular(target)
    with open(descriptor, "rb") as stream:
        return stream.read(), status


def _irregular(target: str) -> MsauthError:
    return MsauthError(f"{target} is not a regular file", f"ls -ld {shlex.quote(target)}")


def editor(file: str) -> str:
    """Return the command that opens a file in the person's editor."""
    return "${EDITOR:-vi} " + command(file)


def missing_folders(file: str) -> int:
    """Return how many folders above a file are to be made for it."""
    count, folder = 0, os.path.dirname(os.path.abspath(file))
    while not os.path.lexists(folder):
        count, folder = count + 1, os.path.dirname(folder)
    return count


def remove_folders(file: str, count: int) -> None:
    """Remove so many folders above a file, as long as nothing else has moved in since."""
    folder = file
    for _ in range(count):
        folder = os.path.dirname(folder)
        try:
            os.rmdir(folder)
        except OSError:
            return


def lines(data: bytes | None) -> list[bytes]:
    r"""Return the lines of a file with their ends; only `\n` ends one."""
    return re.findall(rb"[^\n]*\n|[^\n]+\Z", data or b"")


def diff(changes: Sequence[Change], shown: Callable[[str], str] = str) -> str:
    """Return changes as a unified diff; shown: what a line is shown as (a secret masked)."""
    import difflib

    text: list[str] = []
    for file, before, after in changes:
        old, new = (
            [shown(line.decode("utf-8", "backslashreplace")) for line in lines(data)]
            for data in (before, after)
        )
        name = "/dev/null" if before is None else file
        new_name = "/dev/null" if after is None else file
        for line in difflib.unified_diff(old, new, name, new_name):
            whole = line.removesuffix("\n")
            text.append("\t".join(map(printable, whole.split("\t"))) + "\n")
            if whole == line:
                text.append("\\ No newline at end of file\n")
    return "".join(text)


def told(changes: Sequence[Change], *, dry_run: bool, shown: Callable[[str], str] = str) -> str:
    """Return what a person is told of changes that were, or would be, made."""
    if not changes:
        return "nothing to do\n"
    if dry_run:
        return diff(changes, shown)
    return "".join(
        f"{'removed' if after is None else 'wrote'} {printable(file)}\n"
        for file, _, after in changes
    )


def _check_writable(target: str) -> None:
    """Raise where a file is locked, or read-only (which a rename would not be stopped by)."""
    if os.path.exists(target) and not os.stat(target).st_mode & 0o222:
        raise MsauthError(f"{target} is read-only", f"chmod u+w {shlex.quote(target)}")
    folder = os.path.dirname(target)
    if os.path.exists(folder) and not os.access(folder, os.W_OK):
        hint = f"ls -ld {shlex.quote(folder)}"
        raise MsauthError(f"the folder {folder} is not yours to write", hint)
    if os.path.lexists(target + ".lock"):
        raise _locked_by_another(target)


def _check_owner(target: str) -> None:
    """Raise where root would make a file for another user, who then cannot use it (sudo -E).

    A file that is there keeps its owner (`_fill`).
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    folder = os.path.dirname(target)
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    owner = os.stat(folder).st_uid
    if owner:
        message = f"{folder} belongs to another user (uid {owner}), who could not use {target}"
        words = ("sudo", "-u", f"#{owner}", "-H", program(), *sys.argv[1:])
        raise MsauthError(message, command(*words))


def _locked_by_another(target: str) -> MsauthError:
    name = target + ".lock"
    message = f"{name} exists: a program is changing {target}, or one that died left it"
    return MsauthError(message, f"rm {shlex.quote(name)}")


@contextmanager
def _locked(target: str) -> Iterator[IO[bytes]]:
    """Hold a file's lock, and yield the lock file, open; it is gone afterwards."""
    name = target + ".lock"
    try:  # private until it is filled: whoever opened it before could read what comes later
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise _locked_by_another(target) from None
    identity = os.fstat(descriptor)
    try:
        with open(name, "wb", opener=lambda *_: descriptor) as lock:
            yield lock
    finally:
        try:  # after the rename the name is free, or another program's lock
            if os.path.samestat(os.lstat(name), identity):
                os.unlink(name)
        except FileNotFoundError:
            pass


def _fill(lock: IO[bytes], data: bytes, status: os.stat_result | None, mode: int | None) -> None:
    """Write what the lock file is to become: with the mode and owner of the file it replaces."""
    if status is not None:
        mode = stat.S_IMODE(status.st_mode)
        try:
            os.fchown(lock.fileno(), status.st_uid, status.st_gid)
        except OSError:
            pass  # only root may; git does not try
    if mode is None:
        mask = os.umask(0o077)
        os.umask(mask)
        mode = 0o666 & ~mask
    os.fchmod(lock.fileno(), mode)
    lock.write(data)
    lock.flush()
    os.fsync(lock.fileno())
