"""msauth setup cargo, go, bazel, nuget: what changes in a person's file, and that it comes back."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msauth.setup import cargo_config

from ..conftest import SCRIPTS, Done, Environment, run_program

CARGO = "cargo-credential-msauth"
LIST = f'global-credential-providers = ["cargo:token", "{CARGO}"]\n'

Setup = Callable[..., Done]


@pytest.fixture
def bin_(home: Path, bare_env: Environment) -> Path:
    """A folder of PATH with our programs, and with none of the machine's clients."""
    folder = home / "bin"
    folder.mkdir()
    for path in SCRIPTS.glob("*msauth*"):
        (folder / path.name).symlink_to(path)
    bare_env["PATH"] = f"{folder}:/usr/bin:/bin"
    return folder


@pytest.fixture
def setup(bin_: Path, bare_env: Environment) -> Setup:
    def run(*words: str, code: int = 0, **more: str) -> Done:
        done = run_program("msauth", "setup", *words, env=bare_env | more)
        assert done.returncode == code, done.stderr
        return done

    return run


def fake(folder: Path, name: str, script: str) -> None:
    """A program of another maker, as far as setup asks it something."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)


class TestCargo:
    @pytest.fixture
    def file(self, home: Path) -> Path:
        return home / ".cargo" / "config.toml"

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (None, f"[registry]\n{LIST}"),
            ("[net]\nretry = 1", f"[net]\nretry = 1\n\n[registry]\n{LIST}"),
            (
                "[registry] # mine\ndefault = 'x'\n[net]\n",
                f"[registry] # mine\n{LIST}default = 'x'\n[net]\n",
            ),
            ("[registry]", f"[registry]\n{LIST}"),
            ("[registry]\r\nx = 1\r\n", f"[registry]\r\n{LIST[:-1]}\r\nx = 1\r\n"),
            (
                "registry.default = 'x'\n[net]\n",
                f"registry.default = 'x'\nregistry.{LIST}[net]\n",
            ),
            (
                "[registry]\nglobal-credential-providers = ['cargo:token', 'x']\r\n",
                f"[registry]\nglobal-credential-providers = ['cargo:token', 'x', \"{CARGO}\"]\r\n",
            ),
            (
                'registry . "global-credential-providers" = []',
                f'registry . "global-credential-providers" = ["{CARGO}"]',
            ),
            (
                "[registry]\nglobal-credential-providers = [\n"
                '  "a ] b", # the ] of a comment, "x"\n  "c", # last\n]\n',
                "[registry]\nglobal-credential-providers = [\n"
                f'  "a ] b", # the ] of a comment, "x"\n  "c", "{CARGO}", # last\n]\n',
            ),
            (
                "x = '''\n[registry]\n'''\n[other]\nglobal-credential-providers = []\n",
                None,
            ),
        ],
    )
    def test_the_list_gets_one_more(
        self, setup: Setup, file: Path, before: str | None, after: str | None
    ) -> None:
        if before is not None:
            file.parent.mkdir()
            file.write_bytes(before.encode())
        if after is None:  # nothing is guessed at
            done = setup("cargo", code=1)
            assert b"in a way that msauth does not edit" in done.stderr
            assert before is not None
            assert file.read_bytes() == before.encode()
            return
        shown = setup("cargo", "--dry-run").stdout.decode()
        assert CARGO in shown
        assert file.exists() is (before is not None)
        assert setup("cargo").stdout == f"wrote {file}\n".encode()
        assert file.read_bytes() == after.encode()
        assert setup("cargo").stdout == b"nothing to do\n"
        setup("cargo", "--undo")
        assert (file.read_bytes().decode() if file.exists() else None) == before

    @pytest.mark.parametrize(
        "text",
        [
            "[registry]\nglobal-credential-providers = 1\n",
            "[registry]\nglobal-credential-providers = [1]\n",
            "[registry\n",
            "registry = {}\n",
            "[[registry]]\n",
            "\x00",
        ],
    )
    def test_what_cannot_be_edited_stays(self, setup: Setup, file: Path, text: str) -> None:
        file.parent.mkdir()
        file.write_text(text)
        done = setup("cargo", code=1)
        assert f"msauth: error: cannot change {file}: ".encode() in done.stderr
        assert file.read_text() == text

    def test_what_was_changed_since_stays(self, setup: Setup, file: Path) -> None:
        file.parent.mkdir()
        file.write_text("[net]\nretry = 1\n")
        file.chmod(0o600)
        setup("cargo")
        file.write_text(file.read_text().replace("retry = 1", "retry = 2"))
        setup("cargo", "--undo")
        assert file.read_text() == "[net]\nretry = 2\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_cargo_home_and_the_old_name(self, setup: Setup, home: Path) -> None:
        folder = home / "other"
        folder.mkdir()
        (folder / "config").write_text("")
        setup("cargo", CARGO_HOME=str(folder))
        assert CARGO in (folder / "config").read_text()
        assert not (folder / "config.toml").exists()

    def test_a_program_that_is_not_on_path(self, setup: Setup, file: Path, bin_: Path) -> None:
        (bin_ / CARGO).unlink()
        program = str(SCRIPTS / "msauth")
        done = run_program(
            program, "setup", "cargo", env={"HOME": str(file.parent.parent), "PATH": "/bin"}
        )
        assert done.returncode == 0, done.stderr
        assert f'"{SCRIPTS / CARGO}"' in file.read_text()

    def test_a_variable_beats_the_file(self, setup: Setup) -> None:
        name = "CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS"
        done = setup("cargo", **{name: "cargo:token"})
        assert f"msauth: warning: {name} is set".encode() in done.stderr
        assert f"msauth: hint: unset {name}".encode() in done.stderr

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                [
                    "[registry]\n",
                    "[net]\n",
                    "[registry.x]\n",
                    "[[patch]]\n",
                    "global-credential-providers = ['a']\n",
                    'global-credential-providers = [ # ]\n \'a\', "b\\"]" ,]\r\n',
                    "registry.global-credential-providers = []\n",
                    "registry.default = 'x'\n",
                    'text = """\n[registry]\n"""\n',
                    "x = 1\n",
                    "# registry.global-credential-providers = []\n",
                    "y = [[1], 'z']",
                ]
            ),
            max_size=6,
        )
    )
    def test_a_splice_changes_the_list_or_nothing(self, parts: list[str]) -> None:
        data = "".join(parts).encode()
        try:
            before = cargo_config.providers(data)
            after = cargo_config.with_provider(data, "ours")
        except ValueError:
            return
        expected = ["cargo:token"] if before is None else before
        assert cargo_config.providers(after) == [*expected, "ours"]
        lines = {line.strip() for line in after.split(b"\n")}
        lost = [line for line in data.split(b"\n") if line.strip() not in lines]
        assert len(lost) <= (before is not None)


class TestGo:
    @pytest.fixture
    def file(self, home: Path, bin_: Path) -> Path:
        file = home / "settings" / "go" / "env"
        fake(bin_, "go", f'printf "%s\\n" "${{GOENV:-{file}}}" "${{SAYS:-go1.26.8}}" "$GOPRIVATE"')
        return file

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (None, "GOAUTH=msauth-token go;netrc\n"),
            ("GOFLAGS=-x", "GOFLAGS=-x\nGOAUTH=msauth-token go;netrc\n"),
            ("GOAUTH=netrc\nA=b\n", "GOAUTH=msauth-token go;netrc\nA=b\n"),
            (
                "GOAUTH=git /home/x;corp-auth --x\r\n",
                "GOAUTH=msauth-token go;git /home/x;corp-auth --x\r\n",
            ),
        ],
    )
    def test_the_chain_is_kept(
        self, setup: Setup, file: Path, before: str | None, after: str
    ) -> None:
        if before is not None:
            file.parent.mkdir(parents=True)
            file.write_bytes(before.encode())
        setup("go", "--dry-run")
        assert file.exists() is (before is not None)
        assert setup("go").stdout == f"wrote {file}\n".encode()
        assert file.read_bytes() == after.encode()
        assert setup("go").stdout == b"nothing to do\n"
        setup("go", "--undo")
        assert (file.read_bytes().decode() if file.exists() else None) == before

    @pytest.mark.parametrize(
        "value",
        [
            "msauth-token go",
            "netrc; /opt/bin/msauth-token go --profile work",
            "'/a b/msauth-token' go",
        ],
    )
    def test_who_asks_already_is_left_alone(self, setup: Setup, file: Path, value: str) -> None:
        file.parent.mkdir(parents=True)
        file.write_text(f"GOAUTH={value}\n")
        assert setup("go").stdout == b"nothing to do\n"

    @pytest.mark.parametrize(
        ("text", "more", "says"),
        [
            ("GOAUTH=off\n", {}, "GOAUTH=off"),
            ("GOAUTH=netrc\nGOAUTH=netrc\n", {}, "GOAUTH twice"),
            ("", {"GOENV": "off"}, "GOENV=off"),
            ("", {"SAYS": "go1.23.4"}, "go1.23.4 has no GOAUTH"),
        ],
    )
    def test_what_cannot_be_set_up(
        self, setup: Setup, file: Path, text: str, more: dict[str, str], says: str
    ) -> None:
        file.parent.mkdir(parents=True)
        file.write_text(text)
        assert says in setup("go", code=1, **more).stderr.decode()
        assert file.read_text() == text

    def test_no_go(self, setup: Setup) -> None:
        assert b"error: there is no go on PATH" in setup("go", code=1).stderr

    def test_what_modules_still_want(self, setup: Setup, file: Path) -> None:
        done = setup("go", GOPRIVATE="a.example", GOAUTH="netrc")
        assert b"warning: the variable GOAUTH is set" in done.stderr
        assert b"hint: go env -w GOPRIVATE=a.example,dev.azure.com" in done.stderr
        setup("go", "--undo")
        assert setup("go", GOPRIVATE="dev.azure.com").stderr == b""

    def test_the_real_go_reads_it(self, setup: Setup, bin_: Path, home: Path) -> None:
        path = shutil.which("go")
        if path is None:
            pytest.skip("there is no go on this machine")
        (bin_ / "go").symlink_to(path)
        setup("go")
        env = {"HOME": str(home), "PATH": f"{bin_}:/usr/bin:/bin"}
        done = run_program("go", "env", "GOAUTH", env=env, cwd=home)
        assert done.stdout == b"msauth-token go;netrc\n"


class TestBazel:
    LINES = "".join(
        f"common --credential_helper={host}=bazel-credential-msauth\n"
        for host in ("pkgs.dev.azure.com", "dev.azure.com", "*.pkgs.visualstudio.com")
    )

    @pytest.mark.parametrize("before", [None, "build --x", "common --x # y\r\n"])
    def test_a_line_for_each_host(self, setup: Setup, home: Path, before: str | None) -> None:
        file = home / ".bazelrc"
        if before is not None:
            file.write_bytes(before.encode())
        assert setup("bazel").stdout == f"wrote {file}\n".encode()
        text = file.read_bytes().decode()
        gap = "" if before is None or before.endswith("\n") else "\n"
        assert text == f"{before or ''}{gap}{self.LINES}"
        assert setup("bazel").stdout == b"nothing to do\n"
        setup("bazel", "--undo")
        assert (file.read_bytes().decode() if file.exists() else None) == before

    @pytest.mark.parametrize("end", ["", "\n", "\r\n"])
    def test_a_last_line_that_goes_on(self, setup: Setup, home: Path, end: str) -> None:
        """Bazel takes a backslash and the end of its line out, before anything else."""
        file = home / ".bazelrc"
        before = f"build --x \\{end}"
        file.write_bytes(before.encode())
        setup("bazel")
        joined = file.read_bytes().replace(b"\\\r\n", b"").replace(b"\\\n", b"").decode()
        assert joined.splitlines() == ["build --x ", *self.LINES.splitlines()]
        setup("bazel", "--undo")
        assert file.read_bytes().decode() == before

    def test_another_helper_that_comes_later(self, setup: Setup, home: Path) -> None:
        """Bazel takes the last one, so ours is said once more."""
        file = home / ".bazelrc"
        theirs = "common --credential_helper=dev.azure.com=/opt/theirs\n"
        file.write_text(self.LINES + theirs)
        setup("bazel")
        ours = self.LINES.splitlines(keepends=True)[1]
        assert file.read_text() == self.LINES + theirs + ours


class TestNuGet:
    def test_nothing_to_write(self, setup: Setup, home: Path) -> None:
        done = setup("nuget")
        assert (done.stdout, done.stderr) == (b"nothing to do\n", b"")

    def test_not_on_path(self, bin_: Path, bare_env: Environment) -> None:
        done = run_program(
            str(SCRIPTS / "msauth"), "setup", "nuget", env={**bare_env, "PATH": "/bin"}
        )
        assert done.returncode == 1
        assert f'hint: export PATH="$PATH:{SCRIPTS}"'.encode() in done.stderr

    def test_plugins_that_a_variable_names(self, setup: Setup) -> None:
        done = setup("nuget", NUGET_PLUGIN_PATHS="/opt/x.dll")
        assert b"warning: NUGET_PLUGIN_PATHS is set" in done.stderr


def test_the_list_says_what_is_there(setup: Setup, bin_: Path, home: Path) -> None:
    fake(bin_, "cargo", "exit 1")
    fake(bin_, "go", f'printf "%s\\n" {home}/env go1.26.8 ""')
    rows = {line.split()[0]: line for line in setup().stdout.decode().splitlines() if line.strip()}
    assert f"{bin_}/cargo" in rows["cargo"]
    assert "msauth setup cargo" in rows["cargo"]
    assert "go1.26.8" in rows["go"]
    assert "not on this machine" in rows["bazel"]
    setup("cargo")
    setup("go")
    rows = {line.split()[0]: line for line in setup().stdout.decode().splitlines() if line.strip()}
    assert "set up" in rows["cargo"]
    assert "msauth setup" not in rows["cargo"]
    assert "msauth setup" not in rows["go"]
    assert os.sep in rows["go"]


@pytest.mark.parametrize(
    "script", ["exec cat /dev/zero", "yes 1", "head -c 9999 /dev/zero | tr '\\0' 1"]
)
def test_clients_that_print_rubbish(setup: Setup, bin_: Path, script: str) -> None:
    for name in ("go", "pnpm", "keyring", "cargo", "docker"):
        fake(bin_, name, script)
    assert b"internal error" not in setup().stdout
    assert b"go env " in setup("go", code=1).stderr
    for target in (("pnpm", "contoso"), ("uv",), ("pip",)):
        assert b"\n+" in setup(*target, "--dry-run").stdout


ODD = {
    "UTF-16": "x = 1\n".encode("utf-16"),
    "nested": b"x = " + b"[" * 50_000 + b"]" * 50_000 + b"\n",
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    ("target", "place"),
    [
        (("cargo",), ".cargo/config.toml"),
        (("uv",), ".config/uv/uv.toml"),
        (("bazel",), ".bazelrc"),
        (("pnpm", "contoso"), ".config/pnpm/auth.ini"),
        (("go",), "env"),
    ],
)
def test_a_file_that_its_client_cannot_read_is_left_as_it_is(
    setup: Setup, bin_: Path, home: Path, target: tuple[str, ...], place: str, odd: str
) -> None:
    if odd == "nested" and target[0] not in ("cargo", "uv"):
        pytest.skip("no TOML")
    fake(bin_, "go", f'printf "%s\\n" {home}/env go1.26.8 ""')
    file = home / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(ODD[odd])
    done = setup(*target, code=1)
    assert b"internal" not in done.stderr
    assert str(file).encode() in done.stderr
    assert file.read_bytes() == ODD[odd]
