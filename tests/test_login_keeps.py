"""`msauth login` says what it kept and where, and fails where it was to keep and could not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from .cache import strace
from .conftest import Done, Environment, run_program
from .signin_stubs import DEVOPS, az_login, stub, subscription, write_profile

Login = Callable[..., Done]


@pytest.fixture
def person(env: Environment, cloud: Sandbox) -> Environment:
    """An environment in which no variable names an identity; a device code is answered at once."""
    return {name: value for name, value in env.items() if name not in cloud.identity_variables}


@pytest.fixture
def login(person: Environment) -> Login:
    def login(*options: str, **more: str) -> Done:
        words = ("login", "--credential", "device-code", *options, "devops")
        return run_program("msauth", *words, env=person | more)

    return login


def failed(done: Done, message: str, hint: str) -> None:
    assert done.returncode == 1
    assert done.stdout == b""
    lines = [line for line in done.stderr.decode().splitlines() if line.startswith("msauth: ")]
    assert f"msauth: error: {message}" in lines, lines
    assert lines[-1] == f"msauth: hint: {hint}"


def test_a_service_principal_keeps_the_token_alone(env: Environment) -> None:
    done = run_program("msauth", "login", env=env)
    assert done.returncode == 0
    assert done.stdout.decode().endswith(f"kept    the token in {env['MSAUTH_CACHE_DIR']}/v1\n")
    found = json.loads(run_program("msauth", "login", "--json", env=env).stdout)
    assert found["kept"] == {"token": f"{env['MSAUTH_CACHE_DIR']}/v1", "sign_in": None}


def test_what_az_keeps_is_az_s(person: Environment, cloud: Sandbox, home: Path) -> None:
    write_profile(home, subscription(cloud, "contoso", default=True))
    az_login(cloud, person, DEVOPS)
    stub(person, "az", "exit 1")
    done = run_program("msauth", "login", "devops", env=person)
    assert done.stdout.endswith(b"/v1\n        the sign-in by az itself\n"), done


def test_without_a_keyring_the_file_of_the_sign_in_is_named(login: Login, home: Path) -> None:
    done = login()
    assert done.returncode == 0, done.stderr
    (file,) = (home / ".IdentityService").glob("*.cae")
    last = done.stdout.decode().splitlines()[-1].strip()
    assert last == (f"the sign-in in {file}, readable by you and root: there is no keyring here")
    assert json.loads(login("--json").stdout)["kept"]["sign_in"] == str(file)


def test_what_is_not_to_be_kept_is_not(login: Login, home: Path) -> None:
    done = login("--no-persist")
    assert done.returncode == 0, done.stderr
    assert b"kept    nothing (persist is off)\n" in done.stdout
    found = json.loads(login("--no-persist", "--json").stdout)["kept"]
    assert found == {"token": None, "sign_in": None}
    assert list(home.glob("cache/v1/*.tok")) == []


def test_a_profile_may_say_so_too(login: Login, home: Path) -> None:
    path = home / "p.toml"
    path.write_text("[ci]\npersist = false\n")
    path.chmod(0o600)
    done = login("--profile", "ci", MSAUTH_CONFIG=str(path))
    assert b"kept     nothing (persist is off)\n" in done.stdout, done.stderr


@pytest.mark.parametrize("options", [(), ("--no-persist",)])
def test_a_cache_that_others_may_write(
    options: tuple[str, ...], env: Environment, cloud: Sandbox, home: Path
) -> None:
    place = home / "cache/v1"
    place.mkdir(parents=True)
    place.chmod(0o777)
    done = run_program("msauth", "login", *options, env=env)
    if options:
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 1
    assert b"msauth: error: a token cannot be kept: " in done.stderr
    assert f"msauth: hint: chmod 700 {place}\n".encode() in done.stderr
    assert cloud.count("token") == 0, "before anybody is asked"


def test_a_cache_that_cannot_be_made(env: Environment, cloud: Sandbox, home: Path) -> None:
    (home / "cache").write_text("in the way")
    done = run_program("msauth", "login", env=env)
    message = f"a token cannot be kept: {home}/cache/v1: Not a directory"
    failed(done, message, "export MSAUTH_CACHE_DIR=/a/private/directory")
    assert cloud.count("token") == 0


def test_a_full_disk(env: Environment, home: Path, tmp_path: Path) -> None:
    strace.needed()
    place = home / "cache/v1"
    assert run_program("msauth", "login", env=env).returncode == 0
    done = strace.run(
        [str(Path(env["PATH"].partition(":")[0]) / "msauth"), "login"],
        "trace=fsync",
        "inject=fsync:error=ENOSPC",
        env=env,
        stdin=b"",
        paths=(),
        log=tmp_path / "log",
    )
    message = f"the token cannot be kept: {place}: No space left on device"
    failed(done, message, f"df {place}")


@pytest.mark.parametrize("place", [".IdentityService", ".local/state/msauth"])
def test_no_place_for_the_sign_in(login: Login, cloud: Sandbox, home: Path, place: str) -> None:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("in the way")
    done = login()
    assert done.returncode == 1
    assert f"error: the sign-in cannot be kept: {path}: ".encode() in done.stderr
    assert f"hint: ls -ld {path}\n".encode() in done.stderr
    assert cloud.count("devicecode") == 0, "before anybody is asked"
    assert login("--no-persist").returncode == 0


def test_a_file_of_the_sign_in_that_cannot_be_written(login: Login, home: Path) -> None:
    assert login().returncode == 0
    (file,) = (home / ".IdentityService").glob("*.cae")
    file.unlink()
    file.mkdir()
    done = login()
    failed(done, f"the sign-in cannot be kept: {file}: Is a directory", f"ls -ld {file}")


KEYRING = """
class Schema:
    @staticmethod
    def new(*_): return None
class SchemaFlags: NONE = 0
class SchemaAttributeType: STRING = 0
class Secret:
    Schema, SchemaFlags, SchemaAttributeType = Schema, SchemaFlags, SchemaAttributeType
    kept = {}
    @classmethod
    def password_store_sync(cls, schema, attributes, collection, label, data, _):
        if "attr1" not in attributes:  # msal-extensions' trial goes well
            %s
        cls.kept[str(attributes)] = data
        return True
    @classmethod
    def password_lookup_sync(cls, schema, attributes, _): return cls.kept.get(str(attributes))
    @classmethod
    def password_clear_sync(cls, *_): return True
class GLib:
    class Error(Exception): pass
GLib.Error.__module__ = "gi.repository"
"""


@pytest.fixture
def keyring(person: Environment, tmp_path: Path) -> Callable[[str], None]:
    """PyGObject's name for a keyring of this process alone, which does as it is told."""

    def keyring(does: str) -> None:
        folder = tmp_path / "lib/gi"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(
            "def require_version(*_): pass\nfrom . import repository\n"
        )
        (folder / "repository.py").write_text(KEYRING % does)
        person["PYTHONPATH"] = str(tmp_path / "lib")

    return keyring


def test_a_keyring_is_named(login: Login, keyring: Callable[[str], None], home: Path) -> None:
    keyring("pass")
    done = login()
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(b"        the sign-in in the keyring\n")
    assert all(path.stat().st_size == 0 for path in (home / ".IdentityService").glob("*.cae"))


@pytest.mark.parametrize("does", ["return False", "raise GLib.Error('dismissed')"])
def test_a_keyring_that_refuses(does: str, login: Login, keyring: Callable[[str], None]) -> None:
    keyring(does)
    message = "the sign-in cannot be kept: the keyring refuses it"
    failed(login(), message, "unlock the keyring, and sign in again")


def test_a_logout_meanwhile_is_no_success(env: Environment, cloud: Sandbox) -> None:
    codes: list[int] = []
    cloud.on_token(lambda _: codes.append(run_program("msauth", "logout", env=env).returncode))
    done = run_program("msauth", "login", env=env)
    cloud.on_token(None)
    assert codes == [0]
    failed(done, "the token cannot be kept: a logout has ended this sign-in", "msauth login")
