"""Proxies and certificate authorities, the same for sign-in and for our own probe.

Proxies: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` in either case, by requests. Certificate
authorities: the first of `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE` that is set,
for the probe also git's own (`GIT_SSL_CAINFO`, `http.sslCAInfo`); else the system's bundle,
because companies install their private CA there and requests' own list does not know it.
"""

import os
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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


def ca_bundle(env: Mapping[str, str], *, git: bool = False) -> str | bool:
    """Return what requests' `verify` takes: a path, or True for its own list.

    git: also ask git's configuration, as git itself would be asked for the same server.
    """
    for name in _VARIABLES:
        if env.get(name):
            return env[name]
    if git:
        configured = env.get("GIT_SSL_CAINFO") or _git_ca(env)
        if configured:
            return os.path.expanduser(configured)
    for path in _SYSTEM_BUNDLES:
        if os.path.exists(path):
            return path
    return True


def azure_options(env: Mapping[str, str]) -> dict[str, Any]:
    """Return azure-core's keyword arguments: CA, short time-outs and few retries.

    With the defaults an unreachable authority costs 4.8 s before anything is said.
    """
    return {
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


def _git_ca(env: Mapping[str, str]) -> str:
    import shutil

    git = shutil.which("git", path=env.get("PATH"))
    if git is None:
        return ""
    command = [git, "config", "--type=path", "--get-urlmatch", "http.sslCAInfo"]
    try:
        done = subprocess.run(
            [*command, "https://dev.azure.com"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return os.fsdecode(done.stdout.rstrip(b"\n")) if done.returncode == 0 else ""
