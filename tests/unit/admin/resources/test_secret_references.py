import pytest

from lockgate.core.secret import Secret
from lockgate.entities import Integration, SecretMapping

PATH = "/secret-references"
VAULT = {
    "name": "Anthropic prod",
    "manager_type": "hashicorp_vault",
    "secret_path": "kv/data/llm",
    "secret_key": "anthropic",
    "auth_config": {
        "vault_auth_type": "approle", "vault_addr": "https://vault.example.org", "vault_role_id": "r",
        "vault_secret_id": "canary-secret-id-0123", "vault_token": "canary-token-0123456",
    },
    "allowed_workspaces": ["ws-resear-1f0c3a"],
}  # fmt: skip


def make(plane, **body):
    made = plane.ok("POST", PATH, json=VAULT | body)
    assert made["object"] == "secret-reference"
    return made


def test_secrets_of_the_vault_are_masked_everywhere(plane):
    made = make(plane)
    assert made["slug"] == "anthropic-prod"
    shown = plane.ok("GET", f"{PATH}/{made['slug']}")
    assert shown == plane.ok("GET", f"{PATH}/{made['id']}")
    assert shown == {
        "id": made["id"],
        "slug": "anthropic-prod",
        "name": "Anthropic prod",
        "description": None,
        "manager_type": "hashicorp_vault",
        "auth_config": {
            "vault_auth_type": "approle", "vault_addr": "https://vault.example.org", "vault_role_id": "r",
            "vault_secret_id": "can*****123", "vault_token": "can*****456",
        },
        "secret_path": "kv/data/llm",
        "secret_key": "anthropic",
        "allow_all_workspaces": False,
        "allowed_workspaces": [plane.other.id],
        "tags": [],
        "status": "ACTIVE",
        "organisation_id": plane.organisation.id,
        "created_at": "2026-08-21T09:30:00.000Z",
        "last_updated_at": "2026-08-21T09:30:00.000Z",
        "object": "secret-reference",
    }  # fmt: skip
    assert "canary" not in plane.ask("GET", PATH).text
    assert "canary" not in plane.ask("GET", "/audit-logs").text


def test_auth_config_is_merged(plane):
    path = f"{PATH}/{make(plane)['id']}"
    plane.ok("PUT", path, json={"auth_config": {"vault_namespace": "team", "vault_role_id": None, "vault_token": None}})
    config = plane.ok("GET", path)["auth_config"]
    assert set(config) == {"vault_auth_type", "vault_addr", "vault_namespace", "vault_secret_id"}
    plane.ok("PUT", path, json={"auth_config": {"vault_secret_id": "another-secret-999"}})
    assert plane.ok("GET", path)["auth_config"]["vault_secret_id"] == "ano*****999"
    assert plane.ok("PUT", path, json={"auth_config": None}) == {}
    assert plane.ok("GET", path)["auth_config"] == {}


def test_a_mask_does_not_overwrite_a_secret(plane):
    path = f"{PATH}/{make(plane)['id']}"
    body = plane.refused(400, "PUT", path, json={"auth_config": {"vault_secret_id": "can*****123"}})
    assert body["error"]["param"] == "auth_config.vault_secret_id"


def test_who_may_use_it(plane):
    made = make(plane, allowed_workspaces=None)
    path = f"{PATH}/{made['id']}"

    def access():
        shown = plane.ok("GET", path)
        return shown["allow_all_workspaces"], shown["allowed_workspaces"]

    assert access() == (True, [])
    plane.ok("PUT", path, json={"allowed_workspaces": [plane.home.slug, plane.other.id, plane.home.id]})
    assert access() == (False, [plane.home.id, plane.other.id])
    plane.ok("PUT", path, json={"name": "x"})
    assert access() == (False, [plane.home.id, plane.other.id])
    plane.ok("PUT", path, json={"allow_all_workspaces": True})
    assert access() == (True, [])
    plane.ok("PUT", path, json={"allow_all_workspaces": False})
    assert access() == (False, [])
    plane.refused(403, "PUT", path, json={"allowed_workspaces": ["nowhere"]})


@pytest.mark.parametrize(
    "manager, path, is_right",
    [
        ("env", "ANTHROPIC_API_KEY", True),
        ("env", "not a name", False),
        ("env", "LOCKGATE_MASTER_KEY", False),
        ("file", "/run/secrets/anthropic", True),
        ("file", "relative/path", False),
        ("aws_sm", "prod/anthropic", True),
        ("azure_kv", "anthropic", True),
    ],
)
def test_places(plane, manager, path, is_right):
    body = {"name": "x", "manager_type": manager, "secret_path": path}
    if is_right:
        plane.ok("POST", PATH, json=body)
    else:
        assert plane.refused(400, "POST", PATH, json=body)["error"]["param"] == "secret_path"


def integration_with(plane, reference, **more):
    with plane.directory.change() as tx:
        return tx.insert(
            Integration(
                organisation_id=plane.organisation.id, name="i", slug="i", provider="anthropic",
                secret_mappings=(SecretMapping(target_field="key", secret_reference_id=reference["id"]),), **more,
            )
        )  # fmt: skip


def test_one_that_is_used_is_not_deleted(plane):
    made = plane.ok("POST", PATH, json={"name": "x", "manager_type": "env", "secret_path": "SOME_KEY"})
    integration = integration_with(plane, made)
    assert "'i'" in (message := plane.refused(400, "DELETE", f"{PATH}/{made['slug']}")["message"]) or " i" in message
    with plane.directory.change() as tx:
        tx.archive(integration)
    assert plane.ok("DELETE", f"{PATH}/{made['slug']}") == {}
    plane.refused(404, "GET", f"{PATH}/{made['slug']}")


def test_lists(plane):
    make(plane, tags=["prod", "eu"])
    plane.ok("POST", PATH, json={"name": "Other", "manager_type": "env", "secret_path": "A", "tags": ["prod"]})
    for query, slugs in (
        ({}, {"anthropic-prod", "other"}),
        ({"manager_type": "env"}, {"other"}),
        ({"search": "ANTHRO"}, {"anthropic-prod"}),
        ({"tags": '["prod"]'}, {"anthropic-prod", "other"}),
        ({"tags": "prod, eu"}, {"anthropic-prod"}),
        ({"tags": "prod", "search": "oth"}, {"other"}),
    ):
        listed = plane.ok("GET", PATH, params=query)
        assert {each["slug"] for each in listed["data"]} == slugs, query
        assert listed["total"] == len(slugs)


def test_slugs_are_taken_once(plane):
    make(plane)
    plane.refused(409, "POST", PATH, json=VAULT)
    make(plane, slug="own-slug")


def test_only_the_organisations_keys(plane):
    for key in ("service", "user"):
        plane.refused(403, "GET", PATH, key)
        plane.refused(403, "POST", PATH, key, json=VAULT)


def test_the_stored_secret_is_what_was_sent(plane):
    made = make(plane)
    stored = plane.directory.load().secrets
    assert stored[made["id"], "auth_config.vault_token"] == Secret("canary-token-0123456")
