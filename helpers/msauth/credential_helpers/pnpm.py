"""`pnpm-token-msauth[-NAME]`: pnpm's `tokenHelper`, which prints the `Authorization` of a host.

pnpm runs it without an argument and tells it no URL, so the name that it is started by says whose
token it is: a profile's, else an organisation's of Azure DevOps, else that of the own sign-in.
`msauth setup pnpm` makes a link of such a name. https://pnpm.io/npmrc#urltokenhelper
"""

import sys

from ..broker import broker
from ..request import profiles
from ..request.clouds import FEED_HOST
from ..request.options import FLAG, SIGN_IN, Options, parse, usage_error, write_and_exit
from ..request.organisations import name_in
from ..request.selection import select
from ..system import environment, fsencode
from .feeds import profile_of_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..request.request import TokenRequest

PROG = "pnpm-token-msauth"
OPTIONS = {**SIGN_IN, "--help": FLAG, "-h": FLAG, "--version": FLAG}


def main() -> int:
    """Answer pnpm, and end the process."""
    return write_and_exit(lambda: run(sys.argv[0], sys.argv[1:], environment()))


def run(program: str, argv: list[str], env: "Mapping[str, str]") -> tuple[int, bytes]:
    """Return the exit code and what goes to stdout. program: argv[0], which may name somebody."""
    try:
        options, words = parse(argv, OPTIONS)
        if "--help" in options or "-h" in options:
            from .help import PNPM

            return 0, PNPM.encode()
        if "--version" in options:
            from .. import __version__

            return 0, f"{PROG} {__version__}\n".encode()
        if words:
            raise usage_error(f"{words[0]!r} is not for {PROG}", f"{PROG} --help")
        request = _request(profile_of_program(program, PROG), options, env)
        token = broker.get_token(request, may_prompt=lambda: broker.may_prompt(env))
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        from ..errors import failed

        return failed(error), b""
    return 0, f"Bearer {token.text}\n".encode()


def _request(name: str, options: Options, env: "Mapping[str, str]") -> "TokenRequest":
    """Return the request for a profile or an organisation, "" for neither. Raises UsageError."""
    organisation = ""
    if name and "--profile" not in options:
        if profiles.exists(name, env):
            options["--profile"] = name
        else:
            organisation = name_in(fsencode(name))
            if not organisation:
                raise usage_error(f"{name!r} is neither a profile nor an organisation")
    selection = select(options, env, organisation=organisation, host=FEED_HOST)
    return broker.devops_request(selection, organisation, [])


if __name__ == "__main__":
    main()
