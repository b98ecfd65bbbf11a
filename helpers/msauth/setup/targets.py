"""What a thing is that `msauth setup` sets up: git, kubectl, …; each is a module with a TARGET."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..request.options import Options
from . import journal
from .files import Change
from .finding import Finding

Env = Mapping[str, str]

DRY_RUN = "--dry-run"
"""In the options of `add` and `remove`: return what would change, and change nothing."""

WORDS = ""
"""The key, in the options of `add` and `remove`, of the list of words after the target's name."""


class State(NamedTuple):
    """How it stands with a target on this machine."""

    available: str
    """What makes it possible to set it up here (`git 2.47.1`), or "" where it is not."""

    done: bool
    """Whether it is set up."""

    place: str
    """The file that was, or would be, changed; "" where there is none."""


class Target(NamedTuple):
    """One thing to set up. All of its functions raise MsauthError, having changed nothing."""

    name: str
    what: str
    """One line for a person: what is changed so that what works."""

    options: dict[str, str]
    """Its own options, as request.options.parse takes them, without --dry-run and --undo."""

    add: Callable[[Options, Env], list[Change]]
    """Set it up and return what that changed: nothing, if it was done before."""

    remove: Callable[[Options, Env], list[Change]]
    """Undo `add`, keeping what the person has changed since; return what that changed."""

    state: Callable[[Env], State]

    help: str = ""
    """The lines of its options for --help, two spaces in front, texts from column 25 on."""

    words: str = ""
    """How the usage line calls the words after its name, as `[FILE …]`; "" where it takes none."""

    findings: Callable[[Env], list[Finding]] | None = None
    """What still stands in the way once it is set up; said after `add`, errors exit 1."""

    shown: Callable[[str], str] = str
    """What a line of the diff is shown as, where it may hold a secret (see files.diff)."""


def put_back(name: str) -> Callable[[Options, Env], list[Change]]:
    """Return the `remove` of a target whose files were all edited through the journal."""

    def remove(options: Options, env: Env) -> list[Change]:
        return journal.undo_all(name, env, dry_run=DRY_RUN in options)

    return remove
