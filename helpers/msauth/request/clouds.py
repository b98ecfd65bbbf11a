"""Short names for what a token is for: one table, per cloud; and the clouds themselves.

Resources are those that Microsoft's own SDKs and az ask tokens for. Event Hubs, Service Bus,
Storage, Databricks, Container Registry and the AKS and Arc server applications have the same
identifier in every cloud; `""` means that the cloud does not have the product.
"""

from .options import one, usage_error
from .selection import authority_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from ..errors import UsageError
    from .options import Options

PUBLIC, USGOV, CHINA = 0, 1, 2
CLOUDS = ("AzurePublicCloud", "AzureUSGovernment", "AzureChinaCloud")
AKS_SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"
ARC_SERVER = "6256c85f-0aad-4d50-b960-e6e9b21efe35"

_AUTHORITIES = (
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.chinacloudapi.cn",
)
_HOSTS = {
    "login.microsoftonline.com": PUBLIC,
    "login.microsoft.com": PUBLIC,
    "login.windows.net": PUBLIC,
    "login.microsoftonline.us": USGOV,
    "login.chinacloudapi.cn": CHINA,
    "login.partner.microsoftonline.cn": CHINA,
}
# Clouds of Microsoft whose resources are not in the table: their tokens would be for others.
_FOREIGN = (".microsoftonline.de", ".ic.gov", ".scloud", ".sovcloud-identity.fr")
_ENVIRONMENTS = {
    "azurepubliccloud": PUBLIC,
    "azurecloud": PUBLIC,
    "azureusgovernment": USGOV,
    "azureusgovernmentcloud": USGOV,
    "azurechinacloud": CHINA,
}

PRODUCTS = {
    "arm": (
        "https://management.azure.com",
        "https://management.usgovcloudapi.net",
        "https://management.chinacloudapi.cn",
    ),
    "devops": ("499b84ac-1321-427f-aa17-267ca6975798", "", ""),
    "graph": (
        "https://graph.microsoft.com",
        "https://graph.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn",
    ),
    "aks": (AKS_SERVER,) * 3,
    "arc": (ARC_SERVER,) * 3,
    "storage": ("https://storage.azure.com",) * 3,
    "keyvault": (
        "https://vault.azure.net",
        "https://vault.usgovcloudapi.net",
        "https://vault.azure.cn",
    ),
    "sql": (
        "https://database.windows.net",
        "https://database.usgovcloudapi.net",
        "https://database.chinacloudapi.cn",
    ),
    "postgres": (
        "https://ossrdbms-aad.database.windows.net",
        "https://ossrdbms-aad.database.usgovcloudapi.net",
        "https://ossrdbms-aad.database.chinacloudapi.cn",
    ),
    "acr": ("https://containerregistry.azure.net",) * 3,
    "databricks": ("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d",) * 3,
    "loganalytics": (
        "https://api.loganalytics.io",
        "https://api.loganalytics.us",
        "https://api.loganalytics.azure.cn",
    ),
    "kusto": (
        "https://kusto.kusto.windows.net",
        "https://kusto.kusto.usgovcloudapi.net",
        "https://kusto.kusto.chinacloudapi.cn",
    ),
    "servicebus": ("https://servicebus.azure.net",) * 3,
    "eventhubs": ("https://eventhubs.azure.net",) * 3,
    "cognitive": (
        "https://cognitiveservices.azure.com",
        "https://cognitiveservices.azure.us",
        "https://cognitiveservices.azure.cn",
    ),
    "ai": ("https://ai.azure.com", "https://ai.azure.us", ""),
    "powerbi": (
        "https://analysis.windows.net/powerbi/api",
        # The tenants of login.microsoftonline.us are GCC High; GCC signs in to the public cloud.
        "https://high.analysis.usgovcloudapi.net/powerbi/api",
        "https://analysis.chinacloudapi.cn/powerbi/api",
    ),
    "fabric": ("https://api.fabric.microsoft.com", "", ""),
    "synapse": (
        "https://dev.azuresynapse.net",
        "https://dev.azuresynapse.usgovcloudapi.net",
        "https://dev.azuresynapse.azure.cn",
    ),
    "appconfig": (
        "https://appconfig.azure.com",
        "https://appconfig.azure.us",
        "https://appconfig.azure.cn",
    ),
}
"""Product to its resource (an identifier URI or an application id) in each of CLOUDS."""

# RFC 6749 3.3: what a scope may be made of.
_SCOPE_CHARACTERS = frozenset(chr(c) for c in range(0x21, 0x7F) if c not in (0x22, 0x5C))
_HEX = frozenset("0123456789abcdefABCDEF")


def scopes_for(product: str, authority: str) -> tuple[str, ...]:
    """Return the scopes of a product at a sign-in authority (`https://host[:port]`).

    A host that is no cloud of Microsoft (ADFS, a loopback sandbox) keeps the public scopes.
    Raises UsageError for an unknown product, and for one that the cloud does not have.
    """
    resources = PRODUCTS.get(product)
    if resources is None:
        raise _unknown(product, "product", tuple(PRODUCTS), "msauth-token --list-products")
    cloud = cloud_of(authority)
    if not resources[cloud]:
        raise usage_error(
            f"product {product} does not exist in {CLOUDS[cloud]}",
            "msauth-token --list-products shows what does; --scope asks for anything else",
        )
    return (resources[cloud] + "/.default",)


def normalise_scope(text: str) -> str:
    """Return the full scope that is meant by a resource id or a scope.

    A GUID, `https://host`, `api://application` and the table's own resources get `/.default`,
    appended as it is: `https://host/` becomes `https://host//.default`, because Entra ID then
    issues the audience with its slash. Anything with a path is a full scope already.
    Raises UsageError for what RFC 6749 3.3 does not allow in a scope.
    """
    if not text or not _SCOPE_CHARACTERS.issuperset(text):
        raise usage_error(f"scope {text!r} is empty or has a character that no scope can have")
    if _is_guid(text):
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
    if not path or (scheme == "api" and _is_guid(path)) or _is_product_resource(text):
        return text + "/.default"
    return text


def authority_for(environment: str) -> str:
    """Return the sign-in authority of a cloud, by kubelogin's or az's name for it, in any case.

    Raises UsageError for every other name: a wrong cloud must not silently be the public one.
    """
    cloud = _ENVIRONMENTS.get(environment.lower())
    if cloud is None:
        raise _unknown(environment, "cloud", CLOUDS, "one of: " + ", ".join(CLOUDS))
    return _AUTHORITIES[cloud]


def chosen_authority(options: "Options", env: "os._Environ[str] | dict[str, str]") -> str:
    """Return the sign-in authority: --authority-host, --environment, AZURE_AUTHORITY_HOST.

    `--environment AzurePublicCloud`, which kubeconfigs carry without a thought, leaves an
    AZURE_AUTHORITY_HOST alone that is no cloud of Microsoft's but a server of one's own.
    What --environment decides is put into options as --authority-host. Raises UsageError.
    """
    environment = one(options, "--environment")
    if not environment or "--authority-host" in options:
        return authority_of(options, env)
    chosen = authority_for(environment)
    elsewhere = authority_of(options, env)
    if cloud_of(chosen) == PUBLIC and not is_cloud(elsewhere):
        return elsewhere
    options["--authority-host"] = chosen
    return chosen


def cloud_of(authority: str) -> int:
    """Return the index in CLOUDS of the cloud that an authority signs in to.

    Raises UsageError for a cloud of Microsoft that the table does not know.
    """
    host = authority.partition("://")[2].partition("/")[0].lower()
    cloud = _HOSTS.get(host)
    if cloud is None:
        if host.endswith(_FOREIGN):
            raise usage_error(
                f"the products of the cloud behind {host} are not known here",
                "--scope asks for a resource by its own name",
            )
        return PUBLIC
    return cloud


def is_cloud(authority: str) -> bool:
    """Say whether an authority is one of Microsoft's clouds, not a server of one's own."""
    return authority.partition("://")[2].lower() in _HOSTS


def listing(authority: str) -> str:
    """Return the lines of `--list-products`: name and scope, as the cloud of authority has them."""
    cloud = cloud_of(authority)
    width = max(map(len, PRODUCTS))
    return "".join(
        f"{name:{width}}  {resources[cloud]}/.default\n"
        for name, resources in PRODUCTS.items()
        if resources[cloud]
    )


def _is_guid(text: str) -> bool:
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and _HEX.issuperset("".join(parts))


def _is_product_resource(text: str) -> bool:
    return any(text in resources for resources in PRODUCTS.values())


def _unknown(name: str, what: str, known: tuple[str, ...], otherwise: str) -> "UsageError":
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    return usage_error(
        f"unknown {what} {name!r}", f"did you mean {near[0]}?" if near else otherwise
    )
