"""`msauth doctor`: what is wrong on this machine, and the command that mends each of it."""

import os
import shutil
import sys
from collections.abc import Sequence

from ..errors import UsageError, printable
from ..request.options import FLAG
from ..setup import doctor
from ..setup.doctor.machine import Machine
from ..setup.files import current_folder
from ..setup.finding import Finding
from . import arguments, doctor_sign_in, show

OPTIONS = {"--json": FLAG, "--online": FLAG}
HELP = """\
usage: msauth doctor [--json] [--online] [FOLDER …]

Looks for what is wrong: personal access tokens for Azure DevOps, in your files and in the
repositories below each FOLDER (default: the current one); programs, git and kubectl; the
environment, the sign-in, the network and the cache. It changes nothing and shows no secret.
Exit code 0: nothing is wrong, or only what is a note. 1: something is. `msauth help doctor` lists
all that it can find.

  --json                 a list of findings, for programs
  --online               also ask the sign-in service and Azure DevOps
"""


def run(argv: list[str]) -> int:
    """Say what is wrong; 1 if anything is that is more than a note. Raises UsageError."""
    given = arguments.parse_or_help(argv, OPTIONS, HELP, words=len(argv))
    if given is None:
        return 0
    options, folders = given
    for folder in folders:
        if not os.path.isdir(folder):
            raise UsageError(f"{folder} is no folder", "msauth doctor --help")
    machine = Machine(
        os.environ,
        [os.path.abspath(folder) for folder in folders] or [current_folder()],
        program=_program(),
        online="--online" in options,
    )
    more = doctor_sign_in.ONLINE if machine.online else doctor_sign_in.CHECKS
    groups = doctor.findings(machine, more)
    found = [finding for _, findings in groups for finding in findings]
    if "--json" in options:
        show.as_json([finding._asdict() for finding in found])
    else:
        _tell(machine, groups)
    return int(any(finding.severity != "note" for finding in found))


def _program() -> str:
    """Return the file that was started as `msauth`, "" where another program runs us."""
    name = sys.argv[0]
    if os.path.basename(name) != "msauth":
        return ""
    return name if os.sep in name else shutil.which(name) or ""


def _tell(machine: Machine, groups: Sequence[tuple[str, list[Finding]]]) -> None:
    show.facts(doctor_sign_in.who_answers(machine))
    for name, findings in groups:
        lines = [f"{name}:"]
        for finding in findings:
            place = f" ({finding.place})" if finding.place else ""
            lines.append(f"  {finding.severity}: {finding.message}{place}")
            lines.append(f"    {finding.why}")
            if finding.fix:
                lines.append(f"    $ {finding.fix}")
        sys.stdout.write("".join(f"{printable(line)}\n" for line in lines) + "\n")
    found = [finding for _, findings in groups for finding in findings]
    wrong = sum(finding.severity != "note" for finding in found)
    notes = len(found) - wrong
    noted = f", {notes} to note" if notes else ""
    sys.stdout.write(f"{'nothing is wrong' if not wrong else f'{wrong} to mend'}{noted}\n")
