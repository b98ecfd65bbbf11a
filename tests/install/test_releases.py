"""What a release holds installs in every way that the documents name, and git works after it."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from ..conftest import Environment, run_program
from .conftest import REPOSITORY, another_version
from .test_install import URL, run, tree

TOOLS = [
    pytest.param("pip", marks=pytest.mark.long),
    pytest.param("pipx", marks=pytest.mark.real_client),
    pytest.param("uv", marks=pytest.mark.real_client),
]
SHARED = "msauth-0.0.9.data/data/share"
PROGRAMS = "[console_scripts]\n"


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder with the scripts of install/ and nothing else of the sources."""
    return Path(shutil.copytree(REPOSITORY / "install", tmp_path / "release" / "install"))


def outside(scripts: Path, name: str, *arguments: str, home: Path, **more: str) -> str:
    """Run a script of another checkout than this; return what it prints."""
    script = os.path.relpath(scripts / name, REPOSITORY / "install")
    done = run(script, *arguments, home=home, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def clone(env: Environment, place: Path) -> None:
    subprocess.run(["git", "clone", "-q", URL, place], env=env, check=True)
    shutil.rmtree(place)


# --- Without making an environment ---


@pytest.mark.parametrize("option", [True, False])
@pytest.mark.parametrize(("extras", "refused"), [("", False), ("sandbox", True)])
def test_a_wheel_says_which_programs_it_has(
    home: Path, scripts: Path, option: bool, extras: str, refused: bool
) -> None:
    wheel = (scripts if option else scripts.parent) / "msauth-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        text = "[console_scripts]\nmsauth-new = a:b\nmsauth-more = a:b [sandbox]\n\n[x]\ny = a:b\n"
        file.writestr("msauth-1.0.dist-info/entry_points.txt", text)
        file.writestr("msauth-1.0.dist-info/METADATA", "Provides-Extra: sandbox\n")
    for name in ("msauth-more", "y"):
        program = home / ".local" / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("mine")
    if not refused:
        (home / ".local" / "bin" / "msauth-new").write_text("mine")
    before = tree(home)
    script = os.path.relpath(scripts / "install.sh", REPOSITORY / "install")
    words = ["--wheel", wheel.name] if option else []
    words += ["--extras", extras] if extras else []
    done = run(script, *words, home=home, cwd=wheel.parent)
    assert done.returncode == 1
    name = "msauth-more" if refused else "msauth-new"
    assert f"error: {home}/.local/bin/{name} exists and is not ours" in done.stderr
    assert tree(home) == before


def test_there_is_nothing_to_install(home: Path, scripts: Path) -> None:
    script = os.path.relpath(scripts / "install.sh", REPOSITORY / "install")
    done = run(script, home=home)
    assert done.returncode == 1
    assert f"error: there is nothing to install in {scripts.parent}\n" in done.stderr
    done = run("install.sh", "--wheel", "no.whl", home=home)
    assert "error: there is no wheel no.whl\n" in done.stderr
    assert list(home.iterdir()) == []


# --- Each way of installing ---


@pytest.mark.parametrize("tool", TOOLS)
def test_git_works_after_the_set_up(
    bare_env: Environment,
    cloud: Sandbox,
    tmp_path: Path,
    installed: Callable[[str], Path],
    tool: str,
) -> None:
    """With the programs on git's PATH, and without."""
    programs = installed(tool)
    env = bare_env | cloud.environ | cloud.service_principal_environ("contoso")
    config = Path(env["HOME"]) / ".gitconfig"
    config.write_text("[user]\n\tname = Alex")
    for path, helper in (
        (f"{programs}:/usr/bin:/bin", "!git-credential-msauth"),
        ("/usr/bin:/bin", str(programs / "git-credential-msauth")),
    ):
        env["PATH"] = path
        run_program(str(programs / "msauth"), "setup", "git", env=env)
        asked = run_program("git", "config", "--get-urlmatch", "credential.helper", URL, env=env)
        assert asked.stdout.decode().strip() == helper
        clone(env, tmp_path / "copy")
        assert cloud.count("token") == 1
        run_program(str(programs / "msauth"), "setup", "git", "--undo", env=env)
        assert config.read_text() == "[user]\n\tname = Alex"


@pytest.mark.long
def test_a_release_tarball(
    bare_env: Environment, cloud: Sandbox, home: Path, tmp_path: Path, built: dict[str, Path]
) -> None:
    """The sdist, unpacked where only its files are, installs as a checkout does."""
    with tarfile.open(built["sdist"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.glob("msauth-*")
    before = tree(home)
    outside(folder / "install", "install.sh", "--yes", "--extras", "sandbox", home=home)
    inside = bare_env | cloud.environ | cloud.service_principal_environ("contoso")
    inside["PATH"] = f"{home}/.local/bin:/usr/bin:/bin"
    clone(inside, tmp_path / "copy")
    ready = [f"{home}/.local/bin/msauth-sandbox", "--", "git", "ls-remote", URL]
    done = subprocess.run(ready, env=inside, capture_output=True, check=True)
    assert b"refs/heads/main" in done.stdout
    outside(folder / "install", "uninstall.sh", home=home)
    shutil.rmtree(home / "cache", ignore_errors=True)
    assert tree(home) == before


@pytest.mark.long
def test_keyring_for_the_pip_of_any_project(
    bare_env: Environment, cloud: Sandbox, home: Path, scripts: Path, built: dict[str, Path]
) -> None:
    """A project's own environment has neither keyring nor msauth; PATH leads its pip to both."""
    before = tree(home)
    options = ("--no-git", "--wheel", str(built["wheel"]), "--extras", "keyring")
    outside(scripts, "install.sh", *options, home=home)
    inside = bare_env | cloud.environ | cloud.service_principal_environ("contoso")
    inside["PATH"] = f"{home}/.local/bin:/usr/bin:/bin"
    url = "https://pkgs.dev.azure.com/contoso/_packaging/hello/pypi/simple/"
    done = run_program("msauth", "setup", "pip", "--index", url, env=inside)
    assert (done.returncode, done.stderr) == (0, b"")
    project = home / "project"
    run_program(sys.executable, "-m", "venv", str(project), env=bare_env)
    done = run_program(str(project / "bin" / "pip"), "install", "contoso-hello", env=inside)
    assert done.returncode == 0, done.stderr
    assert cloud.count("token") == 1
    completions = home / ".local/share/bash-completion/completions"
    assert (completions / "msauth").exists()
    assert not (completions / "keyring").exists()
    run_program("msauth", "setup", "pip", "--undo", env=inside)
    outside(scripts, "uninstall.sh", home=home)
    for left in (project, home / "cache", home / ".cache"):
        shutil.rmtree(left, ignore_errors=True)
    assert tree(home) == before


@pytest.mark.long
def test_an_upgrade_from_wheel_to_wheel(
    bare_env: Environment,
    cloud: Sandbox,
    home: Path,
    tmp_path: Path,
    scripts: Path,
    built: dict[str, Path],
) -> None:
    """Links stay, what is no longer there goes, extras are kept, git is told what is new."""
    shared = {
        f"{SHARED}/man/man7/msauth-old.7": ".TH x",
        f"{SHARED}/man/man1/msauth.1": "\n",
        f"{SHARED}/bash-completion/completions/msauth": "\n",
        f"{SHARED}/zsh/site-functions/_msauth": "\n",
        f"{SHARED}/fish/vendor_completions.d/msauth.fish": "\n",
    }
    more = (PROGRAMS, f"{PROGRAMS}msauth-old = msauth.cli.program:main\n")
    old = another_version(built["wheel"], tmp_path / "old", "0.0.9", shared, more)
    (home / ".config").mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Alex\r\n")
    foreign = home / ".local/share/bash-completion/completions/msauth-token"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine")
    before = tree(home)
    bin_, local, venv = (
        home / ".local/bin",
        home / ".local/share",
        home / ".local/share/msauth/venv",
    )

    said = outside(
        scripts, "install.sh", "--yes", "--wheel", str(old), "--extras", "sandbox", home=home
    )
    assert "git is configured to ask msauth" in said
    assert f"Left {foreign}: it is not ours.\n" in said
    assert version(venv) == "0.0.9"
    subprocess.run([bin_ / "msauth-old", "--version"], check=True)
    links = {
        local / "man/man7/msauth-old.7": venv / "share/man/man7/msauth-old.7",
        local / "man/man1/msauth.1": venv / "share/man/man1/msauth.1",
        **{
            local / f"bash-completion/completions/{name}": venv
            / "share/bash-completion/completions/msauth"
            for name in ("git-credential-msauth", "msauth", "msauth-run", "msauth-sandbox")
        },
    }
    if shutil.which("zsh"):
        links[local / "zsh/site-functions/_msauth"] = venv / "share/zsh/site-functions/_msauth"
    if shutil.which("fish"):
        links[home / ".config/fish/completions/msauth-token.fish"] = (
            venv / "share/fish/vendor_completions.d/msauth.fish"
        )
    assert {link: link.readlink() for link in links} == links

    own = local / "bash-completion/completions/msauth-old"
    own.unlink()
    own.write_text("mine instead of the link")

    # Upgraded with the helper no longer on PATH, and without a word about git or extras.
    shutil.copy(built["wheel"], scripts.parent)
    said = outside(scripts, "install.sh", home=home, PATH=os.environ["PATH"])
    assert "git is configured to ask msauth" in said
    assert version(venv) != "0.0.9"
    assert [file for file in venv.rglob("msauth/**/*.pyo") if file.stat().st_size == 0] == []
    assert not os.path.lexists(bin_ / "msauth-old")
    assert not os.path.lexists(local / "man/man7/msauth-old.7")
    assert (bin_ / "msauth-sandbox").exists()
    assert own.read_text() == "mine instead of the link"
    own.unlink()
    inside = bare_env | cloud.environ | cloud.service_principal_environ("contoso")
    asked = run_program("git", "config", "--get-urlmatch", "credential.helper", URL, env=inside)
    assert asked.stdout.decode().strip() == str(bin_ / "git-credential-msauth")
    clone(inside, tmp_path / "copy")
    assert outside(scripts, "install.sh", home=home, PATH=os.environ["PATH"]).endswith(
        "git is configured already.\n"
    )

    # Where neither sources nor a wheel are left, the environment undoes itself.
    for wheel in scripts.parent.glob("*.whl"):
        wheel.unlink()
    for _ in range(2):
        said = outside(scripts, "uninstall.sh", home=home)
    assert said.startswith("There is nothing to remove")
    shutil.rmtree(home / "cache", ignore_errors=True)
    assert tree(home) == before


def version(venv: Path) -> str:
    code = "from importlib.metadata import version; print(version('msauth'))"
    command = [venv / "bin" / "python", "-I", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
