"""What the modules of a cached answer have of the operating system, without importing `os`.

Where Python started without `site` (-S), nothing has imported `os` yet, and doing so costs a tenth
of the interpreter's own start. So `os` is here the module of that name where it is loaded already,
else the built-in `posix`, from which `os` itself takes its functions. Whoever imports it from here
uses what both have: no `os.path` and no `os.environ`. Windows has no `posix`, and imports `os`.
"""

import sys
from _stat import S_ISDIR, S_ISREG  # where `stat` has them from

TYPE_CHECKING = False
if TYPE_CHECKING:
    import posix as os
else:
    os = sys.modules.get("os") or sys.modules.get("posix")
    if os is None:
        import os

__all__ = ["S_ISDIR", "S_ISREG", "environment", "fsencode", "is_absolute", "os"]
_WINDOWS = sys.platform == "win32"
_ENVIRONMENT: dict[str, str] = {}
_CODING = (sys.getfilesystemencoding(), "surrogateescape")


def fsencode(text: str) -> bytes:
    """Return the bytes of an argument or a file name, as `os.fsencode`."""
    return text.encode(*_CODING)


def is_absolute(path: str) -> bool:
    """Say whether a path means the same in every directory, as `os.path.isabs`."""
    if _WINDOWS:
        from os.path import isabs

        return isabs(path)
    return path.startswith("/")


def environment() -> dict[str, str]:
    """Return what os.environ holds now: one dict, which every further call brings up to date.

    Looking up a variable in os.environ itself costs a microsecond, and a request asks for eighty.
    """
    if _WINDOWS:
        from os import environ

        now = dict(environ)
    else:
        from posix import environ as data  # what os.environ keeps its variables in

        # A copy, because another thread may set a variable meanwhile.
        now = {name.decode(*_CODING): text.decode(*_CODING) for name, text in data.copy().items()}
    now.pop("", None)  # Python reads a variable without a name, but passes none on to a program
    for name in _ENVIRONMENT.copy().keys() - now.keys():  # never all: another may be reading
        _ENVIRONMENT.pop(name, None)
    _ENVIRONMENT.update(now)
    return _ENVIRONMENT
