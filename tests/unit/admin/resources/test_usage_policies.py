import pytest

from lockgate.core.limits import Demand, Spent
from lockgate.entities import RatePolicy, UsagePolicy
from lockgate.plan.policies import compile_policies

PATH = "/policies/usage-limits"
BODY = {
    "name": "per person, Claude only",
    "type": "cost",
    "credit_limit": 25,
    "alert_threshold": 20,
    "periodic_reset": "monthly",
    "conditions": [
        {"key": "metadata._user", "value": "*", "excludes": ["ci-bot"]},
        {"key": "model", "value": ["@claude-prod/*"]},
    ],
    "group_by": [{"key": "metadata._user"}],
}


def make(plane, key="admin", **body):
    made = plane.ok("POST", PATH, key, json=BODY | body)
    assert made["object"] == "policy_usage_limits"
    return made["id"]


def spend(plane, id, user, dollars):
    """Charge the policy as the data plane does for a request of this person."""
    with plane.directory.read() as view:
        (policy,) = compile_policies([view.get(UsagePolicy, id)], [], plane.clock.now)
    claim = policy.claim({"metadata._user": user, "model": "@claude-prod/claude-sonnet-4-5"})

    async def charge():
        grant = await plane.counters.reserve(Demand(claims=(claim,), nanos=dollars * 10**9))
        plane.counters.settle(grant, Spent(nanos=dollars * 10**9))

    plane.run(charge())


def entities(plane, id, **query):
    return plane.ok("GET", f"{PATH}/{id}/entities", params=query)


def test_every_field(plane):
    id = make(plane, workspace_id=plane.other.slug, description="d")
    assert plane.ok("GET", f"{PATH}/{id}") == {
        "id": id,
        "name": "per person, Claude only",
        "description": "d",
        "workspace_id": plane.other.id,
        "organisation_id": plane.organisation.id,
        "conditions": [
            {"key": "metadata._user", "value": "*", "excludes": "ci-bot"},
            {"key": "model", "value": "@claude-prod/*", "excludes": None},
        ],
        "group_by": [{"key": "metadata._user"}],
        "type": "cost",
        "credit_limit": 25,
        "alert_threshold": 20,
        "periodic_reset": "monthly",
        "periodic_reset_days": None,
        "next_usage_reset_at": "2026-09-01T00:00:00.000Z",
        "last_reset_at": None,
        "mode": "hard",
        "admission": "strict",
        "status": "active",
        "created_at": "2026-08-21T09:30:00.000Z",
        "last_updated_at": "2026-08-21T09:30:00.000Z",
        "object": "policy_usage_limits",
    }


def test_weeks_begin_on_monday(plane):
    id = make(plane, periodic_reset="weekly")
    assert plane.ok("GET", f"{PATH}/{id}")["next_usage_reset_at"] == "2026-08-24T00:00:00.000Z"


class TestUsage:
    def test_by_value(self, plane):
        id = make(plane)
        spend(plane, id, "maria", 3)
        spend(plane, id, "kim", 1)
        shown = plane.ok("GET", f"{PATH}/{id}", params={"include_usage": "true"})
        assert shown["value_key_usage_map"] == {"metadata._user:maria": 3, "metadata._user:kim": 1}
        listed = entities(plane, id)
        assert (listed["total"], [each["value_key"] for each in listed["data"]]) == (
            2, ["metadata._user:kim", "metadata._user:maria"],
        )  # fmt: skip
        assert [each["current_usage"] for each in entities(plane, id, search="MARIA")["data"]] == [3]
        assert entities(plane, id, page_size=1, current_page=1)["data"][0]["value_key"] == "metadata._user:maria"

    def test_one_value_is_set_to_zero(self, plane):
        id = make(plane)
        spend(plane, id, "maria", 3)
        spend(plane, id, "kim", 1)
        entity = entities(plane, id, search="maria")["data"][0]
        assert plane.ok("PUT", f"{PATH}/{id}/entities/{entity['id']}/reset") == {}
        assert {each["value_key"]: each["current_usage"] for each in entities(plane, id)["data"]} == {
            "metadata._user:kim": 1, "metadata._user:maria": 0,
        }  # fmt: skip
        plane.ok("PUT", f"{PATH}/{id}", json={"reset_usage_for_value": "metadata._user:kim"})
        assert entities(plane, id, search="kim")["data"][0]["current_usage"] == 0
        assert plane.ok("GET", "/audit-logs", params={"action": "reset"})["total"] == 2

    def test_all_are_set_to_zero(self, plane):
        id = make(plane)
        spend(plane, id, "maria", 3)
        plane.ok("PUT", f"{PATH}/{id}", json={"reset_usage": True})
        assert entities(plane, id)["data"] == []
        assert plane.ok("GET", f"{PATH}/{id}")["last_reset_at"] == "2026-08-21T09:30:00.000Z"

    def test_a_new_amount_keeps_what_was_counted(self, plane):
        id = make(plane)
        spend(plane, id, "maria", 3)
        plane.ok("PUT", f"{PATH}/{id}", json={"credit_limit": 50, "alert_threshold": None})
        assert entities(plane, id)["data"][0]["current_usage"] == 3
        shown = plane.ok("GET", f"{PATH}/{id}")
        assert (shown["credit_limit"], shown["alert_threshold"], shown["periodic_reset"]) == (50, None, "monthly")

    @pytest.mark.parametrize("entity", ["nothing", "", "dg==", "eA", "é"])
    def test_an_entity_that_is_none(self, plane, entity):
        plane.refused(404, "PUT", f"{PATH}/{make(plane)}/entities/{entity}/reset")


class TestUpdate:
    def test_what_may_change(self, plane):
        id = make(plane, description="d")
        plane.ok("PUT", f"{PATH}/{id}", json={"name": "n", "conditions": [], "periodic_reset_days": 7, "type": "cost"})
        shown = plane.ok("GET", f"{PATH}/{id}")
        assert (shown["name"], shown["conditions"], shown["description"]) == ("n", [], "d")
        assert (shown["periodic_reset"], shown["periodic_reset_days"]) == (None, 7)

    @pytest.mark.parametrize("body", [{"type": "tokens"}, {"group_by": []}, {"group_by": ["model"]}])
    def test_what_may_not(self, plane, body):
        assert "cannot be changed" in plane.refused(400, "PUT", f"{PATH}/{make(plane)}", json=body)["message"]

    @pytest.mark.parametrize("body", [{"credit_limit": 20}, {"alert_threshold": 25}, {"credit_limit": 0}])
    def test_what_does_not_fit_together(self, plane, body):
        plane.refused(400, "PUT", f"{PATH}/{make(plane)}", json=body)

    def test_versions(self, plane):
        id = make(plane)
        plane.ok("PUT", f"{PATH}/{id}", json={"name": "b"}, headers={"if-match": '"1"'})
        plane.refused(412, "PUT", f"{PATH}/{id}", json={"name": "c"}, headers={"if-match": '"1"'})


def test_lists_by_workspace_state_and_type(plane):
    cost, tokens = make(plane), make(plane, type="tokens", credit_limit=1000, alert_threshold=None)
    make(plane, workspace_id=plane.other.id)
    assert {each["id"] for each in plane.ok("GET", PATH)["data"]} == {cost, tokens}
    assert [each["id"] for each in plane.ok("GET", PATH, params={"type": "tokens"})["data"]] == [tokens]
    assert plane.ok("GET", PATH, params={"workspace_id": plane.other.slug})["total"] == 1
    assert plane.ok("DELETE", f"{PATH}/{cost}") == {}
    assert [each["id"] for each in plane.ok("GET", PATH, params={"status": "archived"})["data"]] == [cost]
    plane.refused(404, "GET", f"{PATH}/{cost}")
    assert plane.ok("GET", f"{PATH}/{cost}", params={"status": "archived"})["status"] == "archived"


@pytest.mark.parametrize(
    "body, param",
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"description": "x" * 501}, "description"),
        ({"credit_limit": None}, "credit_limit"),
        ({"alert_threshold": 25}, "alert_threshold"),
        ({"periodic_reset_days": 7}, "periodic_reset_days"),
        ({"conditions": [{"key": "colour"}]}, "conditions[0].key"),
        ({"group_by": [{"key": "colour"}]}, "group_by[0].key"),
        ({"type": "apples"}, "type"),
    ],
)
def test_wrong_policies_are_named_by_field(plane, body, param):
    assert plane.refused(400, "POST", PATH, json=BODY | body)["error"]["param"] == param


def test_a_workspaces_keys_reach_their_own(plane):
    own, foreign = make(plane, "service"), make(plane, workspace_id=plane.other.id)
    assert [each["id"] for each in plane.ok("GET", PATH, "service")["data"]] == [own]
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/entities")):
        plane.refused(404, method, f"{PATH}/{foreign}{path}", "service", json={})
    plane.refused(403, "POST", PATH, "service", json=BODY | {"workspace_id": plane.other.id})
    plane.ok("GET", f"{PATH}/{own}", "user")
    plane.refused(403, "DELETE", f"{PATH}/{own}", "user")
    plane.promote("manager")
    plane.ok("DELETE", f"{PATH}/{own}", "user")
    with plane.directory.read() as view:
        assert view.count(RatePolicy) == 0
