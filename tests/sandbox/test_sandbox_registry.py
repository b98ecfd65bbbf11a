"""The container registries as a plain HTTP client sees them: the way to a token, and images."""

from __future__ import annotations

import hashlib
import time

import jwt
import pytest

ACR = "https://containerregistry.azure.net/.default"
ARM = "https://management.azure.com/.default"
CONTOSO, FABRIKAM = "contoso.azurecr.io", "fabrikam.azurecr.io"
ZERO = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(autouse=True)
def new_images(cloud):
    cloud.reset(repositories=True)
    yield
    cloud.reset(repositories=True)


@pytest.fixture
def exchange(cloud, http):
    def ask(token, host=CONTOSO, **form):
        tenant = cloud.tenants[host.partition(".")[0]].id
        defaults = {
            "grant_type": "access_token",
            "service": host,
            "tenant": tenant,
            "access_token": token,
        }
        return http.post(f"https://{host}/oauth2/exchange", data=defaults | form)

    return ask


@pytest.fixture
def access(cloud, http, exchange):
    """An `Authorization` header with an access token for these scopes."""

    def ask(*scopes, host=CONTOSO):
        tenant = host.partition(".")[0]
        refresh = exchange(cloud.issue_token(tenant, ACR), host).json()["refresh_token"]
        url = f"https://{host}/oauth2/token"
        params = {"service": host, "scope": list(scopes)}
        answer = http.get(url, params=params, auth=(ZERO, refresh))
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    return ask


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


class TestTokens:
    @pytest.mark.parametrize("host", [CONTOSO, FABRIKAM])
    def test_the_challenge_names_no_tenant(self, cloud, http, host):
        answer = http.get(f"https://{host}/v2/")
        assert answer.status_code == 401
        assert (
            answer.headers["WWW-Authenticate"]
            == f'Bearer realm="https://{host}/oauth2/token",service="{host}"'
        )
        assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
        assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"
        told = str(answer.headers) + answer.text
        assert not [tenant.id for tenant in cloud.tenants.values() if tenant.id in told]

    def test_a_refresh_token_lives_three_hours(self, cloud, exchange):
        answer = exchange(cloud.issue_token(scope=ACR, user="alex@contoso.com"))
        found = claims(answer.json()["refresh_token"])
        assert found["exp"] - time.time() == pytest.approx(3 * 3600, abs=5)
        assert found["grant_type"] == "refresh_token"
        assert found["aud"] == CONTOSO
        cloud.configure(registry_expires_in=60)
        found = claims(exchange(cloud.issue_token(scope=ACR)).json()["refresh_token"])
        assert found["exp"] - time.time() == pytest.approx(60, abs=5)
        assert cloud.count("registry", grant="access_token", status=200) == 2

    @pytest.mark.parametrize(
        ("reason", "make", "form"),
        [
            ("tenant", lambda cloud: cloud.issue_token("fabrikam", ACR), {}),
            ("tenant", lambda cloud: cloud.issue_token(scope=ACR), {"tenant": "elsewhere"}),
            ("audience", lambda cloud: cloud.issue_token(), {}),
            ("expired", lambda cloud: cloud.issue_token(scope=ACR, expires_in=-1), {}),
            ("malformed", lambda cloud: "x", {}),
        ],
    )
    def test_what_is_not_exchanged(self, cloud, exchange, reason, make, form):
        assert exchange(make(cloud), **form).status_code == 401
        assert cloud.count("registry", error=reason) == 1

    def test_a_revoked_entra_token_is_not_exchanged(self, cloud, exchange):
        token = cloud.issue_token(scope=ACR)
        cloud.revoke(token)
        assert exchange(token).status_code == 401

    @pytest.mark.parametrize(
        "form", [{"grant_type": "x"}, {"service": FABRIKAM}, {"access_token": ""}]
    )
    def test_bad_requests(self, cloud, exchange, form):
        assert exchange(cloud.issue_token(scope=ACR), **form).status_code == 400

    def test_tokens_for_arm_unless_a_policy_forbids(self, cloud, exchange):
        assert exchange(cloud.issue_token(scope=ARM)).ok
        cloud.configure(registry_takes_arm=False)
        assert exchange(cloud.issue_token(scope=ARM)).status_code == 401
        assert exchange(cloud.issue_token(scope=ACR)).ok

    def test_every_way_to_an_access_token(self, cloud, http, exchange):
        refresh = exchange(cloud.issue_token(scope=ACR)).json()["refresh_token"]
        url, scope = f"https://{CONTOSO}/oauth2/token", "repository:hello:pull"
        by_basic = http.get(url, params={"scope": scope}, auth=(ZERO, refresh))
        form = {"service": CONTOSO, "scope": scope}
        by_refresh = http.post(
            url, data=form | {"grant_type": "refresh_token", "refresh_token": refresh}
        )
        password = {"grant_type": "password", "username": ZERO, "password": refresh}
        by_password = http.post(url, data=form | password)
        for answer in (by_basic, by_refresh, by_password):
            (entry,) = claims(answer.json()["access_token"])["access"]
            assert entry == {"type": "repository", "name": "hello", "actions": ["pull"]}
        assert cloud.count("registry", scope=scope, status=200) == 3
        offline = http.get(url, params={"offline_token": "true"}, auth=(ZERO, refresh))
        assert offline.json()["refresh_token"] == refresh
        assert http.get(url).status_code == 401
        assert http.get(url, auth=("alex", refresh)).status_code == 401
        assert http.post(url, data={"grant_type": "x"}).status_code == 400

    @pytest.mark.parametrize(
        "claims", [{}, {"aud": CONTOSO, "grant_type": "refresh_token", "sequence": 10**9}]
    )
    def test_an_entra_token_is_no_password(self, cloud, http, claims):
        token = cloud.issue_token(scope=ACR, **claims)
        url = f"https://{CONTOSO}/oauth2/token"
        assert http.get(url, auth=(ZERO, token)).status_code == 401
        header = {"Authorization": f"Bearer {token}"}
        assert http.get(f"https://{CONTOSO}/v2/", headers=header).status_code == 401

    def test_a_refresh_token_is_for_one_registry_and_no_access_token(self, cloud, http, exchange):
        refresh = exchange(cloud.issue_token(scope=ACR)).json()["refresh_token"]
        assert http.get(f"https://{FABRIKAM}/oauth2/token", auth=(ZERO, refresh)).status_code == 401
        header = {"Authorization": f"Bearer {refresh}"}
        assert http.get(f"https://{CONTOSO}/v2/", headers=header).status_code == 401

    def test_expired_and_revoked(self, cloud, http, exchange, access):
        url = f"https://{CONTOSO}/oauth2/token"
        cloud.configure(registry_expires_in=-1)
        old = exchange(cloud.issue_token(scope=ACR)).json()["refresh_token"]
        assert http.get(url, auth=(ZERO, old)).status_code == 401
        assert cloud.count("registry", error="expired") == 1
        cloud.configure(registry_expires_in=60)
        good, header = exchange(cloud.issue_token(scope=ACR)).json()["refresh_token"], access()
        assert http.get(url, auth=(ZERO, good)).ok
        assert http.get(f"https://{CONTOSO}/v2/", headers=header).ok
        cloud.revoke_registry_tokens()
        assert http.get(url, auth=(ZERO, good)).status_code == 401
        refused = http.get(f"https://{CONTOSO}/v2/", headers=header)
        assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
        new = exchange(cloud.issue_token(scope=ACR)).json()["refresh_token"]
        assert http.get(url, auth=(ZERO, new)).ok
        cloud.reset()
        assert http.get(url, auth=(ZERO, good)).ok

    def test_the_scope_is_what_is_allowed(self, cloud, http, access):
        manifest = f"https://{CONTOSO}/v2/hello/manifests/1.0"
        header = access("repository:hello:pull")
        assert http.get(manifest, headers=header).ok
        for method, url, scope in (
            ("GET", manifest.replace("hello", "other"), "repository:other:pull"),
            ("PUT", manifest, "repository:hello:pull,push"),
            ("DELETE", manifest, "repository:hello:delete"),
            ("POST", f"https://{CONTOSO}/v2/hello/blobs/uploads/", "repository:hello:pull,push"),
            ("GET", f"https://{CONTOSO}/v2/_catalog", "registry:catalog:*"),
        ):
            refused = http.request(method, url, headers=header)
            assert refused.status_code == 401
            assert f'scope="{scope}"' in refused.headers["WWW-Authenticate"]
        assert cloud.count("registry", error="insufficient_scope") == 5


class TestImages:
    ROOT = f"https://{CONTOSO}/v2/team/mine"

    @pytest.fixture
    def header(self, access):
        return access("repository:team/mine:pull,push,delete", "registry:catalog:*")

    def upload(self, http, header, content, *chunks):
        number = "sha256:" + hashlib.sha256(content).hexdigest()
        started = http.post(f"{self.ROOT}/blobs/uploads/", headers=header)
        assert started.status_code == 202
        place = f"https://{CONTOSO}{started.headers['Location']}"
        for chunk in chunks:
            assert http.patch(place, data=chunk, headers=header).status_code == 202
        rest = content[sum(map(len, chunks)) :]
        done = http.put(f"{place}?digest={number}", data=rest, headers=header)
        return number, done

    def test_push_and_pull(self, cloud, http, header):
        config, done = self.upload(http, header, b"{}")
        assert done.status_code == 201
        layer, done = self.upload(http, header, b"0123456789", b"012", b"345")
        assert done.status_code == 201
        assert http.get(f"{self.ROOT}/blobs/{layer}", headers=header).content == b"0123456789"
        head = http.head(f"{self.ROOT}/blobs/{layer}", headers=header)
        assert head.headers["Content-Length"] == "10"
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = {"schemaVersion": 2, "config": {"digest": config}, "layers": [{"digest": layer}]}
        put = http.put(
            f"{self.ROOT}/manifests/1.0", json=manifest, headers=header | {"Content-Type": kind}
        )
        assert put.status_code == 201
        number = put.headers["Docker-Content-Digest"]
        for reference in ("1.0", number):
            found = http.get(f"{self.ROOT}/manifests/{reference}", headers=header)
            assert found.json() == manifest
            assert found.headers["Content-Type"] == kind
        assert http.get(f"{self.ROOT}/tags/list", headers=header).json()["tags"] == ["1.0"]
        catalog = http.get(f"https://{CONTOSO}/v2/_catalog", headers=header).json()
        assert catalog == {"repositories": ["hello", "team/mine"]}
        about = manifest | {"subject": {"digest": number}, "artifactType": "a/b"}
        put = http.put(f"{self.ROOT}/manifests/about", json=about, headers=header)
        assert put.headers["OCI-Subject"] == number
        url = f"{self.ROOT}/referrers/{number}"
        (entry,) = http.get(url, headers=header).json()["manifests"]
        assert entry["artifactType"] == "a/b"
        none = http.get(url, params={"artifactType": "c/d"}, headers=header)
        assert none.json()["manifests"] == []
        assert http.delete(f"{self.ROOT}/manifests/{number}", headers=header).status_code == 202
        assert http.get(f"{self.ROOT}/manifests/1.0", headers=header).status_code == 404

    def test_what_is_refused(self, cloud, http, header):
        number, _ = self.upload(http, header, b"x")
        started = http.post(f"{self.ROOT}/blobs/uploads/", headers=header)
        place = f"https://{CONTOSO}{started.headers['Location']}?digest={number}"
        assert http.put(place, data=b"y", headers=header).status_code == 400
        assert http.put(place, data=b"x", headers=header).status_code == 404
        manifest = {"config": {"digest": number}, "layers": [{"digest": "sha256:" + "0" * 64}]}
        url = f"{self.ROOT}/manifests"
        assert http.put(f"{url}/1", json=manifest, headers=header).status_code == 404
        assert http.put(f"{url}/1", data=b"no json", headers=header).status_code == 400
        other = f"{url}/sha256:{'1' * 64}"
        assert http.put(other, json={"layers": []}, headers=header).status_code == 400
        missing = http.get(f"{url}/1", headers=header)
        assert missing.json()["errors"][0]["code"] == "MANIFEST_UNKNOWN"

    def test_each_registry_has_its_own(self, cloud, http, header, access):
        number, _ = self.upload(http, header, b"x")
        other = access("repository:team/mine:pull", host=FABRIKAM)
        url = f"{self.ROOT}/blobs/{number}".replace(CONTOSO, FABRIKAM)
        assert http.get(url, headers=other).status_code == 404

    def test_the_image_of_the_start(self, cloud, http, access):
        header = access("repository:hello:pull")
        root = f"https://{CONTOSO}/v2/hello"
        manifest = http.get(f"{root}/manifests/1.0", headers=header).json()
        for part in (manifest["config"], *manifest["layers"]):
            content = http.get(f"{root}/blobs/{part['digest']}", headers=header).content
            assert "sha256:" + hashlib.sha256(content).hexdigest() == part["digest"]
            assert len(content) == part["size"]


def test_controls(cloud, http):
    """The knob is there for other processes, too."""
    answer = http.post(
        f"{cloud.url}/_sandbox/revoke-registry-tokens",
        headers={"X-Sandbox-Key": cloud.control_key},
    )
    assert answer.json() == {"result": None}
