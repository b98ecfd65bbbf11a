"""Every program and command of the suite with its help, its options and what their values may be.

Completions and manual pages are made from this table; what it holds is read from where each
command has it, so nothing is listed twice. Not imported by any program's ordinary work.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from ..request.option_help import TEXT as SIGN_IN
from ..request.options import FLAG, MANY
from . import usage
from .program import COMMANDS

VALUE, PROFILE, FILE, FOLDER, ASSIGNMENT = "value", "profile", "file", "folder", "assignment"
"""Kinds of what an option takes: a value, or what is known only when completing. An assignment is
NAME=VALUE."""


class Option(NamedTuple):
    """An option. kind: "" for a flag, else one of those above. values: those that are known."""

    name: str
    about: str
    metavar: str
    kind: str
    values: tuple[str, ...]
    repeatable: bool


class Command(NamedTuple):
    """A program, or a command of one (`msauth login`).

    words: what may stand first after its options. wraps: its arguments are another command.
    takes: FILE or FOLDER where its arguments are any number of these, else "".
    """

    name: str
    summary: str
    help: str
    options: list[Option]
    words: dict[str, str]
    wraps: bool = False
    takes: str = ""


_SHORT = {
    "--help": "show the help",
    "-h": "show the help",
    "--version": "show the version",
}


def commands() -> list[Command]:
    """Return all of them, a program before its commands."""
    return [*_msauth(), _git(), *_token(), _run(), *_helpers(), *_sandbox()]


def lists() -> dict[str, tuple[str, ...]]:
    """Return the lists of values by their names."""
    from ..protocols.formats import FORMATS
    from ..protocols.kubelogin import LOGINS
    from ..request.clouds import CLOUDS, PRODUCTS
    from ..request.kinds import NAMES
    from ..run.tool_env import TOOLS
    from .setup import TARGETS
    from .shells import SHELLS
    from .topics import topics

    return {
        "clouds": tuple(cloud.name for cloud in CLOUDS),
        "credentials": NAMES,
        "formats": FORMATS,
        "logins": tuple(LOGINS),
        "products": PRODUCTS,
        "shells": SHELLS,
        "targets": TARGETS,
        "tools": tuple(TOOLS),
        "topics": tuple(topics()),
    }


_OF_OPTION = {
    "--credential": "credentials",
    "--format": "formats",
    "--environment": "clouds",
    "--product": "products",
    "--allow": "products",
    "--for": "tools",
    "--login": "logins",
    "-e": "products",
}
"""Which list an option's values come from."""
_KINDS = {
    "--profile": PROFILE,
    "-e": ASSIGNMENT,
    "--client-certificate": FILE,
    "--federated-token-file": FILE,
    "--kubeconfig": FILE,
    "--directory": FOLDER,
    "--azure-config-dir": FOLDER,
}


def _options(
    table: dict[str, str],
    text: str,
    short: dict[str, str] | None = None,
    **own: tuple[str, ...],
) -> list[Option]:
    """Return the options of a table with what a help text says of them.

    short: names of one letter, to the long ones; those that the help text has beside a long name
    are found there. own: values that an option has in this program alone, by its name in
    `python_case`.
    """
    described = {**usage.read(f"\n\n{SIGN_IN}").options(), **usage.read(text).options()}
    known = lists()
    found = []
    for name, kind in {**table, "--help": FLAG}.items():
        entry = described.get(name, _NONE)
        about = entry.about or _SHORT.get(name, "")
        if kind == FLAG:
            found.append(Option(name, about, "", "", (), repeatable=False))
            continue
        values = known.get(_OF_OPTION.get(name, ""), ())
        values = own.get(name.strip("-").replace("-", "_"), values)
        takes = _KINDS.get(name, VALUE)
        found.append(Option(name, about, entry.value or "VALUE", takes, values, kind == MANY))
    names = {other: name for name in table for other in described.get(name, _NONE).options}
    names |= short or {}
    long = {option.name: option for option in found}
    return found + [
        long[name]._replace(name=other)
        for other, name in names.items()
        if name in long and other not in long
    ]


_NONE = usage.Entry("", "")


def _described(words: Sequence[str], about: str = "") -> dict[str, str]:
    return dict.fromkeys(words, about)


def _msauth() -> list[Command]:
    from .program import HELP

    known = lists()
    words = {
        "login": _described(known["products"]),
        "inspect": _described(known["products"]),
        "help": _help_words(),
        "completion": _described(known["shells"]),
    }
    summaries = {name: summary for name, (_, summary) in COMMANDS.items()}
    found = [Command("msauth", _FIRST, HELP, _options({"--version": FLAG}, HELP), summaries)]
    for name, (module, summary) in COMMANDS.items():
        if name == "setup":
            found += _setup(summary)
            continue
        place = import_module(f".{module}", __package__)
        options = _options(place.OPTIONS, place.HELP)
        if name == "completion":
            options = _options(place.OPTIONS, place.HELP, values=("profiles", *known))
        own, takes = words.get(name, {}), FOLDER if name == "doctor" else ""
        found.append(
            Command(f"msauth {name}", summary, place.HELP, options, own, takes=takes),
        )
    return found


_FIRST = "one sign-in and one token cache for git, kubectl, scripts and SDKs"


def _help_words() -> dict[str, str]:
    from .topics import topics

    return {**topics(), **{name: summary for name, (_, summary) in COMMANDS.items()}}


def _setup(summary: str) -> list[Command]:
    from . import setup

    targets = {name: setup.target(name) for name in setup.TARGETS}
    words = {name: target.what for name, target in targets.items()}
    found = [Command("msauth setup", summary, setup.HELP, _options({}, setup.HELP), words)]
    for name, target in targets.items():
        text = setup.help_of(target)
        table = setup.COMMON | target.options
        options, takes = _options(table, text), FILE if "FILE" in target.words else ""
        found.append(
            Command(f"msauth setup {name}", target.what, text, options, {}, takes=takes),
        )
    return found


def _git() -> Command:
    from ..git_credential import OPTIONS, PROG
    from ..git_credential_help import HELP

    words = _described(("get", "store", "erase", "capability"))
    about = "git's credential helper for Azure DevOps"
    return Command(PROG, about, HELP, _options(OPTIONS, HELP), words)


def _token() -> list[Command]:
    from ..credential_helpers import go
    from ..credential_helpers.help import GO
    from ..protocols import kubelogin
    from ..setup.kubelogin import CONVERT_OPTIONS
    from ..token import convert
    from ..token.arguments import ALSO_FOR_GET_TOKEN, OPTIONS
    from ..token.help import text

    get_token = "kubelogin get-token, answered from the shared cache"
    converting = "kubelogin convert-kubeconfig, for this program"
    for_go = "for GOAUTH: a token for a module proxy of Azure DevOps"
    words = {
        **_described(lists()["products"]),
        "get-token": get_token,
        "convert-kubeconfig": converting,
        "go": for_go,
    }
    also = {name: OPTIONS[name] for name in ALSO_FOR_GET_TOKEN}
    table = {**kubelogin.OPTIONS, **also}
    return [
        Command(
            "msauth-token",
            "an access token for kubectl, a script or a person",
            text(),
            _options(OPTIONS, text()),
            words,
        ),
        Command(
            "msauth-token get-token",
            get_token,
            text(),
            _options(table, text(), kubelogin.SHORT),
            {},
        ),
        Command(
            "msauth-token convert-kubeconfig",
            converting,
            convert.HELP,
            _options(CONVERT_OPTIONS, convert.HELP, kubelogin.SHORT),
            {},
        ),
        Command("msauth-token go", for_go, GO, _options(go.OPTIONS, GO), {}),
    ]


def _helpers() -> list[Command]:
    from ..credential_helpers import bazel, cargo, docker, nuget, pnpm
    from ..credential_helpers import help as texts

    for_docker = "docker's credential helper for registries of Azure"
    found = (
        (docker, texts.DOCKER, for_docker, docker.ACTIONS),
        (pnpm, texts.PNPM, "pnpm's tokenHelper for Azure Artifacts", ()),
        (bazel, texts.BAZEL, "a credential helper of Bazel for Azure DevOps", ("get",)),
        (cargo, texts.CARGO, "a credential provider of cargo for Azure Artifacts", ()),
        (nuget, texts.NUGET, "a plugin of NuGet that signs in to Azure Artifacts", ()),
    )
    return [
        Command(place.PROG, about, text, _options(place.OPTIONS, text), _described(words))
        for place, text, about, words in found
    ]


def _run() -> Command:
    from ..run.help import HELP
    from ..run.program import OPTIONS

    about = "run a command with tokens in its environment, or with a token endpoint beside it"
    return Command("msauth-run", about, HELP, _options(OPTIONS, HELP), {}, wraps=True)


def _sandbox() -> list[Command]:
    """Return msauth-sandbox, where it is installed with this package."""
    try:
        from msauth_sandbox.cli import SIGN_INS, parser
    except ImportError:
        return []
    text = parser().format_help()
    table = usage.read(text).table()
    options = _options(table, text, sign_in=SIGN_INS, tenant=("contoso", "fabrikam"))
    about = "a miniature Microsoft cloud on this machine, to try msauth with no account"
    return [Command("msauth-sandbox", about, text, options, {}, wraps=True)]
