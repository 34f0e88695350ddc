"""What requests and answers of a record are shown, to whom, and why there is nothing where there is nothing.

Whose rows a caller sees is said in ``record_scope``; that the content of a request may be seen beside what is known
about it is a permission of its own: the scope ``logs.view``, the switches ``...ViewLogs`` of a workspace.
Source: control-plane specification, sections 6.2 and 7.4; observability specification, section 1.9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from lockgate.admin.call import Call
from lockgate.admin.desk import RecordDesk
from lockgate.admin.roles import all_switches
from lockgate.core.capture import ViewName
from lockgate.entities import Workspace
from lockgate.records.bodies.kept import View
from lockgate.records.bodies.store import Bodies
from lockgate.records.row import Row

VIEW_CONTENT = "logs.view"
_ORGANISATIONS_SWITCH = "organisationAdminsViewLogs"
_MS = 1000
_OTHER_SIDE: Mapping[ViewName, str] = {
    "upstream_request": "final_request",
    "upstream_response": "provider_response",
}
_WHO = {
    "configuration": "the configuration ([records] bodies)",
    "organisation": "the organisation (defaults.recording)",
    "workspace": "the workspace (defaults.recording or settings.debug_log)",
    "key": "the API key (defaults.recording)",
    "header": "the request (x-portkey-debug: false)",
}
_read = msgspec.json.Decoder(Raw).decode


def content_of(call: Call[Any, Any], desk: RecordDesk, row: Row) -> dict[str, object]:
    """Return the members of a record that hold its content, in Portkey's names where it has them; blocks.

    ``request`` and ``response`` are what the client sent and got, ``final_request`` and ``provider_response`` the
    provider's side where it differs; ``failed_attempts`` what targets that failed said, by the number of the attempt,
    and what they were asked where that differs too; ``content`` says what is there.
    """
    request: dict[str, object] = {"method": row.method, "url": row.path}
    response: dict[str, object] = {
        "status": row.status_code,
        "responseTime": None if row.duration_us is None else round(row.duration_us / _MS),
        "streamingMode": row.is_stream,
        "lastUsedOptionJsonPath": row.target_path,
    }
    found: dict[str, object] = {"request": request, "response": response}
    why, bodies = _look(call, desk, row)
    about: dict[str, object] = {"mode": row.log_mode, "reason": row.log_mode_reason, "is_kept": bodies is not None}
    found["content"] = about
    if bodies is None:
        about["why"] = why
        return found
    request["headers"], response["headers"] = _by_name(bodies.request_headers), _by_name(bodies.response_headers)
    views = bodies.views
    request["body"], response["body"] = _body(views.get("request")), _body(views.get("response"))
    for name, shown in _OTHER_SIDE.items():
        view = views.get(name)
        if view is not None:
            found[shown] = {"body": _body(view)}
    if bodies.failed:
        found["failed_attempts"] = [
            {"n": one.number + 1, "request": {"body": _body(one.request)}, "response": {"body": _body(one.response)}}
            for one in bodies.failed
        ]
    about["redactions"] = bodies.redactions
    about["sizes"] = {name: view.size_bytes for name, view in views.items()}
    about["truncated"] = sorted(name for name, view in views.items() if view.is_truncated)
    if bodies.timeline is not None:
        about["timeline"] = msgspec.structs.asdict(bodies.timeline)
    return found


def _look(call: Call[Any, Any], desk: RecordDesk, row: Row) -> tuple[str, Bodies | None]:
    """Return the bodies, or why there are none."""
    if not may_see_content(call, row.workspace_id):
        return "not shown: the caller may see what is known about requests, not their content", None
    if row.log_mode in ("metrics_only", "off"):
        who = _WHO.get(row.log_mode_reason or "", row.log_mode_reason or "the configuration")
        return f"not kept: {who} chose the mode {row.log_mode}", None
    try:
        bodies = desk.bodies_of(row)
    except OSError as error:
        return f"damaged: {error}", None
    if bodies is None:
        return "not there: not written yet, dropped for want of room, or older than records.body_days", None
    return "", bodies


def may_see_content(call: Call[Any, Any], workspace_id: str | None) -> bool:
    """Tell whether the caller may see what requests of a workspace said."""
    if VIEW_CONTENT not in call.principal.scopes:
        return False
    if not call.principal.is_organisations or workspace_id is None:
        return True
    with call.view() as view:
        workspace = view.find(Workspace, workspace_id)
    return workspace is None or all_switches(workspace.security_settings)[_ORGANISATIONS_SWITCH]


def _by_name(headers: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """Return headers as an object; of several of a name the values, with commas between them."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _body(view: View | None) -> Raw | str | None:
    """Return a body as the JSON that it is, else as text."""
    if view is None:
        return None
    try:
        return _read(view.data)
    except (msgspec.MsgspecError, RecursionError):
        return view.data.decode("utf-8", "replace")
