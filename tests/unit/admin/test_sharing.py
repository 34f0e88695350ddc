import pytest

from lockgate.admin.sharing import make_provider, share_globally
from lockgate.core.secret import Secret
from lockgate.entities import (
    GlobalAccess,
    Integration,
    ProviderRecord,
    RateLimit,
    UsageLimit,
    Workspace,
    WorkspaceAccess,
)
from lockgate.errors import Conflict


def integration(plane, slug, **more):
    fields = {"organisation_id": plane.organisation.id, "name": slug, "slug": slug, "provider": "anthropic"} | more
    with plane.directory.change() as tx:
        return tx.insert(Integration(**fields), secrets={"key": Secret("sk-0123456789abcdef")})


def test_a_new_workspace_gets_what_is_for_all_with_counters_of_its_own(plane):
    access = GlobalAccess(
        is_enabled=True, usage_limits=(UsageLimit(unit="tokens", cap=100),), rate_limits=(RateLimit(cap=3),)
    )
    shared = integration(plane, "shared", global_access=access)
    integration(plane, "apart")
    with plane.directory.change() as tx:
        workspace = tx.insert(Workspace(organisation_id=plane.organisation.id, name="New", slug="new"))
        share_globally(tx, workspace)
    with plane.directory.read() as view:
        (found,) = view.all(WorkspaceAccess, workspace_id=workspace.id)
        (provider,) = view.all(ProviderRecord, workspace_id=workspace.id)
        shared = view.get(Integration, shared.id)
    assert found.integration_id == provider.integration_id == shared.id
    assert provider.slug == "shared"
    assert found.usage_limits[0].cap == 100
    assert found.usage_limits[0].id not in ("", shared.global_access.usage_limits[0].id)
    assert found.rate_limits[0].id not in ("", shared.global_access.rate_limits[0].id)


def test_a_taken_slug_is_a_conflict(plane):
    own = integration(plane, "own", workspace_id=plane.home.id)
    with plane.directory.change() as tx:
        make_provider(tx, own, plane.home, "main")
    with pytest.raises(Conflict, match="default_provider_slug"), plane.directory.change() as tx:
        make_provider(tx, own, plane.home, "main")
