"""The resource servers: Azure DevOps, ARM, Graph, AKS, and what they refuse."""

from __future__ import annotations

import base64
import json

import pytest

from msauth_sandbox.entra.directory import INTUNE_READ, ZERO_GUID

DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798/.default"
ARM = "https://management.azure.com/.default"
GRAPH = "https://graph.microsoft.com/.default"
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
PROJECTS = "https://dev.azure.com/contoso/_apis/projects"
REFS = "https://dev.azure.com/contoso/hello/_git/hello/info/refs?service=git-upload-pack"
SUPPRESS = {"X-TFS-FedAuthRedirect": "Suppress"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(user: str, password: str) -> dict[str, str]:
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (PROJECTS, "hello"),
        ("https://contoso.visualstudio.com/_apis/projects", "hello"),
        ("https://contoso.visualstudio.com/DefaultCollection/_apis/projects", "hello"),
        ("https://dev.azure.com/contoso/_apis/git/repositories", "hello"),
        ("https://dev.azure.com/contoso/My%20Project/_apis/git/repositories", "My Repo"),
        ("https://feeds.dev.azure.com/contoso/_apis/packaging/feeds", "hello"),
    ],
)
def test_rest(cloud, http, url, name):
    token = cloud.issue_token()
    body = http.get(url, headers=bearer(token)).json()
    assert name in [item["name"] for item in body["value"]]
    assert http.get(url, headers=basic("any", token)).ok
    assert cloud.count("devops", org="contoso", status=200) == 2


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
@pytest.mark.parametrize("host", ["login.windows.net", "login.microsoftonline.com"])
def test_challenge(cloud, http, method, host):
    cloud.configure(challenge_host=host)
    tenant = cloud.tenants["fabrikam"].id
    answer = http.request(method, "https://dev.azure.com/fabrikam/")
    assert answer.status_code == 401
    assert answer.headers["X-VSS-ResourceTenant"] == tenant
    challenges = answer.raw.headers.getlist("WWW-Authenticate")
    assert challenges == [
        f"Bearer authorization_uri=https://{host}/{tenant}",
        'Basic realm="https://tfsprodweu3.visualstudio.com/"',
        "TFS-Federated",
    ]
    assert "TF400813" in answer.headers["X-TFS-ServiceError"]
    cloud.configure(joined_challenges=True)
    answer = http.request(method, "https://dev.azure.com/fabrikam/")
    assert answer.raw.headers.getlist("WWW-Authenticate") == [", ".join(challenges)]


def test_anonymous(cloud, http):
    assert http.get(REFS).status_code == 401
    assert http.get(PROJECTS, headers=SUPPRESS).status_code == 401
    redirect = http.get(PROJECTS, allow_redirects=False)
    assert redirect.status_code == 302
    assert "_signin" in redirect.headers["Location"]
    assert http.get(PROJECTS).status_code == 203
    assert http.get("https://dev.azure.com/nonesuch/_apis/projects").status_code == 404


@pytest.mark.parametrize("url", [PROJECTS, REFS])
def test_wrong_tenant(cloud, http, url):
    answer = http.get(url, headers=bearer(cloud.issue_token("fabrikam")))
    assert answer.status_code == 401
    assert "TF400813" in answer.headers["X-TFS-ServiceError"]
    assert cloud.count("devops", error="tenant") == 1


def test_expired(cloud, http):
    old = cloud.issue_token(expires_in=-1)
    answer = http.get(PROJECTS, headers=bearer(old))
    assert (answer.status_code, answer.headers["Content-Type"]) == (203, "text/html; charset=utf-8")
    assert http.get(REFS, headers=bearer(old)).status_code == 401
    assert cloud.count("devops", error="expired") == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"aud": "https://management.azure.com"}, "audience"),
        ({"iss": "https://sts.windows.net/evil/"}, "issuer"),
        ({"tid": "evil"}, "issuer"),
    ],
)
def test_wrong_claims(cloud, http, change, reason):
    assert http.get(REFS, headers=bearer(cloud.issue_token(**change))).status_code == 401
    assert cloud.requests[-1].error == reason


def test_forged_signature(cloud, http):
    head, body, signature = cloud.issue_token().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for forged in (f"{head}.{body}.{signature[::-1]}", f"{none}.{body}.", "a.b.c", "x"):
        assert http.get(REFS, headers=bearer(forged)).status_code == 401


def test_personal_organisation(cloud, http):
    url = "https://dev.azure.com/personal/notes/_git/notes/info/refs?service=git-upload-pack"
    anonymous = http.get(url)
    assert anonymous.status_code == 401
    assert anonymous.raw.headers.getlist("WWW-Authenticate")[0] == "Bearer"
    assert anonymous.headers["X-VSS-ResourceTenant"] == ZERO_GUID
    redirect = http.get(url, headers=bearer(cloud.issue_token()), allow_redirects=False)
    assert redirect.status_code == 302
    assert http.get(url, headers=basic("", cloud.pat)).status_code == 200


def test_revocation(cloud, http):
    first, second = cloud.issue_token(), cloud.issue_token()
    cloud.revoke(first)
    assert http.get(REFS, headers=bearer(first)).status_code == 401
    assert http.get(REFS, headers=bearer(second)).status_code == 200
    cloud.revoke_all("arm")
    assert http.get(REFS, headers=bearer(second)).status_code == 200
    cloud.revoke_all("devops")
    assert http.get(REFS, headers=bearer(second)).status_code == 401
    assert http.get(REFS, headers=bearer(cloud.issue_token())).status_code == 200
    cloud.reset()
    assert http.get(REFS, headers=bearer(first)).status_code == 200


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    "claims", [None, {"access_token": {"acrs": {"essential": True, "value": "c1"}}}]
)
def test_claims_challenge(cloud, http, sign_in, claims, strict):
    before = cloud.issue_token(cae=True)
    wanted = cloud.require_claims("devops", claims, strict=strict)
    answer = http.get(REFS, headers=bearer(before))
    assert answer.status_code == 401
    (challenge,) = answer.raw.headers.getlist("WWW-Authenticate")
    assert 'error="insufficient_claims"' in challenge
    encoded = challenge.partition('claims="')[2].rstrip('"')
    assert base64.b64decode(encoded).decode() == wanted
    plain = sign_in.app().json()["access_token"]
    assert http.get(REFS, headers=bearer(plain)).ok is not strict
    asked = json.loads(wanted)
    asked["access_token"]["xms_cc"] = {"values": ["CP1"]}
    token = sign_in.app(claims=json.dumps(asked)).json()["access_token"]
    assert http.get(REFS, headers=bearer(token)).status_code == 200
    assert cloud.count("token", claims=True, cae=True) == 1


def test_resource_manager(cloud, http, sign_in):
    base = "https://management.azure.com"
    assert "authorization_uri" in http.get(f"{base}/tenants").headers["WWW-Authenticate"]
    alex = bearer(cloud.issue_token(scope=ARM, user="alex@contoso.com"))
    tenants = {t["tenantId"] for t in http.get(f"{base}/tenants", headers=alex).json()["value"]}
    assert tenants == {t.id for t in cloud.tenants.values()}
    both = (
        "https://management.azure.com//.default",
        "https://management.core.windows.net/.default",
    )
    for scope in both:
        token = sign_in.app("fabrikam.com", scope=scope).json()["access_token"]
        url = f"{base}/subscriptions?api-version=2022-12-01"
        (found,) = http.get(url, headers=bearer(token)).json()["value"]
        assert found["subscriptionId"] == cloud.subscription_id("fabrikam")
        groups = http.get(f"{base}{found['id']}/resourcegroups", headers=bearer(token)).json()
        assert groups["value"][0]["name"] == "hello"
    assert http.get(f"{base}/tenants", headers=bearer(cloud.issue_token())).status_code == 401


@pytest.mark.parametrize(("form", "sign_in"), [("exec", "exec"), ("azure", "auth-provider")])
def test_the_credentials_of_a_cluster(cloud, http, form, sign_in):
    token = bearer(cloud.issue_token(scope=ARM, user="alex@contoso.com"))
    subscription = f"https://management.azure.com/subscriptions/{cloud.subscription_id()}"
    clusters = "providers/Microsoft.ContainerService/managedClusters"

    def ask(name, where=subscription):
        url = f"{where}/resourceGroups/hello/{clusters}/{name}/listClusterUserCredential"
        return http.post(f"{url}?api-version=2025-01-01&format={form}", headers=token)

    (answer,) = ask("hello").json()["kubeconfigs"]
    config = json.loads(base64.b64decode(answer["value"]))
    assert config["users"][0]["name"] == "clusterUser_hello_hello"
    assert list(config["users"][0]["user"]) == [sign_in]
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == f"https://{cloud.aks_host}:443"
    assert base64.b64decode(cluster["certificate-authority-data"]) == cloud.ca_file.read_bytes()
    assert ask("other").json()["error"]["code"] == "ResourceNotFound"
    elsewhere = ask("hello", "https://management.azure.com/subscriptions/x").json()
    assert elsewhere["error"]["code"] == "SubscriptionNotFound"


@pytest.mark.parametrize("version", ["v1.0", "beta"])
@pytest.mark.parametrize("slash", ["/", "//"])
def test_graph(cloud, http, version, slash):
    base = f"https://graph.microsoft.com/{version}{slash}"
    alex = bearer(cloud.issue_token(scope=GRAPH, user="alex@contoso.com"))
    assert http.get(f"{base}me", headers=alex).json()["mail"] == "alex@contoso.com"
    assert len(http.get(f"{base}users", headers=alex).json()["value"]) == 2
    devices = f"{base}deviceManagement/managedDevices"
    assert http.get(devices, headers=alex).status_code == 403
    scope = f"https://graph.microsoft.com/{INTUNE_READ}"
    token = cloud.issue_token(scope=scope, user="alex@contoso.com", client=cloud.intune_client_id)
    found = http.get(devices, headers=bearer(token)).json()["value"]
    assert "alex-laptop" in [device["deviceName"] for device in found]
    app = bearer(cloud.issue_token(scope=GRAPH))
    assert http.get(devices, headers=app).status_code == 200
    assert http.get(f"{base}me", headers=app).status_code == 400
    assert http.get(f"{base}me").status_code == 401


def test_api_server(cloud, http):
    base = f"https://{cloud.aks_host}"
    assert http.get(f"{base}/version").status_code == 401
    ours = bearer(cloud.issue_token(scope=AKS))
    assert http.get(f"{base}/version", headers=ours).json()["major"] == "1"
    theirs = bearer(cloud.issue_token("fabrikam", scope=AKS))
    assert http.get(f"{base}/version", headers=theirs).status_code == 401
    assert http.get(f"{base}/openapi/v3", headers=ours).json()["code"] == 404
    cloud.revoke_all("aks")
    assert http.get(f"{base}/version", headers=ours).status_code == 401


def test_other_apis(cloud, sign_in):
    for scope in (
        "https://storage.azure.com/.default",
        "https://vault.azure.net/.default",
        "https://hello.vault.azure.net/.default",
        "https://database.windows.net/.default",
        "https://ossrdbms-aad.database.windows.net/.default",
        "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default",
    ):
        assert sign_in.app(scope=scope).ok
    app_id = cloud.register_resource("api://hello", tenant="contoso")
    assert sign_in.app(scope="api://hello/.default").ok
    assert sign_in.app(scope=f"{app_id}/.default").ok
    assert sign_in.app("fabrikam.com", scope="api://hello/.default").status_code == 400
