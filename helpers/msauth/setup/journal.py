"""What `msauth setup` changed in a person's files, so that it can be undone later.

For each file that a target (`kubectl`, `pats` …) edited there are up to three private files in
`~/.local/state/msauth/setup`: `NAME.file` (its path), `NAME.before` (its bytes before the first
edit: the backup; missing when there was no file) and `NAME.after` (its bytes after the last one).
Undoing replays the difference backwards, so what the person wrote since stays.

The backups may hold the secrets that the files held. They are kept here and not beside the files,
where a backup could be committed with a repository.
"""

import os
from collections.abc import Callable, Mapping
from difflib import SequenceMatcher

from ..cache import record
from ..cache.folder import Folder, state_base
from ..errors import MsauthError, say
from . import files
from .files import Change

_MADE = "folders-made"
_LIMIT = 64 << 20
Merge = Callable[[bytes | None, bytes | None, bytes | None], tuple[bytes | None, bool]]
"""A function of an edit's result, what the file is now, and what it was first; see `merged`."""


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
            name = _name(target, file)
            before = made.before
            if folder.exists(name + ".file"):  # edited before: undo is to give what was there first
                before, _ = merge(_after(folder, name), before, _before(folder, name))
            elif missing:
                folder.write(name + ".folders", b"%d" % missing)
            if before is None:
                folder.remove(name + ".before")
            else:
                folder.write(name + ".before", before)
            folder.write(name + ".after", made.after or b"")
            folder.write(name + ".file", os.fsencode(file))

    try:
        return files.edit(file, change, mode=mode, dry_run=dry_run, keep=keep)
    except MsauthError:
        if not dry_run:
            files.remove_folders(file, missing)
        raise


def edited(target: str, env: Mapping[str, str]) -> list[str]:
    """Return the files that a target has edited and that were not put back, sorted."""
    try:
        with _open(env) as folder:
            names = [name for name in folder.names(".file") if name.startswith(target + "-")]
            found = [folder.read(name) for name in names]
    except FileNotFoundError:
        return []
    return sorted(os.fsdecode(path) for path in found if path)


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
        before, after = _before(folder, name), _after(folder, name)
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


def merged(
    after: bytes | None, data: bytes | None, before: bytes | None
) -> tuple[bytes | None, bool]:
    """Return data with the change from before to after taken back, and whether all of it could be.

    Lines are compared whole. A file that we made, and that holds nothing else, becomes None.
    """
    if data == after or data is None:
        return (before if data is not None else None), True
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
    for suffix in (".before", ".after", ".file", ".folders"):
        folder.remove(name + suffix)
    if folder.names(".file"):
        return
    made = folder.read(_MADE)
    if made is not None:
        folder.remove(_MADE)
        files.remove_folders(folder.path_of(_MADE), int(made))


def _before(folder: Folder, name: str) -> bytes | None:
    return folder.read(name + ".before", limit=_LIMIT)


def _after(folder: Folder, name: str) -> bytes | None:
    return folder.read(name + ".after", limit=_LIMIT)


def _name(target: str, file: str) -> str:
    return f"{target}-{record.name_of(os.fsencode(file))}"
