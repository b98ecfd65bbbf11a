"""The checks of values that options, environment and profiles share; each raises UsageError."""

from .options import usage_error

_NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")
_HOST_CHARACTERS = _NAME_CHARACTERS | {":"}


def name(what: str, text: str) -> str:
    """Return a tenant or client id: a GUID or a domain name, or ""."""
    if not _NAME_CHARACTERS.issuperset(text):
        raise usage_error(f"{what} {text!r} is neither a GUID nor a domain name")
    return text


def authority(what: str, text: str) -> str:
    """Return a sign-in authority as `https://host[:port]`, without a trailing slash."""
    text = text.strip()
    if "://" not in text:
        text = "https://" + text
    text = text.rstrip("/")
    host = text[8:]
    if not text.startswith("https://") or not host or not _HOST_CHARACTERS.issuperset(host):
        raise usage_error(f"{what} {text!r} is not an https host")
    return text.lower()


def seconds(what: str, text: str) -> int:
    """Return a number of seconds below eleven days."""
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise usage_error(f"{what} takes a number of seconds")
    return int(text)


def absolute(variable: str, path: str) -> str:
    """Return the path that a variable names.

    A relative one would be found in whatever directory git happens to run, that is, in a
    repository that may be hostile.
    """
    if not path.startswith("/") and path[1:3] not in (":\\", ":/"):
        raise usage_error(f"{variable}={path} is not an absolute path", f"unset {variable}")
    return path
