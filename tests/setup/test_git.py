"""git's configuration by include: real git reads it, and it goes without a trace."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from msauth.errors import MsauthError
from msauth.setup import files, git, git_places, gitconfig

VALUE = b"~/.config/msauth/gitconfig"
URL = "https://dev.azure.com/contoso/hello/_git/hello"

# What the installer of msauth 0.1 wrote.
OLD = b"""# >>> msauth >>>
[credential "https://dev.azure.com"]
	helper =
	helper = msauth
	useHttpPath = true
[credential "https://*.visualstudio.com"]
	helper =
	helper = "/home/a\\\\ b/.local/bin/git-credential-msauth"
	useHttpPath = true
# <<< msauth <<<
"""
OLD_FIRST = b"# >>> msauth >>>\n"
OLD_LAST = b"# <<< msauth <<<\n"
NOTE = b"# the line above had no newline\n"
NEW = b"# this file was made for the lines below\n"

CONFIGURATIONS = st.lists(
    st.sampled_from(
        [
            *(b"\n", b"\r\n", b"\r", b" ", b"\t", b"\\", b'"', b"#", b";", b"=", b"\0", b"\xff"),
            *(b"[user]", b"\tname = A", b"[include]", b"[INCLUDE]\n", b"\tpath = other\n"),
            *(b"path = " + VALUE[:-1] + b"\n", b"[user]\n\tname = A\\\n", b"# a comment"),
            *(b"[credential]\n\thelper = store\n", b'[remote "a"]\r\n\turl = b\r\n'),
        ]
    )
    | st.binary(max_size=4),
    max_size=8,
).map(b"".join)


def listed(data: bytes) -> list[bytes] | None:
    """Return the settings that git reads in data, or None where it refuses to."""
    command = ["git", "config", "--file", "-", "--no-includes", "--list", "-z"]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    return done.stdout.split(b"\0")[:-1] if done.returncode == 0 else None


@given(CONFIGURATIONS)
@settings(max_examples=300, deadline=None)
@example(b"")
@example(b"[user]\n\tname = A")
@example(b"[user]\n\tname = A\\")
@example(b"[user]\n\tname = A\\\n")
@example(b"[user]\n\tname = A\\\\\n")
@example(b"[user]\r\n\tname = A\\\r\n")
@example(b"[include]\n\tpath = other\n")
@example(b"[include]")
def test_the_include_is_read_last_and_goes_without_a_trace(before: bytes) -> None:
    settings_before = listed(before)
    assume(settings_before is not None)
    assert settings_before is not None
    once = gitconfig.added(before, VALUE)
    assert listed(once) == [*settings_before, b"include.path\n" + VALUE]
    assert gitconfig.removed(once, VALUE) == before
    assert gitconfig.added(once, VALUE) == once


def test_a_file_that_was_not_there_goes_again() -> None:
    assert gitconfig.added(None, VALUE) == b"[include]\n\tpath = " + VALUE + b"\n"
    assert gitconfig.removed(gitconfig.added(None, VALUE), VALUE) is None
    assert gitconfig.removed(None, VALUE) is None


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_lines_end_as_those_of_the_file_do(eol: bytes) -> None:
    once = gitconfig.added(b"[user]" + eol + b"\tname = A" + eol, VALUE)
    assert once.count(eol) == once.count(b"\n") == 4


@given(CONFIGURATIONS, CONFIGURATIONS)
def test_what_was_written_since_stays(before: bytes, since: bytes) -> None:
    newline = b"" if before.endswith(b"\n") else b"\n"  # git writes it before it adds a section
    since = b"[core]\n" + since
    after = gitconfig.removed(gitconfig.added(before, VALUE) + newline + since, VALUE)
    assert after is not None
    assert after.startswith(before)
    assert after.endswith(since)
    between = after[len(before) : -len(since)].replace(gitconfig._CONTINUED, b"")
    assert between.strip() == b""


def test_what_was_written_since_does_not_continue_a_line() -> None:
    once = gitconfig.added(b"[user]\n\tname = A\\\n", VALUE) + b"[core]\n\tpager = less\n"
    settings_after = listed(gitconfig.removed(once, VALUE) or b"")
    assert settings_after == [b"user.name\nA", b"core.pager\nless"]


def test_what_git_adds_to_our_section_stays(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_bytes(gitconfig.added(b"[user]\n\tname = A\n", VALUE))
    for arguments in (["--add", "include.path", "mine"], ["core.pager", "less"]):
        subprocess.run(["git", "config", "-f", file, *arguments], check=True)
    left = gitconfig.removed(file.read_bytes(), VALUE)
    assert left == b"[user]\n\tname = A\n[include]\n\tpath = mine\n[core]\n\tpager = less\n"


def test_it_moves_behind_what_would_decide_after_it() -> None:
    once = gitconfig.added(b"[user]\n", VALUE)
    assert gitconfig.added(once + b"[safe]\n", VALUE) == once + b"[safe]\n"
    later = b"[Credential]\n\thelper = store\n"
    assert gitconfig.added(once + later, VALUE) == b"[user]\n" + later + once.removeprefix(
        b"[user]\n"
    )


# --- The marked block of msauth 0.1 ---


@pytest.mark.parametrize(
    ("old", "after"),
    [
        (b"[user]\n" + OLD, b"[user]\n"),
        (b"[user]\n" + OLD + b"[core]\n", b"[user]\n[core]\n"),
        (b"[user]\n" + OLD.replace(OLD_FIRST, OLD_FIRST + NOTE), b"[user]"),
        (OLD.replace(OLD_FIRST, OLD_FIRST + NEW), None),
        (OLD.replace(OLD_FIRST, OLD_FIRST + NEW) + b"[core]\n", b"[core]\n"),
        (b"[user]\r\n" + OLD.replace(b"\n", b"\r\n"), b"[user]\r\n"),
    ],
)
def test_an_older_block_is_replaced(old: bytes, after: bytes | None) -> None:
    assert gitconfig.removed(old, VALUE) == after
    assert gitconfig.added(old, VALUE) == gitconfig.added(after, VALUE)


MINE = b"[credential]\n\thelper =\n\tuseHttpPath = true\n[alias]\n\thelper = x\n"


@pytest.mark.parametrize(
    ("damaged", "after"),
    [
        # no end, no begin, neither; two beginnings
        (b"[user]\n" + OLD.replace(OLD_LAST, b"") + MINE, b"[user]\n" + MINE),
        (b"[user]\n" + OLD.replace(OLD_FIRST, b"") + MINE, b"[user]\n" + MINE),
        (b"[a]\n\tusehttppath = true\n" + OLD_LAST, b"[a]\n\tusehttppath = true\n"),
        (b"[user]\n" + OLD.replace(OLD_LAST, b"") + OLD + MINE, b"[user]\n" + MINE),
        (OLD_FIRST + MINE, MINE),
        (OLD_LAST + MINE, MINE),
        # edited inside
        (OLD.replace(OLD_LAST, MINE + OLD_LAST), MINE),
        (
            OLD.replace(b"\thelper = msauth\n", b"\thelper = msauth\n\tusername = a\n"),
            b'[credential "https://dev.azure.com"]\n\tusername = a\n',
        ),
        (
            OLD.replace(b"\thelper = msauth\n", b"\thelper = manager\n"),
            b'[credential "https://dev.azure.com"]\n\thelper = manager\n',
        ),
        (
            OLD.replace(b"= true\n", b"= false\n", 1).replace(OLD_LAST, b"# mine\n"),
            b'[credential "https://dev.azure.com"]\n\tuseHttpPath = false\n# mine\n',
        ),
    ],
)
def test_a_damaged_block_takes_none_of_the_persons_lines(damaged: bytes, after: bytes) -> None:
    assert gitconfig.removed(damaged, VALUE) == after


@given(st.lists(st.sampled_from([*OLD.splitlines(True), b"\tname = A\n", b"[user]\n", b"# x\n"])))
def test_no_line_of_the_persons_is_ever_lost(lines: list[bytes]) -> None:
    def theirs(text: bytes) -> list[bytes]:
        return [line for line in text.splitlines() if line not in [*OLD.splitlines(), b"[user]"]]

    data = b"".join(lines)
    after = gitconfig.removed(data, VALUE)
    assert after is not None
    assert theirs(after) == theirs(data)
    if OLD_FIRST not in data and OLD_LAST not in data:
        assert after == data


# --- Files ---


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}


def add(env: dict[str, str], helper: str = "msauth") -> list[files.Change]:
    text = git.include_text(helper)
    return git.add(git_places.place("--global", env), text, env)


def remove(env: dict[str, str]) -> list[files.Change]:
    return git.remove(git_places.place("--global", env), env)


def tree(root: Path) -> dict[str, tuple[int, object]]:
    """Return every path below root with its mode and its bytes or target."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes(),
        )
        for path in root.rglob("*")
    }


@pytest.mark.parametrize(
    "before",
    [None, b"", b"[user]\n\tname = A", b"[user]\r\n\tname = A\r\n", b"[include]\n\tpath = x\n"],
)
@pytest.mark.parametrize("prepared", [(), (".config",), (".config", ".config/msauth")])
def test_a_home_is_as_it_was(
    tmp_path: Path, place: dict[str, str], before: bytes | None, prepared: tuple[str, ...]
) -> None:
    for folder in prepared:
        (tmp_path / folder).mkdir()
    if before is not None:
        (tmp_path / ".gitconfig").write_bytes(before)
    then = tree(tmp_path)
    assert [change.file for change in add(place)] == [
        git_places.include_file(place),
        git_places.config_file(place),
    ]
    assert stat.S_IMODE(os.stat(git_places.include_file(place)).st_mode) == 0o600
    assert not prepared[1:] or (tmp_path / ".config/msauth/gitconfig").exists()
    assert add(place) == []
    assert [change.file for change in add(place, "/other")] == [git_places.include_file(place)]
    assert remove(place)
    assert tree(tmp_path) == then
    assert remove(place) == []


def test_git_asks_us_last_and_nobody_else(tmp_path: Path, place: dict[str, str]) -> None:
    (tmp_path / "mine").write_text('[credential "https://dev.azure.com"]\n\thelper = cache\n')
    (tmp_path / ".gitconfig").write_text(
        f"[include]\n\tpath = {tmp_path}/mine\n[credential]\n\thelper = store"
    )
    add(place)

    def asked(*arguments: str) -> list[str]:
        command = ["git", "config", *arguments]
        done = subprocess.run(command, env=place, cwd=tmp_path, capture_output=True, check=True)
        return done.stdout.decode().split("\n")[:-1]

    assert asked("--get-urlmatch", "credential.helper", URL) == ["msauth"]
    assert asked("--get-urlmatch", "credential.helper", "https://x.visualstudio.com/") == ["msauth"]
    assert asked("--get-urlmatch", "credential.helper", "https://github.com/") == ["store"]
    assert asked("--get-urlmatch", "credential.usehttppath", URL) == ["true"]
    chain = asked("--get-all", "credential.https://dev.azure.com.helper")
    assert chain == ["cache", "", "msauth"]
    assert asked("--get-regexp", "credential.helper") == ["credential.helper store"]


@pytest.mark.parametrize("folder", ["bin", "my bin", "b'i\"n", "b$i`n", "bin\\x", "b;#n"])
def test_git_finds_a_helper_off_path(tmp_path: Path, place: dict[str, str], folder: str) -> None:
    directory = tmp_path / folder
    directory.mkdir()
    program = directory / "git-credential-msauth"
    program.write_text("#!/bin/sh\necho username=found\necho password=x\n")
    program.chmod(0o755)
    add(place, git.helper_command(str(program), place))
    done = subprocess.run(
        ["git", "credential", "fill"],
        input=b"protocol=https\nhost=dev.azure.com\n\n",
        env=place,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert b"username=found\n" in done.stdout, done.stderr


def test_a_helper_on_path_is_called_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, other = tmp_path / "a/git-credential-msauth", tmp_path / "b/git-credential-msauth"
    for path in (program, other):
        path.parent.mkdir()
        path.write_text("")
        path.chmod(0o755)
    command = git.helper_command
    assert command(str(program), {"PATH": f"/bin:{program.parent}"}) == "!git-credential-msauth"
    assert command(str(program), {"PATH": f"{other.parent}:{program.parent}"}) == str(program)
    assert command(str(program), {"PATH": ""}) == str(program)
    monkeypatch.chdir(program.parent)
    assert command(str(program), {"PATH": ":.:"}) == str(program)


@pytest.mark.parametrize("home", ["a b", "a'b", 'a"b', "a#b", "a\\b", "é;", " x "])
def test_git_finds_the_file_of_ours(tmp_path: Path, place: dict[str, str], home: str) -> None:
    place["HOME"] = str(tmp_path / home)
    os.mkdir(place["HOME"])
    for folder in ("", f"{tmp_path}/x{home}"):
        place["XDG_CONFIG_HOME"] = folder
        add(place)
        command = ["git", "config", "--get-urlmatch", "credential.helper", URL]
        done = subprocess.run(command, env=place, cwd="/", capture_output=True, check=True)
        assert done.stdout == b"msauth\n"
        remove(place)
    assert list(tmp_path.rglob("*")) == [tmp_path / home]


def test_a_linked_configuration_stays_a_link(tmp_path: Path, place: dict[str, str]) -> None:
    dotfile = tmp_path / "dotfiles" / "gitconfig"
    dotfile.parent.mkdir()
    dotfile.write_text("[user]\n\tname = A\n")
    dotfile.chmod(0o640)
    (tmp_path / ".gitconfig").symlink_to("dotfiles/gitconfig")
    then = tree(tmp_path)
    add(place)
    assert VALUE in dotfile.read_bytes()
    assert stat.S_IMODE(dotfile.stat().st_mode) == 0o640
    remove(place)
    assert tree(tmp_path) == then


def test_a_link_to_a_file_to_come_stays_one(tmp_path: Path, place: dict[str, str]) -> None:
    (tmp_path / ".gitconfig").symlink_to("later")
    add(place)
    assert VALUE in (tmp_path / "later").read_bytes()
    remove(place)
    assert os.listdir(tmp_path) == [".gitconfig"]


def test_the_lock_of_git_is_respected(tmp_path: Path, place: dict[str, str]) -> None:
    config, lock = tmp_path / ".gitconfig", tmp_path / ".gitconfig.lock"
    config.write_text("[user]\n")
    lock.write_text("git is writing this")
    then = tree(tmp_path)
    with pytest.raises(MsauthError, match=r"gitconfig\.lock exists") as caught:
        add(place)
    assert caught.value.hint == f"rm {lock}"
    assert tree(tmp_path) == then


def test_only_one_holds_the_lock(tmp_path: Path) -> None:
    with files._locked(str(tmp_path / "config")):
        with pytest.raises(MsauthError, match="exists"), files._locked(str(tmp_path / "config")):
            pass
        assert os.listdir(tmp_path) == ["config.lock"]
    assert os.listdir(tmp_path) == []


def test_git_respects_our_lock(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[user]\n")

    def change(data: bytes | None) -> bytes:
        if (tmp_path / "config.lock").exists():
            command = ["git", "config", "-f", config, "user.name", "A"]
            done = subprocess.run(command, capture_output=True, check=False)
            assert b"could not lock" in done.stderr
            seen.append(data)
        elif not seen:  # git is first
            config.write_text("[user]\n\tname = B\n")
        return (data or b"") + b"# end\n"

    seen: list[bytes | None] = []
    files.edit(str(config), change)
    assert seen == [b"[user]\n\tname = B\n"]
    assert config.read_bytes() == b"[user]\n\tname = B\n# end\n"
    assert os.listdir(tmp_path) == ["config"]


@pytest.mark.parametrize("case", ["broken", "read-only", "folder", "pipe", "foreign", "no folder"])
def test_what_cannot_be_edited_is_left_alone(
    tmp_path: Path, place: dict[str, str], case: str
) -> None:
    config = tmp_path / ".gitconfig"
    config.write_text("[user\n" if case == "broken" else "[user]\n")
    words = {"broken": "git cannot read", "read-only": "is read-only", "foreign": "not made by"}
    if case == "read-only":
        config.chmod(0o444)
    elif case == "foreign":
        Path(git_places.include_file(place)).parent.mkdir(parents=True)
        Path(git_places.include_file(place)).write_text("[user]\n\tname = A\n")
    elif case == "no folder":
        place["GIT_CONFIG_GLOBAL"] = str(tmp_path / "no" / "gitconfig")
    elif case != "broken":
        config.unlink()
        (config.mkdir if case == "folder" else lambda: os.mkfifo(config))()
    then = tree(tmp_path)
    expected = words.get(case, "cannot change" if case == "no folder" else "not a regular file")
    with pytest.raises(MsauthError, match=expected):
        add(place)
    assert tree(tmp_path) == then


def test_a_preview_is_a_patch_and_writes_nothing(tmp_path: Path, place: dict[str, str]) -> None:
    config, include = tmp_path / ".gitconfig", tmp_path / ".config/msauth/gitconfig"
    config.write_text("[user]\n\tname = A")
    then = tree(tmp_path)
    text = git.include_text("msauth")
    changes = git.add(git_places.place("--global", place), text, place, dry_run=True)
    assert tree(tmp_path) == then
    add(place)
    wanted = config.read_bytes(), include.read_bytes()
    remove(place)
    if shutil.which("patch"):
        text = files.diff(changes).encode()
        subprocess.run(["patch", "-p0", "-d", "/", "-s"], input=text, check=True)
        assert (config.read_bytes(), include.read_bytes()) == wanted
