"""ExecCredential, the protocol of Kubernetes' credential plugins, both directions.

client.authentication.k8s.io, v1 and v1beta1, as the Kubernetes documentation "Authenticating"
(client-go credential plugins) has it. Written by hand, because `json` costs as much as the whole
answer; read without `json` in the one shape that kubectl writes when there is no cluster in it.
"""

import time

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"


class ExecInfo:
    """What the client said: apiVersion, whether stdin is a person's, the cluster's own config.

    config: by our names of the keys, see CONFIG_KEYS.
    """

    __slots__ = ("api_version", "config", "interactive")

    def __init__(self, api_version: str, interactive: bool, config: dict[str, str]) -> None:
        self.api_version = api_version
        self.interactive = interactive
        self.config = config


# What client-go encodes for a user without provideClusterInfo, to the byte.
_PLAIN = {
    f'{{"kind":"ExecCredential","apiVersion":"{version}","spec":{{"interactive":{word}}}}}': (
        version,
        word == "true",
    )
    for version in (V1, V1BETA1)
    for word in ("true", "false")
}
CONFIG_KEYS = (
    "tenant",
    "serverId",
    "scope",
    "credential",
    "clientId",
    "profile",
    "environment",
)
"""What the cluster's config may have for us; each in any case, with `-` and `_` as one likes."""


def config_key(name: str) -> str:
    """Return the key that is meant by a spelling of it, or ""."""
    bare = name.lower().replace("-", "").replace("_", "")
    if bare == "tenantid":
        return "tenant"
    return next((key for key in CONFIG_KEYS if key.lower() == bare), "")


def read(text: str) -> ExecInfo:
    """Return what KUBERNETES_EXEC_INFO says.

    Without apiVersion it is v1beta1, as for kubelogin; some clients write no kind either.
    Raises ValueError, with a message for a person, for anything but an ExecCredential of a
    known version, and for a config value that is no text.
    """
    plain = _PLAIN.get(text.rstrip("\n"))
    if plain is not None:
        return ExecInfo(*plain, {})
    return _read_any(text)


def _read_any(text: str) -> ExecInfo:
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("KUBERNETES_EXEC_INFO is not JSON") from None
    if not isinstance(value, dict) or (value.get("kind") or "ExecCredential") != "ExecCredential":
        raise ValueError("KUBERNETES_EXEC_INFO is not an ExecCredential")
    version = value.get("apiVersion") or V1BETA1
    if version not in (V1, V1BETA1):
        raise ValueError(
            f"KUBERNETES_EXEC_INFO has the unknown apiVersion {str(version)[:80]!r}",
            f"write apiVersion: {V1} into the kubeconfig",
        )
    spec = value.get("spec")
    if spec is None:
        spec = {}
    if not isinstance(spec, dict):
        raise ValueError("KUBERNETES_EXEC_INFO has a spec that is no object")
    cluster = spec.get("cluster")
    config = cluster.get("config") if isinstance(cluster, dict) else None
    return ExecInfo(
        version, spec.get("interactive") is True, _read_config(config if config else {})
    )


def _read_config(config: object) -> dict[str, str]:
    if not isinstance(config, dict):
        return {}  # another plugin's own shape
    ours = {}
    for name, value in config.items():
        key = config_key(name)
        if not key:
            continue
        if not isinstance(value, str):
            raise ValueError(f"the cluster's exec extension has a {name} that is no text")
        if value:
            ours[key] = value
    return ours


def write(api_version: str, token: str, expires_on: int) -> str:
    """Return the answer, one line of JSON; expires_on: epoch seconds, written as RFC 3339 UTC.

    token: RFC 6750 b64token characters only, none of which JSON escapes.
    """
    return (
        f'{{"kind":"ExecCredential","apiVersion":"{api_version}","status":'
        f'{{"expirationTimestamp":"{rfc3339(expires_on)}","token":"{token}"}}}}\n'
    )


def rfc3339(seconds: int) -> str:
    """Return epoch seconds as RFC 3339 in UTC with whole seconds, the form every client reads."""
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
