"""Where our own programs are, and how another program is to call them."""

import os
import sys
from collections.abc import Mapping

from ..errors import MsauthError
from ..signin.programs import which


def installed(name: str) -> str:
    """Return the executable of ours that was installed with the running program.

    The one beside it in the folder that it was called from comes first: an installer's link stays
    when what it leads to moves. Raises MsauthError where there is none.
    """
    called = sys.argv[0] if os.sep in sys.argv[0] else which(sys.argv[0], os.environ) or ""
    places = [os.path.abspath(called), os.path.realpath(called)] if called else []
    for beside in (*places, sys.executable):
        path = os.path.join(os.path.dirname(beside), name)
        if os.access(path, os.X_OK):
            return path
    if found := which(name, os.environ):
        return found
    raise MsauthError(f"{name} is not installed", "msauth help install")


def called(program: str, env: Mapping[str, str]) -> str:
    """Return a program's name if PATH leads to that very executable, else its absolute path."""
    name = os.path.basename(program)
    try:
        if os.path.samefile(which(name, env) or "", program):
            return name
    except OSError:
        pass
    return os.path.abspath(program)
