"""Commands that may not write where the permissions do not let them, also when root tests."""

import os
import shutil

import pytest


def command(*words: str) -> tuple[str, ...]:
    """Return the command, without root's right to write everywhere; or skip the test."""
    if os.geteuid() != 0:
        return words
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv on this machine")
    return ("setpriv", "--bounding-set", "-dac_override", "--", *words)
