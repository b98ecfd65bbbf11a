"""Proxies, certificate authorities, and (only when asked) who can be reached and the clock."""

import os
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from ...errors import MsauthError, command
from ...request.selection import select
from ..finding import Finding
from .machine import Machine

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_BUNDLES = (
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO"),
    "NODE_EXTRA_CA_CERTS",
)
_UNVERIFIED = {
    "AZURE_CLI_DISABLE_CONNECTION_VERIFICATION": ("1", "true", "yes", "on"),
    "GIT_SSL_NO_VERIFY": ("1", "true", "yes", "on"),
    "NODE_TLS_REJECT_UNAUTHORIZED": ("0",),
}
_MOST_SKEW = 120
"""Seconds: Entra ID itself accepts five minutes."""


def proxy(machine: Machine) -> Iterator[Finding]:
    """A proxy must be a URL, without a password, and the same in both spellings."""
    for upper in _PROXIES:
        values = {name: machine.env.get(name, "") for name in (upper, upper.lower())}
        for name, value in values.items():
            if not value:
                continue
            problem, password = _proxy_problem(value)
            if problem:
                message = f"the proxy in {name} {problem}"
                why = "no program can use it"
                yield Finding("proxy-wrong", "error", message, why, name, f"unset {name}")
            elif password:
                message = f"the proxy in {name} has a password"
                why = "every program that you start, and whoever reads its environment, has it"
                yield Finding("proxy-password", "note", message, why, name, "")
        if all(values.values()) and len({value.rstrip("/") for value in values.values()}) > 1:
            message = f"{upper} and {upper.lower()} differ"
            why = "programs do not agree on which of the two counts"
            fix = f'export {upper}="${upper.lower()}"'
            yield Finding("proxies-differ", "warning", message, why, upper, fix)


def _proxy_problem(value: str) -> tuple[str, bool]:
    """Return what is wrong with a proxy ("" if nothing), and whether it has a password."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, _, password = parts.hostname, parts.port, parts.password
    except ValueError:
        return "has no valid host and port", False
    if parts.scheme not in ("http", "https", "socks5", "socks5h", "socks4", "socks4a"):
        return "is of a kind that is not known", False
    if not host or " " in value:
        return "names no host", False
    return "", bool(password)


def no_proxy(machine: Machine) -> Iterator[Finding]:
    """What listens on this machine must be reached without the proxy."""
    env = machine.env
    if not any(env.get(name) or env.get(name.lower()) for name in _PROXIES):
        return
    excepted = env.get("no_proxy") or env.get("NO_PROXY") or ""
    items = {item.strip() for item in excepted.split(",")}
    if items & {"*", "127.0.0.1", "127.0.0.0/8", "127.0.0.1/8"}:
        return
    known = "no_proxy" if env.get("no_proxy") else "NO_PROXY"
    new = ",".join([*filter(None, [excepted]), "127.0.0.1", "localhost"])
    yield Finding(
        "no-proxy-local",
        "warning",
        "there is a proxy, and NO_PROXY does not except 127.0.0.1",
        "SDKs would ask the proxy for the tokens of msauth-run --serve",
        known,
        f"export NO_PROXY={command(new)} no_proxy={command(new)}",
    )


def authorities(machine: Machine) -> Iterator[Finding]:
    """A file with certificate authorities must be there, and hold some."""
    for name in _BUNDLES:
        value = machine.env.get(name, "")
        problem = _bundle_problem(value) if value else ""
        if problem:
            message = f"{name} names a file that {problem}"
            why = "every https request of the programs that read it fails"
            yield Finding("ca-bundle", "error", message, why, f"{name}={value}", f"unset {name}")


def _bundle_problem(path: str) -> str:
    if os.path.isdir(path):
        return "" if os.listdir(path) else "is an empty folder"
    try:
        with open(path, "rb") as stream:
            data = stream.read(16 << 20)
    except OSError as error:
        return "does not exist" if isinstance(error, FileNotFoundError) else "cannot be read"
    return "" if b"-----BEGIN " in data else "holds no certificate"


def unverified(machine: Machine) -> Iterator[Finding]:
    """Who does not look at certificates gives tokens to anybody."""
    for name, values in _UNVERIFIED.items():
        if machine.env.get(name, "").lower() in values:
            message = f"{name} turns the check of certificates off"
            why = "whoever is on the way can read and take your tokens"
            yield Finding("tls-unverified", "warning", message, why, name, f"unset {name}")


def reachable(machine: Machine, clock: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Ask the sign-in service for the time: can it be reached, and is the clock right?"""
    import requests

    from ...signin import network

    try:
        authority = select({}, machine.env).authority
    except MsauthError:
        return  # `environment.wrong` says so
    session = network.session(machine.env)
    try:
        answer = session.head(authority, timeout=(5, 10))
    except (requests.RequestException, OSError) as error:
        message = f"{authority} cannot be reached"
        why = _reason(error)
        yield Finding("unreachable", "error", message, why, authority, "")
        return
    finally:
        session.close()
    skew = clock_skew(answer.headers.get("Date", ""), clock())
    if abs(skew) > _MOST_SKEW:
        way = "ahead" if skew > 0 else "behind"
        message = f"the clock is {abs(skew)} seconds {way}"
        why = "tokens are taken for expired, or not yet valid"
        yield Finding("clock-skew", "error", message, why, "", "sudo timedatectl set-ntp true")


def clock_skew(date: str, now: float) -> int:
    """Return by how many seconds now is ahead of an HTTP date; 0 where there is none."""
    try:
        return round(now - parsedate_to_datetime(date).timestamp())
    except (TypeError, ValueError):
        return 0


def _reason(error: Exception) -> str:
    text = type(error).__name__
    if "ProxyError" in text:
        return "the proxy does not let us through"
    if "SSLError" in text:
        return "its certificate is signed by an authority that is not known here"
    return "the network does not lead there"
