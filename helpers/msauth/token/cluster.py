"""What the cluster entry of a kubeconfig may choose (`provideClusterInfo: true`).

A token goes to the server of the cluster entry, and whoever wrote that entry, often the server's
owner, also wrote the config in it. So by itself it may choose the server application of AKS or
of Azure Arc, and a tenant for these: any other resource, account or sign-in would let a server
ask for a token that is good elsewhere. The person allows more by the names of the keys, in what
is theirs: the user entry's arguments or the environment.
"""

from ..protocols.exec_credential import CONFIG_KEYS, config_key
from ..request.clouds import AKS_SERVER, ARC_SERVER
from ..request.options import usage_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..errors import UsageError
    from ..request.options import Options

OPTION, VARIABLE = "--allow-cluster-config", "MSAUTH_ALLOW_CLUSTER_CONFIG"
_OPTIONS = {
    "tenant": "--tenant",
    "serverId": "--server-id",
    "scope": "--scope",
    "credential": "--credential",
    "clientId": "--client-id",
    "profile": "--profile",
    "environment": "--environment",
}
_SERVERS = (AKS_SERVER, ARC_SERVER)
_SCOPES = frozenset(server + "/.default" for server in _SERVERS)


class ClusterConfig:
    """The values of one cluster entry, and which of them the person allows.

    chosen: our options with the values that no flag has decided.
    """

    __slots__ = ("_allowed", "chosen")

    def __init__(self, config: "Mapping[str, str]", allowed: str, decided: "Options") -> None:
        """Check the config of KUBERNETES_EXEC_INFO.

        allowed: key names with commas between them. decided: the person's own options, `--scope`
        also for a product. Raises UsageError for what the cluster may not choose.
        """
        self._allowed = _keys(allowed)
        server = "--scope" in decided or "--server-id" in decided
        used = {
            key: value
            for key, value in config.items()
            if not (server if key in ("serverId", "scope") else _OPTIONS[key] in decided)
        }
        refused = [key for key, value in used.items() if not self._may_choose(key, value)]
        if refused:
            raise self._refusal(refused, "")
        self.chosen: Options = {
            _OPTIONS[key]: [value] if key == "scope" else value for key, value in used.items()
        }

    def check_scopes(self, scopes: tuple[str, ...]) -> None:
        """Raise UsageError where the cluster chose a tenant for what is no server of a cluster."""
        if "--tenant" not in self.chosen or "tenant" in self._allowed:
            return
        if not _SCOPES.issuperset(scopes):
            raise self._refusal(["tenant"], " for another server than that of AKS or Arc")

    def _may_choose(self, key: str, value: str) -> bool:
        if key in self._allowed or key == "tenant":
            return True
        return key == "serverId" and value.lower() in _SERVERS

    def _refusal(self, keys: list[str], why: str) -> "UsageError":
        names = ", ".join(keys)
        allowed = ",".join(key for key in CONFIG_KEYS if key in self._allowed or key in keys)
        return usage_error(
            f"the cluster's entry in the kubeconfig may not choose {names}{why}",
            f"if you trust who wrote it: {OPTION} {allowed} in the args of the kubeconfig's user, "
            f"or {VARIABLE}={allowed}",
        )


def _keys(text: str) -> frozenset[str]:
    keys = set()
    for word in filter(None, text.replace(" ", "").split(",")):
        key = config_key(word)
        if not key:
            raise usage_error(
                f"{OPTION} has the unknown key {word!r}", "one of: " + ", ".join(CONFIG_KEYS)
            )
        keys.add(key)
    return frozenset(keys)
