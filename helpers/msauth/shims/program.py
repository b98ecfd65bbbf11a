"""What a shim does: answer for a token, and become the real az or azd for all the rest.

The answer is of the person or application that msauth-run was started for. Where that cannot be
az's own sign-in, az is not asked for a token in our place: it would answer as somebody else.
"""

from ..broker import broker
from ..errors import MsauthError
from ..protocols import az as protocol
from ..request.clouds import CHINA, normalise_scope
from ..request.kinds import az_directory
from ..request.options import SIGN_IN, VALUE, Options, one, parse
from ..request.selection import Selection, select
from ..run import execution
from . import place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..protocols.az import Wanted
    from ..request.request import Token
    from .subscription import Subscription

VARIABLE = "MSAUTH_SHIM_OPTIONS"
"""The sign-in options of msauth-run for its shims, a line each."""
_OPTIONS = {**SIGN_IN, "--environment": VALUE}
_SEPARATOR = "\n"
_AZ_KINDS = ("azure-cli", "azure-cli-cache")
_TYPES = {"arm": "", "ms-graph": "graph", "oss-rdbms": "postgres"}


class _NotOursError(Exception):
    """The real program is to answer."""


def packed(options: Options) -> str:
    """Return the sign-in options among those of msauth-run, for VARIABLE.

    --force-refresh is not among them: it means the first token, not every one.
    """
    words = []
    for name, kind in _OPTIONS.items():
        if name in options and name != "--force-refresh":
            words.append(f"{name}={one(options, name)}" if kind == VALUE else name)
    return _SEPARATOR.join(words)


def main(name: str, argv: list[str]) -> int:
    """Answer as `az` or `azd`; returns an exit code, unless the real one takes over."""
    env = execution.given_environment()
    given = env.pop(VARIABLE, "")
    # From here on az is the real one, for us too: a sign-in of ours may have to ask it.
    env["PATH"] = place.without(env.get("PATH", place.DEFAULT_PATH))
    try:
        output = answer(name, argv, given, env)
    except _NotOursError:
        # Found as PATH says: it is the command's own call, which we must not change.
        path = execution.find(name, {**env, "PATH": place.without(env["PATH"], name)})
        return execution.become(path, [name, *argv], env)
    from ..request.options import write_and_exit

    return write_and_exit(lambda: (0, output.encode("ascii", "backslashreplace")))


def answer(name: str, argv: list[str], given: str, env: dict[str, str]) -> str:
    """Return what the program prints. Raises _NotOursError, UsageError, SignInError.

    given: the value of VARIABLE. env: the environment, with no shim in its PATH.
    """
    wanted = (protocol.read_az if name == "az" else protocol.read_azd)(argv)
    if wanted is None and not _asks_for_a_token(name, argv):
        raise _NotOursError
    options, _ = parse(given.split(_SEPARATOR) if given else [], _OPTIONS)
    selection = select(options, env)
    if wanted is None:
        raise _not_ours(name, selection)
    if name == "azd":
        token = _token(_in_tenant(options, env, wanted.tenant), name, wanted)
        return protocol.write_azd(token.text, token.expires_on)
    output = _default_output(wanted, env)
    if not protocol.can_write(wanted, output):
        raise _not_ours(name, selection)
    subscription = _subscription(wanted, selection)
    tenant = wanted.tenant
    if wanted.subscription:
        if subscription is None:
            raise _not_ours(name, selection)
        tenant = subscription.tenant
        if not subscription.current:  # it may be another person's than az's current one
            env = {**env, "MSAUTH_SUBSCRIPTION": subscription.id}
    token = _token(_in_tenant(options, env, tenant), name, wanted)
    shown = ""
    if subscription is not None and subscription.tenant == token.tenant.lower():
        shown = subscription.id
    # az repeats a tenant as it was named.
    values = protocol.values_of(token.text, token.expires_on, wanted.tenant or token.tenant, shown)
    text = protocol.write_az(wanted, output, values)
    if text is None:
        raise _not_ours(name, selection)
    return text


def _in_tenant(options: Options, env: dict[str, str], tenant: str) -> Selection:
    """Return the selection; a tenant that the caller names beats that of msauth-run."""
    return select({**options, "--tenant": tenant} if tenant else options, env)


def _asks_for_a_token(name: str, argv: list[str]) -> bool:
    words = ["account", "get-access-token"] if name == "az" else ["auth", "token"]
    return argv[:2] == words and not {"--help", "-h"} & set(argv)


def _not_ours(name: str, selection: Selection) -> Exception:
    """Return why the real program answers, or the error where it would do so as somebody else."""
    chosen = selection.credential
    if chosen in ("auto", *_AZ_KINDS, "azure-developer-cli"):
        return _NotOursError()
    return MsauthError(
        f"--shims: this is not answered for {chosen}, and {name} would answer as somebody else",
        "ask for --output json, without --query",
    )


def _token(selection: Selection, name: str, wanted: "Wanted") -> "Token":
    """Return a token; nobody is asked, as az asks nobody here.

    Where az's own sign-in fails, az says so in its own words, which programs look for.
    """
    from ..errors import SignInError, UnavailableError

    request = selection.request(_scopes(selection, name, wanted))
    try:
        return broker.get_token(request, may_prompt=lambda: False)
    except SignInError as error:
        chosen = selection.credential
        if chosen in _AZ_KINDS or (chosen == "auto" and isinstance(error, UnavailableError)):
            raise _NotOursError from None
        raise


def _scopes(selection: Selection, name: str, wanted: "Wanted") -> tuple[str, ...]:
    if wanted.scopes:
        return tuple(map(normalise_scope, wanted.scopes))
    cloud = selection.cloud
    if name == "azd":
        return (cloud.resource("arm") + "//.default",)
    kind = wanted.resource_type or "arm"
    if kind not in _TYPES:
        raise _not_ours(name, selection)
    if kind == "arm":  # az says it by its older name, with a slash
        return (next(alias for alias, p in cloud.aliases.items() if p == "arm") + "//.default",)
    slash = "/" if kind == "ms-graph" and cloud is not CHINA else ""
    return (f"{cloud.resource(_TYPES[kind])}{slash}/.default",)


def _subscription(wanted: "Wanted", selection: Selection) -> "Subscription | None":
    """Return the subscription that az would answer for, where that is asked for or shows.

    az's own list of them is read for nothing else.
    """
    shows = not wanted.tenant and (wanted.query is None or wanted.query.reads("subscription"))
    if not wanted.subscription and not shows:
        return None
    from .subscription import find

    return find(wanted.subscription, selection.env)


def _default_output(wanted: "Wanted", env: dict[str, str]) -> str:
    """Return the format where the command line names none, "" where az's configuration does."""
    if wanted.output:
        return wanted.output
    if env.get("AZURE_CORE_OUTPUT"):
        return env["AZURE_CORE_OUTPUT"].lower()
    try:
        with open(az_directory(env) + "/config", "rb", buffering=0) as file:
            return "" if b"output" in (file.read(1 << 20) or b"").lower() else "json"
    except OSError:
        return "json"
