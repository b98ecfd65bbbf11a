"""Where the cache is: platformdirs' own answer, a private runtime directory, Windows by path."""

import os
import pwd
import sys
from importlib import metadata
from pathlib import Path

import platformdirs
import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from msauth.cache import folder as directory
from msauth.cache.private import Refused

from . import store
from .conftest import NOBODY, Cache, made_up, needs_root

NAMES = ("HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "MSAUTH_CACHE_DIR")
ENVIRONMENTS = [
    {},
    {"XDG_CACHE_HOME": "/elsewhere"},
    {"XDG_CACHE_HOME": "/elsewhere/"},
    {"XDG_CACHE_HOME": ""},
    {"XDG_CACHE_HOME": "relative"},
    {"XDG_CACHE_HOME": " /space"},
    {"XDG_CACHE_HOME": "/with space"},
    {"HOME": ""},
    {"HOME": "relative"},
    {"HOME": "/home/alex/"},
    {"HOME": "/nonexistent"},
    {"HOME": None},
]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, home: Path) -> pytest.MonkeyPatch:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    return monkeypatch


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("env", ENVIRONMENTS, ids=str)
def test_it_is_where_platformdirs_says(
    clean: pytest.MonkeyPatch, platform: str, env: dict[str, str | None]
) -> None:
    for name, value in env.items():
        if value is None:
            clean.delenv(name)
        else:
            clean.setenv(name, value)
    if "relative" in str(env) or " /" in str(env):
        version = tuple(int(part) for part in metadata.version("platformdirs").split(".")[:2])
        if version < (4, 13):
            pytest.skip("platformdirs for Python 3.10 still believes padded and relative values")
    theirs = (MacOS if platform == "darwin" else Unix)("msauth").user_cache_dir
    clean.setattr(sys, "platform", platform)
    assert os.path.normpath(directory.cache_base(os.environ)) == os.path.normpath(theirs)


def test_it_is_where_platformdirs_says_here(clean: pytest.MonkeyPatch) -> None:
    assert directory.cache_base(os.environ) == platformdirs.user_cache_dir("msauth", False)


def test_nobody_without_a_home_is_told_so(clean: pytest.MonkeyPatch) -> None:
    clean.delenv("HOME")

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    clean.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(Refused, match="no home directory"):
        directory.cache_base(os.environ)


def test_the_chosen_directory_wins(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.setenv("XDG_CACHE_HOME", "/elsewhere")
    clean.setenv("MSAUTH_CACHE_DIR", str(tmp_path))
    assert directory.cache_base(os.environ) == str(tmp_path)


@pytest.mark.parametrize("place", ["/x/y", "/x//y", "/x/y/", "/x/./y", "/x/../y", "/..x/.y", "//x"])
def test_a_place_has_one_spelling(place: str) -> None:
    """Locks and stamps are told apart by path."""
    assert directory.cache_base({"MSAUTH_CACHE_DIR": place}) == os.path.normpath(place)


@pytest.mark.parametrize("place", ["relative", "~/cache", "./x", "a/../b"])
def test_a_relative_choice_is_refused(clean: pytest.MonkeyPatch, place: str) -> None:
    clean.setenv("MSAUTH_CACHE_DIR", place)
    with pytest.raises(Refused, match="not an absolute path"):
        directory.cache_base(os.environ)


@pytest.mark.parametrize(
    ("mode", "used"), [(0o700, True), (0o750, False), (0o701, False), (0o777, False)]
)
def test_the_runtime_directory_is_used_if_private(
    clean: pytest.MonkeyPatch, tmp_path: Path, mode: int, used: bool
) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    runtime.chmod(mode)
    clean.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert (directory.cache_base(os.environ) == f"{runtime}/msauth") is used


def test_the_runtime_directory_is_used_if_ours(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    for wrong in (str(tmp_path / "missing"), "run", ""):
        clean.setenv("XDG_RUNTIME_DIR", wrong)
        assert not directory.cache_base(os.environ).startswith(str(runtime))
    (tmp_path / "link").symlink_to(runtime)
    clean.setenv("XDG_RUNTIME_DIR", str(tmp_path / "link"))
    assert not directory.cache_base(os.environ).startswith(str(tmp_path / "link"))
    needs_root()
    os.chown(runtime, NOBODY, NOBODY)
    clean.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert not directory.cache_base(os.environ).startswith(str(runtime))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_directories_are_born_private_and_the_umask_is_left_alone(
    clean: pytest.MonkeyPatch, tmp_path: Path, umask: int
) -> None:
    clean.setenv("MSAUTH_CACHE_DIR", str(tmp_path / "a" / "b"))
    old = os.umask(umask)
    try:
        store.opened().__exit__()
    finally:
        assert os.umask(old) == umask
    for part in ("a", "a/b", "a/b/v1"):
        assert (tmp_path / part).stat().st_mode & 0o777 == 0o700


# -- Windows, as far as it goes by path, which works here too


@pytest.mark.parametrize(
    "local", ["C:\\Users\\me\\AppData\\Local", "D:\\x y\\Local", "\\\\server\\share\\Local"]
)
def test_windows_is_where_platformdirs_says(clean: pytest.MonkeyPatch, local: str) -> None:
    clean.setattr("platformdirs.windows.get_win_folder", lambda name: local)
    clean.setattr("platformdirs.windows.os.path.normpath", lambda path: path)
    theirs = Windows("msauth", False).user_cache_dir.replace("/", "\\")
    clean.setattr(sys, "platform", "win32")
    assert directory.cache_base({"LOCALAPPDATA": local}) == theirs


def test_windows_without_a_variable(clean: pytest.MonkeyPatch) -> None:
    clean.setattr(sys, "platform", "win32")
    assert directory.cache_base({"USERPROFILE": "C:\\Users\\me"}) == (
        "C:\\Users\\me\\AppData\\Local\\msauth\\Cache"
    )


@pytest.fixture
def by_path(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """The cache as on Windows: no dir_fd, no owners and no modes."""
    monkeypatch.setattr(directory, "_RELATIVE", False)
    monkeypatch.delattr(os, "geteuid")
    return cache


def test_the_cache_works_by_path(by_path: Cache) -> None:
    assert by_path.get() is None
    by_path.put(made_up("one"))
    assert by_path.get() == made_up("one").text
    by_path.put(made_up("two"))
    assert by_path.get() == made_up("two").text
    store.reject(made_up("two").text, '{"claims":1}')
    assert by_path.get() is None
    by_path.put(made_up("two"))
    assert by_path.get() is None
    by_path.put(made_up("three"))
    with store.opened() as folder:
        assert folder.touch("stamp") is None
        age = folder.touch("stamp")
        assert age is not None
        assert age < 10
    assert store.logout("") == 1
    assert by_path.get() is None
    store.remember_tenant("contoso", "contoso.com", now=1000, until=2000)
    assert store.read_tenant("contoso", now=1500) == "contoso.com"
    store.forget_tenant("contoso")
    assert store.read_tenant("contoso", now=1500) is None
    assert by_path.temporaries() == []


def test_a_record_that_cannot_be_replaced_stays(
    by_path: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses to replace a file that somebody holds open."""
    by_path.put(made_up("old"))

    def busy(one: str, other: str) -> None:
        raise PermissionError(13, "sharing violation")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", busy)
        with pytest.raises(PermissionError):
            by_path.put(made_up("never"))
    assert by_path.get() == made_up("old").text
    assert by_path.temporaries() == []


def test_a_junction_is_refused(by_path: Cache, tmp_path: Path) -> None:
    by_path.put(made_up("x"))
    by_path.place.rename(tmp_path / "moved")
    by_path.place.symlink_to(tmp_path / "moved")
    assert by_path.get() is None
    with pytest.raises(Refused, match="is a link"):
        store.opened()


@pytest.mark.parametrize("name", ["MSAUTH_CACHE_DIR", "HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"])
def test_another_users_folder_gets_nothing_of_ours(tmp_path: Path, name: str) -> None:
    """`sudo -E` keeps HOME and XDG_*: root's files there could not be used by their owner."""
    needs_root()
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, NOBODY, NOBODY)
    below = str(theirs / "a" / "b") if name == "MSAUTH_CACHE_DIR" else str(theirs)
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    env = {"HOME": str(mine), name: below}
    if name == "XDG_RUNTIME_DIR":  # there is a better place, and that is used
        with directory.Folder.cache(env, create=True) as folder:
            assert folder.path == f"{mine}/.cache/msauth/v1"
    else:
        with pytest.raises(Refused, match=r"belongs to another user \(uid 65534\)"):
            directory.Folder.cache(env, create=True)
    assert list(theirs.iterdir()) == []


def test_the_state_folder_is_not_made_in_another_users_home(tmp_path: Path) -> None:
    needs_root()
    os.chown(tmp_path, NOBODY, NOBODY)
    for env in ({"HOME": str(tmp_path)}, {"HOME": "/root", "XDG_STATE_HOME": str(tmp_path)}):
        with pytest.raises(Refused, match="belongs to another user"):
            directory.Folder.state(env, create=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["read", "write", "both"])
def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path, mode: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    place.chmod({"read": 0o740, "write": 0o720, "both": 0o770}[mode])
    with pytest.raises(Refused, match="open to other users") as caught:
        directory.Folder.open(str(place), create=True)
    assert caught.value.fix == f"chmod 700 {place}"
