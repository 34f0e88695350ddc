"""``/configs/explain``: what a config would do with a request, by the decisions of a real one. Nothing is sent."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct, structs

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.configs import ConfigText, rules_of, write_text
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.core.metadata import clean
from lockgate.errors import InvalidRequest
from lockgate.plan.explain import CHAT, Explained, described_of, explain_request, find_routes
from lockgate.routing.explain import LOST_CONNECTION, USUAL_STATUSES

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Status: TypeAlias = Annotated[int, Meta(ge=0, le=599)]
_FIRST_STATUS = 100


class RequestBody(Struct, frozen=True, kw_only=True):
    """A request to be imagined."""

    path: Annotated[str, Meta(max_length=2000)] = CHAT
    body: Annotated[dict[str, Any], Meta(max_length=1000)] | None = None
    model: Name | None = None
    """Stands in the body when that names none."""
    headers: Annotated[dict[str, str], Meta(max_length=200)] | None = None
    metadata: Annotated[dict[str, Any], Meta(max_length=200)] | None = None


class ExplainBody(Struct, frozen=True, kw_only=True):
    """A config and a request."""

    config: ConfigText
    """The config itself, or the slug of a saved one, with ``@`` and a version if you like."""
    request: RequestBody | None = None
    statuses: Annotated[list[Status], Meta(max_length=30)] | None = None
    """What each try might end with; 0 for a connection that is lost."""
    roll: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """What the dice of a load balancer show, from 0 to below 1."""
    workspace_id: Name | None = None


def explain(call: Call[ExplainBody, Nothing]) -> Explained:
    """Explain."""
    body, request = call.body, call.body.request or RequestBody()
    snapshot = call.services.snapshot()
    with call.view() as view:
        workspace = snapshot.workspaces[call.workspace(view, body.workspace_id).id]
    routes = find_routes(write_text(body.config), workspace, rules_of(snapshot, is_saved=False))
    metadata: dict[Any, Any] = dict(request.metadata or {})
    described = described_of(
        path=request.path,
        headers=request.headers,
        metadata=clean(metadata).values,
        body=None if request.body is None else msgspec.json.encode(request.body),
        model=request.model,
        roll=body.roll,
    )
    statuses = USUAL_STATUSES if body.statuses is None else tuple(body.statuses)
    for at, status in enumerate(statuses):
        if status != LOST_CONNECTION and status < _FIRST_STATUS:
            raise InvalidRequest(f"statuses[{at}]: must be 0 or a status from 100 to 599", path=f"statuses[{at}]")
    # who would send it is the caller, in the workspace that is asked about
    key = structs.replace(call.principal.key, workspace=workspace.id)
    return explain_request(snapshot, workspace, key, routes, described, statuses)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/configs/explain",
        access=needs("configs.read"),
        summary="Tell what a config would do with a request, without sending it",
        body=ExplainBody,
        reply=Explained,
        handler=explain,
    ),
)
