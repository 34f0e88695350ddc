"""Configs: each write makes a version that stays; secrets in them are encrypted; who uses one keeps it alive."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs
from sqlalchemy import select

from lockgate.core.secret import Secret
from lockgate.entities import Config, KeyDefaults, Organisation, OrganisationDefaults, Workspace, WorkspaceDefaults
from lockgate.errors import Conflict, Forbidden, InvalidRequest, NotFound
from lockgate.store.configs import create_config, save_config, text_of, version_of, versions_of
from lockgate.store.engine import database_url, open_engine, reading
from lockgate.store.references import references_to
from lockgate.store.tables import metadata
from tests.contract.store.world import CANARY, api_key

TEXT = '{"provider":"@claude"}'
SECRET_TEXT = msgspec.json.encode(
    {"strategy": {"mode": "fallback"}, "targets": [{"provider": "openai", "api_key": CANARY}, {"provider": "@claude"}]}
).decode()


def config(workspace, slug="pc-main-000001", text=TEXT, **more):
    return Config(
        organisation_id=workspace.organisation_id, workspace_id=workspace.id, slug=slug, name="Main", text=text, **more
    )


@pytest.fixture
def saved(directory, world):
    with directory.change(world.admin) as tx:
        return create_config(tx, config(world.a))


def test_a_new_config_has_one_version(directory, world, saved, clock):
    assert (saved.version, saved.text, saved.secret_field) == (1, TEXT, None)
    with directory.read(world.inside_a) as view:
        assert view.get(Config, saved.slug) == view.get(Config, saved.id) == saved
        (version,), total = versions_of(view, saved)
    assert total == 1
    assert (version.id, version.number, version.name, version.text) == (saved.version_id, 1, "Main", TEXT)
    assert (version.created_at, version.created_by) == (clock.now, "user-1")


def test_each_save_makes_a_version_and_the_old_ones_stay(directory, world, saved, clock):
    for number, text in ((2, '{"provider":"@two"}'), (3, '{"provider":"@three"}')):
        clock.go(minutes=1)
        with directory.change(world.of_a) as tx:
            changed = save_config(tx, structs.replace(tx.get(Config, saved.id), text=text, name=f"v{number}"))
        assert changed.version == number
    with directory.read(world.inside_a) as view:
        found, total = versions_of(view, saved)
        assert total == 3
        assert [(v.number, v.name, v.text) for v in found] == [
            (3, "v3", '{"provider":"@three"}'),
            (2, "v2", '{"provider":"@two"}'),
            (1, "Main", TEXT),
        ]
        assert len({v.id for v in found}) == 3
        assert versions_of(view, saved, page=1, size=2) == ([found[2]], 3)
        assert version_of(view, saved, "2") == version_of(view, saved, found[1].id) == found[1]


@pytest.mark.parametrize("name", ["0", "2", "99999999999999", "x", "", "\0", "٣", "\ud800"])
def test_a_version_that_is_not_there_is_not_found(directory, world, saved, name):
    with directory.read(world.inside_a) as view, pytest.raises(NotFound):
        version_of(view, saved, name)


def test_another_configs_version_is_not_found(directory, world, saved):
    with directory.change(world.admin) as tx:
        other = create_config(tx, config(world.a, "pc-other-000001"))
        with pytest.raises(NotFound):
            version_of(tx, saved, other.version_id)


def test_what_is_the_same_makes_no_version(directory, world, saved):
    before = directory.revision()
    with directory.change(world.admin) as tx:
        assert save_config(tx, saved) == saved
    assert directory.revision() == before


def test_a_save_over_somebody_elses_is_refused(directory, world, saved):
    with directory.change(world.admin) as tx:
        save_config(tx, structs.replace(saved, name="first"))
        with pytest.raises(Conflict, match="version 2"):
            save_config(tx, structs.replace(saved, name="second"), expected_version=1)


@pytest.mark.parametrize("field, value", [("slug", "pc-else"), ("workspace_id", "b")])
def test_slug_and_workspace_are_fixed(directory, world, saved, field, value):
    value = world.b.id if value == "b" else value
    with directory.change(world.admin) as tx, pytest.raises(InvalidRequest, match=field):
        save_config(tx, structs.replace(saved, **{field: value}))


def test_a_slug_is_taken_once_in_an_organisation(directory, world, saved):
    with directory.change(world.admin) as tx:
        with pytest.raises(Conflict, match="pc-main"):
            create_config(tx, config(world.b))
    with directory.change() as tx:
        create_config(tx, config(world.z))


def test_other_workspaces_see_and_change_nothing(directory, world, saved):
    with directory.read(world.inside_b) as view:
        assert view.find(Config, saved.slug) is None
        assert view.all(Config) == ()
    with directory.change(structs.replace(world.of_a, scope=world.inside_b)) as tx:
        with pytest.raises(NotFound):
            save_config(tx, structs.replace(saved, name="theirs"))
        with pytest.raises(Forbidden):
            create_config(tx, config(world.a, "pc-theirs-000001"))


# ---- secrets


@pytest.fixture
def secretive(directory, world):
    with directory.change(world.admin) as tx:
        return create_config(tx, config(world.a, text=SECRET_TEXT))


def test_secrets_are_whole_for_readers_and_masked_everywhere_else(directory, world, secretive, url):
    assert CANARY not in secretive.text
    assert secretive.text.count("*****") == 1
    with directory.read(world.inside_a) as view:
        assert text_of(view, secretive) == SECRET_TEXT
        assert text_of(view, version_of(view, secretive, "1")) == SECRET_TEXT
        assert CANARY not in repr(view.audit_entries())
    estate = directory.load()
    assert estate.secrets[secretive.id, secretive.secret_field] == Secret(SECRET_TEXT)
    engine = open_engine(database_url(url, None))
    with reading(engine) as connection:
        for table in metadata.sorted_tables:
            assert CANARY not in repr(connection.execute(select(table)).all())
    engine.dispose()


def test_a_new_secret_is_a_new_version_though_it_looks_the_same(directory, world, secretive):
    other = SECRET_TEXT.replace(CANARY, "sk-another")
    with directory.change(world.admin) as tx:
        changed = save_config(tx, structs.replace(secretive, text=other))
        assert (changed.version, changed.text) == (2, secretive.text)
        assert text_of(tx, changed) == other
        assert text_of(tx, version_of(tx, changed, "1")) == SECRET_TEXT
        renamed = save_config(tx, structs.replace(changed, text=other, name="New"))
        assert text_of(tx, renamed) == text_of(tx, version_of(tx, renamed, "3")) == other
        bare = save_config(tx, structs.replace(renamed, text=TEXT))
        assert (bare.secret_field, text_of(tx, bare)) == (None, TEXT)


def test_deletion_wipes_secrets_and_restoring_does_not_bring_them_back(directory, world, secretive):
    with directory.change(world.admin) as tx:
        tx.archive(secretive)
    assert not [owner for owner, _ in directory.load().secrets if owner == secretive.id]
    with directory.change(world.admin) as tx:
        back = tx.restore(Config, secretive.id)
        assert back.status == "active"
        with pytest.raises(Conflict, match="wiped"):
            text_of(tx, back)
        assert save_config(tx, structs.replace(back, text=back.text)).version == back.version
        assert save_config(tx, structs.replace(back, text=SECRET_TEXT)).version == back.version + 1
        assert text_of(tx, tx.get(Config, back.id)) == SECRET_TEXT


# ---- the estate


def test_the_estate_has_what_is_active_with_all_versions(directory, world, saved):
    with directory.change(world.admin) as tx:
        gone = create_config(tx, config(world.b, "pc-gone-000001"))
        tx.archive(gone)
        changed = save_config(tx, structs.replace(saved, text='{"provider":"@two"}'))
    estate = directory.load()
    assert estate.configs == (changed,)
    assert {(v.config_id, v.number) for v in estate.config_versions} == {(saved.id, 1), (saved.id, 2)}


# ---- deletion


def default_of_key(tx, world, name):
    key = api_key(world.a, "bot", "gk_bot", now=tx.now, defaults=KeyDefaults(config_id=name))
    return tx.insert(key)


def default_of_workspace(tx, world, name):
    workspace = tx.get(Workspace, world.a.id)
    return tx.update(structs.replace(workspace, defaults=WorkspaceDefaults(config_id=name)))


def default_of_users(tx, world, name):
    workspace = tx.get(Workspace, world.a.id)
    return tx.update(structs.replace(workspace, defaults=WorkspaceDefaults(user_api_key_config=name)))


def default_of_organisation(tx, world, name):
    organisation = tx.get(Organisation, world.acme.id)
    return tx.update(structs.replace(organisation, defaults=OrganisationDefaults(config_id=name)))


@pytest.mark.parametrize("by", ["slug", "id", "version"])
@pytest.mark.parametrize("use", [default_of_key, default_of_workspace, default_of_users, default_of_organisation])
def test_a_config_in_use_is_not_deleted(directory, world, saved, use, by):
    name = {"slug": saved.slug, "id": saved.id, "version": f"{saved.slug}@1"}[by]
    with directory.change(world.admin) as tx:
        user = use(tx, world, name)
    with directory.change(world.of_a) as tx:
        (reference,) = references_to(tx.unconfined(), saved)
        assert reference.id == user.id
        with pytest.raises(Conflict, match=f"'{saved.slug}' is still used by the {reference.noun} '{reference.name}'"):
            tx.archive(saved)
    assert directory.load().configs == (saved,)


def test_a_config_of_no_use_is_deleted(directory, world, saved):
    with directory.change(world.admin) as tx:
        default_of_key(tx, world, "pc-other-000001")
        tx.archive(saved)
        assert tx.find(Config, saved.slug) is None
        assert tx.get(Config, saved.slug, with_archived=True).status == "archived"


def test_a_provider_that_a_config_names_is_not_deleted(directory, world):
    with directory.change(world.admin) as tx:
        create_config(tx, config(world.a, providers=("claude",)))
        create_config(tx, config(world.b, "pc-else-000001", providers=("claude",)))
        with pytest.raises(Conflict, match=r"'claude' is still used by the config 'pc-main-000001';"):
            tx.archive(world.in_a)
        tx.archive(world.in_a, force=True)


def test_a_workspace_takes_its_configs_along(directory, world):
    with directory.change(world.admin) as tx:
        inside = create_config(tx, config(world.b))
        with pytest.raises(Conflict, match="1 config"):
            tx.archive(world.b)
        tx.archive(world.b, force=True)
        assert tx.get(Config, inside.id, with_archived=True).status == "archived"


def test_a_mixed_refusal_names_each_kind(directory, world, saved):
    with directory.change(world.admin) as tx:
        default_of_key(tx, world, saved.slug)
        default_of_workspace(tx, world, saved.slug)
        with pytest.raises(Conflict, match=r"the API key 'bot' and the workspace 'ws-alpha';"):
            tx.archive(saved)
