"""msauth doctor: everything that is seeded is found, nothing on a healthy machine, no secret."""

import json
import os
import pty
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from msauth.setup.doctor import cache, environment, network, programs, surroundings
from msauth.setup.doctor.machine import Machine
from msauth.setup.finding import Finding
from msauth.setup.pat_finders import FINDERS
from msauth_sandbox import Sandbox

from ..conftest import SCRIPTS, Done, Environment, run_program
from ..slices import sliced
from . import seeds
from .seeds import OTHERS, PATS, Scene

HELPERS = Path(__file__).parent.parent.parent / "helpers" / "msauth"
Findings = list[dict[str, Any]]


@pytest.fixture
def scene(env: Environment, home: Path, tmp_path: Path) -> Scene:
    """A healthy machine: git set up, a service principal, nothing of anybody's else."""
    work = tmp_path / "work"
    work.mkdir()
    done = run_program("msauth", "setup", "git", env=env, cwd=work)
    assert done.returncode == 0, done.stderr
    return Scene(home, work, dict(env))


def doctor(scene: Scene, *arguments: str) -> Done:
    return run_program("msauth", "doctor", *arguments, env=scene.env, cwd=scene.work)


def found(done: Done) -> Findings:
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def matters(findings: Findings) -> Findings:
    """Leave out the note that every test on a machine with an older git would get."""
    return [finding for finding in findings if finding["id"] != "git-old"]


def of_tokens(findings: Findings) -> Findings:
    return [finding for finding in findings if finding["id"].startswith("pat-")]


def after(scene: Scene, fix: str) -> Done:
    """Run a fix as it was printed, and then look again, in the same shell."""
    script = f"{fix}\nexec msauth doctor --json"
    bash = shutil.which("bash")
    assert bash
    return subprocess.run(
        [bash, "-c", script], cwd=scene.work, env=scene.env, capture_output=True, check=False
    )


SET_UP = (
    *("git_findings", "kubectl", "docker", "pip", "uv", "python_feeds", "pnpm", "cargo", "go"),
)


def test_nothing_is_wrong_on_a_healthy_machine(scene: Scene) -> None:
    done = doctor(scene, "--json")
    assert matters(found(done)) == []
    assert done.returncode == 0
    told = doctor(scene)
    assert told.returncode == 0
    assert b"nothing is wrong" in told.stdout


@pytest.mark.parametrize("name", sliced(PATS, 3))
def test_a_token_is_found_and_its_fix_takes_it_out(scene: Scene, name: str) -> None:
    wanted, seed, token = PATS[name]
    seed(scene)
    done = doctor(scene, "--json")
    findings = of_tokens(found(done))
    assert [finding["id"] for finding in findings] == [wanted]
    assert done.returncode == 1
    assert token.encode() not in done.stdout + done.stderr
    said = (
        r"(a personal access token|a token that ends by itself) (as|in|of) |the variable \w+ holds "
    )
    assert re.match(said, findings[0]["message"])
    fix = findings[0]["fix"]
    if name in seeds.BY_HAND:
        assert fix == ""
        return
    again = after(scene, fix)
    assert of_tokens(_last(again)) == []
    assert token.encode() not in again.stdout + again.stderr


def _last(done: Done) -> Findings:
    """Return the list that doctor printed, behind what the fix has said."""
    text = done.stdout.decode()
    return json.loads(text[text.index("[\n") if "[\n" in text else text.index("[]") :])  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", sliced(OTHERS, 3))
def test_what_is_wrong_is_found_and_its_fix_mends_it(scene: Scene, name: str) -> None:
    wanted, seed, unrun = OTHERS[name]
    seed(scene)
    done = doctor(scene, "--json")
    findings = [finding for finding in found(done) if finding["id"] == wanted]
    assert len(findings) == 1, done.stdout
    assert done.returncode == int(any(f["severity"] != "note" for f in found(done)))
    assert b"sEcReT" not in done.stdout
    fix = findings[0]["fix"]
    if fix and not unrun:
        again = after(scene, fix)
        assert again.returncode in (0, 1), again.stderr
        assert wanted not in [finding["id"] for finding in _last(again)]


def test_what_msauth_run_sets_is_no_finding(scene: Scene) -> None:
    words = ("--for", "azure-devops-cli", "--for", "git", "--", "msauth", "doctor", "--json")
    done = run_program("msauth-run", *words, env=scene.env, cwd=scene.work)
    assert matters(found(done)) == []


def test_at_least_25_things_are_seeded() -> None:
    seeded = {wanted for wanted, *_ in (*PATS.values(), *OTHERS.values())}
    assert len(seeded) >= 25
    assert len(PATS) + len(OTHERS) >= 60


def test_every_finding_has_its_line_in_the_topic() -> None:
    """The table lists exactly what the code can find."""
    code = "".join(
        path.read_text()
        for path in (
            *(HELPERS / "setup" / "doctor").glob("*.py"),
            *(HELPERS / "cli").glob("doctor*.py"),
            *(HELPERS / "setup" / f"{name}.py" for name in SET_UP),
            HELPERS / "setup" / "pats.py",
        )
    )
    ids = set(re.findall(r'(?:Finding|_finding)\(\s*"([a-z-]+)"', code))
    ids |= {f"pat-{form}" for form in FINDERS}
    ids -= set(programs._SAID_BETTER)
    topic = (HELPERS / "topics" / "doctor.md").read_text()
    assert set(re.findall(r"(?m)^\| `([a-z-]+)` \|", topic)) == ids
    assert len(ids) > 30


def test_a_package_manager_matters_once_it_is_set_up(scene: Scene) -> None:
    scene.env["CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS"] = "cargo:token"
    assert matters(found(doctor(scene, "--json"))) == []
    run_program("msauth", "setup", "cargo", env=scene.env)
    (finding,) = matters(found(doctor(scene, "--json")))
    assert finding["id"] == "cargo-variable"
    assert matters(_last(after(scene, finding["fix"]))) == []
    file = scene.home / ".config/pip/pip.conf"
    assert run_program("msauth", "setup", "pip", env=scene.env).returncode in (0, 1)
    file.write_text("no section\n")
    findings = {finding["id"]: finding for finding in found(doctor(scene, "--json"))}
    assert str(file) in findings["feeds-unknown"]["message"]


def test_the_topic_names_every_key_of_a_finding(scene: Scene) -> None:
    scene.env["MSAUTH_TENNANT"] = "x"
    topic = (HELPERS / "topics" / "doctor.md").read_text()
    for finding in found(doctor(scene, "--json")):
        assert list(finding) == ["id", "severity", "message", "why", "place", "fix"]
        assert all(f"`{key}`" in topic for key in finding)


def test_every_variable_of_ours_is_known() -> None:
    named = set()
    for path in HELPERS.rglob("*.py"):
        named |= set(re.findall(r'"(MSAUTH_[A-Z_]+)"', path.read_text()))
    of_tests = {name for name in named if name.startswith(environment._OF_TESTS)}
    assert named - of_tests - {"MSAUTH_"} == environment.VARIABLES


# --- The network ----------------------------------------------------------------------------------


def remote(scene: Scene, organisation: str) -> None:
    config = scene.repository()
    url = f"https://dev.azure.com/{organisation}/hello/_git/hello"
    config.write_text(config.read_text() + f'[remote "origin"]\n\turl = {url}\n')


def test_nothing_is_asked_of_the_network(scene: Scene, cloud: Sandbox) -> None:
    remote(scene, "contoso")
    before = len(cloud.requests)
    assert doctor(scene).returncode == 0
    assert len(cloud.requests) == before
    online = doctor(scene, "--online", "--json")
    assert matters(found(online)) == []
    hosts = {record.host for record in cloud.requests[before:]}
    assert hosts == {"login.microsoftonline.com", "dev.azure.com"}


def test_online_tells_an_organisation_of_personal_accounts(scene: Scene) -> None:
    remote(scene, "personal")
    assert doctor(scene).returncode == 0
    ids = [finding["id"] for finding in matters(found(doctor(scene, "--online", "--json")))]
    assert ids == ["organisation-personal"]


def test_online_tells_a_wrong_tenant_and_the_fix_mends_it(scene: Scene, cloud: Sandbox) -> None:
    remote(scene, "contoso")
    scene.env["MSAUTH_TENANT"] = cloud.tenants["fabrikam"].id
    findings = matters(found(doctor(scene, "--online", "--json")))
    assert [finding["id"] for finding in findings] == ["tenant-differs"]
    again = after(scene, findings[0]["fix"])
    assert "tenant-differs" not in [finding["id"] for finding in _last(again)]


def test_a_tenant_that_git_has_learnt_counts_offline_too(scene: Scene, cloud: Sandbox) -> None:
    remote(scene, "contoso")
    url = "https://dev.azure.com/contoso/hello/_git/hello"
    done = run_program("git", "ls-remote", url, env=scene.env, cwd=scene.work)
    assert done.returncode == 0, done.stderr
    scene.env["MSAUTH_TENANT"] = cloud.tenants["fabrikam"].id
    ids = [finding["id"] for finding in matters(found(doctor(scene, "--json")))]
    assert ids == ["tenant-differs"]


def test_online_tells_who_cannot_be_reached(scene: Scene) -> None:
    remote(scene, "contoso")
    scene.env["HTTPS_PROXY"] = scene.env["https_proxy"] = "http://127.0.0.1:9"
    ids = [finding["id"] for finding in matters(found(doctor(scene, "--online", "--json")))]
    assert ids == ["organisation-unknown", "unreachable"]


def test_the_clock_is_compared_with_the_servers(env: Environment) -> None:
    machine = Machine(env, [], online=True)
    assert list(network.reachable(machine)) == []
    now = time.time()
    for wrong, way in ((now + 1000, "ahead"), (now - 1000, "behind")):
        (finding,) = network.reachable(machine, lambda wrong=wrong: wrong)
        assert finding.id == "clock-skew"
        assert way in finding.message
    assert network.clock_skew("no date", 0.0) == 0


# --- What cannot be made wrong here ---------------------------------------------------------------


def ids_of(findings: Iterable[Finding]) -> list[str]:
    return [finding.id for finding in findings]


@pytest.mark.parametrize(
    ("version", "severity", "losses"),
    [("2.30.2", "warning", 3), ("2.39.5", "note", 2), ("2.45.1", "note", 1), ("2.46.0", "", 0)],
)
def test_what_an_older_git_loses(
    scene: Scene, version: str, severity: str, losses: int, tmp_path: Path
) -> None:
    shim = scene.write("~/bin/git", f"#!/bin/sh\necho git version {version}\n")
    shim.chmod(0o755)
    found = list(programs.git(Machine({"PATH": str(shim.parent)}, [])))
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert sum(finding.why.count(";") + 1 for finding in found) == losses


def test_programs_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "msauth").write_text("")
    program = str(SCRIPTS / "msauth")
    nothing = Machine({"PATH": str(tmp_path)}, [], program=program)
    assert ids_of(programs.git(nothing)) == ["git-missing"]
    assert ids_of(programs.ours(nothing)) == ["program-missing"]
    assert ids_of(programs.ours(Machine({"PATH": str(SCRIPTS)}, [], program=program))) == []


def test_a_network_file_system_is_told_from_the_table_of_mounts(tmp_path: Path) -> None:
    mounts = "dev / ext4 rw 0 0\nhost:/home /home nfs4 rw 0 0\n/dev/x /home/a\\040b xfs rw 0 0\n"
    assert cache.file_system_of("/home/me/.cache", mounts) == "nfs4"
    assert cache.file_system_of("/home/a b/x", mounts) == "xfs"
    assert cache.file_system_of("/homes", mounts) == "ext4"
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "mounts").write_text(mounts)
    env = {"MSAUTH_CACHE_DIR": "/home/me/cache"}
    assert ids_of(cache.file_system(Machine(env, [], root=str(tmp_path)))) == ["cache-network"]


def test_wsl_without_interop(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "version").write_text("Linux version 5.15-microsoft-standard-WSL2")
    machine = Machine({}, [], root=str(tmp_path))
    assert ids_of(surroundings.wsl(machine)) == ["wsl-no-interop"]
    interop = tmp_path / "proc" / "sys" / "fs" / "binfmt_misc" / "WSLInterop"
    interop.mkdir(parents=True)
    assert ids_of(surroundings.wsl(machine)) == []


def test_a_container_has_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/run/.containerenv")
    machine = Machine({"MSAUTH_CREDENTIAL": "browser"}, [])
    (finding,) = surroundings.browser(machine)
    assert finding.message.endswith("a container has no browser")
    assert ids_of(surroundings.browser(Machine({"MSAUTH_CREDENTIAL": "device-code"}, []))) == []
    display = {"MSAUTH_CREDENTIAL": "browser", "DISPLAY": ":0"}
    assert ids_of(surroundings.browser(Machine(display, []))) == []


def test_a_cache_of_another_user(scene: Scene) -> None:
    folder = scene.home / "theirs" / "v1"
    folder.mkdir(parents=True, mode=0o700)
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    os.chown(folder, 12345, 12345)
    machine = Machine({"MSAUTH_CACHE_DIR": str(folder.parent)}, [])
    (finding,) = cache.place(machine)
    assert (finding.id, finding.fix) == ("cache-place", "unset MSAUTH_CACHE_DIR")
    os.chown(folder.parent, 12345, 12345)
    folder.rmdir()
    assert ids_of(cache.place(machine)) == ["cache-place"]


@pytest.mark.parametrize(("home", "wanted"), [("", "HOME is not set"), ("x", "HOME is relative")])
def test_a_home_that_leads_anywhere(home: str, wanted: str) -> None:
    (finding,) = environment.paths(Machine({"HOME": home, "PATH": "/bin"}, []))
    assert (finding.id, finding.message) == ("home-wrong", wanted)


def test_an_open_umask(scene: Scene) -> None:
    done = after(scene, "umask 000")
    (finding,) = matters(_last(done))
    assert (finding["id"], finding["fix"]) == ("umask-open", "umask 022")
    assert matters(_last(after(scene, "umask 000; " + finding["fix"]))) == []


def test_ci_is_only_wrong_where_somebody_sits(scene: Scene) -> None:
    scene.env["CI"] = "true"
    assert matters(found(doctor(scene, "--json"))) == []
    output, code = at_terminal(["msauth", "doctor"], scene)
    assert "somebody sits at the terminal" in output
    assert "$ unset CI" in output
    assert code == 1


def at_terminal(words: list[str], scene: Scene) -> tuple[str, int]:
    """Run a program at a terminal of its own; return what it showed, and its exit code."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - the child becomes the program
        os.chdir(scene.work)
        os.execvpe(words[0], words, scene.env)
    shown = b""
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # Linux: the other side is closed
            break
        if not data:
            break
        shown += data
    os.close(terminal)
    return shown.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_person_reads_three_lines_for_each(scene: Scene) -> None:
    remote(scene, "contoso")
    scene.env["MSAUTH_TENNANT"] = "x"
    done = doctor(scene)
    text = done.stdout.decode()
    assert "dev.azure.com/contoso  environment" in text
    assert (
        "environment:\n"
        "  warning: the variable MSAUTH_TENNANT has no effect (MSAUTH_TENNANT)\n"
        "    did you mean MSAUTH_TENANT?\n"
        "    $ unset MSAUTH_TENNANT\n" in text
    )
    assert text.endswith("1 to mend, 1 to note\n") or text.endswith("1 to mend\n")
    assert done.stderr == b""


def test_a_folder_that_is_none(scene: Scene) -> None:
    done = doctor(scene, "nowhere")
    assert done.returncode == 2
    assert b"nowhere is no folder" in done.stderr
    assert doctor(scene, "--nothing").returncode == 2


def test_a_profile_that_is_matched_is_named_with_its_reason(scene: Scene, cloud: Sandbox) -> None:
    remote(scene, "contoso")
    text = '[match.organisation]\ncontoso = "work"\n[work]\ncredential = "environment"\n'
    scene.write("~/.config/msauth/profiles.toml", text).chmod(0o600)
    assert "profile work (its [match])" in doctor(scene).stdout.decode()
