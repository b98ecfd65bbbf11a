"""The texts of `msauth help`, which are also manual pages: which there are, and what they say."""

from importlib.resources import files


def topics() -> dict[str, str]:
    """Return each topic with its sentence, in the order in which they are best read."""
    found = {}
    for each in (files("msauth") / "topics").iterdir():
        if each.name.endswith(".md"):
            first = each.read_text("utf-8").partition("\n")[0]
            name, _, sentence = first.removeprefix("# ").partition(": ")
            found[name] = sentence
    return dict(sorted(found.items(), key=_place))


_ORDER = (
    *("install", "git", "kubectl", "feeds", "terraform", "token", "run", "serve"),
    *("sign-in", "profiles", "commands"),
)


def _place(item: tuple[str, str]) -> tuple[int, str]:
    name = item[0]
    return _ORDER.index(name) if name in _ORDER else len(_ORDER), name


def text_of(name: str) -> str:
    """Return a topic's text."""
    return (files("msauth") / "topics" / f"{name}.md").read_text("utf-8")
