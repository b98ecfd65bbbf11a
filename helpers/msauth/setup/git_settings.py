"""What git is told by all of its configuration, asked of git itself.

Nothing here trusts a repository: git reads its configuration as data, and does not even that
where the repository is another user's (`safe.directory`).
"""

import os
import re
import shlex
import subprocess
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import NamedTuple

from ..errors import MsauthError, command
from ..signin import programs
from . import files

# What would make git look at another repository, or `git config` at another file, than we mean.
_ELSEWHERE = ("GIT_CONFIG", "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE")


class Setting(NamedTuple):
    """One line of git's configuration."""

    scope: str
    """system, global, local, worktree or command (the environment, `git -c`)."""

    file: str
    """Where it stands; "" for the scope command."""

    key: str
    """`section.name` or `section.SUBSECTION.name`; section and name are in lower case."""

    value: str

    @property
    def url(self) -> str:
        """The subsection, which is a URL for `credential` and `http`, or ""."""
        return self.key.partition(".")[2].rpartition(".")[0]


_PATIENCE = 5
"""Seconds: a repository's configuration may include a pipe, in which git waits for ever."""


def ask(
    *arguments: str, env: Mapping[str, str], directory: str = "/", stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run git, and return what it said in English. Raises MsauthError where that is impossible."""
    git = programs.which("git", env)
    if git is None:
        raise MsauthError("git is not installed", "apt-get install git")
    try:
        return subprocess.run(
            [git, *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            cwd=directory,
            env={**env, "LC_ALL": "C"},
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise MsauthError(f"git does not answer in {directory}", "git config --list") from None
    except OSError as error:
        raise MsauthError(
            f"git cannot run in {directory}: {error.strerror}", "git version"
        ) from error


def elsewhere(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which git looks at the directory it is started in, only."""
    return {name: value for name, value in env.items() if name not in _ELSEWHERE}


def said(done: "subprocess.CompletedProcess[bytes]") -> str:
    """Return the first line of git's complaint."""
    lines = done.stderr.decode("utf-8", "replace").strip().split("\n")
    return lines[0].removeprefix("fatal: ").removeprefix("error: ")


def refusal(done: "subprocess.CompletedProcess[bytes]", directory: str) -> MsauthError | None:
    """Return git's refusal to look at another user's repository, with its remedy.

    git's own words are not passed on: whoever chose the names of the folders has written into
    them. Of the folders that git may mean, the one that it names is the one to be trusted.
    """
    _, known, named = os.fsdecode(done.stderr).rpartition("safe.directory ")
    if not done.returncode or not known:
        return None
    message = f"the repository at {directory} is another user's, and git does not trust it"
    try:
        words = shlex.split(named)
    except ValueError:
        words = []
    above = os.path.realpath(directory)
    folders = [above, *map(str, PurePath(above).parents)]
    if words in [[path] for folder in folders for path in (folder, os.path.join(folder, ".git"))]:
        return MsauthError(
            message, command("git", "config", "--global", "--add", "safe.directory", *words)
        )
    return MsauthError(message, command("ls", "-ld", directory))


def version(env: Mapping[str, str]) -> str:
    """Return git's version, such as `2.39.5`, or "" where there is no git."""
    # A git whose configuration is broken does not even tell its version.
    bare = {**elsewhere(env), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    try:
        words = ask("version", env=bare).stdout.decode("utf-8", "replace").split()
    except MsauthError:
        return ""
    return words[2] if len(words) > 2 else ""


def numbers(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version, to be compared; () for none."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def says_scopes(version: str) -> bool:
    """Say whether a git of this version (2.26 or later) can be asked where its settings stand."""
    return numbers(version) >= (2, 26)


def listed(env: Mapping[str, str], directory: str = "/") -> list[Setting]:
    """Return all settings in the order in which git applies them. Raises MsauthError."""
    arguments = ("config", "--list", "-z", "--show-scope", "--show-origin", "--includes")
    done = ask(*arguments, env=env, directory=directory)
    if done.returncode:
        what = said(done)
        file = what.rpartition(" in file ")[2] if " in file " in what else ""
        hint = files.editor(file) if file else "git config --list"
        raise MsauthError(f"git cannot read its configuration: {what}", hint)
    fields = [os.fsdecode(field) for field in done.stdout.split(b"\0")]
    settings = []
    for scope, origin, setting in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        key, equals, value = setting.partition("\n")
        value = value if equals else "true"  # a name alone
        kind, _, file = origin.partition(":")
        path = os.path.join(directory, file) if kind == "file" else ""
        settings.append(Setting(scope, path, key, value))
    return settings


def matching(urls: Collection[str], url: str, env: Mapping[str, str]) -> set[str]:
    """Return those of a section's URLs that, by git's rules, are for this URL; "" always is."""
    partial = {one for one in urls if not one.partition("://")[2].strip("/")}
    found = {one for one in partial if _is_part(one, url)} | {""}
    whole = sorted(set(urls) - partial)
    if not whole:
        return found
    text = ""
    for number, pattern in enumerate(whole):
        quoted = pattern.replace("\\", "\\\\").replace('"', '\\"')
        text += f'[x "{quoted}"]\n\tm{number} = 1\n'
    arguments = ("config", "--file", "-", "--get-urlmatch", "x", url)
    done = ask(*arguments, env=env, stdin=os.fsencode(text))
    numbers = re.findall(r"^x\.m(\d+) ", done.stdout.decode("ascii", "replace"), re.MULTILINE)
    return found | {whole[int(number)] for number in numbers}


def _is_part(part: str, url: str) -> bool:
    """Say whether a part of a URL (`dev.azure.com`, `https://`; gitcredentials(7)) is of this URL.

    What is not there is for all; what is there must be the same, letter by letter.
    """
    scheme, _, rest = part.rpartition("://")
    return all(
        not wanted or wanted == found
        for wanted, found in zip(_fields(scheme, rest), _fields(*url.split("://", 1)), strict=True)
    )


def _fields(scheme: str, rest: str) -> tuple[str, str, str, str]:
    place, _, path = rest.partition("/")
    user, _, host = place.rpartition("@")
    return scheme, user, host, path.strip("/")


def helpers(settings: list[Setting], url: str, env: Mapping[str, str]) -> list[Setting]:
    """Return the credential helpers that git asks for a URL, in their order."""
    named = of("credential", "helper", settings)
    mine = matching({setting.url for setting in named}, url, env)
    chain: list[Setting] = []
    for setting in named:
        if setting.url not in mine:
            continue
        chain = [*chain, setting] if setting.value else []
    return chain


def of(section: str, name: str, settings: list[Setting]) -> list[Setting]:
    """Return the settings `section.name` and `section.URL.name`."""
    return [
        setting
        for setting in settings
        if setting.key.startswith(f"{section}.") and setting.key.endswith(f".{name}")
    ]


def helper_name(value: str) -> str:
    """Return what a `credential.helper` is called: no arguments, which may hold a secret."""
    if value.startswith("!"):
        return "a shell command"
    try:
        words = shlex.split(value)
    except ValueError:
        words = value.split()
    return os.path.basename(words[0]).removeprefix("git-credential-") if words else ""


def is_ours(setting: Setting) -> bool:
    """Say whether a helper is msauth's."""
    return helper_name(setting.value.removeprefix("!")) == "msauth"
