"""What stands in the way of git and msauth is found, and following the fix ends it."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msauth.setup import git_settings
from msauth.setup.finding import Finding
from msauth.setup.git import findings

from ..conftest import Environment, run_program
from ..slices import sliced
from ..test_git import gits

SECRET = "hunter2sentinel" + "a" * 37  # as long as a personal access token
PAT = "q" * 52
HELLO = "https://dev.azure.com/contoso/hello/_git/hello"

# What is in the way: where it is written, its lines, and the findings that are to be.
GLOBAL, SYSTEM, LOCAL = "global", "system", "local"
SEEDED: dict[str, tuple[str, str, list[str]]] = {
    "store after us": (GLOBAL, "[credential]\n\thelper = store\n", ["git-helper-after"]),
    "store in the repository": (LOCAL, "[credential]\n\thelper = store\n", ["git-helper-after"]),
    "manager, for our host": (
        GLOBAL,
        '[credential "https://dev.azure.com"]\n\thelper = manager\n',
        ["git-helper-after"],
    ),
    "osxkeychain, and the list reset": (
        LOCAL,
        '[credential "https://dev.azure.com"]\n\thelper =\n\thelper = osxkeychain\n',
        ["git-not-set-up"],
    ),
    "libsecret by its path": (
        GLOBAL,
        "[credential]\n\thelper = /usr/lib/git-core/git-credential-libsecret\n",
        ["git-helper-after"],
    ),
    "cache for one organisation": (
        GLOBAL,
        '[credential "https://dev.azure.com/contoso"]\n\thelper = cache\n',
        ["git-helper-after"],
    ),
    "a shell command with a secret": (
        GLOBAL,
        f'[credential]\n\thelper = "!f() {{ echo password={SECRET}; }}; f"\n',
        ["git-helper-after"],
    ),
    "a shell command that begins with one": (
        GLOBAL,
        f"[credential]\n\thelper = !TOKEN={SECRET} answer\n",
        ["git-helper-after"],
    ),
    "a helper for a user name": (
        GLOBAL,
        '[credential "https://contoso@dev.azure.com"]\n\thelper = store\n',
        ["git-helper-after"],
    ),
    "a header for a URL with a password": (
        GLOBAL,
        f'[http "https://me:{SECRET}@dev.azure.com"]\n\textraHeader = Authorization: Basic x\n',
        ["git-extra-header"],
    ),
    "another for an organisation of its own": (
        GLOBAL,
        '[credential "https://dev.azure.com/personal"]\n\thelper =\n\thelper = store\n',
        ["git-helper-replaced"],
    ),
    "another for all in a repository with a remote": (
        LOCAL,
        "[credential]\n\thelper =\n\thelper = store\n" + f'[remote "o"]\n\turl = {HELLO}\n',
        ["git-not-set-up"],
    ),
    "a host without its scheme": (
        LOCAL,
        '[credential "dev.azure.com"]\n\thelper = store\n',
        ["git-helper-after"],
    ),
    "the path off": (
        LOCAL,
        '[credential "https://dev.azure.com"]\n\tuseHttpPath = off\n',
        ["git-http-path-off"],
    ),
    "the path off for all, by a later line": (
        LOCAL,
        "[credential]\n\tuseHttpPath = false\n",
        ["git-http-path-off"],
    ),
    "a scheme alone": (LOCAL, '[credential "https://"]\n\thelper = store\n', ["git-helper-after"]),
    "the path off for one organisation": (
        GLOBAL,
        '[credential "https://dev.azure.com/contoso"]\n\thelper =\n'
        "\thelper = msauth --profile work\n\tuseHttpPath = 0\n",
        ["git-http-path-off"],
    ),
    "a header for all": (
        LOCAL,
        f"[http]\n\textraHeader = AUTHORIZATION: Basic {SECRET}\n",
        ["git-extra-header"],
    ),
    "a header for an organisation": (
        GLOBAL,
        f'[http "https://dev.azure.com/contoso"]\n\textraHeader = Authorization: Basic {SECRET}\n',
        ["git-extra-header"],
    ),
    "a token in a remote": (
        LOCAL,
        f'[remote "my origin"]\n\turl = https://contoso:{SECRET}@dev.azure.com/contoso/a/_git/b\n',
        ["git-remote-secret"],
    ),
    "a token as a user name, for pushing": (
        LOCAL,
        f'[remote "origin"]\n\turl = {HELLO}\n\tpushurl = https://{PAT}@contoso.visualstudio.com/a\n',
        ["git-remote-secret"],
    ),
    "a token in insteadOf": (
        GLOBAL,
        f'[url "https://x:{SECRET}@dev.azure.com/"]\n\tinsteadOf = https://dev.azure.com/\n',
        ["git-url-secret"],
    ),
    "a proxy with NTLM": (
        GLOBAL,
        f"[http]\n\tproxy = http://me:{SECRET}@proxy:8080\n\tproxyAuthMethod = ntlm\n",
        ["git-proxy-auth"],
    ),
    "a broken configuration of one's own": (GLOBAL, "[credential\n", ["git-config-broken"]),
    "a broken configuration": (LOCAL, "[credential\n", ["git-config-broken"]),
}

HEALTHY = {
    "nothing else": (GLOBAL, ""),
    "store, for another host": (
        GLOBAL,
        '[credential "https://github.com"]\n\thelper = store\n',
    ),
    "a profile for an organisation": (
        GLOBAL,
        '[credential "https://dev.azure.com/fabrikam"]\n\thelper =\n'
        "\thelper = msauth --profile customer\n",
    ),
    "a header of another host": (
        GLOBAL,
        f'[http "https://github.com"]\n\textraHeader = Authorization: Basic {SECRET}\n',
    ),
    "a header that signs nobody in": (GLOBAL, "[http]\n\textraHeader = X-Trace: 1\n"),
    "a header that is taken back": (
        GLOBAL,
        f"[http]\n\textraHeader = Authorization: Basic {SECRET}\n\textraHeader =\n",
    ),
    "a secret of another host": (
        LOCAL,
        f'[remote "o"]\n\turl = https://me:{SECRET}@github.com/me/it\n',
    ),
    "an organisation before the @": (
        LOCAL,
        '[remote "o"]\n\turl = https://contoso@dev.azure.com/contoso/hello/_git/hello\n',
    ),
    "a host that only looks like ours": (
        LOCAL,
        f'[remote "o"]\n\turl = https://me:{SECRET}@dev.azure.com.evil.example/a\n',
    ),
    "a proxy": (GLOBAL, "[http]\n\tproxy = http://proxy:8080\n\tproxyAuthMethod = basic\n"),
}


@pytest.fixture
def git_env(bare_env: Environment, home: Path, tmp_path: Path) -> Environment:
    """git set up for this person, with a repository in tmp_path."""
    del bare_env["GIT_CONFIG_NOSYSTEM"]
    bare_env["GIT_CONFIG_SYSTEM"] = str(tmp_path / "gitconfig")
    subprocess.run(["git", "init", "-q", tmp_path / "repository"], env=bare_env, check=True)
    done = run_program("msauth", "setup", "git", env=bare_env)
    assert (done.returncode, done.stderr) == (0, b"")
    return bare_env


def write(scope: str, lines: str, home: Path, tmp_path: Path) -> Path:
    file = {
        GLOBAL: home / ".gitconfig",
        SYSTEM: tmp_path / "gitconfig",
        LOCAL: tmp_path / "repository" / ".git" / "config",
    }[scope]
    with file.open("a") as stream:
        stream.write(lines)
    return file


def follow(found: list[Finding], env: Environment, cwd: Path) -> None:
    for one in found:
        subprocess.run(["sh", "-c", one.fix], env=env, cwd=cwd, check=True, capture_output=True)


@pytest.mark.parametrize("name", sliced(SEEDED, 2))
def test_it_is_found_and_the_fix_ends_it(
    git_env: Environment, home: Path, tmp_path: Path, name: str
) -> None:
    scope, lines, expected = SEEDED[name]
    file = write(scope, lines, home, tmp_path)
    repository = tmp_path / "repository"
    found = findings(git_env, str(repository))
    assert [one.id for one in found] == expected
    for one in found:
        assert all((one.severity, one.message, one.why))
        assert SECRET not in repr(one)
        assert PAT not in repr(one)
        assert str(file) in one.place + one.fix or one.id == "git-config-broken"
    if not found[0].fix or "EDITOR" in found[0].fix or "--edit" in found[0].fix:
        return  # it takes a person
    follow(found, git_env, repository)
    assert findings(git_env, str(repository)) == []


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_found_where_nothing_is_wrong(
    git_env: Environment, home: Path, tmp_path: Path, name: str
) -> None:
    scope, lines = HEALTHY[name]
    write(scope, lines, home, tmp_path)
    assert findings(git_env, str(tmp_path / "repository")) == []


def test_what_was_there_before_is_reset_and_said(
    bare_env: Environment, home: Path, tmp_path: Path
) -> None:
    (home / ".gitconfig").write_text(
        "[credential]\n\thelper = manager\n\thelper = store --file x\n"
    )
    done = run_program("msauth", "setup", "git", env=bare_env)
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        "msauth: note: git no longer asks Git Credential Manager for Azure DevOps",
        "msauth: note: git no longer asks store (a file in clear) for Azure DevOps",
    ]
    assert findings(bare_env, str(home)) == []


def test_a_helper_before_ours_is_an_error(bare_env: Environment, home: Path) -> None:
    """Set up by hand, without the empty `helper =`."""
    (home / ".gitconfig").write_text(
        "[credential]\n\thelper = store\n\tuseHttpPath = true\n"
        '[credential "https://dev.azure.com"]\n\thelper = msauth\n'
        '[credential "https://*.visualstudio.com"]\n\thelper = msauth\n'
    )
    found = findings(bare_env)
    assert [(one.id, one.severity) for one in found] == [("git-helper-first", "error")]
    follow(found, bare_env, home)
    assert findings(bare_env) == []


def test_the_environment_of_a_pipeline_is_looked_at(git_env: Environment) -> None:
    """`git -c` and GIT_CONFIG_COUNT come last; nobody's file is to be edited for them."""
    git_env |= {
        "GIT_CONFIG_COUNT": "2",
        **{"GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": "store"},
        "GIT_CONFIG_KEY_1": "http.https://dev.azure.com/.extraHeader",
        "GIT_CONFIG_VALUE_1": f"Authorization: Bearer {SECRET}",
    }
    found = findings(git_env)
    assert [one.id for one in found] == ["git-helper-after", "git-extra-header"]
    assert [one.fix for one in found] == ["unset GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS", ""]
    assert all(one.place.startswith("the environment: ") for one in found)
    assert SECRET not in repr(found)


def test_without_git_nothing_is_wrong_with_it(git_env: Environment, tmp_path: Path) -> None:
    assert findings(git_env | {"PATH": str(tmp_path)}) == []


def test_a_git_that_cannot_be_asked_is_set_up_all_the_same(
    bare_env: Environment, home: Path, tmp_path: Path
) -> None:
    """`--show-scope` came with git 2.26."""
    old = tmp_path / "old" / "git"
    old.parent.mkdir()
    old.write_text(
        '#!/bin/sh\n[ "$1" != version ] || { echo git version 2.25.1; exit 0; }\n'
        'case "$*" in *--show-scope*) exit 129; esac\nexec /usr/bin/git "$@"\n'
    )
    old.chmod(0o755)
    bare_env["PATH"] = f"{old.parent}:{bare_env['PATH']}"
    for _ in range(2):
        done = run_program("msauth", "setup", "git", env=bare_env)
        assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"nothing to do\n"
    assert b"git 2.25.1" in run_program("msauth", "setup", env=bare_env).stdout


def test_without_a_set_up_it_says_so(bare_env: Environment, home: Path) -> None:
    (one,) = findings(bare_env)
    assert (one.id, one.severity, one.fix) == ("git-not-set-up", "warning", "msauth setup git")


def test_a_repository_cannot_make_us_look_elsewhere(git_env: Environment, tmp_path: Path) -> None:
    """Neither the current directory nor git's variables count where no repository is named."""
    other = tmp_path / "repository"
    write(LOCAL, "[credential]\n\thelper = store\n", Path(), tmp_path)
    variables = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)}
    here = os.getcwd()
    os.chdir(other)
    try:
        assert findings(git_env | variables) == []
    finally:
        os.chdir(here)


def test_a_repository_of_another_user(git_env: Environment, tmp_path: Path) -> None:
    git_env["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    repository = tmp_path / "repository"
    (one,) = findings(git_env, str(repository))
    assert one.id == "git-unsafe-repository"
    assert one.fix == f"git config --global --add safe.directory {repository}"
    follow([one], git_env, repository)
    assert findings(git_env, str(repository)) == []


@pytest.mark.parametrize("name", ["--delete", "$(touch PASTED)", "a'b;touch PASTED", "\x1b[2J"])
def test_the_remedy_for_a_remote_with_an_odd_name(
    git_env: Environment, tmp_path: Path, name: str
) -> None:
    config = tmp_path / "repository" / ".git" / "config"
    text = f'[remote "{name}"]\n\turl = https://u:{SECRET}@dev.azure.com/contoso/p/_git/p\n'
    config.write_text(config.read_text() + text)
    found = [one for one in findings(git_env, str(tmp_path / "repository")) if "remote" in one.id]
    (one,) = found
    subprocess.run(["sh", "-c", one.fix], cwd=tmp_path, env=git_env, check=True)
    assert SECRET not in config.read_text()
    assert "https://dev.azure.com/contoso/p/_git/p" in config.read_text()
    assert not list(tmp_path.rglob("PASTED"))


@pytest.mark.parametrize(
    "name",
    [
        "x\n\tgit config --global --add safe.directory x; touch PASTED #",
        "x\n\tgit config --global --add safe.directory *",
        "it's $(touch PASTED)",
        "-c core.pager=touch\tPASTED\x1b[2J",
    ],
)
def test_the_remedy_for_a_folder_that_another_user_named(
    git_env: Environment, tmp_path: Path, name: str
) -> None:
    """git prints the name of the folder, also where it looks like git's own remedy."""
    repository = tmp_path / name
    subprocess.run(["git", "init", "-q", str(repository)], env=git_env, check=True)
    git_env["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    (one,) = findings(git_env, str(repository))
    assert one.id == "git-unsafe-repository"
    subprocess.run(["sh", "-c", one.fix], cwd=tmp_path, env=git_env, check=True)
    assert not list(tmp_path.rglob("PASTED"))
    asked = ["git", "config", "--global", "-z", "--get-all", "safe.directory"]
    done = subprocess.run(asked, env=git_env, capture_output=True, check=False)
    assert os.fsdecode(done.stdout) in ("", f"{repository}\0", f"{repository}/.git\0")


def test_a_later_line_wins_and_setup_says_which(
    git_env: Environment, home: Path, tmp_path: Path
) -> None:
    write(GLOBAL, f"[include]\n\tpath = {tmp_path}/more\n", home, tmp_path)
    (tmp_path / "more").write_text("[credential]\n\thelper =\n\thelper = manager\n")
    done = run_program("msauth", "setup", "git", env=git_env, cwd=home)
    assert done.returncode == 1
    first = done.stderr.decode().splitlines()[0]
    assert first == (
        "msauth: error: git does not ask msauth for dev.azure.com "
        f"({tmp_path}/more: credential.helper): it asks Git Credential Manager"
    )
    fix = done.stderr.decode().splitlines()[1].removeprefix("msauth: hint: ")
    subprocess.run(["sh", "-c", fix], env=git_env, cwd=home, check=True, capture_output=True)
    assert findings(git_env, str(home)) == []


PATTERNS = [
    *("", "https://dev.azure.com", "https://dev.azure.com/", "https://*.azure.com", "https://"),
    *("https://dev.azure.com/contoso", "https://dev.azure.com/contoso/", "https://dev.azure.com/c"),
    *("dev.azure.com", "DEV.azure.com", "dev.azure.com/contoso", "azure.com", "https://github.com"),
    *("http://dev.azure.com", "https://dev.azure.com:443", "http://", "/contoso"),
]


@given(
    lines=st.lists(st.tuples(st.sampled_from(PATTERNS), st.sampled_from("abc-")), max_size=6),
    url=st.sampled_from(
        ["https://dev.azure.com/contoso/hello/_git/hello", "https://dev.azure.com/"]
    ),
)
@settings(max_examples=60, deadline=None)
def test_the_helpers_are_those_that_git_calls(lines: list[tuple[str, str]], url: str) -> None:
    """A helper of each line says its name; "-" resets the list."""
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(
            f'[credential "{pattern}"]\n\thelper = {"" if name == "-" else name}\n'
            for pattern, name in lines
        ).replace(' ""]', "]")
        Path(folder, "config").write_text(text)
        for name in "abc":
            helper = Path(folder, f"git-credential-{name}")
            helper.write_text(f"#!/bin/sh\necho {name} >>{folder}/called\n")
            helper.chmod(0o755)
        env = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "HOME": folder,
            "GIT_CONFIG_GLOBAL": f"{folder}/config",
            **{"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"},
        }
        for git in gits():
            called = Path(folder, "called")
            called.write_text("")
            command = [git, "credential", "fill"]
            subprocess.run(
                command,
                check=False,
                input=f"url={url}\n".encode(),
                env=env,
                cwd="/",
                capture_output=True,
            )
            chain = git_settings.helpers(git_settings.listed(env), url, env)
            assert [one.value for one in chain] == called.read_text().split()
