"""Where git keeps the configuration of each scope, and where the file of ours for it is."""

import os
import stat
from collections.abc import Mapping
from typing import NamedTuple

from ..errors import MsauthError
from . import git_settings
from .files import current_folder
from .gitconfig import include_value


class Place(NamedTuple):
    """A configuration of git's, and the file of ours that it is to include."""

    config: str
    include: str

    values: tuple[bytes, ...]
    """How its `include.path` is spelled: the first is written, the others are found, too."""

    mode: int = 0o600
    """The permissions of the file of ours."""


def place(scope: str, env: Mapping[str, str]) -> Place:
    """Return the place for `--global`, `--system`, or `--local`: the current repository's."""
    if scope == "--system":
        config = _system_config(env)
        include = os.path.join(os.path.dirname(config), "msauth", "gitconfig")
        return Place(config, include, (include_value(include),), 0o644)
    if scope == "--local":
        folder = _common_directory(env)
        config, name = os.path.join(folder, "config"), "msauth-gitconfig"
        # Who may read the configuration must be able to read what it includes, and git takes a
        # relative name from where the configuration is: the repository may move.
        mode = stat.S_IMODE(os.stat(config).st_mode) & 0o666 if os.path.exists(config) else 0o644
        return Place(config, os.path.join(folder, name), (name.encode(),), mode)
    return place_of(config_file(env), include_file(env), env)


def place_of(config: str, include: str, env: Mapping[str, str]) -> Place:
    """Return the place of a person's own configuration."""
    return Place(config, include, (include_value(include, env.get("HOME")), include_value(include)))


def config_file(env: Mapping[str, str]) -> str:
    """Return the file that `git config --global` writes, found as git finds it."""
    if chosen := env.get("GIT_CONFIG_GLOBAL"):
        return os.path.abspath(chosen)
    home = os.path.join(_home(env), ".gitconfig")
    folder = env.get("XDG_CONFIG_HOME") or os.path.join(_home(env), ".config")
    xdg = os.path.join(folder, "git", "config")
    return xdg if os.path.exists(xdg) and not os.path.exists(home) else home


def include_file(env: Mapping[str, str]) -> str:
    """Return where the file of ours is kept: with msauth's settings, not with its programs."""
    folder = env.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):  # a relative one is to be ignored (XDG Base Directory)
        folder = os.path.join(_home(env), ".config")
    return os.path.join(folder, "msauth", "gitconfig")


def _system_config(env: Mapping[str, str]) -> str:
    """Return the file that `git config --system` writes, which was fixed when git was built."""
    if chosen := env.get("GIT_CONFIG_SYSTEM"):
        return os.path.abspath(chosen)
    env = {**git_settings.elsewhere(env), "GIT_EDITOR": "printf '%s\\n'"}
    env.pop("GIT_CONFIG_NOSYSTEM", None)
    for words in (("var", "GIT_CONFIG_SYSTEM"), ("config", "--system", "--edit")):
        done = git_settings.ask(*words, env=env)  # git 2.42 has the first; the second opens nothing
        path = os.fsdecode(done.stdout.removesuffix(b"\n"))
        if done.returncode == 0 and os.path.isabs(path):
            return path
    raise MsauthError(
        "git does not say where its system configuration is", "git config --system -l"
    )


def _common_directory(env: Mapping[str, str]) -> str:
    """Return the directory that all work trees of the current repository share."""
    here = current_folder()
    words = ("rev-parse", "--path-format=absolute", "--git-common-dir")
    done = git_settings.ask(*words, env=env, directory=here)
    if done.returncode:
        raise git_settings.refusal(done, here) or MsauthError(
            f"{here} is in no repository of git's: {git_settings.said(done)}",
            "msauth setup git --global",
        )
    found = done.stdout.removeprefix(b"--path-format=absolute\n")  # git before 2.31 says it back
    folder = os.path.join(here, os.fsdecode(found.removesuffix(b"\n")))
    if not os.path.isdir(folder):
        raise MsauthError(f"git does not say where the repository of {here} is", "git version")
    return folder


def _home(env: Mapping[str, str]) -> str:
    home = env.get("HOME", "")
    if os.path.isabs(home):
        return home
    what = f"HOME is not an absolute path: {home}" if home else "HOME is not set"
    raise MsauthError(what, "export HOME=/your/home/directory")
