"""What a refusal says. That each rule holds is shown in tests/contract/store."""

from __future__ import annotations

import pytest

from lockgate.entities import Organisation, ProviderRecord, User, Workspace, WorkspaceAccess
from lockgate.errors import Conflict
from lockgate.store.directory import open_directory


@pytest.fixture
def directory(tmp_path):
    directory = open_directory(url=None, home=tmp_path, environment={})
    yield directory
    directory.close()


def test_a_taken_name_is_told_with_its_field(directory):
    with directory.change() as tx:
        acme = tx.insert(Organisation(name="Acme", slug="acme"))
        tx.insert(Workspace(organisation_id=acme.id, name="Alpha", slug="ws-a", is_default=True))
        for second, message in (
            (Organisation(name="Acme", slug="acme"), "an organisation with the slug 'acme' already"),
            (Workspace(organisation_id=acme.id, name="ALPHA", slug="x"), "a workspace with the name 'ALPHA' already"),
            (Workspace(organisation_id=acme.id, name="B", slug="x", is_default=True), "a default workspace already"),
        ):
            with pytest.raises(Conflict, match=message):
                tx.insert(second)


def test_what_has_no_name_of_its_own_is_told_without_ids():
    from lockgate.store.checks import _taken
    from lockgate.store.kinds import kind_of

    access = WorkspaceAccess(integration_id="i", workspace_id="w")
    assert _taken(kind_of(WorkspaceAccess), access, "workspace_id") == "there is such a workspace access already"
    user = User(email="A@b.c")
    assert _taken(kind_of(User), user, "email") == "there is a user with the email 'A@b.c' already; choose another"
    provider = ProviderRecord(workspace_id="w", integration_id="i", slug="s", name="n")
    assert _taken(kind_of(ProviderRecord), provider, "slug").startswith("there is a provider with the slug 's' already")
