"""`msauth setup pip` and `msauth setup uv`: files spliced, undone byte for byte, findings."""

import configparser
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.errors import MsauthError
from msauth.setup import pip, python_feeds, uv
from msauth.setup.targets import Target

from ..conftest import SCRIPTS, Done, Environment, run_program
from .test_git import tree

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FEED = "https://pkgs.dev.azure.com/contoso/_packaging/hello/pypi/simple/"
OTHER = "https://fabrikam.pkgs.visualstudio.com/My%20Project/_packaging/more/pypi/simple"
AS_WRITTEN = FEED.replace("://", "://contoso@"), OTHER.replace("://", "://fabrikam@")
PROVIDER = 'keyring-provider = "subprocess"\n'
TARGETS = pytest.mark.parametrize("target", ["pip", "uv"])


def indexes(*urls: str) -> list[python_feeds.Index]:
    return python_feeds.asked({"--index": list(urls)}, "pip")


# --- pip.conf ---


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "[global]\nkeyring-provider = subprocess\n"),
        ("", "[global]\nkeyring-provider = subprocess\n"),
        ("[global]\n", "[global]\nkeyring-provider = subprocess\n"),
        ("[global]", "[global]\nkeyring-provider = subprocess"),
        ("[global]\r\na = b\r\n", "[global]\r\nkeyring-provider = subprocess\r\na = b\r\n"),
        (
            "# mine\n[install]\nuser = true\n",
            "# mine\n[install]\nuser = true\n[global]\nkeyring-provider = subprocess\n",
        ),
        (
            "[install]\nuser = true",
            "[install]\nuser = true\n[global]\nkeyring-provider = subprocess",
        ),
        (
            "[global]\nkeyring_provider: auto ; not\ntimeout = 60\n",
            "[global]\nkeyring_provider: subprocess\ntimeout = 60\n",
        ),
        (
            "[global]\nkeyring-provider =\n    import\ntimeout = 60\n",
            "[global]\nkeyring-provider =subprocess\ntimeout = 60\n",
        ),
        (
            "[install]\nkeyring-provider = import\n[global]\n\n# x\n",
            "[install]\nkeyring-provider = import\n"
            "[global]\nkeyring-provider = subprocess\n\n# x\n",
        ),
    ],
)
def test_pip_conf(before: str | None, after: str) -> None:
    data = None if before is None else before.encode()
    text = pip.with_settings(data, "pip.conf", [])
    assert text.decode() == after
    assert pip.with_settings(text, "pip.conf", []) == text


def test_pip_conf_with_indexes() -> None:
    mine = b"[global]\nextra-index-url = https://mine.example/\n    https://too.example/\n# end\n"
    text = pip.with_settings(mine, "pip.conf", indexes(FEED, OTHER))
    assert text.decode() == (
        f"[global]\nindex-url = {AS_WRITTEN[0]}\nkeyring-provider = subprocess\n"
        "extra-index-url = https://mine.example/\n    https://too.example/\n"
        f"    {AS_WRITTEN[1]}\n# end\n"
    )
    assert pip.with_settings(text, "pip.conf", indexes(FEED.rstrip("/"), OTHER + "/")) == text
    new = pip.with_settings(None, "pip.conf", indexes(FEED, OTHER)).decode()
    assert f"extra-index-url =\n    {AS_WRITTEN[1]}\nindex-url = {AS_WRITTEN[0]}\n" in new


def test_another_index_url_stays() -> None:
    mine = b"[global]\nindex-url = https://mine.example/simple\n"
    with pytest.raises(MsauthError, match="has another index-url") as raised:
        pip.with_settings(mine, "pip.conf", indexes(FEED))
    assert raised.value.hint == "pip config unset global.index-url"


@pytest.mark.parametrize(
    "text",
    [
        "index-url = x\n",  # no section
        "[global]\na = b\n[global]\n",  # twice
        "[global]\na = b\na = c\n",
        "\ufeff[global]\n",
    ],
)
def test_what_pip_cannot_read_is_not_changed(text: str) -> None:
    with pytest.raises(MsauthError, match=r"^pip cannot read pip\.conf: "):
        pip.with_settings(text.encode(), "pip.conf", [])


def test_what_would_be_read_otherwise_is_not_written() -> None:
    """The indented line looks like the section's option and is a value of another."""
    text = b"[global]\nkeyring-provider = a\n\n  still = its value\n"
    with pytest.raises(MsauthError, match="cannot be changed safely"):
        pip.with_settings(text, "pip.conf", [])


NAMES = st.sampled_from(["[global]", "[install]", "[x]", "", "# c", "; c", "  more", "\tb = c"])
KEYS = st.sampled_from(["keyring-provider", "KEYRING_PROVIDER", "--keyring-provider", "index-url"])
LINES = st.lists(st.one_of(NAMES, st.builds("{} {} {}".format, KEYS, st.sampled_from("=:"), KEYS)))


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_pip_reads_what_was_meant_or_nothing_is_written(
    lines: list[str], eol: str, ends: bool
) -> None:
    before = (eol.join(lines) + (eol if ends else "")).encode()
    try:
        after = pip.with_settings(before, "pip.conf", [])
    except MsauthError:
        return
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = lambda option: option.lower().replace("_", "-").removeprefix("--")
    parser.read_string(after.decode())
    assert parser.get("global", "keyring-provider") == "subprocess"
    assert pip.with_settings(after, "pip.conf", []) == after


# --- uv.toml ---


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, PROVIDER),
        ("", PROVIDER),
        ("# mine\n[pip]\nx = 1\n", PROVIDER + "# mine\n[pip]\nx = 1\n"),
        ("offline = true", PROVIDER + "offline = true"),
        ("a = 1\r\n", PROVIDER.replace("\n", "\r\n") + "a = 1\r\n"),
        ('keyring-provider = "disabled" # no\n', PROVIDER.rstrip() + " # no\n"),
        ("'keyring-provider'='disabled'\n", "'keyring-provider'=\"subprocess\"\n"),
        (
            f'[[index]]\nname = "a"\nurl = "{FEED}"\n[[index]]\nurl = "https://pypi.org/simple"\n',
            f'{PROVIDER}[[index]]\nauthenticate = "always"\nname = "a"\nurl = "{FEED}"\n'
            '[[index]]\nurl = "https://pypi.org/simple"\n',
        ),
        (
            f'{PROVIDER}[[ "index" ]] # x\nurl = "{FEED.replace("pkgs", "x@pkgs")}"\n',
            f'{PROVIDER}[[ "index" ]] # x\nauthenticate = "always"\n'
            f'url = "{FEED.replace("pkgs", "x@pkgs")}"\n',
        ),
        (
            f'{PROVIDER}[[index]]\nurl = "{FEED}"\nauthenticate = "never"\n',
            f'{PROVIDER}[[index]]\nurl = "{FEED}"\nauthenticate = "never"\n',
        ),
    ],
)
def test_uv_toml(before: str | None, after: str) -> None:
    data = None if before is None else before.encode()
    text = uv.with_settings(data, "uv.toml", [])
    assert text.decode() == after
    assert uv.with_settings(text, "uv.toml", []) == text


def test_uv_toml_with_indexes() -> None:
    mine = b'# mine\n[[index]]\nname = "msauth-contoso-hello"\nurl = "https://pypi.org/simple"'
    text = uv.with_settings(mine, "uv.toml", indexes(FEED, OTHER))
    assert text.startswith(PROVIDER.encode() + mine + b"\n\n[[index]]\n")
    _, *new = tomllib.loads(text.decode())["index"]
    assert new == [
        {
            "name": "msauth-contoso-hello-2",
            "url": AS_WRITTEN[0],
            "explicit": True,
            "authenticate": "always",
        },
        {
            "name": "msauth-fabrikam-more",
            "url": AS_WRITTEN[1],
            "explicit": True,
            "authenticate": "always",
        },
    ]
    assert uv.with_settings(text, "uv.toml", indexes(FEED.rstrip("/"), OTHER + "/")) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = \n", r"uv cannot read uv\.toml: "),
        ("\ufeffa = 1\n", r"uv cannot read uv\.toml: "),
        ('index = "x"\n', "index is no array of tables"),
        ('index = ["x"]\n', "index is no array of tables"),
        (f'index = [{{url = "{FEED}"}}]\n', "cannot be changed safely"),
        (f'x = """\n[[index]]\n"""\n[[index]]\nurl = "{FEED}"\n', "cannot be changed safely"),
        ('x = """\nkeyring-provider = "a"\n"""\nkeyring-provider = "b"\n', "cannot be changed"),
    ],
)
def test_uv_toml_that_is_not_changed(text: str, message: str) -> None:
    with pytest.raises(MsauthError, match=message):
        uv.with_settings(text.encode(), "uv.toml", [])


# --- Where ---


@pytest.mark.parametrize(
    ("more", "file"),
    [
        ({}, "{home}/.config/pip/pip.conf"),
        ({"XDG_CONFIG_HOME": "{home}/xdg"}, "{home}/xdg/pip/pip.conf"),
        ({"PIP_CONFIG_FILE": "{home}/mine.conf"}, "{home}/mine.conf"),
        ({"PIP_CONFIG_FILE": "{home}/missing.conf"}, "{home}/.config/pip/pip.conf"),
    ],
)
def test_pip_itself_reads_the_file(
    bare_env: Environment, home: Path, more: dict[str, str], file: str
) -> None:
    (home / "mine.conf").touch()
    env = bare_env | {key: value.format(home=home) for key, value in more.items()}
    done = run_program("msauth", "setup", "pip", env=env)
    assert f"wrote {file.format(home=home)}\n" in done.stdout.decode(), done.stderr
    got = run_program(
        sys.executable, "-m", "pip", "config", "get", "global.keyring-provider", env=env
    )
    assert got.stdout == b"subprocess\n"


@pytest.mark.parametrize(
    ("target", "more", "hint"),
    [
        ("pip", {"PIP_CONFIG_FILE": os.devnull}, "unset PIP_CONFIG_FILE"),
        ("uv", {"UV_NO_CONFIG": "1"}, "unset UV_NO_CONFIG"),
    ],
)
def test_where_no_file_is_read(
    bare_env: Environment, home: Path, target: str, more: dict[str, str], hint: str
) -> None:
    then = tree(home)
    done = run_program("msauth", "setup", target, env=bare_env | more)
    assert done.returncode == 1
    assert f"msauth: hint: {hint}\n" in done.stderr.decode()
    assert tree(home) == then


# --- The command ---


@pytest.fixture
def keyring_env(bare_env: Environment, home: Path) -> Environment:
    """An environment with `keyring` in ~/.local/bin, where install.sh links it."""
    link = home / ".local" / "bin" / "keyring"
    link.parent.mkdir(parents=True)
    link.symlink_to(SCRIPTS / "keyring")
    return bare_env | {"PATH": f"{link.parent}:{bare_env['PATH']}"}


@TARGETS
@pytest.mark.parametrize("there", [False, True])
def test_set_up_and_undone(keyring_env: Environment, home: Path, target: str, there: bool) -> None:
    name = {"pip": "pip/pip.conf", "uv": "uv/uv.toml"}[target]
    mine = {"pip": "[global]\ntimeout = 9\n", "uv": "offline = true\n"}[target]
    file = home / ".config" / name
    if there:
        file.parent.mkdir(parents=True)
        file.write_text(mine)
        file.chmod(0o640)
    then = tree(home)

    def setup(*arguments: str) -> str:
        done = run_program("msauth", "setup", target, *arguments, env=keyring_env)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    assert "+keyring-provider = " in setup("--dry-run", "--index", FEED)
    assert tree(home) == then
    assert setup("--index", FEED) == f"wrote {file}\n"
    assert (file.stat().st_mode & 0o777) == (0o640 if there else 0o600)
    now = tree(home)
    assert setup("--index", FEED) == "nothing to do\n"
    assert tree(home) == now
    assert "-keyring-provider = " in setup("--undo", "--dry-run")
    assert tree(home) == now
    setup("--undo")
    assert tree(home) == then
    assert setup("--undo") == "nothing to do\n"


@TARGETS
@pytest.mark.parametrize(
    "url",
    [
        "https://pypi.org/simple/",
        "https://pkgs.dev.azure.com/contoso/_packaging/hello/npm/registry/",
        "http://pkgs.dev.azure.com/contoso/_packaging/hello/pypi/simple/",
        "https://x:secret@pkgs.dev.azure.com/contoso/_packaging/hello/pypi/simple/",
        "https://pkgs.dev.azure.com.evil.example/contoso/_packaging/hello/pypi/simple/",
        "https://pkgs.dev.azure.com/_packaging/hello/pypi/simple/",
        "https://evil.example/?https://pkgs.dev.azure.com/contoso/_packaging/hello/pypi/simple/",
    ],
)
def test_an_index_that_is_no_feed_of_ours(
    bare_env: Environment, home: Path, target: str, url: str
) -> None:
    then = tree(home)
    done = run_program("msauth", "setup", target, "--index", url, env=bare_env)
    assert done.returncode == 2
    assert b"is no Python feed of Azure Artifacts\n" in done.stderr
    assert b"secret" not in done.stderr
    assert tree(home) == then


def test_a_password_is_not_shown(keyring_env: Environment, home: Path) -> None:
    file = home / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[global]\nextra-index-url = https://me:hunter2@mine.example/\n")
    done = run_program("msauth", "setup", "pip", "--dry-run", env=keyring_env)
    assert b"https://me:***@mine.example/" in done.stdout
    assert b"hunter2" not in done.stdout


# --- What stands in the way ---


def said(env: Environment, target: str) -> tuple[int, str]:
    done: Done = run_program("msauth", "setup", target, env=env)
    return done.returncode, done.stderr.decode()


@pytest.fixture
def without_keyring(bare_env: Environment, home: Path) -> Environment:
    """An environment whose PATH has msauth alone, and ~/.local/bin, which is not there yet."""
    if shutil.which("keyring", path="/usr/bin:/bin") or shutil.which("uv", path="/usr/bin:/bin"):
        pytest.skip("this machine has a keyring or uv of its own")
    folder = home / "programs"
    folder.mkdir()
    (folder / "msauth").symlink_to(SCRIPTS / "msauth")
    return bare_env | {"PATH": f"{folder}:{home}/.local/bin:/usr/bin:/bin"}


@TARGETS
def test_no_keyring(without_keyring: Environment, target: str) -> None:
    """What is to be done is said, and does it."""
    code, errors = said(without_keyring, target)
    assert code == 1
    first, _, hint = errors.rstrip("\n").partition("\nmsauth: hint: ")
    assert first.startswith("msauth: error: no keyring on PATH: pip and uv start it")
    subprocess.run(["sh", "-c", hint], env=without_keyring, check=True)
    assert said(without_keyring, target) == (0, "")


@pytest.mark.parametrize(
    ("has", "installed_from", "fix"),
    [
        ("uv", "{checkout}", "uv tool install keyring --with {checkout}"),
        ("uv", "", "ln -s {own} {home}/.local/bin/keyring"),
        ("manifest", "{checkout}", "sh {checkout}/install/install.sh --no-git --extras keyring"),
        ("uv", "{checkout}/missing.whl", "ln -s {own} {home}/.local/bin/keyring"),
        ("nothing", "", "{prefix}/bin/python -m pip install keyring"),
    ],
)
def test_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
    without_keyring: Environment,
    home: Path,
    tmp_path: Path,
    has: str,
    installed_from: str,
    fix: str,
) -> None:
    """Only what can work: from the checkout or the wheel that msauth was installed from."""
    checkout, prefix = tmp_path / "check out", tmp_path / "msauth" / "venv"
    (checkout / "install").mkdir(parents=True)
    (checkout / "install" / "install.sh").touch()
    (prefix / "bin").mkdir(parents=True)
    (home / ".local" / "bin").mkdir(parents=True)
    if has == "uv":
        (home / "programs" / "uv").symlink_to("/bin/true")
    if has == "manifest":
        (prefix.parent / "manifest").touch()
    if has != "nothing":
        (prefix / "bin" / "keyring").touch()
    names = {"checkout": checkout, "home": home, "own": prefix / "bin" / "keyring"}
    names |= {"prefix": prefix}
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setattr(sys, "executable", str(prefix / "bin" / "python"))
    origin = json.dumps({"url": f"file://{quote(installed_from.format(**names))}"})
    installed = SimpleNamespace(read_text={"direct_url.json": origin}.get)
    monkeypatch.setattr(python_feeds.metadata, "distribution", {"msauth": installed}.get)
    (finding,) = python_feeds.findings(without_keyring)
    words = [word.format(**names) for word in fix.split()]
    assert shlex.split(finding.fix) == words


@TARGETS
def test_a_keyring_without_msauth(keyring_env: Environment, home: Path, target: str) -> None:
    program = home / ".local" / "bin" / "keyring"
    program.unlink()
    program.write_text("#!/bin/sh\necho 'keyring.backends.fail.Keyring (priority: 0)'\n")
    program.chmod(0o755)
    code, errors = said(keyring_env, target)
    assert code == 1
    assert f"the keyring on PATH does not ask msauth ({program}): " in errors


@pytest.mark.parametrize(
    ("target", "more"),
    [
        ("pip", {"PIP_KEYRING_PROVIDER": "disabled"}),
        ("uv", {"UV_KEYRING_PROVIDER": "disabled"}),
        ("uv", {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}),
    ],
)
def test_a_variable_in_the_way(keyring_env: Environment, target: str, more: dict[str, str]) -> None:
    code, errors = said(keyring_env | more, target)
    assert code == 1
    assert errors.endswith(f"msauth: hint: unset {next(iter(more))}\n")
    assert said(keyring_env, target) == (0, "")


@pytest.mark.parametrize(
    ("target", "name", "text", "told"),
    [
        (
            "pip",
            "pip/pip.conf",
            "[install]\nkeyring-provider = disabled\n",
            "[install] has its own",
        ),
        ("uv", "uv/uv.toml", '[pip]\nkeyring-provider = "disabled"\n', "[pip] has its own"),
        (
            "uv",
            "uv/uv.toml",
            f'[[index]]\nname = "a"\nurl = "{FEED}"\nauthenticate = "never"\n',
            'the index a has authenticate = "never"',
        ),
        (
            "pip",
            "pip/pip.conf",
            f"[global]\nindex-url = {FEED.replace('pkgs', 'x:' + 52 * 'a' + '@pkgs')}\n",
            "msauth setup pats ",
        ),
    ],
)
def test_a_setting_in_the_way(
    keyring_env: Environment, home: Path, target: str, name: str, text: str, told: str
) -> None:
    file = home / ".config" / name
    file.parent.mkdir(parents=True)
    file.write_text(text)
    _, errors = said(keyring_env, target)
    assert told in errors
    assert 52 * "a" not in errors


@pytest.mark.parametrize("target", [pip.TARGET, uv.TARGET])
def test_state(keyring_env: Environment, target: Target) -> None:
    assert not target.state(keyring_env).done
    run_program("msauth", "setup", target.name, env=keyring_env)
    assert target.state(keyring_env).done
