import pytest

PATH = "/policies/rate-limits"
BODY = {"name": "calm", "type": "requests", "unit": "rpm", "value": 5, "group_by": [{"key": "api_key"}]}


def make(plane, key="admin", **body):
    made = plane.ok("POST", PATH, key, json=BODY | body)
    assert made["object"] == "policy_rate_limits"
    return made["id"]


def test_every_field(plane):
    id = make(plane, conditions=[{"key": "endpoint_type", "value": ["chatComplete", "embed"]}])
    assert plane.ok("GET", f"{PATH}/{id}") == {
        "id": id,
        "name": "calm",
        "description": None,
        "workspace_id": plane.home.id,
        "organisation_id": plane.organisation.id,
        "conditions": [{"key": "endpoint_type", "value": ["chatComplete", "embed"], "excludes": None}],
        "group_by": [{"key": "api_key"}],
        "type": "requests",
        "unit": "rpm",
        "value": 5,
        "target": "llm",
        "status": "active",
        "created_at": "2026-08-21T09:30:00.000Z",
        "last_updated_at": "2026-08-21T09:30:00.000Z",
        "object": "policy_rate_limits",
    }


def test_what_may_change_and_what_not(plane):
    id = make(plane, description="d")
    assert plane.ok("PUT", f"{PATH}/{id}", json={"name": "n", "value": 0, "unit": "rph", "description": None}) == {}
    shown = plane.ok("GET", f"{PATH}/{id}")
    assert (shown["name"], shown["value"], shown["unit"], shown["description"]) == ("n", 0, "rph", None)
    plane.ok(
        "PUT", f"{PATH}/{id}", json={"type": "requests", "target": "llm", "group_by": ["api_key"], "conditions": []}
    )
    for body in ({"type": "tokens"}, {"target": "mcp_tools"}, {"group_by": []}):
        assert "cannot be changed" in plane.refused(400, "PUT", f"{PATH}/{id}", json=body)["message"]
    assert plane.refused(400, "PUT", f"{PATH}/{id}", json={"unit": "rpx"})["error"]["param"] == "unit"
    assert plane.refused(400, "PUT", f"{PATH}/{id}", json={"value": -1})["error"]["param"] == "value"
    plane.refused(412, "PUT", f"{PATH}/{id}", json={"name": "c"}, headers={"if-match": '"1"'})


def test_each_target_has_its_keys(plane):
    make(plane, target="mcp_tools", conditions=[{"key": "mcp_tool", "value": "search"}])
    plane.refused(400, "POST", PATH, json=BODY | {"conditions": [{"key": "mcp_tool"}]})
    plane.refused(400, "POST", PATH, json=BODY | {"target": "mcp_tools", "conditions": [{"key": "model"}]})


def test_lists(plane):
    fast, slow = make(plane, unit="rps"), make(plane, type="tokens", unit="rpd")
    make(plane, workspace_id=plane.other.id)
    assert {each["id"] for each in plane.ok("GET", PATH)["data"]} == {fast, slow}
    assert [each["id"] for each in plane.ok("GET", PATH, params={"unit": "rps"})["data"]] == [fast]
    assert [each["id"] for each in plane.ok("GET", PATH, params={"type": "tokens"})["data"]] == [slow]
    assert plane.ok("DELETE", f"{PATH}/{fast}") == {}
    assert [each["id"] for each in plane.ok("GET", PATH, params={"status": "archived"})["data"]] == [fast]
    plane.refused(404, "GET", f"{PATH}/{fast}")
    assert plane.ok("GET", f"{PATH}/{fast}", params={"status": "archived"})["status"] == "archived"
    assert len(plane.ok("GET", PATH, params={"page_size": 1, "current_page": 1})["data"]) == 0


@pytest.mark.parametrize(
    "body, param",
    [({"name": ""}, "name"), ({"value": -1}, "value"), ({"unit": "tpm"}, "unit"), ({"target": "x"}, "target")],
)
def test_wrong_policies(plane, body, param):
    assert plane.refused(400, "POST", PATH, json=BODY | body)["error"]["param"] == param


def test_a_workspaces_keys_reach_their_own(plane):
    own, foreign = make(plane, "service"), make(plane, workspace_id=plane.other.id)
    for method in ("GET", "PUT", "DELETE"):
        plane.refused(404, method, f"{PATH}/{foreign}", "service", json={})
    plane.ok("GET", f"{PATH}/{own}", "user")
    plane.refused(403, "PUT", f"{PATH}/{own}", "user", json={})
