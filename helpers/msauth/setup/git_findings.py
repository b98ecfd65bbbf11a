"""What keeps git from asking msauth, and what would keep a copy of our token."""

import os
import shlex
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from ..errors import MsauthError
from ..request.clouds import DEVOPS_HOST, LEGACY_DOMAIN
from ..request.organisations import organisation
from . import git_settings as settings_of
from .finding import Finding
from .git_settings import Setting, ask, elsewhere, helper_name, helpers, is_ours, matching, of

PROBES = (f"https://{DEVOPS_HOST}/", f"https://organisation{LEGACY_DOMAIN}/")

_FALSE = ("", "0", "false", "no", "off")
_KNOWN = {
    "manager": "Git Credential Manager",
    "manager-core": "Git Credential Manager",
    "store": "store (a file in clear)",
    "cache": "cache (a daemon of git's)",
    "osxkeychain": "osxkeychain (macOS)",
    "wincred": "wincred (Windows)",
    "libsecret": "libsecret (the desktop's keyring)",
}
_LONGEST_NAME = 50
"""Characters of an organisation's name; a token in the place of the user name is longer."""


def findings(env: Mapping[str, str], repository: str | None = None) -> list[Finding]:
    """Return what is wrong with git's configuration, as a repository (a directory) sees it.

    Nothing is found without git, or with one before 2.26, which cannot be asked. No finding holds
    a secret: of a helper only the name is told, of a header and of a URL only where it stands.
    """
    directory = os.path.abspath(repository) if repository else "/"
    env = elsewhere(env)
    if not settings_of.says_scopes(settings_of.version(env)):
        return []
    try:
        asked = ask("rev-parse", "--git-dir", env=env, directory=directory)
        refused = settings_of.refusal(asked, directory)
        settings = settings_of.listed(env, directory)
    except MsauthError as error:
        why = "no git command works"
        return [_finding("git-config-broken", error.message, why, "", error.hint, severity="error")]
    if repository and refused is not None:
        why = "nothing of its configuration counts, and no git command works in it"
        return [_finding("git-unsafe-repository", refused.message, why, directory, refused.hint)]
    found = _helpers(settings, directory, env)
    found += _http_path(settings, env)
    found += _headers(settings, env)
    found += _remotes(settings, directory)
    found += _proxy(settings, env)
    return found


def describe(setting: Setting) -> str:
    """Return a helper in a person's words."""
    name = helper_name(setting.value)
    return _KNOWN.get(name, name)


# --- Who is asked ---


def _helpers(settings: list[Setting], directory: str, env: Mapping[str, str]) -> list[Finding]:
    found: list[Finding] = []
    for url in (*PROBES, *_narrower(settings)):
        chain = helpers(settings, url, env)
        if any(map(is_ours, chain)):
            found += _others(url, chain, directory)
        elif url in PROBES:
            found.append(_not_asked(url, chain, settings, directory))
        elif chain and "git-not-set-up" not in (one.id for one in found):
            found.append(_replaced(url, chain[-1], directory))
    # One line of the configuration is wrong once, however many URLs it is for.
    once: dict[tuple[str, str], Finding] = {}
    for one in found:
        once.setdefault((one.id, one.place), one)
    return list(once.values())


def _narrower(settings: list[Setting]) -> list[str]:
    """Return URLs of ours that something more than the host decides about, remotes included."""
    urls = [setting.url for setting in of("credential", "helper", settings)]
    urls += [setting.value for setting in _remote_urls(settings)]
    chosen: dict[str, None] = {}
    for url in urls:
        told = _without_secret(url)
        narrower = _userinfo(told) or urlsplit(told).path.strip("/")
        if _is_devops(url) and narrower and "*" not in told:
            chosen[told] = None
    return list(chosen)


def _not_asked(url: str, chain: list[Setting], settings: list[Setting], directory: str) -> Finding:
    message = f"git does not ask msauth for {_host(url)}"
    if not chain:
        why = "no credential helper is configured for it"
        return _finding("git-not-set-up", message, why, "", "msauth setup git")
    last = chain[-1]
    why = f"it asks {', '.join(map(describe, chain))}"
    reset = any(map(is_ours, of("credential", "helper", settings)))  # by a line after ours
    fix = _move_behind(last, directory) if reset else "msauth setup git"
    return _finding("git-not-set-up", message, why, _line(last), fix)


def _others(url: str, chain: list[Setting], directory: str) -> list[Finding]:
    """Return findings about the helpers that stand beside ours."""
    ours = next(number for number, setting in enumerate(chain) if is_ours(setting))
    found = []
    for number, setting in enumerate(chain):
        if is_ours(setting):
            continue
        if number < ours:
            found.append(
                _finding(
                    "git-helper-first",
                    f"git asks {describe(setting)} before msauth for {_host(url)}",
                    "what it has kept is used, and it is given the tokens of msauth to keep",
                    _line(setting),
                    "msauth setup git",
                    severity="error",
                )
            )
        else:
            found.append(
                _finding(
                    "git-helper-after",
                    f"git asks {describe(setting)} beside msauth for {_host(url)}",
                    "git before 2.46 gives it the tokens of msauth to keep",
                    _line(setting),
                    _move_behind(setting, directory),
                )
            )
    return found


def _replaced(url: str, setting: Setting, directory: str) -> Finding:
    """Return a finding about a helper that was chosen in place of ours for some URL."""
    chosen = bool(urlsplit(setting.url).path.strip("/"))
    return _finding(
        "git-helper-replaced",
        f"git asks {describe(setting)}, not msauth, for {url}",
        "its line is for this organisation" if chosen else "its line comes after that of msauth",
        _line(setting),
        _move_behind(setting, directory),
        severity="note" if chosen else "warning",
    )


def _move_behind(setting: Setting, directory: str) -> str:
    """Return the command after which a helper's line no longer decides beside or after ours."""
    if setting.scope == "command":
        return "unset GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS"
    if setting.scope == "worktree" or urlsplit(setting.url).path.strip("/"):
        return _unset(setting)
    if setting.scope == "local":
        return f"cd {shlex.quote(directory)} && msauth setup git --local"
    scope = " --system" if setting.scope == "system" else ""
    return f"msauth setup git --undo{scope} && msauth setup git{scope}"


# --- What git does with the answer ---


def _http_path(settings: list[Setting], env: Mapping[str, str]) -> list[Finding]:
    """Return the line that switches useHttpPath off, for hosts that do not name the organisation.

    The last line that is for a URL wins, also over a longer URL: git's credentials (2.47) are not
    configured as `git config --get-urlmatch` says.
    """
    named = of("credential", "usehttppath", settings)
    for url in (*PROBES, *_narrower(settings)):
        if not _host(url).endswith(DEVOPS_HOST):
            continue
        if not any(map(is_ours, helpers(settings, url, env))):
            continue
        mine = matching({setting.url for setting in named}, url, env)
        last = next((one for one in reversed(named) if one.url in mine), None)
        if last is not None and last.value.lower() not in _FALSE:
            continue
        why = "git does not say which organisation it asks for, so the tenant may be wrong"
        file = "--global"
        key, place = f"credential.https://{DEVOPS_HOST}.useHttpPath", ""
        if last is not None:
            file = f"--file {shlex.quote(last.file)}"
            key, place = shlex.quote(last.key), _line(last)
        fix = f"git config {file} --replace-all {key} true"
        if last is not None and (not last.file or _has_secret(last.url)):
            fix = ""
        return [_finding("git-http-path-off", "credential.useHttpPath is off", why, place, fix)]
    return []


def _headers(settings: list[Setting], env: Mapping[str, str]) -> list[Finding]:
    found: dict[Finding, None] = {}
    named = of("http", "extraheader", settings)
    for url in PROBES:
        mine = matching({setting.url for setting in named}, url, env)
        mine |= {setting.url for setting in named if _is_devops(setting.url)}
        sent: list[Setting] = []
        for setting in named:
            if setting.url in mine:
                sent = [*sent, setting] if setting.value else []  # git-config(1): empty resets
        for setting in sent:
            name = setting.value.partition(":")[0].strip()
            if name.lower() != "authorization":
                continue
            one = _finding(
                "git-extra-header",
                "http.extraHeader sends a password of its own to Azure DevOps",
                "git uses it before any helper is asked",
                _line(setting),
                _unset(setting, f"^{name}:"),
            )
            found[one] = None
    return list(found)


def _remotes(settings: list[Setting], directory: str) -> list[Finding]:
    found = []
    why = "git uses it before any helper is asked, and whoever reads the file has it"
    urls = _remote_urls(settings)
    for setting in urls:
        if not _is_devops(setting.value) or not _has_secret(setting.value):
            continue
        name = setting.key.removeprefix("remote.").rpartition(".")[0]
        push = setting.key.endswith(".pushurl")
        clean = shlex.quote(_without_userinfo(setting.value))
        shown = shlex.quote(name)
        if name.startswith("-"):  # whoever made the repository named it so
            shown = f"-- {shown}"
        words = f"git -C {shlex.quote(directory)} remote set-url {'--push ' if push else ''}"
        alone = sum(other.key == setting.key for other in urls) == 1
        fix = f"{words}{shown} {clean}" if alone and setting.scope == "local" else ""
        message = f"the URL of the remote {name} holds a password"
        found.append(_finding("git-remote-secret", message, why, setting.file, fix))
    for key in ("insteadof", "pushinsteadof"):
        for setting in of("url", key, settings):
            if _is_devops(setting.url) and _has_secret(setting.url):
                fix = (
                    f"git config --file {shlex.quote(setting.file)} --edit" if setting.file else ""
                )
                message = f"a URL for {key.replace('of', 'Of')} holds a password"
                found.append(_finding("git-url-secret", message, why, setting.file, fix))
    return found


def _proxy(settings: list[Setting], env: Mapping[str, str]) -> list[Finding]:
    methods = [one for one in of("http", "proxyauthmethod", settings) if not one.url]
    method = env.get("GIT_HTTP_PROXY_AUTHMETHOD") or (methods[-1].value if methods else "")
    proxies = [one for one in of("http", "proxy", settings) if not one.url and one.value]
    if method.lower() not in ("ntlm", "negotiate", "digest") or not proxies:
        return []
    return [
        _finding(
            "git-proxy-auth",
            f"git signs in at its proxy with {method.lower()}",
            "msauth cannot: signing in needs a proxy, or a way past it, that does not ask for that",
            _line(methods[-1]) if methods else "GIT_HTTP_PROXY_AUTHMETHOD",
            "",
        )
    ]


# --- Words and URLs ---


def _finding(
    name: str,
    message: str,
    why: str,
    place: str,
    fix: str | None,
    *,
    severity: Literal["error", "warning", "note"] = "warning",
) -> Finding:
    return Finding(name, severity, message, why, place, fix or "")


def _line(setting: Setting) -> str:
    """Return where a setting stands, and its name (not the password that a URL may hold)."""
    where = setting.file or "the environment"
    url = _without_secret(setting.url)
    name = setting.key.rpartition(".")[2]
    section = setting.key.partition(".")[0]
    return f"{where}: {section}.{url + '.' if url else ''}{name}"


def _unset(setting: Setting, pattern: str = "") -> str:
    """Return the command that takes a setting out, or "" where that would print a password."""
    if not setting.file or _has_secret(setting.url):
        return ""
    words = ["git", "config", "--file", setting.file, "--unset-all", setting.key]
    return shlex.join([*words, pattern] if pattern else words)


def _remote_urls(settings: list[Setting]) -> list[Setting]:
    return [*of("remote", "url", settings), *of("remote", "pushurl", settings)]


def _host(url: str) -> str:
    return (
        _without_userinfo(url).partition("://")[2].partition("/")[0].replace("organisation.", "*.")
    )


def _is_devops(url: str) -> bool:
    scheme, found, rest = url.partition("://")
    host, _, path = rest.partition("/")
    host = host.rpartition("@")[2].replace("*", "x")
    words = (part.encode("utf-8", "surrogateescape") for part in (scheme, host, path, ""))
    return bool(found) and organisation(*words) is not None


def _userinfo(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[0]


def _without_userinfo(url: str) -> str:
    given = _userinfo(url)
    return url.replace(f"{given}@", "", 1) if given else url


def _without_secret(url: str) -> str:
    return _without_userinfo(url) if _has_secret(url) else url


def _has_secret(url: str) -> bool:
    """Say whether a URL has a password, or a token as its user name."""
    user, colon, _ = _userinfo(url).partition(":")
    return bool(colon) or len(user) > _LONGEST_NAME
