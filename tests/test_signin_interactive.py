"""Browser and device code: one prompt, silent afterwards, never stdout, never for ever."""

import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from msauth.signin.attempt import claims_of
from msauth_sandbox import Sandbox

from .conftest import Done, Environment, run_program, start_program
from .signin_stubs import HELLO, WIDGETS, attributes, stub
from .terminal import Terminal

PROG = "git-credential-msauth"
PAGE = b"    https://microsoft.com/devicelogin\n"


@pytest.fixture
def person_env(bare_env: Environment, cloud: Sandbox) -> Environment:
    """An empty home in which git may ask; no browser and no terminal."""
    env = bare_env | cloud.environ
    del env["GIT_TERMINAL_PROMPT"]
    return env


@pytest.fixture
def ask(person_env: Environment) -> Callable[..., Done]:
    def ask(kind: str, *options: str, stdin: bytes = HELLO, **more: str) -> Done:
        env = person_env | more
        return run_program(PROG, "--credential", kind, *options, "get", env=env, stdin=stdin)

    return ask


def forget_answers(env: Environment) -> None:
    """Empty the token cache, as a reboot or the tokens' expiry would."""
    for pattern in ("v1/*.tok", "v1/*.fail"):
        for path in Path(env["MSAUTH_CACHE_DIR"]).glob(pattern):
            path.unlink()


def password(done: Done) -> str:
    assert "password" in attributes(done.stdout), done.stderr
    return attributes(done.stdout)["password"]


def wait_for_code(cloud: Sandbox, before: int = 0) -> str:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        codes = cloud.pending_device_codes()
        if len(codes) > before:
            return codes[-1]
        time.sleep(0.02)
    raise AssertionError("nobody was asked")


def start(env: Environment, *options: str, stdin: bytes = HELLO) -> "subprocess.Popen[bytes]":
    process = start_program(PROG, "--credential", "device-code", *options, "get", env=env)
    assert process.stdin is not None
    process.stdin.write(stdin)
    process.stdin.close()
    process.stdin = None
    return process


def test_a_person_is_asked_once_the_server_wants_to_know_them(
    ask: Callable[..., Done], cloud: Sandbox
) -> None:
    """A project that anybody may read asks nobody, with `http.proactiveAuth` neither."""
    capable = b"capability[]=authtype\ncapability[]=state\n"
    first = ask("device-code", stdin=capable + HELLO)
    assert b"credential=\n" in first.stdout
    assert cloud.count("devicecode") == 0
    state = next(line for line in first.stdout.splitlines() if line.startswith(b"state[]="))
    second = ask("device-code", stdin=capable + state + b"\nwwwauth[]=Bearer\n" + HELLO)
    assert b"credential=ey" in second.stdout, second.stderr
    assert cloud.count("devicecode") == 1


def test_a_device_code_is_asked_once_and_later_processes_are_silent(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    first = ask("device-code")
    assert PAGE in first.stderr
    code = first.stderr.partition(PAGE)[2].split(b"\n")[0]
    assert code.startswith(b"    ")
    assert len(code.strip()) == 9
    assert set(attributes(first.stdout)) == {"username", "password", "password_expiry_utc"}
    forget_answers(person_env)
    second = ask("device-code")
    assert password(second)
    assert second.stderr == b""
    third = ask("browser", stdin=WIDGETS)  # another tenant, and the other kind: one sign-in
    assert password(third)
    assert third.stderr == b""
    assert cloud.count("devicecode") == 1
    assert b"no keyring here" in first.stderr
    kept = [*(home / ".IdentityService").iterdir(), *(home / ".local/state/msauth").iterdir()]
    assert any(path.name.endswith(".cae") for path in kept)
    for path in kept:
        assert path.stat().st_mode & 0o077 == 0, path
        assert path.parent.stat().st_mode & 0o077 == 0, path


def test_the_browser(ask: Callable[..., Done], person_env: Environment, cloud: Sandbox) -> None:
    intune = ("--client-id", cloud.intune_client_id)
    browser = cloud.browser_environ()
    scope = ("--scope", "https://graph.microsoft.com/DeviceManagementManagedDevices.Read.All")
    first = ask("browser", **browser)
    assert password(first)
    assert PAGE not in first.stderr
    assert cloud.count("token", grant="authorization_code") == 1
    assert cloud.count("devicecode") == 0
    forget_answers(person_env)
    assert ask("browser", **browser).stderr == b""
    assert cloud.count("token", grant="authorization_code") == 1
    env = person_env | browser | {"MSAUTH_CREDENTIAL": "browser"}
    other = run_program("msauth", "login", *intune, *scope, "--tenant", "contoso.com", env=env)
    assert other.stdout.startswith(b"signed in as alex@contoso.com\n"), other.stderr


def test_a_browser_never_gets_our_streams(
    ask: Callable[..., Done], cloud: Sandbox, home: Path
) -> None:
    seen = home / "seen"
    nosy = home / "nosy"
    (inner,) = cloud.browser_environ().values()
    nosy.write_text(
        f"#!/bin/sh\nreadlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 > {seen}\n"
        f'echo password=stolen\nexec {inner.split()[0]} "$@"\n'
    )
    nosy.chmod(0o755)
    done = ask("browser", BROWSER=f"{nosy} %s &")
    assert b"stolen" not in done.stdout
    assert password(done)
    assert [line for line in seen.read_text().split() if line != "/dev/null"] == [str(seen)]


def test_what_names_the_person_and_the_application_is_in_the_browser_s_url(
    person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    (inner,) = cloud.browser_environ().values()
    told = home / "told"
    told.write_text(f'#!/bin/sh\nprintf %s "$1" > {home}/url\nexec {inner.split()[0]} "$1"\n')
    told.chmod(0o755)
    tenant = cloud.tenants["contoso"].id
    options = ("--username", "sam@contoso.com", "--client-id", cloud.intune_client_id)
    options += ("--credential", "browser", "--tenant", tenant)
    scope = ("--scope", "https://graph.microsoft.com/DeviceManagementManagedDevices.Read.All")
    cloud.configure(user="sam@contoso.com")
    env = person_env | {"BROWSER": f"{told} %s &"}
    done = run_program("msauth", "login", *options, *scope, env=env)
    assert done.stdout.startswith(b"signed in as sam@contoso.com\n"), done.stderr
    url = urlsplit((home / "url").read_text())
    query = parse_qs(url.query)
    assert query["login_hint"] == ["sam@contoso.com"]
    assert query["client_id"] == [cloud.intune_client_id]
    assert url.path.split("/")[1] == tenant


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, b"no display"),
        ({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, b"SSH session"),
        ({"WSL_DISTRO_NAME": "Debian"}, b"WSL has no browser"),
        ({"CODESPACES": "true"}, b"codespace"),
        ({"BROWSER": "/nonexistent/browser %s"}, b"could not be opened"),
        ({"BROWSER": "false %s &"}, b"could not be opened"),
    ],
)
def test_without_a_browser_a_device_code_with_the_reason(
    ask: Callable[..., Done], more: Environment, reason: bytes
) -> None:
    done = ask("browser", **more)
    if reason == b"no display" and os.path.exists("/.dockerenv"):
        reason = b"container"
    assert reason in done.stderr
    assert PAGE in done.stderr
    assert password(done)


def test_wsl_opens_the_browser_of_windows(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox
) -> None:
    browser = cloud.browser_environ()["BROWSER"].partition(" ")[0]
    stub(person_env, "wslview", f'{browser} "$1"')
    assert password(ask("browser", WSL_DISTRO_NAME="Debian", PATH=person_env["PATH"]))
    assert cloud.count("token", grant="authorization_code") == 1
    assert cloud.count("devicecode") == 0


def test_a_desktop_without_a_browser_is_not_believed(
    ask: Callable[..., Done], person_env: Environment
) -> None:
    """xdg-open is started in the background, and fails a moment later (3: no handler)."""
    log = stub(person_env, "xdg-open", "exit 3")
    folder = str(log.parent)
    for name in ("python", PROG):  # and no other browser of this machine
        program = shutil.which(name, path=person_env["PATH"])
        assert program is not None
        (log.parent / name).symlink_to(program)
    done = ask("browser", DISPLAY=":99", PATH=folder + ":/nonexistent")
    assert log.exists()
    assert b"the browser could not be opened" in done.stderr
    assert password(done)


@pytest.mark.parametrize("path", ["", "."])
def test_no_browser_of_the_current_directory(
    ask: Callable[..., Done], person_env: Environment, home: Path, path: str
) -> None:
    trap = home / "repository"
    trap.mkdir()
    for name in ("xdg-open", "open-it"):
        (trap / name).write_text(f"#!/bin/sh\n: > {home}/trapped\n")
        (trap / name).chmod(0o755)
    program = shutil.which(PROG, path=person_env["PATH"])
    assert program is not None
    env = person_env | {"PATH": f"{path}:{Path(program).parent}", "DISPLAY": ":99"}
    (home / "show").write_text(f'#!/bin/sh\nprintf %s "$PATH" > {home}/path\nexit 1\n')
    (home / "show").chmod(0o755)
    for name in ("", "open-it", "./open-it", str(home / "show")):
        browser = {"BROWSER": f"{name} %s"} if name else {}
        command = (PROG, "--credential", "browser", "get")
        done = run_program(*command, env=env | browser, stdin=HELLO, cwd=trap)
        assert password(done)
        forget_answers(env)
        signed_out(person_env)
    assert not (home / "trapped").exists()
    assert (home / "path").read_text() == str(Path(program).parent)


@pytest.mark.parametrize("interactive", [True, False])
def test_an_app_of_ones_own_for_a_kubernetes_client(
    interactive: bool, person_env: Environment, cloud: Sandbox
) -> None:
    """`spec.interactive` decides whether the browser may open; afterwards it is silent."""
    spec = {"interactive": interactive}
    info = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "spec": spec}
    env = person_env | cloud.browser_environ() | {"KUBERNETES_EXEC_INFO": json.dumps(info)}
    scope = "https://graph.microsoft.com/DeviceManagementManagedDevices.Read.All"
    options = (
        *("--credential", "browser", "--client-id", cloud.intune_client_id),
        *("--tenant", "contoso.com", "--scope", scope),
    )
    done = run_program("msauth-token", *options, env=env)
    if not interactive:
        assert done.returncode == 1
        assert done.stdout == b""
        login = f"hint: msauth login {' '.join(options[:2] + options[4:6] + options[2:4])}"
        assert login.encode() in done.stderr
        assert cloud.count("authorize") == 0
        return
    assert json.loads(done.stdout)["status"]["token"], done.stderr
    forget_answers(env)
    spec["interactive"] = False
    env["KUBERNETES_EXEC_INFO"] = json.dumps(info)
    done = run_program("msauth-token", *options, env=env)
    assert json.loads(done.stdout)["status"]["token"], done.stderr
    assert cloud.count("authorize") == 1


@pytest.mark.parametrize("variable", ["CI", "GIT_TERMINAL_PROMPT"])
def test_nobody_is_asked_where_that_is_forbidden(
    ask: Callable[..., Done], cloud: Sandbox, variable: str
) -> None:
    done = ask("device-code", **{variable: "0" if variable.startswith("GIT") else "true"})
    assert done.stdout == b"quit=1\n"
    assert done.stderr.count(b"error:") == 1
    tenant = cloud.tenants["contoso"].id.encode()
    hint = b"hint: msauth login --credential device-code --tenant " + tenant
    assert hint in done.stderr
    assert cloud.count("devicecode") == 0
    assert password(ask("device-code"))  # and that failure does not keep a person from signing in


def test_no_persist_keeps_nothing(person_env: Environment, cloud: Sandbox, home: Path) -> None:
    program = (
        "import os\n"
        "from msauth.request.request import TokenRequest; from msauth.signin import acquire\n"
        "request = TokenRequest(('https://management.azure.com/.default',), dict(os.environ), "
        "credential='device-code', interactive=True, persist=False)\n"
        "assert not request.persist\n"
        "assert acquire(request, claims=None).text\n"
    )
    done = run_program("python", "-c", program, env=person_env)
    assert done.returncode == 0, done.stderr
    assert not (home / ".IdentityService").exists()
    assert not list((home / ".local/state/msauth").glob("*.account"))


def test_a_login_as_somebody_else_that_is_not_kept_ends_the_earlier_one(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    assert password(ask("device-code"))
    cloud.configure(user="sam@contoso.com", device_code="auto")
    login = ("login", "--credential", "device-code", "--no-persist", "devops")
    done = run_program("msauth", *login, env=person_env)
    assert b"sam@contoso.com" in done.stdout, done.stderr
    assert not list((home / ".local/state/msauth").glob("*.account"))


@pytest.mark.parametrize("place", [".IdentityService", ".local/state/msauth"])
def test_a_sign_in_that_cannot_be_kept_still_answers(
    ask: Callable[..., Done], home: Path, place: str
) -> None:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("in the way")
    done = ask("device-code")
    assert password(done)
    assert b"warning: the sign-in cannot be kept" in done.stderr


def test_a_revoked_refresh_token_asks_again(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox
) -> None:
    first = password(ask("device-code"))
    cloud.revoke_refresh_tokens(error_code=700082)
    second = password(ask("device-code", "--force-refresh"))
    assert second != first
    assert cloud.count("devicecode") == 2
    cloud.revoke_refresh_tokens()
    done = ask("device-code", "--force-refresh", GIT_TERMINAL_PROMPT="0")
    assert b"AADSTS50173" in done.stderr
    assert b"hint: msauth login --credential device-code" in done.stderr


def test_force_refresh_and_a_rejection_are_silent(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox
) -> None:
    first = password(ask("device-code"))
    second = password(ask("device-code", "--force-refresh"))
    erase = HELLO[:-1] + b"password=" + second.encode() + b"\n\n"
    run_program(PROG, "erase", env=person_env, stdin=erase)
    third = password(ask("device-code"))
    assert len({first, second, third}) == 3
    assert cloud.count("devicecode") == 1


@pytest.mark.parametrize("code", [90033, 500011])
def test_what_a_person_cannot_mend_is_not_asked(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox, code: int
) -> None:
    password(ask("device-code"))
    cloud.fail_tokens(code, times=None, grant="refresh_token")
    done = ask("device-code", "--force-refresh")
    assert done.stdout == b"quit=1\n"
    assert done.stderr.count(b"error:") == 1
    assert cloud.count("devicecode") == 1
    cloud.reset()
    forget_answers(person_env)
    assert password(ask("device-code"))  # and the kept sign-in is still there
    assert cloud.count("devicecode") == 0


def test_the_claims_of_a_refusal_reach_the_prompt(ask: Callable[..., Done], cloud: Sandbox) -> None:
    password(ask("device-code"))
    claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
    cloud.fail_tokens(50076, times=1, grant="refresh_token", claims=claims)
    done = ask("device-code", "--force-refresh")
    assert password(done)
    assert b"acrs" not in done.stderr
    assert cloud.count("token", grant="device_code", claims=True) == 1


@pytest.mark.parametrize("damage", [b"", b"{", b"\x80\x00", None])
def test_a_broken_store_is_signed_in_again(
    ask: Callable[..., Done],
    person_env: Environment,
    cloud: Sandbox,
    home: Path,
    damage: bytes | None,
) -> None:
    password(ask("device-code"))
    (kept,) = (home / ".IdentityService").glob("*.cae")
    if damage is None:
        kept.unlink()
    else:
        kept.write_bytes(damage)
    forget_answers(person_env)
    assert password(ask("device-code"))
    assert cloud.count("devicecode") == 2


def test_a_broken_account_file_is_signed_in_again(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    password(ask("device-code"))
    for path in (home / ".local/state/msauth").glob("*.account"):
        path.write_text('{"record": "{}"}')
    forget_answers(person_env)
    assert password(ask("device-code"))
    assert cloud.count("devicecode") == 2


def test_fifty_processes_ask_once(person_env: Environment, cloud: Sandbox) -> None:
    cloud.device_code("manual", interval=1)
    processes = [start(person_env) for _ in range(50)]
    cloud.approve(wait_for_code(cloud))
    answers = [process.communicate(timeout=60) for process in processes]
    assert len({attributes(output).get("password") for output, _ in answers}) == 1
    assert None not in {attributes(output).get("password") for output, _ in answers}
    assert cloud.count("devicecode") == 1
    assert sum(PAGE in errors for _, errors in answers) == 1


def test_a_killed_prompt_is_taken_over_by_exactly_one(
    person_env: Environment, cloud: Sandbox
) -> None:
    cloud.device_code("manual", interval=1)
    processes = [start(person_env) for _ in range(6)]
    wait_for_code(cloud)
    (asking,) = [process for process in processes if _asks(process)]
    asking.send_signal(signal.SIGKILL)
    asking.communicate()
    cloud.approve(wait_for_code(cloud, before=1))
    for process in processes:
        if process is not asking:
            output, errors = process.communicate(timeout=60)
            assert "password" in attributes(output), errors
    assert cloud.count("devicecode") == 2


def test_two_questions_at_once_are_one_sign_in(person_env: Environment, cloud: Sandbox) -> None:
    cloud.device_code("manual", interval=1)
    processes = [start(person_env), start(person_env, stdin=WIDGETS)]
    cloud.approve(wait_for_code(cloud))
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert "password" in attributes(output), errors
    assert cloud.count("devicecode") == 1


def test_two_sign_ins_are_asked_for_one_after_the_other(
    person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    (home / "profiles.toml").write_text("[work]\n")
    person_env["MSAUTH_CONFIG"] = str(home / "profiles.toml")
    cloud.device_code("manual", interval=1)
    first = start(person_env)
    code = wait_for_code(cloud)
    second = start(person_env, "--profile", "work")
    assert second.stderr is not None
    ready, _, _ = select.select([second.stderr], [], [], 20)
    assert ready
    assert b"waiting for another process" in os.read(second.stderr.fileno(), 4096)
    assert cloud.pending_device_codes() == [code]
    cloud.approve(code)
    cloud.approve(wait_for_code(cloud))
    for process in (first, second):
        output, errors = process.communicate(timeout=60)
        assert "password" in attributes(output), errors
    assert cloud.count("devicecode") == 2


def _asks(process: "subprocess.Popen[bytes]") -> bool:
    assert process.stderr is not None
    ready, _, _ = select.select([process.stderr], [], [], 0.2)
    return bool(ready)


def test_waiting_is_said_after_two_seconds(person_env: Environment, cloud: Sandbox) -> None:
    cloud.device_code("manual", interval=1)
    first = start(person_env)
    code = wait_for_code(cloud)
    second = start(person_env)
    assert second.stderr is not None
    ready, _, _ = select.select([second.stderr], [], [], 20)
    assert ready
    assert b"waiting for another process" in os.read(second.stderr.fileno(), 4096)
    cloud.approve(code)
    for process in (first, second):
        output, _ = process.communicate(timeout=30)
        assert "password" in attributes(output)


def test_a_person_who_does_not_answer_is_asked_three_times(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox
) -> None:
    cloud.device_code("manual", interval=1)
    cloud.configure(device_code_expires_in=1)
    for _ in range(5):
        done = ask("device-code")
        assert done.stdout == b"quit=1\n"
        assert done.stderr.count(b"error:") == 1
        forget_answers(person_env)
    assert b"3 sign-in prompts were not answered" in done.stderr
    assert b"hint: msauth login" in done.stderr
    assert cloud.count("devicecode") == 3


def test_a_declined_sign_in_is_one_error(ask: Callable[..., Done], cloud: Sandbox) -> None:
    cloud.device_code("deny")
    done = ask("device-code")
    assert done.stdout == b"quit=1\n"
    assert done.stderr.count(b"error:") == 1
    assert cloud.count("devicecode") == 1


def test_forgetting_a_profile_leaves_the_others(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    config = home / "profiles.toml"
    config.write_text('[work]\ncredential = "device-code"\n')
    env = {"MSAUTH_CONFIG": str(config)}
    password(ask("device-code"))
    password(ask("device-code", "--profile", "work", **env))
    done = run_program("msauth", "logout", "--profile", "work", env=person_env | env)
    assert done.returncode == 0, done.stderr
    left = list((home / ".local/state/msauth").glob("*.account"))
    assert {json.loads(path.read_text())["profile"] for path in left} == {""}
    assert len(list((home / ".IdentityService").glob("*.cae"))) == 1
    forget_answers(person_env)
    password(ask("device-code"))
    assert cloud.count("devicecode") == 2
    password(ask("device-code", "--profile", "work", **env))
    assert cloud.count("devicecode") == 3


@pytest.mark.parametrize("redirect", ["", "2>/dev/null"])
def test_auto_asks_at_a_terminal_even_when_stderr_is_redirected(
    person_env: Environment, cloud: Sandbox, home: Path, redirect: str
) -> None:
    (home / "question").write_bytes(HELLO)
    command = f"{PROG} get < {home}/question > {home}/answer {redirect}"
    with Terminal(["sh", "-c", command], person_env) as terminal:
        if not redirect:
            terminal.read_until(b": signing in with a device code")  # and why
        terminal.read_until(b"https://microsoft.com/devicelogin")
        assert terminal.event() == ("exited", 0)
    assert "password" in attributes((home / "answer").read_bytes())


def test_login_asks_anew(person_env: Environment, cloud: Sandbox) -> None:
    command = ["msauth", "login", "--credential", "device-code", "arm"]
    for count in (1, 2):
        with Terminal(command, person_env) as terminal:
            terminal.read_until(b"signed in as alex@contoso.com")
            assert terminal.event() == ("exited", 0)
        assert cloud.count("devicecode") == count


def accounts(home: Path) -> set[str]:
    records = []
    for path in (home / ".local/state/msauth").glob("*.account"):
        records.append(json.loads(json.loads(path.read_text())["record"]))
    return {record["username"] for record in records}


@pytest.mark.parametrize("person", ["alex@contoso.com", "sam@contoso.com"])
def test_a_login_as_somebody_else_leaves_nothing_of_the_earlier_person(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox, home: Path, person: str
) -> None:
    first = password(ask("device-code"))  # of contoso, by its GUID
    other = password(ask("device-code", stdin=WIDGETS))
    assert accounts(home) == {"alex@contoso.com"}
    cloud.configure(user=person)
    login = ("login", "--credential", "device-code", "arm")
    done = run_program("msauth", *login, env=person_env)
    assert person.encode() in done.stdout, done.stderr
    assert accounts(home) == {person}
    same = person.startswith("alex")
    assert (password(ask("device-code")) == first) is same
    # sam is no guest of fabrikam, and is not answered as alex there.
    answer = attributes(ask("device-code", stdin=WIDGETS).stdout)
    assert answer.get("password") == (other if same else None)
    forget_answers(person_env)
    assert claims_of(password(ask("device-code")))["upn"] == person
    assert accounts(home) == {person}


def test_a_prompt_answered_as_somebody_else_leaves_nothing_of_the_earlier_person(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox
) -> None:
    arm = ("--credential", "device-code", "arm")
    assert b"alex@contoso.com" in run_program("msauth", "login", *arm, env=person_env).stdout
    cloud.revoke_refresh_tokens()
    cloud.configure(user="sam@contoso.com")
    assert claims_of(password(ask("device-code")))["upn"] == "sam@contoso.com"
    done = run_program("msauth-token", *arm, "--format", "token", env=person_env)
    assert claims_of(done.stdout.decode().strip())["upn"] == "sam@contoso.com", done.stderr


def test_logout_wins_over_a_silent_sign_in_in_flight(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    password(ask("device-code"))
    cloud.on_token(lambda _: signed_out(person_env))
    password(ask("device-code", "--force-refresh"))
    cloud.on_token(None)
    assert list((home / ".IdentityService").glob("msauth-*")) == []
    assert ask("device-code", GIT_TERMINAL_PROMPT="0").stdout == b"quit=1\n"


def test_logout_wins_over_a_prompt_in_flight(
    ask: Callable[..., Done], person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    cloud.device_code("manual")
    asking = start(person_env)
    code = wait_for_code(cloud)
    signed_out(person_env, "--all")
    cloud.approve(code)
    output, errors = asking.communicate(timeout=30)
    assert "password" in attributes(output), errors
    assert list((home / ".IdentityService").glob("msauth-*")) == []
    assert list((home / ".local/state/msauth").glob("*.account")) == []
    assert ask("device-code", GIT_TERMINAL_PROMPT="0").stdout == b"quit=1\n"


def test_logout_of_all_removes_what_a_killed_process_left(
    ask: Callable[..., Done], person_env: Environment, home: Path
) -> None:
    password(ask("device-code"))
    for path in (home / ".local/state/msauth").glob("*.account"):
        path.unlink()
    signed_out(person_env, "--all")
    assert list((home / ".IdentityService").glob("msauth-*")) == []


def signed_out(env: Environment, *options: str) -> None:
    done = run_program("msauth", "logout", *options, env=env)
    assert done.returncode == 0, done.stderr
