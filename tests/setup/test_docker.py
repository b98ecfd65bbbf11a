"""`msauth setup docker`: credHelpers for registries of Azure, and no other byte changed."""

import json
import os
import stat
from pathlib import Path

import pytest

from msauth.setup import docker

from ..conftest import SCRIPTS, Done, Environment, run_program

CONTOSO, FABRIKAM = "contoso.azurecr.io", "fabrikam.azurecr.io"
SECRET = "c2VudGluZWw6c2VudGluZWw="
# As docker writes it: tabs, and no line end after the last line.
DOCKERS = f"""{{
\t"auths": {{
\t\t"{CONTOSO}": {{
\t\t\t"auth": "{SECRET}",
\t\t\t"identitytoken": "{SECRET}"
\t\t}},
\t\t"ghcr.io": {{
\t\t\t"auth": "b3RoZXI6cHc="
\t\t}}
\t}},
\t"HttpHeaders": {{ "X-Secret": "{SECRET}" }},
\t"credsStore": "pass"
}}"""
SET_UP = f"""{{
\t"auths": {{
\t\t"ghcr.io": {{
\t\t\t"auth": "b3RoZXI6cHc="
\t\t}}
\t}},
\t"HttpHeaders": {{ "X-Secret": "{SECRET}" }},
\t"credsStore": "pass",
\t"credHelpers": {{
\t\t"{CONTOSO}": "msauth"
\t}}
}}"""


@pytest.fixture
def env(bare_env: Environment) -> Environment:
    return bare_env


@pytest.fixture
def config(home: Path) -> Path:
    path = home / ".docker/config.json"
    path.parent.mkdir(0o700)
    path.write_text(DOCKERS)
    path.chmod(0o640)
    return path


def setup(*words: str, env: Environment) -> Done:
    return run_program("msauth", "setup", "docker", *words, env=env)


def done(*words: str, env: Environment) -> str:
    result = setup(*words, env=env)
    assert (result.returncode, result.stderr) == (0, b""), (result.stdout, result.stderr)
    return result.stdout.decode()


def tree(home: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in sorted(home.rglob("*"))}


def test_what_the_file_knows_is_set_up_and_put_back(
    env: Environment, config: Path, home: Path
) -> None:
    before = tree(home)
    assert done(env=env) == f"wrote {config}\n"
    assert config.read_text() == SET_UP
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert done(env=env) == "nothing to do\n"
    assert done("--undo", env=env) == f"wrote {config}\n"
    assert tree(home) == before
    assert done("--undo", env=env) == "nothing to do\n"


def test_a_dry_run_changes_nothing_and_shows_no_secret(
    env: Environment, config: Path, home: Path
) -> None:
    before = tree(home)
    shown = done(FABRIKAM, "--dry-run", env=env)
    assert tree(home) == before
    assert "sentinel" not in shown
    assert SECRET not in shown
    assert f'+\t\t"{CONTOSO}": "msauth"' in shown
    assert f'+\t\t"{FABRIKAM}": "msauth"' in shown
    assert '-\t\t\t"auth": "…",' in shown
    compact = config.with_name("compact")
    compact.write_text(json.dumps(json.loads(DOCKERS)))
    config.write_bytes(compact.read_bytes())
    shown = done("--dry-run", env=env)
    assert SECRET not in shown
    assert "b3Ro" not in shown
    assert '"msauth"' in shown


def test_a_new_file_and_folder_are_private_and_go_again(env: Environment, home: Path) -> None:
    old = os.umask(0o022)
    try:
        done("Contoso.azurecr.io", "https://fabrikam.azurecr.io", env=env)
    finally:
        os.umask(old)
    config = home / ".docker/config.json"
    assert json.loads(config.read_text()) == {
        "credHelpers": {CONTOSO: "msauth", FABRIKAM: "msauth"}
    }
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    assert done("--undo", env=env) == f"removed {config}\n"
    assert list(home.iterdir()) == [] or not (home / ".docker").exists()


def test_undo_after_docker_wrote_it_anew(env: Environment, config: Path) -> None:
    """docker's next login changes the layout, adds entries, and leaves an empty one of ours."""
    config.write_text(json.dumps(json.loads(DOCKERS)))
    done(env=env)
    now = json.loads(config.read_text())
    now["auths"]["quay.io"] = {"auth": "cXVheQ=="}
    config.write_text(json.dumps(now, indent="\t"))
    done("--undo", env=env)
    wanted = json.loads(DOCKERS)
    wanted["auths"]["quay.io"] = {"auth": "cXVheQ=="}
    assert json.loads(config.read_text()) == wanted


def test_undo_after_docker_wrote_it_anew_between_two(env: Environment, config: Path) -> None:
    config.write_text(json.dumps(json.loads(DOCKERS)))
    done(env=env)
    config.write_text(json.dumps(json.loads(config.read_text()), indent="\t"))
    done(FABRIKAM, env=env)
    done("--undo", env=env)
    assert json.loads(config.read_text()) == json.loads(DOCKERS)


def test_what_the_person_chose_since_stays(env: Environment, config: Path) -> None:
    done(FABRIKAM, env=env)
    now = json.loads(config.read_text())
    now["credHelpers"][FABRIKAM] = "other"
    config.write_text(json.dumps(now))
    done("--undo", env=env)
    assert json.loads(config.read_text())["credHelpers"] == {FABRIKAM: "other"}


def test_a_second_registry_and_one_undo(env: Environment, config: Path) -> None:
    done(env=env)
    done(FABRIKAM, env=env)
    assert set(json.loads(config.read_text())["credHelpers"]) == {CONTOSO, FABRIKAM}
    done("--undo", env=env)
    assert config.read_text() == DOCKERS


def test_another_helper_stays_unless_its_registry_is_named(env: Environment, config: Path) -> None:
    text = json.dumps({"auths": {CONTOSO: {}}, "credHelpers": {CONTOSO: "acr", FABRIKAM: "x"}})
    config.write_text(text)
    assert setup(env=env).returncode == 2
    done(CONTOSO, env=env)
    assert json.loads(config.read_text())["credHelpers"] == {CONTOSO: "msauth", FABRIKAM: "x"}
    done("--undo", env=env)
    assert config.read_text() == text


def test_a_helper_of_ours_with_a_profile_stays(env: Environment, config: Path) -> None:
    text = json.dumps({"credHelpers": {CONTOSO: "msauth-work"}})
    config.write_text(text)
    assert done(CONTOSO, env=env) == "nothing to do\n"
    assert done(env=env) == "nothing to do\n"
    assert config.read_text() == text


def test_the_files_of_podman_and_helm(env: Environment, config: Path, home: Path) -> None:
    """What they know of a registry comes before docker's file, so it must go there, too."""
    env["XDG_RUNTIME_DIR"] = str(home / "run")
    podman, helm = home / "run/containers/auth.json", home / ".config/helm/registry/config.json"
    entry = {"auths": {FABRIKAM: {"auth": SECRET}}}
    for path in (podman, helm):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(entry))
    before = {path: path.read_bytes() for path in (config, podman, helm)}
    done(env=env)
    for path in before:
        found = json.loads(path.read_text())
        assert set(found["credHelpers"]) == {CONTOSO, FABRIKAM}
        assert not {CONTOSO, FABRIKAM} & set(found["auths"])
    done("--undo", env=env)
    assert {path: path.read_bytes() for path in before} == before


def test_the_variables_name_other_files(env: Environment, config: Path, home: Path) -> None:
    env |= {"DOCKER_CONFIG": str(home / "d"), "REGISTRY_AUTH_FILE": str(home / "auth.json")}
    done(CONTOSO, env=env)
    assert config.read_text() == DOCKERS
    for path in (home / "d/config.json", home / "auth.json"):
        assert json.loads(path.read_text()) == {"credHelpers": {CONTOSO: "msauth"}}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["contoso"], b"did you mean 'msauth setup docker contoso.azurecr.io'?"),
        (["ghcr.io"], b".azurecr.io"),
        (["http://contoso.azurecr.io"], b".azurecr.io"),
        (["contoso.azurecr.io.evil.example"], b".azurecr.io"),
        (["eus.data.contoso.azurecr.io"], b".azurecr.io"),
        ([], b"msauth setup docker NAME.azurecr.io"),
        (["--undo", CONTOSO], b"msauth setup docker --undo"),
    ],
)
def test_what_cannot_be_meant(env: Environment, words: list[str], hint: bytes) -> None:
    result = setup(*words, env=env)
    assert (result.returncode, result.stdout) == (2, b"")
    assert hint.replace(b"'", b"") in result.stderr.replace(b"'", b"")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", b"no JSON"),
        (b"[]", b"object"),
        (b'{"auths": []}', b"object"),
        (b'{"credHelpers": 5}', b"object"),
        (b'{"credHelpers": {}, "credHelpers": {}}', b"twice"),
        (b'{"x": "\xff"}', b"UTF-8"),
        (b"[" * 100_000, b"nested"),
    ],
)
def test_a_broken_file_is_left_as_it_is(
    env: Environment, config: Path, home: Path, text: bytes, said: bytes
) -> None:
    config.write_bytes(text)
    podman = home / "auth.json"
    podman.write_text("{}")
    env["REGISTRY_AUTH_FILE"] = str(podman)
    result = setup(CONTOSO, env=env)
    assert result.returncode == 1
    assert said in result.stderr
    assert result.stderr.count(b"\n") <= 3
    assert config.read_bytes() == text
    assert podman.read_text() == "{}"


def test_where_one_file_cannot_be_changed_no_other_is(
    env: Environment, config: Path, home: Path
) -> None:
    podman = home / "auth.json"
    podman.write_text("{}")
    podman.chmod(0o400)
    env["REGISTRY_AUTH_FILE"] = str(podman)
    result = setup(CONTOSO, env=env)
    assert result.returncode == 1
    assert b"read-only" in result.stderr
    assert config.read_text() == DOCKERS


def test_a_program_out_of_path_is_said(env: Environment, home: Path) -> None:
    env["PATH"] = "/usr/bin:/bin"
    result = run_program(str(SCRIPTS / "msauth"), "setup", "docker", CONTOSO, env=env)
    assert result.returncode == 1
    assert b"docker-credential-msauth is not on PATH" in result.stderr
    assert b"export PATH=" in result.stderr


def test_findings(bare_env: Environment, config: Path) -> None:
    found = docker.findings(bare_env)
    assert [(each.id, each.fix) for each in found] == [("docker-password", "msauth setup docker")]
    assert SECRET not in repr(found)
    done(env=bare_env)
    assert docker.findings(bare_env) == []
    config.write_text("{")
    assert [each.id for each in docker.findings(bare_env)] == ["docker-config"]


def test_the_doctor_tells_it(env: Environment, config: Path) -> None:
    result = run_program("msauth", "doctor", "--json", env=env, cwd=config.parent)
    found = [each for each in json.loads(result.stdout) if each["id"].startswith("docker-")]
    assert [(each["id"], each["place"]) for each in found] == [("docker-password", str(config))]
    assert SECRET.encode() not in result.stdout


def test_a_relative_path_in_a_variable(env: Environment) -> None:
    env["DOCKER_CONFIG"] = "folder"
    assert docker.findings(env) == []
    result = setup(CONTOSO, env=env)
    assert result.returncode == 2
    assert b"unset DOCKER_CONFIG" in result.stderr


@pytest.mark.parametrize("program", ["docker", "none"])
def test_the_list_of_targets(env: Environment, home: Path, program: str) -> None:
    folder = home / "bin"
    folder.mkdir()
    for name in ("msauth", "docker-credential-msauth"):
        (folder / name).symlink_to(SCRIPTS / name)
    (folder / program).write_text("#!/bin/sh\n")
    (folder / program).chmod(0o755)
    env["PATH"] = str(folder)
    line = next(
        line
        for line in run_program("msauth", "setup", env=env).stdout.decode().split("\n")
        if line.split()[:1] == ["docker"]
    )
    assert ("msauth setup docker" in line) is (program == "docker")
