"""All services of one sandbox, and which of them answers which host."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from .entra import authority, sign_in
from .entra.state import Settings, State
from .network.faults import Faults, HttpFault
from .network.records import RequestLog
from .network.service import Service
from .services import aks, arm, graph, managed_identity, oidc
from .services.devops import DevOps
from .services.registry import Registry
from .services.repositories import Repositories


class World:
    """``root`` holds what was pushed; ``stream`` receives the request log as JSON lines."""

    def __init__(self, root: Path, settings: Settings, stream: IO[str]) -> None:
        self.log = RequestLog(stream)
        self.http_faults: Faults[HttpFault] = Faults()
        self.state = state = State(settings)
        self.devops = DevOps(state, Repositories(root / "repositories"))
        self.registries = [Registry(state, tenant) for tenant in state.directory.tenants.values()]
        self.managed_identity = managed_identity.ManagedIdentity(state)
        self.github = oidc.GitHubActions()
        self.pipelines = oidc.Pipelines()
        self._issuer = oidc.Issuer()
        self._aks = aks.ApiServer(state)
        self._by_host: dict[str, Service] = {
            **dict.fromkeys(authority.HOSTS, authority.Authority(state)),
            **dict.fromkeys(sign_in.DEVICE_HOSTS, sign_in.DeviceLogin()),
            **dict.fromkeys(arm.HOSTS, arm.ResourceManager(state)),
            **dict.fromkeys(graph.HOSTS, graph.Graph(state)),
            **dict.fromkeys(oidc.ISSUER_HOSTS, self._issuer),
            oidc.GITHUB_HOST: self.github,
            **{registry.host: registry for registry in self.registries},
        }

    def find(self, host: str, path: str, tunnelled: bool) -> Service | None:
        """Only managed identity is served in clear, as it is in Azure."""
        if not tunnelled:
            plain = host in ("", managed_identity.IMDS_HOST)
            return self.managed_identity if plain else None
        found = self._by_host.get(host)
        if found is not None:
            return found
        if host.endswith(".azmk8s.io"):
            return self._aks
        if not self.devops.serves(host):
            return None
        if path == oidc.PIPELINES_PATH:
            return self.pipelines
        return self._issuer if host == "vstoken.dev.azure.com" else self.devops
