import pytest

from lockgate.admin.roles import SWITCHES
from lockgate.core.secret import Secret
from lockgate.entities import (
    ApiKey,
    GlobalAccess,
    Integration,
    Member,
    ProviderRecord,
    RateLimit,
    RatePolicy,
    Workspace,
)


def make(plane, **body):
    return plane.ok("POST", "/admin/workspaces", json={"name": "Billing team"} | body)


def test_every_field_of_the_documented_shape(plane):
    made = make(
        plane,
        description="who sends invoices",
        defaults={"metadata": {"team": "billing"}, "user_api_key_config": None},
        usage_limits=[{"type": "cost", "credit_limit": 500, "alert_threshold": 400, "periodic_reset": "monthly"}],
        rate_limits=[{"type": "requests", "unit": "rpm", "value": 600}],
        users=[plane.person.id],
    )
    assert made["slug"].startswith("ws-billin-")
    limit = made["usage_limits"][0]
    assert made == {
        "id": made["id"],
        "slug": made["slug"],
        "name": "Billing team",
        "icon": None,
        "description": "who sends invoices",
        "is_default": 0,
        "organisation_id": plane.organisation.id,
        "status": "active",
        "defaults": {
            "metadata": {"team": "billing"}, "config_id": None, "user_api_key_config": None,
            "input_guardrails": [], "output_guardrails": [], "recording": None,
        },
        "usage_limits": [
            {
                "type": "cost", "credit_limit": 500, "alert_threshold": 400, "periodic_reset": "monthly",
                "periodic_reset_days": None, "next_usage_reset_at": "2026-09-01T00:00:00.000Z", "id": limit["id"],
            }
        ],
        "rate_limits": [{"type": "requests", "unit": "rpm", "value": 600}],
        "usage": [{"type": "cost", "used": 0, "reserved": 0, "remaining": 500, "as_of": "2026-08-21T09:30:00.000Z"}],
        "security_settings": dict(SWITCHES),
        "settings": {
            "debug_log": 1, "user_from_body": 0, "user_api_key_ttl": 0, "user_api_key_max_ttl": 0, "user_api_key_count": -1,
            "user_key_metadata": 1, "user_key_metadata_override": 1,
        },
        "last_reset_at": None,
        "created_by": plane.keys["admin"].id,
        "creation_source": "api",
        "created_at": "2026-08-21T09:30:00.000Z",
        "last_updated_at": "2026-08-21T09:30:00.000Z",
        "users": [
            {
                "id": plane.person.id, "email": "kim@example.org", "first_name": "Kim", "last_name": "Lee",
                "role": "member", "org_role": "member", "status": "active",
            }
        ],
        "object": "workspace",
    }  # fmt: skip
    assert plane.ok("GET", f"/admin/workspaces/{made['slug']}") == made
    assert plane.ok("GET", f"/admin/workspaces/{made['id']}") == made


def test_integral_limits_are_integers(plane):
    made = plane.ask(
        "POST", "/admin/workspaces",
        json={"name": "a", "usage_limits": [{"credit_limit": 5.0, "alert_threshold": 2.50}, {"type": "tokens", "credit_limit": 100}]},
    )  # fmt: skip
    assert '"credit_limit":5,"alert_threshold":2.5,' in made.text
    assert '"credit_limit":100,' in made.text


def test_users_with_roles_and_unknown_ones(plane):
    made = make(plane, users=[{"id": plane.person.id, "role": "manager"}, plane.owner.id])
    assert {user["email"]: user["role"] for user in made["users"]} == {
        "kim@example.org": "manager", "owner@example.org": "member",
    }  # fmt: skip
    body = plane.refused(400, "POST", "/admin/workspaces", json={"name": "x", "users": ["nobody"]})
    assert body["error"]["param"] == "users[0]"


def test_a_chosen_slug_and_names_that_are_taken(plane):
    assert make(plane, slug="billing")["slug"] == "billing"
    plane.refused(409, "POST", "/admin/workspaces", json={"name": "other", "slug": "billing"})
    plane.refused(409, "POST", "/admin/workspaces", json={"name": "BILLING team"})
    plane.refused(400, "POST", "/admin/workspaces", json={"name": "x", "slug": "no spaces"})


def test_it_gets_the_integrations_that_are_for_all(plane):
    with plane.directory.change() as tx:
        tx.insert(
            Integration(
                organisation_id=plane.organisation.id, name="All", slug="all", provider="anthropic",
                global_access=GlobalAccess(is_enabled=True),
            ),
            secrets={"key": Secret("sk-ant-0123456789")},
        )  # fmt: skip
    made = make(plane)
    assert plane.snapshot.workspaces[made["id"]].targets["all"].trouble is None


@pytest.mark.parametrize(
    "query, names",
    [
        ({}, {"Shared Team Workspace", "Research"}),
        ({"name": "res"}, {"Research"}),
        ({"name": "team"}, {"Shared Team Workspace"}),
        ({"exact_name": "research"}, {"Research"}),
        ({"exact_name": "resear"}, set()),
        ({"name": "Research", "exact_name": "true"}, {"Research"}),
        ({"name": "Resear", "exact_name": "true"}, set()),
        ({"status": "archived"}, set()),
        ({"pageSize": 1, "currentPage": 1}, {"Shared Team Workspace", "Research"}),
    ],
)
def test_lists(plane, query, names):
    listed = plane.ok("GET", "/admin/workspaces", params=query)
    found = {each["name"] for each in listed["data"]}
    assert found <= names
    assert len(found) == min(len(names), int(query.get("pageSize", 100)))
    assert listed["total"] == len(names)


class TestUpdate:
    def test_missing_stays_null_clears_and_the_object_comes_back(self, plane):
        made = make(plane, description="old", rate_limits=[{"value": 5}], defaults={"metadata": {"a": "b"}})
        path = f"/admin/workspaces/{made['slug']}"
        plane.save_config("pc-1", workspace=made["id"])
        changed = plane.ok("PUT", path, json={"name": "New", "defaults": {"config_id": "pc-1"}})
        assert (changed["name"], changed["description"], changed["slug"]) == ("New", "old", made["slug"])
        assert (changed["defaults"]["metadata"], changed["defaults"]["config_id"]) == ({"a": "b"}, "pc-1")
        asked = {"mode": "redacted", "enforce": True, "personal": ["email"], "drop_paths": ["user.ssn"]}
        changed = plane.ok("PUT", path, json={"defaults": {"recording": asked}})
        assert changed["defaults"]["recording"].items() >= asked.items()
        plane.refused(400, "PUT", path, json={"defaults": {"recording": {"drop_paths": ["a["]}}})
        changed = plane.ok("PUT", path, json={"description": None, "rate_limits": None, "defaults": None})
        assert (changed["description"], changed["rate_limits"], changed["defaults"]["metadata"]) == (None, [], None)

    def test_switches_and_settings_are_merged(self, plane):
        path = f"/admin/workspaces/{plane.home.slug}"
        plane.ok("PUT", path, json={"security_settings": {"membersViewLogs": False, "nonsense": True}})
        changed = plane.ok(
            "PUT", path, json={"security_settings": {"membersWritePrompts": True}, "settings": {"debug_log": 0}}
        )
        switches = changed["security_settings"]
        assert (switches["membersViewLogs"], switches["membersWritePrompts"]) == (False, True)
        assert "nonsense" not in switches
        assert changed["settings"]["debug_log"] == 0
        assert "logs.view" not in plane.ok("GET", "/me", "user")["scopes"]

    def test_versions(self, plane):
        path = f"/admin/workspaces/{plane.home.slug}"
        plane.ok("PUT", path, json={"description": "x"}, headers={"if-match": '"1"'})
        plane.refused(412, "PUT", path, json={"description": "y"}, headers={"if-match": '"1"'})

    def test_usage_is_set_to_zero(self, plane):
        made = make(plane, usage_limits=[{"type": "tokens", "credit_limit": 100}])
        changed = plane.ok("PUT", f"/admin/workspaces/{made['id']}", json={"reset_usage": True})
        assert changed["last_reset_at"] == "2026-08-21T09:30:00.000Z"
        assert changed["usage_limits"][0]["id"] != made["usage_limits"][0]["id"]


class TestWorkspaceKeys:
    def test_its_own_it_sees_and_changes(self, plane):
        assert [each["slug"] for each in plane.ok("GET", "/admin/workspaces", "service")["data"]] == [plane.home.slug]
        plane.ok("PUT", f"/admin/workspaces/{plane.home.id}", "service", json={"description": "ours"})
        assert plane.ok("GET", f"/admin/workspaces/{plane.home.id}", "service")["description"] == "ours"

    def test_others_it_does_not(self, plane):
        for name in (plane.other.id, plane.other.slug, "nowhere"):
            assert plane.refused(403, "GET", f"/admin/workspaces/{name}", "service")["error"]["code"] == "AB03"
            plane.refused(403, "PUT", f"/admin/workspaces/{name}", "service", json={"name": "x"})

    def test_making_and_deleting_is_the_organisations(self, plane):
        plane.refused(403, "POST", "/admin/workspaces", "service", json={"name": "x"})
        plane.refused(403, "DELETE", f"/admin/workspaces/{plane.home.id}", "service", json={"name": plane.home.name})
        plane.refused(403, "GET", "/admin/workspaces", "user")


class TestDelete:
    def delete(self, plane, slug, status=200, **body):
        path = f"/admin/workspaces/{slug}"
        if status == 200:
            return plane.ok("DELETE", path, json=body)
        return plane.refused(status, "DELETE", path, json=body)

    def test_its_name_confirms_it(self, plane):
        made = make(plane)
        assert self.delete(plane, made["slug"], 400)["error"]["param"] == "name"
        self.delete(plane, made["slug"], 400, name="billing team")
        assert self.delete(plane, made["slug"], name="Billing team", workspace_id=made["slug"]) == {}
        plane.refused(403, "GET", f"/admin/workspaces/{made['slug']}")
        archived = plane.ok("GET", "/admin/workspaces", params={"status": "archived"})["data"]
        assert [each["id"] for each in archived] == [made["id"]]

    def test_the_default_one_stays(self, plane):
        self.delete(plane, plane.home.slug, 409, name=plane.home.name, force_delete=True)

    def test_not_with_something_in_it_unless_forced(self, plane):
        body = self.delete(plane, plane.other.slug, 409, name=plane.other.name)
        assert "1 API key" in body["message"]
        assert body["error"]["code"] == "AB07"
        with plane.directory.change() as tx:
            own = {"organisation_id": plane.organisation.id, "workspace_id": plane.other.id}
            integration = tx.insert(
                Integration(name="i", slug="i", provider="anthropic", **own),
                secrets={"key": Secret("sk-ant-0123456789")},
            )
            tx.insert(ProviderRecord(integration_id=integration.id, slug="p", name="p", **own))
            tx.insert(Member(user_id=plane.person.id, **own))
            tx.insert(RatePolicy(name="r", limit=RateLimit(cap=1), **own))
        self.delete(plane, plane.other.slug, name=plane.other.name, force_delete=True)
        with plane.directory.read() as view:
            for kind in (ApiKey, ProviderRecord, Integration, Member, RatePolicy):
                assert view.count(kind, workspace_id=plane.other.id) == 0
            assert view.find(Workspace, plane.other.id) is None
        plane.refused(401, "GET", "/me", "other")
