"""Kubeconfigs as the tools write them, byte for byte but for names, ids and keys.

`az aks get-credentials` merges what AKS answers with `yaml.safe_dump`; kubelogin and kubectl write
with sigs.k8s.io/yaml; AKS before kubectl 1.24 answered with `auth-provider`.
"""

SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"
CLIENT = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"

HEAD = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://hello-dns-1a2b3c4d.hcp.westeurope.azmk8s.io:443
  name: hello
contexts:
- context:
    cluster: hello
    user: clusterUser_rg_hello
  name: hello
current-context: hello
kind: Config
preferences: {}
"""

# az aks get-credentials: yaml.safe_dump of what AKS answers with format=exec.
AZ = (
    HEAD
    + f"""\
users:
- name: clusterUser_rg_hello
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args:
      - get-token
      - --environment
      - AzurePublicCloud
      - --server-id
      - {SERVER}
      - --client-id
      - {CLIENT}
      - --tenant-id
      - {TENANT}
      - --login
      - devicecode
      command: kubelogin
      env: null
      installHint: '

        kubelogin is not installed which is required to connect to AAD enabled cluster.


        To learn more, please go to https://aka.ms/aks/kubelogin

        '
      provideClusterInfo: false
"""
)

# az aks get-credentials --format azure, and every AKS before 1.24.
PROVIDER = (
    HEAD
    + f"""\
users:
- name: clusterUser_rg_hello
  user:
    auth-provider:
      config:
        apiserver-id: {SERVER}
        client-id: {CLIENT}
        config-mode: '1'
        environment: AzurePublicCloud
        tenant-id: {TENANT}
      name: azure
"""
)

# The same once kubectl 1.25 had signed in with it.
PROVIDER_USED = (
    HEAD
    + f"""\
users:
- name: clusterUser_rg_hello
  user:
    auth-provider:
      config:
        access-token: eyJ0eXAiSENTINELaccess
        apiserver-id: {SERVER}
        client-id: {CLIENT}
        config-mode: "1"
        environment: AzurePublicCloud
        expires-in: "3599"
        expires-on: "1669900000"
        refresh-token: 0.AVYASENTINELrefresh
        tenant-id: {TENANT}
      name: azure
"""
)


def kubelogin(*args: str, env: str = "null", version: str = "v1beta1") -> str:
    """Return what `kubelogin convert-kubeconfig` writes, for arguments in its order."""
    words = "".join(f"      - {word}\n" for word in ("get-token", *args))
    return (
        HEAD
        + f"""\
users:
- name: clusterUser_rg_hello
  user:
    exec:
      apiVersion: client.authentication.k8s.io/{version}
      args:
{words}\
      command: kubelogin
      env: {env}
      installHint: |2

        kubelogin is not installed which is required to connect to AAD enabled cluster.

        To learn more, please go to https://azure.github.io/kubelogin/
      provideClusterInfo: false
"""
    )


_PERSON = ("--client-id", CLIENT, "--tenant-id", TENANT, "--environment", "AzurePublicCloud")
MODES = {
    "devicecode": ("--login", "devicecode", "--server-id", SERVER, *_PERSON),
    "interactive": ("--login", "interactive", "--server-id", SERVER, *_PERSON),
    "spn": ("--login", "spn", "--server-id", SERVER, *_PERSON),
    "spn with a secret": (
        *("--login", "spn", "--server-id", SERVER, "--client-id", "c0ffee00-app"),
        *("--tenant-id", TENANT, "--environment", "AzurePublicCloud"),
        *("--client-secret", "s3cr~SENTINEL"),
    ),
    "msi": ("--login", "msi", "--server-id", SERVER),
    "msi of a client": ("--login", "msi", "--server-id", SERVER, "--client-id", "c0ffee00-app"),
    "azurecli": ("--login", "azurecli", "--server-id", SERVER),
    "azd": ("--login", "azd", "--server-id", SERVER),
    "workloadidentity": ("--login", "workloadidentity", "--server-id", SERVER),
    "workloadidentity with all flags": (
        *("--login", "workloadidentity", "--server-id", SERVER, "--client-id", "c0ffee00-app"),
        *("--tenant-id", TENANT, "--authority-host", "https://login.microsoftonline.com/"),
        *("--federated-token-file", "/var/run/secrets/azure/tokens/azure-identity-token"),
    ),
    "azurepipelines": (
        *("--login", "azurepipelines", "--server-id", SERVER, "--client-id", "c0ffee00-app"),
        *("--tenant-id", TENANT),
        *("--azure-pipelines-service-connection-id", "5e7f1ce0-0000-0000-0000-000000000000"),
    ),
}
REFUSED = {
    "ropc": (
        ("--login", "ropc", "--server-id", SERVER, *_PERSON, "--username", "u", "--password", "p"),
        "--login ropc is not supported",
    ),
    "pop": (
        (*MODES["interactive"], "--pop-enabled", "--pop-claims", "u=/subscriptions/x"),
        "--pop-enabled is not supported",
    ),
    "legacy": ((*MODES["devicecode"], "--legacy"), "--legacy is not supported"),
    "another cloud": (
        ("--login", "devicecode", "--server-id", SERVER, "--environment", "AzureStackCloud"),
        "unknown cloud",
    ),
    "no server": (("--login", "azurecli"), "--server-id is required"),
    "an option of tomorrow": ((*MODES["azurecli"], "--new"), "unknown option --new"),
}

# Everything else that one finds in such a file. Hand-written, with every oddity that is allowed.
OTHERS = """\
- name: eks
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws, args: [eks, get-token]}
-   name:   oidc          # int128's kubelogin: not ours
    user:
        exec:
            apiVersion: client.authentication.k8s.io/v1
            command:    kubelogin
            args:
            -   get-token
            -   --oidc-issuer-url=https://id.example
            -   --oidc-client-secret=SENTINELoidc
            interactiveMode: IfAvailable
- {name: "admin", user: {client-certificate-data: Q0VSVA==, client-key-data: "U0VOVElORUw="}}
- name: basic
  user:
    username: root
    password: 'SENTINEL it''s'
- name: static
  user:
    token: >-
      SENTINEL
      folded
#  old: token: SENTINELcomment
- name: gke
  user: {auth-provider: {name: gcp, config: {access-token: SENTINELgcp}}}
- name: empty
  user: {}
- name: nothing
"""
