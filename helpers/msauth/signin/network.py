"""Proxies and certificate authorities, the same for sign-in and for our own probe.

Proxies: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` in either case, never for a
loopback or link-local address. Certificate authorities: the first of `REQUESTS_CA_BUNDLE`,
`CURL_CA_BUNDLE`, `SSL_CERT_FILE` that is set, for the probe also git's own (`GIT_SSL_CAINFO`,
`http.sslCAInfo`); else the system's bundle, because companies install their private CA there and
requests' own list does not know it.
"""

import ipaddress
import os
import socket
import sys
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..request.clouds import DEVOPS_HOST
from ..waiting import waiting_for
from . import libraries  # noqa: F401 - first
from .programs import git_setting

if TYPE_CHECKING:
    import requests
    from azure.core.pipeline.transport import RequestsTransport

_TIMEOUT = (10, 30)
"""Seconds to connect, and to wait for each piece of an answer."""
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Of those that are set the first one names the certificate authorities."""
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
)


_LONGEST_WAIT = 5
"""Seconds: told to wait longer, a person had better know."""


def ca_bundle(env: Mapping[str, str], *, git: bool = False) -> str | bool:
    """Return what requests' `verify` takes: a path, or True for its own list.

    git: also ask git's configuration, as git itself would be asked for the same server.
    """
    for name in CA_VARIABLES:
        if env.get(name):
            return env[name]
    if git:
        configured = env.get("GIT_SSL_CAINFO") or git_setting(
            "http.sslCAInfo", f"https://{DEVOPS_HOST}", env, kind="path"
        )
        if configured:
            return os.path.expanduser(configured)
    for path in _SYSTEM_BUNDLES:
        if os.path.exists(path):
            return path
    return True


def proxies(url: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return requests' `proxies` for a URL.

    What listens on this machine or link (a managed identity's endpoint) is no proxy's business:
    its answer is a token, and it comes without TLS.
    """
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if _is_local(host):
        return {}
    names = (f"{parts.scheme}_proxy", "all_proxy")
    chosen = next((v for name in names for v in (env.get(name), env.get(name.upper())) if v), None)
    if chosen is None:
        return _system_proxies(host)
    excepted = env.get("no_proxy") or env.get("NO_PROXY") or ""
    if _is_excepted(host, parts.netloc.rpartition("@")[2], excepted):
        return {}
    return {parts.scheme: chosen if "://" in chosen else f"http://{chosen}"}


def _system_proxies(host: str) -> dict[str, str]:
    """Return the proxies of the system's own settings, where a system has some."""
    if sys.platform == "darwin" or sys.platform == "win32":
        return {} if urllib.request.proxy_bypass(host) else urllib.request.getproxies()
    return {}


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:  # the system's resolver also takes 127.1 and 2130706433
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, ValueError):
            return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_link_local or address.is_unspecified


def _is_excepted(host: str, netloc: str, excepted: str) -> bool:
    """Say whether NO_PROXY names a host: as curl reads it, and networks such as 10.0.0.0/8."""
    if urllib.request.proxy_bypass_environment(netloc, {"no": excepted}):  # type: ignore[attr-defined]
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for item in excepted.replace(" ", "").split(","):
        try:
            if "/" in item and address in ipaddress.ip_network(item, strict=False):
                return True
        except ValueError:
            continue
    return False


def session(env: Mapping[str, str], *, git: bool = False) -> "requests.Session":
    """Return a session with our proxies, certificate authorities and time-outs.

    It follows no redirect, because what it sends is for one server alone, and it never reads
    netrc: requests would send its password to whatever host it names (CVE-2024-47081).
    git: see `ca_bundle`.
    """
    import requests

    class Session(requests.Session):
        def request(self, *args: Any, **options: Any) -> requests.Response:
            options.setdefault("timeout", _TIMEOUT)
            options["allow_redirects"] = False
            url = options.get("url") or args[1]
            with waiting_for(_host(str(url)), _seconds(options["timeout"])):
                return super().request(*args, **options)

        def merge_environment_settings(
            self, url: Any, _proxies: Any, stream: Any, verify: Any, cert: Any
        ) -> Any:
            return super().merge_environment_settings(
                url, proxies(str(url), env), stream, verify, cert
            )

    made = Session()
    made.trust_env = False  # neither netrc nor the process's own proxies and certificates
    made.verify = ca_bundle(env, git=git)
    return made


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or "the network"


def _seconds(timeout: Any) -> float:
    """Return the longest wait for an answer's beginning; requests takes a number or a pair."""
    return float(sum(timeout) if isinstance(timeout, tuple) else timeout or 0)


def transport(env: Mapping[str, str], *, connect: int = 10) -> "RequestsTransport":
    """Return azure-core's transport over `session`; connect: seconds."""
    from azure.core.pipeline.transport import RequestsTransport

    class Transport(RequestsTransport):  # type: ignore[misc] # exported lazily, as Any
        def sleep(self, duration: float) -> None:
            with waiting_for("the pause before another try", duration):
                super().sleep(duration)

    return Transport(
        session=session(env),
        connection_verify=ca_bundle(env),
        connection_timeout=connect,
        read_timeout=30,
    )


def azure_options(env: Mapping[str, str]) -> dict[str, Any]:
    """Return azure-core's keyword arguments: our transport and few retries.

    With the defaults an unreachable authority costs 4.8 s before anything is said, and a
    `Retry-After` of minutes (RFC 9110 10.2.3) is slept through in silence.
    """
    from azure.core.pipeline.policies import RetryPolicy

    class BriefRetryPolicy(RetryPolicy[Any, Any]):
        def is_retry(self, settings: Any, response: Any) -> bool:
            after = self.get_retry_after(response)
            if after is not None and after > _LONGEST_WAIT:
                return False
            return super().is_retry(settings, response)

    return {
        "retry_policy_class": BriefRetryPolicy,
        "transport": transport(env),
        "retry_total": 2,
        "retry_backoff_factor": 0.2,
    }
