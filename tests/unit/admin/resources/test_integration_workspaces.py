import pytest

from lockgate.entities import ApiKey, WorkspaceAccess
from tests.unit.admin.catalog_plane import make_integration, spend, target

PYTHON = {"x-portkey-package-version": "portkey-2.3.4"}
PATH = "/integrations/main/workspaces"
DOLLAR = 10**9


@pytest.fixture
def shared(plane):
    make_integration(plane, slug="main")
    return plane


def put(plane, **body):
    return plane.ok("PUT", PATH, json=body)


def test_access_makes_a_provider_and_limits_count_over_all_of_them(shared):
    plane = shared
    access = {
        "id": plane.home.slug, "enabled": True,
        "usage_limits": [{"type": "cost", "credit_limit": 100, "periodic_reset": "monthly"}],
        "rate_limits": [{"type": "tokens", "unit": "rpm", "value": 200000}],
        "create_default_provider": True, "default_provider_slug": "claude-prod",
    }  # fmt: skip
    assert put(plane, workspaces=[access]) == {}
    plane.ok("POST", "/providers", json={"name": "b", "slug": "b", "integration_id": "main"})
    claims = {slug: target(plane, slug).claims for slug in ("claude-prod", "b")}
    assert claims["claude-prod"] == claims["b"]
    (budget,) = [claim for claim in claims["b"] if claim.limit.unit == "nanos"]
    spend(plane, budget, nanos=3 * DOLLAR, reserved=DOLLAR // 2)
    shown = plane.ok("GET", PATH)
    (entry,) = shown["workspaces"]
    assert shown == {
        "total": 1,
        "workspaces": [
            {
                "id": plane.home.id,
                "slug": plane.home.slug,
                "name": plane.home.name,
                "enabled": True,
                "usage_limits": [
                    {
                        "type": "cost", "credit_limit": 100, "alert_threshold": None, "periodic_reset": "monthly",
                        "periodic_reset_days": None, "next_usage_reset_at": "2026-09-01T00:00:00.000Z",
                        "id": entry["usage_limits"][0]["id"],
                    }
                ],
                "rate_limits": [{"type": "tokens", "unit": "rpm", "value": 200000}],
                "usage": [
                    {"type": "cost", "used": 3, "reserved": 0.5, "remaining": 96.5, "as_of": "2026-08-21T09:30:00.000Z"}
                ],
                "created_at": "2026-08-21T09:30:00.000Z",
                "last_updated_at": "2026-08-21T09:30:00.000Z",
            }
        ],
        "global_workspace_access": {"enabled": False, "usage_limits": None, "rate_limits": None},
        "object": "list",
    }  # fmt: skip


@pytest.mark.parametrize("limits", [[], [{"type": "cost", "credit_limit": 5}, {"type": "tokens", "credit_limit": 500}]])
def test_the_python_sdk_gets_limits_as_its_class_has_them(shared, limits):
    put(shared, workspaces=[{"id": shared.home.id, "usage_limits": limits}])
    (api,) = shared.ok("GET", PATH)["workspaces"]
    (entry,) = shared.ok("GET", PATH, headers=PYTHON)["workspaces"]
    assert entry["usage_limits"] == (api["usage_limits"][0] if limits else None)
    assert entry["usage_limits_list"] == api["usage_limits"]
    assert entry["rate_limits"] is None


def test_the_rest_is_untouched_and_null_clears(shared):
    plane = shared
    limit = {"type": "cost", "credit_limit": 5}
    put(plane, workspaces=[{"id": plane.home.id, "usage_limits": [limit]}, {"id": plane.other.slug}])
    put(plane, workspaces=[{"id": plane.other.id, "rate_limits": {"value": 7}}])
    by_id = {each["id"]: each for each in plane.ok("GET", PATH)["workspaces"]}
    assert by_id[plane.home.id]["usage_limits"][0]["credit_limit"] == 5
    assert by_id[plane.other.id]["rate_limits"] == [{"type": "requests", "unit": "rpm", "value": 7}]
    put(plane, workspaces=[{"id": plane.home.id, "usage_limits": None}])
    by_id = {each["id"]: each for each in plane.ok("GET", PATH)["workspaces"]}
    assert by_id[plane.home.id]["usage_limits"] == []


def test_access_that_is_taken_away_keeps_what_there_was(shared):
    plane = shared
    put(plane, workspaces=[{"id": plane.home.id, "usage_limits": [{"credit_limit": 5}]}])
    put(plane, workspaces=[{"id": plane.home.id, "enabled": False}])
    assert "no access" in target(plane, "main").trouble
    plane.refused(400, "POST", "/providers", json={"name": "n", "integration_id": "main"})
    put(plane, workspaces=[{"id": plane.home.id, "enabled": True}])
    assert target(plane, "main").trouble is None
    assert plane.ok("GET", "/providers")["total"] == 1
    assert plane.ok("GET", PATH)["workspaces"][0]["usage_limits"][0]["credit_limit"] == 5


def test_a_change_of_limits_alone_leaves_access_as_it_is(shared):
    put(shared, workspaces=[{"id": shared.home.id, "enabled": False}])
    assert shared.ok("GET", PATH)["workspaces"] == []
    put(shared, workspaces=[{"id": shared.home.id}])
    put(shared, workspaces=[{"id": shared.home.id, "enabled": False}])
    put(shared, workspaces=[{"id": shared.home.id, "rate_limits": [{"value": 1}]}])
    assert shared.ok("GET", PATH)["workspaces"][0]["enabled"] is False


@pytest.mark.parametrize("name", ["override_existing_workspaces_access", "override_existing_workspace_access"])
def test_global_access_is_for_later_workspaces_and_by_the_flag_for_all(shared, name):
    plane = shared
    put(plane, global_workspace_access={"enabled": True, "usage_limits": [{"credit_limit": 9}]})
    assert plane.ok("GET", PATH)["total"] == 0
    later = plane.ok("POST", "/admin/workspaces", json={"name": "Later"})
    assert [each["id"] for each in plane.ok("GET", PATH)["workspaces"]] == [later["id"]]
    put(plane, global_workspace_access={"enabled": True}, **{name: True})
    shown = plane.ok("GET", PATH)
    assert {each["id"] for each in shown["workspaces"]} == {later["id"], plane.home.id, plane.other.id}
    assert shown["global_workspace_access"]["usage_limits"][0]["credit_limit"] == 9
    assert {target(plane, "main", each).slug for each in (plane.home, plane.other)} == {"main"}
    put(plane, global_workspace_access={"enabled": False}, **{name: True})
    assert {each["enabled"] for each in plane.ok("GET", PATH)["workspaces"]} == {False}
    put(plane, global_workspace_access=None)
    assert plane.ok("GET", PATH)["global_workspace_access"]["enabled"] is False


def test_without_a_default_provider_none_is_made(shared):
    put(shared, workspaces=[{"id": shared.home.id}], create_default_provider=False)
    assert shared.ok("GET", "/providers")["total"] == 0


def test_a_taken_slug_fails_the_request(shared):
    make_integration(shared, "service", slug="x", default_provider_slug="taken")
    refused = shared.refused(
        409, "PUT", PATH, json={"workspaces": [{"id": shared.home.id}], "default_provider_slug": "taken"}
    )
    assert "@taken" in refused["message"]
    assert shared.ok("GET", PATH)["total"] == 0


def test_a_reset_starts_the_counter_anew(shared):
    put(shared, workspaces=[{"id": shared.home.id, "usage_limits": [{"credit_limit": 5}]}])
    spend(shared, target(shared, "main").claims[0], nanos=4 * DOLLAR)
    put(shared, workspaces=[{"id": shared.home.id, "reset_usage": True}])
    assert shared.ok("GET", PATH)["workspaces"][0]["usage"][0]["used"] == 0


def test_what_cannot_be(shared):
    plane = shared
    plane.refused(403, "PUT", PATH, json={"workspaces": [{"id": "ws-nowhere"}]})
    plane.refused(400, "PUT", PATH, json={"workspaces": [{"id": plane.home.id}, {"id": plane.home.slug}]})
    plane.refused(404, "PUT", PATH, "service", json={"workspaces": [{"id": plane.home.id}]})
    make_integration(plane, "service", slug="own")
    plane.refused(409, "PUT", "/integrations/own/workspaces", json={"workspaces": [{"id": plane.other.id}]})
    assert plane.ok("GET", "/integrations/own/workspaces")["total"] == 0
    with plane.directory.read() as view:
        assert view.all(WorkspaceAccess) == ()
        assert len(view.all(ApiKey)) == 4


@pytest.mark.parametrize(
    "entries, status, param",
    [
        ([{"id": "nowhere"}], 403, "workspaces[0].id"),
        ([{"id": "{home}"}, {"id": "{home}"}], 400, "workspaces[1].id"),
        ([{"id": "{home}", "usage_limits": [{"credit_limit": 0}]}], 400, "workspaces[0].usage_limits[0].credit_limit"),
    ],
)
def test_a_refusal_says_where_the_fault_is(shared, entries, status, param):
    asked = [{**entry, "id": entry["id"].format(home=shared.home.slug)} for entry in entries]
    refused = shared.refused(status, "PUT", PATH, json={"workspaces": asked})
    assert refused["error"]["param"] == param
    assert shared.ok("GET", PATH)["total"] == 0
