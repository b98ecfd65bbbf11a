"""The organisations of Azure DevOps, and which of them a host name and a path mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..entra.directory import Tenant, stable_guid

_ROOT = "dev.azure.com"
_SERVICES = ("pkgs", "feeds", "vssps", "vsrm", "aex", "vstoken", "vsaex")


@dataclass(frozen=True)
class Organization:
    """``tenant`` None means backed by personal accounts. ``projects``: name → repositories."""

    name: str
    tenant: Tenant | None
    projects: dict[str, list[str]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return stable_guid("organization", self.name)


@dataclass(frozen=True)
class Place:
    """Where a request goes: the organisation, the service, and the path below both."""

    organization: str | None
    service: str
    path: str


def organizations(tenants: Mapping[str, Tenant]) -> dict[str, Organization]:
    hello = {"hello": ["hello"], "My Project": ["My Repo"]}
    return {
        "contoso": Organization("contoso", tenants["contoso"], hello),
        "fabrikam": Organization("fabrikam", tenants["fabrikam"], {"widgets": ["widgets"]}),
        "personal": Organization("personal", None, {"notes": ["notes"]}),
    }


def is_devops_host(host: str, names: Mapping[str, Organization]) -> bool:
    if host == _ROOT or host in {f"{service}.{_ROOT}" for service in _SERVICES}:
        return True
    label, _, rest = host.removesuffix(".visualstudio.com").partition(".")
    return host.endswith(".visualstudio.com") and (
        (label == "app" and rest == "vssps") or (label in names and rest in ("", *_SERVICES))
    )


def locate(host: str, path: str) -> Place:
    if host == "app.vssps.visualstudio.com":
        return Place(None, "vssps", path)
    if host.endswith(".visualstudio.com"):
        organization, _, service = host.removesuffix(".visualstudio.com").partition(".")
        path = path.removeprefix("/DefaultCollection")
        return Place(organization, service, path or "/")
    service = host.removesuffix(_ROOT).rstrip(".")
    organization, _, rest = path.lstrip("/").partition("/")
    return Place(organization.lower() or None, service, "/" + rest)
