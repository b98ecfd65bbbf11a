"""Completions, as the real shells show them: every command and option, and the values of each."""

import ast
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from msauth.cli import programs
from msauth.cli.programs import Command
from msauth.cli.shells import SHELLS

from ..conftest import SCRIPTS, Environment, run_program
from .shells import BASH_COMPLETION, Fish, Shell, start

PROFILES = '[work]\ntenant = "contoso.com"\n[customer]\ncredential = "azure-cli"\n'
COMMANDS = {command.name: command for command in programs.commands()}
LISTS = programs.lists()


@pytest.fixture(scope="module")
def module_env(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    home = tmp_path_factory.mktemp("home")
    (home / ".config/msauth").mkdir(parents=True)
    (home / ".config/msauth/profiles.toml").write_text(PROFILES)
    (home / "some-file.pem").touch()
    (home / "some-folder").mkdir()
    return {
        "PATH": f"{SCRIPTS}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
    }


@pytest.fixture(scope="module", params=["bash", "bash-alone", "zsh", "fish"])
def shell(
    request: pytest.FixtureRequest,
    module_env: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shell | Fish]:
    """Each shell; bash also without the package bash-completion."""
    name = request.param
    program = name.partition("-")[0]
    script = tmp_path_factory.mktemp("scripts") / name
    script.write_bytes(run_program("msauth", "completion", program, env=module_env).stdout)
    started = start(name, shutil.which(program, path=module_env["PATH"]), script, module_env)
    yield started
    started.close()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_completed(shell: Shell | Fish, name: str) -> None:
    found = shell.complete(f"{name} --")
    assert {each.rstrip("=") for each in found} == {
        option.name for option in COMMANDS[name].options if option.name.startswith("--")
    }


@pytest.mark.parametrize("name", [name for name, each in COMMANDS.items() if each.words])
def test_the_words_of_a_command(shell: Shell | Fish, name: str) -> None:
    assert set(shell.complete(f"{name} ")) == set(COMMANDS[name].words)


VALUES = [
    ("msauth-token --format ", LISTS["formats"]),
    ("msauth-token --format=", LISTS["formats"]),
    ("msauth-token --credential ", LISTS["credentials"]),
    ("msauth-token --environment ", LISTS["clouds"]),
    ("msauth-token arm --profile ", ("work", "customer")),
    ("msauth-token get-token --login ", LISTS["logins"]),
    ("msauth-token get-token -l ", LISTS["logins"]),
    ("msauth-token get-token -l azurecli --environment ", LISTS["clouds"]),
    ("msauth-token get-token --profile=", ("work", "customer")),
    ("msauth-token get-token --client-certificate some-fi", ("some-file.pem",)),
    ("msauth-token --tenant ", ()),
    ("msauth-token --tenant x --format azd --credential azure-cli-", ("azure-cli-cache",)),
    ("msauth-run --for ", LISTS["tools"]),
    ("msauth-run --product ", LISTS["products"]),
    ("msauth-run --serve --allow ", LISTS["products"]),
    ("msauth-run -e GRAPH_TOKEN=gr", ("graph",)),
    ("msauth login gr", ("graph",)),
    ("msauth login --profile ", ("work", "customer")),
    ("msauth login --profile work --credential dev", ("device-code",)),
    ("msauth logout --profile c", ("customer",)),
    ("msauth help sign", ("sign-in",)),
    ("msauth completion ", SHELLS),
    ("msauth completion --values pro", ("profiles", "products")),
    ("msauth setup ", LISTS["targets"]),
    ("msauth setup pats --dry-run some-fi", ("some-file.pem",)),
    ("msauth setup docker some-fi", ()),
    ("msauth doctor some-f", ("some-folder",)),
    ("git-credential-msauth --credential bro", ("broker", "browser")),
    ("msauth-sandbox --sign-in azure-c", ("azure-cli",)),
    ("msauth-sandbox --directory some-f", ("some-folder",)),
]


@pytest.mark.parametrize(("line", "values"), VALUES)
def test_values(shell: Shell | Fish, line: str, values: tuple[str, ...]) -> None:
    found = shell.complete(line)
    typed = line.rpartition(" ")[2]
    prefix = typed[: typed.rfind("=") + 1]
    assert {each.removeprefix(prefix).rstrip("/") for each in found} - {typed} == set(values)


@pytest.mark.parametrize("line", ["msauth-run", "msauth-run --", "msauth-run --for git --serve --"])
def test_the_wrapped_command_is_completed_as_the_shell_does(shell: Shell | Fish, line: str) -> None:
    assert shell.complete(f"{line} git-credential-msa") == ["git-credential-msauth"]
    assert "--product" not in shell.complete(f"{line} git --pro")
    assert shell.complete(f"{line} cat some-fi") == ["some-file.pem"]


def test_a_wrapped_program_of_ours_completes_its_own(shell: Shell | Fish) -> None:
    if shell.name == "bash-alone" or (shell.name == "bash" and not BASH_COMPLETION.exists()):
        pytest.skip("bash needs the package bash-completion for that")
    assert shell.complete("msauth-run -- msauth-token --format hea") == ["header"]


def test_no_program_is_forgotten(bare_env: Environment) -> None:
    there = {path.name for path in SCRIPTS.iterdir() if "msauth" in path.name}
    assert {name for name in COMMANDS if " " not in name} == there


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_option_has_a_description(command: Command) -> None:
    """Except what is taken from kubelogin, whose own help describes it."""
    from msauth.protocols import kubelogin

    theirs = {**kubelogin.OPTIONS, **kubelogin.SHORT}
    if command.name not in ("msauth-token get-token", "msauth-token convert-kubeconfig"):
        theirs = {}
    silent = [option.name for option in command.options if not option.about]
    assert set(silent) <= set(theirs)


def test_profiles_are_listed_fast(module_env: Environment) -> None:
    """Each Tab waits for it: no more than the reader of the file is imported."""
    told = (
        "import sys; from msauth.cli import completion; completion.run(['--values', 'profiles']);"
        "print([name for name in sys.modules if name.startswith(('msauth.', 'azure', 'msal'))])"
    )
    done = run_program("python", "-c", told, env=module_env)
    assert done.returncode == 0, done.stderr
    *names, modules = done.stdout.decode().split("\n", 2)
    assert names == ["work", "customer"]
    rooms = {name.split(".")[1] for name in ast.literal_eval(modules) if "." in name}
    assert rooms <= {"cache", "cli", "errors", "protocols", "request", "system"}
    assert "msauth.cli.programs" not in modules


def test_a_list_by_name(module_env: Environment) -> None:
    done = run_program("msauth", "completion", "--values", "profiles", env=module_env)
    assert done.stdout.split() == [b"work", b"customer"]
    done = run_program("msauth", "completion", "--values", "formats", env=module_env)
    assert tuple(done.stdout.decode().split()) == LISTS["formats"]


def test_a_profile_that_a_shell_would_expand_is_not_offered(tmp_path: Path) -> None:
    """`compgen -W` of bash runs what is in its words."""
    (tmp_path / "profiles.toml").write_text(
        f'["$(touch {tmp_path}/run)"]\n["`touch {tmp_path}/run`"]\n["a b"]\n["-x"]\n[work]\n'
    )
    env = {
        "PATH": f"{SCRIPTS}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "MSAUTH_CONFIG": str(tmp_path / "profiles.toml"),
    }
    pressed = (
        'eval "$(msauth completion bash)"; COMP_WORDS=(msauth status --profile ""); COMP_CWORD=3;'
        '_msauth; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = run_program("bash", "-c", pressed, env=env)
    assert done.stdout == b"work\n", done.stderr
    assert not (tmp_path / "run").exists()


WRONG = [
    (("completion",), b"for which shell?"),
    (("completion", "bsh"), b"did you mean msauth completion bash?"),
    (("completion", "--values", "none"), b"no list 'none'"),
    (("completion", "bash", "--values", "formats"), b"either a shell or --values"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_what_is_not_understood(
    module_env: Environment, arguments: tuple[str, ...], said: bytes
) -> None:
    done = run_program("msauth", *arguments, env=module_env)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr


def test_powershell_reads_its_script(module_env: Environment, tmp_path: Path) -> None:
    pwsh = shutil.which("pwsh", path=module_env["PATH"])
    if pwsh is None:
        pytest.skip("there is no pwsh (PowerShell) on this machine")
    script = tmp_path / "msauth.ps1"
    script.write_bytes(run_program("msauth", "completion", "powershell", env=module_env).stdout)
    line = "msauth-token --format hea"
    ask = (
        f". {script}; (TabExpansion2 -inputScript '{line}' -cursorColumn {len(line)})"
        ".CompletionMatches.CompletionText"
    )
    done = subprocess.run(
        [pwsh, "-NoProfile", "-Command", ask],
        env=module_env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["header"]
