"""``Sandbox``: starts the cloud on daemon threads and holds every knob that a test can turn."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography import x509

from . import environment, oidc
from .aadsts import SignInError
from .aks import HOST as AKS_HOST
from .control import Control
from .directory import (
    AKS,
    ARM,
    AZURE_CLI,
    DEVOPS,
    GRAPH,
    Application,
    Certificate,
    Directory,
    Resource,
    Tenant,
    User,
    stable_guid,
)
from .grants import Grants, consented
from .managed_identity import PATH as IDENTITY_PATH
from .router import Router
from .server import Certificates, Listener
from .sessions import Sessions
from .state import HttpFault, Settings, State, TokenFault
from .stats import Record, RequestLog
from .tokens import Mint

_AUDIENCES = {"devops": DEVOPS, "arm": ARM, "graph": GRAPH, "aks": AKS}
_SETTINGS = {f.name for f in fields(Settings)}


class Sandbox:
    """A running cloud; use it as a context manager, or ``start`` and ``close`` it.

    ``directory`` is where the CA certificate, the repositories and the request log live. By
    default it is a private temporary directory that goes away on ``close``. All times are seconds.
    """

    def __init__(
        self,
        expires_in: float = 3600,
        latency: float = 0.0,
        directory: str | os.PathLike[str] | None = None,
        port: int = 0,
    ) -> None:
        self._defaults = Settings(expires_in=expires_in, latency=latency)
        self._given = Path(directory) if directory is not None else None
        self._port = port
        self._listener: Listener | None = None
        self.control_key = secrets.token_hex(16)

    def start(self) -> Sandbox:
        if self._given is None:
            self.directory = Path(tempfile.mkdtemp(prefix="msauth-sandbox-"))
        else:
            self.directory = self._given
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log_file = open(self._private("requests.jsonl"), "w", encoding="utf-8")  # noqa: SIM115 - closed by close
        world = Directory()
        self._state = State(
            directory=world,
            mint=Mint(world),
            sessions=Sessions(),
            log=RequestLog(self._log_file),
            root=self.directory,
            settings=replace(self._defaults),
        )
        self._router = Router(self._state)
        self._router.control = Control(self, self.control_key)
        certificates = Certificates()
        self.ca_file = self.directory / "ca.pem"
        self.ca_file.write_bytes(certificates.pem)
        self._listener = Listener(
            certificates, self._router.dispatch, self._router.may_tunnel, self._port
        )
        self.port = self._listener.port
        threading.Thread(
            target=self._listener.serve_forever, args=(0.05,), daemon=True, name="sandbox"
        ).start()
        return self

    def close(self) -> None:
        """Stops listening, ends open connections, and removes a temporary directory."""
        if self._listener is None:
            return
        self._state.closing.set()
        self._listener.stop()
        self._listener = None
        self._log_file.close()
        if self._given is None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _private(self, name: str) -> Path:
        """A file in the directory, born with mode 0600."""
        path = self.directory / name
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return path

    # -- who and what there is

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def tenants(self) -> dict[str, Tenant]:
        return self._state.directory.tenants

    @property
    def users(self) -> dict[str, User]:
        return self._state.directory.users

    @property
    def client_id(self) -> str:
        """The multi-tenant service principal."""
        return self._state.directory.service_principal.client_id

    @property
    def client_secret(self) -> str:
        secret = self._state.directory.service_principal.secret
        assert secret is not None
        return secret

    @property
    def intune_client_id(self) -> str:
        """A public client of contoso's own, with an Intune permission on Microsoft Graph."""
        return self._state.directory.intune.client_id

    @property
    def managed_identity_client_id(self) -> str:
        return self._state.directory.managed_identity.client_id

    @property
    def azure_cli_client_id(self) -> str:
        return AZURE_CLI

    @property
    def aks_host(self) -> str:
        return AKS_HOST

    @property
    def pat(self) -> str:
        """A personal access token, accepted by every organisation as a Basic password."""
        return self._router.devops.pat

    def subscription_id(self, tenant: str = "contoso") -> str:
        return stable_guid("subscription", self.tenants[tenant].name)

    def repository(self, organization: str, project: str, repository: str) -> Path:
        """The bare repository on disk, for looking at what was pushed."""
        return self._router.devops.repositories.path(organization, project, repository)

    # -- environments for clients

    @property
    def environ(self) -> dict[str, str]:
        """Network only: proxy, CA, no telemetry. No identity."""
        return environment.network(self.port, self.ca_file)

    @property
    def identity_variables(self) -> tuple[str, ...]:
        """Variables to take out of a client's environment before adding an identity."""
        return environment.IDENTITY_VARIABLES

    @property
    def control_environ(self) -> dict[str, str]:
        return {"MSAUTH_SANDBOX_URL": self.url, "MSAUTH_SANDBOX_KEY": self.control_key}

    def service_principal_environ(self, org_or_tenant: str = "contoso") -> dict[str, str]:
        return {
            "AZURE_TENANT_ID": self._tenant(org_or_tenant).id,
            "AZURE_CLIENT_ID": self.client_id,
            "AZURE_CLIENT_SECRET": self.client_secret,
        }

    def workload_identity_environ(self, org_or_tenant: str = "contoso") -> dict[str, str]:
        path = self._private("workload-token")
        path.write_text(oidc.workload_token())
        return {
            "AZURE_TENANT_ID": self._tenant(org_or_tenant).id,
            "AZURE_CLIENT_ID": self.client_id,
            "AZURE_FEDERATED_TOKEN_FILE": str(path),
            "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
        }

    def managed_identity_environ(self, protocol: str = "app-service") -> dict[str, str]:
        """``app-service`` (IDENTITY_*), ``msi`` (MSI_*), or ``imds`` (nothing to set)."""
        endpoint, key = self.url + IDENTITY_PATH, self._router.managed_identity.key
        if protocol == "app-service":
            return {"IDENTITY_ENDPOINT": endpoint, "IDENTITY_HEADER": key}
        if protocol == "msi":
            return {"MSI_ENDPOINT": endpoint, "MSI_SECRET": key}
        if protocol == "imds":
            return {}
        raise ValueError(f"unknown managed identity protocol {protocol!r}")

    def github_actions_environ(self, org_or_tenant: str = "contoso") -> dict[str, str]:
        github = self._router.github
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": (
                f"https://{oidc.GITHUB_HOST}{github.request_path}?api-version=2.0"
            ),
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": github.request_token,
            "AZURE_TENANT_ID": self._tenant(org_or_tenant).id,
            "AZURE_CLIENT_ID": self.client_id,
        }

    def azure_pipelines_environ(self, org_or_tenant: str = "contoso") -> dict[str, str]:
        tenant = self._tenant(org_or_tenant).id
        return {
            "TF_BUILD": "True",
            "SYSTEM_OIDCREQUESTURI": f"https://dev.azure.com{oidc.PIPELINES_PATH}",
            "SYSTEM_ACCESSTOKEN": self._router.pipelines.access_token,
            "AZURESUBSCRIPTION_CLIENT_ID": self.client_id,
            "AZURESUBSCRIPTION_TENANT_ID": tenant,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": oidc.SERVICE_CONNECTION,
        }

    def azure_cli_environ(self) -> dict[str, str]:
        """An az configuration directory of the sandbox's own; ``~/.azure`` is left alone."""
        path = self.directory / "azure-config"
        path.mkdir(mode=0o700, exist_ok=True)
        return {"AZURE_CONFIG_DIR": str(path)}

    def browser_environ(self) -> dict[str, str]:
        """``BROWSER``: a browser without a window that follows the sign-in to its end."""
        path = self.directory / "browser"
        if not path.exists():
            program = Path(__file__).with_name("browser.py")
            command = shlex.join([sys.executable, "-I", str(program)])
            script = self._private("browser")
            script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            script.chmod(0o700)
        return {"BROWSER": f"{path} %s &"}

    def kubeconfig(
        self,
        command: str = "msauth-token",
        args: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        api_version: str = "client.authentication.k8s.io/v1",
        provide_cluster_info: bool = False,
        **user: Any,
    ) -> Path:
        """Writes a kubeconfig whose user runs an exec plugin (or is ``user``, e.g. ``token=``)."""
        exec_plugin = {
            "apiVersion": api_version,
            "command": command,
            "args": list(args),
            "env": [{"name": k, "value": v} for k, v in (env or {}).items()],
            "interactiveMode": "IfAvailable",
            "provideClusterInfo": provide_cluster_info,
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "hello",
                    "cluster": {
                        "server": f"https://{AKS_HOST}:443",
                        "certificate-authority": str(self.ca_file),
                    },
                }
            ],
            "users": [{"name": "hello", "user": user or {"exec": exec_plugin}}],
            "contexts": [{"name": "hello", "context": {"cluster": "hello", "user": "hello"}}],
            "current-context": "hello",
        }
        path = self.directory / f"kubeconfig-{secrets.token_hex(4)}"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=1))
        return path

    def _tenant(self, name: str) -> Tenant:
        organization = self._router.devops.organizations.get(name)
        if organization is not None and organization.tenant is not None:
            return organization.tenant
        tenant = self._state.directory.tenant(name)
        if tenant is None:
            raise ValueError(f"no tenant or organisation {name!r}")
        return tenant

    # -- what happened

    def stats(self) -> dict[str, Any]:
        return self._state.log.snapshot()

    @property
    def requests(self) -> list[Record]:
        return self._state.log.records()

    def count(self, kind: str = "request", **filters: Any) -> int:
        """Requests of a kind whose record has these values; ``tenant`` also by its short name."""
        if "tenant" in filters:
            tenant = self._state.directory.tenant(str(filters["tenant"]))
            filters["tenant"] = tenant.id if tenant else filters["tenant"]
        return self._state.log.count(kind, filters)

    # -- knobs

    def reset(self, repositories: bool = False) -> None:
        """Counters, settings, faults, revocations and half-done sign-ins back to the start.

        Tokens and refresh tokens that were issued stay valid; with ``repositories`` all pushes
        are undone too.
        """
        self._state.settings = replace(self._defaults)
        self._state.on_token = None
        self._state.faults.clear()
        self._state.mint.reset()
        self._state.sessions.reset()
        self._state.directory.service_principal.certificates.clear()
        self._state.log.clear()
        if repositories:
            self._router.devops.repositories.reset()

    def configure(self, **settings: Any) -> None:
        """See ``state.Settings`` for the names."""
        unknown = set(settings) - _SETTINGS
        if unknown:
            raise ValueError(f"unknown setting {', '.join(sorted(unknown))}")
        self._state.settings = replace(self._state.settings, **settings)

    def on_token(self, callback: Callable[[Record], None] | None) -> None:
        """Called in the server's thread before each token response is sent, success or not."""
        self._state.on_token = callback

    def issue_token(
        self,
        tenant: str = "contoso",
        scope: str = f"{DEVOPS}/.default",
        *,
        user: str | None = None,
        client: str | None = None,
        expires_in: float | None = None,
        cae: bool = False,
        **overrides: Any,
    ) -> str:
        """A validly signed access token, as the token endpoint would give out; not counted.

        Claims in ``overrides`` replace the usual ones, so a wrong audience or issuer is possible.
        """
        place = self._tenant(tenant)
        wanted = Grants(self._state).wanted(scope, place)
        directory = self._state.directory
        person = directory.users[user] if user else None
        client_id = client or (AZURE_CLI if person else self.client_id)
        application: Application = directory.applications[client_id]
        lifetime = self._state.settings.expires_in if expires_in is None else expires_in
        return self._state.mint.access_token(
            tenant=place,
            resource=wanted.resource,
            audience=wanted.audience,
            application=application,
            user=person,
            scopes=consented(application, wanted) if person else (),
            lifetime=lifetime,
            cae=cae,
            overrides=overrides,
        )

    def _audience(self, audience: str) -> str:
        if audience in _AUDIENCES:
            return _AUDIENCES[audience]
        resource = self._state.directory.resource(audience)
        if resource is None:
            raise ValueError(f"no API {audience!r}")
        return resource.id

    def revoke(self, token: str) -> None:
        """APIs answer 401 to this access token from now on."""
        self._state.mint.revoke(token)

    def revoke_all(self, audience: str | None = None) -> None:
        """APIs (or one: devops, arm, graph, aks, or any id) refuse all tokens issued before now."""
        self._state.mint.revoke_all(self._audience(audience) if audience else None)

    def require_claims(
        self,
        audience: str = "devops",
        claims: Mapping[str, Any] | str | None = None,
        strict: bool = False,
    ) -> str:
        """Continuous access evaluation: the API wants ``claims``, by default an ``nbf`` claim.

        A token issued before now whose request did not carry them is answered with a claims
        challenge; with ``strict`` also one issued later. Returns the challenge's JSON text.
        """
        parsed = json.loads(claims) if isinstance(claims, str) else claims
        return self._state.mint.require_claims(self._audience(audience), parsed, strict)

    def fail_tokens(
        self,
        error_code: int = 50076,
        error: str | None = None,
        times: int | None = 1,
        *,
        http_status: int | None = None,
        grant: str | None = None,
        suberror: str | None = None,
        claims: str | None = None,
        tenant: str | None = None,
        client_id: str | None = None,
        message: str = "",
    ) -> None:
        """The next ``times`` matching token requests (None: all until reset) fail with AADSTS…"""
        fault = SignInError(
            error_code,
            message,
            error=error,
            http_status=http_status,
            suberror=suberror,
            claims=claims,
        )
        tenant_id = self._tenant(tenant).id if tenant else None
        self._state.faults.add_token(TokenFault(fault, times, grant, tenant_id, client_id))

    def fail_http(
        self,
        host: str = "login.microsoftonline.com",
        status: int = 503,
        times: int | None = 1,
        retry_after: int | None = None,
        path: str = "*",
    ) -> None:
        """The next requests to ``host`` and ``path`` (shell patterns) get this ``status``."""
        self._state.faults.add_http(HttpFault(host, status, times, retry_after, path))

    def drop_connections(self, times: int | None = 1, host: str = "*", path: str = "*") -> None:
        """The next requests get no answer: the connection is closed."""
        self._state.faults.add_http(HttpFault(host, 0, times, None, path))

    def revoke_refresh_tokens(self, user: str | None = None, error_code: int = 50173) -> None:
        """Refresh tokens issued before now (to ``user``, or to all) are ``invalid_grant``."""
        self._state.sessions.revoke_refresh(user, error_code)

    def device_code(self, mode: str = "auto", interval: int | None = None) -> None:
        """What becomes of new device codes: ``auto`` approves them, ``manual`` waits."""
        if mode not in ("auto", "manual", "deny"):
            raise ValueError(f"unknown device code mode {mode!r}")
        self.configure(device_code=mode)
        if interval is not None:
            self.configure(device_code_interval=interval)

    def pending_device_codes(self) -> list[str]:
        return [code.user_code for code in self._state.sessions.pending()]

    def approve(self, user_code: str, user: str = "alex@contoso.com") -> None:
        if not self._state.sessions.decide(user_code, self.users[user]):
            raise ValueError("no such device code")

    def deny(self, user_code: str) -> None:
        if not self._state.sessions.decide(user_code, None):
            raise ValueError("no such device code")

    def register_certificate(self, pem: bytes, subject_name: str | None = None) -> None:
        """Lets the service principal sign in with this certificate until ``reset``.

        With ``subject_name`` the certificate is an issuer: every leaf it signed with that common
        name is accepted when the assertion carries its chain (``x5c``; subject name and issuer).
        """
        certificate = x509.load_pem_x509_certificate(pem)
        self._state.directory.service_principal.certificates.append(
            Certificate(certificate, subject_name)
        )

    def register_resource(
        self, uri: str, scopes: tuple[str, ...] = ("user_impersonation",), tenant: str | None = None
    ) -> str:
        """An API of one's own, such as ``api://hello``; returns its app id."""
        app_id = stable_guid("resource", uri)
        tenants = (self._tenant(tenant).id,) if tenant else None
        resource = Resource(app_id, uri, (uri.rstrip("/"),), scopes=scopes, tenants=tenants)
        self._state.directory.resources.append(resource)
        return app_id
