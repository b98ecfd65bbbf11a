"""msauth-run: a wrapped command cannot be told from a bare one; and what its environment holds."""

import queue
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
import trustme

from msauth.signin.attempt import claims_of
from msauth_sandbox import Sandbox

from .conftest import SCRIPTS, Environment, run_program, start_program
from .hot_path import ALLOWED
from .terminal import Terminal

PROG = "msauth-run"
SET = ("AZURE_ACCESS_TOKEN", "AZURE_ACCESS_TOKEN_EXPIRES_ON")
PYTHON = sys.executable
SHOW_ENVIRONMENT = [
    PYTHON,
    "-c",
    "import os,sys; sys.stdout.buffer.write(b'\\0'.join(k + b'=' + v"
    " for k, v in os.environb.items()))",
]


def wrapped(*options: str, env: Environment, show: list[str] | None = None) -> Environment:
    """Return the environment that a wrapped command sees."""
    done = run_program(PROG, *options, "--", *(show or SHOW_ENVIRONMENT), env=env)
    assert done.returncode == 0, done.stderr
    pairs = done.stdout.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
    return dict(pair.split("=", 1) for pair in pairs)


@pytest.fixture(scope="module")
def primed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cache directory that holds a token for arm."""
    cache = str(tmp_path_factory.mktemp("primed") / "cache")
    env = sandbox.environ | sandbox.service_principal_environ("contoso")
    env |= {"PATH": f"{SCRIPTS}:/usr/bin:/bin", "HOME": "/nonexistent", "MSAUTH_CACHE_DIR": cache}
    assert run_program(PROG, "true", env=env).returncode == 0
    return cache


@pytest.fixture
def ready(env: Environment, primed: str) -> Environment:
    """An environment with a token in the cache, so that every run is the hot path."""
    return env | {"MSAUTH_CACHE_DIR": primed}


def script(folder: Path, name: str, text: str, mode: int = 0o755) -> str:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return str(path)


Outcome = tuple[int, bytes, bytes]


def outcome(argv: list[bytes | str], env: Environment, stdin: bytes, mask: int) -> Outcome:
    done = subprocess.run(
        argv, env=env, input=stdin, capture_output=True, timeout=60, check=False, umask=mask
    )
    return done.returncode, done.stdout, done.stderr


COMMANDS: dict[str, tuple[list[str | bytes], bytes]] = {
    "nothing": (["true"], b""),
    "failure": (["false"], b""),
    "no such signal": (["sh", "-c", "exit 200"], b""),
    **{
        f"killed by {name}": (["sh", "-c", f"kill -{name} $$"], b"")
        for name in ("TERM", "KILL", "HUP", "INT", "QUIT", "PIPE", "USR1", "SEGV", "ABRT")
    },
    "reads stdin": (["cat"], bytes(range(256)) * 1000),
    "reads no stdin": (["true"], b"x" * 300_000),
    "half of stdin": (["head", "-c", "3"], b"abcdef"),
    "both streams": (["sh", "-c", "echo out; echo err >&2; exit 7"], b""),
    "umask": (["sh", "-c", "umask"], b""),
    "signal dispositions": (["grep", "-E", "^Sig(Blk|Ign|Cgt):", "/proc/self/status"], b""),
    "descriptors": ([PYTHON, "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))"], b""),
    "limits": (["sh", "-c", "ulimit -a; nice; pwd"], b""),
    "odd arguments": (
        ["printf", "<%s>", b"\xff\xfe", "", " ", "a b", "$HOME", "*", "'", "\n"],
        b"",
    ),
    "an option after the command": (["printf", "<%s>", "--serve", "-e", "--", "-h"], b""),
    "no such command": (["no-such-command"], b""),
    "no such path": (["./no/such/command"], b""),
    "through a file": (["/etc/passwd/x"], b""),
    "an empty command": ([""], b""),
    "a folder": (["/tmp"], b""),
    "not executable": (["{folder}/data"], b""),
    "not executable, in PATH": (["data"], b""),
    "a folder of its name, in PATH": (["printf", "%s", "x"], b""),
    "no interpreter line": (["plain", "a b", "c"], b""),
    "missing interpreter": (["orphan"], b""),
    "a loop of links": (["{folder}/loop"], b""),
    "a long name": (["x" * 5000], b""),
}


@pytest.mark.parametrize(("command", "stdin"), COMMANDS.values(), ids=COMMANDS)
def test_wrapped_is_as_bare(
    command: list[str | bytes], stdin: bytes, ready: Environment, tmp_path: Path
) -> None:
    """env(1) is the bare run: its exit codes 126 and 127 are the ones to match."""
    script(tmp_path, "data", "not a program", 0o644)
    script(tmp_path, "plain", 'printf "<%s>" "$0" "$@"; exit 9')
    script(tmp_path, "orphan", "#!/no/such/interpreter\n")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "printf").mkdir()
    env = ready | {"PATH": f"{tmp_path}:{ready['PATH']}"}
    argv = [
        word.replace("{folder}", str(tmp_path)) if isinstance(word, str) else word
        for word in command
    ]
    bare = outcome(["env", *argv], env, stdin, 0o027)
    code, out, err = outcome([PROG, "--", *argv], env, stdin, 0o027)
    assert (code, out) == bare[:2]
    if code in (126, 127) and b"env: " in bare[2]:
        assert err.startswith(b"msauth-run: error: cannot run ")
        assert err.count(b"\n") == 1
    else:
        assert err == bare[2]


def test_every_exit_code(ready: Environment) -> None:
    for first in range(0, 256, 16):
        codes = range(first, first + 16)
        running = [start_program(PROG, "sh", "-c", f"exit {code}", env=ready) for code in codes]
        for process, code in zip(running, codes, strict=True):
            process.communicate(timeout=60)
            assert process.returncode == code


def test_the_reader_of_a_pipe_may_leave(ready: Environment) -> None:
    """SIGPIPE ends the command, although Python ignores it."""
    line = f"{PROG} -- yes | head -n 1 >/dev/null; exit ${{PIPESTATUS[0]}}"
    assert run_program("bash", "-c", line, env=ready).returncode == 128 + signal.SIGPIPE


def test_an_ignored_interrupt_stays_ignored(ready: Environment) -> None:
    line = f"trap '' INT; exec {PROG} -- sh -c 'kill -INT $$; echo alive'"
    assert run_program("sh", "-c", line, env=ready).stdout == b"alive\n"


def test_a_descriptor_is_passed_on(ready: Environment) -> None:
    line = f"{PROG} -- sh -c 'echo three >&3' 3>&1"
    assert run_program("sh", "-c", line, env=ready).stdout == b"three\n"


def test_the_process_is_the_commands_own(ready: Environment) -> None:
    process = start_program(PROG, "sh", "-c", "echo $$", env=ready)
    out, _ = process.communicate(timeout=60)
    assert int(out) == process.pid


def test_ctrl_c(ready: Environment) -> None:
    with Terminal([PROG, "--", "sh", "-c", "echo ready; exec sleep 60"], ready) as terminal:
        terminal.read_until(b"ready")
        terminal.press(b"\x03")
        assert terminal.event() == ("signaled", signal.SIGINT)


def test_job_control(ready: Environment) -> None:
    command = ["sh", "-c", "echo ready; read line; exit 5"]
    with Terminal([PROG, "--", *command], ready) as terminal:
        terminal.read_until(b"ready")
        terminal.press(b"\x1a")
        assert terminal.event() == ("stopped", signal.SIGTSTP)
        terminal.press(b"\n")
        assert terminal.event() == ("exited", 5)


def test_no_command_is_the_users_shell(ready: Environment, tmp_path: Path) -> None:
    shell = script(tmp_path, "myshell", '#!/bin/sh\necho "mine $#"')
    assert run_program(PROG, env=ready | {"SHELL": shell}).stdout == b"mine 0\n"
    done = run_program(PROG, env=ready, stdin=b"exit 4\n")
    assert done.returncode == 4


def test_the_environment_is_otherwise_the_same(ready: Environment) -> None:
    seen = wrapped(env=ready | {"ODD": "\udcff\n=x"})
    assert len(seen["AZURE_ACCESS_TOKEN"].split(".")) == 3
    assert 3500 < int(seen["AZURE_ACCESS_TOKEN_EXPIRES_ON"]) - time.time() < 3700
    assert {k: v for k, v in seen.items() if k not in SET} == ready | {"ODD": "\udcff\n=x"}


@pytest.mark.parametrize("locale", [{}, {"LANG": "C"}, {"LANG": "xx_XX.UTF-8"}])
def test_the_c_locale_is_left_alone(locale: Environment, ready: Environment) -> None:
    """Python sets LC_CTYPE then (PEP 538); the command must not inherit that."""
    plain = {k: v for k, v in ready.items() if k != "LANG"} | locale
    seen = wrapped(env=plain, show=["env", "-0"])
    assert "LC_CTYPE" not in seen
    assert wrapped(env=plain | {"LC_CTYPE": "C.UTF-8"}, show=["env", "-0"])["LC_CTYPE"] == "C.UTF-8"


def test_named_variables_share_tokens(env: Environment, cloud: Sandbox) -> None:
    seen = wrapped("-e", "ARM=arm", "-e", "GRAPH_TOKEN=graph", "-e", "A2=arm", "-e",
                   "G=https://graph.microsoft.com", env=env)  # fmt: skip
    assert seen["ARM"] == seen["A2"] == seen["AZURE_ACCESS_TOKEN"]
    assert seen["G"] == seen["GRAPH_TOKEN"] != seen["ARM"]
    assert cloud.count("token") == 2


@pytest.mark.parametrize(
    ("options", "scope"),
    [
        (["--product", "keyvault"], "https://vault.azure.net/.default"),
        (["--scope", "https://vault.azure.net"], "https://vault.azure.net/.default"),
        (["-e", "AZURE_ACCESS_TOKEN=graph"], "https://graph.microsoft.com/.default"),
        (["--for", "psql"], "https://ossrdbms-aad.database.windows.net/.default"),
    ],
)
def test_only_what_was_asked_for(
    options: list[str], scope: str, env: Environment, cloud: Sandbox
) -> None:
    wrapped(*options, env=env)
    assert [r.scope for r in cloud.requests if r.kind == "token"] == [scope]


def test_git_and_run_share_a_token(env: Environment, cloud: Sandbox) -> None:
    tenant = cloud.tenants["contoso"].id
    question = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n\n"
    assert (
        b"password=" in run_program("git-credential-msauth", "get", env=env, stdin=question).stdout
    )
    seen = wrapped("--product", "devops", env=env)
    assert claims_of(seen["AZURE_ACCESS_TOKEN"])["tid"] == tenant
    assert cloud.count("token", scope="499b84ac-1321-427f-aa17-267ca6975798/.default") == 1


def test_clean_removes_what_would_shadow(ready: Environment) -> None:
    more = {"IDENTITY_HEADER": "x", "AZURE_USERNAME": "u", "AZD_AUTH_KEY": "k"}
    seen = wrapped("--clean", env=ready | more)
    assert not {"AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", *more} & seen.keys()
    assert seen["AZURE_TENANT_ID"] == ready["AZURE_TENANT_ID"]
    assert seen["HOME"] == ready["HOME"]


def test_runs_can_be_nested(env: Environment, cloud: Sandbox) -> None:
    seen = wrapped("-e", "OUTER=graph", "--", PROG, "--product", "keyvault", env=env)
    assert seen["OUTER"] != seen["AZURE_ACCESS_TOKEN"]
    assert cloud.count("token") == 3


def test_a_short_token_is_replaced_first(env: Environment, cloud: Sandbox) -> None:
    cloud.configure(expires_in=400)
    wrapped(env=env)
    wrapped(env=env)
    assert cloud.count("token") == 1
    wrapped("--force-refresh", env=env)
    assert cloud.count("token") == 2
    # What was signed in within this very second is as good as it gets (single flight).
    deadline = time.monotonic() + 10
    while cloud.count("token") == 2 and time.monotonic() < deadline:
        wrapped("--min-valid", "500", env=env)
    assert cloud.count("token") == 3


NO_PAIR = ("-e takes NAME=PRODUCT or NAME=SCOPE", "-e GRAPH_TOKEN=graph")
WRONG = {
    "unknown option": (["--prodct", "arm"], "unknown option --prodct", "did you mean --product?"),
    "unknown product": (["--product", "grph"], "unknown product 'grph'", "did you mean graph?"),
    "no value": (["-e"], "option -e needs a value", "msauth-run --help"),
    "no name": (["-e", "=arm", "true"], *NO_PAIR),
    "no product": (["-e", "X=", "true"], *NO_PAIR),
    "a bad name": (["-e", "1X=arm", "true"], *NO_PAIR),
    "a name that is not ASCII": (["-e", "Ä=arm", "true"], *NO_PAIR),
    "both": (
        ["--product", "arm", "--scope", "https://x", "true"],
        "--product and --scope exclude each other",
        "msauth-run --help",
    ),
    "allow without serve": (
        ["--allow", "arm", "true"],
        "--allow belongs to --serve",
        "msauth-run --help",
    ),
    "unknown cloud": (
        ["--environment", "AzureMoon", "true"],
        "unknown cloud 'AzureMoon'",
        "one of: AzurePublicCloud, AzureUSGovernment, AzureChinaCloud",
    ),
}


@pytest.mark.parametrize(("argv", "message", "hint"), WRONG.values(), ids=WRONG)
def test_usage(argv: list[str], message: str, hint: str | None, bare_env: Environment) -> None:
    done = run_program(PROG, *argv, env=bare_env)
    lines = [f"msauth-run: error: {message}"] + ([f"msauth-run: hint: {hint}"] if hint else [])
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().rstrip("\n").split("\n") == lines


def test_a_failed_sign_in_runs_nothing(env: Environment, cloud: Sandbox, tmp_path: Path) -> None:
    cloud.fail_tokens(7000215, times=None)
    done = run_program(PROG, "touch", str(tmp_path / "ran"), env=env)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"msauth-run: error: ")
    assert cloud.client_secret.encode() not in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_typing_error_asks_nobody(env: Environment, cloud: Sandbox) -> None:
    assert run_program(PROG, "no-such-command", env=env).returncode == 127
    assert cloud.count() == 0


def test_the_token_is_in_no_argument(ready: Environment) -> None:
    show = "import sys; sys.stdout.buffer.write(open('/proc/self/cmdline', 'rb').read())"
    done = run_program(PROG, PYTHON, "-c", show, env=ready)
    assert b"eyJ" not in done.stdout


def test_a_background_renewal_leaves_no_child(env: Environment, cloud: Sandbox) -> None:
    cloud.configure(refresh_in=0)
    assert run_program(PROG, "true", env=env).returncode == 0
    child = (
        "import os, errno\n"
        "try: print(os.waitpid(-1, os.WNOHANG))\n"
        "except ChildProcessError: print('childless')\n"
    )
    renewing = {k: v for k, v in env.items() if k != "MSAUTH_BACKGROUND_REFRESH"}
    done = run_program(PROG, PYTHON, "-c", child, env=renewing)
    assert done.stdout == b"childless\n"
    stamps = list(Path(env["MSAUTH_CACHE_DIR"]).glob("v1/*.renewing"))
    assert stamps, "no renewal was started: the test shows nothing"


def test_the_hot_path_imports_next_to_nothing(ready: Environment) -> None:
    probe = (
        "import sys; before = set(sys.modules)\n"
        "from msauth.run import execution, program as run\n"
        "execution.become = lambda *_: print(*sorted(set(sys.modules) - before))\n"
        "run.run(['-e', 'X=arm', '--', 'true'])\n"
    )
    done = run_program(PYTHON, "-c", probe, env=ready)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.decode().split()) <= ALLOWED


@pytest.mark.real_client
def test_npm_takes_the_token_for_the_feed_alone(ready: Environment, tmp_path: Path) -> None:
    """npm's own configuration and registry client, as npm puts them together."""
    script(tmp_path, "package.json", '{"name":"x","version":"1.0.0"}', 0o644)
    code = (
        "const C=require(process.argv[1]+'/node_modules/@npmcli/config');"
        "const d=require(process.argv[1]+'/node_modules/@npmcli/config/lib/definitions');"
        "const c=new C({npmPath:process.argv[1],definitions:d.definitions,flatten:d.flatten,"
        "shorthands:d.shorthands,argv:['node','npm'],cwd:process.cwd()});"
        "c.load().then(()=>{"
        "const a=require(process.argv[1]+'/node_modules/npm-registry-fetch/lib/auth.js');"
        "const t=u=>a(u,c.flat).token?'token':'none';"
        "console.log(t('https://pkgs.dev.azure.com/o/_packaging/f/npm/registry/x'),"
        "t('https://registry.npmjs.org/x'))})"
    )
    root = run_program("npm", "root", "-g", env=ready).stdout.decode().strip() + "/npm"
    done = run_program(PROG, "--for", "npm", "node", "-e", code, root, env=ready, cwd=tmp_path)
    assert done.stdout.split() == [b"token", b"none"], done.stderr


def test_git_needs_no_configuration(env: Environment, cloud: Sandbox, tmp_path: Path) -> None:
    url = "https://dev.azure.com/contoso/hello/_git/hello"
    clone = ["git", "clone", "-q", url, str(tmp_path / "clone")]
    done = run_program(PROG, "--for", "git", *clone, env=env)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clone" / ".git").is_dir()
    seen = wrapped("--for", "git", env=env)
    assert not any(value.count(".") == 2 and value.startswith("eyJ") for value in seen.values())


@contextmanager
def postgres(context: ssl.SSLContext) -> Iterator[tuple[int, "queue.Queue[bytes]"]]:
    """A port where a PostgreSQL server asks for a password in clear; what each client sent.

    b"" is a client that left before. PostgreSQL's message formats, protocol 3.0.
    """
    passwords: queue.Queue[bytes] = queue.Queue()
    listener = socket.create_server(("127.0.0.1", 0))

    def message(stream: BinaryIO) -> bytes:
        length = stream.read(4)
        if not length:
            raise ConnectionError("the client left")
        return stream.read(int.from_bytes(length, "big") - 4)

    def answer(connection: socket.socket) -> bytes:
        connection.settimeout(20)
        assert connection.recv(8)[4:] == bytes.fromhex("04d2162f")  # SSLRequest
        connection.sendall(b"S")
        with context.wrap_socket(connection, server_side=True) as encrypted:
            stream = encrypted.makefile("rb")
            message(stream)
            encrypted.sendall(b"R" + bytes((0, 0, 0, 8, 0, 0, 0, 3)))  # a password in clear
            return message(stream).rstrip(b"\0") if stream.read(1) == b"p" else b""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                passwords.put(answer(connection))
            except OSError:
                passwords.put(b"")

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        yield listener.getsockname()[1], passwords
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.real_client
@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
@pytest.mark.parametrize(
    ("options", "roots", "host", "gets"),
    [
        ({}, "system", "localhost", True),
        ({}, "system", "127.0.0.1", False),  # not the name in its certificate
        ({}, "", "localhost", False),
        ({"PGSSLMODE": "require"}, "", "localhost", False),
        ({}, "own", "localhost", True),
        ({"PGSSLMODE": "verify-ca"}, "own", "127.0.0.1", True),
    ],
    ids=["known", "another name", "unknown", "unknown, require", "own roots", "own, verify-ca"],
)
def test_psql_gives_the_token_to_its_server_only(
    options: Environment, roots: str, host: str, gets: bool, env: Environment, tmp_path: Path
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    more = dict(options)
    if roots == "own":
        authority.cert_pem.write_to_path(str(tmp_path / "own.pem"))
        more["PGSSLROOTCERT"] = str(tmp_path / "own.pem")
    elif roots == "system":
        both = Path(env["SSL_CERT_FILE"]).read_bytes() + authority.cert_pem.bytes()
        (tmp_path / "both.pem").write_bytes(both)
        more["SSL_CERT_FILE"] = str(tmp_path / "both.pem")
    with postgres(context) as (port, passwords):
        where = f"host={host} port={port} user=alex dbname=app gssencmode=disable"
        run_program(PROG, "--for", "psql", "psql", where, "-c", "select 1", env=env | more)
        assert passwords.get(timeout=20).startswith(b"eyJ") == gets
