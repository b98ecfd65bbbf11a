"""A private home in which everything is ready: git, kubectl, az and a shell that says where it is.

It lies in the sandbox's directory and goes with it. What a client would read or keep of the
person's own (configurations, sign-ins, caches, histories) is looked for here instead.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from msauth.errors import MsauthError

from .environment import IDENTITY_VARIABLES

if TYPE_CHECKING:
    from .cloud import Sandbox

# What leads a client, past HOME, to files, programs or daemons of the person's own.
_PERSONAL = (
    *("ALL_PROXY", "all_proxy", "BASH_ENV", "CURL_HOME", "DBUS_SESSION_BUS_ADDRESS", "ENV"),
    *("GIT_ASKPASS", "HISTFILE", "HOME", "KUBECONFIG", "NETRC", "PIP_CONFIG_FILE"),
    *("PROMPT_COMMAND", "PS1", "SSH_ASKPASS", "UV_CONFIG_FILE", "ZDOTDIR"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"),
    *("CARGO_HOME", "NPM_CONFIG_USERCONFIG", "npm_config_userconfig", "NUGET_PACKAGES"),
    *("MSAUTH_CACHE_DIR", "MSAUTH_CLIENT_ID", "MSAUTH_CONFIG", "MSAUTH_CREDENTIAL"),
    *("MSAUTH_IDENTITY_RESOURCE_ID", "MSAUTH_PROFILE", "MSAUTH_SERVE", "MSAUTH_SUBSCRIPTION"),
    "MSAUTH_TENANT",
)
# Of git's variables these say nothing of whose or which repository and configuration.
_HARMLESS_OF_GIT = ("GIT_TRACE", "GIT_CURL_VERBOSE", "GIT_TERMINAL_PROMPT", "GIT_EXEC_PATH")

PROMPT = "[msauth-sandbox]"
_SHELLS = ("bash", "dash", "fish", "ksh", "sh", "zsh")
# Debian's /etc/profile sets PATH anew, and so may other files that a shell reads before ours.
_PATH = "case :$PATH: in *:{scripts}:*) ;; *) PATH={path} ;; esac\n"
_RC = {
    ".bashrc": _PATH + "HISTFILE=~/.bash_history\nPS1='{prompt} \\w \\$ '\n",
    ".bash_profile": ". ~/.bashrc\n",
    ".zshrc": _PATH + "HISTFILE=~/.zsh_history\nPROMPT='{prompt} %~ %# '\n",
    ".zprofile": _PATH,
    ".shrc": _PATH + "PS1='{prompt} $ '\n",
    ".profile": _PATH,
    ".config/fish/config.fish": (
        "contains -- {scripts} $PATH; or set -gx PATH (string split : -- {path})\n"
        "set -g fish_greeting\n"
        "function fish_prompt; echo -n '{prompt} '(prompt_pwd)' > '; end\n"
    ),
}


def scripts_folder() -> Path:
    """Where the programs of this very installation are, by whatever tool it was made."""
    try:
        files = metadata.files("msauth") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "git-credential-msauth":
            return Path(os.path.abspath(str(file.locate())).rpartition("/")[0])
    return Path(sysconfig.get_path("scripts"))


def personal(environ: Mapping[str, str]) -> set[str]:
    """The variables that must not reach a client in the sandbox: those known, and those set."""
    of_git = {n for n in environ if n.startswith("GIT_") and not n.startswith(_HARMLESS_OF_GIT)}
    return of_git.union(_PERSONAL, IDENTITY_VARIABLES)


def opens_a_shell(command: Sequence[str]) -> bool:
    """Whether the command is a shell that reads what it is to do from its input."""
    plain = all(word in ("-i", "-l", "-il", "-li", "--login") for word in command[1:])
    return os.path.basename(command[0]) in _SHELLS and plain


class Home:
    """``directory/home``, made and set up once; ``environ`` leads into it."""

    def __init__(self, cloud: Sandbox) -> None:
        self.path = cloud.directory / "home"
        self._cloud = cloud
        self._scripts = scripts_folder()
        self._stand_ins = cloud.directory / "bin"

    @property
    def own(self) -> dict[str, str]:
        """The variables of this home, but for PATH."""
        return {
            "HOME": str(self.path),
            "ENV": str(self.path / ".shrc"),
            # Not the machine's own, which `msauth setup git --system` would change.
            "GIT_CONFIG_SYSTEM": str(self.path / ".system" / "gitconfig"),
        }

    def environ(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The caller's environment, less what is the caller's own in it."""
        drop = personal(inherited)
        kept = {name: value for name, value in inherited.items() if name not in drop}
        return kept | {"PATH": self.path_of(inherited.get("PATH") or os.defpath)}

    def path_of(self, path: str) -> str:
        """PATH with msauth's programs first and the stand-in for az last: a real one wins."""
        return f"{self._scripts}:{path}:{self._stand_ins}"

    def make(self, environ: Mapping[str, str]) -> None:
        """Everything in it, for a client with this environment. Raises msauth's MsauthError."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        (self.path / ".system").mkdir(exist_ok=True)
        self._write_rc(environ["PATH"])
        # Where this is missing, fish reads all man pages in the background to fill it.
        (self.path / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
        self._write_stand_in()
        kubeconfig = self.path / ".kube" / "config"
        kubeconfig.parent.mkdir(mode=0o700, exist_ok=True)
        self._cloud.kubeconfig().replace(kubeconfig)
        user = self._cloud.users[self._cloud.user]
        text = f"[user]\n\tname = {user.name}\n\temail = {user.upn}\n"
        (self.path / ".gitconfig").write_text(text)
        set_up_git(self._scripts / "msauth", environ)

    def _write_rc(self, path: str) -> None:
        words = {"scripts": shlex.quote(str(self._scripts)), "path": shlex.quote(path)}
        for name, text in _RC.items():
            file = self.path / name
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(text.format(prompt=PROMPT, **words))

    def _write_stand_in(self) -> None:
        """A program ``az`` that imports just what this one does, whoever starts it from where."""
        self._stand_ins.mkdir(mode=0o700, exist_ok=True)
        command = shlex.join(_python("from msauth_sandbox.az import main; main()"))
        file = self._stand_ins / "az"
        file.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)


def _python(code: str) -> list[str]:
    """A command that runs code which imports just what this process does, from any directory."""
    path = [item for item in sys.path if os.path.isabs(item)]
    return [sys.executable, "-I", "-c", f"import sys; sys.path[:] = {path!r}; {code}"]


def set_up_git(program: Path, environ: Mapping[str, str]) -> None:
    """Have git ask us, by ``msauth setup git`` with this program. Raises MsauthError."""
    done = subprocess.run(
        [program, "setup", "git"],
        env=dict(environ),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = done.stderr.strip().partition("\n")[0]
        raise MsauthError(f"git cannot be set up: {message}", "git --version")


def welcome(who: str, people: Iterable[str], path: str) -> str:
    """What a person reads once, when their shell begins. ``who``: a user name or a sign-in."""
    signed_in = f"{who} is signed in with az" if "@" in who else f"sign-in: {who}"
    kubectl = shutil.which("kubectl", path=path)
    names = ", ".join(upn.partition("@")[0] for upn in people)
    return f"""\
This shell is inside a miniature Microsoft cloud; {signed_in}.
HOME is a temporary folder that goes when you leave (exit). Three commands to try:

  git clone https://contoso@dev.azure.com/contoso/hello/_git/hello
  msauth status
  {"kubectl get namespaces" if kubectl else "msauth-token arm"}

To be somebody else ({names}): msauth-sandbox --as NAME

"""
