"""`az account get-access-token` and `azd auth token`: their arguments, and what they print. Pure.

Seen with azure-cli 2.91, and in the source of azd. What is not known here for certain is None: it
is for the real program to answer.
"""

from .exec_credential import rfc3339
from .formats import local_time

FIELDS = ("accessToken", "expiresOn", "expires_on", "subscription", "tenant", "tokenType")
"""What az prints, in its order; `subscription` only where no tenant was named."""
_OUTPUTS = ("json", "tsv", "none")
_ONE = {
    "--resource": "resource",
    "--resource-type": "resource_type",
    "--tenant": "tenant",
    "-t": "tenant",
    "--subscription": "subscription",
    "--query": "query",
    "--output": "output",
    "-o": "output",
}
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


class Wanted:
    """What is asked for.

    resource, resource_type, tenant, subscription, output: as given, "" if not. scopes: full
    scopes. query: what is to be printed, see `read_query`; None for everything.
    """

    __slots__ = ("output", "query", "resource", "resource_type", "scopes", "subscription", "tenant")

    def __init__(self) -> None:
        self.output = self.resource = self.resource_type = self.subscription = self.tenant = ""
        self.scopes: tuple[str, ...] = ()
        self.query: Query | None = None


class Query:
    """A JMESPath of one level: `field`, `[field, …]` (kind "list") or `{name: field, …}`."""

    __slots__ = ("kind", "names")

    def __init__(self, kind: str, names: "list[tuple[str, str]]") -> None:
        """names: pairs of what a value is to be called and its field."""
        self.kind = kind
        self.names = names

    def reads(self, field: str) -> bool:
        """Say whether a field is printed."""
        return any(name == field for _, name in self.names)


def read_az(argv: "list[str]") -> "Wanted | None":
    """Return what `az account get-access-token …` asks for, or None for any other command line.

    None also where az would complain, expand a file (`@name`) or understand an abbreviation.
    """
    if argv[:2] != ["account", "get-access-token"]:
        return None
    found: dict[str, str] = {}
    scopes: list[str] = []
    words = argv[2:]
    while words:
        option, equals, value = _split(words.pop(0))
        if option == "--only-show-errors" and not equals:
            continue
        if option == "--scope":
            scopes = [value] if equals else _values(words)
            if not all(map(_is_value, scopes)):
                return None
            continue
        if option not in _ONE:
            return None
        if not equals:
            value = words.pop(0) if words else ""
        if not _is_value(value):
            return None
        found[_ONE[option]] = value
    return _wanted(found, tuple(scopes))


def _split(word: str) -> "tuple[str, str, str]":
    """Split `--name=value`; argparse also takes `-ovalue`."""
    if word.startswith("--"):
        return word.partition("=")
    return word[:2], "=" if word[2:] else "", word[2:].removeprefix("=")


def _values(words: "list[str]") -> "list[str]":
    found = []
    while words and not words[0].startswith("-"):
        found.append(words.pop(0))
    return found


def _is_value(value: str) -> bool:
    return bool(value) and value[0] not in "-@"


def _wanted(found: "dict[str, str]", scopes: "tuple[str, ...]") -> "Wanted | None":
    given = Wanted()
    given.scopes = scopes
    query = found.pop("query", "")
    if query:
        given.query = read_query(query)
        if given.query is None:
            return None
    for name, value in found.items():
        setattr(given, name, value)
    several = bool(given.resource) + bool(given.resource_type) + bool(scopes)
    if several > 1 or (given.tenant and given.subscription):
        return None
    if given.resource:
        given.scopes = (given.resource + "/.default",)
    return given


def read_query(text: str) -> "Query | None":
    """Return a query, or None for one that says more than which fields are wanted."""
    text = text.strip()
    if text[:1] == "[" and text[-1:] == "]":
        kind, inner = "list", text[1:-1]
    elif text[:1] == "{" and text[-1:] == "}":
        kind, inner = "hash", text[1:-1]
    else:
        kind, inner = "field", text
    pairs = []
    for part in inner.split(",") if kind != "field" else [inner]:
        name, colon, field = part.partition(":")
        if kind != "hash":
            name, colon, field = "x", ":", part
        name, field = name.strip(), field.strip()
        plain = name and _NAME.issuperset(name) and not name[0].isdigit()
        if not colon or not plain or field not in FIELDS:
            return None
        pairs.append((name, field))
    if len({name for name, _ in pairs}) < len(pairs) and kind == "hash":
        return None
    return Query(kind, pairs)


def can_write(wanted: Wanted, output: str) -> bool:
    """Say whether this output is known; output: the format where none was asked for."""
    return (wanted.output or output) in _OUTPUTS


def write_az(wanted: Wanted, output: str, values: "dict[str, str | int]") -> "str | None":
    """Return what az prints; values: the FIELDS that there are. None where a field is not there.

    output: the format where none was asked for; one that `can_write` knows.
    """
    output = wanted.output or output
    query = wanted.query or Query("hash", [(name, name) for name in FIELDS if name in values])
    if not all(field in values for _, field in query.names):
        return None
    if output == "none":
        return ""
    found = [(name, values[field]) for name, field in query.names]
    if output == "tsv":
        texts = [str(value) for _, value in found]
        return ("\n" if query.kind == "list" else "\t").join(texts) + "\n"
    if query.kind == "field":
        return _quoted(found[0][1]) + "\n"
    if query.kind == "list":
        return "[\n" + ",\n".join(f"  {_quoted(value)}" for _, value in found) + "\n]\n"
    lines = ",\n".join(f'  "{name}": {_quoted(value)}' for name, value in sorted(found))
    return "{\n" + lines + "\n}\n"


def values_of(
    token: str, expires_on: int, tenant: str, subscription: str
) -> "dict[str, str | int]":
    """Return az's FIELDS of a token; subscription: "" for none."""
    found: dict[str, str | int] = {
        "accessToken": token,
        "expiresOn": local_time(expires_on),
        "expires_on": expires_on,
        "tenant": tenant,
        "tokenType": "Bearer",
    }
    if subscription:
        found["subscription"] = subscription
    return found


def _quoted(value: "str | int") -> str:
    """Return a value as JSON; the texts are tokens, GUIDs, names of hosts and dates."""
    return str(value) if isinstance(value, int) else f'"{value}"'


def read_azd(argv: "list[str]") -> "Wanted | None":
    """Return what `azd auth token --output json …` asks for, or None for any other command line.

    None also for claims: azd is asked for those after a server has refused its own token.
    """
    if argv[:2] != ["auth", "token"]:
        return None
    wanted = Wanted()
    scopes = []
    words = argv[2:]
    while words:
        option, equals, value = _split(words.pop(0))
        if option == "--no-prompt" and (not equals or value == "true"):
            continue
        if option not in ("--scope", "--tenant-id", "--output", "-o"):
            return None
        if not equals:
            value = words.pop(0) if words else ""
        if not value or value.startswith("-"):
            return None
        if option == "--scope":
            scopes.append(value)
        elif option == "--tenant-id":
            wanted.tenant = value
        else:
            wanted.output = value
    wanted.scopes = tuple(scopes)
    return wanted if wanted.output == "json" else None


def write_azd(token: str, expires_on: int) -> str:
    """Return what azd prints."""
    return f'{{\n  "token": "{token}",\n  "expiresOn": "{rfc3339(expires_on)}"\n}}\n'
