"""`MSAUTH_TRACE`: what was decided and why, never a token, a secret or claims.

`1` or `2` writes to stderr; an absolute path appends to that file, born private.
"""

import os
import time

from .errors import printable


def note(prog: str, text: str) -> None:
    """Write one line of trace if MSAUTH_TRACE asks for it; never raises."""
    where = os.environ.get("MSAUTH_TRACE", "")
    if not where or where == "0":
        return
    line = f"{time.time():.3f} {prog}[{os.getpid()}] {printable(text)}\n"
    data = line.encode("utf-8", "backslashreplace")
    try:
        if not where.startswith("/"):
            os.write(2, data)
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(where, flags, 0o600)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
    except OSError:
        pass
