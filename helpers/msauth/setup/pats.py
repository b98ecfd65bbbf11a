"""Personal access tokens of Azure DevOps: where they are, and how they are taken out.

All global ones stop working on 1 December 2026. Nothing here returns, prints or raises with one:
a finding names the place, and a change that is to be shown has its secrets masked. The bytes of a
file from before are kept by the journal, private, and never beside the file.
"""

import os
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import MsauthError, UsageError, command, printable, say
from ..request.kinds import home
from ..request.options import Options
from . import journal, pat_finders
from .files import Change, current_folder, read
from .finding import Finding
from .pat_finders.secret import Secret
from .pat_finders.shell import VARIABLES, variable
from .pat_finders.shown import masked
from .pat_finders.xml_files import elements
from .pat_places import Env, Place, Places, form_of, git_settings_of, places
from .pat_places import read as text_of
from .targets import DRY_RUN, WORDS, State, Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

END = "1 December 2026"
"""The day on which every global personal access token of Azure DevOps stops working."""
_NAME = "pats"
_MOST = 200
"""So many tokens of one file are told; `msauth setup pats` takes out all of them."""
_WHY = f"global personal access tokens stop working on {END}"
_INSTEAD = {
    "git-config": "then git asks msauth, once `msauth setup git` was run",
    "git-credentials": "then git asks msauth, once `msauth setup git` was run",
    "netrc": "then git asks msauth, once `msauth setup git` was run",
    "npmrc": "then use: msauth-run --for npm -- npm install",
    "yarnrc": "then use: msauth-run --product devops -- yarn install",
    "maven": "then use: msauth-run --product devops -- mvn …",
    "nuget": "then use: msauth-run --for nuget -- dotnet restore",
}
_PIP = re.compile(r"pip\.(conf|ini)|uv\.toml|.*\.(txt|in)")
_OF_PIP = "then use: msauth-run --for pip=FEED -- pip install …"
_OTHERWISE = "then give the tool a token of yours: msauth-run --product devops -- COMMAND"
_BY_HAND = "it cannot be taken out safely: delete it by hand"


class Found(NamedTuple):
    """A secret, the file that it is in and the line, counted from 1."""

    place: Place
    secret: Secret
    line: int


def scan(seen: Places) -> Iterator[Found]:
    """Yield every secret of Azure DevOps in these files."""
    for place in seen.files:
        text = text_of(place.file)
        position, line = 0, 1
        for secret in _secrets(place.form, text, seen)[:_MOST]:
            line += text.count("\n", position, secret.start)
            position = secret.start
            yield Found(place, secret, line)


def _secrets(form: str, text: str, seen: Places) -> list[Secret]:
    """Return the secrets of a text, all to be taken out by hand where a cut would harm the file."""
    found = pat_finders.find(form, text, seen.names)
    if any(secret.cut for secret in found) and _harmed(
        form, text, pat_finders.without(text, found)
    ):
        return [secret._replace(cut=None) for secret in found]
    return found


def findings_in(seen: Places) -> list[Finding]:
    """Return a finding for each secret in these files."""
    return [_finding(found) for found in scan(seen)]


def findings_of(env: Env) -> list[Finding]:
    """Return a finding for each environment variable with a PAT for Azure DevOps."""
    found = []
    for name in sorted(env):
        if not variable(name, env[name], lambda other: env.get(other, "")):
            continue
        known = name in VARIABLES or name.replace("_", "").isalnum()
        why = f"{_WHY}; delete it where it is set (a shell's start file, a service)"
        fix = command("unset", name) if known and not name[0].isdigit() else ""
        message = f"the variable {printable(name)} holds a personal access token"
        found.append(Finding("pat-variable", "error", message, why, printable(name), fix))
    return found


def _finding(found: Found) -> Finding:
    file, form = found.place
    kind = "a token that ends by itself" if found.secret.token else "a personal access token"
    if found.secret.cut is None:
        why, fix = f"{_WHY}; {_BY_HAND}", ""
    else:
        instead = _OF_PIP if _PIP.fullmatch(os.path.basename(file)) else _OTHERWISE
        why = f"{_WHY}; {_INSTEAD.get(form, instead)}"
        fix = command("msauth", "setup", _NAME, file)
    return Finding(
        f"pat-{form}",
        "warning" if found.secret.token else "error",
        f"{kind} {printable(found.secret.what)}",
        why,
        f"{printable(file)}:{found.line}",
        fix,
    )


# --- msauth setup pats ----------------------------------------------------------------------------


def _add(options: Options, env: Env) -> list[Change]:
    """Take every secret out of the files named, else of all that are the person's.

    Raises before anything is written where one of them cannot be changed, and where all that
    there is must be taken out by hand.
    """
    seen = _asked(options, env)
    found = list(scan(seen))
    wanted = list(dict.fromkeys(one.place for one in found if one.secret.cut))
    if not options.get(WORDS):
        wanted = [place for place in wanted if _is_theirs(place)]
    changes = [change for place in wanted for change in _edit(place, seen, env, dry_run=True)]
    left = [one for one in found if one.secret.cut is None or one.place not in wanted]
    _tell_left(left, alone=not wanted)
    if DRY_RUN in options:
        return changes
    return [change for place in wanted for change in _edit(place, seen, env, dry_run=False)]


def _is_theirs(place: Place) -> bool:
    """Say whether a person may change a file: those of the whole system are its owner's."""
    return os.access(os.path.dirname(os.path.realpath(place.file)), os.W_OK)


def _tell_left(left: list[Found], *, alone: bool) -> None:
    """Say what stays; raises when there is nothing else."""
    said = []
    for one in left:
        finding = _finding(one)
        fix = f": {finding.fix}" if finding.fix else f": {_BY_HAND}"
        said.append(f"{finding.message} stays in {finding.place}{fix}")
    if said and alone:
        raise MsauthError("\n".join(said[:2]), "msauth doctor")
    for text in said:
        say("warning", text)


def _edit(place: Place, seen: Places, env: Env, *, dry_run: bool) -> list[Change]:
    def change(data: bytes | None) -> bytes | None:
        if data is None:
            return None
        text = data.decode("latin-1")
        return pat_finders.without(text, _secrets(place.form, text, seen)).encode("latin-1")

    changes = journal.edit(_NAME, place.file, change, env, dry_run=dry_run)
    return [_masked(change, place.form, seen) for change in changes]


def _harmed(form: str, before: str, after: str) -> bool:
    """Say whether a file that could be read cannot be any more, or has lost more than was cut."""
    if form == "git-config":
        old, new = (git_settings_of(text.encode("latin-1")) for text in (before, after))
        lost = before.count("\n") - after.count("\n")
        return old is not None and (new is None or len(old) - len(new) != lost)
    if form == "toml":
        return _parses(before) and not _parses(after)
    if form in ("maven", "nuget"):
        return bool(elements(before)) and not elements(after)
    return False


def _parses(text: str) -> bool:
    try:
        tomllib.loads(text.encode("latin-1").decode("utf-8"))
    except ValueError:
        return False
    return True


def _masked(change: Change, form: str, seen: Places) -> Change:
    """Return a change as it may be shown, with the secrets of all hosts masked."""
    before, after = (
        data and masked(form, data.decode("latin-1"), seen.names).encode()
        for data in (change.before, change.after)
    )
    return Change(change.file, before, after)


def _remove(options: Options, env: Env) -> list[Change]:
    """Put back what was taken out of the files named, else of all."""
    edited = journal.edited(_NAME, env)
    words = [os.path.abspath(word) for word in options.get(WORDS, [])]
    if unknown := [word for word in words if word not in edited]:
        hint = f"msauth setup {_NAME} --undo --dry-run"  # shows what was
        raise UsageError(f"{unknown[0]} was not changed by msauth setup {_NAME}", hint)
    dry_run = DRY_RUN in options
    changes = []
    for file in words or edited:
        form = form_of(file, env) or "netrc"
        seen = Places([Place(file, form)], frozenset(), whole=True)
        for change in journal.undo(_NAME, file, env, dry_run=dry_run):
            changes.append(_masked(change, form, seen))
    return changes


def _asked(options: Options, env: Env) -> Places:
    """Return the files that the words name, else those of the home and below this folder."""
    words = options.get(WORDS, [])
    assert isinstance(words, list)
    here = current_folder()
    if not words:
        return places(env, [here])
    files = []
    for word in words:
        file = os.path.abspath(word)
        form = form_of(file, env)
        if read(os.path.realpath(file))[0] is None:
            raise UsageError(f"{word}: no such file", "msauth doctor")
        if not form:
            raise UsageError(f"{word} is no file in which tokens are known to be", "msauth doctor")
        files.append(Place(file, form))
    around = places(env, [here, *_folders_of(files, env)])
    return Places(files, around.names, around.whole)


def _folders_of(files: list[Place], env: Env) -> list[str]:
    """Return the folders of files, without those in which a home directory is."""
    inside = f"{home(env)}/"
    folders = {f"{os.path.dirname(place.file)}/" for place in files}
    return sorted(folder for folder in folders if not inside.startswith(folder))


def _state(env: Env) -> State:
    seen = places(env, [])
    found = list(scan(seen))
    where = found[0].place.file if found else ""
    held = f"{len(found)} token{'s' * (len(found) != 1)}" if found else "no tokens"
    return State(held, not found, where)


TARGET = Target(
    _NAME,
    "take personal access tokens out of files, so that your sign-in is used",
    {},
    _add,
    _remove,
    _state,
    words="[FILE …]",
    help="""\
  FILE                   only these files (default: all that msauth doctor finds)
""",
)
