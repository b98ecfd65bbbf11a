"""`msauth login`: sign in now, whatever is cached, and say as whom, until when and what is kept."""

import sys
import time

from .. import signin
from ..broker import renewal
from ..cache.folder import VERSION, cache_base
from ..errors import printable
from ..request.kinds import KINDS
from ..request.request import Token, TokenRequest
from . import arguments, show

HELP = f"""\
usage: msauth login [options] [PRODUCT]

Signs in now (for arm, if neither PRODUCT, --scope nor a profile's scopes say otherwise), keeps
the token for git, kubectl, scripts and SDKs, and says as whom, until when and what is kept where.
Browser, device code and broker sign-ins ask, also when they could answer without. What cannot be
kept is a failure, unless --no-persist says that nothing shall be.

{arguments.SIGN_IN_HELP}\
  --json                 the same for programs
"""
OPTIONS = {**arguments.SIGN_IN_OPTIONS, "--json": "flag"}


def run(argv: list[str]) -> int:
    """Sign in. Raises SignInError or UsageError."""
    given = arguments.parse_or_help(argv, OPTIONS, HELP, words=1)
    if given is None:
        return 0
    options, words = given
    request = arguments.request(options, words, interactive=True)
    token = renewal.renew(request, prompt=True)
    folder, sign_in = _kept(request, token)
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
                "kept": {"token": folder or None, "sign_in": sign_in or None},
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
            ("kept", f"the token in {folder}" if folder else "nothing (persist is off)"),
            ("", _words(sign_in, token)),
        ]
    )
    return 0


def _kept(request: TokenRequest, token: Token) -> tuple[str, str]:
    """Return the folder of the token, and where the sign-in behind it is; "" for nowhere."""
    if not request.persist:
        return "", ""
    ours = token.credential in ("browser", "device-code")
    return f"{cache_base(request.env)}/{VERSION}", signin.kept_in(request) if ours else ""


def _words(sign_in: str, token: Token) -> str:
    tool = KINDS[token.credential].tool if token.credential in KINDS else ""
    if tool:
        return f"the sign-in by {tool} itself"
    if sign_in == "keyring":
        return "the sign-in in the keyring"
    what = f"the sign-in in {sign_in}, readable by you and root: there is no keyring here"
    return what if sign_in else ""
