"""What `msauth-token` is asked: command line, KUBERNETES_EXEC_INFO and environment, as values.

Flags beat the config that a kubeconfig has for the cluster, and that beats the environment.
"""

from ..protocols import exec_credential
from ..request import clouds as products
from ..request.options import FLAG, MANY, SIGN_IN, VALUE, Options, many, one, parse, usage_error
from ..request.request import TokenRequest
from ..request.selection import profile_scopes, request_for

OPTIONS = {
    **SIGN_IN,
    "--scope": MANY,
    "--format": VALUE,
    "--claims": VALUE,
    "--environment": VALUE,
    "--list-products": FLAG,
    "--help": FLAG,
    "-h": FLAG,
    "--version": FLAG,
}
_THEIR_COMMANDS = ("convert-kubeconfig", "remove-cache-dir", "remove-tokens")


class Question:
    """The options, the words, and whether it was asked in kubelogin's language.

    info: what a Kubernetes client said, None for anybody else and for other formats than exec.
    """

    __slots__ = ("as_kubelogin", "format", "info", "options", "words")

    def __init__(self, argv: list[str], env: "Environment") -> None:
        """Read the command line; `get-token` puts what its flags select into env.

        Raises UsageError.
        """
        self.as_kubelogin = argv[:1] == ["get-token"]
        self.words: list[str] = []
        try:
            if self.as_kubelogin:
                self.options = _from_kubelogin(argv[1:], env)
            else:
                self.options, self.words = parse(argv, OPTIONS)
                _refuse_their_commands(self.words)
            self.format = one(self.options, "--format") or "exec"
            self.info = None
            if self.format != "exec":
                _check_format(self.format)
            elif env.get("KUBERNETES_EXEC_INFO"):
                self.info = exec_credential.read(env["KUBERNETES_EXEC_INFO"])
                self._add(self.info.config)
        except ValueError as error:
            raise usage_error(*map(str, error.args[:2])) from None
        if len(self.words) > 1:
            raise usage_error(f"one product at a time, not {' '.join(self.words)}")

    def asks_for(self, *names: str) -> bool:
        """Say whether one of these flags was given."""
        return any(name in self.options for name in names)

    def authority(self, env: "Environment") -> str:
        """Return the sign-in authority; raises UsageError."""
        return products.chosen_authority(self.options, env)

    def request(self, env: "Environment", *, interactive: bool) -> TokenRequest:
        """Return the request; raises UsageError."""
        return request_for(
            self._scopes(self.authority(env), env),
            self.options,
            env,
            interactive=interactive,
            claims=_claims(one(self.options, "--claims")),
        )

    def _scopes(self, authority: str, env: "Environment") -> tuple[str, ...]:
        scopes = many(self.options, "--scope")
        server = one(self.options, "--server-id")
        if scopes and self.words:
            raise usage_error(f"give either the product {self.words[0]} or --scope")
        if scopes:
            return tuple(dict.fromkeys(map(products.normalise_scope, scopes)))
        if self.words:
            return products.scopes_for(self.words[0], authority)
        if server:
            return (products.normalise_scope(server),)
        if self.as_kubelogin:
            raise usage_error(
                "--server-id is required", f"for AKS it is --server-id {products.AKS_SERVER}"
            )
        return profile_scopes(self.options, env) or products.scopes_for("aks", authority)

    def _add(self, config: dict[str, str]) -> None:
        """Take from the cluster's config what no flag has decided."""
        for name, value in config.items():
            if name in ("--server-id", "--scope"):
                if not self.words and not self.asks_for("--scope", "--server-id"):
                    self.options[name] = [value] if name == "--scope" else value
            elif name not in self.options:
                self.options[name] = value


def _from_kubelogin(argv: list[str], env: "Environment") -> Options:
    from ..protocols import kubelogin

    ours = ("--format", "--claims", "--min-valid", "--force-refresh", "--help", "-h", "--profile")
    table = {**kubelogin.OPTIONS, **{name: OPTIONS[name] for name in ours}}
    flags, words = parse(kubelogin.normalised(argv), table)
    if words:
        raise usage_error(f"get-token takes options only, not {words[0]!r}")
    options = {name: flags[name] for name in ours if name in flags}
    if "--help" in options or "-h" in options:
        return options
    theirs = {name: value for name, value in flags.items() if isinstance(value, str)}
    chosen, changes = kubelogin.translate(theirs, env)
    for name, value in changes.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return {**options, **chosen}


def _check_format(name: str) -> None:
    from ..protocols.formats import FORMATS

    if name not in FORMATS:
        raise usage_error(f"unknown format {name!r}", "one of: " + ", ".join(FORMATS))


def _claims(text: str) -> str | None:
    """Return a claims challenge's JSON, which may be given in base64 as servers send it."""
    if not text:
        return None
    import base64
    import json

    try:
        if not text.lstrip().startswith("{"):
            data = text.replace("-", "+").replace("_", "/").encode()
            text = base64.b64decode(data + b"=" * (-len(data) % 4), validate=True).decode()
        if isinstance(json.loads(text), dict):
            return text
    except ValueError:
        pass
    raise usage_error("--claims is neither a JSON object nor one in base64")


def _refuse_their_commands(words: list[str]) -> None:
    if words and words[0] in _THEIR_COMMANDS:
        from ..protocols.kubelogin import other_command

        raise other_command(words[0])


TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    Environment = os._Environ[str] | dict[str, str]
