"""git and kubectl with msauth, against the same clients with a token in their configuration.

Both are set up by msauth itself, and ask a sandbox's cloud: git one that is 50 ms away, kubectl one
that is near, where a start of the plugin counts most.
"""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from msauth_sandbox import Sandbox

from .cases import Case, Place

ROUND_TRIP = 0.05
HELLO = "https://dev.azure.com/contoso/hello/_git/hello"
ORGANISATION_IN_IT = HELLO.replace("//", "//contoso@")
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630"
CLIENTS = Path(__file__).parents[2] / "install" / "clients.sh"
Environment = dict[str, str]


@contextlib.contextmanager
def cases(place: Place) -> Iterator[list[Case]]:
    """Yield a base and ours for each git, and for kubectl, that this machine has."""
    programs = {"pip": place.pip}
    if place.installed is not None:
        programs["install.sh"] = place.installed
    with Sandbox() as far, Sandbox() as near:
        found = []
        for version, git in _gits().items():
            found += _of_git(git, version, far, programs, place.scratch / version)
        kubectl = shutil.which("kubectl")
        if kubectl is not None:
            found += _of_kubectl(kubectl, near, programs, place.scratch / "kubectl")
        for case in found:  # fills the caches
            case.run()
        far.configure(round_trip=ROUND_TRIP)
        yield found


def _gits() -> dict[str, str]:
    """Return the machine's own git and the one that clients.sh has prepared, by their versions."""
    done = subprocess.run(
        ["sh", CLIENTS, "--where", "git"], capture_output=True, text=True, check=False
    )
    found = {}
    for git in (shutil.which("git"), os.environ.get("MSAUTH_TEST_GIT") or done.stdout.strip()):
        if git:
            text = subprocess.run([git, "version"], capture_output=True, text=True, check=True)
            found[text.stdout.split()[2]] = git
    return found


def _of_git(
    git: str, version: str, cloud: Sandbox, programs: dict[str, Path], scratch: Path
) -> list[Case]:
    name = f"git {version} ls-remote"
    new = tuple(int(number) for number in re.findall(r"\d+", version)[:2]) >= (2, 46)
    header = f"http.extraHeader=Authorization: Bearer {cloud.issue_token(expires_in=86400)}"

    env = _environment(cloud, Path("/nowhere"), scratch / "static")
    base = f"{name}, a token in http.extraHeader"
    found = [Case(base, _command(env, git, "-c", header, "ls-remote", HELLO), rounds=30)]

    for how, folder in programs.items():
        env = _environment(cloud, folder, scratch / how)
        _command(env, str(folder / "msauth"), "setup", "git")()
        ours = [(f"{name}, msauth by {how}", HELLO, 1.10 if new else None)]
        if new:
            ours.append((f"{name} with organisation@, msauth by {how}", ORGANISATION_IN_IT, 1.10))
        for title, url, limit in ours:
            found.append(Case(title, _command(env, git, "ls-remote", url), base, limit, 30))
    return found


def _of_kubectl(
    kubectl: str, cloud: Sandbox, programs: dict[str, Path], scratch: Path
) -> list[Case]:
    token = cloud.issue_token(scope=f"{AKS}/.default", expires_in=86400)
    env = _environment(cloud, Path("/nowhere"), scratch / "static")
    env["KUBECONFIG"] = str(cloud.kubeconfig(token=token))
    base = "kubectl get ns, a token in the kubeconfig"
    found = [Case(base, _command(env, kubectl, "get", "ns"), rounds=60)]

    plugin = ("get-token", "--login", "spn", "--server-id", AKS)
    for how, folder in programs.items():
        env = _environment(cloud, folder, scratch / how)
        env["KUBECONFIG"] = str(cloud.kubeconfig("kubelogin", plugin))
        _command(env, str(folder / "msauth"), "setup", "kubectl")()
        title = f"kubectl get ns, msauth by {how}"
        found.append(Case(title, _command(env, kubectl, "get", "ns"), base, 1.25, 60))
    return found


def _environment(cloud: Sandbox, programs: Path, home: Path) -> Environment:
    """Return an environment of this cloud with a home of its own, made here."""
    home.mkdir(parents=True)
    return {
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "MSAUTH_CACHE_DIR": str(home / "cache"),
        "GIT_CONFIG_NOSYSTEM": "1",
        **cloud.environ,
        **cloud.service_principal_environ(),
    }


def _command(env: Environment, *command: str) -> Callable[[], None]:
    def run() -> None:
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)

    return run
