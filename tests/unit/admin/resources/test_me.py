from msgspec import structs

from lockgate.plan.keys import digest_of
from lockgate.plan.snapshot import GatewayKey


def test_a_key_knows_itself_and_its_limits(plane):
    plane.save_config("pc-key")
    body = {
        "name": "bot",
        "scopes": ["completions.write"],
        "usage_limits": {"type": "tokens", "credit_limit": 1000},
        "rate_limits": [{"unit": "rpm", "value": 7}],
        "defaults": {"metadata": {"team": "key", "app": "a"}, "config_id": "pc-key"},
        "expires_at": "2026-09-01T00:00:00Z",
    }
    made = plane.ok("POST", "/api-keys/workspace/service", json=body)
    plane.ok(
        "PUT", f"/admin/workspaces/{plane.home.slug}",
        json={"defaults": {"metadata": {"team": "ws"}}, "rate_limits": [{"unit": "rpd", "value": 9}]},
    )  # fmt: skip
    me = plane.ok("GET", "/me", made["key"])
    assert (me["id"], me["name"], me["type"]) == (made["id"], "bot", "workspace-service")
    assert me["workspace"] == {"id": plane.home.id, "slug": plane.home.slug, "name": plane.home.name}
    assert me["scopes"] == ["completions.write"]
    assert me["expires_at"] == "2026-09-01T00:00:00.000Z"
    assert me["defaults"] == {
        "metadata": {"team": "ws", "app": "a"}, "config_id": "pc-key", "allow_config_override": True,
    }  # fmt: skip
    own, workspace = me["limits"]
    assert (own["scope"], own["usage"][0]["remaining"], own["rate_limits"][0]["value"]) == ("key", 1000, 7)
    assert (workspace["scope"], workspace["rate_limits"]) == (
        "workspace", [{"type": "requests", "unit": "rpd", "value": 9}],
    )  # fmt: skip


def test_a_persons_key_shows_what_the_role_leaves(plane):
    me = plane.ok("GET", "/me", "user")
    assert me["user_id"] == plane.person.id
    assert "prompts.create" not in me["scopes"]
    plane.promote("manager")
    assert "prompts.create" in plane.ok("GET", "/me", "user")["scopes"]


def test_an_organisations_key_has_no_workspaces_limits(plane):
    me = plane.ok("GET", "/me")
    assert me["type"] == "organisation-service"
    assert [limits["scope"] for limits in me["limits"]] == ["key"]


def test_a_key_of_the_file_knows_itself_too(plane):
    key = GatewayKey(id="key_f", name="f", workspace=plane.home.id, expires_at=plane.clock.unix() + 60)
    plane.snapshot = structs.replace(plane.snapshot, keys={**plane.snapshot.keys, digest_of("file-key"): key})
    me = plane.ok("GET", "/me", "file-key")
    assert (me["id"], me["expires_at"]) == ("key_f", "2026-08-21T09:31:00.000Z")
