"""A shell in the sandbox is ready: a person types the commands of the README, and they work."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import SCRIPTS, Environment
from ..slices import sliced
from ..terminal import Terminal

URL = "https://contoso@dev.azure.com/contoso/hello/_git/hello"
LOGIN = [pytest.param(shell, marks=pytest.mark.long) for shell in ("bash -l", "zsh -l")]
SANDBOX = str(SCRIPTS / "msauth-sandbox")


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Environment]:
    """Somebody with settings of their own that would break everything if a client read them.

    Their home must be just as it was afterwards.
    """
    home = tmp_path / "person"
    for name, text in {
        ".gitconfig": "this is no configuration",
        ".config/git/config": "[credential]\n\thelper = !exit 1\n",
        ".config/msauth/config.toml": "no TOML",
        ".config/fish/config.fish": "exit 9\n",
        ".kube/config": "{no YAML",
        ".azure/azureProfile.json": "{no JSON",
        ".bashrc": "PS1='mine '; exit 9\n",
        ".bash_profile": "exit 9\n",
        ".profile": "exit 9\n",
        ".zshrc": "exit 9\n",
        ".zshenv": "exit 9\n",
        ".zprofile": "exit 9\n",
        "hello/mine": "",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    before = digest(home)
    yield {
        "HOME": str(home),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TMPDIR": str(tmp_path),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "PS1": "mine ",
        "PROMPT_COMMAND": "exit 9",
        "BASH_ENV": str(home / ".bashrc"),
        "ENV": str(home / ".bashrc"),
        "ZDOTDIR": str(home),
        "HISTFILE": str(home / "history"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "KUBECONFIG": str(home / ".kube" / "config"),
        "AZURE_CONFIG_DIR": str(home / ".azure"),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_PARAMETERS": "broken",
        "GIT_DIR": str(home / "hello"),
        "MSAUTH_CACHE_DIR": str(home / "cache"),
        "MSAUTH_CONFIG": str(home / "config.toml"),
        "MSAUTH_PROFILE": "mine",
    }
    assert digest(home) == before
    assert [path.name for path in tmp_path.glob("msauth-sandbox-*")] == []


def digest(root: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(root)): (
            path.stat().st_mode,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in root.rglob("*")
    }


def inside(person: Environment, script: str, *options: str) -> str:
    command = [SANDBOX, *options, "--", "sh", "-euc", script]
    done = subprocess.run(
        command, env=person, cwd=person["TMPDIR"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", [*sliced(["bash", "zsh", "sh", "fish"], 2), *LOGIN])
def test_a_shell_is_ready(person: Environment, shell: str) -> None:
    command = shell.split()
    if not shutil.which(command[0], path=person["PATH"]):
        pytest.skip(f"there is no {command[0]} on this machine")
    with Terminal([SANDBOX, "--", *command], person) as terminal:
        terminal.read_past(b"To be somebody else (alex, sam, robin): msauth-sandbox --as NAME")
        terminal.read_past(b"[msauth-sandbox]")
        for typed, shown in (
            (f"git clone {URL}", b"Cloning into 'hello'"),
            ("ls hello", b"README.md"),
            ("msauth status", b"alex@contoso.com"),
            ("msauth-token arm | cut -c 1-24", b'{"kind":"ExecCredential"'),
            ("msauth-run -- sh -c 'echo ${AZURE_ACCESS_TOKEN:+giv}en'", b"given"),
            ("msauth-sandbox --as sam", b"az has sam@contoso.com signed in"),
            ("msauth status", b"sam@contoso.com"),
            ("echo $HOME-$PWD-", b"/home-"),
        ):
            terminal.press(typed.encode() + b"\r")
            terminal.read_past(shown)
            terminal.read_past(b"[msauth-sandbox]")
        if shutil.which("kubectl", path=person["PATH"]):
            terminal.press(b"kubectl get ns\r")
            terminal.read_past(b"kube-system")
        terminal.press(b"exit 7\r")
        assert terminal.event() == ("exited", 7)


def test_a_command_has_the_same_environment(person: Environment, tmp_path: Path) -> None:
    text = inside(
        person,
        f"""pwd; git clone -q {URL} copy; cd copy; echo >>README.md; git commit -qam 'Say hello'
        git log -1 --format=%ae; git push -q; command -v msauth; git config credential.helper || :
        kubectl config current-context 2>/dev/null || echo hello
        echo "$HOME"; git config --file "$GIT_CONFIG_SYSTEM" x.y of-the-sandbox; git config x.y
        find "$AZURE_CONFIG_DIR" "$HOME" -maxdepth 0 -perm /077
        find "$AZURE_CONFIG_DIR" -type f -perm /077""",
    )
    where, email, program, context, home, system = text.split()
    assert where == str(tmp_path)
    assert (email, program, context) == ("alex@contoso.com", str(SCRIPTS / "msauth"), "hello")
    assert system == "of-the-sandbox"
    assert home.startswith(str(tmp_path / "msauth-sandbox-"))


def test_a_shell_that_nobody_types_into_stays_where_it_is(person: Environment) -> None:
    command = [SANDBOX, "--", "sh"]
    done = subprocess.run(
        command, input=b"pwd\n", env=person, cwd=person["TMPDIR"], capture_output=True, check=True
    )
    assert done.stdout.decode() == person["TMPDIR"] + "\n"


@pytest.mark.parametrize(
    ("who", "options", "name", "tenant"),
    [
        ("alex", (), "alex@contoso.com", "contoso"),
        ("alex@contoso.com", ("--tenant", "fabrikam"), "alex@contoso.com", "fabrikam"),
        ("Sam", (), "sam@contoso.com", "contoso"),
        ("robin", (), "robin@fabrikam.com", "fabrikam"),
    ],
)
def test_who_is_signed_in(
    person: Environment, who: str, options: tuple[str, ...], name: str, tenant: str
) -> None:
    script = (
        "az account show; echo ---; msauth login devops --json; echo ---; git config user.email"
    )
    shown, login, email = inside(person, script, "--as", who, *options).split("---\n")
    account = json.loads(shown)
    assert account["user"]["name"] == name
    assert account["tenantDefaultDomain"] == f"{tenant}.onmicrosoft.com"
    assert name in login
    assert email == f"{name}\n"


def test_who_cannot_be_signed_in(person: Environment) -> None:
    for words, message in (
        ("--as nobody -- true", "nobody is called nobody; there are alex@contoso.com, "),
        ("--as sam --tenant fabrikam -- true", "sam@contoso.com is no member or guest of fabrikam"),
        ("--as sam", "--as needs a command, or a sandbox around it"),
    ):
        command = [SANDBOX, *words.split()]
        done = subprocess.run(command, env=person, capture_output=True, text=True, check=False)
        assert done.returncode == (2 if words == "--as sam" else 1)
        assert f"msauth-sandbox: error: {message}" in done.stderr
        assert "msauth-sandbox: hint: " in done.stderr
    inside(person, "! msauth-sandbox --as nobody")


def test_another_person_is_another_token(person: Environment) -> None:
    script = """
    msauth-run -- sh -c 'echo $AZURE_ACCESS_TOKEN'; msauth-sandbox --as robin >&2
    msauth-run -- sh -c 'echo $AZURE_ACCESS_TOKEN'; az logout
    msauth-run -- true 2>&1 || az login --output none; az account show --query name -o tsv
    """
    first, second, *rest = inside(person, script).splitlines()
    assert first != second
    assert rest[-1] == "Fabrikam Development"
    assert any("hint: " in line for line in rest)


def test_az_itself_wins_over_its_stand_in(person: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "az").write_text("#!/bin/sh\necho the real one\n")
    (folder / "az").chmod(0o755)
    person["PATH"] = f"{folder}:{person['PATH']}"
    assert inside(person, "az") == "the real one\n"


def test_the_stand_in_says_what_it_is(person: Environment) -> None:
    done = subprocess.run(
        [SANDBOX, "--", "az", "vm", "list"], env=person, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("This az is the sandbox's own, because there is no Azure CLI")
    assert inside(person, "az --help") == done.stderr


def test_the_stand_in_answers_as_az(person: Environment) -> None:
    text = inside(
        person,
        """
        az account list --query '[].id' >&2
        other=$(az account list | sed -n 's/.*"id": "\\([^"]*\\)".*/\\1/p' | sed -n 2p)
        az account get-access-token --subscription "$other" --resource https://graph.microsoft.com
        az account set --subscription "$other"; az account show --query tenantDisplayName -o tsv
        az account get-access-token --tenant nowhere.example 2>&1 || az account show -s x 2>&1 || :
        """,
    )
    answer, rest = re.split(r"(?<=\n\})\n", text, maxsplit=1)
    token = json.loads(answer)
    assert set(token) == {
        *("accessToken", "expiresOn", "expires_on", "subscription", "tenant", "tokenType")
    }
    assert rest.startswith("Fabrikam\nERROR: ")
    assert rest.endswith("ERROR: The subscription of 'x' doesn't exist in cloud 'AzureCloud'.\n")


def test_another_terminal_gets_the_same(person: Environment, tmp_path: Path) -> None:
    with subprocess.Popen([SANDBOX, "--print-env"], env=person, stdout=subprocess.PIPE) as serving:
        assert serving.stdout is not None
        lines = []
        while not lines or not lines[-1].startswith(b"export PATH="):
            lines.append(serving.stdout.readline())
        (tmp_path / "sandbox.env").write_bytes(b"".join(lines))
        script = (
            f". {tmp_path}/sandbox.env; git ls-remote {URL}; command -v sh; msauth-sandbox --as sam"
        )
        try:
            shown = subprocess.run(
                ["sh", "-ec", script],
                env=person | {"GIT_TRACE2": "0"},
                capture_output=True,
                check=True,
            ).stdout
        finally:
            serving.terminate()
    assert b"refs/heads/main" in shown
    assert b"az has sam@contoso.com signed in" in shown
    assert os.environ["HOME"] not in b"".join(lines).decode()
