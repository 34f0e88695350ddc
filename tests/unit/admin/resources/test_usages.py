from tests.unit.admin.catalog_plane import make_integration


def test_who_uses_an_integration(plane):
    make_integration(plane, slug="main")
    plane.ok("PUT", "/integrations/main/workspaces", json={"workspaces": [{"id": plane.home.id}]})
    key = plane.ok("POST", "/api-keys/workspace/service", "service", json={"name": "bot", "providers": ["main"]})
    policy = {"name": "p", "value": 5, "unit": "rpm", "type": "requests", "workspace_id": plane.home.id,
              "conditions": [{"key": "provider", "value": "main"}], "group_by": [{"key": "api_key"}]}  # fmt: skip
    rate = plane.ok("POST", "/policies/rate-limits", json=policy)
    provider = plane.ok("GET", "/providers/main")
    named = [
        {"id": key["id"], "object": "api_key", "name": "bot"},
        {"id": rate["id"], "object": "rate_policy", "name": "p"},
    ]
    assert plane.ok("GET", "/integrations/main/usages")["data"] == [
        {"id": plane.home.id, "object": "workspace", "name": plane.home.slug},
        {"id": provider["id"], "object": "provider", "name": "@main"},
        *named,
    ]
    assert plane.ok("GET", "/providers/main/usages", "service")["data"] == named
    assert plane.ok("GET", "/virtual-keys/main/usages", "service")["data"] == named


def test_nobody_uses_it(plane):
    make_integration(plane, slug="main")
    assert plane.ok("GET", "/integrations/main/usages") == {"object": "list", "total": 0, "data": []}
    plane.refused(404, "GET", "/integrations/nope/usages")
    plane.refused(404, "GET", "/providers/nope/usages")
    plane.refused(404, "GET", "/integrations/main/usages", "service")
