"""A hostile file system: the answer is right, soon, and nothing is written through a link.

Each case is met twice: with a token in the cache, by a cached `get`, and by `get --force-refresh`,
which writes. The cloud counts who really asked it, so a forged record would be seen.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msauth.cache import folder as directory
from msauth.cache import record
from msauth.cache.private import Refused
from msauth_sandbox import Sandbox

from ..conftest import Environment
from ..test_git_credential import HELLO, attributes
from . import store
from .conftest import NOBODY, REQUEST, Cache, made_up, needs_root, readable_by_all
from .warm import Warm

GIT = "msauth.git_credential"
FORGED = b"forged"
Trap = Callable[[Path, Path], None]
"""Given the `v1` directory with a good record and a file of the victim, put something hostile."""


def record_in(place: Path) -> Path:
    return next(place.glob("*.tok"))


def lock_in(place: Path) -> Path:
    return record_in(place).with_suffix(".lock")


def forged(place: Path) -> bytes:
    """A well-formed record of the same key with a token that nobody issued."""
    found = record.decode(record_in(place).read_bytes(), None)
    assert found is not None
    head = record_in(place).read_bytes().split(b"\n", 2)[2].partition(b"\n\n")[0]
    return record.encode(head + b"\n", {"epoch": found[0]["epoch"]}, FORGED)


def linked_record(place: Path, victim: Path) -> None:
    victim.write_bytes(forged(place))
    _replace(record_in(place), lambda path: path.symlink_to(victim))


def _replace(path: Path, make: Callable[[Path], None]) -> None:
    path.unlink(missing_ok=True)
    make(path)


def hard_linked_record(place: Path, victim: Path) -> None:
    victim.write_bytes(forged(place))
    _replace(record_in(place), lambda path: os.link(victim, path))


def dangling_record(place: Path, victim: Path) -> None:
    victim.unlink()
    _replace(record_in(place), lambda path: path.symlink_to(victim))


def record_is_a_pipe(place: Path, victim: Path) -> None:
    _replace(record_in(place), lambda path: os.mkfifo(path, 0o600))


def record_is_a_directory(place: Path, victim: Path) -> None:
    _replace(record_in(place), lambda path: path.mkdir(mode=0o700))


def record_is_empty(place: Path, victim: Path) -> None:
    record_in(place).write_bytes(b"")


def record_is_huge(place: Path, victim: Path) -> None:
    os.truncate(record_in(place), 1 << 40)


def loose_record(place: Path, victim: Path) -> None:
    record_in(place).write_bytes(forged(place))
    record_in(place).chmod(0o666)


def readable_record(place: Path, victim: Path) -> None:
    record_in(place).chmod(0o644)


def foreign_record(place: Path, victim: Path) -> None:
    record_in(place).write_bytes(forged(place))
    os.chown(record_in(place), NOBODY - 1, NOBODY - 1)


def linked_lock(place: Path, victim: Path) -> None:
    _replace(lock_in(place), lambda path: path.symlink_to(victim))


def hard_linked_lock(place: Path, victim: Path) -> None:
    _replace(lock_in(place), lambda path: os.link(victim, path))


def dangling_lock(place: Path, victim: Path) -> None:
    victim.unlink()
    _replace(lock_in(place), lambda path: path.symlink_to(victim))


def lock_is_a_pipe(place: Path, victim: Path) -> None:
    _replace(lock_in(place), lambda path: os.mkfifo(path, 0o600))


def lock_is_a_directory(place: Path, victim: Path) -> None:
    _replace(lock_in(place), lambda path: path.mkdir(mode=0o700))


def epoch_is_a_link(place: Path, victim: Path) -> None:
    (place / "epoch").symlink_to(victim)


def epoch_is_a_pipe(place: Path, victim: Path) -> None:
    os.mkfifo(place / "epoch", 0o600)


def linked_directory(place: Path, victim: Path) -> None:
    elsewhere = victim.parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    for path in place.iterdir():
        if path.suffix == ".tok":
            (elsewhere / path.name).write_bytes(forged(place))
            (elsewhere / path.name).chmod(0o600)
    place.rename(place.with_name("moved"))
    place.symlink_to(elsewhere)


def directory_is_a_file(place: Path, victim: Path) -> None:
    place.rename(place.with_name("moved"))
    place.write_bytes(b"")
    place.chmod(0o600)


def loose_parent(place: Path, victim: Path) -> None:
    place.parent.chmod(0o777)


def loose_directory(place: Path, victim: Path) -> None:
    record_in(place).write_bytes(forged(place))
    place.chmod(0o755)


def foreign_directory(place: Path, victim: Path) -> None:
    record_in(place).write_bytes(forged(place))
    os.chown(place, NOBODY - 1, NOBODY - 1)


def no_directory(place: Path, victim: Path) -> None:
    place.rename(place.with_name("moved"))


def read_only_directory(place: Path, victim: Path) -> None:
    record_in(place).unlink()
    place.chmod(0o500)


# Each with how many of the two questions the cloud must be asked: 1 where the cache still works.
TRAPS: list[tuple[Trap, int]] = [
    (linked_record, 2),
    (hard_linked_record, 2),
    (dangling_record, 2),
    (record_is_a_pipe, 2),
    (record_is_a_directory, 2),
    (record_is_empty, 2),
    (record_is_huge, 2),
    (loose_record, 2),
    (readable_record, 2),
    (foreign_record, 2),
    (linked_lock, 1),
    (hard_linked_lock, 1),
    (dangling_lock, 1),
    (lock_is_a_pipe, 1),
    (lock_is_a_directory, 1),
    (epoch_is_a_link, 2),
    (epoch_is_a_pipe, 2),
    (linked_directory, 2),
    (directory_is_a_file, 2),
    (loose_parent, 1),
    (loose_directory, 2),
    (foreign_directory, 2),
    (no_directory, 2),
    (read_only_directory, 2),
]
NEEDS_ROOT = (foreign_record, foreign_directory)


def check_private(base: Path) -> None:
    """Whatever was born under base is private: directories 0700, files 0600."""
    for path in base.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            assert stat.S_IMODE(mode) == 0o600, path
        elif stat.S_ISDIR(mode):
            assert stat.S_IMODE(mode) in (0o700, 0o500), path


def contents(folder: Path) -> dict[Path, bytes]:
    """Return what is in a directory; one that is missing has nothing."""
    return {path: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def table() -> Iterator[object]:
    """Every trap, umask and user; by default each trap once, with the umask that forgives most."""
    for trap, asked in TRAPS:
        for user in (0, NOBODY):
            for umask in (0o000, 0o022, 0o077):
                usual = (
                    (user, umask) == (0, 0o000)
                    or trap is no_directory
                    or (user and umask == 0o022 and trap in (read_only_directory, linked_record))
                )
                yield pytest.param(
                    trap,
                    asked,
                    user,
                    umask,
                    marks=() if usual else pytest.mark.long,
                    id=f"{trap.__name__}-{umask:03o}-{'nobody' if user else 'self'}",
                )


@pytest.mark.parametrize(("trap", "asked", "user", "umask"), list(table()))
def test_a_trap_costs_time_only(
    world_env: Environment,
    world: Path,
    cloud: Sandbox,
    warm: Warm,
    trap: Trap,
    asked: int,
    user: int,
    umask: int,
) -> None:
    if trap in NEEDS_ROOT or user:
        needs_root()
    if user and not readable_by_all(directory.__file__):
        pytest.skip("another user cannot read the installed package")
    home = Path(world_env["HOME"])
    place = Path(world_env["MSAUTH_CACHE_DIR"]) / "v1"
    if user:
        os.chown(home, user, user)

    def get(*options: str) -> str:
        done = warm.run(
            GIT, *options, "get", env=world_env, stdin=HELLO, umask=umask, uid=user, timeout=15
        )
        assert done.returncode == 0, done
        answer = attributes(done.stdout)["password"]
        assert answer.startswith("ey")
        return answer

    first = get()
    check_private(place.parent)
    assert cloud.count("token") == 1
    victim = home / "victim"
    victim.write_bytes(b"precious")
    victim.chmod(0o600)
    trap(place, victim)
    if user:
        for path in (place.parent, *place.parent.iterdir(), *home.rglob("*")):
            if trap not in NEEDS_ROOT:
                os.chown(path, user, user, follow_symlinks=False)
    before = victim.read_bytes() if victim.exists() else None
    elsewhere = victim.parent / "elsewhere"
    kept = contents(elsewhere)
    assert bool(kept) is (trap is linked_directory)
    cloud.reset()

    answers = [get(), get("--force-refresh")]

    if asked == 1:
        assert answers[0] == first
    assert cloud.count("token") == asked
    assert FORGED.decode() not in answers
    assert (victim.read_bytes() if victim.exists() else None) == before
    assert contents(elsewhere) == kept
    if trap not in (loose_directory, loose_parent):
        check_private(place.parent)


@pytest.mark.parametrize(
    ("user", "owner", "words"),
    [
        (0, 0, "is open to other users (mode 0755)\n{}chmod 700 {}\n"),
        (NOBODY, 0, "belongs to another user (uid 0)\n{}sudo chown -R 65534 {}\n"),
        # Root leaves it to its owner and goes elsewhere.
        (
            0,
            NOBODY,
            "belongs to another user (uid 65534)\n{}export MSAUTH_CACHE_DIR=/a/private/directory\n",
        ),
    ],
    ids=["mode", "owner", "root"],
)
def test_a_refused_directory_says_how_to_mend_it(
    world_env: Environment, world: Path, warm: Warm, user: int, owner: int, words: str
) -> None:
    place = Path(world_env["MSAUTH_CACHE_DIR"]) / "v1"
    place.mkdir(parents=True, mode=0o700)
    if user or owner:
        needs_root()
        os.chown(place, owner, owner)
    if user:
        if not readable_by_all(directory.__file__):
            pytest.skip("another user cannot read the installed package")
        for path in (world_env["HOME"], place.parent):
            os.chown(path, user, user)
    place.chmod(0o700 if owner else 0o755)
    done = warm.run(GIT, "get", env=world_env, stdin=HELLO, uid=user)
    assert b"password=ey" in done.stdout
    text = done.stderr.decode()
    warning = f"git-credential-msauth: warning: not using the token cache: directory {place} "
    hint = "git-credential-msauth: hint: "
    assert text == warning + words.format(hint, place)
    # The hint is a command, and it is the right one.
    fix = text.strip().rpartition("hint: ")[2].removeprefix("sudo ")
    if fix.startswith("export "):
        world_env = world_env | {"MSAUTH_CACHE_DIR": str(world / "a/private/directory")}
        place = world / "a/private/directory/v1"
    else:
        os.system(fix)
        place.chmod(0o700)
    assert warm.run(GIT, "get", env=world_env, stdin=HELLO, uid=user).stderr == b""
    assert list(place.glob("*.tok"))


def test_a_hint_is_one_word_of_shell_for_any_path(tmp_path: Path) -> None:
    place = tmp_path / "it's; touch pwned"
    place.mkdir(mode=0o755)
    with pytest.raises(Refused) as caught:
        directory.Folder.open(str(place))
    os.system(f"cd {tmp_path} && {caught.value.fix}")
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", ["HOME", "XDG_CACHE_HOME"])
def test_root_with_another_users_home_bypasses_the_cache(
    world_env: Environment, world: Path, warm: Warm, tmp_path: Path, name: str
) -> None:
    """As `sudo -E` leaves them."""
    needs_root()
    home = Path(world_env["HOME"])
    os.chown(home, NOBODY, NOBODY)
    env = {k: v for k, v in world_env.items() if k != "MSAUTH_CACHE_DIR"}
    env |= {"HOME": str(tmp_path), name: str(home)}
    done = warm.run(GIT, "get", env=env, stdin=HELLO)
    assert b"password=ey" in done.stdout
    assert done.stderr.decode() == (
        f"git-credential-msauth: warning: not using the token cache: {home} belongs to another "
        "user (uid 65534)\n"
        "git-credential-msauth: hint: export MSAUTH_CACHE_DIR=/a/private/directory\n"
    )
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("kind", ["read-only", "missing", "unset", "empty", "a-file"])
def test_a_home_that_is_none(world_env: Environment, world: Path, warm: Warm, kind: str) -> None:
    needs_root()
    if not readable_by_all(directory.__file__):
        pytest.skip("another user cannot read the installed package")
    env = {k: v for k, v in world_env.items() if k != "MSAUTH_CACHE_DIR"}
    if kind == "unset":
        del env["HOME"]
    elif kind == "a-file":
        env["HOME"] = env["SSL_CERT_FILE"]
    else:
        env["HOME"] = {"read-only": str(world), "missing": "/nonexistent/home", "empty": ""}[kind]
    for _ in range(2):
        done = warm.run(GIT, "get", env=env, stdin=HELLO, uid=NOBODY)
        assert b"password=ey" in done.stdout
        assert done.returncode == 0
        assert b"Traceback" not in done.stderr


# -- the reader alone, so that each check is seen to be the one that refuses


@pytest.fixture
def refused(cache: Cache) -> Cache:
    cache.put(made_up("good"))
    assert cache.get() is not None
    return cache


def test_the_reader_follows_no_link_to_a_record(refused: Cache, tmp_path: Path) -> None:
    other = tmp_path / "other.tok"
    refused.record.rename(other)
    refused.record.symlink_to(other)
    assert refused.get() is None


def test_the_reader_follows_no_link_to_the_directory(refused: Cache, tmp_path: Path) -> None:
    refused.place.rename(tmp_path / "moved")
    refused.place.symlink_to(tmp_path / "moved")
    assert refused.get() is None
    with pytest.raises(NotADirectoryError):
        store.opened()


def test_the_reader_refuses_a_second_name(refused: Cache, tmp_path: Path) -> None:
    os.link(refused.record, tmp_path / "second")
    assert refused.get() is None


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o666])
def test_the_reader_removes_a_loose_record(refused: Cache, mode: int) -> None:
    refused.record.chmod(mode)
    assert refused.get() is None
    assert not refused.record.exists()


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o755, 0o770, 0o777])
def test_the_reader_refuses_a_loose_directory(refused: Cache, mode: int) -> None:
    refused.place.chmod(mode)
    assert refused.get() is None


def test_the_reader_refuses_another_users_file_and_directory(refused: Cache) -> None:
    needs_root()
    os.chown(refused.record, NOBODY, NOBODY)
    assert refused.get() is None
    os.chown(refused.record, 0, 0)
    assert refused.get() is not None
    os.chown(refused.place, NOBODY, NOBODY)
    assert refused.get() is None


def test_a_writer_follows_no_planted_temporary(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    cache.put(made_up("old"))
    monkeypatch.setattr(os, "urandom", bytes)
    planted = cache.place / f".{cache.record.name}.{os.getpid()}.{0:012x}.tmp"
    for plant in (planted.symlink_to, planted.hardlink_to):
        plant(victim)
        with pytest.raises(FileExistsError):
            cache.put(made_up("new"))
        assert victim.read_bytes() == b"precious"
        assert cache.get() == made_up("old").text
        planted.unlink()


def test_an_epoch_that_cannot_be_trusted_is_not_none(cache: Cache) -> None:
    """Else a record from before a logout would count again."""
    old = made_up("before")
    cache.put(old)
    data = cache.record.read_bytes()
    store.logout("")
    epoch = cache.place / directory._generation_file("")
    cache.record.write_bytes(data)
    cache.record.chmod(0o600)
    assert cache.get() is None
    for spoil in (lambda: epoch.chmod(0o644), lambda: epoch.write_bytes(b"\xff\n")):
        spoil()
        assert cache.get() is None
        assert epoch.exists()
    epoch.unlink()
    epoch.symlink_to("/nonexistent")
    assert cache.get() is None
    # It is no dead end: the next sign-in is cached, the next logout ends it.
    cache.put(made_up("after"))
    assert cache.get() == made_up("after").text
    store.logout("")
    assert cache.get() is None
    assert REQUEST.profile == ""
