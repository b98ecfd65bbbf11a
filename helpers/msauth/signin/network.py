"""Proxies and certificate authorities, the same for sign-in and for our own probe.

Proxies: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` in either case, by requests. Certificate
authorities: the first of `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE` that is set,
for the probe also git's own (`GIT_SSL_CAINFO`, `http.sslCAInfo`); else the system's bundle,
because companies install their private CA there and requests' own list does not know it.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .programs import git_setting

if TYPE_CHECKING:
    import requests

_TIMEOUT = (10, 30)
"""Seconds to connect, and to wait for each piece of an answer."""
_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
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
    for name in _VARIABLES:
        if env.get(name):
            return env[name]
    if git:
        configured = env.get("GIT_SSL_CAINFO") or git_setting(
            "http.sslCAInfo", "https://dev.azure.com", env, kind="path"
        )
        if configured:
            return os.path.expanduser(configured)
    for path in _SYSTEM_BUNDLES:
        if os.path.exists(path):
            return path
    return True


def azure_options(env: Mapping[str, str]) -> dict[str, Any]:
    """Return azure-core's keyword arguments: CA, short time-outs and few retries.

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
        "connection_verify": ca_bundle(env),
        "connection_timeout": 10,
        "read_timeout": 30,
        "retry_total": 2,
        "retry_backoff_factor": 0.2,
    }


def session(env: Mapping[str, str]) -> "requests.Session":
    """Return a session with our certificate authorities and time-outs, and without netrc.

    requests would send a netrc's password along to whatever host it names (CVE-2024-47081).
    """
    import requests

    class Session(requests.Session):
        def request(self, *args: Any, **options: Any) -> requests.Response:
            options.setdefault("timeout", _TIMEOUT)
            return super().request(*args, **options)

    made = Session()
    made.verify = ca_bundle(env)
    made.auth = lambda request: request
    return made
