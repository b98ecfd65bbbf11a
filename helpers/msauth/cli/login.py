"""`msauth login`: sign in now, whatever is cached, and say as whom and until when."""

import sys
import time

from ..broker import renewal
from ..errors import printable
from ..request.options import FLAG
from . import arguments, show

OPTIONS = {**arguments.SIGN_IN_OPTIONS, "--json": FLAG}
HELP = f"""\
usage: msauth login [options] [PRODUCT]

Signs in now (for arm, if neither PRODUCT, --scope nor a profile's scopes say otherwise), keeps
the token for git, kubectl, scripts and SDKs, and says as whom and until when. Browser, device
code and broker sign-ins ask, also when they could answer without.

{arguments.SIGN_IN_HELP}\
  --json                 the same for programs
"""


def run(argv: list[str]) -> int:
    """Sign in. Raises SignInError or UsageError."""
    given = arguments.parse_or_help(argv, OPTIONS, HELP, words=1)
    if given is None:
        return 0
    options, words = given
    request = arguments.request(options, words, interactive=True)
    token = renewal.renew(request, prompt=True)
    if "--json" in options:
        show.as_json(
            {
                "credential": token.credential,
                "account": token.account or None,
                "tenant": token.tenant or None,
                "profile": request.profile or None,
                "scopes": list(request.scopes),
                "expires_on": token.expires_on,
                "expires_at": show.rfc3339(token.expires_on),
            }
        )
        return 0
    who = token.account or "an account that the token does not name"
    sys.stdout.write(f"signed in as {printable(who)}\n")
    show.facts(
        [
            ("by", token.credential),
            ("tenant", token.tenant),
            ("profile", request.profile),
            ("for", " ".join(request.scopes)),
            ("until", show.when(token.expires_on, int(time.time()))),
        ]
    )
    return 0
