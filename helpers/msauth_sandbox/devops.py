"""Azure DevOps: git, REST and Artifacts hosts of three organisations, and how they say no."""

from __future__ import annotations

import base64
import binascii
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from werkzeug.wrappers import Response

from .directory import DEVOPS, ZERO_GUID, Tenant, stable_guid
from .repositories import Repositories, serve_git
from .service import Call, Route, Service, bearer, html_response, json_response
from .state import State
from .tokens import TokenRejectedError, token_id

_ROOT = "dev.azure.com"
_SERVICES = ("pkgs", "feeds", "vssps", "vsrm", "aex", "vstoken", "vsaex")
_GIT_SERVICES = ("info/refs", "git-upload-pack", "git-receive-pack", "HEAD", "objects/")
_SIGN_IN = "https://app.vssps.visualstudio.com/_signin"


@dataclass(frozen=True)
class Organization:
    """``tenant`` None means backed by personal accounts. ``projects``: name → repositories."""

    name: str
    tenant: Tenant | None
    projects: dict[str, list[str]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return stable_guid("organization", self.name)


@dataclass(frozen=True)
class Place:
    """Where a request goes: the organisation, the service, and the path below both."""

    organization: str | None
    service: str
    path: str


class AccessDeniedError(Exception):
    """``reason`` is that of tokens.TokenRejectedError, or none, pat, personal."""

    def __init__(self, reason: str, challenge: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.challenge = challenge


class DevOps(Service):
    kind = "devops"

    def __init__(self, state: State, repositories: Repositories) -> None:
        super().__init__(state)
        tenants = state.directory.tenants
        self.repositories = repositories
        # A personal access token that every organisation accepts as a Basic password.
        self.pat = secrets.token_hex(26)
        self.organizations = {
            "contoso": Organization(
                "contoso", tenants["contoso"], {"hello": ["hello"], "My Project": ["My Repo"]}
            ),
            "fabrikam": Organization("fabrikam", tenants["fabrikam"], {"widgets": ["widgets"]}),
            "personal": Organization("personal", None, {"notes": ["notes"]}),
        }

    def serves(self, host: str) -> bool:
        if host == _ROOT or host in {f"{service}.{_ROOT}" for service in _SERVICES}:
            return True
        label, _, rest = host.removesuffix(".visualstudio.com").partition(".")
        return host.endswith(".visualstudio.com") and (
            (label in ("app",) and rest == "vssps")
            or (label in self.organizations and rest in ("", *_SERVICES))
        )

    def locate(self, host: str, path: str) -> Place:
        if host == "app.vssps.visualstudio.com":
            return Place(None, "vssps", path)
        if host.endswith(".visualstudio.com"):
            organization, _, service = host.removesuffix(".visualstudio.com").partition(".")
            path = path.removeprefix("/DefaultCollection")
            return Place(organization, service, path or "/")
        service = host.removesuffix(_ROOT).rstrip(".")
        organization, _, rest = path.lstrip("/").partition("/")
        return Place(organization.lower() or None, service, "/" + rest)

    def respond(self, call: Call) -> Response:
        if self.state.settings.devops_latency > 0:
            self.state.closing.wait(self.state.settings.devops_latency)
        place = self.locate(call.host, call.path)
        call.record.org = place.organization
        if place.path == "/_signin":
            return html_response("Azure DevOps Services | Sign In", "Sign in to your account", 203)
        organization = self.organizations.get(place.organization or "")
        if organization is None and place.organization is not None:
            return html_response("Azure DevOps Services | 404", "The resource is not there.", 404)
        git = _git_path(place.path) if place.service == "" else None
        if organization is not None:
            call.record.tenant = organization.tenant.id if organization.tenant else None
        try:
            who = self._authorize(call, organization)
        except AccessDeniedError as denied:
            call.record.error = denied.reason
            return self._denied(call, organization, denied, git is not None and bool(git[2]))
        headers = [("X-TFS-Session", str(uuid.uuid4())), ("X-VSS-UserData", f"{who}:{who}")]
        if git is not None and organization is not None:
            return self._git(call, organization, git, who)
        response = self._rest(call, organization, place, who)
        response.headers.extend(headers)
        return response

    def _authorize(self, call: Call, organization: Organization | None) -> str:
        """The name of the caller. Bearer takes a JWT; Basic a JWT or the PAT as its password."""
        request, record = call.request, call.record
        token = bearer(request)
        record.auth = "bearer" if token else None
        if token is None:
            password = _basic_password(request.headers.get("Authorization", ""))
            if not password:
                raise AccessDeniedError("none")
            record.auth = "basic"
            if secrets.compare_digest(password.encode(), self.pat.encode()):
                record.auth = "pat"
                return "pat"
            if password.count(".") != 2:
                raise AccessDeniedError("pat")
            token = password
        record.token_id = token_id(token)
        if organization is not None and organization.tenant is None:
            raise AccessDeniedError("personal")
        tenant_ids = (organization.tenant.id,) if organization and organization.tenant else None
        try:
            claims = self.state.mint.check(token, DEVOPS, tenant_ids)
        except TokenRejectedError as rejected:
            raise AccessDeniedError(rejected.reason, rejected.challenge) from rejected
        record.client_id = str(claims.get("appid"))
        return str(claims.get("upn") or claims.get("appid"))

    def _denied(
        self, call: Call, organization: Organization | None, denied: AccessDeniedError, git: bool
    ) -> Response:
        """401 with challenges to git, HEAD, OPTIONS and callers that suppress the redirect."""
        request = call.request
        suppressed = request.headers.get("X-TFS-FedAuthRedirect", "").lower() == "suppress"
        plain = request.method not in ("HEAD", "OPTIONS") and not suppressed and not git
        if denied.reason == "personal" or (denied.reason == "none" and plain):
            target = f"https://{call.host}{call.request.environ.get('REQUEST_URI', '/')}"
            location = f"{_SIGN_IN}?realm={call.host}&reply_to={quote(target, '')}&redirect=1"
            response = Response(status=302, headers={"Location": location})
        elif denied.reason == "expired" and not git and not suppressed:
            return html_response(
                "Azure DevOps Services | Sign In", "Your session has expired.", 203
            )
        else:
            response = html_response("Access Denied", "TF400813: not authorized", 401)
            for value in self._challenges(organization, denied):
                response.headers.add("WWW-Authenticate", value)
        tenant = organization.tenant if organization else None
        name = organization.name if organization else ""
        message = "TF400813: The user '' is not authorized to access this resource."
        if denied.reason == "tenant":
            message = (
                "TF400813: The user is not authorized to access this resource: the token belongs "
                "to another tenant than the organization."
            )
        response.headers["X-TFS-ServiceError"] = quote(message)
        response.headers["X-VSS-ResourceTenant"] = tenant.id if tenant else ZERO_GUID
        response.headers["X-VSS-AuthorizationEndpoint"] = f"https://vssps.dev.azure.com/{name}/"
        response.headers["X-VSS-E2EID"] = str(uuid.uuid4())
        return response

    def _challenges(
        self, organization: Organization | None, denied: AccessDeniedError
    ) -> list[str]:
        settings = self.state.settings
        tenant = organization.tenant if organization else None
        if denied.reason == "insufficient_claims" and denied.challenge and tenant:
            claims = base64.b64encode(denied.challenge.encode()).decode()
            uri = f"https://login.microsoftonline.com/{tenant.id}/oauth2/authorize"
            return [
                f'Bearer authorization_uri="{uri}", error="insufficient_claims", claims="{claims}"'
            ]
        if settings.challenge is not None:
            first = settings.challenge
        elif tenant is None:
            first = "Bearer"
        else:
            first = f"Bearer authorization_uri=https://{settings.challenge_host}/{tenant.id}"
        challenges = [first, 'Basic realm="https://tfsprodweu3.visualstudio.com/"', "TFS-Federated"]
        return [", ".join(challenges)] if settings.joined_challenges else challenges

    def _git(
        self, call: Call, organization: Organization, git: tuple[str, str, str], who: str
    ) -> Response:
        project, repository, service = git
        if repository not in organization.projects.get(project, []):
            message = (
                f"TF401019: The Git repository with name or identifier {repository} does not exist "
                "or you do not have permissions for the operation you are attempting."
            )
            return Response(message + "\n", 404, content_type="text/plain")
        if not service:
            return html_response(repository, f"The repository {repository}.")
        path = self.repositories.path(organization.name, project, repository)
        return serve_git(call.request, path, service, who)

    def routes(self) -> Sequence[Route]:
        return ()

    def _rest(
        self, call: Call, organization: Organization | None, place: Place, who: str
    ) -> Response:
        path = place.path.rstrip("/")
        base = f"https://{call.host}/{organization.name}" if organization else ""
        if path.endswith("/_apis/connectionData"):
            user = {"id": stable_guid("identity", who), "providerDisplayName": who}
            return json_response(
                {
                    "authenticatedUser": user,
                    "authorizedUser": user,
                    "instanceId": organization.id if organization else ZERO_GUID,
                    "deploymentType": "hosted",
                }
            )
        if path.endswith("/_apis/profile/profiles/me"):
            return json_response(
                {"id": stable_guid("identity", who), "displayName": who, "emailAddress": who}
            )
        if path.endswith("/_apis/accounts"):
            accounts = [
                {"accountId": o.id, "accountName": o.name} for o in self.organizations.values()
            ]
            return json_response({"count": len(accounts), "value": accounts})
        if organization is None:
            return json_response({"message": "no such thing"}, 404)
        if place.service == "pkgs":
            return self._feed(call, organization, path)
        if path == "/_apis/projects":
            ids = {n: stable_guid("project", organization.name, n) for n in organization.projects}
            projects = [
                {
                    "id": ids[name],
                    "name": name,
                    "url": f"{base}/_apis/projects/{ids[name]}",
                    "state": "wellFormed",
                    "visibility": "private",
                }
                for name in organization.projects
            ]
            return json_response({"count": len(projects), "value": projects})
        if path.endswith("/_apis/git/repositories"):
            only = unquote(path.removesuffix("/_apis/git/repositories").strip("/"))
            repositories = [
                {
                    "id": stable_guid("repository", organization.name, project, name),
                    "name": name,
                    "project": {"name": project},
                    "defaultBranch": "refs/heads/main",
                    "remoteUrl": f"https://{organization.name}@dev.azure.com/{organization.name}/"
                    f"{quote(project)}/_git/{quote(name)}",
                }
                for project, names in organization.projects.items()
                for name in names
                if only in ("", project)
            ]
            return json_response({"count": len(repositories), "value": repositories})
        if path.endswith("/_apis/packaging/feeds"):
            return json_response({"count": 1, "value": [{"name": "hello", "id": "hello"}]})
        if path in ("", "/_home") or not path.startswith("/_apis"):
            return html_response(organization.name, f"Organisation {organization.name}.")
        body = {"$id": "1", "message": "No such controller.", "typeKey": "VssPropertyException"}
        return json_response(body, 404)

    def _feed(self, call: Call, organization: Organization, path: str) -> Response:
        """Enough of an Artifacts feed to see that a client got in: PyPI, NuGet and npm."""
        here = f"https://{call.host}{call.path.rstrip('/')}"
        _, found, rest = path.partition("/_packaging/")
        feed, _, protocol = rest.partition("/")
        if not found or not feed:
            return json_response({"message": "no such feed"}, 404)
        if protocol == "pypi/simple":
            return html_response("Simple index", '<a href="hello/">hello</a>')
        if protocol.startswith("pypi/simple/"):
            return html_response("Links", "")
        if protocol == "nuget/v3/index.json":
            root = here.removesuffix("/index.json")
            services = ("PackageBaseAddress/3.0.0", "SearchQueryService", "RegistrationsBaseUrl")
            resources = [{"@id": f"{root}/{s.split('/')[0]}/", "@type": s} for s in services]
            return json_response({"version": "3.0.0", "resources": resources})
        if protocol.startswith("npm/registry"):
            name = unquote(protocol.removeprefix("npm/registry").strip("/"))
            if not name:
                return json_response({})
            if name.startswith("-/"):
                return json_response({"username": organization.name})
            return json_response({"name": name, "dist-tags": {}, "versions": {}})
        return json_response({"message": "no such protocol"}, 404)


def _git_path(path: str) -> tuple[str, str, str] | None:
    """``/project/_git/repository[/service]`` → its three parts; the project may be left out."""
    before, found, after = path.partition("/_git/")
    if not found:
        return None
    project = before.strip("/").removeprefix("DefaultCollection/")
    repository, _, service = after.partition("/")
    repository = repository.removesuffix(".git") if service else repository
    if service and not service.startswith(_GIT_SERVICES):
        service = ""
    return project or repository, repository, service


def _basic_password(header: str) -> str | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text.partition(":")[2]
