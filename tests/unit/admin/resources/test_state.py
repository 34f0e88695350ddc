import json

import pytest
import yaml

from lockgate.entities import ApiKey, Integration, ProviderRecord
from tests.unit.admin.catalog_plane import SECRET, make_integration, target

DOCUMENT = """
version: 1
workspaces:
  - slug: ws-billing
    name: Billing
    defaults: {metadata: {team: billing}, recording: {mode: redacted, personal: [email], enforce: true}}
    usage_limits: [{type: cost, credit_limit: 100.5, periodic_reset: monthly}]
    settings: {debug_log: 0}
secret_references:
  - slug: spare
    name: Spare
    manager_type: env
    auth_config: {region: eu}
    secret_path: SPARE_KEY
    allowed_workspaces: [ws-billing]
integrations:
  - slug: claude
    name: Claude
    ai_provider_id: anthropic
    key: env:UP_KEY
    configurations: {custom_host: "https://llm.example.org"}
    pricing_adjustments: {multiplier: {default: 0.9}}
    workspaces:
      - workspace: ws-billing
        rate_limits: [{type: requests, unit: rpm, value: 60}]
    models:
      - slug: house
        is_custom: true
        base_model_slug: claude-sonnet-4-5
        pricing_config: {pay_as_you_go: {request_token: {price: 0.0002}, response_token: {price: 0.001}}}
providers:
  - workspace: ws-billing
    slug: claude
    integration: claude
    name: Claude
    usage_limits: [{type: cost, credit_limit: 20, periodic_reset_days: 10}]
    expires_at: 2027-01-01T00:00:00Z
configs:
  - slug: main
    workspace: ws-billing
    name: Main
    config: {provider: "@claude", retry: {attempts: 2}}
keys:
  - name: invoices
    workspace: ws-billing
    scopes: [completions.write]
    providers: [claude]
    defaults: {recording: {mode: metrics_only}, config_id: main}
    usage_limits: [{type: cost, credit_limit: 5}]
usage_policies:
  - workspace: ws-billing
    name: per person
    type: cost
    credit_limit: 3
    conditions: [{key: metadata._user, value: "*"}]
    group_by: [metadata._user]
rate_policies:
  - workspace: ws-billing
    name: calm
    type: requests
    unit: rpm
    value: 7
    conditions: [{key: model, value: ["@claude/*"]}]
    group_by: [api_key]
"""
NAMES = [
    ("create", "workspaces", "ws-billing"),
    ("create", "secret_references", "spare"),
    ("create", "integrations", "claude"),
    ("create", "providers", "ws-billing/claude"),
    ("create", "configs", "main"),
    ("create", "keys", "ws-billing/invoices"),
    ("create", "usage_policies", "ws-billing/per person"),
    ("create", "rate_policies", "ws-billing/calm"),
]


@pytest.fixture
def ready(plane):
    plane.environment["UP_KEY"] = SECRET
    return plane


def apply(plane, document, path="apply", **more):
    text = document if isinstance(document, str) else yaml.safe_dump(document)
    return plane.ok("POST", f"/admin/state/{path}", json={"text": text, **more})


def steps(answer):
    return [(step["action"], step["part"], step["name"]) for step in answer["steps"]]


def exported(plane):
    return yaml.safe_load(plane.ok("GET", "/admin/state/export?format=yaml")["text"])


def billing(plane):
    return next(each for each in plane.snapshot.workspaces.values() if each.slug == "ws-billing")


def test_a_document_becomes_what_there_is_and_serves(ready):
    answer = apply(ready, DOCUMENT)
    assert (answer["applied"], steps(answer)) == (True, NAMES)
    serving = billing(ready).targets["claude"]
    assert (serving.secret.reveal(), serving.origin.host) == (SECRET, "llm.example.org")
    assert [claim.limit.cap for claim in serving.claims] == [20 * 10**9, 60]
    assert "house" in serving.customs
    (made,) = answer["keys"]
    me = ready.ok("GET", "/me", made["key"])
    assert (made["name"], made["workspace"], me["workspace"]["slug"]) == ("invoices", "ws-billing", "ws-billing")
    assert [limit["scope"] for limit in me["limits"]] == ["key", "workspace"]


@pytest.mark.parametrize("format", ["yaml", "json", "toml"])
def test_applying_again_changes_nothing(ready, format):
    apply(ready, DOCUMENT)
    revision = ready.directory.revision()
    ready.clock.pass_by(days=3)
    text = DOCUMENT
    if format == "json":
        text = json.dumps(yaml.safe_load(DOCUMENT.replace("2027-01-01T00:00:00Z", '"2027-01-01T00:00:00Z"')))
    elif format == "toml":
        text = '[[providers]]\nworkspace = "ws-billing"\nslug = "claude"\nintegration = "claude"\nname = "Claude"\n'
        text += 'usage_limits = [{type = "cost", credit_limit = 20.0, periodic_reset_days = 10}]\n'
        text += "expires_at = 2027-01-01T00:00:00Z\n"
    answer = apply(ready, text, format=format)
    assert (steps(answer), ready.directory.revision()) == ([], revision)


def test_what_is_exported_can_be_applied_anywhere(ready):
    apply(ready, DOCUMENT)
    make_integration(ready, "service", slug="own", configurations={"aws_region": "eu"})
    ready.ok("POST", "/virtual-keys", "service", json={"name": "n", "provider": "openai", "key": "k", "slug": "vk"})
    document = exported(ready)
    assert steps(apply(ready, document, prune=True)) == []
    text = yaml.safe_dump(document)
    assert SECRET not in text
    assert "vk" not in text
    plain = ready.ok("GET", "/admin/state/export")
    assert {name: plain[name] for name in document if name != "version"} == {
        name: part for name, part in document.items() if name != "version"
    }
    # the credential of "own" is stored, so it is not in the document, and not touched
    assert target(ready, "own").secret.reveal() == SECRET


def test_a_plan_tells_the_differences_and_changes_nothing(ready):
    apply(ready, DOCUMENT)
    revision, taken_over = ready.directory.revision(), ready.taken_over
    document = exported(ready)
    document["providers"][0]["usage_limits"][0]["credit_limit"] = 30
    document["integrations"][0]["models"] = []
    document["keys"].append({"name": "new", "workspace": "ws-billing", "scopes": ["completions.write"]})
    answer = apply(ready, document, path="plan")
    assert (answer["applied"], answer["keys"]) == (False, [])
    assert steps(answer) == [
        ("update", "integrations", "claude"),
        ("update", "providers", "ws-billing/claude"),
        ("create", "keys", "ws-billing/new"),
    ]
    change = answer["steps"][1]["changes"]["usage_limits"]
    assert (change["before"][0]["credit_limit"], change["after"][0]["credit_limit"]) == (20, 30)
    assert (ready.directory.revision(), ready.taken_over) == (revision, taken_over)
    applied = apply(ready, document)
    assert (steps(applied), len(applied["keys"])) == (steps(answer), 1)
    assert steps(apply(ready, document)) == []
    assert billing(ready).targets["claude"].claims[0].limit.cap == 30 * 10**9
    assert "house" not in billing(ready).targets["claude"].customs


def test_a_raised_cap_goes_on_with_its_counter(ready):
    apply(ready, DOCUMENT)
    before = billing(ready).targets["claude"].claims[0].limit.id
    apply(ready, DOCUMENT.replace("credit_limit: 20", "credit_limit: 25"))
    assert billing(ready).targets["claude"].claims[0].limit.id == before


def test_prune_deletes_what_a_part_does_not_name_and_leaves_other_parts_alone(ready):
    apply(ready, DOCUMENT)
    make_integration(ready, "service", slug="own")
    answer = apply(ready, {"providers": [], "rate_policies": []}, prune=True, force_delete=True)
    assert set(steps(answer)) == {
        ("delete", "rate_policies", "ws-billing/calm"),
        ("delete", "providers", "ws-billing/claude"),
        ("delete", "providers", f"{ready.home.slug}/own"),
    }
    with ready.directory.read() as view:
        assert view.all(ProviderRecord) == ()
        assert view.count(Integration) == 2
    assert steps(apply(ready, {"providers": []})) == []


def test_prune_is_refused_for_what_others_name_and_then_nothing_is_deleted(ready):
    apply(ready, DOCUMENT)
    revision = ready.directory.revision()
    refused = ready.refused(
        409, "POST", "/admin/state/apply", json={"providers": [], "rate_policies": [], "prune": True}
    )
    assert refused["message"].startswith("providers ws-billing/claude: Provider 'claude' is still used by the API key")
    assert ready.directory.revision() == revision


def test_the_default_workspace_is_never_pruned(ready):
    answer = apply(ready, {"workspaces": []}, prune=True, force_delete=True)
    assert steps(answer) == [("delete", "workspaces", ready.other.slug)]


def test_the_key_of_the_request_and_the_last_one_that_manages_are_never_pruned(ready):
    own = next(key for key in exported(ready)["keys"] if key["name"] == "admin")
    prune = {"keys": [], "prune": True, "force_delete": True}
    for way in ("plan", "apply"):
        refused = ready.refused(409, "POST", f"/admin/state/{way}", json=prune)
        assert refused["message"].startswith("keys admin: is the key of this request")
        weak = {"keys": [{**own, "scopes": ["organisation_settings.update"]}]}
        refused = ready.refused(409, "POST", f"/admin/state/{way}", json=weak)
        assert refused["message"].startswith("keys admin: without it no key would manage the organisation")
    assert [key["name"] for key in exported(ready)["keys"]] == ["admin", "other", "service"]
    answer = apply(ready, {"keys": [own]}, prune=True)
    assert {step[:2] for step in steps(answer)} == {("delete", "keys")}
    assert len(answer["warnings"]) == 1
    assert "who calls with a key that is deleted is refused" in answer["warnings"][0]
    assert f"{ready.home.slug}/service" in answer["warnings"][0]


def test_removed_and_restored(ready):
    apply(ready, DOCUMENT)
    parts = "workspaces secret_references integrations providers configs usage_policies rate_policies"
    empty = {name: [] for name in parts.split()}
    keys = [key for key in exported(ready)["keys"] if key["name"] != "invoices"]
    gone = apply(ready, {**empty, "keys": keys}, prune=True, force_delete=True)
    assert {step[:2] for step in steps(gone)} >= {(("delete"), name) for name in ("integrations", "configs", "keys")}
    assert steps(apply(ready, DOCUMENT)) == NAMES


@pytest.mark.parametrize(
    "document, message",
    [
        ({"providers": [{"slug": "p"}]}, "providers[0].workspace: is missing"),
        ({"provider": []}, "line 1: provider: unknown key; did you mean providers?"),
        ({"workspaces": [{"slug": "s", "name": "n", "limits": []}]}, "workspaces[0].limits: unknown key"),
        ({"version": 2}, "version: "),
        ({"workspaces": [{"slug": "s", "name": "n"}, {"slug": "s", "name": "m"}]}, "workspaces[1]: s stands there twice"),
        (
            {"integrations": [{"slug": "i", "name": "n", "ai_provider_id": "anthropic", "key": "sk-1"}]},
            "integrations[0].key: must be env:NAME or file:PATH",
        ),
        (
            {"integrations": [{"slug": "i", "name": "n", "ai_provider_id": "anthropic", "key": "env:UP_KEY",
                               "configurations": {"aws_secret_access_key": "x"}}]},
            "integrations[0].configurations.aws_secret_access_key: holds a secret",
        ),
        (
            {"integrations": [{"slug": "i", "name": "n", "ai_provider_id": "anthropic", "key": "env:UP_KEY",
                               "configurations": {"custom_headers": {"a": "b"}}}]},
            "integrations[0].configurations.custom_headers: ",
        ),
        ({"integrations": [{"slug": "i", "name": "n", "ai_provider_id": "nope"}]}, "integrations i: ai_provider_id: unknown provider"),
        ({"integrations": [{"slug": "i", "name": "n", "ai_provider_id": "anthropic"}]}, "integrations i: key: is missing"),
        (
            {"keys": [{"name": "k", "scopes": ["completions.write"], "workspace": "ws-shared-000001",
                       "usage_limits": [{"credit_limit": 0.001}]}]},
            "keys[0].usage_limits[0].credit_limit: must be at least",
        ),
        ("a: [", "not valid YAML"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_and_changes_nothing(ready, document, message):
    revision = ready.directory.revision()
    text = document if isinstance(document, str) else yaml.safe_dump(document)
    for path in ("plan", "apply"):
        answer = ready.ask("POST", f"/admin/state/{path}", json={"text": text})
        assert answer.status_code == 400
        assert message in answer.json()["message"]
    assert ready.directory.revision() == revision


def test_what_would_not_run_is_found_by_the_plan_too(ready):
    text = DOCUMENT.replace("env:UP_KEY", "env:GONE")
    for path in ("plan", "apply"):
        refused = ready.refused(400, "POST", f"/admin/state/{path}", json={"text": text})
        assert "GONE is not set" in refused["message"]
    with ready.directory.read() as view:
        assert view.count(Integration) == 0


def test_what_cannot_change_is_said(ready):
    apply(ready, DOCUMENT)
    text = DOCUMENT.replace("ai_provider_id: anthropic", "ai_provider_id: openai")
    assert "cannot be changed" in ready.refused(409, "POST", "/admin/state/apply", json={"text": text})["message"]


def test_two_keys_of_one_name_must_be_told_apart_by_their_ids(ready):
    for _ in range(2):
        ready.ok("POST", "/api-keys/workspace/service", "service", json={"name": "same"})
    refused = ready.refused(
        409,
        "POST",
        "/admin/state/plan",
        json={"text": "keys: [{name: same, workspace: WS, scopes: []}]".replace("WS", ready.home.slug)},
    )
    assert "2 have this name" in refused["message"]


@pytest.mark.parametrize("who", ["service", "user"])
def test_only_the_organisation_may(plane, who):
    for method, path in (("GET", "export"), ("POST", "plan"), ("POST", "apply")):
        plane.refused(403, method, f"/admin/state/{path}", who)


def test_a_person_leaves_other_peoples_keys_out(plane):
    with plane.directory.read() as view:
        kinds = {key.kind for key in view.all(ApiKey)}
    assert "workspace-user" in kinds
    assert {key["name"] for key in exported(plane)["keys"]} == {"admin", "service", "other"}


class TestConfigs:
    def test_a_change_makes_a_version_and_no_change_makes_none(self, ready):
        apply(ready, DOCUMENT)
        shown = ready.ok("GET", "/configs/main")
        text = DOCUMENT.replace("attempts: 2", "attempts: 3")
        assert steps(apply(ready, text)) == [("update", "configs", "main")]
        changed = ready.ok("GET", "/configs/main")
        assert changed["version"] > shown["version"]
        assert steps(apply(ready, text)) == []

    def test_a_provider_that_is_nowhere_is_refused_and_nothing_changes(self, ready):
        body = {"text": DOCUMENT.replace('provider: "@claude"', 'provider: "@cloude"')}
        found = ready.refused(400, "POST", "/admin/state/apply", json=body)
        assert "configs main" in found["message"]
        assert "@cloude" in found["message"]
        assert [each["slug"] for each in exported(ready)["workspaces"]] == [ready.other.slug, ready.home.slug]

    def test_one_that_holds_a_secret_is_named_without_its_text_and_stays(self, ready):
        text = {"provider": "openai", "api_key": "sk-canary-0123456789"}
        made = ready.ok("POST", "/configs", json={"name": "own", "slug": "own", "config": text})
        document = exported(ready)
        assert document["configs"] == [{"slug": "own", "workspace": ready.home.slug, "name": "own"}]
        assert steps(apply(ready, document)) == []
        assert ready.ok("GET", "/configs/own")["version_id"] == made["version_id"]
        document["configs"][0]["slug"] = "another"
        found = ready.refused(400, "POST", "/admin/state/plan", json={"text": yaml.safe_dump(document)})
        assert "is missing" in found["message"]


class TestSecretReferences:
    def test_they_are_named_by_their_slugs_wherever_they_are_used(self, ready):
        apply(ready, DOCUMENT)
        mapping = {"target_field": "key", "secret_reference_id": "spare"}
        ready.environment["SPARE_KEY"] = SECRET
        body = {
            "ai_provider_id": "openai",
            "slug": "mapped",
            "secret_mappings": [mapping],
            "workspace_id": "ws-billing",
        }
        ready.ok("POST", "/integrations", json=body)
        document = exported(ready)
        (mapped,) = [each for each in document["integrations"] if each["slug"] == "mapped"]
        assert mapped["secret_mappings"][0]["secret_reference_id"] == "spare"
        assert document["secret_references"][0]["allowed_workspaces"] == ["ws-billing"]
        assert steps(apply(ready, document)) == []

    def test_settings_go_and_all_may_use_it(self, ready):
        apply(ready, DOCUMENT)
        text = DOCUMENT.replace("    auth_config: {region: eu}\n", "").replace(
            "    allowed_workspaces: [ws-billing]\n", ""
        )
        assert steps(apply(ready, text)) == [("update", "secret_references", "spare")]
        shown = ready.ok("GET", "/secret-references/spare")
        assert (shown["auth_config"], shown["allow_all_workspaces"]) == ({}, True)

    def test_a_secret_in_the_document_is_refused(self, ready):
        text = DOCUMENT.replace("{region: eu}", "{vault_token: x}")
        found = ready.refused(400, "POST", "/admin/state/apply", json={"text": text})
        assert found["error"]["param"] == "secret_references[0].auth_config.vault_token"
