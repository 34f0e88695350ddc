import pytest

from lockgate.admin.catalog import level_access, resource_of
from lockgate.entities import Integration


@pytest.mark.parametrize("workspace, resource", [(None, "organisation_integrations"), ("w", "workspace_integrations")])
def test_the_level_decides_about_the_scope(workspace, resource):
    assert resource_of(Integration(name="n", slug="s", provider="p", workspace_id=workspace)) == resource


@pytest.mark.parametrize("action, service", [("list", 2), ("read", 1), ("create", 1), ("update", 1), ("delete", 1)])
def test_keys_of_workspaces_only_list_what_the_organisation_has(action, service):
    access = level_access(action)
    assert access.organisation == (f"organisation_integrations.{action}", f"workspace_integrations.{action}")
    assert access.service == access.user == access.organisation[-service:]
