"""install.sh and uninstall.sh against a temporary home: git works in between, nothing stays."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.setup import git_config
from msauth_sandbox import Sandbox

from .conftest import Environment

REPOSITORY = Path(__file__).parent.parent
HELLO = "https://dev.azure.com/contoso/hello/_git/hello"


@given(
    st.none() | st.text(alphabet="[]=\n\t abc#\"'", max_size=40), st.sampled_from(["msauth", "/x"])
)
def test_the_block_goes_without_a_trace(text: str | None, helper: str) -> None:
    once = git_config.added(text, helper)
    assert git_config.added(once, helper) == once
    assert git_config.removed(once) == text


def test_a_block_of_an_older_version_is_replaced() -> None:
    old = git_config.added("[user]\n", "old").replace("useHttpPath", "usehttppath")
    assert git_config.added(old, "msauth") == git_config.added("[user]\n", "msauth")


def test_what_was_added_since_stays() -> None:
    once = git_config.added("[user]\n\tname = Alex", "msauth")
    assert git_config.removed(once + "[core]\n") == "[user]\n\tname = Alex\n[core]\n"


@pytest.mark.parametrize("before", [None, "[user]\n\tname = Alex\n", "[user]\n\tname = Alex"])
def test_what_git_wrote_into_our_sections_stays(tmp_path: Path, before: str | None) -> None:
    file = tmp_path / "config"
    file.write_text(git_config.added(before, "msauth"))
    key = "credential.https://dev.azure.com.username"
    subprocess.run(["git", "config", "-f", file, key, "alex"], check=True)
    again = git_config.added(file.read_text(), "msauth")
    assert git_config.added(again, "msauth") == again
    for text in (file.read_text(), again):
        file.write_text(git_config.removed(text) or "")
        done = subprocess.run(["git", "config", "-f", file, "-l"], capture_output=True, check=True)
        lines = done.stdout.decode().split()
        assert lines == ["user.name=Alex"] * (before is not None) + [f"{key}=alex"]


def test_what_is_no_file_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """GIT_CONFIG_GLOBAL=/dev/null means "no configuration"; root could rename over it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(pipe))
    for action, code in (("show", 2), ("add", 2), ("remove", 0)):
        assert git_config.main([action]) == code
    assert pipe.is_fifo()
    assert f"{pipe} is not a regular file" in capsys.readouterr().err


def test_the_documented_snippet_is_what_the_installer_writes() -> None:
    lines = (REPOSITORY / "install" / "gitconfig").read_text().split("\n")
    snippet = "\n".join(line for line in lines if not line.startswith("#"))
    written = git_config.block("msauth").split("\n")
    assert snippet == "\n".join(line for line in written if not line.startswith("#"))
    readme = (REPOSITORY / "README.md").read_text().replace("    ", "\t")
    assert snippet.strip() in readme


@pytest.mark.parametrize("folder", ["bin", "my bin", "b'i\"n", "b$i`n", "bin\\x"])
def test_git_finds_a_helper_off_path(tmp_path: Path, folder: str) -> None:
    directory = tmp_path / folder
    directory.mkdir()
    helper = directory / "git-credential-msauth"
    helper.write_text("#!/bin/sh\necho username=found\necho password=x\n")
    helper.chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(git_config.block(git_config.helper_name(str(directory), {"PATH": "/bin"})))
    done = subprocess.run(
        ["git", "credential", "fill"],
        input=b"protocol=https\nhost=dev.azure.com\n\n",
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": str(config), "HOME": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert b"username=found\n" in done.stdout, done.stderr


def test_a_linked_configuration_stays_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotfile = tmp_path / "dotfiles-gitconfig"
    dotfile.write_text("[user]\n\tname = A\n")
    dotfile.chmod(0o600)
    link = tmp_path / ".gitconfig"
    link.symlink_to(dotfile)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(link))
    assert git_config.main(["add"]) == 0
    assert link.is_symlink()
    assert (
        "helper = msauth" in dotfile.read_text() or "git-credential-msauth" in dotfile.read_text()
    )
    assert dotfile.stat().st_mode & 0o777 == 0o600
    assert git_config.main(["remove"]) == 0
    assert dotfile.read_text() == "[user]\n\tname = A\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitconfig", dotfile.name]


@pytest.mark.long
def test_install_use_and_uninstall(
    bare_env: Environment, cloud: Sandbox, home: Path, tmp_path: Path
) -> None:
    """The whole way, twice, with a git configuration that must come back byte for byte."""
    config = home / ".gitconfig"
    before = "[user]\n\tname = Alex"  # no newline at its end
    config.write_text(before)
    env = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "SSL_", "REQUESTS_"))
    }
    env |= {"HOME": str(home), "PATH": f"{home}/.local/bin:/usr/local/bin:/usr/bin:/bin"}
    for arguments in (["install.sh", "--yes"], ["install.sh", "--yes"]):
        done = subprocess.run(
            ["sh", REPOSITORY / "install" / arguments[0], *arguments[1:]],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
    inside = bare_env | cloud.environ | cloud.service_principal_environ("contoso")
    inside |= {"PATH": env["PATH"]}
    subprocess.run(["git", "clone", "-q", HELLO, tmp_path / "copy"], env=inside, check=True)
    assert cloud.count("token") == 1
    done = subprocess.run(
        ["sh", REPOSITORY / "install" / "uninstall.sh"], env=env, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert config.read_text() == before
    shutil.rmtree(home / "cache", ignore_errors=True)
    left = [path for path in home.rglob("*") if path.is_file() and ".cache/pip" not in str(path)]
    assert left == [config]


def test_install_refuses_to_replace_a_foreign_program(home: Path) -> None:
    directory = home / ".local" / "bin"
    directory.mkdir(parents=True)
    (directory / "msauth").write_text("somebody else's")
    done = subprocess.run(
        ["sh", REPOSITORY / "install" / "install.sh", "--yes"],
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"install/install.sh: error:" in done.stderr
    assert b"install/install.sh: hint:" in done.stderr
    assert (directory / "msauth").read_text() == "somebody else's"
