"""``/{resource}/{slug}/usages``: who refers to an integration, provider or config, and what its deletion would touch.

Source: control-plane specification, section 5.4.
"""

from __future__ import annotations

from msgspec import Struct

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.catalog import MOUNTS, find_integration, find_provider, level_access
from lockgate.admin.config_views import find_config, refuse_declared
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.admin.paging import Page
from lockgate.admin.provider_changes import PlaceQuery
from lockgate.entities import ProviderRecord, Workspace, WorkspaceAccess
from lockgate.store.references import Reference, references_to


class RefererView(Struct, frozen=True, kw_only=True):
    """Somebody who refers to it."""

    id: str
    object: str
    """What it is: ``workspace``, ``provider``, ``api_key``, ``config``, ``usage_policy``, ``rate_policy``,
    ``organisation``."""
    name: str


def of_integration(call: Call[Nothing, Nothing]) -> Page[RefererView]:
    """List the workspaces and providers that use an integration, and the keys and policies that name those."""
    with call.view() as view:
        integration = find_integration(call, view, "read")
        accesses = view.all(WorkspaceAccess, integration_id=integration.id, is_enabled=True)
        workspaces = view.all(Workspace, id=[each.workspace_id for each in accesses])
        providers = view.all(ProviderRecord, integration_id=integration.id)
        found = [RefererView(id=each.id, object="workspace", name=each.slug) for each in workspaces]
        found += [RefererView(id=each.id, object="provider", name=f"@{each.slug}") for each in providers]
        found += map(_view, references_to(view.unconfined(), integration))
    return Page(total=len(found), data=found)


def of_provider(call: Call[Nothing, PlaceQuery]) -> Page[RefererView]:
    """List the keys and policies that name a provider."""
    with call.view() as view:
        record = find_provider(call, view, call.query.workspace_id)
        found = [_view(each) for each in references_to(view, record)]
    return Page(total=len(found), data=found)


def of_virtual_key(call: Call[Nothing, PlaceQuery]) -> Page[RefererView]:
    """List the keys and policies that name a virtual key."""
    return of_provider(call)


def of_config(call: Call[Nothing, Nothing]) -> Page[RefererView]:
    """List the keys, workspaces and organisations whose default a config is."""
    refuse_declared(call)
    with call.view() as view:
        found = [_view(each) for each in references_to(view.unconfined(), find_config(call, view))]
    return Page(total=len(found), data=found)


def _view(reference: Reference) -> RefererView:
    return RefererView(id=reference.id, object=reference.resource, name=reference.name)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/integrations/{slug}/usages",
        access=level_access("read"),
        summary="List who uses an integration",
        reply=Page[RefererView],
        handler=of_integration,
        mounts=MOUNTS,
    ),
    Endpoint(
        method="GET",
        path="/providers/{slug}/usages",
        access=needs("providers.read"),
        summary="List who names a provider",
        query=PlaceQuery,
        reply=Page[RefererView],
        handler=of_provider,
    ),
    Endpoint(
        method="GET",
        path="/virtual-keys/{slug}/usages",
        access=needs("virtual_keys.read"),
        summary="List who names a virtual key",
        query=PlaceQuery,
        reply=Page[RefererView],
        handler=of_virtual_key,
    ),
    Endpoint(
        method="GET",
        path="/configs/{slug}/usages",
        access=needs("configs.read"),
        summary="List whose default a config is",
        reply=Page[RefererView],
        handler=of_config,
    ),
)
