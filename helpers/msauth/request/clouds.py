"""Microsoft's clouds: the only place that spells their hosts, applications and resources.

Resources are those that Microsoft's own SDKs and az ask tokens for. Event Hubs, Service Bus,
Storage, Databricks, Container Registry and the AKS and Arc server applications have the same
identifier in every cloud; a product that a cloud does not have is missing in its table.
"""

from .options import usage_error

AKS_SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"
ARC_SERVER = "6256c85f-0aad-4d50-b960-e6e9b21efe35"
DEVOPS_RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
DEVOPS_SCOPE = DEVOPS_RESOURCE + "/.default"
GRAPH_APPLICATION = "00000003-0000-0000-c000-000000000000"

DEVOPS_HOST = "dev.azure.com"
FEED_HOST = "pkgs." + DEVOPS_HOST
DEVOPS_SERVICES = ("pkgs", "feeds", "vssps", "vsrm", "aex")
"""What may stand before DEVOPS_HOST."""
LEGACY_DOMAIN = ".visualstudio.com"
"""`{organisation}.visualstudio.com`, and `{organisation}.{service}.visualstudio.com`."""
LEGACY_SERVICES = ("pkgs", "feeds", "vssps", "vsrm")
REGISTRY_DOMAINS = (".azurecr.io", ".azurecr.us", ".azurecr.cn")
"""`{registry}.azurecr.io`: container registries, one domain for each of CLOUDS, in their order."""

_EVERYWHERE = {
    "aks": AKS_SERVER,
    "arc": ARC_SERVER,
    "storage": "https://storage.azure.com",
    "acr": "https://containerregistry.azure.net",
    "databricks": "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d",
    "servicebus": "https://servicebus.azure.net",
    "eventhubs": "https://eventhubs.azure.net",
}


class Cloud:
    """One sovereign cloud.

    name: kubelogin's; names: in lower case, all by which it is called (az's, kubelogin's).
    login_hosts: all names of its sign-in service, the authority's own first. resources: product
    to an identifier URI or application id. aliases: other names of a product's resource.
    """

    __slots__ = ("aliases", "authority", "login_hosts", "name", "names", "resources")

    def __init__(
        self,
        name: str,
        names: tuple[str, ...],
        login_hosts: tuple[str, ...],
        resources: dict[str, str],
        aliases: dict[str, str],
    ) -> None:
        self.name = name
        self.names = (name.lower(), *names)
        self.login_hosts = login_hosts
        self.authority = "https://" + login_hosts[0]
        self.resources = {**_EVERYWHERE, **resources}
        self.aliases = aliases

    def resource(self, product: str) -> str:
        """Return a product's resource; raises UsageError for one unknown, or not in this cloud."""
        found = self.resources.get(product)
        if found:
            return found
        if product not in PRODUCTS:
            raise _unknown(product, "product", PRODUCTS, "msauth-token --list-products")
        raise usage_error(
            f"product {product} does not exist in {self.name}",
            "msauth-token --list-products shows what does; --scope asks for anything else",
        )

    def product(self, scope: str) -> str:
        """Return the product of a full scope, or ""."""
        for name, resource in self.resources.items():
            if scope == resource + "/.default":
                return name
        return ""

    def listing(self) -> str:
        """Return the lines of `--list-products`: name and scope."""
        width = max(map(len, PRODUCTS))
        return "".join(
            f"{name:{width}}  {self.resources[name]}/.default\n"
            for name in PRODUCTS
            if name in self.resources
        )


PUBLIC = Cloud(
    "AzurePublicCloud",
    ("azurecloud", "azurepublic"),
    (
        "login.microsoftonline.com",
        "login.windows.net",
        "login.microsoft.com",
        "sts.windows.net",
    ),
    {
        "arm": "https://management.azure.com",
        "devops": DEVOPS_RESOURCE,
        "graph": "https://graph.microsoft.com",
        "keyvault": "https://vault.azure.net",
        "sql": "https://database.windows.net",
        "postgres": "https://ossrdbms-aad.database.windows.net",
        "loganalytics": "https://api.loganalytics.io",
        "kusto": "https://kusto.kusto.windows.net",
        "cognitive": "https://cognitiveservices.azure.com",
        "ai": "https://ai.azure.com",
        "powerbi": "https://analysis.windows.net/powerbi/api",
        "fabric": "https://api.fabric.microsoft.com",
        "synapse": "https://dev.azuresynapse.net",
        "appconfig": "https://appconfig.azure.com",
    },
    {"https://management.core.windows.net": "arm", GRAPH_APPLICATION: "graph"},
)
USGOV = Cloud(
    "AzureUSGovernment",
    ("azureusgovernmentcloud",),
    ("login.microsoftonline.us", "login.usgovcloudapi.net"),
    {
        "arm": "https://management.usgovcloudapi.net",
        "graph": "https://graph.microsoft.us",
        "keyvault": "https://vault.usgovcloudapi.net",
        "sql": "https://database.usgovcloudapi.net",
        "postgres": "https://ossrdbms-aad.database.usgovcloudapi.net",
        "loganalytics": "https://api.loganalytics.us",
        "kusto": "https://kusto.kusto.usgovcloudapi.net",
        "cognitive": "https://cognitiveservices.azure.us",
        "ai": "https://ai.azure.us",
        # The tenants of login.microsoftonline.us are GCC High; GCC signs in to the public cloud.
        "powerbi": "https://high.analysis.usgovcloudapi.net/powerbi/api",
        "synapse": "https://dev.azuresynapse.usgovcloudapi.net",
        "appconfig": "https://appconfig.azure.us",
    },
    {"https://management.core.usgovcloudapi.net": "arm", GRAPH_APPLICATION: "graph"},
)
CHINA = Cloud(
    "AzureChinaCloud",
    (),
    ("login.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
    {
        "arm": "https://management.chinacloudapi.cn",
        "graph": "https://microsoftgraph.chinacloudapi.cn",
        "keyvault": "https://vault.azure.cn",
        "sql": "https://database.chinacloudapi.cn",
        "postgres": "https://ossrdbms-aad.database.chinacloudapi.cn",
        "loganalytics": "https://api.loganalytics.azure.cn",
        "kusto": "https://kusto.kusto.chinacloudapi.cn",
        "cognitive": "https://cognitiveservices.azure.cn",
        "powerbi": "https://analysis.chinacloudapi.cn/powerbi/api",
        "synapse": "https://dev.azuresynapse.azure.cn",
        "appconfig": "https://appconfig.azure.cn",
    },
    {"https://management.core.chinacloudapi.cn": "arm", GRAPH_APPLICATION: "graph"},
)
CLOUDS = (PUBLIC, USGOV, CHINA)
_BY_HOST = {host: cloud for cloud in CLOUDS for host in cloud.login_hosts}
LOGIN_HOSTS = frozenset(_BY_HOST)
"""The sign-in hosts of every cloud."""
# Clouds of Microsoft whose resources are not in the table: their tokens would be for others.
_FOREIGN = (
    *("login-us.microsoftonline.com", ".microsoftonline.de", ".ic.gov", ".scloud"),
    ".sovcloud-identity.fr",
)

PRODUCTS = (
    *("arm", "devops", "graph", "aks", "arc", "storage", "keyvault", "sql", "postgres", "acr"),
    *("databricks", "loganalytics", "kusto", "servicebus", "eventhubs", "cognitive", "ai"),
    *("powerbi", "fabric", "synapse", "appconfig"),
)
"""The short names of what a token can be for, in the order in which they are listed."""
_HEX = frozenset("0123456789abcdefABCDEF")


def cloud_of(authority: str) -> Cloud:
    """Return the cloud that an authority (`https://host[:port]`) signs in to.

    A host that is no cloud of Microsoft's (ADFS, a server of one's own) has the public scopes.
    Raises UsageError for a cloud of Microsoft that the table does not know.
    """
    host = host_of(authority)
    if host not in _BY_HOST and host.endswith(_FOREIGN):
        raise usage_error(
            f"the products of the cloud behind {host} are not known here",
            "--scope asks for a resource by its own name",
        )
    return _BY_HOST.get(host, PUBLIC)


def is_cloud(authority: str) -> bool:
    """Say whether an authority is one of Microsoft's clouds, not a server of one's own."""
    return host_of(authority) in _BY_HOST


def cloud_of_registry(host: str) -> Cloud:
    """Return the cloud of a container registry (`NAME` and one of REGISTRY_DOMAINS)."""
    domains = zip(CLOUDS, REGISTRY_DOMAINS, strict=True)
    return next(cloud for cloud, domain in domains if host.endswith(domain))


def host_of(authority: str) -> str:
    """Return the host, and its port if any, of `https://host[:port]`, in lower case."""
    return authority.partition("://")[2].partition("/")[0].lower()


def cloud_named(name: str) -> Cloud:
    """Return a cloud by kubelogin's or az's name for it, in any case.

    Raises UsageError for every other name: a wrong cloud must not silently be the public one.
    """
    for cloud in CLOUDS:
        if name.lower() in cloud.names:
            return cloud
    known = tuple(cloud.name for cloud in CLOUDS)
    raise _unknown(name, "cloud", known, "one of: " + ", ".join(known))


def normalise_scope(text: str) -> str:
    """Return the full scope that is meant by a resource id or a scope.

    A GUID, `https://host`, `api://application` and the table's own resources get `/.default`,
    appended as it is: `https://host/` becomes `https://host//.default`, because Entra ID then
    issues the audience with its slash. Anything with a path is a full scope already.
    Raises UsageError for what RFC 6749 3.3 does not allow in a scope.
    """
    if not text or not _is_scope(text):
        raise usage_error(f"scope {text!r} is empty or has a character that no scope can have")
    if is_guid(text):
        return text.lower() + "/.default"
    scheme, separator, rest = text.partition("://")
    if not separator:
        if "/" in text or "." in text or ":" in text:
            return text
        hint = "--scope takes a GUID, https://…, api://… or a full scope"
        if text in PRODUCTS:
            hint = f"{text} is a product: give it without --scope"
        raise usage_error(f"scope {text!r} names no resource", hint)
    host, _, path = rest.partition("/")
    if not host or text.startswith("-"):
        raise usage_error(f"scope {text!r} names no resource")
    if not path or (scheme == "api" and is_guid(path)):
        return text + "/.default"
    ours = any(text in cloud.resources.values() for cloud in CLOUDS)
    return text + "/.default" if ours else text


def _is_scope(text: str) -> bool:
    """Say whether this has only characters that a scope can have (RFC 6749 3.3)."""
    return text.isascii() and text.isprintable() and not {*' "\\'} & {*text}


def is_guid(text: str) -> bool:
    """Say whether this is a GUID as Microsoft writes one, in either case."""
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and _HEX.issuperset("".join(parts))


def _unknown(name: str, what: str, known: tuple[str, ...], otherwise: str) -> "UsageError":
    from ..errors import nearest

    near = nearest(name, known)
    return usage_error(f"unknown {what} {name!r}", f"did you mean {near}?" if near else otherwise)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..errors import UsageError
