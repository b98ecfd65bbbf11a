"""`msauth-token --help`, apart from the executable because a cached answer does not need it."""

from ..protocols.formats import FORMATS
from ..request.clouds import PRODUCTS
from ..request.option_help import TEXT as SIGN_IN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_TEXT = """\
usage: msauth-token [PRODUCT] [options]
       msauth-token get-token --server-id ID [kubelogin's options]
       msauth-token convert-kubeconfig [--login METHOD] [--context NAME] [--kubeconfig FILE]
       msauth-token go [URL]
       msauth-token --list-products

Prints an access token of Entra ID, from the shared cache or by signing in.

  users:                                  # a kubeconfig
  - name: me
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: msauth-token
        interactiveMode: IfAvailable

  curl -H "$(msauth-token graph --format header)" https://graph.microsoft.com/v1.0/me
  eval "$(msauth-token arm --format export)"

what for:
  PRODUCT                {products} (default: aks)
  --scope SCOPE          anything else: a GUID, https://..., api://... or a full scope; repeatable
  --organization NAME    an organisation of Azure DevOps: product devops, in its own tenant
  --environment CLOUD    AzurePublicCloud, AzureUSGovernment or AzureChinaCloud
  --list-products        print the products and their scopes in this cloud
  --allow-cluster-config KEY[,KEY...]
                         {keys}

how it is printed:
  --format FORMAT        {formats} (default: exec)

{sign_in}  --claims JSON          a claims challenge, as JSON or in base64

A person is asked to sign in where there is a terminal (stderr, or /dev/tty where stderr is
redirected), also when stdin is a pipe; never where CI or MSAUTH_NO_PROMPT=1 is set.

`msauth-token go` is a command for GOAUTH: `msauth-token go --help` tells more.

As a Kubernetes plugin it answers in the version of KUBERNETES_EXEC_INFO. Asked again within a
minute by the same client for the token it has just had, it takes that token for refused and renews
it, once in 15 minutes for each client.

With `provideClusterInfo: true` the cluster's extension client.authentication.k8s.io/exec may choose
the server application of AKS or Arc (serverId) and, for these, a tenant. Whoever wrote the cluster
entry wrote that too, so anything else is refused unless its key is allowed, by
--allow-cluster-config in the args of the kubeconfig's user or by MSAUTH_ALLOW_CLUSTER_CONFIG.

In place of kubelogin: `msauth-token get-token` takes the options of `kubelogin get-token`, and
`msauth-token convert-kubeconfig` those of `kubelogin convert-kubeconfig`. Flags beat variables, but
AAD_LOGIN_METHOD beats --login, as in kubelogin (not with --disable-environment-override).
--login is one of {logins}.
Accepted without effect: {ignored}.
Not supported: --pop-enabled, --legacy and --login ropc.
"""


def text() -> str:
    """Return the help."""
    from textwrap import fill

    from ..protocols.exec_credential import CONFIG_KEYS
    from ..protocols.kubelogin import IGNORED, LOGINS

    def wrapped(words: "tuple[str, ...]", last: str = "") -> str:
        indent = " " * 25
        lines = fill(", ".join(words) + last, 98, initial_indent=indent, subsequent_indent=indent)
        return lines.strip()

    def sentence(first: str, words: "Iterable[str]") -> str:
        return fill(f"{first} {', '.join(words)}.", 98, break_on_hyphens=False)

    return (
        _TEXT.replace("{products} (default: aks)", wrapped(tuple(PRODUCTS), " (default: aks)"))
        .replace("{formats} (default: exec)", wrapped(FORMATS, " (default: exec)"))
        .replace("{sign_in}", SIGN_IN)
        .replace("{keys}", wrapped(CONFIG_KEYS))
        .replace("--login is one of {logins}.", sentence("--login is one of", LOGINS))
        .replace(
            "Accepted without effect: {ignored}.", sentence("Accepted without effect:", IGNORED)
        )
    )
