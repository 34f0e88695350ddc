"""Finding what the model catalogue holds, for whoever may see it.

What the configuration file or the environment declares is seen here and changed there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lockgate.admin.access import Access
from lockgate.admin.call import Call
from lockgate.entities import (
    Integration,
    ProviderRecord,
    Workspace,
)
from lockgate.errors import Conflict, InvalidRequest, NotFound
from lockgate.plan.snapshot import Target
from lockgate.store.reading import Reading

MOUNTS = ("/v1", "/v2")

"""Some pages of the hosted service's documentation print the other one."""


def resource_of(integration: Integration) -> str:
    """Return what scopes call integrations of this level."""
    return "organisation_integrations" if integration.workspace_id is None else "workspace_integrations"


def level_access(action: str) -> Access:
    """Return the access of an endpoint where the level of the integration decides about the scope."""
    both = (f"organisation_integrations.{action}", f"workspace_integrations.{action}")
    own = both if action == "list" else both[1:]
    return Access(organisation=both, service=own, user=own)


def find_integration(call: Call[Any, Any], view: Reading, action: str) -> Integration:
    """Return the integration that the path names, when the caller may do this to it. Raises NotFound, Forbidden."""
    name = call.parameters["slug"]
    integration = view.find(Integration, name)
    if integration is None:
        raise NotFound(f"There is no integration {name[:64]!r}", path="slug")
    call.require(f"{resource_of(integration)}.{action}")
    return integration


def find_provider(call: Call[Any, Any], view: Reading, workspace_name: str | None) -> ProviderRecord:
    """Return the provider that the path names. Raises NotFound, and Conflict for one that the API does not own.

    Without a workspace an organisation's key means the default one, unless the name is only known elsewhere.
    """
    name = call.parameters["slug"].removeprefix("@")
    workspace = call.workspace(view, workspace_name)
    found = view.find(ProviderRecord, name, workspace_id=workspace.id)
    if found is None and workspace_name is None and call.principal.is_organisations:
        found = view.find(ProviderRecord, name)
    if found is None:
        raise NotFound(f"There is no provider {name[:64]!r} in workspace '{workspace.slug}'", path="slug")
    return found


def declared_target(call: Call[Any, Any], workspace: Workspace, slug: str) -> Target | None:
    """Return the provider that is declared outside of the database under a slug."""
    return next((target for target in declared_targets(call, workspace) if target.slug == slug), None)


def declared_targets(call: Call[Any, Any], workspace: Workspace) -> Sequence[Target]:
    """Return the providers of a workspace that are declared outside of the database, by their slugs."""
    known = call.services.snapshot().workspaces.get(workspace.id)
    targets = known.targets if known is not None else {}
    return [target for _, target in sorted(targets.items()) if target.source is not None]


def refuse_slug(call: Call[Any, Any], workspace: Workspace, slug: str) -> None:
    """Raise Conflict for a slug that is declared outside of the database. The simulator gives way."""
    target = declared_target(call, workspace, slug)
    if target is not None and not target.is_simulated:
        raise Conflict(f"Provider @{slug} is declared in {target.source}; change it there", path="slug")


def check_provider(call: Call[Any, Any], name: str, path: str = "ai_provider_id") -> None:
    """Refuse a provider that we do not know how to reach. Raises InvalidRequest."""
    known = call.services.snapshot().raw_targets
    if name not in known:
        raise InvalidRequest(f"{path}: unknown provider {name[:64]!r}; known: {', '.join(sorted(known))}", path=path)


def check_has_key(call: Call[Any, Any], provider: str, has: bool) -> None:
    """Refuse an integration without the credential that its provider needs. Raises InvalidRequest."""
    if not has and call.services.snapshot().raw_targets[provider].provider.needs_credential:
        raise InvalidRequest("key: is missing; send the credential, or map it in secret_mappings", path="key")
