"""Azure DevOps: who may in, and what it answers to those who may not; git, REST and feeds."""

from __future__ import annotations

import base64
import secrets
import uuid
from urllib.parse import quote

from werkzeug.wrappers import Response

from ..entra.directory import DEVOPS, ZERO_GUID
from ..entra.keys import TokenRejectedError, token_id
from ..entra.state import State
from ..network.service import Call, Service, basic, bearer, html_response
from . import devops_rest, lfs
from .feeds.service import Feeds
from .organizations import Organization, is_devops_host, locate, organizations
from .repositories import Repositories, serve_git

_GIT_SERVICES = ("info/refs", "git-upload-pack", "git-receive-pack", "HEAD", "objects/", lfs.PREFIX)
_SIGN_IN = "https://app.vssps.visualstudio.com/_signin"


class AccessDeniedError(Exception):
    """``reason`` is that of keys.TokenRejectedError, or none, pat, personal, newcomer, stranger.

    A newcomer has never opened Azure DevOps in a browser, a stranger is in no organisation.
    ``who`` is their name, "" for whoever is not known.
    """

    def __init__(self, reason: str, challenge: str | None = None, who: str = "") -> None:
        super().__init__(reason)
        self.who = who
        self.reason = reason
        self.challenge = challenge


class DevOps(Service):
    kind = "devops"

    def __init__(self, state: State, repositories: Repositories) -> None:
        super().__init__()
        self.state = state
        self.repositories = repositories
        self.feeds = Feeds(state)
        self.organizations = organizations(state.directory.tenants)
        # A personal access token that every organisation accepts as a Basic password.
        self.pat = secrets.token_hex(26)

    def serves(self, host: str) -> bool:
        return is_devops_host(host, self.organizations)

    def respond(self, call: Call) -> Response:
        if self.state.settings.devops_latency > 0:
            self.state.closing.wait(self.state.settings.devops_latency)
        place = locate(call.host, call.path)
        call.record.org = place.organization
        if place.path == "/_signin":
            return html_response("Azure DevOps Services | Sign In", "Sign in to your account", 203)
        organization = self.organizations.get(place.organization or "")
        if organization is None and place.organization is not None:
            return html_response("Azure DevOps Services | 404", "The resource is not there.", 404)
        git = _git_path(place.path) if place.service == "" else None
        feed = place.service == "pkgs" and "/_packaging/" in place.path
        if git is not None and git[2].startswith(lfs.PREFIX):
            call.record.kind = "lfs"
        elif feed:
            call.record.kind = "feed"
        if organization is not None:
            call.record.tenant = organization.tenant.id if organization.tenant else None
        try:
            if self._anybody_may(call, organization, git):
                who = "anonymous"
            else:
                who = self._authorize(call, organization)
            self._check_member(who)
        except AccessDeniedError as denied:
            call.record.error = denied.reason
            asks_again = feed or (git is not None and bool(git[2]))
            return self._denied(call, organization, denied, asks_again)
        headers = [("X-TFS-Session", str(uuid.uuid4())), ("X-VSS-UserData", f"{who}:{who}")]
        if git is not None and organization is not None:
            return self._git(call, organization, git, who)
        if feed and organization is not None:
            response = self.feeds.respond(call, organization.name, who)
        else:
            response = devops_rest.answer(call, place, who, self.organizations)
        response.headers.extend(headers)
        return response

    def _authorize(self, call: Call, organization: Organization | None) -> str:
        """The name of the caller. Bearer takes a JWT; Basic a JWT or the PAT as its password."""
        request, record = call.request, call.record
        token = bearer(request)
        record.auth = "bearer" if token else None
        if token is None:
            password = basic(request)[1]
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

    def _anybody_may(
        self, call: Call, organization: Organization | None, git: tuple[str, str, str] | None
    ) -> bool:
        """Whether this reads a public project without saying who it is; a token is checked."""
        request = call.request
        if organization is None or git is None or "Authorization" in request.headers:
            return False
        if f"{organization.name}/{git[0]}" not in self.state.settings.public_projects:
            return False
        if git[2].startswith(lfs.PREFIX):
            return request.method == "GET" or b'"download"' in request.get_data()
        return "git-receive-pack" not in (git[2], request.args.get("service"))

    def _check_member(self, who: str) -> None:
        settings = self.state.settings
        if who in settings.newcomers:
            raise AccessDeniedError("newcomer", who=who)
        if who in settings.strangers:
            raise AccessDeniedError("stranger", who=who)

    def _denied(
        self,
        call: Call,
        organization: Organization | None,
        denied: AccessDeniedError,
        asks_again: bool,
    ) -> Response:
        """401 with challenges to HEAD, OPTIONS and callers that suppress the redirect.

        ``asks_again`` says that the client is one that answers them: git, or a package manager.
        """
        request = call.request
        suppressed = request.headers.get("X-TFS-FedAuthRedirect", "").lower() == "suppress"
        plain = request.method not in ("HEAD", "OPTIONS") and not suppressed and not asks_again
        if denied.reason == "personal" or (denied.reason == "none" and plain):
            target = f"https://{call.host}{call.request.environ.get('REQUEST_URI', '/')}"
            location = f"{_SIGN_IN}?realm={call.host}&reply_to={quote(target, '')}&redirect=1"
            response = Response(status=302, headers={"Location": location})
        elif denied.reason == "expired" and not asks_again and not suppressed:
            return html_response(
                "Azure DevOps Services | Sign In", "Your session has expired.", 203
            )
        else:
            response = html_response("Access Denied", "TF400813: not authorized", 401)
            for value in self._challenges(organization, denied):
                response.headers.add("WWW-Authenticate", value)
        tenant = organization.tenant if organization else None
        name = organization.name if organization else ""
        message = f"TF400813: The user '{denied.who}' is not authorized to access this resource."
        if denied.reason == "tenant":
            message = (
                "TF400813: The user is not authorized to access this resource: the token belongs "
                "to another tenant than the organization."
            )
        if denied.reason == "newcomer":
            home = tenant.id if tenant else ZERO_GUID
            message = (
                f"TF401444: Please sign-in at least once as {home}\\{denied.who} in a web browser "
                "to enable access to the service."
            )
        if denied.reason in ("newcomer", "stranger"):
            response.set_data(message)
            response.content_type = "text/plain; charset=utf-8"
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
        if service.startswith(lfs.PREFIX):
            return lfs.Lfs(path).respond(call, service.removeprefix(lfs.PREFIX))
        return serve_git(call.request, path, service, who)


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
