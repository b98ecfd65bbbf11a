"""Which service answers which host, and the record, faults and drops around every answer."""

from __future__ import annotations

import traceback

from werkzeug.wrappers import Request, Response

from . import aks, arm, authority, graph, managed_identity, oidc
from .control import Control
from .devops import DevOps
from .repositories import Repositories
from .service import Call, DropConnectionError, Service
from .state import State
from .stats import Record


class Router:
    def __init__(self, state: State) -> None:
        self.state = state
        self.devops = DevOps(state, Repositories(state.root / "repositories"))
        self.managed_identity = managed_identity.ManagedIdentity(state)
        self.github = oidc.GitHubActions(state)
        self.pipelines = oidc.Pipelines(state)
        self.issuer = oidc.Issuer(state)
        self.control: Control | None = None
        entra, device = authority.Authority(state), authority.DeviceLogin(state)
        self._by_host: dict[str, Service] = {
            **dict.fromkeys(authority.HOSTS, entra),
            **dict.fromkeys(authority.DEVICE_HOSTS, device),
            **dict.fromkeys(arm.HOSTS, arm.ResourceManager(state)),
            **dict.fromkeys(graph.HOSTS, graph.Graph(state)),
            **dict.fromkeys(oidc.ISSUER_HOSTS, self.issuer),
            oidc.GITHUB_HOST: self.github,
        }
        self._aks = aks.ApiServer(state)

    def service(self, host: str, path: str = "/") -> Service | None:
        found = self._by_host.get(host)
        if found is not None:
            return found
        if host.endswith(".azmk8s.io"):
            return self._aks
        if not self.devops.serves(host):
            return None
        if path == oidc.PIPELINES_PATH:
            return self.pipelines
        if host == "vstoken.dev.azure.com":
            return self.issuer
        return self.devops

    def may_tunnel(self, host: str, port: str) -> bool:
        served = port == "443" and self.service(host) is not None
        kind = "connect" if served else "unknown_host"
        name = host if port == "443" else f"{host}:{port}"
        self.state.log.add(Record(kind, name, "CONNECT", "", status=200 if served else 502))
        return served

    def dispatch(self, host: str, tunnelled: bool, request: Request) -> Response:
        """Every request ends here. Records are added on arrival, so that waiting ones count."""
        record = Record("request", host or "127.0.0.1", request.method, request.path)
        service: Service | None
        if tunnelled:
            service = self.service(host, request.path)
        elif host == managed_identity.IMDS_HOST:
            service = self.managed_identity
        elif host == "" and _is_loopback(request.headers.get("Host", "")):
            if request.path.startswith("/_sandbox"):
                assert self.control is not None
                return self.control.respond(Call(request, record, host))
            service = self.managed_identity
        else:
            service = None
        if service is None:
            record.kind, record.status = "unknown_host", 502
            self.state.log.add(record)
            return Response("the sandbox does not serve this host\n", 502)
        record.kind = service.kind
        self.state.log.add(record)
        try:
            response = self._answer(service, Call(request, record, host))
        except (DropConnectionError, OSError):
            self.state.log.answered(record)
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours must show, not hang a client
            record.error = type(error).__name__
            traceback.print_exc()
            response = Response("the sandbox failed; its stderr says why\n", 500)
        record.status = response.status_code
        self.state.log.answered(record)
        return response

    def _answer(self, service: Service, call: Call) -> Response:
        fault = self.state.faults.http(call.host, call.path)
        if fault is not None:
            call.record.error = "fault"
            if fault.status == 0:
                raise DropConnectionError
            response = Response(f"fault {fault.status}\n", fault.status)
            if fault.retry_after is not None:
                response.headers["Retry-After"] = str(fault.retry_after)
            return response
        if call.host == managed_identity.IMDS_HOST and not self.state.settings.imds:
            call.record.error = "off"
            return Response("no route to host\n", 504)
        return service.respond(call)


def _is_loopback(host_header: str) -> bool:
    """Refuses DNS rebinding: a page in a browser cannot send a loopback Host for its own name."""
    return host_header.rpartition(":")[0] in ("127.0.0.1", "localhost")
