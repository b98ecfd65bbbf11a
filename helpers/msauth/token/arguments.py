"""What `msauth-token` is asked: command line, KUBERNETES_EXEC_INFO and environment, as values.

Flags beat the config that a kubeconfig has for the cluster, and that beats the environment.
"""

from ..protocols import exec_credential
from ..request.clouds import AKS_SERVER, DEVOPS_HOST, normalise_scope
from ..request.options import FLAG, MANY, SIGN_IN, VALUE, Options, one, parse, usage_error
from ..request.selection import Selection, select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..request.request import TokenRequest
    from .cluster import ClusterConfig

OPTIONS = {
    **SIGN_IN,
    "--scope": MANY,
    "--organization": VALUE,
    "--format": VALUE,
    "--claims": VALUE,
    "--environment": VALUE,
    "--allow-cluster-config": VALUE,
    "--list-products": FLAG,
    "--help": FLAG,
    "-h": FLAG,
    "--version": FLAG,
}
ALSO_FOR_GET_TOKEN = (
    "--format",
    "--claims",
    "--min-valid",
    "--force-refresh",
    "--profile",
    "--allow-cluster-config",
    "--help",
    "-h",
)
_THEIR_COMMANDS = ("remove-cache-dir", "remove-tokens")


class TokenArguments:
    """The options and the product, and whether they were said in kubelogin's language.

    env: the environment to sign in with; another mapping than what was given where kubelogin's
    flags select an identity. info: what a Kubernetes client said, None for anybody else and for
    other formats than exec. kubelogin: its flags as typed, None without `get-token`.
    """

    __slots__ = ("_cluster", "env", "format", "info", "kubelogin", "options", "product")

    def __init__(self, argv: list[str], env: "Mapping[str, str]") -> None:
        """Read them; raises UsageError."""
        self.env = env
        self.product = ""
        self.info: exec_credential.ExecInfo | None = None
        self._cluster: ClusterConfig | None = None
        try:
            self.kubelogin = _kubelogin_flags(argv) if "get-token" in argv else None
            if self.kubelogin is None:
                self._read(argv)
            else:
                self._translate(self.kubelogin)
            self.format = one(self.options, "--format") or "exec"
            if self.format != "exec":
                _check_format(self.format)
            elif env.get("KUBERNETES_EXEC_INFO"):
                self.info = exec_credential.read(env["KUBERNETES_EXEC_INFO"])
                if self.info.config:
                    self._add(self.info.config)
        except ValueError as error:
            raise usage_error(*map(str, error.args[:2])) from None

    def has(self, *names: str) -> bool:
        """Say whether one of these flags was given."""
        return any(name in self.options for name in names)

    def selection(self) -> Selection:
        """Return what they select; raises UsageError."""
        organisation = self._organisation()
        host = DEVOPS_HOST if organisation else ""
        return select(self.options, self.env, organisation=organisation, host=host)

    def request(self, *, interactive: bool) -> "TokenRequest":
        """Return the request; raises UsageError."""
        selection = self.selection()
        scopes = self._scopes(selection)
        if self._cluster is not None:
            self._cluster.check_scopes(scopes)
        claims = _claims(one(self.options, "--claims"))
        organisation = self._organisation()
        if organisation:
            from ..broker.broker import devops_request

            found = devops_request(selection, organisation, [])
            return found.with_(interactive=interactive, claims=claims)
        request = selection.request(scopes, interactive=interactive, claims=claims)
        if self.kubelogin is not None:
            from ..protocols.kubelogin import missing

            error = missing(request, self.kubelogin)
            if error is not None:
                raise usage_error(*error.args)
        return request

    def _organisation(self) -> str:
        """Return the organisation whose tenant is asked for, "" for none; raises UsageError."""
        name = one(self.options, "--organization")
        if not name:
            return ""
        if self.product not in ("", "devops") or "--scope" in self.options:
            raise usage_error(
                "--organization is for the product devops",
                f"msauth-token devops --organization {name}",
            )
        from ..request.organisations import organisation

        found = organisation(b"https", DEVOPS_HOST.encode(), name.encode(), b"")
        if not found or found != name.lower():
            raise usage_error(f"{name!r} is no name of an organisation")
        return found

    def _read(self, argv: list[str]) -> None:
        self.options, words = parse(argv, OPTIONS)
        if len(words) > 1:
            raise usage_error(f"one product at a time, not {' '.join(words)}")
        if words and words[0] in _THEIR_COMMANDS:
            from ..protocols.kubelogin import other_command

            raise other_command(words[0])
        self.product = "".join(words)

    def _translate(self, flags: Options) -> None:
        """Put kubelogin's flags into our options, and what they select into an environment."""
        self.options = {name: flags[name] for name in ALSO_FOR_GET_TOKEN if name in flags}
        if self.has("--help", "-h"):
            return
        from ..protocols.kubelogin import translate

        theirs = {name: value for name, value in flags.items() if isinstance(value, str)}
        chosen, changes = translate(theirs, self.env)
        self.options.update(chosen)
        merged = {**self.env, **changes}
        self.env = {name: value for name, value in merged.items() if value is not None}

    def _add(self, config: "Mapping[str, str]") -> None:
        from .cluster import OPTION, VARIABLE, ClusterConfig

        allowed = one(self.options, OPTION) or self.env.get(VARIABLE, "")
        decided = {**self.options, "--scope": self.product} if self.product else self.options
        self._cluster = ClusterConfig(config, allowed, decided)
        self.options.update(self._cluster.chosen)

    def _scopes(self, selection: Selection) -> tuple[str, ...]:
        server = one(self.options, "--server-id")
        if server and "--scope" not in self.options:
            return (normalise_scope(server),)
        if self.kubelogin is not None and "--scope" not in self.options:
            raise usage_error("--server-id is required", f"for AKS it is --server-id {AKS_SERVER}")
        return selection.chosen_scopes(self.product, "aks")


def _kubelogin_flags(argv: list[str]) -> Options | None:
    from ..protocols import kubelogin

    arguments = kubelogin.after("get-token", argv)
    if arguments is None:
        return None
    table = {**kubelogin.OPTIONS, **{name: OPTIONS[name] for name in ALSO_FOR_GET_TOKEN}}
    flags, words = parse(kubelogin.normalised(arguments), table)
    if words:
        raise usage_error(f"get-token takes options only, not {words[0]!r}")
    return flags


def _check_format(name: str) -> None:
    from ..protocols.formats import FORMATS

    if name not in FORMATS:
        raise usage_error(f"unknown format {name!r}", "one of: " + ", ".join(FORMATS))


def _claims(text: str) -> str | None:
    """Return a claims challenge's JSON, which may be given in base64 as servers send it."""
    if not text:
        return None
    if not text.lstrip().startswith("{"):
        from ..protocols.base64url import json_object

        found = json_object(text)
        if found is not None:
            return found[0]
    else:
        import json

        try:
            if isinstance(json.loads(text), dict):
                return text
        except ValueError:
            pass
    raise usage_error("--claims is neither a JSON object nor one in base64")
