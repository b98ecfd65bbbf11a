"""The endpoint of `msauth-run --serve` with one constant answer, as what its throughput is held to.

A program: like msauth-run it runs its arguments as a command that finds the endpoint.
"""

import os
import subprocess
import sys
import time

from msauth.protocols.token_endpoint import TokenQuery
from msauth.request.request import Token
from msauth.run.server import Endpoint, Wanted


class Constant:
    """Gives one token for everything."""

    def __init__(self) -> None:
        self._token = Token("ey" + "x" * 1700, int(time.time()) + 86400)

    def wanted(self, query: TokenQuery) -> Wanted:
        return query.wanted[0], "", None, False

    def known(self, wanted: Wanted) -> Token:
        return self._token

    def get(self, wanted: Wanted) -> Token:
        return self._token


def main() -> int:
    endpoint = Endpoint(Constant())
    endpoint.start()
    return subprocess.run(
        sys.argv[1:], env=os.environ | endpoint.variables(), check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
