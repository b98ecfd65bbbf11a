"""``Sandbox``: a running cloud on daemon threads, and the environments that lead into it."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import ssl
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from . import az_files, environment
from .control import Control
from .entra.directory import AZURE_CLI, Tenant, User, subscription_id
from .entra.state import Settings
from .knobs import Knobs
from .network import java
from .network.router import Router
from .network.server import Certificates, Listener
from .services import oidc
from .services.aks import HOST as AKS_HOST
from .services.lfs import Lfs
from .services.managed_identity import PATH as IDENTITY_PATH
from .world import World


class Sandbox(Knobs):
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
        round_trip: float = 0.0,
    ) -> None:
        super().__init__(Settings(expires_in=expires_in, latency=latency, round_trip=round_trip))
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
        world = self._world = World(self.directory, replace(self._defaults), self._log_file)
        control = Control(self, self.control_key)
        router = Router(world.find, control.respond, world.log, world.http_faults)
        certificates = Certificates()
        self.ca_file = self.directory / "ca.pem"
        self.ca_file.write_bytes(certificates.pem)
        der = ssl.PEM_cert_to_DER_cert(certificates.pem.decode())
        (self.directory / "ca.jks").write_bytes(java.trust_store(der))
        world.state.ca_pem = certificates.pem
        self._listener = Listener(
            certificates,
            router.dispatch,
            router.may_tunnel,
            lambda: world.state.settings.round_trip,
            self._port,
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
        self._world.state.closing.set()
        self._listener.stop()
        self._listener = None
        self._log_file.close()
        for _ in range(3 if self._given is None else 0):
            # A client in the background may still be writing there.
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
        return self._world.state.directory.tenants

    @property
    def users(self) -> dict[str, User]:
        return self._world.state.directory.users

    @property
    def user(self) -> str:
        """Who signs in where a client names nobody."""
        return self._world.state.settings.user

    def person(self, name: str | None = None) -> User:
        """By user name, or by what is before its @; by default ``user``. Raises ValueError."""
        wanted = (name or self.user).lower()
        for user in self.users.values():
            if wanted in (user.upn, user.upn.partition("@")[0]):
                return user
        raise ValueError(f"nobody is called {wanted[:40]}; there are {', '.join(self.users)}")

    def sign_in(self, user: str | None = None, tenant: str | None = None) -> str:
        """Leave what ``az login`` leaves, and let this ``person`` be ``user`` from now on.

        ``tenant``: whose subscription is to be az's current one, by default the home tenant's.
        Returns the user name; raises ValueError.
        """
        person = self.person(user)
        place = self._tenant(tenant) if tenant else person.home
        if place.id not in person.object_ids:
            raise ValueError(f"{person.upn} is no member or guest of {place.name}")
        folder = Path(self.azure_cli_environ()["AZURE_CONFIG_DIR"])
        az_files.sign_in(folder, self._world.state, person, place)
        self.configure(user=person.upn)
        return person.upn

    @property
    def client_id(self) -> str:
        """The multi-tenant service principal."""
        return self._world.state.directory.service_principal.client_id

    @property
    def client_secret(self) -> str:
        secret = self._world.state.directory.service_principal.secret
        assert secret is not None
        return secret

    @property
    def intune_client_id(self) -> str:
        """A public client of contoso's own, with an Intune permission on Microsoft Graph."""
        return self._world.state.directory.intune.client_id

    @property
    def managed_identity_client_id(self) -> str:
        return self._world.state.directory.managed_identity.client_id

    @property
    def user_assigned_identity(self) -> dict[str, str]:
        """The machine's second identity: its ``client_id``, ``object_id`` and ``resource_id``."""
        identity = self._world.state.directory.user_assigned_identity
        assert identity.resource_id is not None
        return {
            "client_id": identity.client_id,
            "object_id": identity.object_id(self.tenants["contoso"]),
            "resource_id": identity.resource_id,
        }

    @property
    def azure_cli_client_id(self) -> str:
        return AZURE_CLI

    @property
    def aks_host(self) -> str:
        return AKS_HOST

    @property
    def pat(self) -> str:
        """A personal access token, accepted by every organisation as a Basic password."""
        return self._world.devops.pat

    def subscription_id(self, tenant: str = "contoso") -> str:
        return subscription_id(self.tenants[tenant])

    def repository(self, organization: str, project: str, repository: str) -> Path:
        """The bare repository on disk, for looking at what was pushed."""
        return self._world.devops.repositories.path(organization, project, repository)

    def lfs_objects(self, organization: str, project: str, repository: str) -> dict[str, int]:
        """The Git LFS objects that were pushed: object id (SHA-256) → size in bytes."""
        return Lfs(self.repository(organization, project, repository)).objects()

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
        endpoint, key = self.url + IDENTITY_PATH, self._world.managed_identity.key
        if protocol == "app-service":
            return {"IDENTITY_ENDPOINT": endpoint, "IDENTITY_HEADER": key}
        if protocol == "msi":
            return {"MSI_ENDPOINT": endpoint, "MSI_SECRET": key}
        if protocol == "imds":
            return {}
        raise ValueError(f"unknown managed identity protocol {protocol!r}")

    def github_actions_environ(self, org_or_tenant: str = "contoso") -> dict[str, str]:
        github = self._world.github
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
            "SYSTEM_ACCESSTOKEN": self._world.pipelines.access_token,
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
        plugin = {
            "apiVersion": api_version,
            "command": command,
            "args": list(args),
            "env": [{"name": k, "value": v} for k, v in (env or {}).items()],
            "interactiveMode": "IfAvailable",
            "provideClusterInfo": provide_cluster_info,
        }
        path = self._private(f"kubeconfig-{secrets.token_hex(4)}")
        path.write_text(environment.kubeconfig(AKS_HOST, self.ca_file, user or {"exec": plugin}))
        return path
