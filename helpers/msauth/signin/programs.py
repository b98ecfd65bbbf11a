"""Finding the programs that sign in for us: az, azd, pwsh."""

import os
import shutil
from collections.abc import Mapping


def which(program: str, env: Mapping[str, str]) -> str | None:
    """Return a program's path from PATH, never from the current directory (CVE-2020-26233)."""
    found = shutil.which(program, path=env.get("PATH"))
    return found if found and os.path.isabs(found) else None
