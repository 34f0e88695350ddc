import pytest

PATH = "/admin/organisation/defaults"


def test_they_are_shown_and_changed_in_part(plane):
    assert plane.ok("GET", PATH) == {
        "organisation_id": plane.organisation.id,
        "metadata": None,
        "config_id": None,
        "input_guardrails": [],
        "output_guardrails": [],
        "recording": None,
        "block_inline_config": False,
        "api_key_max_ttl_s": None,
        "api_key_max_transition_s": None,
        "key_metadata_schema": None,
        "workspace_metadata_schema": None,
        "denied_export_fields": [],
        "last_updated_at": "2026-08-21T09:30:00.000Z",
        "object": "organisation-defaults",
    }
    plane.save_config("pc-1")
    changed = {
        "metadata": {"org": "acme"},
        "config_id": "pc-1",
        "input_guardrails": ["pg-1"],
        "block_inline_config": True,
        "recording": {
            "mode": "metrics_only",
            "enforce": True,
            "personal": None,
            "action": None,
            "drop_paths": None,
            "sensitive_headers": ["x-tenant"],
        },
    }
    assert plane.ok("PUT", PATH, json=changed).items() >= changed.items()
    plane.ok("PUT", PATH, json={"config_id": None, "api_key_max_ttl_s": 60})
    shown = plane.ok("GET", PATH)
    assert (shown["metadata"], shown["config_id"], shown["api_key_max_ttl_s"]) == ({"org": "acme"}, None, 60)
    cleared = plane.ok("PUT", PATH, json=dict.fromkeys(("metadata", "block_inline_config", "api_key_max_ttl_s")))
    assert (cleared["metadata"], cleared["block_inline_config"], cleared["api_key_max_ttl_s"]) == (None, False, None)


SCHEMA = {
    "type": "object", "required": ["team"],
    "properties": {"team": {"enum": ["search", "ads"]}, "tier": {"type": "string", "default": "free"}},
}  # fmt: skip


def test_metadata_schemas_hold_for_keys_and_workspaces(plane):
    both = {"key_metadata_schema": SCHEMA, "workspace_metadata_schema": {"required": ["owner"]}}
    shown = plane.ok("PUT", PATH, json=both)
    assert (shown["key_metadata_schema"], shown["workspace_metadata_schema"]) == (SCHEMA, {"required": ["owner"]})

    def make_key(**metadata):
        return {"name": "k", "scopes": ["logs.list"], "defaults": {"metadata": metadata}}

    for body, fault in (
        ({"name": "k", "scopes": ["logs.list"]}, "team is missing"), (make_key(tier="x"), "team is missing"),
        (make_key(team="other"), "team must be one of search, ads"),
    ):  # fmt: skip
        refused = plane.refused(400, "POST", "/api-keys/workspace/service", json=body)
        assert fault in refused["message"]
        assert refused["error"]["param"] == "defaults.metadata"
    made = plane.ok("POST", "/api-keys/workspace/service", json=make_key(team="ads"))
    assert plane.ok("GET", f"/api-keys/{made['id']}")["defaults"]["metadata"] == {"team": "ads", "tier": "free"}
    plane.refused(400, "PUT", f"/api-keys/{made['id']}", json={"defaults": {"metadata": {"team": "x"}}})
    plane.ok("PUT", f"/api-keys/{made['id']}", json={"name": "renamed"})
    plane.ok("POST", "/api-keys/organisation/service", json={"name": "k", "scopes": ["logs.list"]})
    plane.refused(400, "POST", "/admin/workspaces", json={"name": "W"})
    plane.ok("POST", "/admin/workspaces", json={"name": "W", "defaults": {"metadata": {"owner": "x"}}})
    plane.ok("PUT", f"/admin/workspaces/{plane.home.slug}", json={"name": "as it was before the schema"})
    plane.refused(400, "PUT", f"/admin/workspaces/{plane.home.slug}", json={"defaults": {"metadata": {"a": "b"}}})
    plane.ok("PUT", PATH, json=dict.fromkeys(both))
    plane.ok("POST", "/api-keys/workspace/service", json=make_key())


def test_what_the_workspace_says_counts_for_its_keys(plane):
    plane.ok("PUT", f"/admin/workspaces/{plane.home.slug}", json={"defaults": {"metadata": {"team": "search"}}})
    plane.ok("PUT", PATH, json={"key_metadata_schema": SCHEMA})
    body = {"name": "k", "scopes": ["logs.list"]}
    plane.ok("POST", "/api-keys/workspace/service", json=body)
    plane.refused(400, "POST", "/api-keys/workspace/service", json={**body, "workspace_id": plane.other.slug})


@pytest.mark.parametrize("schema", [{"type": "array"}, {"properties": {"a": {"type": "number"}}}, {"if": {}}])
def test_a_schema_that_says_more_than_is_looked_at_is_refused(plane, schema):
    refused = plane.refused(400, "PUT", PATH, json={"key_metadata_schema": schema})
    assert refused["error"]["param"].startswith("key_metadata_schema.")


def test_versions(plane):
    assert plane.ask("GET", PATH).headers["etag"] == '"1"'
    plane.ok("PUT", PATH, json={"metadata": {"a": "1"}}, headers={"if-match": '"1"'})
    plane.refused(412, "PUT", PATH, json={"metadata": {"b": "1"}}, headers={"if-match": '"1"'})


@pytest.mark.parametrize("body", [{"metadata": {"a": 1}}, {"api_key_max_ttl_s": 0}, {"input_guardrails": "pg"}])
def test_wrong_ones(plane, body):
    plane.refused(400, "PUT", PATH, json=body)


@pytest.mark.parametrize("key", ["service", "user"])
def test_workspaces_keys_may_not(plane, key):
    plane.refused(403, "GET", PATH, key)
    plane.refused(403, "PUT", PATH, key, json={})


def test_inline_configs_are_blocked_in_every_workspace_at_once(plane):
    blocked = lambda: {one.is_saved_only for one in plane.snapshot.workspaces.values()}  # noqa: E731
    assert blocked() == {False}
    plane.ok("PUT", PATH, json={"block_inline_config": True})
    assert all(plane.snapshot.workspaces[one.id].is_saved_only for one in (plane.home, plane.other))
    plane.ok("PUT", PATH, json={"block_inline_config": False})
    assert blocked() == {False}
