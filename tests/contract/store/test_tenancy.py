"""What lies outside of a scope does not exist for whoever has it, and cannot be written by them."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.core.secret import Secret
from lockgate.entities import (
    Actor,
    ApiKey,
    Config,
    Integration,
    IntegrationModel,
    Invite,
    Member,
    Organisation,
    ProviderRecord,
    RateLimit,
    RatePolicy,
    Scope,
    SecretReference,
    UsageLimit,
    UsagePolicy,
    User,
    Workspace,
    WorkspaceAccess,
)
from lockgate.entities.secret_fields import KEY
from lockgate.errors import Forbidden, InvalidRequest, NotFound
from lockgate.store.kinds import KINDS
from tests.contract.store.world import api_key, digest, integration, provider


def fill(directory, world, now):
    """Put one of each kind into both workspaces and the other organisation; return them by what they are in."""
    placed = {"acme": [], "a": [], "b": [], "z": []}
    for place, workspace, used in (
        ("a", world.a, world.main),
        ("b", world.b, world.private),
        ("z", world.z, world.foreign),
    ):
        org = workspace.organisation_id
        at = {"organisation_id": org, "workspace_id": workspace.id}
        with directory.change() as tx:
            user = tx.insert(User(organisation_id=org, email=f"{place}@x.y"))
            placed[place] += [
                user,
                tx.insert(Member(**at, user_id=user.id)),
                tx.insert(api_key(workspace, place, f"text {place}", now=now)),
                tx.insert(Config(**at, slug=f"pc-{place}", name=place, text="{}")),
                tx.insert(UsagePolicy(**at, name=place, limit=UsageLimit(cap=1))),
                tx.insert(RatePolicy(**at, name=place, limit=RateLimit(cap=1))),
                tx.insert(IntegrationModel(organisation_id=org, integration_id=used.id, slug=f"m-{place}")),
            ]
    with directory.change() as tx:
        placed["acme"] += [
            tx.insert(
                SecretReference(organisation_id=world.acme.id, name="r", slug="r", manager="env", secret_path="X")
            ),
            tx.insert(Invite(organisation_id=world.acme.id, email="i@x.y", token_digest=digest("t"), expires_at=now)),
            tx.insert(
                msgspec.structs.replace(
                    api_key(world.a, "admin", "admin text", now=now, kind="organisation-service"), workspace_id=None
                )
            ),
        ]
    return placed


def seen(directory, scope):
    with directory.read(scope) as view:
        return {entity.id for kind in KINDS for entity in view.all(kind.type, with_archived=True)}


def test_each_scope_sees_its_own_and_nothing_else(directory, world, clock):
    placed = {
        place: {entity.id for entity in entities} for place, entities in fill(directory, world, clock.now).items()
    }
    everything = seen(directory, Scope())
    with directory.read() as view:
        access_a = {access.id for access in view.all(WorkspaceAccess, workspace_id=world.a.id)}
    assert seen(directory, world.inside_a) == placed["a"] | access_a | {
        world.acme.id,
        world.a.id,
        world.main.id,
        world.in_a.id,
    }
    assert seen(directory, world.inside_b) == placed["b"] | {world.acme.id, world.b.id, world.private.id, world.in_b.id}
    of_acme = seen(directory, world.everywhere)
    assert of_acme >= placed["acme"] | placed["a"] | placed["b"]
    assert not of_acme & (placed["z"] | {world.zeta.id, world.z.id, world.foreign.id, world.in_z.id})
    assert everything == of_acme | seen(directory, Scope(organisation_id=world.zeta.id))


def test_a_workspace_of_another_organisation_shows_nothing(directory, world):
    mixed = Scope(organisation_id=world.acme.id, workspace_id=world.z.id)
    assert seen(directory, mixed) == {world.acme.id}


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind.resource for kind in KINDS])
def test_nobody_reads_or_changes_another_tenants(directory, world, clock, number):
    kind = KINDS[number]
    fill(directory, world, clock.now)
    with directory.read(Scope(organisation_id=world.zeta.id)) as view:
        theirs = view.all(kind.type)
    for entity in theirs:
        for actor in (world.admin, world.of_a):
            with directory.change(actor) as tx:
                assert tx.find(kind.type, entity.id) is None
                with pytest.raises(NotFound):
                    tx.update(entity)
                with pytest.raises(NotFound):
                    tx.archive(entity, force=True)
                with pytest.raises(NotFound):
                    tx.restore(kind.type, entity.id)
    if not theirs:
        assert kind.type in (SecretReference, Invite)


def test_what_is_shared_can_be_seen_and_not_touched(directory, world):
    with directory.change(world.of_a) as tx:
        shared = tx.get(Integration, "main")
        access = tx.all(WorkspaceAccess)[0]
        for attempt in (
            lambda: tx.update(msgspec.structs.replace(shared, name="mine")),
            lambda: tx.archive(shared, force=True),
            lambda: tx.secrets_of(shared),
            lambda: tx.update(msgspec.structs.replace(access, usage_limits=(UsageLimit(cap=1),))),
            lambda: tx.archive(access),
            lambda: tx.insert(IntegrationModel(integration_id=shared.id, slug="m")),
            lambda: tx.update(msgspec.structs.replace(tx.get(Organisation, world.acme.id), name="x")),
            lambda: tx.insert(User(email="a@b.c")),
            lambda: tx.insert(Workspace(name="x", slug="x")),
            lambda: tx.insert(integration(world.acme, "for-all")),
            lambda: tx.insert(integration(world.acme, "theirs", workspace_id=world.b.id)),
            lambda: tx.insert(provider(world.b, world.private, "x")),
            lambda: tx.insert(WorkspaceAccess(integration_id=world.main.id, workspace_id=world.a.id, is_enabled=True)),
        ):
            with pytest.raises(Forbidden):
                attempt()


def test_a_workspace_manages_its_own(directory, world, clock):
    with directory.change(world.of_a) as tx:
        mine = tx.insert(integration(world.acme, "mine", workspace_id=world.a.id), secrets={KEY: Secret("hush")})
        assert tx.secrets_of(mine) == {KEY: Secret("hush")}
        tx.insert(IntegrationModel(integration_id=mine.id, slug="m"))
        tx.insert(provider(world.a, mine, "mine"))
        tx.insert(api_key(world.a, "k", "t", now=clock.now))
        tx.update(msgspec.structs.replace(tx.get(Workspace, world.a.id), description="ours"))


def test_a_switched_off_access_hides_the_integration(directory, world):
    with directory.change(world.admin) as tx:
        access = tx.all(WorkspaceAccess, workspace_id=world.a.id)[0]
        tx.update(msgspec.structs.replace(access, is_enabled=False))
    with directory.read(world.inside_a) as view:
        assert view.find(Integration, "main") is None
    with pytest.raises(Forbidden, match="not shared"), directory.change(world.of_a) as tx:
        tx.insert(provider(world.a, world.main, "second"))


def test_a_provider_uses_only_what_its_workspace_may_use(directory, world):
    with pytest.raises(Forbidden, match="not shared"), directory.change(world.admin) as tx:
        tx.insert(provider(world.a, world.private, "x"))
    with pytest.raises(InvalidRequest, match="one workspace"), directory.change(world.admin) as tx:
        tx.insert(WorkspaceAccess(integration_id=world.private.id, workspace_id=world.a.id))


def test_the_same_texts_do_not_help(directory, world):
    """Texts that would break out of a query that was put together as text."""
    corpus = [
        "' OR '1'='1",
        "'; DROP TABLE providers; --",
        '" OR ""="',
        "%",
        "_",
        "\\",
        "x' UNION SELECT * FROM secrets--",
        "\N{SNOWMAN}",
    ]
    with directory.change(world.of_a) as tx:
        for text in corpus:
            assert tx.find(ProviderRecord, text) is None
            assert tx.page(ProviderRecord, search=text).total == 0
            assert tx.count(ProviderRecord, slug=text) == 0
            assert tx.find_api_key(text) is None
            made = tx.insert(provider(world.a, world.main, text, note=text))
            assert tx.get(ProviderRecord, text) == made
    with directory.read() as view:
        assert view.count(ProviderRecord) == 3 + len(corpus)


def test_an_actor_without_a_workspace_may_act_in_all_of_its_organisation(directory, world):
    actor = Actor(kind="user", id="u", scope=world.everywhere)
    with directory.change(actor) as tx:
        made = [tx.insert(provider(world.a, world.main, "x")), tx.insert(provider(world.b, world.private, "x"))]
    assert {one.organisation_id for one in made} == {world.acme.id}
    assert {one.created_by for one in made} == {"u"}


def test_keys_are_found_inside_the_scope_only(directory, world, clock):
    with directory.change() as tx:
        stored = tx.insert(api_key(world.b, "k", "text", now=clock.now))
    with directory.read(world.inside_b) as view:
        assert view.find_api_key(digest("text")) == stored
    with directory.read(world.inside_a) as view:
        assert view.find_api_key(digest("text")) is None
        assert view.find(ApiKey, stored.id) is None
