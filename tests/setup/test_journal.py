"""What setup changed in a person's file is undone byte for byte, and their later edits stay."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msauth.cache.folder import Folder
from msauth.errors import MsauthError
from msauth.setup import files, journal

BEFORE = b"# mine\r\none\n\ttwo = secret\nthree"
AFTER = b"# mine\r\none\n\ttwo = ours\nmore of ours\nthree"
LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"\n", b"c: 1\r\n", b"end"]), max_size=7)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home")}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "config"
    path.write_bytes(BEFORE)
    path.chmod(0o640)
    return str(path)


def tree(folder: str) -> list[str]:
    return sorted(str(path) for path in Path(folder).rglob("*"))


def write(file: str, data: bytes) -> None:
    Path(file).write_bytes(data)


def test_edit_and_undo(env: dict[str, str], file: str) -> None:
    assert journal.edit("t", file, lambda _: AFTER, env) == [files.Change(file, BEFORE, AFTER)]
    assert Path(file).read_bytes() == AFTER
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o640
    assert journal.edited("t", env) == [file]
    assert journal.edited("other", env) == []
    backup = journal.backup("t", file, env)
    assert Path(backup).read_bytes() == BEFORE
    for path in tree(env["HOME"] + "/.local/state/msauth/setup"):
        assert stat.S_IMODE(os.lstat(path).st_mode) == 0o600
    assert journal.undo("t", file, env, dry_run=True) == [files.Change(file, AFTER, BEFORE)]
    assert Path(file).read_bytes() == AFTER
    assert journal.undo("t", file, env) == [files.Change(file, AFTER, BEFORE)]
    assert Path(file).read_bytes() == BEFORE
    assert tree(env["HOME"]) == []
    assert journal.undo("t", file, env) == []


def test_dry_run_and_no_change_keep_nothing(env: dict[str, str], file: str) -> None:
    assert journal.edit("t", file, lambda _: AFTER, env, dry_run=True)
    assert journal.edit("t", file, lambda data: data, env) == []
    assert Path(file).read_bytes() == BEFORE
    assert tree(env["HOME"]) == []


def test_folders_that_were_there_stay(env: dict[str, str], file: str) -> None:
    state = Path(env["HOME"], ".local", "state", "msauth")
    state.mkdir(parents=True, mode=0o700)
    journal.edit("t", file, lambda _: AFTER, env)
    journal.undo("t", file, env)
    assert state.is_dir()
    assert not any(state.iterdir())


def test_a_later_edit_stays(env: dict[str, str], file: str) -> None:
    journal.edit("t", file, lambda _: AFTER, env)
    write(file, b"new first\n" + AFTER.replace(b"one", b"ONE") + b"\nlast\n")
    journal.undo("t", file, env)
    assert Path(file).read_bytes() == b"new first\n" + BEFORE.replace(b"one", b"ONE") + b"\nlast\n"


def test_their_change_of_our_line_stays_and_the_backup_is_named(
    env: dict[str, str], file: str, capfd: pytest.CaptureFixture[str]
) -> None:
    journal.edit("t", file, lambda _: AFTER, env)
    write(file, AFTER.replace(b"two = ours", b"two = theirs"))
    assert journal.undo("t", file, env) == []
    assert b"two = theirs\nmore of ours\n" in Path(file).read_bytes()
    backup = journal.backup("t", file, env)
    assert backup in capfd.readouterr().err
    assert Path(backup).read_bytes() == BEFORE


def test_an_edit_after_an_edit_is_undone_with_it(env: dict[str, str], file: str) -> None:
    journal.edit("t", file, lambda _: AFTER, env)
    write(file, AFTER + b"\nlast\n")
    journal.edit("t", file, lambda data: (data or b"").replace(b"ours", b"OURS"), env)
    journal.undo("t", file, env)
    assert Path(file).read_bytes() == BEFORE + b"\nlast\n"


def test_a_file_of_ours_goes_again_unless_something_was_added(
    env: dict[str, str], tmp_path: Path
) -> None:
    file = str(tmp_path / "new")
    journal.edit("t", file, lambda _: b"ours\n", env)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    journal.undo("t", file, env)
    assert not os.path.exists(file)
    journal.edit("t", file, lambda _: b"ours\n", env)
    write(file, b"ours\ntheirs\n")
    journal.undo("t", file, env)
    assert Path(file).read_bytes() == b"theirs\n"


def test_a_file_that_was_deleted_since_stays_deleted(env: dict[str, str], file: str) -> None:
    journal.edit("t", file, lambda _: AFTER, env)
    os.unlink(file)
    assert journal.undo("t", file, env) == []
    assert not os.path.exists(file)
    assert journal.edited("t", env) == []


def test_without_a_place_for_the_backup_nothing_is_changed(env: dict[str, str], file: str) -> None:
    write(env["HOME"] + "/.local", b"")
    with pytest.raises(MsauthError, match="no place for a backup"):
        journal.edit("t", file, lambda _: AFTER, env)
    assert Path(file).read_bytes() == BEFORE
    assert not os.path.exists(file + ".lock")


def test_a_link_is_refused(tmp_path: Path, file: str) -> None:
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(MsauthError, match="is a link to"):
        files.refuse_link(str(tmp_path / "link"))
    files.refuse_link(file)


def test_a_diff_shows_no_control_character_and_masks_what_it_is_told_to() -> None:
    change = files.Change("f", b"a\x1b[2J\r\n\tpassword = x\n", b"b")
    text = files.diff([change], lambda line: line.replace("x", "***"))
    assert "\x1b" not in text
    assert "-\tpassword = ***\n" in text
    assert text.endswith("+b\n\\ No newline at end of file\n")


@given(LINES.map(b"".join), LINES.map(b"".join))
@settings(max_examples=200, deadline=None)
def test_taking_back_gives_what_was_there(before: bytes, after: bytes) -> None:
    assert journal.merged(after, after, before) == (before, True)


@given(LINES.map(b"".join), LINES.map(b"".join))
@settings(max_examples=300, deadline=None)
def test_lines_added_in_front_and_behind_stay(before: bytes, after: bytes) -> None:
    before, after = before + b"\n", after + b"\n"
    front, last = b"first of theirs\n", b"last of theirs\n"
    result, clean = journal.merged(after, front + after + last, before)
    assert clean
    assert result == front + before + last


# --- Those who would have us write or read elsewhere ----------------------------------------------


@pytest.mark.parametrize("above", [False, True])
def test_what_was_taken_out_is_not_put_into_what_a_link_leads_to(
    env: dict[str, str], tmp_path: Path, above: bool
) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    file = folder / "npmrc"
    file.write_bytes(b"a\n$(secret)\n")
    journal.edit("t", str(file), lambda _: b"a\n", env)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "npmrc").write_bytes(b"# mine\n")
    file.unlink()
    if above:
        folder.rmdir()
        folder.symlink_to(mine)
    else:
        file.symlink_to(mine / "npmrc")
    with pytest.raises(MsauthError, match="now leads to"):
        journal.undo("t", str(file), env)
    with pytest.raises(MsauthError, match="now leads to"):
        journal.edit("t", str(file), lambda _: b"", env)
    assert (mine / "npmrc").read_bytes() == b"# mine\n"


def test_a_link_that_was_there_before_is_followed_back(env: dict[str, str], file: str) -> None:
    link = file + ".link"
    os.symlink(file, link)
    journal.edit("t", link, lambda _: AFTER, env)
    journal.undo("t", link, env)
    assert Path(file).read_bytes() == BEFORE
    assert os.path.islink(link)


@pytest.mark.parametrize("suffix", [".before", ".after", ".file"])
def test_a_backup_that_others_could_read_stays_and_is_not_used(
    env: dict[str, str], file: str, suffix: str
) -> None:
    journal.edit("t", file, lambda _: AFTER, env)
    kept = Path(journal.backup("t", file, env)).with_suffix(suffix)
    kept.chmod(0o644)
    with pytest.raises(MsauthError, match="not private") as raised:
        journal.undo("t", file, env)
    assert raised.value.hint == f"chmod 600 {kept}"
    assert Path(file).read_bytes() == AFTER
    kept.chmod(0o600)
    journal.undo("t", file, env)
    assert Path(file).read_bytes() == BEFORE


def test_a_file_whose_backup_is_gone_is_not_removed(env: dict[str, str], file: str) -> None:
    journal.edit("t", file, lambda _: AFTER, env)
    os.unlink(journal.backup("t", file, env))
    with pytest.raises(MsauthError, match="is gone"):
        journal.undo("t", file, env)
    assert Path(file).read_bytes() == AFTER


def test_a_change_that_was_noted_and_never_made_is_not_taken_back_twice(
    env: dict[str, str], file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill between the two: a line that was to go must not come a second time."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    before = b"a\nsecret\nb\nc\n"
    write(file, before)
    with monkeypatch.context() as patch:
        patch.setattr("msauth.setup.files._fill", killed)
        with pytest.raises(KeyboardInterrupt):
            journal.edit("t", file, lambda _: b"a\nb\nc\n", env)
    journal.edit("t", file, lambda _: b"a\nb\nc\n", env)
    journal.undo("t", file, env)
    assert Path(file).read_bytes() == before
    write(file, BEFORE)
    with monkeypatch.context() as patch:
        patch.setattr("msauth.setup.files._fill", killed)
        with pytest.raises(KeyboardInterrupt):
            journal.edit("t", file, lambda _: AFTER, env)
    journal.undo("t", file, env)
    assert Path(file).read_bytes() == BEFORE
    assert tree(env["HOME"]) == []  # nothing is left to be undone


def test_a_second_change_that_was_never_made_is_not_taken_back_either(
    env: dict[str, str], file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    write(file, b"a\nsecret\nb\nother\nc\n")
    journal.edit("t", file, lambda _: b"a\nb\nother\nc\n", env)
    with monkeypatch.context() as patch:
        patch.setattr("msauth.setup.files._fill", killed)
        with pytest.raises(KeyboardInterrupt):
            journal.edit("t", file, lambda _: b"a\nb\nc\n", env)
    journal.undo("t", file, env)
    assert Path(file).read_bytes() == b"a\nsecret\nb\nother\nc\n"


def test_nobody_can_open_the_lock_before_the_secrets_are_in_it(file: str) -> None:
    os.chmod(file, 0o600)
    modes = []

    def keep(_: files.Change) -> None:
        modes.append(stat.S_IMODE(os.stat(file + ".lock").st_mode))

    old = os.umask(0o022)
    try:
        files.edit(file, lambda _: b"password", keep=keep)
        files.edit(file + ".new", lambda _: b"ours")
    finally:
        os.umask(old)
    assert modes == [0o600]
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(file + ".new").st_mode) == 0o644


def test_a_file_that_becomes_a_pipe_is_not_waited_for(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks at its name: what is open is looked at, and opening does not wait."""
    status = os.stat(file)
    os.unlink(file)
    os.mkfifo(file)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda *_, **__: status)
        with pytest.raises(MsauthError, match="not a regular file"):
            files.read(file)


def test_what_a_killed_process_left_goes(env: dict[str, str], file: str) -> None:
    """A temporary of the backup holds the secrets that were to be taken out."""
    other = file + ".other"
    write(other, BEFORE)
    journal.edit("t", other, lambda _: AFTER, env)
    folder = Path(journal.backup("t", file, env)).parent
    died = subprocess.Popen(["true"])
    died.wait()
    dead, alive = (folder / f".t-x.before.{pid}.0a.tmp" for pid in (died.pid, os.getpid()))
    for path in (dead, alive):
        path.write_bytes(BEFORE)
    old, young = folder / "t-old.before", folder / "t-young.before"
    for path in (old, young):
        path.write_bytes(BEFORE)
    os.utime(old, (0, 0))
    journal.edit("t", file, lambda _: AFTER, env)
    assert [path.exists() for path in (dead, alive, old, young)] == [False, True, False, True]
    dead.write_bytes(BEFORE)
    for path in (alive, young):
        path.unlink()
    journal.undo("t", file, env)
    journal.undo("t", other, env)
    assert tree(env["HOME"]) == []


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_an_undo_that_is_killed_while_it_forgets_can_be_done_again(
    env: dict[str, str], file: str, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    journal.edit("t", file, lambda _: AFTER, env)
    removed = Folder.remove
    left = kept

    def remove(folder: Folder, name: str) -> bool:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        return removed(folder, name)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "remove", remove)
        with pytest.raises(KeyboardInterrupt):
            journal.undo("t", file, env)
    journal.undo("t", file, env)
    assert Path(file).read_bytes() == BEFORE
    journal.edit("t", file, lambda _: AFTER, env)
    journal.undo("t", file, env)
    assert Path(file).read_bytes() == BEFORE
    assert tree(env["HOME"]) == []
