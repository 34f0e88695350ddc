from tests.unit.admin.catalog_plane import make_integration


def test_limits_are_null_or_a_list(plane):
    make_integration(plane, slug="main")
    shown = plane.ok("GET", "/integrations/main")["global_workspace_access"]
    assert shown == {"enabled": False, "usage_limits": None, "rate_limits": None}
    body = {"enabled": True, "usage_limits": {"credit_limit": 3}, "rate_limits": {"unit": "rph", "value": 4}}
    plane.ok("PUT", "/integrations/main/workspaces", json={"global_workspace_access": body})
    shown = plane.ok("GET", "/integrations/main")["global_workspace_access"]
    assert (shown["enabled"], [limit["credit_limit"] for limit in shown["usage_limits"]]) == (True, [3])
    assert shown["rate_limits"] == [{"type": "requests", "unit": "rph", "value": 4}]
    assert shown == plane.ok("GET", "/integrations/main/workspaces")["global_workspace_access"]
