"""Tokens for Azure DevOps: found where they are, taken out by bytes, put back; never shown."""

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from msauth.setup import pat_places
from msauth.setup.pat_finders import FINDERS, find, without
from msauth.setup.pat_finders.shown import masked
from msauth.setup.pat_finders.xml_files import elements

from ..conftest import Done, Environment, run_program
from ..slices import sliced
from .seeds import OTHER_HOST, PATS, Scene, git, new_pat, old_pat

OLD, NEW = old_pat("a"), new_pat("a")
URL = "https://dev.azure.com/contoso/hello/_git/hello"
TOKENS = [token for _, _, token in PATS.values()]
IN_FILES = [name for name, (found, *_) in PATS.items() if found != "pat-variable"]


@pytest.fixture
def scene(bare_env: Environment, home: Path, tmp_path: Path) -> Scene:
    work = tmp_path / "work"
    work.mkdir()
    return Scene(home, work, dict(bare_env))


def pats(scene: Scene, *arguments: str) -> Done:
    return run_program("msauth", "setup", "pats", *arguments, env=scene.env, cwd=scene.work)


def files(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files below a folder, but for those of msauth and of git itself."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "cache" not in path.parts and ".local" not in path.parts
    }


# --- Finders --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("git-config", '[remote "o"]\n\turl = https://contoso@dev.azure.com/contoso/p/_git/p\n'),
        ("git-config", f'[remote "o"]\n\turl = https://me:{OTHER_HOST}@github.com/a/b\n'),
        ("git-config", f'[remote "o"]\n\turl = https://me:{OLD}@dev.azure.com.example.com/a\n'),
        (
            "git-config",
            f'[http "https://github.com/"]\n\textraheader = Authorization: Basic {OLD}\n',
        ),
        ("git-config", "[http]\n\textraheader = X-Trace: basic abc\n"),
        ("git-config", "[http]\n\textraheader = Authorization: Basic bWU6c2VjcmV0\n"),
        ("git-config", f'[credential "https://github.com"]\n\thelper = "!echo {OLD}"\n'),
        ("netrc", f"machine github.com login me password {OLD}\n"),
        ("netrc", "machine dev.azure.com login me\nmachine other password x\n"),
        ("netrc", f"macdef x\nmachine dev.azure.com password {OLD}\n\n"),
        ("netrc", f"# machine dev.azure.com password {OLD}\n"),
        ("netrc", "default login me password secret\n"),
        ("git-credentials", f"https://me:{OTHER_HOST}@github.com\n"),
        ("npmrc", f"//registry.npmjs.org/:_authToken={OTHER_HOST}\n_authToken={OTHER_HOST}\n"),
        ("npmrc", "//pkgs.dev.azure.com/c/:_authToken=${TOKEN}\n"),
        (
            "yarnrc",
            f'npmRegistryServer: "https://registry.yarnpkg.com"\nnpmAuthToken: {OTHER_HOST}\n',
        ),
        ("yarnrc", 'npmRegistries:\n  "//pkgs.dev.azure.com/c":\n    npmAuthToken: "${TOKEN-}"\n'),
        ("ini", f"[pypi]\nusername = __token__\npassword = {OTHER_HOST}\n"),
        ("toml", f'[registry]\ntoken = "{OTHER_HOST}"\n'),
        (
            "maven",
            "<settings><servers><server><id>a</id><password>x</password></server></servers></settings>",
        ),
        ("shell", 'export AZURE_DEVOPS_EXT_PAT="$(pass show pat)"\nexport GITHUB_TOKEN=abc\n'),
    ],
)
def test_what_is_no_secret_of_ours_is_left_alone(form: str, text: str) -> None:
    assert find(form, text) == []


@pytest.mark.parametrize(
    ("form", "text", "after"),
    [
        (
            "git-config",
            f'[remote "o"]\n\turl = https://contoso:{NEW}@dev.azure.com/contoso/p/_git/p\n',
            '[remote "o"]\n\turl = https://contoso@dev.azure.com/contoso/p/_git/p\n',
        ),
        (
            "git-config",
            f'[remote "o"]\r\n\turl = "https://me:{OLD}@contoso.visualstudio.com/p"\r\n',
            '[remote "o"]\r\n\turl = "https://contoso.visualstudio.com/p"\r\n',
        ),
        (
            "git-config",
            f"[http]\n\textraHeader = Authorization: Basic {NEW}\n[a]\n",
            "[http]\n[a]\n",
        ),
        (
            "netrc",
            f"machine a password c machine dev.azure.com login d password {OLD}\nmachine e\n",
            "machine a password c \nmachine e\n",
        ),
        ("netrc", f'machine dev.azure.com password "{OLD}"', ""),
        ("netrc", f"machine dev.azure.com password #{OLD}\nmachine a\n", "machine a\n"),
        ("git-credentials", f"https://a:b@c.d\nhttps://x:{OLD}@dev.azure.com", "https://a:b@c.d\n"),
        ("npmrc", f"_authToken={NEW}\na=b\n", "a=b\n"),
        (
            "npmrc",
            "registry=https://pkgs.dev.azure.com/c/_packaging/f/npm/registry/\n_auth=abc\n",
            "registry=https://pkgs.dev.azure.com/c/_packaging/f/npm/registry/\n",
        ),
        (
            "yarnrc",
            "npmScopes:\n  a:\n    npmRegistryServer: https://pkgs.dev.azure.com/c\n"
            f"    npmAuthIdent: 'x:{OLD}'\n",
            "npmScopes:\n  a:\n    npmRegistryServer: https://pkgs.dev.azure.com/c\n"
            "    npmAuthIdent: 'x:${AZURE_ACCESS_TOKEN:-}'\n",
        ),
        (
            "maven",
            "<settings><mirrors><mirror><id>m</id><url>https://pkgs.dev.azure.com/c</url></mirror>"
            "</mirrors><servers><server><id>m</id><password>&amp;x</password></server></servers>"
            "</settings>",
            "<settings><mirrors><mirror><id>m</id><url>https://pkgs.dev.azure.com/c</url></mirror>"
            "</mirrors><servers><server><id>m</id><password>${env.AZURE_ACCESS_TOKEN}</password>"
            "</server></servers></settings>",
        ),
        (
            "toml",
            f'[a]\nb = "https://{NEW}@pkgs.dev.azure.com/c"\n',
            '[a]\nb = "https://pkgs.dev.azure.com/c"\n',
        ),
    ],
)
def test_what_is_cut_out_is_the_secret_and_nothing_else(form: str, text: str, after: str) -> None:
    assert without(text, find(form, text)) == after


PIECES = st.lists(
    st.sampled_from(
        [
            *("\n", "\r\n", " ", "\t", '"', "'", "#", "=", ":", "@", "<", ">", "\\", "é", "[", "]"),
            *(OLD, NEW, OTHER_HOST, f"https://x:{OLD}@dev.azure.com/c", "https://github.com/"),
            *("machine dev.azure.com ", "login me ", f"password {OLD}", "default ", "macdef x\n"),
            *("[http]\n", "extraheader = Authorization: Basic ", "[registries.a]\n", 'token = "'),
            *("//pkgs.dev.azure.com/c/:", "_authToken=", "_password=", "npmAuthToken: "),
            *("<configuration>", "<packageSourceCredentials>", "<a>", "</a>", "<!DOCTYPE a>"),
            *('<add key="ClearTextPassword" value="', "<server><password>", "</password></server>"),
            "export AZURE_DEVOPS_EXT_PAT=",
        ]
    ),
    max_size=14,
).map("".join)


@pytest.mark.parametrize("form", FINDERS)
@given(text=PIECES)
@settings(max_examples=300, deadline=None)
@example(text=f"https://a:b@https://x:{OLD}@dev.azure.com/c")
def test_a_text_without_its_cuts_has_none_left(form: str, text: str) -> None:
    found = find(form, text)
    after = without(text, found)
    assert not [secret for secret in find(form, after) if secret.cut is not None]
    if not found:
        assert after == text


@pytest.mark.parametrize("form", FINDERS)
@given(text=PIECES)
@settings(max_examples=300, deadline=None)
def test_what_is_shown_has_no_secret(form: str, text: str) -> None:
    shown = masked(form, text)
    for secret in find(form, text):
        token = text[secret.start : secret.end]
        if len(token) > 30 and "\n" not in token:
            assert token not in shown
    assert shown.count("\n") == text.count("\n")


def test_a_long_word_is_masked_whosever_it_is() -> None:
    other = "Z" * 60
    text = f"url = https://x:{OLD}@dev.azure.com/c?sig={other}\n"
    assert masked("git-config", text) == "url = https://x:***@dev.azure.com/c?***\n"


def test_a_plain_url_of_ours_is_shown() -> None:
    line = '\turl = "https://contoso@dev.azure.com/contoso/p/_git/p"\n'
    assert masked("git-config", line) == line
    assert masked("git-config", "\turl = https://x@github.com/a\n") == "\turl =…\n"


def test_an_entity_bomb_is_not_read() -> None:
    lines = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE s [<!ENTITY a0 "aaaaaaaaaa">{lines}]><settings>&a11;</settings>'
    assert elements(bomb) == []
    assert elements('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>') == []
    assert elements("<a><b/></a>") != []


LARGE = 1 << 20
SOME = ("netrc", "npmrc", "maven")
"""The forms whose search is timed by default, each of another kind; `-m long` times the others."""


@pytest.mark.parametrize(
    "form",
    [pytest.param(form, marks=[] if form in SOME else pytest.mark.long) for form in FINDERS],
)
@pytest.mark.parametrize(
    "text",
    [
        "a" + " " * LARGE,
        "[a" + " " * LARGE,
        "https://" + "a" * LARGE,
        "https://" * (LARGE // 8),
        "_authToken=" + ' "' * (LARGE // 2),
        'AZURE_DEVOPS_PAT="' + "; " * (LARGE // 2),
        "A" * LARGE,
        '"' * LARGE,
        "machine " * (LARGE // 8),
        "<a>" * (LARGE // 7) + "</a>" * (LARGE // 7),
        "<servers>" + "<server><id/></server>" * (LARGE // 22) + "</servers>",
        "<a>" + "<repository><id/></repository>" * (LARGE // 31) + "</a>",
        f"https://x:{OLD}@dev.azure.com/\n" * (LARGE // 80),
        f"machine dev.azure.com password {OLD}\n" * (LARGE // 84),
        f"[http]\nextraheader = basic {NEW}\n" * (LARGE // 120),
        ("[" * 4000 + "\n") * (LARGE // 4001),
        "".join(f"//pkgs.dev.azure.com/:_authToken=abcdefgh{n:x}\n" for n in range(LARGE // 47)),
    ],
    ids=range(17),
)
def test_no_text_takes_long(form: str, text: str) -> None:
    """Whoever made a repository may have wished the search for tokens to hang."""
    start = time.process_time()
    without(text, find(form, text))
    masked(form, text)
    assert time.process_time() - start < 8


def test_the_current_folder_is_gone(scene: Scene) -> None:
    gone = scene.work / "gone"
    script = f'mkdir {gone}; cd {gone}; rmdir {gone}; exec msauth "$@"'
    for words in (("doctor",), ("setup", "pats"), ("setup", "git", "--local")):
        done = run_program("sh", "-c", script, "sh", *words, env=scene.env, cwd=scene.work)
        assert done.returncode == 1
        said = b"msauth: error: the current directory is gone\nmsauth: hint: cd\n"
        assert done.stderr == said


def test_a_git_that_does_not_answer_is_asked_once(scene: Scene) -> None:
    """However many repositories there are."""
    programs, log = scene.work / "bin", scene.work / "asked"
    programs.mkdir()
    (programs / "git").write_text(f"#!/bin/sh\necho x >>{log}\nexec sleep 1000\n")
    (programs / "git").chmod(0o755)
    code = (
        "import sys; from msauth.setup import pat_places\n"
        "assert [pat_places.git_settings_of(b'') for _ in range(9)] == [None] * 9"
    )
    env = {**scene.env, "PATH": f"{programs}:{scene.env['PATH']}"}
    done = run_program("python", "-c", code, env=env, cwd=scene.work)
    assert done.returncode == 0, done.stderr
    assert log.read_text() == "x\n"


# --- Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sliced(IN_FILES, 3))
def test_taken_out_and_put_back_byte_for_byte(scene: Scene, name: str) -> None:
    _, seed, token = PATS[name]
    seed(scene)
    before = files(scene.home) | files(scene.work)
    shown = pats(scene, "--dry-run")
    assert files(scene.home) | files(scene.work) == before
    done = pats(scene)
    after = files(scene.home) | files(scene.work)
    assert token.encode() not in shown.stdout + shown.stderr + done.stdout + done.stderr
    if name == "bashrc":
        assert (done.returncode, after) == (1, before)
        assert b"delete it by hand" in done.stderr
        return
    assert (shown.returncode, done.returncode) == (0, 0), done.stderr
    assert b"***" in shown.stdout
    assert not any(token.encode() in data for data in after.values())
    others = [data.count(OTHER_HOST.encode()) for data in before.values()]
    assert [data.count(OTHER_HOST.encode()) for data in after.values()] == others
    assert pats(scene).stdout == b"nothing to do\n"
    kept = [path for path in (scene.home / ".local").rglob("*") if path.is_file()]
    assert kept
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    undone = pats(scene, "--undo")
    assert undone.returncode == 0, undone.stderr
    assert token.encode() not in undone.stdout + undone.stderr
    assert files(scene.home) | files(scene.work) == before
    assert pats(scene, "--undo").stdout == b"nothing to do\n"


def test_no_secret_is_shown_whatever_happens(scene: Scene) -> None:
    """Everything is seeded at once; what is said, and what other programs are told, is searched."""
    for _, seed, _ in PATS.values():
        seed(scene)
    log = scene.home / "argv"
    shim = scene.write(
        "~/bin/git", f'#!/bin/sh\necho "$@" >> {log}\nexec {shutil.which("git")} "$@"\n'
    )
    shim.chmod(0o755)
    scene.env["PATH"] = f"{shim.parent}:{scene.env['PATH']}"
    scene.env["MSAUTH_TRACE"] = "2"
    locked = scene.home / ".netrc.lock"
    said = b""
    for arguments in (
        ["doctor"],
        ["doctor", "--json"],
        ["doctor", "--json", str(scene.home)],
        ["setup", "pats", "--dry-run"],
        ["setup"],
        ["status"],
    ):
        done = run_program("msauth", *arguments, env=scene.env, cwd=scene.work)
        said += done.stdout + done.stderr
    assert b"pat-netrc" in said
    locked.touch()
    refused = pats(scene)
    assert refused.returncode == 1
    assert b".netrc.lock exists" in refused.stderr
    locked.unlink()
    said += refused.stdout + refused.stderr
    for arguments in (
        [],
        ["--undo", "--dry-run"],
        ["--undo"],
        ["--undo", "nothing"],
        ["/dev/null"],
    ):
        done = pats(scene, *arguments)
        said += done.stdout + done.stderr
    said += log.read_bytes()
    for token in (*TOKENS, OTHER_HOST):
        assert token.encode() not in said
    assert b"internal error" not in said


def test_the_hosts_of_others_stay_when_a_name_is_theirs(scene: Scene) -> None:
    """A repository that calls its feed as another's registry is called gets nothing removed."""
    credentials = scene.write(
        "~/.cargo/credentials.toml", f'[registries.r]\ntoken = "{OTHER_HOST}"\n'
    )
    scene.write("~/.cargo/config.toml", '[registries.r]\nindex = "sparse+https://r.example.com/"\n')
    scene.write(
        ".cargo/config.toml", '[registries.r]\nindex = "sparse+https://pkgs.dev.azure.com/c/"\n'
    )
    assert pats(scene).stdout == b"nothing to do\n"
    assert OTHER_HOST in credentials.read_text()


def test_a_hostile_folder_runs_nothing_and_leads_nowhere(scene: Scene, tmp_path: Path) -> None:
    config = scene.repository()
    pwned = tmp_path / "pwned"
    run = f"!touch {pwned}"
    config.write_text(
        config.read_text()
        + f'[core]\n\tfsmonitor = "touch {pwned}"\n\tpager = "touch {pwned}"\n'
        + f"[alias]\n\tconfig = {run}\n\trev-parse = {run}\n\tversion = {run}\n"
        + f'[credential]\n\thelper = "{run}"\n[include]\n\tpath = {tmp_path}/fifo\n'
    )
    os.mkfifo(tmp_path / "fifo")
    os.mkfifo(scene.work / ".npmrc")
    os.mkfifo(scene.home / ".netrc")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".netrc").write_text(f"machine dev.azure.com password {OLD}\n")
    git(outside, "init", "-q", "--bare", "dot-git")
    git(outside / "dot-git", "remote", "add", "origin", f"https://x:{OLD}@dev.azure.com/c")
    (scene.work / "inner").mkdir()
    (scene.work / "inner" / ".git").symlink_to(outside / "dot-git")
    (scene.work / "link").symlink_to(outside)
    (scene.work / ".netrc").symlink_to(outside / ".netrc")
    (scene.work / "loop").symlink_to(scene.work)
    (scene.work / "pip.conf").write_bytes(b"x" * (5 << 20))
    git_program = scene.write("git", f"#!/bin/sh\ntouch {pwned}\n")
    git_program.chmod(0o755)
    scene.env["PATH"] = f".:{scene.env['PATH']}"
    done = run_program("msauth", "doctor", "--json", env=scene.env, cwd=scene.work, timeout=15)
    assert done.returncode == 1, done.stderr
    assert b'"pat-' not in done.stdout
    assert not pwned.exists()


def test_repositories_are_found_nested_bare_and_as_worktrees(scene: Scene, tmp_path: Path) -> None:
    def remote(folder: Path, name: str) -> None:
        git(folder, "remote", "add", "o", f"https://x:{old_pat(name)}@dev.azure.com/c/p/_git/p")

    inner = scene.work / "a" / "b"
    inner.mkdir(parents=True)
    git(inner, "init", "-q", ".")
    remote(inner, "inner")
    bare = scene.work / "bare.git"
    git(scene.work, "init", "-q", "--bare", "bare.git")
    remote(bare, "bare")
    main = tmp_path / "main"
    git(tmp_path, "init", "-q", "main")
    remote(main, "main")
    named = (
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@b",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "x",
    )
    git(main, *named)
    git(main, "worktree", "add", "-q", str(scene.work / "tree"))
    module = main / ".git" / "modules" / "m"
    git(tmp_path, "init", "-q", "--bare", str(module))
    remote(module, "module")
    hidden = scene.work / "node_modules" / "x"
    hidden.mkdir(parents=True)
    git(hidden, "init", "-q", ".")
    remote(hidden, "hidden")
    below = inner / "deep" / "er"
    below.mkdir(parents=True)
    seen = pat_places.places(scene.env, [str(scene.work)], at_home=False)
    configs = {Path(place.file) for place in seen.files if Path(place.file).name == "config"}
    wanted = {p / "config" for p in (inner / ".git", bare, main / ".git", module)}
    assert configs == wanted
    inside = pat_places.places(scene.env, [str(below)], at_home=False)
    assert [place.file for place in inside.files] == [str(inner / ".git" / "config")]


def test_the_walk_ends(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        (scene.work / str(number)).mkdir()
    assert pat_places.places(scene.env, [str(scene.work)], at_home=False).whole
    monkeypatch.setattr(pat_places, "MOST_FOLDERS", 10)
    assert not pat_places.places(scene.env, [str(scene.work)], at_home=False).whole


def test_git_works_without_the_token(env: Environment, home: Path, tmp_path: Path) -> None:
    """What used a token in its remote's URL is answered by msauth afterwards."""
    scene = Scene(home, tmp_path / "work", env)
    scene.work.mkdir()
    config = scene.repository()
    git(scene.work, "remote", "add", "origin", URL.replace("//", f"//contoso:{OLD}@"))
    done = subprocess.run(
        ["bash", "-c", f"msauth setup git && msauth setup pats {config} && git fetch origin"],
        cwd=scene.work,
        env=env,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert OLD not in config.read_text()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("none", None, b"no such file"),
        ("notes.txt", "x", b"no file in which tokens are known to be"),
    ],
)
def test_a_file_that_cannot_be_meant(
    scene: Scene, name: str, text: str | None, said: bytes
) -> None:
    if text is not None:
        scene.write(name, text)
    done = pats(scene, name)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_cut_that_git_would_misread_is_left_to_the_person(scene: Scene) -> None:
    config = scene.repository()
    with config.open("a") as stream:
        stream.write(f"[http]\n\textraheader = Authorization: Basic {NEW}\\\n  more\n")
    before = config.read_bytes()
    done = pats(scene)
    assert done.returncode == 1
    assert b"delete it by hand" in done.stderr
    assert config.read_bytes() == before


def test_what_a_person_must_do_is_said_in_three_lines(scene: Scene) -> None:
    line = f"export AZURE_DEVOPS_EXT_PAT={old_pat('by hand')}\n"
    scene.write("~/.bashrc", 4 * line)
    done = pats(scene)
    assert done.returncode == 1
    error, note, hint = done.stderr.decode().removesuffix("\n").split("\n")
    assert error.endswith(".bashrc:1: it cannot be taken out safely: delete it by hand")
    assert ".bashrc:2: " in note
    assert hint == "msauth: hint: msauth doctor"
