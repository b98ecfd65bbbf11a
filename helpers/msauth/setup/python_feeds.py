"""What `msauth setup pip` and `msauth setup uv` share: feeds of Python packages, and `keyring`."""

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ..errors import MsauthError, UsageError, command, printable
from ..request import urls
from ..request.kinds import home
from ..request.options import MANY, Options, many
from ..signin.programs import run, which
from . import files, pats
from .finding import Finding
from .pat_places import Place, Places
from .targets import Env

INDEX = "--index"
OPTIONS = {INDEX: MANY}
SUBPROCESS = "subprocess"
"""What pip and uv call the way in which they start a program `keyring`."""

_BACKEND = "msauth.credential_helpers.keyring_backend"
_CHOSEN = "PYTHON_KEYRING_BACKEND"
_LONGEST = 20
"""Seconds that `keyring` has to say which backends it has."""
_EXAMPLE = "https://pkgs.dev.azure.com/ORGANIZATION/_packaging/FEED/pypi/simple/"


class Index(NamedTuple):
    """A feed of Python packages: its URL as it was given, its organisation and its name."""

    url: str
    organisation: str
    feed: str

    @property
    def url_with_user(self) -> str:
        """The URL as it is written into a configuration, with the organisation as the user.

        uv keeps one password for each host and user, and organisations of several tenants share
        the host; and pip before 26.2 starts `keyring` only where it knows a user.
        """
        return self.url.replace("://", f"://{self.organisation}@", 1)


def index(url: str) -> Index | None:
    """Return whose feed a URL is, or None where it is no Python feed of Azure Artifacts."""
    found = urls.place(url.encode("utf-8", "surrogatepass"))
    feed = re.search(r"/_packaging/([^/?#]+)/pypi/simple/?\Z", url)
    return Index(url, found[1], unquote(feed[1])) if found and found[1] and feed else None


def asked(options: Options, target: str) -> list[Index]:
    """Return the feeds that `--index` names; raises UsageError."""
    result = []
    for url in dict.fromkeys(many(options, INDEX)):
        found = index(url)
        if found is None:
            hint = command("msauth", "setup", target, INDEX, _EXAMPLE)
            raise UsageError(f"{masked(url)} is no Python feed of Azure Artifacts", hint)
        result.append(found)
    return result


def without_user(url: str) -> str:
    """Return a URL without the user that it may name; one with a password stays as it is."""
    return re.sub(r"(?<=://)[^\s/@:]*@", "", url, count=1)


def same(url: str, other: str) -> bool:
    """Say whether two URLs are of one index, whatever users and slashes at the end they have."""
    return without_user(url).rstrip("/") == without_user(other).rstrip("/")


def masked(text: str) -> str:
    """Return a text with the passwords in its URLs masked."""
    return re.sub(r"(://[^\s/@:]*:)[^\s/@]*(?=@)", r"\1***", text)


def unreadable(file: str, program: str, why: object) -> MsauthError:
    """Return the error for a file that its program cannot read either."""
    said = str(why).split("\n", maxsplit=1)[0]
    return MsauthError(f"{program} cannot read {file}: {said}", files.editor(file))


def by_hand(file: str, what: str) -> MsauthError:
    """Return the error for a file that is written in a way that we do not edit."""
    return MsauthError(f"{file} cannot be changed safely: {what}", files.editor(file))


# --- The program --------------------------------------------------------------------------------


def findings(env: Env) -> list[Finding]:
    """Return why the `keyring` that is found on PATH would not ask msauth."""
    program = which("keyring", env)
    if program is None:
        why = "pip and uv start it to get a token"
        return [Finding("keyring-missing", "error", "no keyring on PATH", why, "", _fix(env))]
    if _BACKEND not in _backends(program, env):
        why = "msauth is not installed where it is"
        message = "the keyring on PATH does not ask msauth"
        return [Finding("keyring-foreign", "error", message, why, program, _fix(env, force=True))]
    chosen = env.get(_CHOSEN, "")
    if chosen and not chosen.startswith((_BACKEND, "keyring.backends.chainer.")):
        message = f"{_CHOSEN} is {printable(chosen)}"
        why = "then keyring asks nobody else"
        return [Finding("keyring-chosen", "error", message, why, "", command("unset", _CHOSEN))]
    return []


def overruled(variable: str, env: Env) -> list[Finding]:
    """Return whether a variable says something else than the file that was written."""
    value = env.get(variable, SUBPROCESS)
    if value == SUBPROCESS:
        return []
    message = f"{variable} is {printable(value)}"
    why = "it beats the configuration"
    return [Finding("keyring-variable", "error", message, why, "", command("unset", variable))]


def tokens(file: str, form: str) -> list[Finding]:
    """Return the personal access tokens in a file: pip and uv use these before they ask."""
    return pats.findings_in(Places([Place(file, form)], frozenset(), whole=True))


def _backends(program: str, env: Env) -> str:
    """Return what `keyring` says of its backends; "" where it cannot say it."""
    try:
        done = run([program, "--list-backends"], env, timeout=_LONGEST)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _fix(env: Env, *, force: bool = False) -> str:
    """Return the command that brings a `keyring` with msauth onto PATH, from where msauth is.

    force: there is another one already.
    """
    source = _source()
    installer = os.path.join(source, "install", "install.sh")
    manifest = os.path.join(os.path.dirname(sys.prefix), "manifest")  # beside install.sh's venv
    if source and os.path.exists(installer) and os.path.exists(manifest):
        return command("sh", installer, "--no-git", "--extras", "keyring")
    if source and which("uv", env):
        words = ["uv", "tool", "install", "--force"] if force else ["uv", "tool", "install"]
        return command(*words, "keyring", "--with", source)
    own = os.path.join(os.path.dirname(sys.executable), "keyring")
    if os.path.exists(own):
        folder = os.path.join(home(env), ".local", "bin")
        link = command("ln", "-sf" if force else "-s", own, os.path.join(folder, "keyring"))
        return link if os.path.isdir(folder) else f"{command('mkdir', '-p', folder)} && {link}"
    return command(sys.executable, "-m", "pip", "install", "keyring")


def _source() -> str:
    """Return the checkout or the wheel that msauth was installed from, "" where it is gone."""
    try:
        text = metadata.distribution("msauth").read_text("direct_url.json")
        parts = urlsplit(json.loads(text or "{}").get("url", ""))
    except (metadata.PackageNotFoundError, ValueError):
        return ""
    path = unquote(parts.path)
    return path if parts.scheme == "file" and os.path.exists(path) else ""
