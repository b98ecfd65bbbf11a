"""The token service: grants, errors, and the shape of tokens."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from msauth_sandbox import Sandbox
from msauth_sandbox.entra.directory import AZURE_CLI, GRAPH_OF_AZURE_CLI, INTUNE_READ

DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798/.default"
GRAPH = "https://graph.microsoft.com"
SECRET = "s8~wrong"


def claims_of(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


def fields(page: str) -> dict[str, str]:
    """The hidden fields of a page that posts itself."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


def test_token_verifies_against_the_published_keys(cloud, sign_in, http):
    base = f"https://login.microsoftonline.com/{cloud.tenants['contoso'].id}/v2.0"
    config = http.get(f"{base}/.well-known/openid-configuration").json()
    keys = http.get(config["jwks_uri"]).json()
    token = sign_in.app().json()["access_token"]
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    audience = "499b84ac-1321-427f-aa17-267ca6975798"
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=audience)
    assert claims["tid"] == cloud.tenants["contoso"].id
    assert claims["appid"] == cloud.client_id
    assert claims["idtyp"] == "app"
    assert 1400 < len(token) < 2600


@pytest.mark.parametrize("segment", ["contoso.com", "contoso.onmicrosoft.com", "GUID"])
def test_tenant_has_several_names(cloud, sign_in, segment):
    tenant = cloud.tenants["contoso"].id
    answer = sign_in.app(tenant if segment == "GUID" else segment).json()
    assert claims_of(answer["access_token"])["tid"] == tenant
    assert "refresh_token" not in answer


@pytest.mark.parametrize(
    ("tenant", "change", "code", "error", "status"),
    [
        ("nowhere.com", {}, 90002, "invalid_request", 400),
        ("contoso.com", {"client_id": "6f0e7c0a-0000-0000-0000-000000000000"}, 700016,
         "unauthorized_client", 400),
        ("contoso.com", {"client_secret": SECRET}, 7000215, "invalid_client", 401),
        ("contoso.com", {"scope": "https://nonesuch.example/.default"}, 500011,
         "invalid_resource", 400),
        ("contoso.com", {"scope": "garbage"}, 70011, "invalid_scope", 400),
        ("contoso.com", {"scope": GRAPH + "/User.Read"}, 1002012, "invalid_scope", 400),
        ("common", {}, 50059, "invalid_request", 400),
        ("contoso.com", {"grant_type": "password"}, 70003, "unsupported_grant_type", 400),
        ("contoso.com", {"client_id": AZURE_CLI}, 7000218, "invalid_client", 401),
    ],
)  # fmt: skip
def test_errors_are_those_of_entra(sign_in, cloud, tenant, change, code, error, status):
    answer = sign_in.app(tenant, **change)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert {"timestamp", "trace_id", "correlation_id"} <= body.keys()
    assert cloud.count("token", error=f"AADSTS{code}") == 1


@pytest.mark.parametrize(
    ("code", "error", "suberror", "status", "words"),
    [
        (50076, "invalid_grant", "basic_action", 400, "must use multi-factor authentication"),
        (50079, "invalid_grant", "basic_action", 400, "must enroll in multi-factor authentication"),
        (50173, "invalid_grant", "bad_token", 400, "a fresh auth token is needed"),
        (53003, "invalid_grant", "message_only", 400, "blocked by Conditional Access policies"),
        (65001, "invalid_grant", "consent_required", 400, "has not consented to use"),
        (70007, "invalid_request", None, 400, "unsupported mode 'query'"),
        (530036, "invalid_grant", "message_only", 400, "authentication flows policy"),
        (530084, "invalid_grant", "message_only", 400, "token protection policy"),
        (700016, "unauthorized_client", None, 400, "was not found in the directory"),
        (900971, "invalid_request", None, 400, "No reply address provided."),
        (7000215, "invalid_client", None, 401, "Invalid client secret provided."),
        (7000222, "invalid_client", None, 401, "secret keys for the app are expired."),
    ],
)
def test_any_request_can_be_made_to_fail(cloud, sign_in, code, error, suberror, status, words):
    cloud.fail_tokens(code)
    answer = sign_in.app()
    body = answer.json()
    assert (answer.status_code, body["error"], body.get("suberror")) == (status, error, suberror)
    assert body["error_codes"] == [code]
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert words in body["error_description"]
    assert sign_in.app().ok


def test_counting(cloud, sign_in):
    sign_in.app()
    sign_in.app("fabrikam.com")
    sign_in.app(scope="https://management.azure.com/.default")
    assert cloud.count("token") == 3
    assert cloud.count("token", tenant="contoso") == 2
    assert cloud.count("token", tenant="fabrikam", scope=DEVOPS) == 1
    assert cloud.count("token", grant="client_credentials", client_id=cloud.client_id) == 3
    assert cloud.count("request") == 3
    assert cloud.stats()["unknown_hosts"] == []
    cloud.reset()
    assert cloud.count("request") == 0


def test_records_hold_no_secret(cloud, sign_in):
    answer = sign_in.app(claims='{"access_token":{"nbf":{"value":"123454321"}}}').json()
    text = repr(cloud.requests) + (cloud.directory / "requests.jsonl").read_text()
    for secret in (answer["access_token"], cloud.client_secret, "123454321"):
        assert secret not in text
    assert cloud.count("token", claims=True) == 1


def test_settings_and_faults(cloud, sign_in):
    cloud.configure(expires_in=60, refresh_in=30)
    answer = sign_in.app().json()
    assert (answer["expires_in"], answer["refresh_in"]) == (60, 30)
    claims = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
    cloud.fail_tokens(50076, error="interaction_required", times=2, claims=json.dumps(claims))
    for _ in range(2):
        body = sign_in.app().json()
        assert body["error"] == "interaction_required"
        assert json.loads(body["claims"]) == claims
    assert "access_token" in sign_in.app().json()
    cloud.fail_tokens(90033, times=None)
    assert [sign_in.app().status_code for _ in range(3)] == [503] * 3
    cloud.reset()
    cloud.fail_http(status=429, retry_after=7)
    refused = sign_in.app()
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert sign_in.app().json()["expires_in"] == 3600
    with pytest.raises(ValueError, match="unknown setting"):
        cloud.configure(colour="red")


def test_hook_is_a_barrier(cloud, sign_in):
    arrived, go = threading.Semaphore(0), threading.Event()

    def hold(record):
        arrived.release()
        assert go.wait(10)

    cloud.on_token(hold)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(sign_in.app) for _ in range(8)]
        for _ in answers:
            assert arrived.acquire(timeout=10)
        assert cloud.count("token") == 8
        assert not any(answer.done() for answer in answers)
        go.set()
        assert all(answer.result().ok for answer in answers)


class TestPeople:
    def device_code(self, cloud, http, client=AZURE_CLI, scope=DEVOPS, tenant="organizations"):
        answer = http.post(
            f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode",
            data={"client_id": client, "scope": f"{scope} openid profile offline_access"},
        )
        return answer.json()

    def poll(self, sign_in, code, tenant="organizations", client=AZURE_CLI):
        return sign_in.post(
            tenant,
            grant_type="urn:ietf:params:oauth:grant-type:device_code",
            client_id=client,
            device_code=code["device_code"],
        )

    def refresh(self, sign_in, token, scope, tenant="organizations", client=AZURE_CLI):
        return sign_in.post(
            tenant,
            grant_type="refresh_token",
            client_id=client,
            refresh_token=token,
            scope=scope,
        )

    def test_device_code(self, cloud, http, sign_in):
        cloud.device_code("manual")
        code = self.device_code(cloud, http)
        assert cloud.pending_device_codes() == [code["user_code"]]
        assert self.poll(sign_in, code).json()["error"] == "authorization_pending"
        cloud.approve(code["user_code"], "sam@contoso.com")
        answer = self.poll(sign_in, code).json()
        assert claims_of(answer["access_token"])["upn"] == "sam@contoso.com"
        assert claims_of(answer["id_token"])["preferred_username"] == "sam@contoso.com"
        assert answer["foci"] == "1"
        assert self.poll(sign_in, code).json()["error"] == "invalid_grant"
        assert cloud.count("devicecode") == 1

    def test_device_code_page(self, cloud, http, sign_in):
        cloud.device_code("manual")
        code = self.device_code(cloud, http)
        page = http.get(code["verification_uri"])
        assert "deviceauth" in page.text
        http.post(page.url, data={"otc": code["user_code"].lower(), "login": "sam@contoso.com"})
        assert "access_token" in self.poll(sign_in, code).json()

    def test_declined_device_code(self, cloud, http, sign_in):
        cloud.device_code("deny")
        body = self.poll(sign_in, self.device_code(cloud, http)).json()
        assert body["error"] == "authorization_declined"

    def test_refresh_tokens(self, cloud, http, sign_in):
        first = self.poll(sign_in, self.device_code(cloud, http)).json()
        old = first["refresh_token"]
        fabrikam = cloud.tenants["fabrikam"].id
        guest = self.refresh(sign_in, old, DEVOPS, fabrikam).json()
        assert claims_of(guest["access_token"])["tid"] == fabrikam
        assert guest["client_info"] == first["client_info"]
        again = self.refresh(sign_in, old, f"{GRAPH}/.default").json()
        assert again["refresh_token"] != old
        held = set(claims_of(again["access_token"])["scp"].split())
        assert held == set(GRAPH_OF_AZURE_CLI)
        denied = self.refresh(sign_in, old, f"{GRAPH}/{INTUNE_READ}").json()
        assert denied["error_codes"] == [65002]
        cloud.revoke_refresh_tokens("sam@contoso.com")
        assert "access_token" in self.refresh(sign_in, old, DEVOPS).json()
        cloud.revoke_refresh_tokens()
        body = self.refresh(sign_in, old, DEVOPS).json()
        assert (body["error"], body["error_codes"]) == ("invalid_grant", [50173])

    def test_member_only(self, cloud, http, sign_in):
        cloud.configure(user="sam@contoso.com")
        token = self.poll(sign_in, self.device_code(cloud, http)).json()["refresh_token"]
        body = self.refresh(sign_in, token, DEVOPS, "fabrikam.com").json()
        assert body["error_codes"] == [50020]

    def authorize(self, cloud, http, **more):
        query = {
            "client_id": cloud.intune_client_id,
            "response_type": "code",
            "redirect_uri": "http://localhost:9876",
            "scope": f"{GRAPH}/{INTUNE_READ} openid offline_access",
            "state": "xyz",
            "response_mode": "form_post",
            "nonce": "n1",
            "code_challenge_method": "S256",
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest())
            .rstrip(b"=")
            .decode(),
        } | more
        url = "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/authorize"
        return http.get(url, params=query, allow_redirects=False)

    def redeem(self, cloud, sign_in, code, **more):
        form = {
            "grant_type": "authorization_code",
            "client_id": cloud.intune_client_id,
            "code": code,
            "redirect_uri": "http://localhost:9876",
            "code_verifier": "verifier",
        }
        return sign_in.post("contoso.com", **(form | more)).json()

    def test_authorization_code(self, cloud, http, sign_in):
        page = self.authorize(cloud, http, login_hint="sam@contoso.com").text
        assert '<form method="POST" name="hiddenform" action="http://localhost:9876">' in page
        answer = fields(page)
        assert answer["state"] == "xyz"
        body = self.redeem(cloud, sign_in, answer["code"])
        assert claims_of(body["id_token"])["nonce"] == "n1"
        assert INTUNE_READ in claims_of(body["access_token"])["scp"]
        assert claims_of(body["access_token"])["upn"] == "sam@contoso.com"
        assert self.redeem(cloud, sign_in, answer["code"])["error_codes"] == [54005]
        assert cloud.count("authorize") == 1

    def test_wrong_verifier(self, cloud, http, sign_in):
        code = fields(self.authorize(cloud, http).text)["code"]
        body = self.redeem(cloud, sign_in, code, code_verifier="other")
        assert body["error_codes"] == [501481]

    @pytest.mark.parametrize("mode", ["query", None])
    def test_no_code_in_a_query(self, cloud, http, mode):
        """What clients did until 2026; the refusal comes as they expect it, in a query."""
        answer = self.authorize(cloud, http, response_mode=mode)
        target = urlsplit(answer.headers["Location"])
        assert target.netloc == "localhost:9876"
        query = parse_qs(target.query)
        assert "code" not in query
        assert query["state"] == ["xyz"]
        assert query["error"] == ["invalid_request"]
        assert query["error_description"][0].startswith(
            "AADSTS70007: The application requested an unsupported mode 'query' when requesting a "
            "token. Trace ID: "
        )
        assert cloud.count("authorize", error="AADSTS70007") == 1

    def test_no_redirect(self, cloud, http):
        answer = self.authorize(cloud, http, redirect_uri=None)
        assert (answer.status_code, "AADSTS900971" in answer.text) == (400, True)

    @pytest.mark.parametrize("uri", ["https://evil.example/", "http://localhost.evil.example"])
    def test_foreign_redirect_is_refused(self, cloud, http, uri):
        assert self.authorize(cloud, http, redirect_uri=uri).status_code == 400

    def test_consent(self, cloud, http):
        scope = "https://management.azure.com/.default"
        answer = fields(self.authorize(cloud, http, scope=scope).text)
        assert answer["error_description"].startswith("AADSTS65001: ")

    def test_own_application_is_in_its_tenant_only(self, cloud, http):
        code = self.device_code(cloud, http, cloud.intune_client_id, tenant="fabrikam.com")
        assert code["error_codes"] == [700016]


def test_discovery(http: object, cloud: Sandbox) -> None:
    assert hasattr(http, "get")
    base = "https://login.microsoftonline.com"
    common = http.get(f"{base}/common/v2.0/.well-known/openid-configuration").json()
    assert common["issuer"].endswith("/{tenantid}/v2.0")
    query = {"api-version": "1.1", "authorization_endpoint": f"{base}/common/oauth2/authorize"}
    instance = http.get(f"{base}/common/discovery/instance", params=query).json()
    assert "login.windows.net" in instance["metadata"][0]["aliases"]
    missing = http.get(f"{base}/nowhere.com/v2.0/.well-known/openid-configuration")
    assert missing.json()["error_codes"] == [90002]
    realm = http.get(f"{base}/common/userrealm/alex@contoso.com").json()
    assert realm["account_type"] == "Managed"
    for host in ("login.microsoftonline.us", "login.partner.microsoftonline.cn"):
        config = http.get(f"https://{host}/contoso.com/v2.0/.well-known/openid-configuration")
        assert urlsplit(config.json()["token_endpoint"]).hostname == host


def test_claims_of_the_authorize_request_count(cloud, http, sign_in):
    people = TestPeople()
    wanted = cloud.require_claims("graph", strict=True)
    code = fields(people.authorize(cloud, http, claims=wanted).text)["code"]
    token = people.redeem(cloud, sign_in, code)["access_token"]
    head = {"Authorization": f"Bearer {token}"}
    assert http.get(f"{GRAPH}/v1.0/me", headers=head).status_code == 200
    assert cloud.count("authorize", claims=True) == 1
