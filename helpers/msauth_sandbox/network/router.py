"""Sends each request to the service of its host, with the record and the faults around it."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from werkzeug.wrappers import Request, Response

from .faults import Faults, HttpFault
from .records import Record, RequestLog
from .service import Call, DropConnectionError, Service

Find = Callable[[str, str, bool], Service | None]
"""``(host, path, tunnelled)`` → the service, or None for a host that is not served.

An empty host is that of a request to the proxy itself.
"""


class Router:
    """``control`` answers the sandbox's own pages, which are neither recorded nor made to fail."""

    def __init__(
        self,
        find: Find,
        control: Callable[[Call], Response],
        log: RequestLog,
        faults: Faults[HttpFault],
    ) -> None:
        self._find = find
        self._control = control
        self._log = log
        self._faults = faults

    def may_tunnel(self, host: str, port: str) -> bool:
        served = port == "443" and self._find(host, "/", True) is not None
        kind = "connect" if served else "unknown_host"
        name = host if port == "443" else f"{host}:{port}"
        self._log.add(Record(kind, name, "CONNECT", "", status=200 if served else 502))
        return served

    def dispatch(self, host: str, tunnelled: bool, request: Request) -> Response:
        """Every request ends here. Records are added on arrival, so that waiting ones count."""
        record = Record("request", host or "127.0.0.1", request.method, request.path)
        service: Service | None = None
        if host:
            service = self._find(host, request.path, tunnelled)
        elif _is_loopback(request.headers.get("Host", "")):
            if request.path.startswith("/_sandbox"):
                return self._control(Call(request, record, host))
            service = self._find("", request.path, False)
        if service is None:
            record.kind, record.status = "unknown_host", 502
            self._log.add(record)
            return Response("the sandbox does not serve this host\n", 502)
        record.kind = service.kind
        self._log.add(record)
        try:
            response = self._faulty(record) or service.respond(Call(request, record, host))
        except (DropConnectionError, OSError):
            self._log.answered(record)
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours must show, not hang a client
            record.error = type(error).__name__
            traceback.print_exc()
            response = Response("the sandbox failed; its stderr says why\n", 500)
        record.status = response.status_code
        self._log.answered(record)
        return response

    def _faulty(self, record: Record) -> Response | None:
        fault = self._faults.take(record)
        if fault is None:
            return None
        record.error = "fault"
        if fault.status == 0:
            raise DropConnectionError
        response = Response(f"fault {fault.status}\n", fault.status)
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response


def _is_loopback(host_header: str) -> bool:
    """Refuses DNS rebinding: a page in a browser cannot send a loopback Host for its own name."""
    return host_header.rpartition(":")[0] in ("127.0.0.1", "localhost")
