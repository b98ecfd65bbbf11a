"""The REST API of Azure DevOps: enough to see that a client got in."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote

from werkzeug.wrappers import Response

from ..entra.directory import ZERO_GUID, stable_guid
from ..network.service import Call, html_response, json_response
from .organizations import Organization, Place


def answer(call: Call, place: Place, who: str, names: Mapping[str, Organization]) -> Response:
    """The answer to the authorised caller ``who``; ``names`` are all organisations."""
    path = place.path.rstrip("/")
    organization = names.get(place.organization or "")
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
        return _list([{"accountId": o.id, "accountName": o.name} for o in names.values()])
    if organization is None:
        return json_response({"message": "no such thing"}, 404)
    if path == "/_apis/projects":
        return _list([_project(call, organization, name) for name in organization.projects])
    if path.endswith("/_apis/git/repositories"):
        only = unquote(path.removesuffix("/_apis/git/repositories").strip("/"))
        return _list(
            [
                _repository(organization, project, name)
                for project, repositories in organization.projects.items()
                for name in repositories
                if only in ("", project)
            ]
        )
    if path.endswith("/_apis/packaging/feeds"):
        return _list([{"name": "hello", "id": "hello"}])
    if not path.startswith("/_apis"):
        return html_response(organization.name, f"Organisation {organization.name}.")
    body = {"$id": "1", "message": "No such controller.", "typeKey": "VssPropertyException"}
    return json_response(body, 404)


def _list(items: list[dict[str, object]]) -> Response:
    return json_response({"count": len(items), "value": items})


def _project(call: Call, organization: Organization, name: str) -> dict[str, object]:
    number = stable_guid("project", organization.name, name)
    return {
        "id": number,
        "name": name,
        "url": f"https://{call.host}/{organization.name}/_apis/projects/{number}",
        "state": "wellFormed",
        "visibility": "private",
    }


def _repository(organization: Organization, project: str, name: str) -> dict[str, object]:
    return {
        "id": stable_guid("repository", organization.name, project, name),
        "name": name,
        "project": {"name": project},
        "defaultBranch": "refs/heads/main",
        "remoteUrl": f"https://{organization.name}@dev.azure.com/{organization.name}/"
        f"{quote(project)}/_git/{quote(name)}",
    }
