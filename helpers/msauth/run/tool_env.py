"""`--for TOOL`: the variables that a tool reads, with what its own source or manual says of them.

Each tool is one function from a `Call` to the variables to set; a value of None removes one. Which
product's token it needs stands in `TOOLS`; "" is none, and `SERVED` names the tools that need the
token endpoint instead.
"""

import os
import sys
from collections.abc import Callable

from ..errors import UsageError, command
from ..request import urls
from ..request.clouds import DEVOPS_HOST, FEED_HOST, LEGACY_DOMAIN
from ..request.options import Options

Variables = dict[str, "str | None"]


class Call:
    """What a tool may use: the feed of `TOOL=FEED` or "", the token, our environment."""

    def __init__(self, feed: str, token: str, env: dict[str, str], options: Options) -> None:
        self.feed = feed
        self.token = token
        self.env = env
        self.options = options


Tool = Callable[[Call], Variables]

_FEED_EXAMPLE = f"https://{FEED_HOST}/ORG/PROJECT/_packaging/FEED"

SHADOWING = (
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
    "AZURE_USERNAME",
    "AZURE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TOKEN_CREDENTIALS",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZD_AUTH_ENDPOINT",
    "AZD_AUTH_KEY",
    "AZD_AUTH_CERT",
    "MSAUTH_SERVE",
)
"""Variables from which an SDK would build another identity; `--clean` and `--serve` remove them.

AZURE_TENANT_ID and AZURE_AUTHORITY_HOST stay: alone they select nobody, and programs read them
as configuration.
"""


def remove_identities(env: dict[str, str]) -> None:
    """Remove the variables from which an SDK would build another identity."""
    for name in SHADOWING:
        env.pop(name, None)


def apply(
    word: str, env: dict[str, str], options: Options, token_of: Callable[[str, str], str]
) -> None:
    """Put what `TOOL` or `TOOL=FEED` reads into env.

    token_of: gives a product's token, of the tenant of the feed's organisation where there is a
    feed. Raises UsageError for an unknown tool or a feed that no token may be sent to.
    """
    tool, _, feed = word.partition("=")
    found = TOOLS.get(tool)
    if found is None:
        raise UsageError(f"--for {tool}: no such tool", "one of: " + ", ".join(TOOLS))
    product, variables_of = found
    if feed and tool not in _WITH_FEED:
        raise UsageError(f"--for {tool} takes no =FEED")
    if feed or tool in _ONLY_WITH_FEED:
        _place(tool, feed)
    text = token_of(product, feed) if product else ""
    for name, value in variables_of(Call(feed, text, env, options)).items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value


def _npm(call: Call) -> Variables:
    """A registry's token, in npm's spelling of a variable for a URL; pnpm 10 and 11.6 read it too.

    @npmcli/config reads `npm_config_//…` without changing it. Installing looks from the package's
    URL upwards to `//host/`, publishing at the whole path of the registry only; packages may lie
    beside the registry they were found by, so their organisation has the token as well. dash
    drops such a name: run npm itself, not `sh -c`.
    """
    if not call.feed:
        return {f"npm_config_//{FEED_HOST}/:_authToken": call.token}
    host, path = _place("npm", call.feed)
    places = [f"//{host}/", f"//{host}{path.rstrip('/')}/"]
    if host == FEED_HOST:
        places[0] = f"//{host}/{path[1:].partition('/')[0]}/"
    return {f"npm_config_{place}:_authToken": call.token for place in places}


def _yarn(call: Call) -> Variables:
    """The feed as Yarn's registry, with its token.

    YARN_NPM_AUTH_TOKEN is for every registry that has no settings of its own, so it must not be
    set where another one, as Yarn's own, would be asked. Nothing is authenticated by default.
    https://yarnpkg.com/configuration/yarnrc#npmAuthToken
    """
    variables: Variables = {
        "YARN_NPM_REGISTRY_SERVER": call.feed,
        "YARN_NPM_PUBLISH_REGISTRY": call.feed,
        "YARN_NPM_AUTH_TOKEN": call.token,
        "YARN_NPM_ALWAYS_AUTH": "true",
    }
    proxy = call.env.get("HTTPS_PROXY") or call.env.get("https_proxy")
    if proxy and not call.env.get("YARN_HTTPS_PROXY"):
        variables["YARN_HTTPS_PROXY"] = proxy  # it looks at no other variable
    return variables


def _nuget(call: Call) -> Variables:
    """What the NuGetAuthenticate task sets for the Azure Artifacts credential provider.

    The provider hands the token to URLs that begin with a prefix, so each ends with a slash.
    """
    prefixes = [f"https://{FEED_HOST}/"]
    if call.feed:
        host = _place("nuget", call.feed)[0]
        if host != FEED_HOST:
            prefixes.append(f"https://{host}/")
    return {"VSS_NUGET_URI_PREFIXES": ";".join(prefixes), "VSS_NUGET_ACCESSTOKEN": call.token}


def _pip(call: Call) -> Variables:
    """The feed with the token in its URL, which pip masks in its messages; also for `uv pip`."""
    host, path = _place("pip", call.feed)
    quoted = call.token.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    url = f"https://VssSessionToken:{quoted}@{host}{path}"
    return {"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}


def _databricks(call: Call) -> Variables:
    """An Entra token is taken wherever a personal one is; `pat` settles which of several is meant.

    https://learn.microsoft.com/azure/databricks/dev-tools/auth/env-vars
    """
    return {"DATABRICKS_TOKEN": call.token, "DATABRICKS_AUTH_TYPE": "pat"}


def _psql(call: Call) -> Variables:
    """The token is the password (libpq's PGPASSWORD), for a server that proved its name only.

    `require` encrypts, but would give the token to anybody in the server's place. Roots of one's
    own (PGSSLROOTCERT, or the file that libpq looks for) are kept, and so is `verify-ca` with
    them: with the roots of the system it would take any certificate that somebody can buy. They
    are named by their file, because libpq knows the word `system` since 16 only.
    """
    variables: Variables = {"PGPASSWORD": call.token}
    home = call.env.get("HOME", "")
    own = call.env.get("PGSSLROOTCERT") or os.path.exists(f"{home}/.postgresql/root.crt")
    if not own:
        variables["PGSSLROOTCERT"] = _system_roots(call.env)
    if not own or call.env.get("PGSSLMODE") != "verify-ca":
        variables["PGSSLMODE"] = "verify-full"
    return variables


def _system_roots(env: dict[str, str]) -> str:
    """Return the file of the system's certificate authorities, as OpenSSL is told or as it is.

    Without any, `system`: libpq 16 then asks OpenSSL, and an older one refuses to connect.
    """
    for path in (env.get("SSL_CERT_FILE", ""), *_ROOTS):
        if path and os.access(path, os.R_OK):
            return path
    return "system"


_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat, Azure Linux
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


def _azure_devops_cli(call: Call) -> Variables:
    """The extension sends it as Basic password, as it does with the token of `az login`."""
    return {"AZURE_DEVOPS_EXT_PAT": call.token}


def _terraform(_call: Call) -> Variables:
    """azurerm, azuread, azapi, azuredevops and the azurerm backend, by managed identity.

    The endpoint itself is in ARM_USE_MSI and ARM_MSI_ENDPOINT, as it is for every --serve. Here
    whatever a provider would read before it goes: a secret, a certificate, an OIDC token.
    """
    return dict.fromkeys(_TERRAFORM_SHADOWING)


_TERRAFORM_SHADOWING = (
    "ARM_CLIENT_ID",
    "ARM_CLIENT_ID_FILE_PATH",
    "ARM_CLIENT_SECRET",
    "ARM_CLIENT_SECRET_FILE_PATH",
    "ARM_CLIENT_SECRET_PATH",
    "ARM_CLIENT_CERTIFICATE",
    "ARM_CLIENT_CERTIFICATE_PATH",
    "ARM_CLIENT_CERTIFICATE_PASSWORD",
    "ARM_USE_OIDC",
    "ARM_OIDC_TOKEN",
    "ARM_OIDC_TOKEN_FILE_PATH",
    "ARM_USE_AKS_WORKLOAD_IDENTITY",
    "AZDO_PERSONAL_ACCESS_TOKEN",
)


def _git(call: Call) -> Variables:
    """git-credential-msauth for Azure DevOps hosts, with no token in the environment at all.

    GIT_CONFIG_COUNT of git-config(1) (git 2.31); an empty helper first forgets the others.
    """
    number = call.env.get("GIT_CONFIG_COUNT", "")
    count = int(number) if number.isascii() and number.isdigit() else 0
    helper = _git_helper(call.options)
    variables: Variables = {}
    for host in (f"https://{DEVOPS_HOST}", f"https://*{LEGACY_DOMAIN}"):
        for key, value in (("helper", ""), ("helper", helper), ("useHttpPath", "true")):
            variables[f"GIT_CONFIG_KEY_{count}"] = f"credential.{host}.{key}"
            variables[f"GIT_CONFIG_VALUE_{count}"] = value
            count += 1
    variables["GIT_CONFIG_COUNT"] = str(count)
    return variables


def _git_helper(options: Options) -> str:
    """Return the helper beside this executable as git runs it, with our own sign-in options."""
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "git-credential-msauth")
    program = beside if os.access(beside, os.X_OK) else "git-credential-msauth"
    words = [program]
    for name in ("--tenant", "--credential", "--client-id", "--profile", "--authority-host"):
        value = options.get(name)
        if isinstance(value, str):
            words.append(f"{name}={value}")
    if "--disable-instance-discovery" in options:
        words.append("--disable-instance-discovery")
    return "!" + command(*words)


def _place(tool: str, url: str) -> tuple[str, str]:
    """Return host and path of an Azure Artifacts URL: a token goes nowhere else."""
    data = url.encode("utf-8", "surrogatepass")
    parts = urls.split(data) if urls.packages(data) else None
    host, path = (part.decode("ascii") for part in parts or (b"", b""))
    # Tools compare what they are given byte by byte with the URLs that they ask for, and for npm
    # it stands in a variable's name.
    if not host or url != f"https://{host}{path}" or "=" in url:
        raise UsageError(
            f"--for {tool}: not the https URL of an Azure Artifacts feed",
            f"--for {tool}={_FEED_EXAMPLE}/…/",
        )
    return host, path


TOOLS: dict[str, tuple[str, Tool]] = {
    "npm": ("devops", _npm),
    "pnpm": ("devops", _npm),
    "yarn": ("devops", _yarn),
    "nuget": ("devops", _nuget),
    "pip": ("devops", _pip),
    "terraform": ("", _terraform),
    "databricks": ("databricks", _databricks),
    "psql": ("postgres", _psql),
    "azure-devops-cli": ("devops", _azure_devops_cli),
    "git": ("", _git),
}
SERVED = ("terraform",)
_ONLY_WITH_FEED = ("yarn", "pip")
_WITH_FEED = ("npm", "pnpm", "nuget", *_ONLY_WITH_FEED)
