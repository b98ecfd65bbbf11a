"""What `msauth setup` changed in a person's files, so that it can be undone later.

For each file that a target (`kubectl`, `pats` …) edited there are up to three private files in
`~/.local/state/msauth/setup`: `NAME.before` (its bytes before the first edit: the backup; missing
when there was no file), `NAME.after` (its bytes after the last one) and `NAME.file`, three texts
that end in NUL: its path, where that led through links, and whether there was such a file.
Undoing replays the difference backwards, so what the person wrote since stays.

The backups may hold the secrets that the files held. They are kept here and not beside the files,
where a backup could be committed with a repository.
"""

import os
from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from typing import NamedTuple

from ..cache import record
from ..cache.folder import TEMPORARY, Folder, state_base
from ..errors import MsauthError, command, say
from . import files
from .files import Change

_MADE = "folders-made"
_LIMIT = 64 << 20
Merge = Callable[[bytes | None, bytes | None, bytes | None], tuple[bytes | None, bool]]
"""A function of an edit's result, what the file is now, and what it was first; see `merged`."""
_ABANDONED = 600
"""Seconds after which a backup without its path can only be of a process that was killed."""
_NEW, _OLD = b"new", b"old"
"""Whether there was no file before the first edit, or one."""


class _Entry(NamedTuple):
    """What `NAME.file` says."""

    file: str
    target: str
    new: bool


def edit(
    target: str,
    file: str,
    change: Callable[[bytes | None], bytes | None],
    env: Mapping[str, str],
    *,
    mode: int = 0o600,
    dry_run: bool = False,
    merge: Merge | None = None,
) -> list[Change]:
    """Edit a file for a target, as `files.edit` does, with a backup for `undo`.

    file: an absolute path; folders that are missing above it are made, and private. merge: in
    place of `merged`, for a file of which whole lines are not what matters. Raises MsauthError,
    and then has changed nothing.
    """
    merge = merge or merged
    change = _of_text(file, change)
    missing = files.missing_folders(file)
    if missing and not dry_run:
        if not files.edit(file, change, dry_run=True):
            return []
        try:
            os.makedirs(os.path.dirname(file), mode=0o700)
        except OSError as error:
            raise MsauthError(f"cannot make a folder for {file}: {error.strerror}") from error

    def keep(made: Change) -> None:
        with _open(env, create=True) as folder:
            _tidy(folder)
            name = _name(target, file)
            before = made.before
            entry = _entry(folder, name)
            if entry is not None:  # edited before: undo is to give what was there first
                _check_target(entry)
                before, _ = merge(_after(folder, name), before, _before(folder, entry, name))
            elif missing:
                folder.write(name + ".folders", b"%d" % missing)
            if before is None:
                folder.remove(name + ".before")
            else:
                folder.write(name + ".before", before)
            folder.write(name + ".after", made.after or b"")
            leads, there = os.path.realpath(file), _NEW if before is None else _OLD
            words = (os.fsencode(file), os.fsencode(leads), there)
            folder.write(name + ".file", b"".join(word + b"\0" for word in words))

    try:
        return files.edit(file, change, mode=mode, dry_run=dry_run, keep=keep)
    except MsauthError:
        if not dry_run:
            files.remove_folders(file, missing)
        raise


def _of_text(
    file: str, change: Callable[[bytes | None], bytes | None]
) -> Callable[[bytes | None], bytes | None]:
    """Return a change that is refused where ours would not be read: in UTF-16, say."""

    def changed(data: bytes | None) -> bytes | None:
        if data is not None and b"\0" in data:
            raise MsauthError(f"cannot change {file}: it is no text", command("file", file))
        return change(data)

    return changed


def edited(target: str, env: Mapping[str, str]) -> list[str]:
    """Return the files that a target has edited and that were not put back, sorted."""
    try:
        with _open(env) as folder:
            names = [name for name in folder.names(".file") if name.startswith(target + "-")]
            found = [_entry(folder, name.removesuffix(".file")) for name in names]
    except FileNotFoundError:
        return []
    return sorted(entry.file for entry in found if entry)


def backup(target: str, file: str, env: Mapping[str, str]) -> str:
    """Return where a file's bytes from before the first edit are kept."""
    with _open(env) as folder:
        return folder.path_of(_name(target, file) + ".before")


def undo(
    target: str,
    file: str,
    env: Mapping[str, str],
    *,
    dry_run: bool = False,
    merge: Merge | None = None,
) -> list[Change]:
    """Put back what a target changed in a file; what was written into it since stays.

    merge: the one that `edit` was given. Where the person has changed the very lines that we
    wrote, theirs stay, a warning names the backup, and the backup is kept. Raises MsauthError.
    """
    if file not in edited(target, env):
        return []
    with _open(env) as folder:
        name = _name(target, file)
        entry = _entry(folder, name)
        if entry is None:
            return []  # somebody else was faster
        _check_target(entry)
        before, after = _before(folder, entry, name), _after(folder, name)
        clean = True

        def restored(data: bytes | None) -> bytes | None:
            nonlocal clean
            text, clean = (merge or merged)(after, data, before)
            return text

        changes = files.edit(file, restored, dry_run=dry_run)
        if not clean:
            kept = folder.path_of(name + ".before")
            say("warning", f"{file} was changed since: that part stays; what it was is in {kept}")
        elif not dry_run:
            made = folder.read(name + ".folders")
            _forget(folder, name)
            files.remove_folders(file, int(made or 0))
    return changes


def undo_all(
    target: str, env: Mapping[str, str], *, dry_run: bool = False, merge: Merge | None = None
) -> list[Change]:
    """Put back every file that a target has edited, as `undo` does."""
    return [
        change
        for file in edited(target, env)
        for change in undo(target, file, env, dry_run=dry_run, merge=merge)
    ]


def merged(
    after: bytes | None, data: bytes | None, before: bytes | None
) -> tuple[bytes | None, bool]:
    """Return data with the change from before to after taken back, and whether all of it could be.

    Lines are compared whole. A file that we made, and that holds nothing else, becomes None.
    """
    if data == after or data is None:
        return (before if data is not None else None), True
    if data == before:  # the change was noted, and then never made: we were killed in between
        return before, True
    ours, theirs, old = files.lines(after), files.lines(data), files.lines(before)
    place: dict[int, int] = {}
    for a, b, size in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
        place.update((a + i, b + i) for i in range(size))
    place[len(ours)] = len(theirs)
    result, clean = list(theirs), True
    hunks = SequenceMatcher(None, ours, old, autojunk=False).get_opcodes()
    for tag, start, stop, old_start, old_stop in reversed(hunks):
        if tag == "equal":
            continue
        new = old[old_start:old_stop]
        where = [place.get(line) for line in range(start, stop)]
        if start == stop:  # only lines of theirs were taken out: they go back to their neighbour
            above, below = place.get(start - 1), place.get(start)
            first = below if above is None else above + 1
            if start == 0 or above is not None:  # they may stand there again, or still
                begin = 0 if start == 0 else first
                if below is not None and theirs[begin:below] == new:
                    continue
        else:
            first = where[0]
        if first is None or where != list(range(first, first + stop - start)):
            clean = False
            continue
        result[first : first + stop - start] = new
    text = b"".join(result)
    return (None if before is None and not text else text), clean


def _open(env: Mapping[str, str], *, create: bool = False) -> Folder:
    """Open the journal's folder; raises FileNotFoundError, or MsauthError where it is not safe."""
    try:
        path = f"{state_base(env)}/setup"
        missing = files.missing_folders(f"{path}/{_MADE}")
        folder = Folder.open(path, create=create)
        if missing:
            folder.write(_MADE, b"%d" % missing)
    except FileNotFoundError:
        raise
    except OSError as error:
        why = getattr(error, "message", None) or error.strerror or "it cannot be used"
        hint = getattr(error, "fix", None)
        raise MsauthError(f"no place for a backup: {why}", hint) from error
    return folder


def _forget(folder: Folder, name: str) -> None:
    """Remove what is kept of a file, and the folders made for it once nothing else is kept."""
    # The path first: killed after that, we have no entry, and no entry without its backup.
    for suffix in (".file", ".before", ".after", ".folders"):
        folder.remove(name + suffix)
    _tidy(folder)
    if folder.names(".file"):
        return
    made = folder.read(_MADE)
    if made is not None:
        folder.remove(_MADE)
        files.remove_folders(folder.path_of(_MADE), int(made))


def _tidy(folder: Folder) -> None:
    """Remove what processes that were killed have left: it may hold the secrets of a file."""
    names = folder.listing()
    for name in names:
        stem, dot, suffix = name.rpartition(".")
        if name.endswith(TEMPORARY):
            if not _lives(name.split(".")[-3]):
                folder.remove(name)
        elif dot + suffix in (".before", ".after", ".folders") and f"{stem}.file" not in names:
            age = folder.age(name)  # a living one may be about to write the third of them
            if age is not None and age > _ABANDONED:
                folder.remove(name)


def _lives(process: str) -> bool:
    if os.name != "posix":
        return True  # there, this call is no question
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError, ValueError):
        return False
    except OSError:
        pass
    return True


def _entry(folder: Folder, name: str) -> _Entry | None:
    if not folder.exists(name + ".file"):
        return None
    words = _read(folder, name + ".file").split(b"\0")
    if len(words) != 4:
        raise _unusable(folder, name + ".file")
    return _Entry(os.fsdecode(words[0]), os.fsdecode(words[1]), words[2] == _NEW)


def _check_target(entry: _Entry) -> None:
    """Raise where a file's name leads elsewhere than it did when the file was first edited.

    Whoever can write its folder, also a repository that is pulled, may have put a link there, and
    what was taken out of that file is nothing to write into any other.
    """
    leads = os.path.realpath(entry.file)
    if leads != entry.target:
        message = f"{entry.file} now leads to {leads}, and led to {entry.target} when it was edited"
        raise MsauthError(message, command("ls", "-ld", entry.file))


def _before(folder: Folder, entry: _Entry, name: str) -> bytes | None:
    return None if entry.new else _read(folder, name + ".before")


def _after(folder: Folder, name: str) -> bytes:
    return _read(folder, name + ".after")


def _read(folder: Folder, name: str) -> bytes:
    """Return what is kept; raises MsauthError where that is gone or not to be trusted."""
    data = folder.read(name, remove_loose=False, limit=_LIMIT)
    if data is None:
        raise _unusable(folder, name)
    return data


def _unusable(folder: Folder, name: str) -> MsauthError:
    path = folder.path_of(name)
    if folder.exists(name):
        message = f"the backup {path} is damaged or not private"
        return MsauthError(message, command("chmod", "600", path))
    return MsauthError(f"the backup {path} is gone", command("ls", "-l", folder.path))


def _name(target: str, file: str) -> str:
    return f"{target}-{record.name_of(os.fsencode(file))}"
