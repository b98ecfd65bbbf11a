"""A token or a credential that is cached, from all that is there to give one. It is compared with a
bare Python in its place: `python -c pass`, and for git a helper that is `python -c "print(…)"`.

All are signed in to the sandbox, so nothing of whoever measures is asked or changed. `az` and what
starts it find the token in az's own cache; kubelogin in its own, after a device code; git's helpers
were given the credential before. kubelogin still asks for two documents about the tenant each time,
which a sandbox sends at once. DefaultAzureCredential is told to try nothing but az.
git-credential-oauth and git-credential-azure keep nothing: their answer is that of
`git-credential-cache`, which is asked before them. What is not on PATH is looked for where
`sh install/clients.sh azure-cli kubelogin git-credential-oauth` puts it.
"""

import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

from msauth_sandbox import Sandbox
from tests.cache.seed import made_up_jwt, seed
from tests.clients.where import look

from .cases import Case, Missing, Place
from .machine import version_of

CLIENTS = {
    "az": "azure-cli",
    "kubelogin": "kubelogin",
    "git-credential-oauth": "git-credential-oauth",
}
"""Programs that install/clients.sh can prepare, and what it calls them."""
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630"
KUBELOGIN = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"  # the application that people sign in to
ARM = "https://management.azure.com/.default"
CREDENTIAL = b"protocol=https\nhost=dev.azure.com\nusername=contoso\n"
BARE = "a token for a script: python -c pass"
BARE_HELPER = "a credential for git: python -c print(…)"
CACHE = "cache --timeout 86400"
SLOW = 30
"""Rounds of what takes a third of a second."""
PATIENCE = 120
"""Seconds until a program counts as hanging."""


def find(program: str) -> str:
    """Return the path of somebody else's program. Raises Missing with what would bring it."""
    path, reason = shutil.which(program) or "", f"there is no {program} on PATH"
    if not path and program in CLIENTS:
        path, reason = look(CLIENTS[program])
    if not path:
        raise Missing(reason)
    return path


def versions() -> dict[str, str]:
    """Return the version of azure-identity and of each program that is there."""
    told = {
        "az": ("version",),
        "kubelogin": ("--version",),
        "git-credential-azure": ("version",),
        "git-credential-manager": ("--version",),
    }
    found = {"azure-identity": version("azure-identity")}
    for program in (*told, "git-credential-oauth"):
        try:
            path = find(program)
        except Missing:
            continue
        if program in told:
            found[program] = version_of(path, *told[program])
        else:  # Debian's does not tell it
            found[program] = version_of("dpkg-query", "-W", program)
    return found


@contextmanager
def cases(place: Place) -> Iterator[list[Case]]:
    """Yield the cases; the sandbox and the daemon of git's cache run until the end."""
    with Sandbox() as cloud:
        rivals = _Rivals(place, cloud)
        try:
            yield [*rivals.tokens(), *rivals.credentials()]
        finally:
            rivals.run("git", "credential-cache", "exit")


class _Rivals:
    """All that is compared, signed in within one HOME."""

    def __init__(self, place: Place, cloud: Sandbox) -> None:
        self._place = place
        self._tenant = cloud.tenants["contoso"].id
        home = place.scratch / "home"
        home.mkdir(mode=0o700)
        self._home = home
        self._env = cloud.environ | {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "MSAUTH_CACHE_DIR": str(home / "cache"),
            "MSAUTH_TENANT": self._tenant,
            # DefaultAzureCredential would find the sandbox's managed identity.
            "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
            # Git Credential Manager without a desktop, and with what it was given.
            "GCM_CREDENTIAL_STORE": "plaintext",
            "GCM_PROVIDER": "generic",
            "GCM_INTERACTIVE": "0",
        }
        self._az = ""
        seed(self._env)

    def run(self, *command: str, stdin: bytes = b"") -> bytes:
        """Return what a command prints. Raises RuntimeError with its complaint when it fails."""
        name = Path(command[0]).name
        try:
            done = subprocess.run(
                command,
                input=stdin,
                env=self._env,
                capture_output=True,
                timeout=PATIENCE,
                check=False,
                start_new_session=True,  # no terminal to ask on
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{name} did not end within {PATIENCE} seconds") from None
        if done.returncode:
            complaint = done.stderr.decode(errors="replace").strip()[-300:]
            raise RuntimeError(f"{name} ended with {done.returncode}: {complaint}")
        return done.stdout

    def tokens(self) -> Iterator[Case]:
        """For kubectl and scripts."""

        def token(name: str, command: Callable[[], list[str]], rounds: int = 60) -> Case:
            return self._case(f"a token for a script: {name}", command, b"eyJ", BARE, rounds)

        yield self._case(BARE, lambda: [self._place.python, "-c", "pass"], b"", None)
        for how, folder in self._ours().items():
            yield token(f"msauth-token ({how})", partial(self._msauth_token, folder))
        yield token("Python, MsauthCredential", partial(self._python, "msauth", "MsauthCredential"))
        yield token("kubelogin, its own sign-in", partial(self._kubelogin, "devicecode"))
        yield token("az account get-access-token", self._account_token)
        yield token("kubelogin, az's sign-in", partial(self._kubelogin, "azurecli"), SLOW)
        for name in ("AzureCliCredential", "DefaultAzureCredential"):
            yield token(f"Python, {name}", partial(self._python, "azure.identity", name), SLOW)

    def credentials(self) -> Iterator[Case]:
        """For git."""

        def fill(name: str, helpers: Callable[[], list[str]], base: str | None) -> Case:
            command = partial(self._fill, helpers)
            return self._case(f"a credential for git: {name}", command, b"password=ey", base)

        yield fill("python -c print(…)", self._bare_helper, None)
        for how, folder in self._ours().items():
            yield fill(f"msauth ({how})", partial(self._git_credential, folder), BARE_HELPER)
        yield fill("store", partial(self._given, "store"), BARE_HELPER)
        yield fill("cache", partial(self._given, CACHE), BARE_HELPER)
        for name in ("git-credential-oauth", "git-credential-azure"):
            yield fill(f"cache, then {name}", partial(self._behind_cache, name), BARE_HELPER)
        yield fill("Git Credential Manager", self._git_credential_manager, BARE_HELPER)

    def _case(
        self,
        name: str,
        prepare: Callable[[], list[str]],
        expected: bytes,
        base: str | None,
        rounds: int = 60,
    ) -> Case:
        """Prepare a command now; what stands in its way is the case's to say."""
        try:
            command = prepare()
        except (Missing, RuntimeError) as error:
            reason = error

            def refuse() -> None:
                raise reason

            return Case(name, refuse, base=base)

        def run() -> None:
            if expected not in self.run(*command, stdin=CREDENTIAL):
                raise RuntimeError(f"{Path(command[0]).name} gave no answer")

        return Case(name, run, base=base, rounds=rounds)

    def _ours(self) -> dict[str, Path | None]:
        return {"install.sh": self._place.installed, "pip": self._place.pip}

    def _msauth_token(self, folder: Path | None) -> list[str]:
        return [_installed(folder, "msauth-token"), "aks"]

    def _python(self, module: str, credential: str) -> list[str]:
        if module == "azure.identity":
            self._signed_in_az()
        text = f"from {module} import {credential}; print({credential}().get_token({ARM!r}).token)"
        return [self._place.python, "-c", text]

    def _account_token(self) -> list[str]:
        return [self._signed_in_az(), "account", "get-access-token"]

    def _signed_in_az(self) -> str:
        if not self._az:
            program = find("az")
            self._env["PATH"] += f":{Path(program).parent}"
            self.run(program, "login", "--use-device-code")
            self._az = program
        return self._az

    def _kubelogin(self, login: str) -> list[str]:
        """It keeps the key of its own cache in the kernel's keyring, and uses one that is there."""
        command = [find("kubelogin"), "get-token", "--login", login, "--server-id", AKS]
        command += ["--tenant-id", self._tenant]
        if login == "azurecli":
            self._signed_in_az()
        else:
            command += ["--client-id", KUBELOGIN, "--cache-dir", str(self._home / "kubelogin")]
            self.run(*command)
        return command

    def _fill(self, helpers: Callable[[], list[str]]) -> list[str]:
        chosen = [word for each in ("", *helpers()) for word in ("-c", f"credential.helper={each}")]
        return ["git", *chosen, "credential", "fill"]

    def _bare_helper(self) -> list[str]:
        return [_helper(self._place.python, "-c", "print('password=eyJ')")]

    def _git_credential(self, folder: Path | None) -> list[str]:
        return [_helper(_installed(folder, "git-credential-msauth"))]

    def _behind_cache(self, program: str) -> list[str]:
        return [*self._given(CACHE), _helper(find(program))]

    def _git_credential_manager(self) -> list[str]:
        return self._given(_helper(find("git-credential-manager")))

    def _given(self, helper: str) -> list[str]:
        """Let a helper keep the credential."""
        password = made_up_jwt("499b84ac-1321-427f-aa17-267ca6975798", 0).encode()
        chosen = ("-c", "credential.helper=", "-c", f"credential.helper={helper}")
        stdin = CREDENTIAL + b"password=" + password + b"\n"
        self.run("git", *chosen, "credential", "approve", stdin=stdin)
        return [helper]


def _installed(folder: Path | None, name: str) -> str:
    if folder is None:
        raise Missing("install.sh was not run: sh install/benchmark.sh runs it")
    return str(folder / name)


def _helper(*command: str) -> str:
    """Return what `credential.helper` has to be for git to run a command."""
    return f"!{shlex.join(command)}"
