"""How every executable reads its command line, by one small table (argparse costs 8 ms), and ends.

An option is a key of the table; its value says how it is read:
`FLAG` stands alone, `VALUE` takes one argument, `MANY` may be repeated. Long options take
`--name VALUE` or `--name=VALUE`; the last one wins.
"""

from ..system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import UsageError

FLAG, VALUE, MANY = "flag", "value", "many"

SIGN_IN = {
    "--tenant": VALUE,
    "--credential": VALUE,
    "--client-id": VALUE,
    "--profile": VALUE,
    "--authority-host": VALUE,
    "--disable-instance-discovery": FLAG,
    "--force-refresh": FLAG,
    "--min-valid": VALUE,
    "--username": VALUE,
    "--no-persist": FLAG,
    "--verbose": FLAG,
}
"""The options that every executable has, spelled alike (see `msauth help commands`)."""

PROFILE_KEYS = {
    # key: (the option it stands for, the variable that beats it)
    "tenant": ("--tenant", "MSAUTH_TENANT"),
    "credential": ("--credential", "MSAUTH_CREDENTIAL"),
    "client_id": ("--client-id", "MSAUTH_CLIENT_ID"),
    "authority_host": ("--authority-host", ""),
    "disable_instance_discovery": ("--disable-instance-discovery", ""),
    "min_valid": ("--min-valid", ""),
    "username": ("--username", ""),
    "identity_resource_id": ("--identity-resource-id", "MSAUTH_IDENTITY_RESOURCE_ID"),
    "persist": ("--no-persist", ""),
    "scopes": ("", ""),
    # These name files and programs, so no command line has them: only the person's own file.
    "assertion": ("--assertion", ""),
    "assertion_audience": ("--assertion-audience", ""),
    "assertion_identity": ("--assertion-identity", ""),
    "az_config_dir": ("", ""),
}
"""The keys of a profile; those without an option are handled by `selection`."""

MATCH = "match"
"""The table of profiles.toml that is no profile: which one is for an organisation or a host."""

ALL_NAMES = "*"
"""What is asked for, in place of a profile's name, to learn which profiles there are."""

Options = dict[str, str | list[str]]


def parse(
    argv: list[str], table: dict[str, str], *, stop_at_command: bool = False
) -> tuple[Options, list[str]]:
    """Split arguments into options (keyed by their full name) and positional words.

    A flag's value is "1". With stop_at_command the first word that is not an option, or what
    follows `--`, ends the options: the rest belongs to the wrapped command.

    Raises UsageError for an unknown option, a missing value or a value given to a flag.
    """
    options: Options = {}
    words: list[str] = []
    index = 0
    while index < len(argv):
        argument = argv[index]
        index += 1
        if argument == "--":
            words += argv[index:]
            break
        if not argument.startswith("-") or argument == "-":
            if stop_at_command:
                words += argv[index - 1 :]
                break
            words.append(argument)
            continue
        name, equals, value = argument, "", ""
        if argument.startswith("--"):
            name, equals, value = argument.partition("=")
        elif argument == "-v":
            name = "--verbose"
        kind = table.get(name)
        if kind is None:
            raise _unknown(name, table)
        if kind == FLAG:
            if equals:
                raise usage_error(f"option {name} takes no value")
            options[name] = "1"
            continue
        if not equals:
            if index == len(argv):
                raise usage_error(f"option {name} needs a value")
            value = argv[index]
            index += 1
        if kind == MANY:
            earlier = options.get(name)
            options[name] = [*earlier, value] if isinstance(earlier, list) else [value]
        else:
            options[name] = value
    return options, words


def one(options: Options, name: str) -> str:
    """Return a single option's value, or the empty string."""
    value = options.get(name, "")
    assert isinstance(value, str)
    return value


def many(options: Options, name: str) -> list[str]:
    """Return a repeatable option's values."""
    value = options.get(name, [])
    assert isinstance(value, list)
    return value


def _unknown(name: str, table: dict[str, str]) -> "UsageError":
    from ..errors import nearest

    near = nearest(name, table)
    return usage_error(f"unknown option {name}", f"did you mean {near}?" if near else "")


def usage_error(message: str, hint: str = "") -> "UsageError":
    """Return a UsageError, by default with the help for a hint; what works never imports it."""
    from ..errors import SEE_HELP, UsageError

    return UsageError(message, hint or SEE_HELP)


def standard_input() -> bytes:
    """Return all of stdin; what cannot be read is not there."""
    chunks = []
    try:
        while chunk := os.read(0, 65536):
            chunks.append(chunk)
    except OSError:
        pass
    return b"".join(chunks)


def write_and_exit(answer: "Callable[[], tuple[int, bytes]]") -> int:
    """Write an answer's bytes to stdout and end the process with its exit code.

    Ends without interpreter teardown, which costs more than a cached answer.
    """
    try:
        code, output = answer()
    except KeyboardInterrupt:
        code, output = 130, b""
    try:
        while output:
            output = output[os.write(1, output) :]
    except OSError as error:
        from ..errors import unwritten

        code = code or unwritten(error)
    os._exit(code)
