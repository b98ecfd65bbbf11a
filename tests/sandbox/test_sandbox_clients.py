"""Unmodified clients inside the sandbox: azure-identity, curl, kubectl, and more where present."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798/.default"
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"

SHOW = """
import base64, json, sys
def show(token):
    body = token.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    print(claims["tid"], claims.get("upn") or claims["appid"])
"""


@pytest.mark.parametrize(
    ("kind", "credential", "tenant"),
    [
        ("service_principal", "DefaultAzureCredential", "contoso"),
        ("workload_identity", "WorkloadIdentityCredential", "fabrikam"),
    ],
)
def test_azure_identity_of_an_app(cloud, run_python, kind, credential, tenant):
    program = f"{SHOW}from azure.identity import {credential} as C\nshow(C().get_token({DEVOPS!r}))"
    identity = getattr(cloud, f"{kind}_environ")(tenant)
    out = run_python(program, **identity)
    assert out == f"{cloud.tenants[tenant].id} {cloud.client_id}"
    assert cloud.count("token", tenant=tenant, scope=DEVOPS) == 1


@pytest.mark.parametrize("protocol", ["app-service", "msi", "imds"])
def test_azure_identity_of_a_machine(cloud, run_python, protocol):
    program = (
        f"{SHOW}from azure.identity import ManagedIdentityCredential as C\n"
        f"show(C().get_token({DEVOPS!r}))"
    )
    out = run_python(program, **cloud.managed_identity_environ(protocol))
    assert out.split()[1] == cloud.managed_identity_client_id


@pytest.mark.parametrize("protocol", ["app-service", "msi", "imds"])
@pytest.mark.parametrize("name", ["client_id", "resource_id", "object_id"])
def test_azure_identity_of_a_machine_with_two(cloud, run_python, protocol, name):
    wanted = cloud.user_assigned_identity
    option = {name: wanted[name]}
    options = f"client_id={wanted[name]!r}" if name == "client_id" else f"identity_config={option}"
    program = (
        f"{SHOW}from azure.identity import ManagedIdentityCredential as C\n"
        f"show(C({options}).get_token({DEVOPS!r}))"
    )
    out = run_python(program, **cloud.managed_identity_environ(protocol))
    assert out.split()[1] == wanted["client_id"]
    (asked,) = {tuple((r.identity or {}).values()) for r in cloud.requests if r.status == 200}
    assert asked == (wanted[name],)


def test_azure_identity_in_a_pipeline(cloud, run_python):
    program = f"""{SHOW}
import os
from azure.identity import AzurePipelinesCredential as C
name = "AZURESUBSCRIPTION_"
show(C(tenant_id=os.environ[name + "TENANT_ID"], client_id=os.environ[name + "CLIENT_ID"],
       service_connection_id=os.environ[name + "SERVICE_CONNECTION_ID"],
       system_access_token=os.environ["SYSTEM_ACCESSTOKEN"]).get_token({DEVOPS!r}))
"""
    out = run_python(program, **cloud.azure_pipelines_environ("fabrikam"))
    assert out == f"{cloud.tenants['fabrikam'].id} {cloud.client_id}"


def test_github_actions(cloud, run_python):
    program = f"""{SHOW}
import os, requests
from azure.identity import ClientAssertionCredential as C
def assertion():
    url = os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=api://AzureADTokenExchange"
    head = dict(Authorization="Bearer " + os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
    return requests.get(url, headers=head).json()["value"]
show(C(os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"], assertion)
     .get_token({DEVOPS!r}))
"""
    out = run_python(program, **cloud.github_actions_environ())
    assert out == f"{cloud.tenants['contoso'].id} {cloud.client_id}"
    assert cloud.count("oidc") == 1


def test_certificates(cloud, run_python, tmp_path: Path):
    pem, issuer = make_certificate("hello.contoso.com")
    path = tmp_path / "certificate.pem"
    path.write_bytes(pem)
    environ = cloud.service_principal_environ() | {"AZURE_CLIENT_CERTIFICATE_PATH": str(path)}
    del environ["AZURE_CLIENT_SECRET"]
    program = f"""{SHOW}
from azure.identity import EnvironmentCredential as C
try:
    show(C().get_token({DEVOPS!r}))
except Exception as error:
    print(error)
"""
    assert "AADSTS700027" in run_python(program, **environ)
    cloud.register_certificate(pem)
    assert run_python(program, **environ).endswith(cloud.client_id)
    cloud.reset()
    cloud.register_certificate(issuer, subject_name="hello.contoso.com")
    environ["AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"] = "true"
    assert run_python(program, **environ).endswith(cloud.client_id)


def make_certificate(name: str) -> tuple[bytes, bytes]:
    """An RSA key with its certificate in PEM, and the certificate of the authority it is from."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.x509.oid import NameOID

    def certificate(subject, issuer, public, private):
        now = dt.datetime.now(dt.timezone.utc)
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in (subject, issuer)]
        return (
            x509.CertificateBuilder()
            .subject_name(names[0])
            .issuer_name(names[1])
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .sign(private, hashes.SHA256())
        )

    root, leaf = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    authority = certificate("root", "root", root.public_key(), root).public_bytes(Encoding.PEM)
    own = certificate(name, "root", leaf.public_key(), root).public_bytes(Encoding.PEM)
    key = leaf.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key + own, authority


def test_azure_identity_of_a_person(cloud, run_python):
    program = f"""{SHOW}
import os
from azure.identity import InteractiveBrowserCredential, DeviceCodeCredential
browser = InteractiveBrowserCredential(tenant_id=os.environ["T"], client_id=os.environ["C"])
scope = "https://graph.microsoft.com/DeviceManagementManagedDevices.Read.All"
show(browser.get_token(scope))
device = DeviceCodeCredential(tenant_id=os.environ["T"], prompt_callback=lambda *a: None)
show(device.get_token({DEVOPS!r}, enable_cae=True))
"""
    tenant = cloud.tenants["contoso"].id
    out = run_python(program, T=tenant, C=cloud.intune_client_id, **cloud.browser_environ())
    assert out.split() == [tenant, "alex@contoso.com"] * 2
    assert (cloud.count("authorize"), cloud.count("devicecode")) == (1, 1)
    assert cloud.count("token", grant="authorization_code") == 1
    assert cloud.count("token", grant="device_code", cae=True) == 1


def test_a_browser_sign_in_of_the_past_fails(cloud, run_python):
    """azure-identity sends form_post; without it, which was its way before 2026, Entra refuses."""
    program = """
import os
import msal
from azure.identity import InteractiveBrowserCredential
ask = msal.PublicClientApplication.initiate_auth_code_flow
def of_old(self, *args, response_mode=None, **kwargs):
    assert response_mode == "form_post"
    return ask(self, *args, **kwargs)
msal.PublicClientApplication.initiate_auth_code_flow = of_old
browser = InteractiveBrowserCredential(tenant_id=os.environ["T"], client_id=os.environ["C"])
try:
    browser.get_token("https://graph.microsoft.com/User.Read")
except Exception as error:
    print(error)
"""
    tenant = cloud.tenants["contoso"].id
    out = run_python(program, T=tenant, C=cloud.intune_client_id, **cloud.browser_environ())
    assert "AADSTS70007" in out
    assert cloud.count("token") == 0


def test_refresh_after_expiry_is_silent(cloud, run_python):
    program = f"""{SHOW}
from azure.identity import DeviceCodeCredential
device = DeviceCodeCredential(prompt_callback=lambda *a: None)
for _ in range(2):
    show(device.get_token({DEVOPS!r}))
"""
    cloud.configure(expires_in=60)
    assert len(run_python(program).split()) == 4
    assert cloud.count("token", grant="refresh_token") == 1
    assert cloud.count("devicecode") == 1


def test_curl(cloud, environ):
    done = subprocess.run(
        [
            "curl",
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-I",
            "https://dev.azure.com/contoso",
        ],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "401"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl(cloud, environ, tmp_path: Path):
    status = {"token": cloud.issue_token(scope=AKS, user="alex@contoso.com")}
    api = "client.authentication.k8s.io/v1"
    answer = {"apiVersion": api, "kind": "ExecCredential", "status": status}
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(answer))
    config = cloud.kubeconfig("cat", (str(path),), api_version=api)
    for arguments, expected in (
        (["get", "namespaces"], "kube-system"),
        (["get", "ns", "hello", "-o", "json"], '"name": "hello"'),
        (["version"], "v1.32.4"),
        (["auth", "whoami"], "alex@contoso.com"),
        (["get", "pods"], ""),
    ):
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(config), *arguments],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


@pytest.mark.real_client
@pytest.mark.skipif(find_spec("kubernetes") is None, reason="pip install kubernetes")
def test_kubernetes_python_client(cloud, run_python):
    program = """
import os
from kubernetes import client, config
config.load_kube_config(os.environ["KUBECONFIG"])
if client.Configuration.get_default_copy().proxy is None:
    default = client.Configuration.get_default_copy()
    default.proxy = os.environ["HTTPS_PROXY"]
    client.Configuration.set_default(default)
print(*[n.metadata.name for n in client.CoreV1Api().list_namespace().items])
"""
    config = cloud.kubeconfig(token=cloud.issue_token(scope=AKS))
    assert run_python(program, KUBECONFIG=str(config)) == "default hello kube-system"


@pytest.mark.real_client
@pytest.mark.skipif(find_spec("msgraph") is None, reason="pip install msgraph-sdk")
def test_graph_sdk(cloud, run_python):
    program = """
import asyncio, os
from azure.identity import InteractiveBrowserCredential
from msgraph import GraphServiceClient
credential = InteractiveBrowserCredential(tenant_id=os.environ["T"], client_id=os.environ["C"])
scopes = ["https://graph.microsoft.com/DeviceManagementManagedDevices.Read.All"]
graph = GraphServiceClient(credentials=credential, scopes=scopes)
found = asyncio.run(graph.device_management.managed_devices.get())
print(*[device.device_name for device in found.value])
"""
    tenant, client = cloud.tenants["contoso"].id, cloud.intune_client_id
    out = run_python(program, T=tenant, C=client, **cloud.browser_environ())
    assert out == "alex-laptop sam-phone"


NODE = os.environ.get("MSAUTH_TEST_NODE_MODULES", "")


@pytest.mark.real_client
@pytest.mark.skipif(
    not NODE, reason="npm install @azure/identity; name it in MSAUTH_TEST_NODE_MODULES"
)
def test_javascript_sdk(cloud, environ):
    program = """
const { ClientSecretCredential, ManagedIdentityCredential } = require("@azure/identity");
const e = process.env;
(async () => {
  const app = new ClientSecretCredential(e.AZURE_TENANT_ID, e.AZURE_CLIENT_ID,
                                         e.AZURE_CLIENT_SECRET);
  for (const credential of [app, new ManagedIdentityCredential()]) {
    const token = await credential.getToken("https://management.azure.com/.default");
    console.log(JSON.parse(Buffer.from(token.token.split(".")[1], "base64url")).appid);
  }
})();
"""
    identity = cloud.service_principal_environ() | cloud.managed_identity_environ()
    done = subprocess.run(
        ["node", "-e", program],
        env=environ | identity | {"NODE_PATH": NODE},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [cloud.client_id, cloud.managed_identity_client_id]
