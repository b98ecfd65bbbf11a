"""`msauth-run [options] [--] COMMAND [ARG…]`: a command with Azure tokens in its environment.

Without --serve the process becomes the command, so exit code, signals, job control and streams
are the command's own. No shell is involved and no token is ever an argument.
"""

import os
import sys

from ..broker import broker
from ..errors import UsageError, failed
from ..request.clouds import chosen_authority, normalise_scope, scopes_for
from ..request.options import FLAG, MANY, SIGN_IN, VALUE, Options, many, one, parse
from ..request.request import Token
from ..request.selection import profile_scopes, request_for
from . import execution

PROG = "msauth-run"
OPTIONS = {
    **SIGN_IN,
    "--product": VALUE,
    "--scope": MANY,
    "--environment": VALUE,
    "-e": MANY,
    "--for": MANY,
    "--clean": FLAG,
    "--serve": FLAG,
    "--allow": MANY,
    "--help": FLAG,
    "-h": FLAG,
    "--version": FLAG,
}
_TOKEN = "AZURE_ACCESS_TOKEN"
_EXPIRES_ON = "AZURE_ACCESS_TOKEN_EXPIRES_ON"


def main() -> int:
    """Run; returns only when the command could not be run, or after --serve."""
    try:
        return run(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        return failed(PROG, error)
    except KeyboardInterrupt:
        import signal

        from .child import die_of

        return die_of(signal.SIGINT)


def run(argv: list[str]) -> int:
    """Prepare the environment and become the command. Raises MsauthError."""
    options, words = parse(argv, OPTIONS, stop_at_command=True)
    if {"--help", "-h", "--version"} & options.keys():
        from .. import __version__
        from . import help as run_help

        sys.stdout.write(f"{PROG} {__version__}\n" if "--version" in options else run_help.HELP)
        return 0
    env = execution.environment()
    command = words or [env.get("SHELL") or "/bin/sh"]
    path = execution.find(command[0], env)
    tokens = Tokens(options)
    variables = _variables(options, tokens)
    tools = many(options, "--for")
    endpoint = _endpoint(options, tokens) if "--serve" in options or tools else None
    if "--allow" in options and endpoint is None:
        raise UsageError("--allow belongs to --serve")
    if "--clean" in options or endpoint is not None:
        from .tool_env import SHADOWING

        for name in SHADOWING:
            env.pop(name, None)
    if endpoint is not None:
        endpoint.lead(env)
    for name, scopes in variables.items():
        token = tokens.get(scopes)
        env[name] = token.text
        if name == _TOKEN:
            env[_EXPIRES_ON] = str(token.expires_on)
    if tools:
        from .tool_env import apply

        inherited = options if endpoint is None else {}  # there, the endpoint is the sign-in
        for tool in tools:
            apply(tool, env, inherited, lambda product: tokens.get(tokens.scopes(product)).text)
    if endpoint is not None:
        return endpoint.run(path, command, env)
    return execution.become(path, command, env)


class Tokens:
    """The tokens of this run: one question to the broker for each set of scopes."""

    def __init__(self, options: Options) -> None:
        self.authority = chosen_authority(options, os.environ)
        self._options = options
        self._known: dict[tuple[str, ...], Token] = {}

    def scopes(self, word: str) -> tuple[str, ...]:
        """Return the scopes of a product's name or of a scope. Raises UsageError."""
        if word.isalpha():
            return scopes_for(word, self.authority)
        return (normalise_scope(word),)

    def get(self, scopes: tuple[str, ...]) -> Token:
        """Return a token, signing in if none is cached. Raises SignInError."""
        token = self._known.get(scopes)
        if token is None:
            request = request_for(
                scopes, self._options, os.environ, interactive=execution.may_ask()
            )
            token = self._known[scopes] = broker.get_token(request, prog=PROG)
        return token


def _variables(options: Options, tokens: Tokens) -> dict[str, tuple[str, ...]]:
    """Return which variable gets the token of which scopes.

    AZURE_ACCESS_TOKEN is left out when only a tool or an endpoint was asked for.
    """
    variables: dict[str, tuple[str, ...]] = {}
    product, scopes = one(options, "--product"), many(options, "--scope")
    if product and scopes:
        raise UsageError("--product and --scope exclude each other")
    if scopes:
        variables[_TOKEN] = tuple(map(normalise_scope, scopes))
    elif product or not ("--serve" in options or "--for" in options):
        profile = () if product else profile_scopes(options, os.environ)
        variables[_TOKEN] = profile or tokens.scopes(product or "arm")
    for item in many(options, "-e"):
        name, _, word = item.partition("=")
        if not word or not (name.isascii() and name.isidentifier()):
            raise UsageError("-e takes NAME=PRODUCT or NAME=SCOPE", "-e GRAPH_TOKEN=graph")
        variables[name] = tokens.scopes(word)
    return variables


def _endpoint(options: Options, tokens: Tokens) -> "Serving | None":
    from .tool_env import SERVED

    if "--serve" not in options and not any(tool in SERVED for tool in many(options, "--for")):
        return None
    from .serve import Serving

    return Serving(options, tokens.authority, tokens.scopes, prog=PROG)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .serve import Serving
