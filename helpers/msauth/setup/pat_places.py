"""Which files may hold a token for Azure DevOps: those of the person's home, and of folders.

Folders may be somebody else's repositories: nothing of theirs is run, no link is followed, only
small regular files are read, and the walk is bounded.
"""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..request.kinds import az_directory, home
from .pat_finders.tables import table_names
from .pat_finders.xml_files import maven_names, nuget_names

Env = Mapping[str, str]
MOST_FOLDERS = 20_000
"""So many folders are looked into; a home directory with everything in it has about as many."""
_DEEPEST = 16
_LARGEST = 1 << 20
_SKIPPED = frozenset(
    (
        *("node_modules", "__pycache__", "site-packages", ".venv", "venv", ".tox", ".nox"),
        *(".cache", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".gradle"),
        *("target", "proc", "sys", ".Trash"),
    )
)
_BY_NAME = {
    ".envrc": "shell",
    ".env": "shell",
    ".git-credentials": "git-credentials",
    ".gitconfig": "git-config",
    ".gitmodules": "git-config",
    ".lfsconfig": "git-config",
    ".netrc": "netrc",
    ".npmrc": "npmrc",
    ".pypirc": "ini",
    ".yarnrc.yml": "yarnrc",
    "_netrc": "netrc",
    "auth.toml": "toml",
    "bunfig.toml": "toml",
    "credentials.toml": "toml",
    "nuget.config": "nuget",
    "personalaccesstokens": "ini",
    "pip.conf": "ini",
    "pip.ini": "ini",
    "pipfile": "toml",
    "poetry.toml": "toml",
    "pom.xml": "maven",
    "pyproject.toml": "toml",
    "settings.xml": "maven",
    "uv.toml": "toml",
}
_IN_FOLDERS = frozenset(_BY_NAME) - {".gitconfig", "auth.toml", "personalaccesstokens"}
_CARGO = ("config.toml", "config", "credentials.toml", "credentials")
_REQUIREMENTS = re.compile(r"(requirements|constraints).*\.(txt|in)", re.IGNORECASE)
_SHELLS = (
    *(".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshrc", ".zshenv", ".zprofile"),
    *(".zlogin", ".pam_environment", ".config/fish/config.fish", ".config/fish/fish_variables"),
)


class Place(NamedTuple):
    """A file (an absolute path) and its format, a key of pat_finders.FINDERS."""

    file: str
    form: str


class Places(NamedTuple):
    """files: none twice. names: what they call feeds of ours. whole: all was looked at."""

    files: list[Place]
    names: frozenset[str]
    whole: bool


def places(env: Env, folders: list[str], *, at_home: bool = True) -> Places:
    """Return the files to look at: of the person, and of folders and the repositories in them."""
    found = dict.fromkeys(_home_places(env) if at_home else ())
    whole = True
    for folder in folders:
        walk = _Walk(folder)
        found.update(dict.fromkeys(walk))
        whole = whole and walk.whole
    existing = [place for place in found if os.path.lexists(place.file)]
    return Places(existing, _names(existing), whole)


def form_of(file: str, env: Env) -> str:
    """Return the format of a file that a person names, "" where it cannot be told."""
    target = os.path.realpath(file)
    for place in _home_places(env):
        if os.path.realpath(place.file) == target:
            return place.form
    name, folder = os.path.basename(file), os.path.basename(os.path.dirname(file))
    if folder == ".cargo" and name in _CARGO:
        return "toml"
    if name in ("config", "config.worktree") and _is_git_folder(os.path.dirname(file)):
        return "git-config"
    if _REQUIREMENTS.fullmatch(name):
        return "urls"
    if name in ("auth.ini", "rc") and folder == "pnpm":
        return "npmrc"
    return _BY_NAME.get(name.lower(), "")


def read(file: str) -> str:
    """Return a file's bytes as latin-1 text, "" where it is missing, large or no regular file."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return ""
    with open(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return ""
        try:
            return stream.read(_LARGEST).decode("latin-1")
        except OSError:
            return ""


def git_settings(file: str) -> list[tuple[str, str]] | None:
    """Return the keys and values of one file of git's; None where git cannot read it."""
    return git_settings_of(read(file).encode("latin-1"))


_silent: set[str] = set()
"""The PATHs whose git did not answer: no bytes can do that, so it will not for others either."""


def git_settings_of(data: bytes) -> list[tuple[str, str]] | None:
    """Return the keys and values that git reads in bytes: no include, no repository, no program."""
    command = ["git", "config", "--file", "-", "--no-includes", "--list", "-z"]
    quiet = {"PATH": os.environ.get("PATH", os.defpath), "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/"}
    if quiet["PATH"] in _silent:
        return None
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, cwd="/", env=quiet, check=False, timeout=5
        )
    except subprocess.TimeoutExpired:
        _silent.add(quiet["PATH"])
        return None
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode:
        return None
    pairs = (item.partition("\n") for item in done.stdout.decode("latin-1").split("\0")[:-1])
    return [(key, value) for key, _, value in pairs]


# --- At home --------------------------------------------------------------------------------------


def _home_places(env: Env) -> Iterator[Place]:
    base = home(env)
    config = env.get("XDG_CONFIG_HOME") or f"{base}/.config"
    data = env.get("XDG_DATA_HOME") or f"{base}/.local/share"

    def of(form: str, *files: str) -> Iterator[Place]:
        for file in files:
            if os.path.isabs(file):
                yield Place(os.path.normpath(file), form)

    yield from _git_places(env, base, config)
    yield from of("netrc", env.get("NETRC", ""), f"{base}/.netrc", f"{base}/_netrc")
    npm = env.get("NPM_CONFIG_USERCONFIG") or env.get("npm_config_userconfig") or ""
    yield from of("npmrc", npm, f"{base}/.npmrc", f"{config}/pnpm/auth.ini", f"{config}/pnpm/rc")
    yield from of("yarnrc", f"{base}/.yarnrc.yml")
    pip = [env.get("PIP_CONFIG_FILE", ""), f"{base}/.pip/pip.conf", f"{config}/pip/pip.conf"]
    if sys.platform == "darwin":
        pip.append(f"{base}/Library/Application Support/pip/pip.conf")
    yield from of("ini", *pip, "/etc/pip.conf", f"{base}/pip/pip.ini", f"{base}/.pypirc")
    yield from of("toml", env.get("UV_CONFIG_FILE", ""), f"{config}/uv/uv.toml", "/etc/uv/uv.toml")
    yield from of("toml", f"{data}/uv/credentials/credentials.toml", f"{base}/.bunfig.toml")
    yield from of("toml", f"{config}/pypoetry/auth.toml", f"{config}/pypoetry/config.toml")
    yield from of("nuget", f"{base}/.nuget/NuGet/NuGet.Config", f"{config}/NuGet/NuGet.Config")
    yield from of("nuget", *_listed(f"{base}/.nuget/config"), *_listed(f"{config}/NuGet/config"))
    yield from of("maven", f"{base}/.m2/settings.xml", env.get("MAVEN_SETTINGS", ""))
    cargo = env.get("CARGO_HOME") or f"{base}/.cargo"
    yield from of("toml", *(f"{cargo}/{name}" for name in _CARGO))
    yield from of("ini", f"{az_directory(env)}/azuredevops/personalAccessTokens")
    yield from of("shell", *(f"{base}/{name}" for name in _SHELLS), "/etc/environment")
    yield from of("shell", *_listed(f"{config}/environment.d"))


def _listed(folder: str) -> list[str]:
    try:
        return sorted(entry.path for entry in os.scandir(folder) if entry.is_file())[:100]
    except OSError:
        return []


def _git_places(env: Env, base: str, config: str) -> Iterator[Place]:
    """Return git's own files, what they include, and where its `store` helper keeps passwords."""
    waiting = [env.get("GIT_CONFIG_GLOBAL") or f"{base}/.gitconfig"]
    if not env.get("GIT_CONFIG_GLOBAL"):
        waiting.append(f"{config}/git/config")
    if env.get("GIT_CONFIG_NOSYSTEM", "0").lower() in ("", "0", "false", "no", "off"):
        waiting.append(env.get("GIT_CONFIG_SYSTEM") or "/etc/gitconfig")
    seen: set[str] = set()
    stores = [f"{base}/.git-credentials", f"{config}/git/credentials"]
    while waiting and len(seen) < 100:
        file = waiting.pop(0)
        if file in seen or not os.path.isabs(file):
            continue
        seen.add(file)
        yield Place(file, "git-config")
        for key, value in git_settings(file) or ():
            if re.fullmatch(r"include(if\..*)?\.path", key, re.DOTALL):
                waiting.append(_expanded(value, base, os.path.dirname(file)))
            elif key.startswith("credential.") and key.endswith(".helper"):
                named = re.match(
                    r"(?:\S*git-credential-)?store\s+--file[= ](\S+|\"[^\"]+\")", value
                )
                if named:
                    stores.append(_expanded(named[1].strip("\"'"), base, "/"))
    for file in stores:
        yield Place(file, "git-credentials")


def _expanded(path: str, base: str, folder: str) -> str:
    if path.startswith("~/"):
        path = base + path[1:]
    return os.path.normpath(os.path.join(folder, path))


# --- In folders -----------------------------------------------------------------------------------


class _Walk:
    """The files below a folder that may hold a token; of a repository also git's own files."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.abspath(folder)
        self.whole = True
        """Whether everything was looked at; valid once the walk has ended."""

    def __iter__(self) -> Iterator[Place]:
        yield from self._above()
        waiting, count = [(self._folder, 0)], 0
        while waiting:
            folder, depth = waiting.pop()
            count += 1
            if count > MOST_FOLDERS:
                self.whole = False
                return
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                continue
            if _is_git_folder(folder):
                yield from _repository(folder)
                continue
            for entry in entries:
                if entry.name == ".git":
                    if not entry.is_symlink():
                        yield from _repository(_git_folder(entry.path))
                elif entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED and depth < _DEEPEST:
                        waiting.append((entry.path, depth + 1))
                elif entry.is_file(follow_symlinks=False):
                    form = _form_in_folder(entry.path)
                    if form:
                        yield Place(entry.path, form)

    def _above(self) -> Iterator[Place]:
        """Return what is above: the repository that the folder is in, and its own settings."""
        folder = self._folder
        while True:
            parent = os.path.dirname(folder)
            if parent == folder or os.path.lexists(f"{self._folder}/.git"):
                return
            if os.path.lexists(f"{parent}/.git"):
                yield from _repository(_git_folder(f"{parent}/.git"))
                for name in (".gitmodules", ".npmrc", ".yarnrc.yml", "NuGet.config", "uv.toml"):
                    file = f"{parent}/{name}"
                    if os.path.isfile(file) and not os.path.islink(file):
                        yield Place(file, _form_in_folder(file))
                return
            folder = parent


def _form_in_folder(file: str) -> str:
    name = os.path.basename(file)
    if os.path.basename(os.path.dirname(file)) == ".cargo" and name in _CARGO:
        return "toml"
    if _REQUIREMENTS.fullmatch(name):
        return "urls"
    return _BY_NAME[name.lower()] if name.lower() in _IN_FOLDERS else ""


def _is_git_folder(folder: str) -> bool:
    """Say whether a folder is a repository's own: a `.git`, one of a submodule, or a bare one."""
    if os.path.isfile(f"{folder}/commondir"):
        return os.path.isfile(f"{folder}/HEAD")
    wanted = (os.path.isfile(f"{folder}/config"), os.path.isfile(f"{folder}/HEAD"))
    return all(wanted) and os.path.isdir(f"{folder}/objects")


def _git_folder(dot_git: str) -> str:
    """Return where `.git` leads: itself, or what the file says (submodules and worktrees)."""
    if os.path.isdir(dot_git):
        return dot_git
    match = re.match(r"gitdir: ([^\n]+)", read(dot_git))
    return _expanded(match[1].strip(), "", os.path.dirname(dot_git)) if match else dot_git


def _repository(folder: str) -> Iterator[Place]:
    """Return the configuration of a repository, of its worktrees and of its submodules."""
    common = read(f"{folder}/commondir").strip()
    base = _expanded(common, "", folder) if common else folder
    if not _is_git_folder(folder):
        return
    yield Place(f"{base}/config", "git-config")
    yield Place(f"{folder}/config.worktree", "git-config")
    waiting, count = [f"{base}/modules", f"{base}/worktrees"], 0
    while waiting and count < 1000:
        inside, count = waiting.pop(), count + 1
        try:
            entries = sorted(os.scandir(inside), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name in ("config", "config.worktree"):
                if entry.is_file(follow_symlinks=False):
                    yield Place(entry.path, "git-config")
            elif entry.is_dir(follow_symlinks=False) and entry.name not in (
                "objects",
                "refs",
                "hooks",
                "logs",
                "lfs",
            ):
                waiting.append(entry.path)


# --- What the files call our feeds ----------------------------------------------------------------

_NAMES = {"maven": maven_names, "nuget": nuget_names, "toml": table_names, "ini": table_names}


def _names(files: list[Place]) -> frozenset[str]:
    """Return the names that files give to feeds of ours, and none to anybody else's."""
    ours: set[str] = set()
    theirs: set[str] = set()
    for file, form in files:
        if form in _NAMES:
            for name, is_ours in _NAMES[form](read(file)).items():
                (ours if is_ours else theirs).add(name)
    return frozenset(ours - theirs)
