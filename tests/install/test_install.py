"""install.sh and uninstall.sh against a temporary home: git works in between, nothing stays."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from ..conftest import Environment
from .hostile import Hostile

REPOSITORY = Path(__file__).parent.parent.parent
URL = "https://dev.azure.com/contoso/hello/_git/hello"
NOBODY = 65534
Tree = dict[str, tuple[int, object]]


def run(
    script: str, *arguments: str, home: Path | str, cwd: Path | None = None, **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run a script of install/ with a home, and nothing else but what pip needs."""
    names = ("PIP_", "SSL_", "REQUESTS_")
    env = {name: value for name, value in os.environ.items() if name.startswith(names)}
    path = f"{home}/.local/bin:{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin"
    env |= {"HOME": str(home), "PATH": path} | more
    command = ["sh", str(REPOSITORY / "install" / script), *arguments]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)


def tree(root: Path) -> Tree:
    """Return every path below root with its mode and its bytes or target.

    Without what pip leaves: its cache, and the settings of a Rust that it asked for its version.
    """
    return {
        name: (
            path.lstat().st_mode,
            os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes(),
        )
        for path in root.rglob("*")
        if not re.match(r"\.cache(/pip|$)|\.rustup", name := str(path.relative_to(root)))
    }


def made(home: Path, *lines: str) -> Path:
    """Make a manifest; return the folder that it is in."""
    ours = home / ".local" / "share" / "msauth"
    ours.mkdir(parents=True)
    (ours / "manifest").write_text("".join(f"{line}\n" for line in lines))
    return ours


@pytest.fixture
def hostile(tmp_path: Path) -> Hostile:
    return Hostile(tmp_path / "hostile", early=True)


# --- Without making an environment ---


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh", "try.sh", "deb.sh"])
def test_help_and_unknown_options(home: Path, script: str) -> None:
    done = run(script, "--help", home=home)
    assert (done.returncode, done.stderr) == (0, "")
    if script not in ("try.sh", "deb.sh"):  # which have no other option
        assert f"sh install/{script} --" in done.stdout
    assert done.stdout
    done = run(script, "--nonsense", home=home)
    assert done.returncode == 1
    assert f"install/{script}: error: unknown option --nonsense\n" in done.stderr
    assert list(home.iterdir()) == []


def test_a_package_is_not_built_for_a_folder_that_is_not_there(home: Path) -> None:
    done = run("deb.sh", "there", home=home, cwd=home)
    assert done.returncode == 1
    assert f"error: there is no folder {home}/there\n" in done.stderr
    assert done.stderr.endswith(f"hint: mkdir -p {home}/there\n")


def test_what_cannot_be_installed_leaves_nothing(home: Path) -> None:
    for arguments, message, hint in (
        (("--extras", "sandbox,nonsense"), "msauth has no extra called nonsense", "--extras"),
        (("--wheel", "/none.whl"), "there is no wheel /none.whl", "ls /\n"),
        (("--wheel", "none.whl"), "there is no wheel none.whl", "ls /tmp/\n"),
    ):
        done = run("install.sh", *arguments, home=home, cwd=Path("/tmp"))
        assert done.returncode == 1
        error, said = done.stderr.split("hint: ")
        assert error.startswith(f"install/install.sh: error: {message}\n")
        assert hint in said
    assert list(home.iterdir()) == []


@pytest.mark.skipif(not os.geteuid(), reason="root may write everywhere")
def test_a_home_that_is_not_to_be_written(home: Path) -> None:
    home.chmod(0o500)
    done = run("install.sh", home=home)
    assert done.returncode == 1
    assert f"error: the folder {home} is not yours to write\n" in done.stderr
    assert f"hint: ls -ld {home}\n" in done.stderr


def test_try_takes_no_arguments_and_the_python_that_is_named(home: Path) -> None:
    done = run("try.sh", "--help", home=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert "sh install/try.sh" in done.stdout
    done = run("try.sh", "nonsense", home=home)
    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: sh install/try.sh --help\n" in done.stderr
    done = run("try.sh", home=home, PYTHON="/nowhere", MSAUTH_BUILD_DIR=str(home))
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: /nowhere is no Python" in done.stderr


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
@pytest.mark.parametrize("home", ["", "relative", "/new\nline"])
def test_a_home_that_is_none(script: str, home: str) -> None:
    done = run(script, home=home)
    assert done.returncode == 1
    assert f"install/{script}: error: HOME " in done.stderr


def test_there_is_nothing_to_remove(home: Path) -> None:
    done = run("uninstall.sh", home=home)
    assert done.returncode == 0
    assert done.stdout.startswith("There is nothing to remove")
    assert list(home.iterdir()) == []


def test_install_refuses_to_replace_a_foreign_program(home: Path) -> None:
    program = home / ".local" / "bin" / "msauth"
    program.parent.mkdir(parents=True)
    program.write_text("somebody else's")
    before = tree(home)
    done = run("install.sh", "--yes", home=home)
    assert done.returncode == 1
    assert f"error: {program} exists and is not ours\n" in done.stderr
    assert f"hint: mv {program} {program}.old\n" in done.stderr
    assert tree(home) == before


@pytest.mark.parametrize("case", ["files", "pyvenv", "link", "other owner"])
def test_install_refuses_a_foreign_folder(home: Path, tmp_path: Path, case: str) -> None:
    """`venv --clear` would empty it."""
    venv = home / ".local" / "share" / "msauth" / "venv"
    venv.parent.mkdir(parents=True)
    if case == "link":
        (tmp_path / "elsewhere").mkdir()
        venv.symlink_to(tmp_path / "elsewhere")
    else:
        venv.mkdir()
        (venv / ("pyvenv.cfg" if case == "pyvenv" else "thesis.txt")).write_text("mine")
    if case == "other owner":
        if os.geteuid():
            pytest.skip("only root can give a folder away")
        (venv.parent / "manifest").write_text(f"environment {venv}\n")
        os.chown(venv, NOBODY, NOBODY)
    before = tree(home)
    done = run("install.sh", "--yes", home=home)
    assert done.returncode == 1
    assert f"{venv} exists and was not made by install.sh" in done.stderr
    assert tree(home) == before


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
def test_a_manifest_of_another_user_is_not_believed(home: Path, script: str) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    ours = made(home, "folder /tmp")
    os.chown(ours / "manifest", NOBODY, NOBODY)
    before = tree(home)
    done = run(script, home=home)
    assert done.returncode == 1
    assert "is not a file of this user" in done.stderr
    assert tree(home) == before


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
def test_root_does_not_write_into_somebody_elses_home(home: Path, script: str) -> None:
    if os.geteuid():
        pytest.skip("for root only")
    os.chown(home, NOBODY, NOBODY)
    done = run(script, home=home)
    assert done.returncode == 1
    assert "HOME is another user's" in done.stderr
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
def test_root_is_told_that_a_home_does_not_exist(home: Path, script: str) -> None:
    if os.geteuid():
        pytest.skip("for root only")
    done = run(script, home=home / "none")
    assert done.returncode == 1
    assert f"error: HOME does not exist: {home}/none\n" in done.stderr
    assert list(home.iterdir()) == []


def test_uninstall_takes_what_is_listed_and_tells_what_stays(home: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "pyvenv.cfg").write_text("")
    local = home / ".local"
    ours, programs = local / "share" / "msauth", local / "bin"
    made(
        home,
        *(f"folder {folder}" for folder in (local, ours.parent, ours, ours / "bin", programs)),
        *(f"environment {ours}/venv", f"environment {precious}"),
        *(f"file {ours}/bin/msauth", f"file {precious}/pyvenv.cfg", f"file {ours}/gone"),
        *(f"link {programs}/{name}" for name in ("msauth", "msauth-run", "msauth-token")),
    )
    for folder in (ours / "bin", programs, ours / "venv"):
        folder.mkdir()
    for file in (ours / "bin" / "msauth", ours / "venv" / "pyvenv.cfg", ours / "notes"):
        file.write_text("")
    (programs / "msauth").symlink_to(ours / "bin" / "msauth")
    (programs / "msauth-run").symlink_to("/bin/true")
    (programs / "msauth-token").write_text("mine")
    done = run("uninstall.sh", home=home)
    assert (done.returncode, done.stderr) == (0, "")
    left = sorted(str(path) for path in home.rglob("*") if not path.is_dir())
    assert left == [f"{programs}/msauth-run", f"{programs}/msauth-token", f"{ours}/notes"]
    assert os.listdir(precious) == ["pyvenv.cfg"]
    assert re.findall(r"Left ([^:]*):", done.stdout) == [
        *(f"{programs}/msauth-run", f"{programs}/msauth-token", f"{precious}/pyvenv.cfg"),
        *(str(precious), str(programs), str(ours)),
    ]
    assert not (ours / "venv").exists()
    assert run("uninstall.sh", home=home).stdout.startswith("There is nothing to remove")


@pytest.mark.parametrize("case", ["link", "not an environment"])
def test_uninstall_removes_no_folder_that_it_does_not_know(
    home: Path, tmp_path: Path, case: str
) -> None:
    ours = home / ".local" / "share" / "msauth"
    made(home, f"environment {ours}/venv")
    target = tmp_path / "precious" if case == "link" else ours / "venv"
    target.mkdir()
    (target / "thesis").write_text("")
    if case == "link":
        (target / "pyvenv.cfg").write_text("")
        (ours / "venv").symlink_to(target)
    done = run("uninstall.sh", home=home)
    assert done.returncode == 0
    assert f"Left {ours}/venv: it is not the environment that was made" in done.stdout
    assert (target / "thesis").exists()


def test_uninstall_stops_where_git_cannot_be_restored(home: Path) -> None:
    config, include = home / ".gitconfig", home / ".config" / "msauth" / "gitconfig"
    ours = made(home, f"git {config}", f"include {include}", "file /x")
    config.write_text("[include]\n\tpath = ~/.config/msauth/gitconfig\n[user]\n\tname = A\n")
    (home / ".gitconfig.lock").write_text("")
    before = tree(home)
    done = run("uninstall.sh", home=home)
    assert done.returncode == 1
    assert f"error: {config}.lock exists" in done.stderr
    assert tree(home) == before
    (home / ".gitconfig.lock").unlink()
    assert run("uninstall.sh", home=home).returncode == 0
    assert config.read_text() == "[user]\n\tname = A\n"
    assert not (ours / "manifest").exists()


def test_what_an_older_installer_made_is_removed(home: Path) -> None:
    """It kept no list, but marked what it had made."""
    ours, programs = home / ".local" / "share" / "msauth", home / ".local" / "bin"
    for folder in (ours / "venv" / "bin", programs):
        folder.mkdir(parents=True)
    for name in ("venv/pyvenv.cfg", "venv/made-from", "venv.log", "made-bin"):
        (ours / name).write_text("")
    for name in ("msauth", "msauth-run"):
        (programs / name).symlink_to(ours / "venv" / "bin" / name)
    config = home / ".gitconfig"
    config.write_text("[user]\n# >>> msauth >>>\n\thelper = msauth\n# <<< msauth <<<\n")
    done = run("uninstall.sh", home=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(tree(home)) == [".gitconfig", ".local", ".local/share"]
    assert config.read_text() == "[user]\n"


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
@pytest.mark.parametrize("path", ["", ":", ".:", "rel:"])
def test_a_hostile_directory_starts_nothing(
    home: Path, hostile: Hostile, script: str, path: str
) -> None:
    """As far as it goes without an environment: the checks, and git's configuration."""
    ours = made(home, f"git {home}/.gitconfig", f"include {home}/.config/msauth/gitconfig")
    (ours / "venv").mkdir()
    (ours / "venv" / "foreign").write_text("")
    done = run(
        script,
        home=home,
        cwd=hostile.directory,
        PATH=f"{path}{os.path.dirname(sys.executable)}:/usr/bin:/bin",
        PYTHONPATH=path,
        PYTHONSTARTUP="json/cli.py",
    )
    assert done.returncode == (script == "install.sh"), done.stderr
    assert hostile.sprung() == []


def test_the_scripts_keep_to_themselves(tmp_path: Path) -> None:
    """What all of them begin with: see common.sh."""
    script = str(REPOSITORY / "install" / "any.sh")
    line = '. "${0%/*}/common.sh"; printf "%s\\n" "$PATH" "$PWD" "$MSAUTH_BUILD_DIR"; env'
    env = {"PATH": f".:{tmp_path}::rel:/usr/bin:/bin:", "MSAUTH_BUILD_DIR": "build"}
    env |= dict.fromkeys(("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "TMPDIR", "CDPATH"), "rel")
    command = ["sh", "-c", line, script]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=True)
    path, directory, build, *rest = done.stdout.decode().split("\n")
    assert path == f"{tmp_path}:/usr/bin:/bin"
    assert directory == "/"
    assert build == f"{tmp_path}/build"
    assert [setting for setting in rest if setting.endswith("=rel")] == []


def test_every_python_is_isolated() -> None:
    for script in (REPOSITORY / "install").glob("*.sh"):
        text = script.read_text()
        options = re.findall(r'(?:python"|"\$name"|^python) (-\S*)', text, re.MULTILINE)
        assert set(options) <= {"-I"}, script


# --- The whole way ---


@pytest.fixture
def user() -> Iterator[Path]:
    """A home of an ordinary user with a checkout in it, where they can reach both."""
    root = Path(tempfile.mkdtemp(prefix="msauth-user-"))
    for name in ("helpers", "install"):
        shutil.copytree(
            REPOSITORY / name, root / "checkout" / name, ignore=shutil.ignore_patterns("*.pyc")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, root / "checkout")
    (root / "home").mkdir()
    for path in (root, *root.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    yield root
    shutil.rmtree(root)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose name leaves room in the 127 bytes of a script's first line."""
    with tempfile.TemporaryDirectory(prefix="msauth-") as name:
        yield Path(name)


@pytest.mark.long
@pytest.mark.parametrize("name", ["h", 'it\'s "my" $home', "a" * 100])
def test_install_use_and_uninstall(
    bare_env: Environment,
    cloud: Sandbox,
    tmp_path: Path,
    short_path: Path,
    hostile: Hostile,
    name: str,
) -> None:
    """The whole way, twice, with a git configuration that must come back byte for byte."""
    home = short_path / name
    home.mkdir(mode=0o700)
    config = home / ".gitconfig"
    config.write_text("[user]\n\tname = Alex")  # no newline at its end
    before = tree(home)
    for _ in range(2):
        done = run(
            "install.sh", "--yes", home=home, cwd=hostile.directory, PYTHONPATH=":", TMPDIR="rel"
        )
        assert done.returncode == 0, done.stderr
        assert hostile.sprung() == []
    assert "git is configured already." in done.stdout
    first = (home / ".local" / "bin" / "msauth").read_text().split("\n")[0]
    venv = home / ".local" / "share" / "msauth" / "venv"
    assert first == (f"#!{venv}/bin/python -I" if name == "h" else "#!/bin/sh")

    inside = bare_env | cloud.environ | cloud.service_principal_environ("contoso")
    inside |= {"HOME": str(home), "PATH": f"{home}/.local/bin:/usr/local/bin:/usr/bin:/bin"}
    inside |= {"PYTHONPATH": ":", "PYTHONHOME": "/nowhere", "PYTHONSTARTUP": "x"}
    subprocess.run(
        ["git", "clone", "-q", URL, tmp_path / "copy"],
        env=inside,
        cwd=hostile.directory,
        check=True,
    )
    assert cloud.count("token") == 1
    for command in (["msauth-token", "arm"], ["msauth-run", "--", "true"], ["msauth", "status"]):
        path = str(home / ".local" / "bin" / command[0])
        subprocess.run([path, *command[1:]], env=inside, cwd=hostile.directory, check=True)
    assert hostile.sprung() == []
    setup = [str(home / ".local" / "bin" / "msauth"), "setup", "git"]
    done = subprocess.run(setup, env=inside, check=True, capture_output=True, text=True)
    assert done.stdout == "nothing to do\n"

    done = run("uninstall.sh", home=home, cwd=hostile.directory, PYTHONPATH=":")
    assert done.returncode == 0, done.stderr
    assert hostile.sprung() == []
    shutil.rmtree(home / "cache", ignore_errors=True)
    assert tree(home) == before
    again = run("uninstall.sh", home=home)
    assert (again.returncode, again.stderr) == (0, "")
    assert "nothing to remove" in again.stdout


@pytest.mark.long
def test_what_was_set_up_later_is_undone_too(home: Path) -> None:
    (home / ".kube").mkdir()
    (home / ".kube" / "config").write_text(
        "users:\n- name: me\n  user:\n    exec:\n      command: kubelogin\n"
        "      apiVersion: client.authentication.k8s.io/v1beta1\n"
        "      args: [get-token, --login, azurecli, --server-id, x]\n"
    )
    (home / ".gitconfig").write_text("[user]\n\tname = Alex")
    before = tree(home)
    assert run("install.sh", "--no-git", home=home).returncode == 0
    for target in ("git", "kubectl"):
        command = [f"{home}/.local/bin/msauth", "setup", target]
        env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(command, env=env, check=True, capture_output=True)
    assert "msauth" in (home / ".kube" / "config").read_text()
    (home / ".kube" / "config.lock").touch()
    refused = run("uninstall.sh", home=home)
    assert refused.returncode == 1
    assert "config.lock exists" in refused.stderr
    assert (home / ".local" / "bin" / "msauth").exists()
    (home / ".kube" / "config.lock").unlink()
    assert run("uninstall.sh", home=home).returncode == 0
    assert tree(home) == before


@pytest.mark.long
def test_the_programs_get_on_path_by_the_line_that_is_said(home: Path) -> None:
    """In an interactive shell that is started anew, and undone as the rest."""
    path = f"{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin"
    hint = "install/install.sh: hint: ~/.local/bin is "
    for shell, profile, written in (
        ("bash", "", ".bashrc"),
        ("bash", 'PATH="$HOME/.local/bin:$PATH"\n', ""),
        ("zsh", "", ".zshrc"),
        ("fish", "", ""),
        ("sh", "", ".profile"),
    ):
        program = shutil.which(shell)
        if program is None:
            continue
        (home / ".profile").write_text(profile)
        done = run("install.sh", "--no-git", home=home, PATH=path, SHELL=program)
        assert done.returncode == 0, done.stderr
        (said,) = [line for line in done.stderr.split("\n") if line.startswith(hint)]
        line = said.partition(": ")[2].partition(": ")[2].partition(": ")[2]
        env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "TERM": "dumb"}
        found = [shell, "-lic" if shell == "sh" else "-ic", "command -v msauth"]
        if profile:
            found[1] = "-lic"
        else:
            assert subprocess.run(found, env=env, capture_output=True, check=False).returncode
            subprocess.run([shell, "-c", line], env=env, check=True)
        done = subprocess.run(found, env=env, capture_output=True, check=False)
        assert done.stdout.decode() == f"{home}/.local/bin/msauth\n", shell
        if written:
            (home / written).unlink()
    done = run("install.sh", "--no-git", home=home, SHELL="/bin/bash")
    assert done.stderr == ""


@pytest.mark.long
def test_an_ordinary_user_installs_too(user: Path) -> None:
    if os.geteuid():
        pytest.skip("the other tests do so already")
    home = user / "home"
    before = tree(home)
    env = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    env |= {"HOME": str(home), "PATH": f"{home}/.local/bin:/usr/local/bin:/usr/bin:/bin"}
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    version = [*drop, home / ".local" / "bin" / "msauth", "--version"]
    for script in ("install.sh --yes", "install.sh --yes", "uninstall.sh", "uninstall.sh"):
        name, *arguments = script.split()
        command = [*drop, "sh", user / "checkout" / "install" / name, *arguments]
        done = subprocess.run(command, env=env, cwd=user, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        if name == "install.sh":
            subprocess.run(version, env=env, cwd="/", check=True, capture_output=True)
            asked = [*drop, "git", "config", "--get-urlmatch", "credential.helper", URL]
            done = subprocess.run(asked, env=env, cwd=user, capture_output=True, check=True)
            assert done.stdout == b"!git-credential-msauth\n"
    assert tree(home) == before
