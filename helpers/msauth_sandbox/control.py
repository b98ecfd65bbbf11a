"""The sandbox's own pages on its loopback port, for shells and tests in other processes.

``GET /_sandbox/stats`` and ``/_sandbox/requests`` are open; everything else wants the header
``X-Sandbox-Key``. A POST's JSON object holds the keyword arguments of the method of ``Sandbox``
that has the same name (``/_sandbox/revoke-all`` calls ``revoke_all``).
"""

from __future__ import annotations

import secrets
from dataclasses import asdict

from werkzeug.wrappers import Response

from .knobs import Knobs
from .network.service import Call, json_response

_METHODS = (
    "approve",
    "configure",
    "count",
    "deny",
    "device_code",
    "drop_connections",
    "fail_http",
    "fail_tokens",
    "issue_token",
    "pending_device_codes",
    "renew_secret",
    "require_claims",
    "reset",
    "revoke",
    "revoke_all",
    "revoke_refresh_tokens",
    "revoke_registry_tokens",
    "sign_in",
)


class Control:
    def __init__(self, cloud: Knobs, key: str) -> None:
        self._cloud = cloud
        self._key = key

    def respond(self, call: Call) -> Response:
        request, name = call.request, call.path.removeprefix("/_sandbox/")
        if request.method == "GET" and name == "stats":
            return json_response(self._cloud.stats())
        if request.method == "GET" and name == "requests":
            return json_response([asdict(record) for record in self._cloud.requests])
        given = request.headers.get("X-Sandbox-Key", "")
        if not secrets.compare_digest(given.encode(), self._key.encode()):
            return json_response({"error": "the header X-Sandbox-Key is missing or wrong"}, 403)
        method = name.replace("-", "_")
        if request.method != "POST" or method not in _METHODS:
            return json_response({"error": f"no such control {name[:40]!r}"}, 404)
        arguments = request.get_json(force=True, silent=True) if request.get_data() else {}
        if not isinstance(arguments, dict):
            return json_response({"error": "the body must be a JSON object"}, 400)
        try:
            result = getattr(self._cloud, method)(**arguments)
        except (TypeError, ValueError, KeyError) as error:
            return json_response({"error": str(error)}, 400)
        return json_response({"result": result})
