"""Make the clusters of a kubeconfig ask msauth-token, where they ask kubelogin now, and undo it.

Which files these are, kubectl decides: --kubeconfig, else those in KUBECONFIG, of which the first
that names a thing wins, else ~/.kube/config.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ..errors import MsauthError, UsageError, command, nearest, say
from ..request.options import MANY, VALUE, Options, many, one
from ..signin.programs import which
from . import files, journal, kubelogin, programs
from .files import Change
from .finding import Finding
from .kubeconfig import Kubeconfig, Plugin, text
from .kubeconfig_shown import masked
from .targets import DRY_RUN, Env, State, Target

_NAME = "kubectl"
_PROGRAM = "msauth-token"
_OPTIONS = {"--context": MANY, "--kubeconfig": VALUE, "--login": VALUE}
_HELP = """\
  --context NAME         only the user of this context; repeatable
  --kubeconfig FILE      this file, and not those that kubectl reads
  --login METHOD         sign in like this from now on, in kubelogin's words: azurecli, devicecode,
                         interactive, spn, msi … (default: as now)
"""
_AKS = ".azmk8s.io"

Arguments = Callable[[Mapping[Any, Any]], list[str] | None]


def convert(
    options: Options, env: Env, arguments: Arguments, variables: Mapping[str, str] | None = None
) -> list[Change]:
    """Let the users that ask kubelogin ask msauth-token; return what changed.

    arguments: what a user's arguments shall be, None for the same; its ValueError says why the
    user is left as it is, which is said to the person. variables: what to add to their `env`.
    options: --context, --kubeconfig and --dry-run. Raises MsauthError, having changed no file.
    """
    chosen = _chosen(options, env)
    if not any(map(os.path.lexists, chosen)):
        say("note", f"there is no kubeconfig yet: {', '.join(chosen)}")
        say("hint", "az aks get-credentials --resource-group GROUP --name CLUSTER")
    called = programs.called(programs.installed(_PROGRAM), env)
    left: dict[str, None] = {}

    def change(file: str) -> Callable[[bytes | None], bytes | None]:
        def changed(data: bytes | None) -> bytes | None:
            if data is None:
                return None
            config = _read(file, data)
            plugins, reasons = _plugins(
                config, file, chosen.get(file), arguments, called=called, env=env
            )
            plugins = {n: p._replace(env=variables or {}) for n, p in plugins.items()}
            try:
                after, unusual = config.with_plugins(plugins)
            except ValueError as error:
                raise _wrong(file, error) from None
            for name, reason in (reasons | unusual).items():
                left[f"{file}: user {name} is left as it is: {reason}"] = None
            if after != data:
                files.refuse_link(file)
            return after

        return changed

    made: list[Change] = []
    for dry_run in (True,) if DRY_RUN in options else (True, False):
        made = [
            done
            for file in chosen
            for done in journal.edit(_NAME, file, change(file), env, dry_run=dry_run)
        ]
    for line in left:
        say("note", line)
    return _shown(made, options)


def findings(env: Env) -> list[Finding]:
    """Return what is wrong with the kubeconfigs that kubectl reads; runs nothing."""
    found: list[Finding] = []
    try:
        paths = list(_paths({}, env))
    except MsauthError:
        return []
    for file in paths:
        try:
            data, status = files.read(file)
            if data is None or status is None:
                continue
            if status.st_mode & 0o077:
                found.append(_readable_by_others(file))
            config = Kubeconfig(data)
        except (MsauthError, OSError, ValueError) as error:
            what = getattr(error, "message", None) or getattr(error, "strerror", None) or error
            message = f"a kubeconfig cannot be read: {what}"
            why = "kubectl fails with every cluster"
            found.append(Finding("kubeconfig-broken", "error", message, why, file, ""))
            continue
        for name, user in config.users.items():
            found += _wrong_with(name, user, config, file, env)
    return found


def _wrong_with(
    name: str, user: Mapping[Any, Any], config: Kubeconfig, file: str, env: Env
) -> Iterator[Finding]:
    place = f"{file}: user {name}"
    fix = command("msauth", "setup", _NAME)
    if kubelogin.is_provider(user):
        message = f"the cluster user {name} has kubectl's own Azure sign-in"
        why = "kubectl has none since 1.26, and fails"
        yield Finding("kubeconfig-auth-provider", "error", message, why, place, fix)
    elif kubelogin.is_exec(user) and not _runs(user, file, env):
        message = f"the cluster user {name} signs in with kubelogin, which is not on PATH"
        yield Finding("kubelogin-missing", "error", message, "kubectl fails", place, fix)
    elif kubelogin.is_exec(user):
        message = f"the cluster user {name} signs in with kubelogin"
        why = "it has a sign-in and a cache of its own, and asks again for each"
        yield Finding("kubelogin", "note", message, why, place, fix)
    elif kubelogin.is_ours(user) and not _runs(user, file, env):
        message = f"the cluster user {name} runs {text(user['exec'].get('command'))}"
        why = "there is no such program, so kubectl fails"
        yield Finding("kubeconfig-command", "error", message, why, place, fix)
    elif _has_static_token(user) and _is_for_aks(config.servers.get(name, ())):
        message = f"the cluster user {name} has a token or a password in the file"
        why = "it opens the cluster to whoever reads the file, and does not expire with a sign-in"
        yield Finding("kubeconfig-static-token", "warning", message, why, place, "")


def _readable_by_others(file: str) -> Finding:
    message = "a kubeconfig is open to other users of this machine"
    why = "it may hold keys to clusters"
    fix = command("chmod", "go=", file)
    return Finding("kubeconfig-mode", "warning", message, why, file, fix)


def _has_static_token(user: Mapping[Any, Any]) -> bool:
    return any(text(user.get(key)) for key in ("token", "password"))


def _is_for_aks(servers: Collection[str]) -> bool:
    hosts = (server.partition("://")[2].partition("/")[0].partition(":")[0] for server in servers)
    return any(host.lower().endswith(_AKS) for host in hosts)


def _plugins(
    config: Kubeconfig,
    file: str,
    chosen: Collection[str] | None,
    arguments: Arguments,
    *,
    called: str,
    env: Env,
) -> tuple[dict[str, Plugin], dict[str, str]]:
    """Return the users' new plugins, and why a user gets none."""
    plugins: dict[str, Plugin] = {}
    left: dict[str, str] = {}
    for name, user in config.users.items():
        if chosen is not None and name not in chosen:
            continue
        ours = kubelogin.is_ours(user)
        if not (ours or kubelogin.is_exec(user) or kubelogin.is_provider(user)):
            if chosen:
                left[name] = "it does not sign in with kubelogin"
            continue
        try:
            words = arguments(user)
        except ValueError as error:
            left[name] = str(error)
            continue
        if not ours or not _runs(user, file, env):
            plugins[name] = Plugin(called, words)
        elif words is not None:
            plugins[name] = Plugin(text(user["exec"].get("command")), words)
    return plugins, left


def _runs(user: Mapping[Any, Any], file: str, env: Env) -> bool:
    """Say whether a user's plugin is there; a relative path is one from the kubeconfig's folder."""
    name = text(user["exec"].get("command"))
    if os.path.basename(name) == name:
        return which(name, env) is not None
    return os.access(os.path.join(os.path.dirname(file), name), os.X_OK)


def _paths(options: Options, env: Env) -> Iterator[str]:
    """Yield the files, absolute; only --kubeconfig has to exist. Raises MsauthError."""
    if explicit := one(options, "--kubeconfig"):
        if not os.path.exists(explicit):
            raise MsauthError(f"there is no file {explicit}", command("kubectl", "config", "view"))
        yield os.path.abspath(explicit)
        return
    names = [name for name in env.get("KUBECONFIG", "").split(os.pathsep) if name]
    if not env.get("KUBECONFIG"):
        home = env.get("HOME", "") or os.path.expanduser("~")
        names = [os.path.join(home, ".kube", "config")]
    yield from dict.fromkeys(map(os.path.abspath, names))


def _chosen(options: Options, env: Env) -> dict[str, set[str] | None]:
    """Return, for each file, the users that --context means; None: all of them."""
    paths = list(_paths(options, env))
    contexts = many(options, "--context")
    if not contexts:
        return dict.fromkeys(paths)
    configs = {}
    for path in paths:
        data = files.read(path)[0]
        if data is not None:
            configs[path] = _read(path, data)
    chosen: dict[str, set[str] | None] = {}
    for context in contexts:
        user = next((c.contexts[context] for c in configs.values() if context in c.contexts), None)
        if user is None:
            near = nearest(context, {name for c in configs.values() for name in c.contexts})
            hint = f"did you mean --context {near}?" if near else "kubectl config get-contexts"
            raise UsageError(f"there is no context {context}", hint)
        file = next((path for path, c in configs.items() if user in c.users), None)
        if file is None:
            raise UsageError(
                f"the context {context} has no user in {', '.join(configs)}",
                "kubectl config get-contexts",
            )
        users = chosen.setdefault(file, set())
        assert users is not None
        users.add(user)
    return chosen


def _read(file: str, data: bytes) -> Kubeconfig:
    try:
        return Kubeconfig(data)
    except ValueError as error:
        raise _wrong(file, error) from None


def _wrong(file: str, error: ValueError) -> MsauthError:
    hint = command("kubectl", "--kubeconfig", file, "config", "view")
    return MsauthError(f"{file} cannot be changed: {error}", hint)


def _shown(changes: list[Change], options: Options) -> list[Change]:
    """Return changes; those of a dry run, which a person will look at, without secrets."""
    if DRY_RUN not in options:
        return changes
    return [Change(file, masked(before), masked(after)) for file, before, after in changes]


def _add(options: Options, env: Env) -> list[Change]:
    login = one(options, "--login")
    kubelogin.check_login(login)

    def arguments(user: Mapping[Any, Any]) -> list[str] | None:
        if login:
            return kubelogin.converted(user, {"--login": login})
        return None if kubelogin.is_ours(user) else kubelogin.arguments(user)

    return convert(options, env, arguments)


def _remove(options: Options, env: Env) -> list[Change]:
    if "--context" in options or "--login" in options:
        raise UsageError("--undo takes back all of a file", "msauth setup kubectl --undo")
    edited = journal.edited(_NAME, env)
    if "--kubeconfig" in options:
        wanted = os.path.abspath(one(options, "--kubeconfig"))
        edited = [file for file in edited if file == wanted]
    for file in edited:
        files.refuse_link(file)
    dry_run = DRY_RUN in options
    made = [c for file in edited for c in journal.undo(_NAME, file, env, dry_run=dry_run)]
    return _shown(made, options)


def _state(env: Env) -> State:
    ours, others, place = 0, 0, ""
    for file in _paths({}, env):
        try:
            data = files.read(file)[0]
        except OSError as error:
            raise MsauthError(f"{file} cannot be read: {error.strerror}") from error
        if data is None:
            continue
        config = _read(file, data)
        place = place or file
        ours += sum(map(kubelogin.is_ours, config.users.values()))
        others += sum(
            kubelogin.is_exec(user) or kubelogin.is_provider(user) for user in config.users.values()
        )
    count = ours + others
    available = f"{count} user{'s' * (count != 1)} of AKS" if count else ""
    return State(available, bool(ours) and not others, place)


TARGET = Target(
    _NAME,
    "make kubectl ask msauth for AKS, in place of kubelogin",
    _OPTIONS,
    _add,
    _remove,
    _state,
    _HELP,
)
