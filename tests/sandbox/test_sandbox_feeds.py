"""The feeds as a plain HTTP client sees them: who may in, and the protocols' few rules."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import subprocess
import sys
from collections.abc import Callable

import pytest

from msauth_sandbox.services.feeds import cargo, npm, nuget, pypi

ARM = "https://management.azure.com/.default"
HOSTS = ("https://pkgs.dev.azure.com/contoso", "https://contoso.pkgs.visualstudio.com")
READ = (
    "pypi/simple/",
    "pypi/simple/Contoso_Hello/",
    "pypi/download/contoso-hello/1.0.0/contoso_hello-1.0.0-py3-none-any.whl",
    "npm/registry/@contoso%2fhello",
    "npm/registry/@contoso/hello/-/hello-1.0.0.tgz",
    "Cargo/index/config.json",
    "Cargo/index/co/nt/contoso-hello",
    "Cargo/api/v1/crates/contoso-hello/1.0.0/download",
    "maven/v1/com/contoso/hello/1.0.0/hello-1.0.0.pom",
    "go/contoso.example/hello/@v/list",
    "go/contoso.example/hello/@latest",
    "nuget/v3/index.json",
)
ROOT = f"{HOSTS[0]}/_packaging/hello"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(password: str) -> dict[str, str]:
    text = base64.b64encode(f"anybody:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


@pytest.fixture(autouse=True)
def new_feeds(cloud):
    cloud.reset(repositories=True)
    yield
    cloud.reset(repositories=True)


class TestWhoMayIn:
    @pytest.mark.parametrize("path", READ)
    @pytest.mark.parametrize("host", HOSTS)
    @pytest.mark.parametrize("project", ["", "/hello", "/My%20Project"])
    def test_every_address(self, cloud, http, host, project, path):
        url = f"{host}{project}/_packaging/hello/{path}"
        refused = http.get(url, allow_redirects=False)
        assert refused.status_code == 401
        tenant = cloud.tenants["contoso"].id
        bearer_challenge, basic_challenge, federated = refused.raw.headers.getlist(
            "WWW-Authenticate"
        )
        assert bearer_challenge == f"Bearer authorization_uri=https://login.windows.net/{tenant}"
        assert basic_challenge.startswith("Basic realm=")
        assert federated == "TFS-Federated"
        assert refused.headers["X-VSS-ResourceTenant"] == tenant
        assert (
            refused.headers["X-VSS-AuthorizationEndpoint"] == "https://vssps.dev.azure.com/contoso/"
        )
        for header in (bearer(cloud.issue_token()), basic(cloud.issue_token()), basic(cloud.pat)):
            assert http.get(url, headers=header).status_code == 200
        assert cloud.count("feed", org="contoso") == 4
        assert cloud.count("feed", auth="pat") == 1

    @pytest.mark.parametrize("scheme", [bearer, basic])
    @pytest.mark.parametrize(
        ("reason", "make"),
        [
            ("tenant", lambda cloud: cloud.issue_token("fabrikam")),
            ("audience", lambda cloud: cloud.issue_token(scope=ARM)),
            ("expired", lambda cloud: cloud.issue_token(expires_in=-1)),
            ("signature", lambda cloud: cloud.issue_token()[:-8] + "AAAAAAAA"),
        ],
    )
    def test_bad_tokens(self, cloud, http, scheme, reason, make: Callable[..., str]):
        for method, path in (("GET", "pypi/simple/"), ("PUT", "maven/v1/a/b"), ("HEAD", "go/x")):
            answer = http.request(method, f"{ROOT}/{path}", headers=scheme(make(cloud)))
            assert answer.status_code == 401
            assert "WWW-Authenticate" in answer.headers
        assert cloud.count("feed", error=reason) == 3

    def test_revoked(self, cloud, http):
        header = bearer(cloud.issue_token())
        assert http.get(f"{ROOT}/pypi/simple/", headers=header).ok
        cloud.revoke_all("devops")
        assert http.get(f"{ROOT}/pypi/simple/", headers=header).status_code == 401
        assert cloud.count("feed", error="revoked") == 1

    def test_forbidden(self, cloud, http):
        cloud.configure(forbidden_feeds=["contoso/private"])
        header = bearer(cloud.issue_token(user="alex@contoso.com"))
        assert http.get(f"{ROOT}/pypi/simple/", headers=header).ok
        private = ROOT.replace("hello", "Private")
        answer = http.get(f"{private}/pypi/simple/", headers=header)
        assert answer.status_code == 403
        assert "User 'alex@contoso.com' lacks permission" in answer.json()["message"]
        assert "'ReadPackages'" in answer.json()["message"]
        assert "'AddPackage'" in http.put(f"{private}/maven/v1/a", headers=header).json()["message"]
        assert cloud.count("feed", error="forbidden", status=403) == 2

    def test_what_is_not_there(self, cloud, http):
        header = bearer(cloud.issue_token())
        for path in (
            "_packaging/other/pypi/simple/",
            "_packaging/hello/rubygems/",
            "_packaging/hello/pypi/simple/other/",
            "_packaging/hello/npm/registry/other",
            "_packaging/hello/Cargo/index/co/nt/other",
            "_packaging/hello/maven/v1/other",
            "_packaging/hello/go/other.example/x/@latest",
            "_packaging/hello/nuget/v3/flat2/other/index.json",
        ):
            assert http.get(f"{HOSTS[0]}/{path}", headers=header).status_code == 404, path


class TestPublishing:
    """Each protocol: publish, read back, and not twice; `reset` takes it away again."""

    @pytest.fixture
    def header(self, cloud):
        return bearer(cloud.issue_token())

    def check(self, cloud, http, header, publish, url: str, content: bytes):
        assert http.get(url, headers=header).status_code == 404
        assert publish().status_code in (200, 201, 202)
        assert http.get(url, headers=header).content == content
        assert publish().status_code == 409
        elsewhere = url.replace("contoso", "fabrikam", 1)
        other = bearer(cloud.issue_token("fabrikam"))
        assert http.get(elsewhere, headers=other).status_code == 404
        cloud.reset(repositories=True)
        assert http.get(url, headers=header).status_code == 404

    def test_pypi(self, cloud, http, header):
        file, content = pypi.wheel("mine", "2.0")
        form = {":action": "file_upload", "name": "Mine", "version": "2.0"}
        digest = hashlib.sha256(content).hexdigest()

        def publish(digest=digest):
            fields = form | {"sha256_digest": digest}
            files = {"content": (file, content)}
            return http.post(f"{ROOT}/pypi/upload/", data=fields, files=files, headers=header)

        assert publish("0" * 64).status_code == 400
        self.check(cloud, http, header, publish, f"{ROOT}/pypi/download/mine/2.0/{file}", content)

    def test_npm(self, cloud, http, header):
        content = npm.tarball("mine", "2.0.0")
        shasum = hashlib.sha1(content, usedforsecurity=False).hexdigest()

        def publish(shasum=shasum):
            dist = {"shasum": shasum, "tarball": "https://x/mine-2.0.0.tgz"}
            manifest = {"name": "mine", "version": "2.0.0", "dist": dist}
            data = base64.b64encode(content).decode()
            document = {
                "name": "mine",
                "dist-tags": {"latest": "2.0.0"},
                "versions": {"2.0.0": manifest},
                "_attachments": {"mine-2.0.0.tgz": {"data": data}},
            }
            return http.put(f"{ROOT}/npm/registry/mine", json=document, headers=header)

        assert publish("0" * 40).status_code == 400
        url = f"{ROOT}/npm/registry/mine/-/mine-2.0.0.tgz"
        self.check(cloud, http, header, publish, url, content)
        publish()
        found = http.get(f"{ROOT}/npm/registry/mine", headers=header).json()
        assert found["versions"]["2.0.0"]["dist"]["tarball"] == url

    def test_cargo(self, cloud, http, header):
        content = cargo.crate("mine", "2.0.0")
        text = json.dumps({"name": "mine", "vers": "2.0.0", "deps": [], "features": {}}).encode()

        def publish(body=content):
            parts = struct.pack("<I", len(text)) + text + struct.pack("<I", len(content)) + body
            return http.put(f"{ROOT}/Cargo/api/v1/crates/new", data=parts, headers=header)

        assert publish(content[1:]).status_code == 400
        url = f"{ROOT}/Cargo/api/v1/crates/mine/2.0.0/download"
        self.check(cloud, http, header, publish, url, content)

    def test_maven(self, cloud, http, header):
        url = f"{ROOT}/maven/v1/com/contoso/mine/2.0/mine-2.0.jar"
        self.check(
            cloud,
            http,
            header,
            lambda: http.put(url, data=b"jar", headers=header),
            url,
            b"jar",
        )

    def test_nuget(self, cloud, http, header):
        resources = http.get(f"{ROOT}/nuget/v3/index.json", headers=header).json()["resources"]
        found = {entry["@type"]: entry["@id"] for entry in resources}
        content = nuget.package("Mine.Package", "2.0.0")

        def publish(content=content):
            files = {"package": ("package.nupkg", content)}
            push = found["PackagePublish/2.0.0"]
            return http.put(push, files=files, headers=header)

        assert publish(b"no package").status_code == 400
        base = found["PackageBaseAddress/3.0.0"]
        url = f"{base}mine.package/2.0.0/mine.package.2.0.0.nupkg"
        self.check(cloud, http, header, publish, url, content)
        publish()
        listed = http.get(f"{base}mine.package/index.json", headers=header).json()
        assert listed == {"versions": ["2.0.0"]}
        index = f"{found['RegistrationsBaseUrl/3.6.0']}mine.package/index.json"
        (page,) = http.get(index, headers=header).json()["items"]
        assert page["items"][0]["packageContent"] == url
        leaf = http.get(page["items"][0]["@id"], headers=header).json()
        assert leaf["catalogEntry"]["id"] == "Mine.Package"
        nuspec = http.get(f"{base}mine.package/2.0.0/mine.package.nuspec", headers=header)
        assert "<id>Mine.Package</id>" in nuspec.text
        search = found["SearchQueryService"]
        hits = http.get(search, params={"q": "Mine"}, headers=header).json()
        assert [hit["id"] for hit in hits["data"]] == ["Mine.Package"]


def test_what_a_feed_holds_can_be_used(cloud, http, tmp_path):
    """The hashes of the indexes are those of the files, and the wheel is one."""
    header = bearer(cloud.issue_token())
    page = http.get(f"{ROOT}/pypi/simple/contoso-hello/", headers=header).text
    link, _, digest = page.partition('href="../../')[2].partition('"')[0].partition("#sha256=")
    wheel = http.get(f"{ROOT}/pypi/{link}", headers=header).content
    assert hashlib.sha256(wheel).hexdigest() == digest
    (tmp_path / "x.whl").write_bytes(wheel)
    program = "import sys; sys.path.insert(0, 'x.whl'); import contoso_hello as c; print(c.PACKAGE)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "contoso-hello\n"
    line = json.loads(http.get(f"{ROOT}/Cargo/index/co/nt/contoso-hello", headers=header).text)
    crate = f"{ROOT}/Cargo/api/v1/crates/contoso-hello/1.0.0/download"
    assert hashlib.sha256(http.get(crate, headers=header).content).hexdigest() == line["cksum"]
    document = http.get(f"{ROOT}/npm/registry/@contoso%2fhello", headers=header).json()
    dist = document["versions"]["1.0.0"]["dist"]
    tarball = http.get(dist["tarball"], headers=header).content
    digest = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    assert dist["integrity"] == f"sha512-{digest}"
