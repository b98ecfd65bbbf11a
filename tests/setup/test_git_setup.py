"""`msauth setup git`, the installed program, with the real git of this machine and a newer one."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from msauth.setup.git import include_text
from msauth.setup.git_places import place
from msauth_sandbox import Sandbox

from ..clients.places import prepared
from ..conftest import SCRIPTS, Done, Environment, run_program
from .test_git import tree

BY_NAME = "!git-credential-msauth"
TOPIC = Path(__file__).parent.parent.parent / "helpers" / "msauth" / "topics" / "git.md"
HELLO = "https://dev.azure.com/contoso/hello/_git/hello"
LEGACY = "https://contoso.visualstudio.com/hello/_git/hello"
LOCAL_LINES = b"[include]\n\tpath = msauth-gitconfig\n"


def setup(env: Environment, *arguments: str, cwd: Path | None = None) -> Done:
    return run_program("msauth", "setup", "git", *arguments, env=env, cwd=cwd)


def set_up(env: Environment, *arguments: str, cwd: Path | None = None) -> str:
    done = setup(env, *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def git(env: Environment, *arguments: str, cwd: Path | None = None) -> str:
    done = run_program("git", *arguments, env=env, cwd=cwd)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(params=["this machine's", "newer"])
def git_env(request: pytest.FixtureRequest, bare_env: Environment, tmp_path: Path) -> Environment:
    """An environment whose PATH has one git: that of this machine, or one ≥ 2.46."""
    if request.param == "newer":
        bare_env["PATH"] = f"{Path(prepared('git')).parent}:{bare_env['PATH']}"
    bare_env["GIT_CONFIG_SYSTEM"] = str(tmp_path / "etc" / "gitconfig")
    (tmp_path / "etc").mkdir()
    return bare_env


@pytest.fixture
def repository(tmp_path: Path, git_env: Environment) -> Path:
    path = tmp_path / "repository"
    git(git_env, "init", "-q", str(path))
    return path


@pytest.mark.parametrize("name", ["", "relative"])
def test_a_home_that_is_none(name: str, bare_env: Environment, tmp_path: Path) -> None:
    done = setup(bare_env | {"HOME": name}, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(b"msauth: error: HOME is not ")
    assert b"msauth: hint: export HOME=" in done.stderr
    assert not list(tmp_path.glob("relative"))


# --- Every scope: there, twice, and gone without a trace ---


@pytest.mark.parametrize("scope", [(), ("--global",), ("--system",), ("--local",)])
def test_each_scope_is_set_up_and_undone(
    git_env: Environment, tmp_path: Path, repository: Path, scope: tuple[str, ...]
) -> None:
    if scope == ("--system",):
        del git_env["GIT_CONFIG_NOSYSTEM"]
        needs_everybodys_programs()
    then = tree(tmp_path)
    shown = set_up(git_env, "--dry-run", *scope, cwd=repository)
    assert tree(tmp_path) == then
    assert set_up(git_env, *scope, cwd=repository).count("wrote ") == 2
    now = tree(tmp_path)
    added = set(now) - set(then)
    assert any(path.endswith("gitconfig") for path in added)
    assert all(f"+{line}\n" in shown for line in ('[http "https://dev.azure.com"]', "[include]"))
    question = ("config", "--get-urlmatch", "credential.helper", HELLO)
    assert git(git_env, *question, cwd=repository).endswith("msauth\n")
    assert set_up(git_env, *scope, cwd=repository) == "nothing to do\n"
    assert tree(tmp_path) == now
    assert "-[include]\n" in set_up(git_env, "--undo", "--dry-run", *scope, cwd=repository)
    assert tree(tmp_path) == now
    set_up(git_env, "--undo", *scope, cwd=repository)
    assert tree(tmp_path) == then
    assert set_up(git_env, "--undo", *scope, cwd=repository) == "nothing to do\n"
    assert tree(tmp_path) == then


def needs_everybodys_programs() -> None:
    for path in (SCRIPTS, *SCRIPTS.parents):
        if not path.stat().st_mode & stat.S_IXOTH:
            pytest.skip(f"other users may not run what is in {path}")


def test_the_file_for_all_users_is_for_all_users(git_env: Environment, tmp_path: Path) -> None:
    """git fails for everybody who may not read an included file, whatever root's umask was."""
    needs_everybodys_programs()
    del git_env["GIT_CONFIG_NOSYSTEM"]
    command = ["sh", "-c", "umask 077; exec msauth setup git --system"]
    done = subprocess.run(command, env=git_env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    include = tmp_path / "etc" / "msauth" / "gitconfig"
    assert stat.S_IMODE(include.stat().st_mode) == 0o644
    assert stat.S_IMODE(include.parent.stat().st_mode) == 0o755
    assert f"helper = {SCRIPTS}/git-credential-msauth\n" in include.read_text()


def test_a_program_that_others_may_not_run_is_not_for_all_users(
    git_env: Environment, tmp_path: Path
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for name in ("msauth", "git-credential-msauth"):
        shutil.copy(SCRIPTS / name, private / name)
    git_env["PATH"] = f"{private}:{git_env['PATH']}"
    then = tree(tmp_path)
    done = setup(git_env, "--system")
    assert done.returncode == 1
    assert b"is not for all users to run\nmsauth: hint: msauth setup git --global\n" in done.stderr
    assert tree(tmp_path) == then


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("what", ["program", "folder", "anybody's folder"])
def test_a_program_that_another_user_can_change_is_not_for_all_users(
    git_env: Environment, tmp_path: Path, what: str
) -> None:
    """`sudo -E msauth setup git --system`: root's git would run what is the user's to replace."""
    needs_everybodys_programs()
    folder = tmp_path / "bin"
    folder.mkdir(mode=0o755)
    for name in ("msauth", "git-credential-msauth"):
        shutil.copy(SCRIPTS / name, folder / name)
    if what == "anybody's folder":
        folder.chmod(0o777)
    else:
        os.chown(folder if what == "folder" else folder / "git-credential-msauth", 65534, 65534)
    for path in (tmp_path, *tmp_path.parents):
        if not path.stat().st_mode & stat.S_IXOTH:
            path.chmod(path.stat().st_mode | 0o011)
    git_env["PATH"] = f"{folder}:{git_env['PATH']}"
    then = tree(tmp_path)
    done = setup(git_env, "--system")
    assert done.returncode == 1
    assert b"can be changed by a user who is not root\nmsauth: hint: msauth" in done.stderr
    assert tree(tmp_path) == then


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("scope", ["--global", "--local"])
def test_root_makes_no_file_that_another_user_cannot_read(
    git_env: Environment, home: Path, tmp_path: Path, repository: Path, scope: str
) -> None:
    """`sudo -E msauth setup git`: git fails for whom an included file is out of reach."""
    del git_env["GIT_CONFIG_NOSYSTEM"]
    for path in (home, *home.rglob("*"), repository / ".git"):
        os.chown(path, 65534, 65534)
    git(git_env, "config", "--system", "safe.directory", "*")
    then = tree(tmp_path)
    done = setup(git_env, scope, cwd=repository)
    assert done.returncode == 1
    said, told = done.stderr.decode().splitlines()
    assert "belongs to another user (uid 65534), who could not use" in said
    assert told == f"msauth: hint: sudo -u '#65534' -H msauth setup git {scope}"
    assert tree(tmp_path) == then


def test_git_says_where_the_configuration_for_all_users_is(git_env: Environment) -> None:
    del git_env["GIT_CONFIG_SYSTEM"]
    config = place("--system", git_env).config
    assert config.endswith("/etc/gitconfig")
    if shutil.which("git", path=git_env["PATH"]) == "/usr/bin/git":
        assert config == "/etc/gitconfig"


@pytest.mark.parametrize(
    ("variables", "there", "expected"),
    [
        ({}, [], "home/.gitconfig"),
        ({}, ["home/.config/git/config"], "home/.config/git/config"),
        ({}, ["home/.config/git/config", "home/.gitconfig"], "home/.gitconfig"),
        ({"XDG_CONFIG_HOME": "x"}, ["x/git/config"], "x/git/config"),
        ({"GIT_CONFIG_GLOBAL": "other"}, ["home/.gitconfig"], "other"),
    ],
)
def test_the_configuration_that_git_would_write(
    git_env: Environment,
    tmp_path: Path,
    variables: dict[str, str],
    there: list[str],
    expected: str,
) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("[user]\n\tname = A\n")
    env = git_env | {name: str(tmp_path / value) for name, value in variables.items()}
    then = tree(tmp_path)
    set_up(env)
    git(env, "config", "--global", "user.email", "a@contoso.com")
    changed = [name for name in (*there, expected) if "include" in (tmp_path / name).read_text()]
    assert set(changed) == {expected}
    assert "user.email" in git(env, "config", "--list", "--global")
    assert "a@contoso.com" in (tmp_path / expected).read_text()
    git(env, "config", "--global", "--unset", "user.email")
    set_up(env, "--undo")
    assert set(tree(tmp_path)) - {expected} == set(then) - {expected}


# --- A repository ---


def test_a_repository_that_moves_keeps_asking_us(
    git_env: Environment, repository: Path, tmp_path: Path
) -> None:
    (repository / ".git" / "config").chmod(0o664)
    set_up(git_env, "--local", "--tenant", "contoso.com", cwd=repository)
    include = repository / ".git" / "msauth-gitconfig"
    assert stat.S_IMODE(include.stat().st_mode) == 0o664
    moved = repository.rename(tmp_path / "moved")
    chain = git(git_env, "config", "--get-urlmatch", "credential.helper", HELLO, cwd=moved)
    assert chain == f"{BY_NAME} --tenant contoso.com\n"


def test_all_work_trees_share_it_and_a_line_of_one_is_found(
    git_env: Environment, repository: Path, tmp_path: Path
) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@contoso.com")
    git(git_env, *identity, "commit", "-q", "--allow-empty", "-m", "first", cwd=repository)
    other = tmp_path / "other"
    git(git_env, "worktree", "add", "-q", str(other), cwd=repository)
    set_up(git_env, "--local", cwd=other)
    assert (repository / ".git" / "config").read_bytes().endswith(LOCAL_LINES)
    git(git_env, "config", "extensions.worktreeConfig", "true", cwd=other)
    git(git_env, "config", "--worktree", "credential.helper", "store", cwd=other)
    done = setup(git_env, "--local", cwd=other)
    fix = hint(done)
    assert b"git asks store (a file in clear) beside msauth" in done.stderr
    assert "config.worktree --unset-all credential.helper" in fix
    follow(git_env, fix, other)
    assert setup(git_env, "--local", cwd=other).stderr == b""


def test_the_repository_of_git_dir_is_meant(
    git_env: Environment, repository: Path, tmp_path: Path
) -> None:
    set_up(git_env | {"GIT_DIR": str(repository / ".git")}, "--local", cwd=tmp_path)
    assert (repository / ".git" / "config").read_bytes().endswith(LOCAL_LINES)


def test_a_repository_of_another_user_is_left_alone(
    git_env: Environment, repository: Path, tmp_path: Path
) -> None:
    """`safe.directory`: its configuration is not believed, and not written to either."""
    git_env["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    then = tree(tmp_path)
    done = setup(git_env, "--local", cwd=repository)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        f"msauth: error: the repository at {repository} is another user's, and git does not "
        "trust it",
        f"msauth: hint: git config --global --add safe.directory {repository}",
    ]
    assert tree(tmp_path) == then
    follow(git_env, hint(done), repository)
    set_up(git_env, "--local", cwd=repository)


def test_nowhere_in_a_repository(git_env: Environment, tmp_path: Path) -> None:
    done = setup(git_env, "--local", cwd=tmp_path)
    assert done.returncode == 1
    assert b"is in no repository of git's" in done.stderr
    assert hint(done) == "msauth setup git --global"


@pytest.mark.parametrize(("scope", "code"), [("--global", 0), ("--local", 1)])
def test_a_directory_that_is_gone(
    git_env: Environment, tmp_path: Path, scope: str, code: int
) -> None:
    command = 'mkdir gone && cd gone && rmdir ../gone && exec msauth setup git "$0"'
    words = ["sh", "-c", command, scope]
    done = subprocess.run(words, env=git_env, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == code, done.stderr
    assert (b"the current directory is gone" in done.stderr) == (code == 1)


def test_a_git_dir_that_is_not_there(git_env: Environment) -> None:
    git_env["GIT_DIR"] = "/nonexistent"
    set_up(git_env)
    done = setup(git_env, "--local")
    assert done.returncode == 1
    assert b"is in no repository of git's: not a git repository: '/nonexistent'" in done.stderr


# --- How it was installed ---


def test_the_helper_is_found_beside_the_program_that_was_called(
    git_env: Environment, home: Path, tmp_path: Path
) -> None:
    """As by pipx: links in a folder that PATH may or may not have, to an environment elsewhere."""
    folder = tmp_path / "my bin"
    folder.mkdir()
    for name in ("msauth", "git-credential-msauth"):
        (folder / name).symlink_to(SCRIPTS / name)
    git_env["PATH"] = git_env["PATH"].replace(f"{SCRIPTS}:", "")
    for path, helper in (
        (git_env["PATH"], str(folder / "git-credential-msauth").replace(" ", "\\\\ ")),
        (f"{folder}:{git_env['PATH']}", BY_NAME),
    ):
        env = git_env | {"PATH": path}
        done = run_program(str(folder / "msauth"), "setup", "git", env=env)
        assert done.returncode == 0, done.stderr
        text = (home / ".config" / "msauth" / "gitconfig").read_text()
        assert (
            text.count(f'helper = "{helper}"\n' if " " in helper else f"helper = {helper}\n") == 2
        )


def test_undo_after_an_upgrade(git_env: Environment, home: Path) -> None:
    """What an older msauth wrote is rewritten, and then goes as it came."""
    (home / ".gitconfig").write_bytes(b"[user]\r\n\tname = A\r\n")
    then = tree(home)
    set_up(git_env)
    include = home / ".config" / "msauth" / "gitconfig"
    first, *_, last = include.read_text().splitlines(keepends=True)
    assert last.startswith("# folders")
    include.write_text(first + '[credential "https://dev.azure.com"]\n\thelper = msauth\n' + last)
    assert set_up(git_env) == f"wrote {include}\n"
    assert include.read_text() == include_text(BY_NAME) + last
    set_up(git_env, "--undo")
    assert tree(home) == then


# --- What the helper is called with ---


def test_the_helper_is_called_with_the_options(git_env: Environment, home: Path) -> None:
    (home / ".config" / "msauth").mkdir(parents=True)
    (home / ".config" / "msauth" / "profiles.toml").write_text('[work]\ncredential = "browser"\n')
    done = setup(git_env, "--profile", "wrok")
    assert (done.returncode, b"no profile 'wrok'" in done.stderr) == (2, True), done.stderr
    set_up(git_env, "--profile", "work", "--username", "a b", "--no-persist")
    chain = git(git_env, "config", "--get-urlmatch", "credential.helper", HELLO)
    assert chain == f"{BY_NAME} --profile work --username a\\ b --no-persist\n"
    assert set_up(git_env).count("wrote") == 1
    assert git(git_env, "config", "--get-urlmatch", "credential.helper", HELLO) == f"{BY_NAME}\n"


def test_an_upgrade_keeps_the_options(bare_env: Environment, home: Path) -> None:
    """install.sh, run again, knows the program and none of what `msauth setup git` was told."""
    set_up(bare_env, "--tenant", "contoso.com", "--username", "an 'odd' one")
    before = git(bare_env, "config", "--get-urlmatch", "credential.helper", HELLO)
    include = home / ".config" / "msauth" / "gitconfig"
    include.write_text(include.read_text("utf-8").replace("\taccess = basic\n", ""), "utf-8")
    code = "import sys; from msauth.setup.git import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-I", "-c", code, "add", str(SCRIPTS / "git-credential-msauth")]
    done = subprocess.run(command, env=bare_env, capture_output=True, text=True, check=True)
    assert done.stdout == f"Wrote {include}\n"
    assert "\taccess = basic\n" in include.read_text("utf-8")
    after = git(bare_env, "config", "--get-urlmatch", "credential.helper", HELLO)
    assert after == before
    assert "--tenant contoso.com" in after


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--local", "--system"), "--system and --local exclude each other"),
        (("--force-refresh",), "unknown option --force-refresh"),
        (("--credential", "nobody"), "unknown credential 'nobody'"),
        (("extra",), "unexpected argument extra"),
    ],
)
def test_a_wrong_command_line(
    git_env: Environment, home: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = setup(git_env, *arguments)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert tree(home) == {}


def test_setup_alone_lists_what_there_is(git_env: Environment, home: Path) -> None:
    shown = run_program("msauth", "setup", env=git_env).stdout.decode()
    assert "msauth setup git" in shown
    assert str(home / ".gitconfig") in shown
    set_up(git_env)
    shown = run_program("msauth", "setup", env=git_env).stdout.decode()
    assert "set up" in shown
    assert str(home / ".config" / "msauth" / "gitconfig") in shown
    (home / ".gitconfig").write_text("[user\n")
    done = run_program("msauth", "setup", env=git_env)
    assert done.returncode == 0
    assert b"git cannot read its configuration" in done.stdout
    done = run_program("msauth", "setup", "gti", env=git_env)
    assert done.returncode == 2
    assert hint(done) == "did you mean msauth setup git?"


@pytest.mark.parametrize("case", ["locked", "read-only", "broken", "no home"])
def test_what_cannot_be_edited_is_left_alone(git_env: Environment, home: Path, case: str) -> None:
    config = home / ".gitconfig"
    config.write_text("[user\n" if case == "broken" else "[user]\n")
    if case == "locked":
        (home / ".gitconfig.lock").write_text("")
    elif case == "read-only":
        config.chmod(0o444)
    elif case == "no home":
        del git_env["HOME"]
    then = tree(home)
    done = setup(git_env)
    words = {"locked": "exists", "broken": "git cannot read", "no home": "HOME is not set"}
    assert done.returncode == 1
    assert words.get(case, case) in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 2
    assert tree(home) == then


# --- git asks us, in the sandbox ---


def signed_in(env: Environment, cloud: Sandbox) -> Environment:
    return env | cloud.environ | cloud.service_principal_environ("contoso")


def test_git_works_and_asks_once(git_env: Environment, cloud: Sandbox, tmp_path: Path) -> None:
    """With git ≥ 2.46 no request of a signed-in person's is answered 401."""
    env = signed_in(git_env, cloud)
    set_up(env)
    copy = tmp_path / "copy"
    git(env, "clone", "-q", HELLO, str(copy))
    (copy / "new.txt").write_text("new")
    identity = ("-c", "user.name=A", "-c", "user.email=a@contoso.com")
    git(env, "add", "new.txt", cwd=copy)
    git(env, *identity, "commit", "-q", "-m", "new", cwd=copy)
    version = tuple(int(part) for part in git(env, "version").split()[2].split(".")[:2])
    for url in (HELLO, LEGACY, HELLO.replace("//", "//contoso@")):
        git(env, "push", "-q", url, f"HEAD:refs/heads/{os.urandom(4).hex()}", cwd=copy)
        before = cloud.count("devops", status=401)
        git(env, "ls-remote", url)
        refused = cloud.count("devops", status=401) - before
        assert (refused == 0) == (version >= (2, 46))
    assert cloud.count("token") == 1


def test_an_organisation_of_its_own_keeps_its_own_helper(
    git_env: Environment, cloud: Sandbox, home: Path
) -> None:
    """As the topic shows it for personal accounts, which need a PAT."""
    env = signed_in(git_env, cloud)
    set_up(env)
    lines = next(block for block in TOPIC.read_text().split("```") if "PERSONAL" in block)
    with (home / ".gitconfig").open("a") as config:
        config.write(lines.removeprefix("ini\n").replace("PERSONAL", "contoso"))
    stored = f"https://me:{cloud.pat}@dev.azure.com\n"
    (home / ".git-credentials").write_text(stored)
    git(env, "ls-remote", HELLO)
    assert cloud.count("token") == 0
    assert cloud.count("devops", auth="pat") > 0
    done = setup(env)
    assert done.returncode == 0
    assert b"note: git asks store (a file in clear), not msauth, for https://dev.az" in done.stderr


@pytest.mark.parametrize("url", [HELLO, HELLO.replace("//", "//contoso@")])
def test_a_public_project_needs_no_sign_in(
    git_env: Environment, cloud: Sandbox, tmp_path: Path, url: str
) -> None:
    cloud.configure(public_projects=("contoso/hello",))
    env = git_env | cloud.environ
    set_up(env)
    git(env, "clone", "-q", url, str(tmp_path / "copy"))
    assert [one.status for one in cloud.requests if "/_git/" in one.path] == [200, 200, 200]


def test_without_a_sign_in_the_reason_is_said(git_env: Environment, cloud: Sandbox) -> None:
    env = git_env | cloud.environ
    set_up(env)
    done = run_program("git", "ls-remote", HELLO, env=env)
    assert done.returncode == 128
    assert b"git-credential-msauth: error: " in done.stderr
    assert b"Password" not in done.stderr


def test_the_documented_lines_are_what_we_write() -> None:
    lines = include_text(BY_NAME).partition("\n")[2]
    assert f"```ini\n{lines}```" in TOPIC.read_text()


def hint(done: Done) -> str:
    lines = [line for line in done.stderr.decode().splitlines() if ": hint: " in line]
    return lines[-1].partition(": hint: ")[2]


def follow(env: Environment, command: str, cwd: Path) -> None:
    done = subprocess.run(["sh", "-c", command], env=env, cwd=cwd, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
