"""What is stored comes back the same, with identity, version and times."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec
import pytest
from msgspec import Raw

from lockgate.entities import (
    SYSTEM,
    ApiKey,
    Condition,
    GlobalAccess,
    Integration,
    IntegrationModel,
    Invite,
    InviteWorkspace,
    KeyDefaults,
    KeyText,
    Member,
    Organisation,
    OrganisationDefaults,
    ProviderRecord,
    RateLimit,
    RatePolicy,
    ResetAnchor,
    RotationPolicy,
    SecretMapping,
    SecretReference,
    UsageLimit,
    UsagePolicy,
    User,
    Workspace,
    WorkspaceAccess,
    WorkspaceDefaults,
)
from lockgate.errors import Conflict, Forbidden, InvalidRequest, NotFound
from tests.contract.store.world import api_key, digest, integration, provider

T = datetime(2026, 9, 1, 1, 2, 3, 4000, tzinfo=UTC)
BUDGET = UsageLimit(
    unit="tokens",
    cap=9_000_000_000_000_000_000,
    alert_at=5,
    alert_permille=(500, 800),
    reset="days",
    reset_days=30,
    reset_on=date(2026, 8, 1),
    anchor=ResetAnchor(weekday=1, timezone="Europe/Berlin"),
    effective_from=T,
    mode="soft",
    admission="open",
    on_unpriced="block",
    on_outage="deny",
    note="ünïcode \N{SNOWMAN}",
    last_reset_at=T,
)
RATE = RateLimit(unit="concurrency", cap=0, window_s=60, on_outage="deny")


def full(world, reference):
    """One of each, with every field filled."""
    org = {"organisation_id": world.acme.id}
    at_a = {**org, "workspace_id": world.a.id}
    user = User(**org, email="Maria@Example.com", first_name="Maria", last_name="Ñ", role="admin", password_hash="$x")
    return [
        Organisation(
            name="Third",
            slug="third",
            defaults=OrganisationDefaults(metadata={"a": "b"}, input_guardrails=("x",)),
            settings={"on": True, "n": 3, "t": "text", "no": None},
            key_metadata_schema=Raw(b'{"type":"object"}'),
            api_key_max_ttl_s=5,
            denied_export_fields=("x",),
            block_inline_config=True,
        ),
        Workspace(
            **org,
            name="Gamma",
            slug="ws-gamma",
            description="d",
            icon="i",
            defaults=WorkspaceDefaults(metadata={"team": "x"}, config_id="pc-1"),
            usage_limits=(BUDGET, BUDGET),
            rate_limits=(RATE,),
            security_settings={"membersViewLogs": False},
            settings={"debug_log": 0},
        ),
        user,
        Invite(
            **org,
            email="New@Example.com",
            workspaces=(InviteWorkspace(workspace_id=world.a.id, role="manager"),),
            key_scopes=("completions.write",),
            token_digest=digest("token"),
            expires_at=T,
        ),
        ApiKey(
            **at_a,
            name="svc",
            kind="workspace-service",
            scopes=("completions.write",),
            texts=(KeyText(digest=digest("t"), mask="gk_*****abc", created_at=T, expires_at=T),),
            providers=("claude",),
            defaults=KeyDefaults(metadata={"k": "v"}, config_id="pc-1", allow_config_override=False),
            usage_limits=(BUDGET,),
            rate_limits=(RATE, RATE),
            expires_at=T,
            expiry_enforced=True,
            rotation=RotationPolicy(period="weekly", next_rotation_at=T),
            alert_emails=("a@b.c",),
            creation_mode="auto",
        ),
        Integration(
            **org,
            name="Full",
            slug="full",
            provider="anthropic",
            configurations={"aws_region": Raw(b'"eu"'), "list": Raw(b"[1,{}]")},
            references={"key": "env:NAME"},
            secret_mappings=(SecretMapping(target_field="key", secret_reference_id=reference.slug),),
            allow_all_models=False,
            pricing_adjustments=Raw(b'{"multiplier":{"default":0.9}}'),
            global_access=GlobalAccess(is_enabled=True, usage_limits=(BUDGET,), rate_limits=(RATE,)),
            usage_limits=(BUDGET,),
            tags=("prod",),
        ),
        IntegrationModel(
            **org,
            integration_id=world.main.id,
            slug="claude-x",
            is_custom=True,
            base_model_slug="claude-y",
            pricing=Raw(b'{"type":"static"}'),
            capabilities=("vision",),
            context_window=200_000,
        ),
        WorkspaceAccess(
            **org, workspace_id=world.b.id, integration_id=world.main.id, is_enabled=False, usage_limits=(BUDGET,)
        ),
        ProviderRecord(
            **at_a,
            integration_id=world.main.id,
            slug="second",
            name="Second",
            usage_limits=(BUDGET,),
            expires_at=T,
            settings={"x": Raw(b"1")},
            is_virtual_key=True,
        ),
        UsagePolicy(
            **at_a,
            name="p",
            conditions=(Condition(key="metadata.team", values=("x", "y"), is_excluded=True),),
            group_by=("metadata._user",),
            limit=BUDGET,
            value_resets={"metadata._user:maria": T},
        ),
        RatePolicy(**at_a, name="r", limit=RATE, target="mcp_tools"),
        SecretReference(
            **org,
            name="Vault",
            slug="vault",
            manager="hashicorp_vault",
            settings={"vault_addr": Raw(b'"https://vault"')},
            secret_path="a/b",
            secret_key="k",
            allow_all_workspaces=False,
            allowed_workspaces=(world.a.id,),
        ),
    ]


def without_limit_ids(entity):
    """Limits get their ids from the store."""
    text = msgspec.json.decode(msgspec.json.encode(entity))

    def walk(value):
        if isinstance(value, dict):
            return {k: "" if k == "id" and "cap" in value else walk(v) for k, v in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    return walk(text)


def test_every_field_of_every_entity_comes_back(directory, world, clock):
    with directory.change(world.admin) as tx:
        reference = tx.insert(SecretReference(name="Env", slug="env", manager="env", secret_path="NAME"))
    for entity in full(world, reference):
        with directory.change(SYSTEM if isinstance(entity, Organisation) else world.admin) as tx:
            stored = tx.insert(entity)
        assert stored.id
        assert stored.version == 1
        assert stored.created_at == stored.updated_at == clock.now
        with directory.read() as view:
            assert view.get(type(entity), stored.id) == stored
        common = {"id", "version", "created_at", "updated_at", "created_by", "updated_by"}
        expected, got = without_limit_ids(entity), without_limit_ids(stored)
        if isinstance(entity, Organisation):
            common.add("organisation_id")
        assert {k: v for k, v in got.items() if k not in common} == {
            k: v for k, v in expected.items() if k not in common
        }


def test_every_limit_gets_an_id_of_its_own(directory, world):
    with directory.change(world.admin) as tx:
        stored = tx.insert(
            integration(
                world.acme,
                "limited",
                usage_limits=(BUDGET, BUDGET),
                rate_limits=(RATE,),
                global_access=GlobalAccess(usage_limits=(BUDGET,)),
            )
        )
        policy = tx.insert(UsagePolicy(organisation_id=world.acme.id, workspace_id=world.a.id, name="p", limit=BUDGET))
    limits = (*stored.usage_limits, *stored.rate_limits, *stored.global_access.usage_limits, policy.limit)
    ids = [limit.id for limit in limits]
    assert all(ids)
    assert len(set(ids)) == 5


def test_an_update_counts_the_version_and_keeps_what_belongs_to_the_store(directory, world, clock):
    clock.go(hours=1)
    with directory.change(world.of_a) as tx:
        read = tx.get(ProviderRecord, "claude")
        changed = tx.update(msgspec.structs.replace(read, name="New name", created_by="me", created_at=T, updated_at=T))
    assert (changed.name, changed.version) == ("New name", 2)
    assert (changed.created_at, changed.created_by) == (read.created_at, read.created_by)
    assert (changed.updated_at, changed.updated_by) == (clock.now, "key-a")


def test_an_update_that_changes_nothing_leaves_no_trace(directory, world):
    before = directory.revision()
    with directory.change(world.admin) as tx:
        same = tx.get(ProviderRecord, world.in_a.id)
        assert tx.update(same) == same
    assert directory.revision() == before


def test_a_stale_version_is_refused(directory, world):
    with directory.read() as view:
        read = view.get(ProviderRecord, world.in_a.id)
    with directory.change(world.admin) as tx:
        tx.update(msgspec.structs.replace(read, name="First"))
    with pytest.raises(Conflict, match="version 2"), directory.change(world.admin) as tx:
        tx.update(msgspec.structs.replace(read, name="Second"))
    with pytest.raises(Conflict, match="version 2"), directory.change(world.admin) as tx:
        fresh = tx.get(ProviderRecord, world.in_a.id)
        tx.update(msgspec.structs.replace(fresh, name="Second"), expected_version=1)
    with directory.read() as view:
        assert view.get(ProviderRecord, world.in_a.id).name == "First"


@pytest.mark.parametrize(
    "type, change",
    [
        (Workspace, {"slug": "other"}),
        (Workspace, {"is_default": True}),
        (Integration, {"slug": "other"}),
        (Integration, {"provider": "openai"}),
        (Integration, {"workspace_id": None}),
        (ProviderRecord, {"slug": "other"}),
        (ProviderRecord, {"workspace_id": "other"}),
        (ProviderRecord, {"integration_id": "other"}),
    ],
)
def test_what_is_fixed_cannot_be_changed(directory, world, type, change):
    id = {Workspace: world.b, Integration: world.private, ProviderRecord: world.in_b}[type].id
    with pytest.raises(InvalidRequest, match="cannot be changed") as raised, directory.change(world.admin) as tx:
        tx.update(msgspec.structs.replace(tx.get(type, id), **change))
    assert raised.value.path == next(iter(change))


@pytest.mark.parametrize("text", ["nul\0", "half \ud800"])
def test_text_that_no_database_can_hold_is_refused(directory, world, text):
    with pytest.raises(InvalidRequest), directory.change(world.admin) as tx:
        tx.insert(
            provider(world.a, world.main, "odd", note=text)
            if "\0" not in text
            else msgspec.structs.replace(provider(world.a, world.main, "odd"), name=text)
        )


def test_nul_in_a_document_is_kept(directory, world):
    with directory.change(world.admin) as tx:
        stored = tx.insert(provider(world.a, world.main, "odd", note="a\0b"))
    with directory.read() as view:
        assert view.get(ProviderRecord, stored.id).note == "a\0b"


def test_what_raises_inside_a_change_undoes_all_of_it(directory, world):
    before = directory.revision()
    with pytest.raises(RuntimeError), directory.change(world.admin) as tx:
        tx.insert(provider(world.a, world.main, "new"))
        raise RuntimeError
    assert directory.revision() == before
    with directory.read() as view:
        assert view.find(ProviderRecord, "new") is None
    assert directory.verify_audit().is_whole


def test_a_transaction_sees_what_it_wrote(directory, world):
    with directory.change(world.admin) as tx:
        stored = tx.insert(provider(world.a, world.main, "new"))
        assert tx.get(ProviderRecord, "new") == stored
        assert stored in tx.estate().providers
        assert stored not in directory.load().providers


def test_lists_are_pages_with_the_newest_first(directory, world, clock):
    clock.go(seconds=1)
    with directory.change(world.admin) as tx:
        for n in range(5):
            tx.insert(provider(world.a, world.main, f"p{n}"))
    clock.go(seconds=1)
    with directory.change(world.admin) as tx:
        tx.insert(provider(world.a, world.main, "last"))
    with directory.read(world.inside_a) as view:
        first = view.page(ProviderRecord, page=0, size=3)
        second = view.page(ProviderRecord, page=1, size=3)
        third = view.page(ProviderRecord, page=7, size=3)
    assert [p.slug for p in first.items] == ["last", "p4", "p3"]
    assert [p.slug for p in second.items] == ["p2", "p1", "p0"]
    assert (first.total, second.total, third.total, third.items) == (7, 7, 7, ())


def test_lists_can_be_filtered_and_searched(directory, world):
    with directory.change(world.admin) as tx:
        tx.insert(provider(world.a, world.main, "Percent_1"))
        tx.insert(provider(world.a, world.main, "percent-2"))
        tx.insert(Workspace(name="Gärten ☃", slug="ws-g"))
    with directory.read(world.everywhere) as view:
        assert view.count(ProviderRecord, workspace_id=world.b.id) == 1
        assert view.count(ProviderRecord, workspace_id=[world.a.id, world.b.id]) == 4
        assert view.count(ProviderRecord, workspace_id=[]) == 0
        assert view.count(ProviderRecord, workspace_id="nobody\0") == 0
        assert view.count(Integration, workspace_id=None) == 1
        assert {p.slug for p in view.page(ProviderRecord, search="PERCENT").items} == {"Percent_1", "percent-2"}
        assert [p.slug for p in view.page(ProviderRecord, search="t_1").items] == ["Percent_1"]
        assert [w.slug for w in view.page(Workspace, search="gäRTEN ☃").items] == ["ws-g"]
        assert view.page(ProviderRecord, search="%' OR 1=1 --").items == ()
        with pytest.raises(KeyError):
            view.count(ProviderRecord, note="x")


def test_a_name_is_an_id_or_a_slug(directory, world):
    with directory.read(world.everywhere) as view:
        assert view.get(Workspace, "ws-beta") == view.get(Workspace, world.b.id) == world.b
        for name in ("ws-gone", "", "nul\0", "half \ud800"):
            assert view.find(Workspace, name) is None
            assert view.page(Workspace, search=name or "nothing").items == ()
            assert view.count(Workspace, slug=name) == 0
        with pytest.raises(NotFound, match="no workspace 'ws-gone'"):
            view.get(Workspace, "ws-gone")
        with pytest.raises(InvalidRequest, match="which workspace"):
            view.get(ProviderRecord, "claude")
        assert view.get(ProviderRecord, "claude", workspace_id=world.b.id) == world.in_b


def test_an_id_goes_before_a_slug_that_looks_like_it(directory, world):
    with directory.change(world.admin) as tx:
        tx.insert(provider(world.a, world.main, world.in_a.id))
        assert tx.get(ProviderRecord, world.in_a.id) == world.in_a


def test_a_key_is_found_by_the_digest_of_its_text(directory, world, clock):
    with directory.change(world.admin) as tx:
        stored = tx.insert(api_key(world.a, "svc", "text", now=clock.now))
    with directory.read() as view:
        assert view.find_api_key(digest("text")) == stored
        assert view.find_api_key(digest("other")) is None


def test_two_keys_never_share_a_text(directory, world, clock):
    with pytest.raises(Conflict, match="this text"), directory.change(world.admin) as tx:
        tx.insert(api_key(world.a, "one", "text", now=clock.now))
        tx.insert(api_key(world.b, "two", "text", now=clock.now))


UNIQUE = [
    ("workspace slug", lambda w: Workspace(organisation_id=w.acme.id, name="X", slug="ws-beta")),
    ("workspace name in another case", lambda w: Workspace(organisation_id=w.acme.id, name="bETA", slug="ws-x")),
    ("integration slug", lambda w: integration(w.acme, "main")),
    ("integration slug of a workspace", lambda w: integration(w.acme, "private")),
    ("provider slug", lambda w: provider(w.a, w.main, "claude")),
    ("access", lambda w: WorkspaceAccess(organisation_id=w.acme.id, workspace_id=w.a.id, integration_id=w.main.id)),
]


@pytest.mark.parametrize("make", [make for _, make in UNIQUE], ids=[name for name, _ in UNIQUE])
def test_what_is_taken_is_refused(directory, world, make):
    with pytest.raises(Conflict, match="already"), directory.change(world.admin) as tx:
        tx.insert(make(world))


def test_the_same_slug_may_stand_in_two_workspaces_and_two_organisations(directory, world):
    assert world.in_a.slug == world.in_b.slug == world.in_z.slug
    assert world.a.slug == world.z.slug
    assert world.main.slug == world.foreign.slug


def test_emails_are_unique_whatever_their_case(directory, world):
    with pytest.raises(Conflict, match="already"), directory.change(world.admin) as tx:
        tx.insert(User(email="a@x.y"))
        tx.insert(User(email="A@X.Y"))


def test_a_race_for_a_name_is_a_conflict_too(directory, world, monkeypatch):
    monkeypatch.setattr("lockgate.store.transaction.check_unique", lambda *_: None)
    with pytest.raises(Conflict, match="taken"), directory.change(world.admin) as tx:
        tx.insert(provider(world.a, world.main, "claude"))


LINKS = [
    ("workspace of another organisation", lambda w: api_key(w.z, "k", "t", now=T), "workspace_id"),
    ("integration of another organisation", lambda w: provider(w.a, w.foreign, "x"), "integration_id"),
    ("member that is nobody", lambda w: Member(workspace_id=w.a.id, user_id="nobody"), "user_id"),
    ("model of nothing", lambda w: IntegrationModel(integration_id="nothing", slug="m"), "integration_id"),
]


@pytest.mark.parametrize("make, path", [case[1:] for case in LINKS], ids=[case[0] for case in LINKS])
def test_a_link_to_what_is_not_there_is_refused(directory, world, make, path):
    with pytest.raises(InvalidRequest) as raised, directory.change(world.admin) as tx:
        tx.insert(msgspec.structs.replace(make(world), organisation_id=world.acme.id))
    assert raised.value.path == path


def test_nobody_writes_into_another_organisation(directory, world):
    with pytest.raises(Forbidden), directory.change(world.admin) as tx:
        tx.insert(provider(world.z, world.foreign, "x"))
