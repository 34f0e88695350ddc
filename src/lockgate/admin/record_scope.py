"""Whose records a caller may see: a workspace's, all of an organisation's, or only what a person's own keys did.

Source: control-plane specification, sections 6.4, 7.2 and 7.4.
"""

from __future__ import annotations

from typing import Any

from lockgate.admin.call import Call
from lockgate.admin.desk import RecordDesk
from lockgate.admin.principal import role_of
from lockgate.admin.roles import all_switches
from lockgate.entities import ApiKey, Workspace
from lockgate.errors import Unavailable
from lockgate.records.store import RecordReader, Scope
from lockgate.store.reading import Reading

EVERY_WORKSPACE = "*"


def desk_of(call: Call[Any, Any]) -> RecordDesk:
    """Return where records are. Raises Unavailable when none are kept."""
    desk = call.services.records
    if desk is None:
        raise Unavailable("Records are off (records.enabled in the configuration)")
    return desk


def reader_of(call: Call[Any, Any]) -> RecordReader:
    """Return what reads records. Raises Unavailable when none are kept."""
    return desk_of(call).reader


def scope_of(call: Call[Any, Any], given: str | None) -> Scope:
    """Return whose rows the caller may see of the workspace that is named by id or slug, else of its own.

    A key of the organisation may name several with commas, or ``*``. Raises Forbidden for others.
    """
    names = (given or "").split(",") if call.principal.is_organisations else [given or ""]
    with call.view() as view:
        if names == [EVERY_WORKSPACE] and call.principal.is_organisations:
            return Scope(workspaces=frozenset(workspace.id for workspace in view.all(Workspace)))
        found = frozenset(call.workspace(view, name.strip() or None).id for name in names)
        return Scope(workspaces=found, api_keys=_own_keys(call, view))


def _own_keys(call: Call[Any, Any], view: Reading) -> frozenset[str] | None:
    """Return the keys of the caller's person where the workspace shows people no more than that."""
    principal = call.principal
    if principal.kind != "workspace-user":
        return None
    workspace = principal.workspace
    role = role_of(view, principal.key, workspace)
    switches = all_switches(workspace.security_settings)
    if role == "admin" or switches["managersViewAllData" if role == "manager" else "membersViewAllData"]:
        return None
    keys = view.all(ApiKey, with_archived=True, user_id=principal.key.user)
    return frozenset(key.id for key in keys)
