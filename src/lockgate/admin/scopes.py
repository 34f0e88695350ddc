"""The names of what a key may do. Those of Portkey for what is not served here are kept in a key and mean nothing.

Source: control-plane specification, section 5.1.
"""

from __future__ import annotations

import re

_CRUD = ("create", "read", "update", "delete", "list")


def _all(resource: str, *more: str, actions: tuple[str, ...] = _CRUD) -> frozenset[str]:
    return frozenset(f"{resource}.{action}" for action in (*actions, *more))


CALLING = frozenset(
    {"completions.write", "prompts.render", "feedback.write", "logs.write", "guardrails.invoke", "mcp.invoke"}
)
"""What an organisation's key never does itself, and may yet grant to a workspace's key."""

WORKSPACE = (
    CALLING
    | {"models.list", "logs.view", "logs.list", "logs.export", "analytics.view"}
    | {"workspaces.read", "workspaces.update", "workspaces.list"}
    | _all("prompts", "publish")
    | _all("configs")
    | _all("workspace_integrations")
    | {"organisation_integrations.list"}
    | _all("providers")
    | _all("virtual_keys", "duplicate", "copy")
    | _all("workspace_service_api_keys", "rotate")
    | _all("workspace_user_api_keys", "rotate")
    | _all("workspace_users")
    | _all("guardrails")
    | _all("policies")
    | _all("workspace_mcp_integrations")
    | _all("mcp_servers")
)
"""What a key of a workspace can be allowed."""

ORGANISATION = (
    (WORKSPACE - CALLING)
    | _all("organisation_integrations")
    | _all("organisation_service_api_keys", "rotate")
    | _all("organisation_users")
    | _all("workspaces")
    | _all("organisation_guardrails")
    | _all("organisation_mcp_integrations")
    | _all("secret_references")
    | {"organisation_settings.read", "organisation_settings.update"}
    | {"organisation_exclusions.list", "organisation_exclusions.update"}
    | {"audit_logs.list"}
)
"""What a key of the organisation can be allowed."""

KNOWN = WORKSPACE | ORGANISATION


_ELSEWHERE = re.compile(r"(agents|agent_servers|[a-z]+_agent_integrations|plugins|deployments)\.[a-z_]+")
"""Scopes of Portkey for what is not served here."""


def is_scope(name: str) -> bool:
    """Tell whether there is such a scope, here or at Portkey; the name is in its normal form."""
    return name in KNOWN or _ELSEWHERE.fullmatch(name) is not None


def normal_scope(text: str) -> str:
    """Return a scope as we write it: ``policies:create`` and ``portkey.policies.create`` are ``policies.create``."""
    return text.strip().lower().removeprefix("portkey.").replace(":", ".").replace("-", "_")
