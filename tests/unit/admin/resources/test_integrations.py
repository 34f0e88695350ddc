import msgspec
import pytest

from lockgate.entities import ApiKey, Integration, IntegrationModel, ProviderRecord, SecretReference, WorkspaceAccess
from lockgate.entities.secret_fields import mask

SECRET = "sk-canary-0123456789-9Qx"
HEADER_SECRET = "Bearer canary-header-0123456789"


def make(plane, who="admin", **body):
    body = {"name": "Anthropic main", "ai_provider_id": "anthropic", "key": SECRET} | body
    return plane.ok("POST", "/integrations", who, json=body)


def stored_secrets(plane, slug):
    with plane.directory.read() as view:
        return {field: s.reveal() for field, s in view.secrets_of(view.get(Integration, slug)).items()}


def test_every_field_of_the_documented_shape(plane):
    made = make(
        plane,
        slug="anthropic-main",
        description="the contract of 2026",
        configurations={"anthropic_inspect_stream_for_overloaded_error": True, "custom_headers": {"x-tenant": "acme"}},
        pricing_adjustments={"multiplier": {"default": 0.9}},
        tags=["prod"],
        usage_limits={"type": "cost", "credit_limit": 500},
        rate_limits=[{"unit": "rpm", "value": 60}],
    )
    assert made.pop("warnings")
    assert made == {"id": made["id"], "slug": "anthropic-main", "object": "integration"}
    shown = plane.ok("GET", "/integrations/anthropic-main")
    limit = shown["usage_limits"][0]
    assert shown == {
        "id": made["id"],
        "slug": "anthropic-main",
        "name": "Anthropic main",
        "description": "the contract of 2026",
        "ai_provider_id": "anthropic",
        "organisation_id": plane.organisation.id,
        "workspace_id": None,
        "type": "organisation",
        "status": "active",
        "masked_key": mask(SECRET),
        "key_reference": None,
        "configurations": {
            "anthropic_inspect_stream_for_overloaded_error": True,
            "custom_headers": {"x-tenant": "acme"},
        },
        "secret_mappings": [],
        "pricing_adjustments": {"multiplier": {"default": 0.9}},
        "allow_all_models": True,
        "workspace_count": 0,
        "global_workspace_access": {"enabled": False, "usage_limits": None, "rate_limits": None},
        "global_workspace_access_settings": {"enabled": False},
        "usage_limits": [
            {
                "type": "cost", "credit_limit": 500, "alert_threshold": None, "periodic_reset": None,
                "periodic_reset_days": None, "next_usage_reset_at": None, "id": limit["id"],
            }
        ],
        "rate_limits": [{"type": "requests", "unit": "rpm", "value": 60}],
        "usage": [{"type": "cost", "used": 0, "reserved": 0, "remaining": 500, "as_of": "2026-08-21T09:30:00.000Z"}],
        "tags": ["prod"],
        "owner_id": plane.keys["admin"].id,
        "created_at": "2026-08-21T09:30:00.000Z",
        "last_updated_at": "2026-08-21T09:30:00.000Z",
        "object": "integration",
    }  # fmt: skip
    assert plane.ok("GET", f"/integrations/{made['id']}") == shown


def test_one_of_a_workspace_gets_a_provider_that_serves_at_once(plane):
    make(plane, "service", slug="mine")
    assert plane.snapshot.workspaces[plane.home.id].targets["mine"].secret.reveal() == SECRET
    shown = plane.ok("GET", "/integrations/mine", "service")
    assert (shown["type"], shown["workspace_id"], shown["workspace_count"]) == ("workspace", plane.home.id, 1)
    make(plane, "service", slug="other-name", default_provider_slug="claude-prod")
    make(plane, "service", slug="alone", create_default_provider=False)
    assert set(plane.snapshot.workspaces[plane.home.id].targets) == {"mine", "claude-prod"}
    assert plane.snapshot.workspaces[plane.other.id].targets == {}


def test_an_organisations_key_may_make_one_for_a_workspace(plane):
    make(plane, slug="theirs", workspace_id=plane.other.slug)
    assert set(plane.snapshot.workspaces[plane.other.id].targets) == {"theirs"}


def test_a_taken_slug_fails_the_whole_request(plane):
    make(plane, "service", slug="claude")
    body = plane.refused(409, "POST", "/integrations", "service",
                         json={"ai_provider_id": "openai", "key": "k-1", "slug": "b", "default_provider_slug": "claude"})  # fmt: skip
    assert "@claude" in body["message"]
    plane.refused(404, "GET", "/integrations/b", "service")
    plane.refused(409, "POST", "/integrations", json={"ai_provider_id": "openai", "key": "k", "slug": "claude"})


def test_slugs_come_from_names_and_never_change(plane):
    assert make(plane, name="Ünïcode & co")["slug"] == "unicode-co"
    again = make(plane, name="Ünïcode & co")["slug"]
    assert again.startswith("unicod-")
    assert again != "unicode-co"
    plane.ok("PUT", f"/integrations/{again}", json={"name": "Another name"})
    assert plane.ok("GET", f"/integrations/{again}")["name"] == "Another name"
    assert make(plane, slug="aZ09_-x")["slug"] == "aZ09_-x"
    plane.refused(400, "POST", "/integrations", json={"ai_provider_id": "openai", "key": "k", "slug": "a/b"})


@pytest.mark.parametrize(
    "body, path",
    [
        ({"ai_provider_id": "nope"}, "ai_provider_id"),
        ({"ai_provider_id": None}, "ai_provider_id"),
        ({"key": None}, "key"),
        ({"key": " sk-1"}, "key"),
        ({"key": "sk-1\n"}, "key"),
        ({"key": "schlüssel"}, "key"),
        ({"key": mask(SECRET)}, "key"),
        ({"key": "*****"}, "key"),
        ({"key": "env:LOCKGATE_MASTER_KEY"}, "key"),
        ({"key": "env:1x"}, "key"),
        ({"key": "file:relative"}, "key"),
        ({"configurations": {"custom_host": "http://169.254.169.254/latest"}}, "configurations.custom_host"),
        ({"configurations": {"custom_host": "http://127.0.0.1:9/v1"}}, "configurations.custom_host"),
        ({"configurations": {"custom_host": "http://10.0.0.1/v1"}}, "configurations.custom_host"),
        ({"configurations": {"custom_host": "http://[::1]/v1"}}, "configurations.custom_host"),
        ({"configurations": {"custom_host": "ftp://example.com"}}, "configurations.custom_host"),
        ({"configurations": {"custom_host": 7}}, "configurations.custom_host"),
        ({"configurations": {"custom_headers": {"a b": "c"}}}, "configurations.custom_headers"),
        ({"configurations": {"custom_headers": {"host": "c"}}}, "configurations.custom_headers"),
        ({"configurations": {"custom_headers": {"x": 1}}}, "configurations.custom_headers"),
        ({"configurations": {"custom_headers": {"x-api-key": "abc*****xyz"}}}, "configurations.custom_headers.x-api-key"),
        ({"configurations": {"aws_secret_access_key": "abc*****xyz"}}, "configurations.aws_secret_access_key"),
        ({"secret_mappings": [{"target_field": "name", "secret_reference_id": "r"}]}, "secret_mappings[0].target_field"),
        ({"secret_mappings": [{"target_field": "key", "secret_reference_id": "r"}]}, "secret_mappings[0].secret_reference_id"),
        ({"pricing_adjustments": {"multiplier": {"default": -1}}}, "pricing_adjustments.multiplier.default"),
        ({"usage_limits": {"credit_limit": 0.001}}, "usage_limits[0].credit_limit"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_path_and_changes_nothing(plane, body, path):
    full = {"name": "n", "ai_provider_id": "anthropic", "key": SECRET} | body
    refused = plane.refused(400, "POST", "/integrations", json={k: v for k, v in full.items() if v is not None})
    assert refused["error"]["param"] == path
    assert SECRET not in msgspec.json.encode(refused).decode()
    assert plane.ok("GET", "/integrations")["total"] == 0


def test_no_secret_comes_back_and_custom_headers_show_their_names(plane):
    configurations = {
        "custom_headers": {"x-tenant": "acme", "authorization": HEADER_SECRET},
        "aws_secret_access_key": "aws-canary-0123456789abc",
        "vertex_service_account_json": {"private_key": "pem-canary\n0123456789"},
        "aws_region": "eu-central-1",
    }
    make(plane, slug="main", configurations=configurations)
    text = plane.ask("GET", "/integrations/main").text + plane.ask("GET", "/integrations").text
    for canary in (SECRET, HEADER_SECRET, "aws-canary", "pem-canary"):
        assert canary not in text
    shown = plane.ok("GET", "/integrations/main")["configurations"]
    assert shown == {
        "custom_headers": {"x-tenant": "acme", "authorization": mask(HEADER_SECRET)},
        "masked_aws_secret_access_key": mask("aws-canary-0123456789abc"),
        "masked_vertex_service_account_json": shown["masked_vertex_service_account_json"],
        "aws_region": "eu-central-1",
    }
    assert (
        stored_secrets(plane, "main")["custom_headers"]
        == msgspec.json.encode(configurations["custom_headers"]).decode()
    )
    with plane.directory.read() as view:
        entries, _ = view.audit_entries()
    assert all(b"canary" not in bytes(entry.before) + bytes(entry.after) for entry in entries)


def test_an_update_keeps_what_it_does_not_name_and_null_clears(plane):
    make(plane, slug="main", description="d", configurations={"a": 1, "b": {"c": [1]}, "custom_headers": {"x-t": "1"}})
    plane.ok("PUT", "/integrations/main", json={"configurations": {"a": None, "z": "9", "masked_q": "abc*****xyz"}})
    shown = plane.ok("GET", "/integrations/main")
    assert shown["configurations"] == {"b": {"c": [1]}, "z": "9", "custom_headers": {"x-t": "1"}}
    assert (shown["description"], stored_secrets(plane, "main")["key"]) == ("d", SECRET)
    plane.ok("PUT", "/integrations/main", json={"description": None, "configurations": None, "tags": ["t"]})
    shown = plane.ok("GET", "/integrations/main")
    assert (shown["configurations"], shown["description"], shown["tags"]) == ({}, None, ["t"])
    assert set(stored_secrets(plane, "main")) == {"key"}


def test_a_new_credential_changes_all_providers_at_once(plane):
    make(plane, slug="main", workspace_id=plane.home.id)
    plane.ok("POST", "/providers", "service", json={"name": "two", "integration_id": "main", "slug": "two"})
    plane.ok("PUT", "/integrations/main", json={"key": "sk-other-0123456789"})
    targets = plane.snapshot.workspaces[plane.home.id].targets
    assert {slug: target.secret.reveal() for slug, target in targets.items()} == {
        "main": "sk-other-0123456789", "two": "sk-other-0123456789",
    }  # fmt: skip


def test_the_mask_in_place_of_the_key_is_refused_and_nothing_changes(plane):
    make(plane, slug="main")
    masked = plane.ok("GET", "/integrations/main")["masked_key"]
    refused = plane.refused(400, "PUT", "/integrations/main", json={"key": masked, "name": "n"})
    assert (refused["error"]["param"], "mask" in refused["message"]) == ("key", True)
    assert stored_secrets(plane, "main")["key"] == SECRET
    plane.refused(400, "PUT", "/integrations/main", json={"key": None})


def test_provider_level_and_slug_stay(plane):
    make(plane, slug="main")
    plane.refused(400, "PUT", "/integrations/main", json={"ai_provider_id": "openai"})
    plane.ok(
        "PUT", "/integrations/main", json={"ai_provider_id": "anthropic", "slug": "x", "workspace_id": plane.home.id}
    )
    shown = plane.ok("GET", "/integrations/main")
    assert (shown["slug"], shown["workspace_id"]) == ("main", None)


def test_a_reference_is_kept_as_one_and_only_by_who_may_make_them(plane):
    plane.environment["UP_KEY"] = SECRET
    make(plane, slug="main", key="env:UP_KEY", workspace_id=plane.home.id)
    shown = plane.ok("GET", "/integrations/main")
    assert (shown["masked_key"], shown["key_reference"]) == (None, "env:UP_KEY")
    assert stored_secrets(plane, "main") == {}
    assert plane.snapshot.workspaces[plane.home.id].targets["main"].secret.reveal() == SECRET
    plane.refused(403, "POST", "/integrations", "service", json={"ai_provider_id": "openai", "key": "env:UP_KEY"})
    # one that is not there would not run, so it is refused and the old one stays
    refused = plane.refused(400, "PUT", "/integrations/main", json={"key": "env:NOT_THERE"})
    assert "NOT_THERE is not set" in refused["message"]
    assert plane.ok("GET", "/integrations/main")["key_reference"] == "env:UP_KEY"


def test_a_mapped_key_may_be_left_out(plane):
    plane.environment["UP_KEY"] = SECRET
    with plane.directory.change() as tx:
        own = {"organisation_id": plane.organisation.id, "manager": "env", "secret_path": "UP_KEY"}
        reference = tx.insert(SecretReference(name="up", slug="up", **own))
        tx.insert(SecretReference(name="no", slug="no", allow_all_workspaces=False, **own))
    mapping = {"target_field": "key", "secret_reference_id": "up"}
    make(plane, "service", slug="main", key="", secret_mappings=[mapping])
    assert plane.ok("GET", "/integrations/main")["secret_mappings"] == [
        {"target_field": "key", "secret_reference_id": reference.id, "secret_key": None, "value_format": "string"}
    ]
    assert plane.snapshot.workspaces[plane.home.id].targets["main"].secret.reveal() == SECRET
    twice = {"ai_provider_id": "openai", "secret_mappings": [mapping, mapping]}
    assert (
        plane.refused(400, "POST", "/integrations", json=twice)["error"]["param"] == "secret_mappings[1].target_field"
    )
    foreign = {"ai_provider_id": "openai", "secret_mappings": [mapping | {"secret_reference_id": "no"}]}
    plane.refused(400, "POST", "/integrations", "service", json=foreign)


def test_deleting_one_takes_its_providers_along_and_wipes_the_credential(plane):
    made = make(plane, slug="main", workspace_id=plane.home.id)
    plane.ok("PUT", "/integrations/main/models", json={"models": [{"slug": "m", "is_custom": True}]})
    assert plane.ok("DELETE", "/integrations/main") == {}
    assert plane.snapshot.workspaces[plane.home.id].targets == {}
    plane.refused(404, "GET", "/integrations/main")
    with plane.directory.read() as view:
        assert view.get(Integration, made["id"], with_archived=True).masks == {}
        assert view.secrets_of(view.get(Integration, made["id"], with_archived=True)) == {}
        assert view.all(ProviderRecord) == view.all(IntegrationModel) == view.all(WorkspaceAccess) == ()
    make(plane, slug="main")


def test_what_keys_and_policies_name_is_deleted_only_by_force(plane):
    make(plane, slug="main", workspace_id=plane.home.id)
    key = plane.keys["service"]
    with plane.directory.change() as tx:
        tx.update(msgspec.structs.replace(tx.get(ApiKey, key.id), providers=("main",)))
    policy = {"name": "claude only", "type": "cost", "credit_limit": 5, "workspace_id": plane.home.id,
              "conditions": [{"key": "model", "value": ["@main/*"]}], "group_by": [{"key": "api_key"}]}  # fmt: skip
    plane.ok("POST", "/policies/usage-limits", json=policy)
    refused = plane.refused(409, "DELETE", "/integrations/main")
    assert "the API key 'service' and the usage policy 'claude only'" in refused["message"]
    assert plane.ok("DELETE", "/integrations/main?force_delete=true") == {}
    make(plane, slug="main", workspace_id=plane.home.id)
    assert plane.ok("DELETE", "/integrations/main", json={"force_delete": True}) == {}


def test_an_update_of_an_old_version_is_refused(plane):
    make(plane, slug="main")
    answer = plane.ask("GET", "/integrations/main")
    plane.ok("PUT", "/integrations/main", json={"name": "n"}, headers={"if-match": answer.headers["etag"]})
    plane.refused(412, "PUT", "/integrations/main", json={"name": "m"}, headers={"if-match": answer.headers["etag"]})
    plane.refused(412, "DELETE", "/integrations/main", headers={"if-match": answer.headers["etag"]})


def test_who_sees_which(plane):
    make(plane, slug="shared")
    make(plane, slug="secret")
    make(plane, "service", slug="own")
    make(plane, "other", slug="foreign")
    plane.ok("PUT", "/integrations/shared/workspaces", json={"workspaces": [{"id": plane.home.id}]})

    def slugs(key, query=""):
        return {each["slug"] for each in plane.ok("GET", f"/integrations{query}", key)["data"]}

    assert slugs("admin") == {"shared", "secret", "own", "foreign"}
    assert slugs("admin", "?type=organisation") == {"shared", "secret"}
    assert slugs("admin", "?type=workspace") == {"own", "foreign"}
    assert slugs("admin", f"?workspace_id={plane.home.slug}") == {"shared", "own"}
    assert slugs("service") == {"shared", "own"}
    assert slugs("service", "?type=organisation") == {"shared"}
    assert slugs("service", "?type=workspace&promptSlug=ignored") == {"own"}
    plane.refused(403, "GET", f"/integrations?workspace_id={plane.other.id}", "service")
    # what the organisation shares is listed; reading and changing it is the organisation's
    for method in ("GET", "PUT", "DELETE"):
        plane.refused(403, method, "/integrations/shared", "service")
        plane.refused(404, method, "/integrations/foreign", "service")
        plane.refused(404, method, "/integrations/secret", "service")
    plane.refused(403, "POST", "/integrations", "service",
                  json={"ai_provider_id": "openai", "key": "k", "workspace_id": plane.other.id})  # fmt: skip


def test_a_disabled_one_serves_nothing_until_it_is_enabled(plane):
    make(plane, slug="main", workspace_id=plane.home.id)
    plane.ok("PUT", "/integrations/main", json={"status": "disabled"})
    assert "disabled" in plane.ok("GET", "/providers/main")["trouble"]
    plane.ok("PUT", "/integrations/main", json={"status": "active"})
    assert plane.ok("GET", "/providers/main")["trouble"] is None


def test_a_reset_starts_the_counters_anew(plane):
    make(plane, slug="main", usage_limits={"type": "cost", "credit_limit": 5})
    before = plane.ok("GET", "/integrations/main")["usage_limits"][0]["id"]
    plane.ok("PUT", "/integrations/main", json={"reset_usage": True})
    assert plane.ok("GET", "/integrations/main")["usage_limits"][0]["id"] != before


def test_the_python_sdk_reads_what_holds_json_of_its_own(plane):
    make(plane, slug="main", pricing_adjustments={"multiplier": {"default": 0.9}}, configurations={"a": {"b": 1}})
    python = {"x-portkey-package-version": "portkey-2.3.4"}
    for path in ("/integrations", "/integrations/main"):
        assert plane.ok("GET", path, headers=python) == plane.ok("GET", path)


class TestSettingsAtTheTop:
    def test_they_are_taken_as_virtual_keys_have_them(self, plane):
        make(plane, slug="own", custom_host="https://llm.example.com/v1", custom_headers={"x-tenant": "acme"})
        shown = plane.ok("GET", "/integrations/own")["configurations"]
        assert shown == {"custom_host": "https://llm.example.com/v1", "custom_headers": {"x-tenant": "acme"}}
        plane.ok("PUT", "/integrations/own", json={"custom_host": "https://other.example.com"})
        assert plane.ok("GET", "/integrations/own")["configurations"]["custom_host"] == "https://other.example.com"
        plane.ok("PUT", "/integrations/own", json={"custom_host": None})
        assert plane.ok("GET", "/integrations/own")["configurations"] == {"custom_headers": {"x-tenant": "acme"}}

    def test_they_are_judged_as_those_in_configurations(self, plane):
        body = {"ai_provider_id": "anthropic", "key": SECRET, "custom_host": "http://169.254.169.254/latest"}
        found = plane.refused(400, "POST", "/integrations", json=body)
        assert found["error"]["param"] == "configurations.custom_host"

    def test_what_is_in_configurations_wins(self, plane):
        settings = {"custom_host": "https://a.example.com"}
        make(plane, slug="own", custom_host="https://b.example.com", configurations=settings)
        assert plane.ok("GET", "/integrations/own")["configurations"] == settings


def test_an_integration_that_nobody_may_use_yet_says_so(plane):
    assert make(plane, slug="shared")["warnings"] == [
        "No workspace may use this integration yet, so it has no provider; give access with "
        "PUT /v1/integrations/shared/workspaces"
    ]
    assert "warnings" not in make(plane, slug="own", workspace_id=plane.home.id)
