"""A token and a secret are nowhere but where they belong: on stdout and in the cache.

Every program is run with every kind of trace on, under strace, which shows the arguments and the
environment of whatever is started; then the whole home and temporary directory are searched.
"""

import base64
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from msauth.broker import changes
from msauth.cache import record
from msauth.errors import SignInError
from msauth.request.request import Token
from msauth_sandbox import Sandbox

from ..conftest import Environment
from ..test_git_credential import FABRIKAM, HELLO
from . import store, strace
from .conftest import REQUEST, Cache, made_up

GIT, TOKEN, RUN = "git-credential-msauth", "msauth-token", "msauth-run"
QUESTIONS = {
    "get": ([GIT, "get"], HELLO),
    "cached": ([GIT, "get"], HELLO),
    "forced": ([GIT, "--force-refresh", "get"], HELLO),
    "token": ([TOKEN, "devops"], b""),
    "run": ([RUN, "--", "true"], b""),
}


def forms(secret: bytes) -> set[bytes]:
    """A secret and its parts as they might turn up: whole, in base64, a JWT's signature."""
    found = {secret, base64.b64encode(secret).rstrip(b"="), secret.hex().encode()}
    if secret.count(b".") == 2:
        found.add(secret.rpartition(b".")[2])
    return found


def tokens_in(place: Path) -> set[bytes]:
    found = set()
    for path in place.glob("*.tok"):
        decoded = record.decode(path.read_bytes(), None)
        assert decoded is not None
        found.add(decoded[1])
    return found


@pytest.mark.parametrize("question", ["get", *(q for q in QUESTIONS if q not in ("get", "cached"))])
def test_no_token_leaves_its_place(
    env: Environment, cloud: Sandbox, home: Path, tmp_path: Path, question: str
) -> None:
    strace.needed()
    command, stdin = QUESTIONS[question]
    path = shutil.which(command[0], path=env["PATH"])
    if path is None:
        pytest.skip(f"{command[0]} is not installed")
    temporary = home / "tmp"
    temporary.mkdir()
    trace = home / "trace"
    env = env | {
        "TMPDIR": str(temporary),
        "MSAUTH_TRACE": str(trace),
        "AZURE_LOG_LEVEL": "debug",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = tmp_path / "log"
    place = Path(env["MSAUTH_CACHE_DIR"]) / "v1"
    seen: set[bytes] = set()
    execs = b""
    for turn in range(2 if question == "get" else 1):  # cold, then cached
        done = strace.run(
            [path, *command[1:]], "trace=execve", "abbrev=none", env=env, stdin=stdin, log=log
        )
        assert done.returncode == 0, (turn, done.stderr)
        seen |= tokens_in(place)
        execs += log.read_bytes()
        for secret in (*seen, cloud.client_secret.encode()):
            for form in forms(secret):
                assert form not in done.stderr
                if question == "run":
                    assert form not in done.stdout
    assert seen
    assert b"cache" in trace.read_bytes()
    assert b"execve(" in execs
    outside = [p for p in home.rglob("*") if p.is_file() and (p.parent != place)]
    secret = cloud.client_secret.encode()
    for token in seen:
        for form in forms(token):
            for file in outside:
                assert form not in file.read_bytes(), file
            if question != "run":
                assert form not in execs
            else:
                # Asked for: in the command's environment, never in its arguments.
                for line in execs.split(b"\n"):
                    assert form not in line.partition(b"[")[2].partition(b"], [")[0]
    for file in home.rglob("*"):
        if file.is_file():
            for form in forms(secret):
                assert form not in file.read_bytes(), file
    for line in execs.split(b"\n"):
        arguments = line.partition(b"[")[2].partition(b"], [")[0]
        assert all(form not in arguments for form in forms(secret))


def test_an_erase_leaves_no_token_behind(
    env: Environment, cloud: Sandbox, home: Path, cache: Cache
) -> None:
    token = made_up("sentinel").text
    path = shutil.which(GIT, path=env["PATH"])
    assert path is not None
    cache.put(made_up("sentinel"))
    trace = home / "trace"
    for organisation in (HELLO, FABRIKAM):  # that the second agrees makes it everybody's
        assert cache.record.exists()
        done = subprocess.run(
            [path, "erase"],
            input=organisation + f"password={token}\n".encode(),
            env=env | {"MSAUTH_CACHE_DIR": str(cache.base), "MSAUTH_TRACE": str(trace)},
            capture_output=True,
            check=True,
        )
        assert done.stdout + done.stderr == b""
    for file in (*cache.place.iterdir(), trace):
        assert token.encode() not in file.read_bytes()
        assert "sentinel" not in file.name


def test_no_value_shows_its_secret() -> None:
    token = made_up("sentinel")
    claims = REQUEST.with_(claims='{"sentinel":1}')
    for value in (token, [token], {"t": token}, claims, SignInError("m")):
        for text in (repr(value), str(value), f"{value}"):
            assert "sentinel" not in text


def test_a_remembered_failure_holds_no_secret(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "sentinel-secret")
    store.remember(REQUEST.with_(env=os.environ), SignInError("no", "hint"))
    assert list(cache.place.glob("*" + changes.FAILURE))
    for file in cache.place.iterdir():
        assert b"sentinel" not in file.read_bytes()


@pytest.mark.parametrize("text", ["", "two words", "line\nfeed", "nul\0", "ünicode", 'quote"'])
def test_what_is_no_token_is_never_served(cache: Cache, text: str) -> None:
    """RFC 6750: a newline in a token would be a line of git's protocol."""
    data = record.encode(
        REQUEST.cache_key,
        {"epoch": "0.0", "issued": "1", "expires_on": "99999999999"},
        text.encode(),
    )
    with store.opened() as folder:
        folder.write(cache.record.name, data)
    assert cache.get() is None
    token = made_up("x")
    unusual = Token(text, token.expires_on, issued=token.issued)
    store.write(REQUEST, unusual)
    assert cache.get() is None


def test_a_crash_dumps_no_core(env: Environment, cloud: Sandbox, home: Path) -> None:
    """With cores allowed, a fault of ours is still an error message and not a dump."""
    path = shutil.which(GIT, path=env["PATH"])
    assert path is not None
    done = subprocess.run(
        [path, "get"],
        input=HELLO,
        env=env | {"AZURE_CLIENT_SECRET": "wrong"},
        cwd=home,
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1])
        ),
    )
    assert done.returncode == 1
    assert [p for p in home.iterdir() if "core" in p.name] == []
    assert sys.flags.dev_mode is False
