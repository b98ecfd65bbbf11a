"""Who and what exists in this cloud: tenants, users, applications and the APIs they may call."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
AKS_CLIENT = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
ARC_CLIENT = "3f4439ff-e698-4d6d-84fe-09c9d574f06b"
AZURE_POWERSHELL = "1950a258-227b-4e31-a9cf-717495945fc2"
VISUAL_STUDIO = "872cd9fa-d31f-45e0-9eab-6e460a02d1f1"

ARM = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
GRAPH = "00000003-0000-0000-c000-000000000000"
DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"
TOKEN_EXCHANGE = "fb60f99c-7a34-4190-8149-302f77469936"
"""The API of `api://AzureADTokenExchange`: a managed identity's token for it is an assertion."""
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630"

ZERO_GUID = "00000000-0000-0000-0000-000000000000"

_NAMESPACE = uuid.UUID("6f0e7c0a-5d55-5d0c-9d5e-0f5c1c2b7a11")


def stable_guid(*parts: str) -> str:
    """The same GUID for the same words in every process, so that transcripts can be compared."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


def subscription_id(tenant: Tenant) -> str:
    return stable_guid("subscription", tenant.name)


@dataclass(frozen=True)
class Tenant:
    name: str
    id: str
    domains: tuple[str, ...]
    display_name: str


def exchange_issuer(tenant: Tenant) -> str:
    """Who issues a managed identity's token for TOKEN_EXCHANGE: a federated credential names it."""
    return f"https://login.microsoftonline.com/{tenant.id}/v2.0"


@dataclass(frozen=True)
class User:
    """A person: a member of the home tenant, perhaps a guest in others.

    ``object_ids`` maps a tenant id to the object id the person has there.
    """

    upn: str
    name: str
    home: Tenant
    object_ids: Mapping[str, str]

    @property
    def home_account_id(self) -> str:
        """MSAL's ``home_account_id``: ``<object id at home>.<home tenant id>``."""
        return f"{self.object_ids[self.home.id]}.{self.home.id}"


@dataclass(frozen=True)
class Resource:
    """An API. ``uris`` hold no trailing slash; ``hosts`` are domain suffixes that are also its."""

    id: str
    name: str
    uris: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("user_impersonation",)
    roles: tuple[str, ...] = ()
    tenants: tuple[str, ...] | None = None


@dataclass(frozen=True)
class FederatedCredential:
    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"


@dataclass(frozen=True)
class Certificate:
    """A registered certificate, or the issuer of leaves named ``subject_name`` (SNI)."""

    certificate: x509.Certificate
    subject_name: str | None = None


@dataclass
class Application:
    """An app registration. ``tenants`` None means every tenant; ``secret`` None means public.

    ``resource_id`` is the Azure resource of a managed identity.
    ``delegated`` and ``roles`` map a resource id to permissions; a resource that is absent from
    ``delegated`` gets the resource's own default scopes when ``first_party`` is set, else nothing.
    """

    client_id: str
    name: str
    secret: str | None = field(default=None, repr=False)
    expired_secrets: list[str] = field(default_factory=list, repr=False)
    tenants: tuple[str, ...] | None = None
    family: bool = False
    first_party: bool = False
    delegated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    redirect_uris: tuple[str, ...] = ()
    certificates: list[Certificate] = field(default_factory=list)
    federated: list[FederatedCredential] = field(default_factory=list)
    resource_id: str | None = None

    def object_id(self, tenant: Tenant) -> str:
        return stable_guid("service principal", self.client_id, tenant.id)

    def scopes_for(self, resource: Resource) -> tuple[str, ...]:
        if resource.id in self.delegated:
            return self.delegated[resource.id]
        return resource.scopes if self.first_party else ()

    def roles_for(self, resource: Resource) -> tuple[str, ...]:
        return self.roles.get(resource.id, resource.roles)


# fmt: off
RESOURCES = (
    Resource(ARM, "Azure Resource Manager", (
        "https://management.azure.com", "https://management.core.windows.net",
        "https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net",
        "https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn",
    )),
    Resource(GRAPH, "Microsoft Graph", (
        "https://graph.microsoft.com", "https://graph.microsoft.us",
        "https://dod-graph.microsoft.us", "https://microsoftgraph.chinacloudapi.cn",
    ), scopes=("User.Read",)),
    Resource(DEVOPS, "Azure DevOps", (
        "https://app.vssps.visualstudio.com", "https://devops.azure.com",
    )),
    Resource(TOKEN_EXCHANGE, "AzureADTokenExchange", ("api://AzureADTokenExchange",)),
    Resource(AKS, "Azure Kubernetes Service AAD Server", scopes=("user.read",)),
    Resource("6256c85f-0aad-4d50-b960-e6e9b21efe35", "Azure Arc Kubernetes Server",
             scopes=("user.read",)),
    Resource("00000002-0000-0000-c000-000000000000", "Windows Azure Active Directory",
             ("https://graph.windows.net",)),
    Resource("e406a681-f3d4-42a8-90b6-c2b029497af1", "Azure Storage",
             ("https://storage.azure.com",), (".core.windows.net", ".core.usgovcloudapi.net",
                                              ".core.chinacloudapi.cn")),
    Resource("cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "Azure Key Vault",
             ("https://vault.azure.net", "https://vault.usgovcloudapi.net",
              "https://vault.azure.cn", "https://managedhsm.azure.net"), (".vault.azure.net",)),
    Resource("022907d3-0f1b-48f7-badc-1ba6abab6d66", "Azure SQL Database",
             ("https://database.windows.net", "https://database.usgovcloudapi.net",
              "https://database.chinacloudapi.cn"), (".database.windows.net",)),
    Resource("123cd850-d9df-40bd-94d5-c9f07b7fa203", "Azure OSSRDBMS Database",
             ("https://ossrdbms-aad.database.windows.net",
              "https://ossrdbms-aad.database.usgovcloudapi.net",
              "https://ossrdbms-aad.database.chinacloudapi.cn")),
    Resource("6a0ec4d3-30cb-4a83-91c0-ae56bc0e3d26", "Azure Container Registry",
             ("https://containerregistry.azure.net",)),
    Resource("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d", "AzureDatabricks"),
    Resource("ca7f3f0b-7d91-482c-8e09-c5d840d0eac5", "Log Analytics API",
             ("https://api.loganalytics.io", "https://api.loganalytics.azure.com",
              "https://api.loganalytics.us", "https://api.loganalytics.azure.cn")),
    Resource("2746ea77-4702-4b45-80ca-3c97e680e8b7", "Azure Data Explorer",
             ("https://api.kusto.windows.net",),
             (".kusto.windows.net", ".kusto.usgovcloudapi.net", ".kusto.chinacloudapi.cn")),
    Resource("80a10ef9-8168-493d-abf9-3297c4ef6e3c", "Microsoft.ServiceBus",
             ("https://servicebus.azure.net",), (".servicebus.windows.net",)),
    Resource("80369ed6-5f11-4dd9-bef3-692475845e77", "Microsoft.EventHubs",
             ("https://eventhubs.azure.net",)),
    Resource("7d312290-28c8-473c-a0ed-8e53749b6d6d", "Microsoft Cognitive Services",
             ("https://cognitiveservices.azure.com", "https://cognitiveservices.azure.us",
              "https://cognitiveservices.azure.cn")),
    Resource("18a66f5f-dbdf-4c17-9dd7-1634712a9cbe", "Azure Machine Learning Services",
             ("https://ml.azure.com", "https://ai.azure.com", "https://ai.azure.us",
              "https://ai.azure.cn")),
    Resource("00000009-0000-0000-c000-000000000000", "Power BI Service",
             ("https://analysis.windows.net/powerbi/api",
              "https://analysis.usgovcloudapi.net/powerbi/api",
              "https://analysis.chinacloudapi.cn/powerbi/api",
              "https://api.fabric.microsoft.com")),
    Resource("1ac05c7e-12d2-4605-bf9d-549d7041c6b3", "Azure Synapse Gateway",
             ("https://dev.azuresynapse.net", "https://dev.azuresynapse.usgovcloudapi.net",
              "https://dev.azuresynapse.azure.cn")),
    Resource("35ffadb3-7fc1-497e-b61b-381d28e744cc", "Azure App Configuration",
             ("https://azconfig.io", "https://appconfig.azure.com", "https://appconfig.azure.us",
              "https://appconfig.azure.cn"), (".azconfig.io",)),
    Resource("ddbf3205-c6bd-46ae-8127-60eb93363864", "Azure Batch",
             ("https://batch.core.windows.net",)),
)
# fmt: on

INTUNE_READ = "DeviceManagementManagedDevices.Read.All"
GRAPH_OF_AZURE_CLI = (
    "AuditLog.Read.All",
    "Directory.AccessAsUser.All",
    "Group.ReadWrite.All",
    "User.ReadWrite.All",
)

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
GITHUB_SUBJECT = "repo:contoso/hello:ref:refs/heads/main"
PIPELINES_ORG_ID = stable_guid("organization", "contoso")
PIPELINES_ISSUER = f"https://vstoken.dev.azure.com/{PIPELINES_ORG_ID}"
PIPELINES_SUBJECT = "sc://contoso/hello/azure"
WORKLOAD_ISSUER = f"https://westeurope.oic.prod-aks.azure.com/{stable_guid('cluster', 'hello')}/"
WORKLOAD_SUBJECT = "system:serviceaccount:default:hello"


class Directory:
    """The default world: two tenants, three people, a service principal, a few public clients."""

    def __init__(self) -> None:
        contoso = Tenant(
            "contoso",
            stable_guid("tenant", "contoso"),
            ("contoso.com", "contoso.onmicrosoft.com"),
            "Contoso",
        )
        fabrikam = Tenant(
            "fabrikam",
            stable_guid("tenant", "fabrikam"),
            ("fabrikam.com", "fabrikam.onmicrosoft.com"),
            "Fabrikam",
        )
        self.tenants = {"contoso": contoso, "fabrikam": fabrikam}
        self.users = {
            "alex@contoso.com": _user("alex@contoso.com", "Alex Wilber", contoso, fabrikam),
            "sam@contoso.com": _user("sam@contoso.com", "Sam Ortiz", contoso),
            "robin@fabrikam.com": _user("robin@fabrikam.com", "Robin Lund", fabrikam),
        }
        self.resources = list(RESOURCES)
        self.service_principal = Application(
            stable_guid("application", "pipeline"),
            "pipeline",
            secret="s8~" + secrets.token_urlsafe(30),
            roles={GRAPH: ("User.Read.All", INTUNE_READ)},
            federated=[
                FederatedCredential(GITHUB_ISSUER, GITHUB_SUBJECT),
                FederatedCredential(PIPELINES_ISSUER, PIPELINES_SUBJECT),
                FederatedCredential(WORKLOAD_ISSUER, WORKLOAD_SUBJECT),
            ],
        )
        group = f"/subscriptions/{subscription_id(contoso)}/resourcegroups/hello/providers"
        self.managed_identity = _managed_identity(
            contoso, "virtual machine", f"{group}/Microsoft.Compute/virtualMachines/hello"
        )
        self.user_assigned_identity = _managed_identity(
            contoso,
            "user-assigned",
            f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities/hello",
        )
        for identity in (self.managed_identity, self.user_assigned_identity):
            self.service_principal.federated.append(
                FederatedCredential(exchange_issuer(contoso), identity.object_id(contoso))
            )
        self.intune = Application(
            stable_guid("application", "intune reports"),
            "intune reports",
            tenants=(contoso.id,),
            delegated={GRAPH: ("User.Read", INTUNE_READ)},
            redirect_uris=("http://localhost",),
        )
        first_party = {
            AZURE_CLI: ("Microsoft Azure CLI", True),
            AZURE_POWERSHELL: ("Microsoft Azure PowerShell", True),
            VISUAL_STUDIO: ("Visual Studio", True),
            AKS_CLIENT: ("Azure Kubernetes Service AAD Client", False),
            ARC_CLIENT: ("Azure Arc Kubernetes Client", False),
        }
        self.applications = {
            app.client_id: app
            for app in (
                self.service_principal,
                self.managed_identity,
                self.user_assigned_identity,
                self.intune,
            )
        }
        for client_id, (name, family) in first_party.items():
            self.applications[client_id] = Application(
                client_id,
                name,
                family=family,
                first_party=True,
                delegated={GRAPH: GRAPH_OF_AZURE_CLI} if family else {},
                redirect_uris=("http://localhost", "http://127.0.0.1"),
            )

    def tenant(self, name: str) -> Tenant | None:
        """A tenant by GUID, by one of its domains, or by its short name."""
        wanted = name.lower()
        for tenant in self.tenants.values():
            if wanted in (tenant.id, tenant.name, *tenant.domains):
                return tenant
        return None

    def resource(self, identifier: str) -> Resource | None:
        """An API by app id, by identifier URI (with or without a trailing slash), or by host."""
        wanted = identifier.lower().rstrip("/").removeprefix("spn:").removeprefix("api://")
        for resource in self.resources:
            uris = (uri.lower().removeprefix("api://") for uri in resource.uris)
            if wanted == resource.id or wanted in uris:
                return resource
        if wanted.startswith("https://"):
            for resource in self.resources:
                if wanted.endswith(resource.suffixes):
                    return resource
        return None

    def user_by_object_id(self, object_id: str) -> User | None:
        for user in self.users.values():
            if object_id in user.object_ids.values():
                return user
        return None


def _managed_identity(tenant: Tenant, name: str, resource_id: str) -> Application:
    return Application(
        stable_guid("application", name),
        name,
        tenants=(tenant.id,),
        roles={GRAPH: ("User.Read.All",)},
        resource_id=resource_id,
    )


def _user(upn: str, name: str, home: Tenant, *guest_in: Tenant) -> User:
    places = (home, *guest_in)
    return User(upn, name, home, {t.id: stable_guid("user", upn, t.id) for t in places})
