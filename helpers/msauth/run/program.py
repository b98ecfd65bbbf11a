"""`msauth-run [options] [--] COMMAND [ARG…]`: a command with Azure tokens in its environment.

Without --serve the process becomes the command, so exit code, signals, job control and streams
are the command's own. No shell is involved and no token is ever an argument.
"""

import sys

from ..broker import broker
from ..request.clouds import normalise_scope
from ..request.options import FLAG, MANY, SIGN_IN, VALUE, Options, many, one, parse, usage_error
from ..request.request import Token, TokenRequest
from ..request.selection import Selection, select
from ..system import environment
from . import execution

OPTIONS = {
    **SIGN_IN,
    "--product": VALUE,
    "--scope": MANY,
    "--environment": VALUE,
    "-e": MANY,
    "--for": MANY,
    "--clean": FLAG,
    "--shims": FLAG,
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
        if sys.argv[1:2] == ["--answer-as"]:  # a shim's own start, see shims.place
            from ..shims import program as shim

            return shim.main(sys.argv[2], sys.argv[3:])
        return run(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
        from ..errors import failed

        return failed(error)
    except KeyboardInterrupt:
        import signal

        from .child import die_of

        return die_of(signal.SIGINT)


def run(argv: list[str]) -> int:
    """Prepare the environment and become the command. Raises MsauthError."""
    options, words = parse(argv, OPTIONS, stop_at_command=True)
    if {"--help", "-h", "--version"} & options.keys():
        return _help(options)
    env = execution.given_environment()
    command = words or [env.get("SHELL") or "/bin/sh"]
    if "--shims" in options:
        from ..setup.programs import installed
        from ..shims import place

        place.add(env, installed("msauth-run"))
    path = execution.find(command[0], env)
    tokens = Tokens(options)
    variables = _variables(options, tokens.selection)
    serving = _serving(options, tokens.selection)
    if serving is not None:
        serving.set_environment(env)
    elif "--clean" in options:
        from .tool_env import remove_identities

        remove_identities(env)
    for name, scopes in variables.items():
        tokens.put(name, scopes, env)
    # Beside an endpoint, that is the sign-in of a tool of ours too.
    chosen = options if serving is None else {}
    tokens.put_tools(many(options, "--for"), chosen, env)
    if "--shims" in options:
        from ..shims import program as shim

        env[shim.VARIABLE] = shim.packed(chosen)
    if serving is not None:
        return serving.run(path, command, env)
    return execution.become(path, command, env)


def _help(options: Options) -> int:
    from .. import __version__
    from ..errors import flush_stdout, prepare_stdout
    from .help import HELP

    prepare_stdout()
    sys.stdout.write(f"msauth-run {__version__}\n" if "--version" in options else HELP)
    return flush_stdout(0)


class Tokens:
    """The tokens of this run: the broker is asked once for each sign-in and set of scopes."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.env = environment()
        self.selection = select(options, self.env)
        self._known: dict[bytes, Token] = {}

    def get(self, scopes: tuple[str, ...]) -> Token:
        """Return a token, signing in if none is cached. Raises SignInError."""
        return self._answer(self.selection.request(scopes, interactive=True))

    def of_feed(self, url: str) -> Token:
        """Return a token of the tenant of a feed's organisation. Raises UsageError, SignInError."""
        from ..credential_helpers.feeds import devops_request

        request = devops_request(url.encode(), self.options, self.env)
        if request is None:
            raise usage_error(f"{url} is not the URL of an Azure Artifacts feed")
        return self._answer(request)

    def _answer(self, request: TokenRequest) -> Token:
        token = self._known.get(request.cache_key)
        if token is None:
            token = broker.get_token(request, may_prompt=lambda: broker.may_prompt(self.env))
            self._known[request.cache_key] = token
        return token

    def put(self, name: str, scopes: tuple[str, ...], env: dict[str, str]) -> None:
        """Put a token into a variable. Raises SignInError."""
        token = self.get(scopes)
        env[name] = token.text
        if name == _TOKEN:
            env[_EXPIRES_ON] = str(token.expires_on)

    def put_tools(self, tools: list[str], options: Options, env: dict[str, str]) -> None:
        """Put what each tool of --for reads into env. Raises UsageError, SignInError."""
        if not tools:
            return
        from .tool_env import apply

        def token_of(product: str, feed: str) -> str:
            if feed:
                return self.of_feed(feed).text
            return self.get(self.selection.scopes_for(product)).text

        for tool in tools:
            apply(tool, env, options, token_of)


def _variables(options: Options, selection: Selection) -> dict[str, tuple[str, ...]]:
    """Return which variable gets the token of which scopes.

    AZURE_ACCESS_TOKEN is left out when only a tool, shims or an endpoint were asked for.
    """
    variables: dict[str, tuple[str, ...]] = {}
    product, scopes = one(options, "--product"), many(options, "--scope")
    if product and scopes:
        raise usage_error("--product and --scope exclude each other")
    if scopes:
        variables[_TOKEN] = tuple(map(normalise_scope, scopes))
    elif product or not {"--serve", "--for", "--shims"} & options.keys():
        profile = () if product else selection.scopes
        variables[_TOKEN] = profile or selection.scopes_for(product or "arm")
    for item in many(options, "-e"):
        name, _, word = item.partition("=")
        if not word or not (name.isascii() and name.isidentifier()):
            raise usage_error("-e takes NAME=PRODUCT or NAME=SCOPE", "-e GRAPH_TOKEN=graph")
        variables[name] = selection.scopes_for(word)
    return variables


def _serving(options: Options, selection: Selection) -> "Serving | None":
    """Return the endpoint that --serve or a tool of --for needs, listening already."""
    tools = many(options, "--for")
    if tools:
        from .tool_env import SERVED
    if "--serve" not in options and not any(tool in SERVED for tool in tools):
        if "--allow" in options:
            raise usage_error("--allow belongs to --serve")
        return None
    from .serve import Serving

    return Serving(selection)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .serve import Serving
