"""Gateway keys: kinds, scopes, limits, ends, rotation; what each caller may do with them."""

import pytest
from msgspec import structs

from lockgate.admin.scopes import ORGANISATION
from lockgate.core.limits import Claim, Demand, Spent
from lockgate.entities import ApiKey, Organisation
from lockgate.plan.keys import digest_of, is_well_formed
from lockgate.plan.limits import budget_of

BUDGET = {"type": "cost", "credit_limit": 40, "alert_threshold": 30, "periodic_reset": "monthly"}


def make(plane, path="workspace/service", key="admin", **body):
    return plane.ok("POST", f"/api-keys/{path}", key, json={"name": "billing-bot"} | body)


def show(plane, id, key="admin"):
    return plane.ok("GET", f"/api-keys/{id}", key)


def spend(plane, id, dollars):
    """Charge a key's budget as the data plane does."""
    with plane.directory.read() as view:
        key = view.get(ApiKey, id)
    budget = budget_of(key.usage_limits[0], scope="key", name=key.name, created_at=key.created_at)
    amount = round(dollars * 10**9)

    async def charge():
        grant = await plane.counters.reserve(Demand(claims=(Claim(budget),), nanos=amount))
        plane.counters.settle(grant, Spent(nanos=amount))

    plane.run(charge())


def test_a_key_is_told_once_and_opens_at_once(plane):
    made = make(plane, scopes=["completions.write", "logs.view"], defaults={"metadata": {"team": "billing"}})
    assert made["object"] == "api-key"
    assert is_well_formed(made["key"])
    assert plane.snapshot.keys[digest_of(made["key"])].id == made["id"]
    shown = show(plane, made["id"])
    assert shown["key"] == f"{made['key'][:3]}*****{made['key'][-3:]}"
    assert made["key"] not in str(shown)


def test_every_field_of_the_documented_shape(plane):
    plane.save_config("pc-fallba-09ab12", workspace=plane.other.id)
    made = make(
        plane,
        workspace_id=plane.other.slug,
        scopes=["completions.write", "logs.view"],
        defaults={"config_id": "pc-fallba-09ab12", "metadata": {"team": "billing"}, "allow_config_override": False},
        usage_limits=BUDGET,
        rate_limits=[{"type": "requests", "unit": "rpm", "value": 120}],
        alert_emails=["ops@example.org"],
    )
    limit = {
        "type": "cost", "credit_limit": 40, "alert_threshold": 30, "periodic_reset": "monthly",
        "periodic_reset_days": None, "next_usage_reset_at": "2026-09-01T00:00:00.000Z",
    }  # fmt: skip
    shown = show(plane, made["id"])
    shown_limit = shown.pop("usage_limits")
    assert shown_limit == limit | {"id": shown_limit["id"]}
    assert shown == {
        "id": made["id"],
        "key": shown["key"],
        "name": "billing-bot",
        "description": None,
        "type": "workspace-service",
        "organisation_id": plane.organisation.id,
        "workspace_id": plane.other.id,
        "user_id": None,
        "status": "active",
        "creation_mode": "api",
        "rate_limits": [{"type": "requests", "unit": "rpm", "value": 120}],
        "usage": {"type": "cost", "used": 0, "reserved": 0, "remaining": 40, "as_of": "2026-08-21T09:30:00.000Z"},
        "reset_usage": None,
        "last_reset_at": None,
        "next_usage_reset_at": "2026-09-01T00:00:00.000Z",
        "expires_at": None,
        "expiry_enforced": 0,
        "alert_emails": ["ops@example.org"],
        "rotation_policy": None,
        "allow_config_override": 0,
        "api_key_defaults_id": made["id"],
        "scopes": ["completions.write", "logs.view"],
        "defaults": {
            "metadata": {"team": "billing"}, "config_id": "pc-fallba-09ab12", "allow_config_override": False,
            "recording": None,
        },
        "providers": [],
        "created_at": "2026-08-21T09:30:00.000Z",
        "last_updated_at": "2026-08-21T09:30:00.000Z",
        "created_by": plane.keys["admin"].id, "source": "database",
        "object": "api-key",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path, kind",
    [
        ("workspace/service", "workspace-service"),
        ("workspace/NOT_GIVEN", "workspace-service"),
        ("workspace/", "workspace-service"),
        ("workspace", "workspace-service"),
        ("organisation/service", "organisation-service"),
        ("organization/NOT_GIVEN", "organisation-service"),
        ("organisation", "organisation-service"),
    ],
)
def test_the_path_says_which_kind(plane, path, kind):
    made = make(plane, path, scopes=["models.list"])
    assert show(plane, made["id"])["type"] == kind


@pytest.mark.parametrize(
    "path, param", [("person/service", "type"), ("workspace/robot", "sub_type"), ("organisation/user", "sub_type")]
)
def test_kinds_that_there_are_not(plane, path, param):
    body = plane.refused(400, "POST", f"/api-keys/{path}", json={"name": "x", "scopes": ["models.list"]})
    assert body["error"]["param"] == param


def test_a_workspaces_key_makes_keys_of_its_own_workspace_only(plane):
    made = make(plane, key="service", scopes=["completions.write"])
    assert show(plane, made["id"], "service")["workspace_id"] == plane.home.id
    body = {"name": "x", "scopes": ["completions.write"], "workspace_id": plane.other.id}
    plane.refused(403, "POST", "/api-keys/workspace/service", "service", json=body)
    plane.refused(403, "POST", "/api-keys/organisation/service", "service", json={"name": "x", "scopes": []})
    plane.refused(403, "POST", "/api-keys/workspace/service", "user", json={"name": "x"})


class TestScopes:
    def test_a_key_gives_no_more_than_it_has(self, plane):
        weak = make(plane, scopes=["workspace_service_api_keys.create", "completions.write"])["key"]
        body = plane.refused(
            403, "POST", "/api-keys/workspace/service", weak, json={"name": "x", "scopes": ["logs.view"]}
        )
        assert "logs.view" in body["message"]
        make(plane, key=weak, scopes=["completions.write"])

    def test_an_organisations_key_gives_what_calls_models_and_has_it_not(self, plane):
        make(plane, scopes=["completions.write", "prompts.render"])
        body = {"name": "x", "scopes": ["completions.write"]}
        assert plane.refused(400, "POST", "/api-keys/organisation/service", json=body)["error"]["param"] == "scopes"

    def test_a_key_cannot_raise_itself_by_an_update(self, plane):
        scopes = ["workspace_service_api_keys.update", "workspace_service_api_keys.create", "completions.write"]
        weak = make(plane, scopes=scopes)
        path = f"/api-keys/{weak['id']}"
        plane.refused(403, "PUT", path, weak["key"], json={"scopes": [*scopes, "providers.create"]})
        # what it has already may stay, also when its changer lacks it
        strong = make(plane, scopes=["providers.create", "completions.write"])
        plane.ok("PUT", f"/api-keys/{strong['id']}", weak["key"], json={"scopes": ["providers.create"]})

    def test_whoever_rotates_a_key_gets_its_power_so_must_have_it(self, plane):
        weak = make(plane, scopes=["workspace_service_api_keys.rotate"])["key"]
        strong = make(plane, scopes=["providers.create"])
        plane.refused(403, "POST", f"/api-keys/{strong['id']}/rotate", weak, json={})

    def test_spellings_and_unknown_names(self, plane):
        made = make(plane, scopes=["policies:create", "portkey.logs.view", "agents.invoke", "logs.view"])
        assert show(plane, made["id"])["scopes"] == ["policies.create", "logs.view", "agents.invoke"]

    def test_a_scope_that_there_is_not_is_refused(self, plane):
        body = {"name": "x", "scopes": ["completions.wrte"]}
        found = plane.refused(400, "POST", "/api-keys/workspace/service", json=body)
        assert found["message"] == "scopes: there is no scope 'completions.wrte'; did you mean completions.write?"
        made = make(plane)
        assert (
            plane.refused(400, "PUT", f"/api-keys/{made['id']}", json={"scopes": ["nothing"]})["error"]["param"]
            == "scopes"
        )

    def test_a_scope_that_the_key_has_may_stay_though_nobody_knows_it(self, plane):
        made = make(plane)
        with plane.directory.change() as tx:
            tx.update(structs.replace(tx.get(ApiKey, made["id"]), scopes=("completions.write", "old.scope")))
        plane.ok("PUT", f"/api-keys/{made['id']}", json={"scopes": ["old.scope", "models.list"]})
        assert show(plane, made["id"])["scopes"] == ["old.scope", "models.list"]

    def test_without_scopes_a_workspaces_key_calls_models(self, plane):
        assert show(plane, make(plane)["id"])["scopes"] == ["completions.write", "models.list"]
        plane.refused(400, "POST", "/api-keys/organisation/service", json={"name": "x"})

    def test_only_keys_of_kinds_that_one_may_list_are_listed(self, plane):
        narrow = make(plane, "organisation/service", scopes=["workspace_service_api_keys.list"])["key"]
        kinds = {key["type"] for key in plane.ok("GET", "/api-keys", narrow)["data"]}
        assert kinds == {"workspace-service"}
        plane.refused(403, "GET", f"/api-keys/{plane.keys['admin'].id}", narrow)


class TestUserKeys:
    def test_a_persons_key(self, plane):
        made = make(plane, "workspace/user", user_id=plane.person.id)
        assert show(plane, made["id"])["user_id"] == plane.person.id

    def test_an_owner_needs_no_membership(self, plane):
        make(plane, "workspace/user", user_id=plane.owner.id)

    @pytest.mark.parametrize("body", [{}, {"user_id": "nobody"}])
    def test_it_needs_a_person(self, plane, body):
        found = plane.refused(400, "POST", "/api-keys/workspace/user", json={"name": "x"} | body)
        assert found["error"]["param"] == "user_id"

    def test_the_person_is_a_member(self, plane):
        body = {"name": "x", "user_id": plane.person.id, "workspace_id": plane.other.id}
        assert "not a member" in plane.refused(400, "POST", "/api-keys/workspace/user", json=body)["message"]

    def test_a_service_key_has_none(self, plane):
        body = {"name": "x", "user_id": plane.person.id}
        plane.refused(400, "POST", "/api-keys/workspace/service", json=body)

    def test_the_workspace_says_how_many_and_how_long(self, plane):
        path = f"/admin/workspaces/{plane.home.slug}"
        settings = {"user_api_key_count": 2, "user_api_key_ttl": 3600, "user_api_key_max_ttl": 7200}
        plane.ok("PUT", path, json={"settings": settings})
        made = make(plane, "workspace/user", user_id=plane.person.id)
        assert show(plane, made["id"])["expires_at"] == "2026-08-21T10:30:00.000Z"
        body = {"name": "x", "user_id": plane.person.id}
        assert "2 keys" in plane.refused(409, "POST", "/api-keys/workspace/user", json=body)["message"]
        plane.ok("DELETE", f"/api-keys/{made['id']}")
        long = body | {"expires_at": "2026-08-21T11:30:01Z"}
        plane.refused(400, "POST", "/api-keys/workspace/user", json=long)
        make(plane, "workspace/user", user_id=plane.person.id, expires_at="2026-08-21T11:30:00Z")
        assert show(plane, make(plane)["id"])["expires_at"] is None


class TestUpdate:
    def test_missing_stays_and_null_clears(self, plane):
        made = make(plane, description="old", usage_limits=BUDGET, rate_limits=[{"value": 5}], alert_emails=["a@b.c"])
        path = f"/api-keys/{made['id']}"
        assert plane.ok("PUT", path, json={"name": "new"}) == {}
        shown = show(plane, made["id"])
        assert (shown["name"], shown["description"], shown["alert_emails"]) == ("new", "old", ["a@b.c"])
        assert shown["usage_limits"]["credit_limit"] == 40
        cleared = {"description": None, "usage_limits": None, "rate_limits": None, "alert_emails": None}
        plane.ok("PUT", path, json=cleared)
        shown = show(plane, made["id"])
        assert (shown["description"], shown["usage_limits"], shown["rate_limits"]) == (None, None, [])
        assert shown["alert_emails"] == []

    def test_defaults_are_merged_by_name_and_metadata_is_replaced(self, plane):
        plane.save_config("pc-1")
        made = make(plane, defaults={"metadata": {"a": "1", "b": "2"}, "config_id": "pc-1"})
        path = f"/api-keys/{made['id']}"
        plane.ok("PUT", path, json={"defaults": {"metadata": {"c": "3"}}})
        defaults = show(plane, made["id"])["defaults"]
        assert (defaults["metadata"], defaults["config_id"]) == ({"c": "3"}, "pc-1")
        plane.ok("PUT", path, json={"defaults": {"config_id": None}})
        assert show(plane, made["id"])["defaults"]["config_id"] is None
        plane.ok("PUT", path, json={"defaults": {"recording": {"mode": "metrics_only"}}})
        assert show(plane, made["id"])["defaults"]["recording"]["mode"] == "metrics_only"
        plane.ok("PUT", path, json={"defaults": None})
        assert show(plane, made["id"])["defaults"]["metadata"] is None
        assert show(plane, made["id"])["defaults"]["recording"] is None

    def test_versions(self, plane):
        made = make(plane)
        path = f"/api-keys/{made['id']}"
        assert plane.ask("GET", path).headers["etag"] == '"1"'
        answer = plane.ask("PUT", path, json={"name": "b"}, headers={"if-match": '"1"'})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
        plane.refused(412, "PUT", path, json={"name": "c"}, headers={"if-match": '"1"'})
        plane.refused(412, "DELETE", path, headers={"if-match": '"1"'})
        assert show(plane, made["id"])["name"] == "b"

    def test_what_does_not_compile_changes_nothing(self, plane):
        from lockgate.errors import InvalidRequest

        made = make(plane)
        plane.refuse = InvalidRequest("this would not run", path="name")
        plane.refused(400, "PUT", f"/api-keys/{made['id']}", json={"name": "b"})
        assert show(plane, made["id"])["name"] == "billing-bot"

    def test_disabled_opens_nothing_until_it_is_active_again(self, plane):
        made = make(plane)
        path = f"/api-keys/{made['id']}"
        plane.ok("PUT", path, json={"status": "disabled"})
        assert show(plane, made["id"])["status"] == "disabled"
        plane.refused(401, "GET", "/me", made["key"])
        plane.ok("PUT", path, json={"status": "active"})
        plane.ok("GET", "/me", made["key"])


class TestUsage:
    def test_it_is_shown_and_a_raised_limit_revives(self, plane):
        made = make(plane, usage_limits=BUDGET)
        path = f"/api-keys/{made['id']}"
        spend(plane, made["id"], 40)
        shown = show(plane, made["id"])
        assert (shown["status"], shown["usage"]["used"], shown["usage"]["remaining"]) == ("exhausted", 40, 0)
        plane.ok("PUT", path, json={"usage_limits": BUDGET | {"credit_limit": 41.5}})
        shown = show(plane, made["id"])
        assert (shown["status"], shown["usage"]["used"], shown["usage"]["remaining"]) == ("active", 40, 1.5)

    def test_it_is_set_to_zero_on_demand(self, plane):
        made = make(plane, usage_limits=BUDGET)
        spend(plane, made["id"], 12.25)
        assert show(plane, made["id"])["usage"]["used"] == 12.25
        plane.clock.pass_by(minutes=5)
        plane.ok("PUT", f"/api-keys/{made['id']}", json={"reset_usage": True})
        shown = show(plane, made["id"])
        assert (shown["usage"]["used"], shown["last_reset_at"]) == (0, "2026-08-21T09:35:00.000Z")

    def test_other_units_start_anew(self, plane):
        made = make(plane, usage_limits=BUDGET)
        spend(plane, made["id"], 12.25)
        plane.ok("PUT", f"/api-keys/{made['id']}", json={"usage_limits": {"type": "tokens", "credit_limit": 1000}})
        assert show(plane, made["id"])["usage"] == {
            "type": "tokens", "used": 0, "reserved": 0, "remaining": 1000, "as_of": "2026-08-21T09:30:00.000Z",
        }  # fmt: skip

    def test_a_key_takes_one_budget(self, plane):
        body = {"name": "x", "usage_limits": [BUDGET, BUDGET | {"type": "tokens", "credit_limit": 500}]}
        assert plane.refused(400, "POST", "/api-keys/workspace/service", json=body)["error"]["param"] == "usage_limits"
        make(plane, usage_limits=[BUDGET])


class TestEnd:
    def test_a_key_expires(self, plane):
        made = make(plane, expires_at="2026-08-21T10:00:00Z")
        plane.ok("GET", "/me", made["key"])
        plane.clock.pass_by(minutes=30)
        plane.refused(401, "GET", "/me", made["key"])
        assert show(plane, made["id"])["status"] == "expired"

    def test_not_in_the_past(self, plane):
        body = {"name": "x", "expires_at": "2026-08-21T09:30:00Z"}
        assert plane.refused(400, "POST", "/api-keys/workspace/service", json=body)["error"]["param"] == "expires_at"

    def test_the_organisation_says_how_long_a_key_may_live(self, plane):
        plane.ok("PUT", "/admin/organisation/defaults", json={"api_key_max_ttl_s": 3600})
        for end in (None, "2026-08-21T10:30:01Z"):
            plane.refused(400, "POST", "/api-keys/workspace/service", json={"name": "x", "expires_at": end})
        make(plane, expires_at="2026-08-21T10:30:00Z")


class TestRotation:
    def rotate(self, plane, id, status=200, **body):
        path = f"/api-keys/{id}/rotate"
        return plane.ok("POST", path, json=body) if status == 200 else plane.refused(status, "POST", path, json=body)

    def test_both_texts_open_until_the_exact_end(self, plane):
        made = make(plane)
        new = self.rotate(plane, made["id"], key_transition_period_ms=3_600_000)
        assert new["id"] == made["id"]
        assert new["key_transition_expires_at"] == "2026-08-21T10:30:00.000Z"
        assert show(plane, made["id"])["status"] == "rotating"
        plane.clock.pass_by(minutes=59, seconds=59, milliseconds=999)
        plane.ok("GET", "/me", made["key"])
        plane.ok("GET", "/me", new["key"])
        plane.clock.pass_by(milliseconds=1)
        plane.refused(401, "GET", "/me", made["key"])
        plane.ok("GET", "/me", new["key"])
        assert show(plane, made["id"])["status"] == "active"

    def test_half_an_hour_is_usual_and_the_least(self, plane):
        made = make(plane)
        self.rotate(plane, made["id"], 400, key_transition_period_ms=1_799_999)
        assert self.rotate(plane, made["id"])["key_transition_expires_at"] == "2026-08-21T10:00:00.000Z"

    def test_not_twice_at_once_unless_the_old_ones_die(self, plane):
        made = make(plane)
        first = self.rotate(plane, made["id"])
        self.rotate(plane, made["id"], 409)
        second = self.rotate(plane, made["id"], revoke_previous=True)
        assert second["key_transition_expires_at"] is None
        plane.refused(401, "GET", "/me", made["key"])
        plane.refused(401, "GET", "/me", first["key"])
        plane.ok("GET", "/me", second["key"])

    def test_again_after_the_transition(self, plane):
        made = make(plane)
        self.rotate(plane, made["id"])
        plane.clock.pass_by(minutes=30)
        self.rotate(plane, made["id"])

    def test_the_overlap_is_shorter_than_the_period_and_what_the_organisation_allows(self, plane):
        made = make(plane, rotation_policy={"rotation_period_days": 1, "key_transition_period_ms": 7_200_000})
        assert self.rotate(plane, made["id"])["key_transition_expires_at"] == "2026-08-21T11:30:00.000Z"
        other = make(plane, rotation_policy={"rotation_period_days": 1})
        self.rotate(plane, other["id"], 400, key_transition_period_ms=86_400_000)
        plane.ok("PUT", "/admin/organisation/defaults", json={"api_key_max_transition_s": 3600})
        self.rotate(plane, other["id"], 400, key_transition_period_ms=3_600_001)

    def test_the_audit_log_has_it_without_any_text(self, plane):
        made = make(plane)
        new = self.rotate(plane, made["id"])
        entry = plane.ok("GET", "/audit-logs", params={"action": "rotate"})["records"][0]
        assert entry["resource_id"] == made["id"]
        assert not {made["key"], new["key"], digest_of(new["key"]).hex()} & set(str(entry).split('"'))

    @pytest.mark.parametrize(
        "policy, at",
        [
            ({"rotation_period": "weekly"}, "2026-08-24T00:00:00.000Z"),
            ({"rotation_period": "monthly"}, "2026-09-01T00:00:00.000Z"),
            ({"rotation_period_days": 10}, "2026-08-31T00:00:00.000Z"),
            ({"rotation_period_days": 10, "next_rotation_at": "2026-08-25T13:14:15Z"}, "2026-08-25T00:00:00.000Z"),
        ],
    )
    def test_policies_are_at_midnight(self, plane, policy, at):
        shown = show(plane, make(plane, rotation_policy=policy)["id"])["rotation_policy"]
        assert shown["next_rotation_at"] == at
        assert shown["key_transition_period_ms"] == 1_800_000

    @pytest.mark.parametrize(
        "policy",
        [{}, {"rotation_period": "weekly", "rotation_period_days": 3},
         {"rotation_period_days": 3, "next_rotation_at": "2026-08-21T23:00:00Z"}],
    )  # fmt: skip
    def test_policies_that_say_too_little_or_too_much(self, plane, policy):
        plane.refused(400, "POST", "/api-keys/workspace/service", json={"name": "x", "rotation_policy": policy})


class TestList:
    def test_pages_and_workspaces(self, plane):
        listed = plane.ok("GET", "/api-keys")
        assert (listed["object"], listed["total"]) == ("list", 4)
        ours = plane.ok("GET", "/api-keys", params={"workspace_id": plane.other.slug})
        assert [key["name"] for key in ours["data"]] == ["other"]
        page = plane.ok("GET", "/api-keys", params={"page_size": 1, "current_page": 3})
        assert (page["total"], len(page["data"])) == (4, 1)

    def test_by_ids(self, plane):
        ids = f"{plane.keys['admin'].id}, {plane.keys['user'].id}"
        assert {key["name"] for key in plane.ok("GET", "/api-keys", params={"ids": ids})["data"]} == {"admin", "user"}

    def test_a_workspaces_key_sees_its_own(self, plane):
        assert {key["name"] for key in plane.ok("GET", "/api-keys", "service")["data"]} == {"service", "user"}
        plane.refused(403, "GET", "/api-keys", "service", params={"workspace_id": plane.other.slug})
        plane.refused(404, "GET", f"/api-keys/{plane.keys['other'].id}", "service")
        plane.refused(404, "GET", f"/api-keys/{plane.keys['admin'].id}", "service")


def test_a_deleted_key_opens_nothing(plane):
    made = make(plane)
    plane.ok("GET", "/me", made["key"])
    assert plane.ok("DELETE", f"/api-keys/{made['id']}") == {}
    plane.refused(401, "GET", "/me", made["key"])
    plane.refused(404, "GET", f"/api-keys/{made['id']}")
    plane.refused(404, "DELETE", f"/api-keys/{made['id']}")


def test_a_key_of_the_file_is_read_only_here(plane):
    from lockgate.plan.snapshot import GatewayKey

    key = GatewayKey(
        id="key_file", name="file", workspace=plane.home.id, scopes=frozenset(ORGANISATION), source="gateway.toml"
    )
    plane.snapshot = structs.replace(plane.snapshot, keys={**plane.snapshot.keys, digest_of("file-key"): key})
    for who in ("admin", "service", "file-key"):
        assert "gateway.toml" in plane.refused(409, "PUT", "/api-keys/key_file", who, json={"name": "x"})["message"]
    plane.refused(404, "PUT", "/api-keys/key_file", "other", json={"name": "x"})


def test_limits_of_the_organisation_are_read_from_the_store(plane):
    with plane.directory.change() as tx:
        tx.update(structs.replace(tx.get(Organisation, plane.organisation.id), api_key_max_ttl_s=60))
    plane.refused(400, "POST", "/api-keys/workspace/service", json={"name": "x"})


@pytest.mark.parametrize(
    "body, param",
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "x", "scopes": "completions.write"}, "scopes"),
        ({"name": "x", "scopes": [""]}, "scopes"),
        ({"name": "x", "usage_limits": {"credit_limit": 0}}, "usage_limits.credit_limit"),
        ({"name": "x", "usage_limits": {"type": "cost"}}, "usage_limits[0].credit_limit"),
        ({"name": "x", "usage_limits": {}}, "usage_limits[0].credit_limit"),
        (
            {"name": "x", "usage_limits": {"credit_limit": 5, "on_unpriced": "fallback_price"}},
            "usage_limits.on_unpriced",
        ),
        ({"name": "x", "usage_limits": {"credit_limit": 5, "periodic": "monthly"}}, "usage_limits.periodic"),
        ({"name": "x", "usage_limit": {"credit_limit": 5}}, "usage_limit"),
        ({"name": "x", "rate_limits": [{"units": "rps", "value": 1}]}, "rate_limits[0].units"),
        ({"name": "x", "providers": ["nonono"]}, "providers"),
        ({"name": "x", "defaults": {"config_id": "nonono"}}, "defaults.config_id"),
        ({"name": "x", "rate_limits": [{"unit": "rpm"}]}, "rate_limits[0].value"),
        ({"name": "x", "rate_limits": [{"unit": "rpx", "value": 1}]}, "rate_limits[0].unit"),
        ({"name": "x", "defaults": {"metadata": {"team": 3}}}, "defaults.metadata[...]"),
        ({"name": "x", "defaults": {"metadata": {"team": "x" * 129}}}, "defaults.metadata[...]"),
        ({"name": "x", "expires_at": "soon"}, "expires_at"),
    ],
)
def test_wrong_bodies_are_named_by_field(plane, body, param):
    found = plane.refused(400, "POST", "/api-keys/workspace/service", json=body)
    assert found["error"]["param"] == param
    assert found["error"]["code"] == "AB01"


def test_another_organisation_is_refused(plane):
    body = {"name": "x", "organization_id": "elsewhere"}
    plane.refused(403, "POST", "/api-keys/workspace/service", json=body)


def test_what_was_ignored_is_told(plane):
    body = {"name": "x", "colour": "red", "descripton": "y"}
    answer = plane.ask("POST", "/api-keys/workspace/service", json=body)
    assert answer.headers["x-portkey-ignored-fields"] == "colour, descripton"
    assert answer.json()["warnings"] == [
        "colour: there is no such field here; it was ignored",
        "descripton: there is no such field here; it was ignored; did you mean description?",
    ]
    plain = plane.ask("POST", "/api-keys/workspace/service", json={"name": "x"})
    assert "x-portkey-ignored-fields" not in plain.headers
    assert "warnings" not in plain.json()
    put = plane.ask("PUT", f"/api-keys/{plain.json()['id']}", json={"colour": "red"})
    assert put.json() == {"warnings": ["colour: there is no such field here; it was ignored"]}


def test_what_is_shown_may_be_sent_back_as_it_is(plane):
    made = make(plane, usage_limits=BUDGET, rate_limits=[{"type": "requests", "unit": "rpm", "value": 120}])
    before = show(plane, made["id"])
    plane.ok("PUT", f"/api-keys/{made['id']}", json=before)
    assert show(plane, made["id"]) == before


def test_a_text_that_is_not_replaced_on_its_day_ends_and_a_rotation_brings_the_key_back(plane):
    made = make(plane, rotation_policy={"rotation_period": "weekly"})

    def opens(text):
        key = plane.snapshot.keys[digest_of(text)]
        return key.expires_at > plane.clock.now.timestamp()

    policy = show(plane, made["id"])["rotation_policy"]
    assert (policy["next_rotation_at"], policy["status"]) == ("2026-08-24T00:00:00.000Z", "active")
    plane.clock.now = plane.clock.now.replace(day=24, hour=0, minute=29)
    assert opens(made["key"])
    assert show(plane, made["id"])["rotation_policy"]["status"] == "due"
    plane.clock.pass_by(minutes=1)
    assert not opens(made["key"])
    shown = show(plane, made["id"])
    assert (shown["status"], shown["rotation_policy"]["status"]) == ("expired", "overdue")
    new = plane.ok("POST", f"/api-keys/{made['id']}/rotate", json={})
    assert opens(new["key"])
    shown = show(plane, made["id"])
    assert (shown["status"], shown["rotation_policy"]["next_rotation_at"]) == ("active", "2026-08-31T00:00:00.000Z")


class TestRestrictedToProviders:
    def test_a_vendor_may_be_named_before_it_is_there(self, plane):
        assert show(plane, make(plane, providers=["anthropic"])["id"])["providers"] == ["anthropic"]

    def test_a_change_that_adds_one_that_is_not_there_is_refused(self, plane):
        made = make(plane, providers=["anthropic"])
        body = {"providers": ["anthropic", "antropic-2"]}
        found = plane.refused(400, "PUT", f"/api-keys/{made['id']}", json=body)
        assert found["error"]["param"] == "providers"
        assert "there is no provider 'antropic-2' in the workspace of the key billing-bot" in found["message"]
        plane.ok("PUT", f"/api-keys/{made['id']}", json={"name": "renamed"})
