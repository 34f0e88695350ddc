"""Deletion: what refuses, what goes with it, what stays readable and what comes back."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.core.secret import Secret
from lockgate.entities import (
    ApiKey,
    Integration,
    IntegrationModel,
    Member,
    ProviderRecord,
    SecretMapping,
    SecretReference,
    UsageLimit,
    UsagePolicy,
    User,
    Workspace,
    WorkspaceAccess,
)
from lockgate.errors import Conflict, InvalidRequest, NotFound
from lockgate.store.references import references_to
from tests.contract.store.world import CANARY, api_key, digest, integration, provider


def test_a_deleted_entity_stays_readable_for_those_who_ask(directory, world, clock):
    now = clock.go(hours=1)
    with directory.change(world.admin) as tx:
        tx.archive(world.in_a)
        assert tx.find(ProviderRecord, world.in_a.id) is None
        assert world.in_a.id not in {p.id for p in tx.estate().providers}
        kept = tx.get(ProviderRecord, world.in_a.id, with_archived=True)
    assert (kept.status, kept.archived_at, kept.version, kept.updated_by) == ("archived", now, 2, "user-1")
    with directory.read(world.inside_a) as view:
        assert [p.slug for p in view.all(ProviderRecord, status="archived")] == ["claude"]


def test_a_deleted_entitys_name_is_free_again(directory, world):
    with directory.change(world.admin) as tx:
        tx.archive(world.in_a)
        again = tx.insert(provider(world.a, world.main, "claude"))
        assert tx.get(ProviderRecord, "claude", workspace_id=world.a.id, with_archived=True) == again
        tx.archive(again)
        tx.insert(provider(world.a, world.main, "claude"))


def test_credentials_are_wiped_at_once(directory, world):
    with directory.change(world.admin) as tx:
        tx.archive(world.main)
        assert tx.get(Integration, world.main.id, with_archived=True).masks == {}
        assert tx.secrets_of(world.main) == {}
    assert {owner for owner, _ in directory.load().secrets} == {world.private.id, world.foreign.id}


def test_an_integration_takes_its_providers_access_and_models_along(directory, world):
    with directory.change(world.admin) as tx:
        tx.insert(IntegrationModel(integration_id=world.main.id, slug="m"))
        tx.archive(world.main)
        assert tx.all(ProviderRecord, integration_id=world.main.id) == ()
        assert tx.all(WorkspaceAccess) == ()
        assert tx.all(IntegrationModel) == ()
        assert tx.get(ProviderRecord, world.in_a.id, with_archived=True).status == "archived"
    assert {p.id for p in directory.load().providers} == {world.in_b.id, world.in_z.id}


def test_what_a_key_names_is_refused_unless_forced(directory, world, clock):
    with directory.change(world.admin) as tx:
        for n in range(7):
            tx.insert(api_key(world.a, f"svc-{n}", f"t{n}", now=clock.now, providers=("claude",)))
        tx.insert(api_key(world.b, "elsewhere", "other", now=clock.now, providers=("claude",)))
        with pytest.raises(Conflict, match=r"Provider 'claude' is still used by the API keys 'svc-6', .* and 2 more;"):
            tx.archive(world.in_a)
        with pytest.raises(Conflict, match="Integration 'main' is still used by the API keys"):
            tx.archive(world.main)
        assert len(references_to(tx, world.in_a)) == len(references_to(tx, world.main)) == 7
        tx.archive(world.main, force=True)
        assert tx.find(ProviderRecord, world.in_a.id) is None
        assert all(key.providers == ("claude",) for key in tx.all(ApiKey))


def test_a_workspace_must_be_empty_unless_forced(directory, world, clock):
    with directory.change(world.admin) as tx:
        for slug in ("p2", "p3"):
            tx.insert(provider(world.b, world.private, slug))
        tx.insert(api_key(world.b, "svc", "t", now=clock.now))
        user = tx.insert(User(email="a@b.c"))
        tx.insert(Member(workspace_id=world.b.id, user_id=user.id))
        tx.insert(UsagePolicy(workspace_id=world.b.id, name="p", limit=UsageLimit(cap=1)))
        message = "Workspace 'ws-beta' still contains 3 providers and 1 API key;"
        with pytest.raises(Conflict, match=message):
            tx.archive(world.b)
        tx.archive(world.b, force=True)
        for type in (ProviderRecord, ApiKey, Integration, UsagePolicy, Member):
            assert tx.all(type, workspace_id=world.b.id) == ()
        assert tx.get(User, user.id) == user
    estate = directory.load()
    assert world.b.id not in {w.id for w in estate.workspaces}
    assert (world.private.id, "key") not in estate.secrets


def test_an_empty_workspace_is_deleted(directory, world):
    with directory.change(world.admin) as tx:
        fresh = tx.insert(Workspace(name="Gamma", slug="ws-gamma"))
        tx.archive(fresh)
        assert tx.find(Workspace, "ws-gamma") is None


def test_what_cannot_be_deleted_cannot_be_forced(directory, world):
    with directory.change(world.admin) as tx:
        owner = tx.insert(User(email="o@x.y", role="owner"))
        for entity, message in (
            (world.a, "is the default one"),
            (owner, "last owner"),
            (world.acme, "an organisation cannot be deleted"),
        ):
            with pytest.raises(Conflict, match=message):
                tx.archive(entity, force=True)
        with pytest.raises(Conflict, match="last owner"):
            tx.update(msgspec.structs.replace(owner, role="admin"))
        with pytest.raises(Conflict, match="last owner"):
            tx.update(msgspec.structs.replace(owner, status="disabled"))
        second = tx.insert(User(email="p@x.y", role="owner"))
        tx.archive(owner)
        with pytest.raises(Conflict, match="last owner"):
            tx.archive(second)


def test_a_users_keys_and_places_go_with_the_user(directory, world, clock):
    with directory.change(world.admin) as tx:
        user = tx.insert(User(email="a@b.c"))
        tx.insert(Member(workspace_id=world.a.id, user_id=user.id))
        key = tx.insert(api_key(world.a, "k", "t", now=clock.now, kind="workspace-user", user_id=user.id))
        tx.archive(user)
        assert tx.find(ApiKey, key.id) is None
        assert tx.find_api_key(digest("t")) is None
        assert tx.all(Member) == ()


def test_a_mapped_secret_reference_is_refused_as_a_bad_request(directory, world):
    with directory.change(world.admin) as tx:
        reference = tx.insert(SecretReference(name="V", slug="vault", manager="env", secret_path="X"))
        mapping = SecretMapping(target_field="key", secret_reference_id="vault")
        user = tx.insert(integration(world.acme, "mapped", secret_mappings=(mapping,)))
        with pytest.raises(InvalidRequest, match="'vault' is still used by the integration 'mapped'"):
            tx.archive(reference)
        tx.archive(user)
        tx.archive(reference)


@pytest.mark.parametrize(
    "mappings, message",
    [
        ((SecretMapping(target_field="key", secret_reference_id="gone"),), "no secret reference 'gone'"),
        ((SecretMapping(target_field="key", secret_reference_id="only-b"),), "no secret reference 'only-b'"),
        ((SecretMapping(target_field="key", secret_reference_id="all"),) * 2, "mapped twice"),
    ],
)
def test_a_mapping_must_be_allowed_and_single(directory, world, mappings, message):
    with directory.change(world.admin) as tx:
        tx.insert(SecretReference(name="A", slug="all", manager="env", secret_path="X"))
        tx.insert(
            SecretReference(
                name="B",
                slug="only-b",
                manager="env",
                secret_path="X",
                allow_all_workspaces=False,
                allowed_workspaces=(world.b.id,),
            )
        )
    with pytest.raises(InvalidRequest, match=message), directory.change(world.of_a) as tx:
        tx.insert(integration(world.acme, "x", workspace_id=world.a.id, secret_mappings=mappings))


def test_what_was_deleted_comes_back_without_its_credential(directory, world, clock):
    with directory.change(world.admin) as tx:
        tx.archive(world.main)
    clock.go(days=29)
    with directory.change(world.admin) as tx:
        back = tx.restore(Integration, world.main.id)
        assert (back.status, back.archived_at, back.masks, back.version) == ("active", None, {}, 3)
        assert tx.secrets_of(back) == {}
        assert tx.update(back, secrets={"key": Secret(CANARY)}).masks != {}
        assert tx.restore(Integration, world.main.id).version == 4
    entries = directory_entries(directory)
    assert [entry.action for entry in entries[:2]] == ["update", "restore"]


def directory_entries(directory):
    with directory.read() as view:
        return view.audit_entries()[0]


def test_a_restored_key_opens_again(directory, world, clock):
    with directory.change(world.admin) as tx:
        key = tx.insert(api_key(world.a, "k", "text", now=clock.now))
        tx.archive(key)
        assert tx.find_api_key(digest("text")) is None
        tx.restore(ApiKey, key.id)
        assert tx.find_api_key(digest("text")).id == key.id


def test_what_cannot_come_back_is_refused(directory, world, clock):
    with directory.change(world.admin) as tx:
        tx.archive(world.in_a)
        tx.insert(provider(world.a, world.main, "claude"))
        with pytest.raises(Conflict, match="already"):
            tx.restore(ProviderRecord, world.in_a.id)
        tx.archive(world.private, force=True)
        with pytest.raises(InvalidRequest, match="no integration"):
            tx.restore(ProviderRecord, world.in_b.id)
    clock.go(days=31)
    with pytest.raises(Conflict, match="more than 30 days"), directory.change(world.admin) as tx:
        tx.restore(Integration, world.private.id)
    with pytest.raises(NotFound), directory.change(world.admin) as tx:
        tx.restore(Integration, "never there")


def test_a_deleted_entity_cannot_be_changed_or_deleted_again(directory, world):
    with directory.change(world.admin) as tx:
        tx.archive(world.in_a)
        gone = tx.get(ProviderRecord, world.in_a.id, with_archived=True)
        with pytest.raises(Conflict, match="is deleted"):
            tx.update(msgspec.structs.replace(gone, status="active", name="x"))
        with pytest.raises(NotFound):
            tx.archive(gone)
        with pytest.raises(ValueError, match="archive is what archives"):
            tx.update(msgspec.structs.replace(world.in_b, status="archived"))


def test_a_stale_version_deletes_nothing(directory, world):
    with pytest.raises(Conflict, match="version 1"), directory.change(world.admin) as tx:
        tx.archive(world.in_a, expected_version=7)
    with directory.read() as view:
        assert view.get(ProviderRecord, world.in_a.id) == world.in_a
