"""What a person may do in a workspace: the role, narrowed or widened by the visibility switches.

Names of switches are the wire's: ``membersViewLogs``. Source: control-plane specification, sections 7.1 to 7.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from lockgate.admin import scopes as names

WorkspaceRole: TypeAlias = Literal["admin", "manager", "member"]

_AREAS = ("Logs", "LogMetadata", "AllData", "ApiKeys", "Configs", "Prompts", "Analytics", "Guardrails", "VirtualKeys")
_WRITABLE = ("ApiKeys", "Configs", "Prompts", "Guardrails", "VirtualKeys")
_MANAGERS_ALSO = (
    "managersUpdateWs",
    "managersWriteWsUsers",
    "managersWriteWsIntegrations",
    "managersWriteWsMcpIntegrations",
    "managersWriteMcpServers",
    "organisationAdminsViewLogs",
    "organisationAdminsViewLogMetadata",
)
_MEMBERS_WRITE_BY_DEFAULT = frozenset({"ApiKeys"})

SWITCHES: Mapping[str, bool] = (
    {f"{who}View{area}": True for who in ("managers", "members") for area in _AREAS}
    | {f"managersWrite{area}": True for area in _WRITABLE}
    | {f"membersWrite{area}": area in _MEMBERS_WRITE_BY_DEFAULT for area in _WRITABLE}
    | dict.fromkeys(_MANAGERS_ALSO, True)
)
"""Every switch with its default: the documented, stricter ones."""

_AREA_OF = {
    "prompts": "Prompts",
    "providers": "VirtualKeys",
    "virtual_keys": "VirtualKeys",
    "configs": "Configs",
    "guardrails": "Guardrails",
    "analytics": "Analytics",
    "logs": "Logs",
    "workspace_service_api_keys": "ApiKeys",
    "workspace_user_api_keys": "ApiKeys",
}
_MANAGERS_SWITCH = {
    "workspaces": "managersUpdateWs",
    "workspace_users": "managersWriteWsUsers",
    "workspace_integrations": "managersWriteWsIntegrations",
    "workspace_mcp_integrations": "managersWriteWsMcpIntegrations",
    "mcp_servers": "managersWriteMcpServers",
}
_ABOUT_LOGS = frozenset({"logs.list"})
"""What is known about requests, without their content."""
_VIEWING = frozenset({"read", "list", "view", "export"})
_ALWAYS = names.CALLING | {"models.list"}


def all_switches(given: Mapping[str, bool]) -> dict[str, bool]:
    """Return every switch: as a workspace sets it, else its default."""
    return {name: given.get(name, default) for name, default in SWITCHES.items()}


def scopes_of_role(role: WorkspaceRole, switches: Mapping[str, bool]) -> frozenset[str]:
    """Return the workspace scopes that a role has under the given switches."""
    on = all_switches(switches)
    return frozenset(scope for scope in names.WORKSPACE if _may(role, scope, on))


def effective_scopes(scopes: Iterable[str], role: WorkspaceRole | None, switches: Mapping[str, bool]) -> frozenset[str]:
    """Return what a person's key may do now: its scopes as far as the person's role has them; none without a role."""
    return frozenset(scopes) & scopes_of_role(role, switches) if role is not None else frozenset()


def _may(role: WorkspaceRole, scope: str, on: Mapping[str, bool]) -> bool:
    if role == "admin" or scope in _ALWAYS:
        return True
    who = "managers" if role == "manager" else "members"
    resource, _, action = scope.rpartition(".")
    area = _AREA_OF.get(resource)
    if scope in _ABOUT_LOGS:
        return on[f"{who}ViewLogs"] or on[f"{who}ViewLogMetadata"]
    if area is not None:
        return on[f"{who}View{area}"] if action in _VIEWING or area not in _WRITABLE else on[f"{who}Write{area}"]
    if action in _VIEWING:
        return True
    return role == "manager" and on.get(_MANAGERS_SWITCH.get(resource, ""), True)
