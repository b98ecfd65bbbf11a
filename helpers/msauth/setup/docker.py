"""docker and its kin: `credHelpers` for registries of Azure, in the files that they read.

Those are docker's config.json, which all of them read, and the own files of podman (and skopeo)
and of helm, if they are there: what these say of a registry comes before docker's.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from ..errors import MsauthError, UsageError, command
from ..request import values
from ..request.clouds import REGISTRY_DOMAINS
from ..request.kinds import home
from ..request.options import Options, many
from ..request.urls import registry
from ..signin.programs import which
from . import files, journal, json_splice, programs
from .files import Change
from .finding import Finding
from .targets import DRY_RUN, WORDS, Env, State, Target

_NAME = "docker"
_HELPER = "msauth"
_PROGRAM = f"docker-credential-{_HELPER}"
_CLIENTS = ("docker", "podman", "skopeo", "crane", "oras", "helm")
_HELP = """\
Registries that the files hold a password for are set up too, and the password is taken out.
`msauth help feeds` says how a registry finds its tenant.

"""


def with_helpers(data: bytes | None, registries: list[str]) -> bytes:
    """Return a file that lets us answer for registries and holds no password of theirs.

    A registry that one of our helpers answers for already stays as it is. Raises ValueError.
    """
    before = json_splice.read(data)
    text = json_splice.text_of(data)
    helpers = _table(before, "credHelpers")
    for host in registries:
        if not _is_ours(helpers.get(host)):
            text = json_splice.put(text, ("credHelpers", host), json.dumps(_HELPER))
    for name, entry in _table(before, "auths").items():
        if entry and _host(name) in registries:
            text = json_splice.remove(text, ("auths", name))
    return text.encode()


def merged(
    after: bytes | None, data: bytes | None, before: bytes | None
) -> tuple[bytes | None, bool]:
    """Return data with the change from before to after taken back, and whether it could be.

    docker writes its file anew, and in its own layout, with each login.
    """
    if data == after or data is None:
        return (before if data is not None else None), True
    try:
        old, ours, theirs = (json_splice.read(each) for each in (before, after, data))
        first, text = json_splice.text_of(before), json_splice.text_of(data)
        helpers = [_table(each, "credHelpers") for each in (old, ours, theirs)]
        for host, helper in helpers[1].items():
            if helpers[0].get(host) == helper or helpers[2].get(host) != helper:
                continue
            path = ("credHelpers", host)
            earlier = json_splice.raw(first, path)
            if earlier is None:
                text = json_splice.remove(text, path)
            else:
                text = json_splice.put(text, path, earlier)
        if "credHelpers" not in old and json_splice.read(text.encode()).get("credHelpers") == {}:
            text = json_splice.remove(text, ("credHelpers",))
        for name in _table(old, "auths"):
            if name not in _table(ours, "auths") and name not in _table(theirs, "auths"):
                path = ("auths", name)
                text = json_splice.put(text, path, json_splice.raw(first, path) or "{}")
        empty = before is None and not json_splice.read(text.encode())
    except ValueError:
        return data, False
    return (None if empty else text.encode()), True


def findings(env: Env) -> list[Finding]:
    """Return what is wrong with the registries of the files that are there."""
    found: list[Finding] = []
    used = False
    try:
        places = _places(env)
    except UsageError:  # a relative path in a variable, of which the client's own folder decides
        return []
    for file in places:
        try:
            config = json_splice.read(files.read(file)[0])
            auths, helpers = _table(config, "auths"), _table(config, "credHelpers")
        except (ValueError, OSError, MsauthError) as error:
            fix = command("python3", "-m", "json.tool", file)
            message = f"{file} cannot be read: {_why(error)}"
            found.append(Finding("docker-config", "error", message, "docker fails", file, fix))
            continue
        used = used or any(map(_is_ours, helpers.values()))
        for name, entry in auths.items():
            if entry and _host(name) and not _is_ours(helpers.get(_host(name))):
                message = f"a password for {_host(name)} is in the file"
                why = "it opens the registry to whoever reads the file"
                fix = command("msauth", "setup", _NAME)
                found.append(Finding("docker-password", "warning", message, why, file, fix))
    if used and which(_PROGRAM, env) is None:
        folder = os.path.dirname(programs.installed(_PROGRAM))
        why = "docker looks for it there, and fails for these registries"
        fix = f'export PATH={command(folder)}:"$PATH"'
        found.append(Finding("docker-helper", "error", f"{_PROGRAM} is not on PATH", why, "", fix))
    return found


def _places(env: Env) -> list[str]:
    """Return docker's file, and those of podman and helm that are there or named by a variable."""
    config = env.get("XDG_CONFIG_HOME", "")
    config = config if config.startswith("/") else f"{home(env)}/.config"
    folder = env.get("DOCKER_CONFIG") or f"{home(env)}/.docker"
    found = [f"{values.absolute('DOCKER_CONFIG', folder)}/config.json"]
    named = {name: env.get(name, "") for name in ("REGISTRY_AUTH_FILE", "HELM_REGISTRY_CONFIG")}
    found += [values.absolute(name, path) for name, path in named.items() if path]
    others = []
    if not named["REGISTRY_AUTH_FILE"]:
        others += [f"{place}/containers/auth.json" for place in (_runtime(env), config) if place]
    if not named["HELM_REGISTRY_CONFIG"]:
        others.append(f"{env.get('HELM_CONFIG_HOME') or config + '/helm'}/registry/config.json")
    found += [path for path in others if path.startswith("/") and os.path.exists(path)]
    unique: dict[str, str] = {}
    for path in found:
        unique.setdefault(os.path.realpath(path), path)
    return list(unique.values())


def _runtime(env: Env) -> str:
    return env.get("XDG_RUNTIME_DIR", "").rstrip("/")


def _add(options: Options, env: Env) -> list[Change]:
    places = _places(env)
    known, done = _known(places)
    registries = list(dict.fromkeys([*map(_named, many(options, WORDS)), *known]))
    if not registries:
        if done:
            return []
        raise UsageError(
            f"no registry is named, and {places[0]} knows none of Azure",
            f"msauth setup docker NAME{REGISTRY_DOMAINS[0]}",
        )
    made: list[Change] = []
    # All without writing first: where one cannot be changed, no other is.
    for dry_run in (True,) if DRY_RUN in options else (True, False):
        made = []
        for file in places:

            def change(data: bytes | None, file: str = file) -> bytes:
                try:
                    return with_helpers(data, registries)
                except ValueError as error:
                    raise _left(file, error) from None

            made += journal.edit(_NAME, file, change, env, dry_run=dry_run, merge=merged)
    return made


def _remove(options: Options, env: Env) -> list[Change]:
    if many(options, WORDS):
        raise UsageError("--undo takes back all of it", "msauth setup docker --undo")
    return journal.undo_all(_NAME, env, dry_run=DRY_RUN in options, merge=merged)


def _known(places: list[str]) -> tuple[list[str], bool]:
    """Return the registries that files know by name, and whether one of ours answers for any."""
    hosts: dict[str, None] = {}
    done = False
    for file in places:
        try:
            config = json_splice.read(files.read(file)[0])
            auths, helpers = _table(config, "auths"), _table(config, "credHelpers")
        except ValueError as error:
            raise _left(file, error) from None
        except OSError as error:
            raise MsauthError(f"cannot read {file}: {error.strerror}") from None
        done = done or any(map(_is_ours, helpers.values()))
        for name in auths:
            host = _host(name)
            # Another helper was chosen for it: that is for the person to change, by its name.
            if host and (host not in helpers or _is_ours(helpers[host])):
                hosts[host] = None
    return list(hosts), done


def _named(word: str) -> str:
    host = registry(os.fsencode(word))
    if host is not None:
        return host
    hint = f"a registry is called NAME{', NAME'.join(REGISTRY_DOMAINS)}"
    if registry(os.fsencode(word + REGISTRY_DOMAINS[0])) is not None:
        hint = f"did you mean {command('msauth', 'setup', _NAME, word + REGISTRY_DOMAINS[0])}?"
    raise UsageError(f"{word!r} is no registry of Azure", hint)


def _host(name: str) -> str:
    """Return the registry of Azure that a key of `auths` means, or ""."""
    return registry(name.encode("utf-8", "surrogatepass")) or ""


def _is_ours(helper: object) -> bool:
    return isinstance(helper, str) and (helper == _HELPER or helper.startswith(_HELPER + "-"))


def _table(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = config.get(key)
    if found is not None and not isinstance(found, dict):
        raise ValueError(f"{key} in it is no JSON object")
    return found or {}


def _left(file: str, error: ValueError) -> MsauthError:
    hint = command("python3", "-m", "json.tool", file)
    return MsauthError(f"{file} is left as it is: {_why(error)}", hint)


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON (line {error.lineno}: {error.msg[:1].lower()}{error.msg[1:]})"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(getattr(error, "strerror", None) or error)


def _state(env: Env) -> State:
    clients = [name for name in _CLIENTS if which(name, env)]
    places = _places(env)
    return State(", ".join(clients), _known(places)[1], places[0])


_STRING = r'"(?:[^"\\]|\\.)*"'
_TOKENS = re.compile(rf"({_STRING})(\s*:\s*)({_STRING})|({_STRING}\s*:)|{_STRING}")


def _shown(line: str) -> str:
    """Return a line without values, which may be passwords; names of helpers are none."""

    def masked(found: "re.Match[str]") -> str:
        key, colon, _, other = found.groups()
        if other:
            return found[0]
        if not key:
            return '"…"'
        name = key[1:-1]
        return found[0] if name == "credsStore" or _host(name) else f'{key}{colon}"…"'

    return _TOKENS.sub(masked, line)


TARGET = Target(
    _NAME,
    "make docker, podman, skopeo, crane, oras and helm ask msauth for registries of Azure",
    {},
    _add,
    _remove,
    _state,
    _HELP,
    words="[REGISTRY …]",
    findings=findings,
    shown=_shown,
)
