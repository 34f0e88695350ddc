import pytest

from lockgate.entities import Integration, ProviderRecord
from lockgate.entities.secret_fields import mask
from tests.unit.admin.catalog_plane import SECRET, make_integration, target


def make(plane, who="service", **body):
    return plane.ok(
        "POST", "/virtual-keys", who, json={"name": "My key", "provider": "anthropic", "key": SECRET} | body
    )


def test_every_field_in_both_views(plane):
    made = make(plane, slug="vk", note="n", usage_limits={"credit_limit": 5}, rate_limits=[{"value": 3}])
    assert made == {
        "id": made["id"], "slug": "vk", "success": True, "data": {"slug": "vk"}, "object": "virtual-key",
    }  # fmt: skip
    assert target(plane, "vk").secret.reveal() == SECRET
    shown = plane.ok("GET", "/virtual-keys/vk", "service")
    provider = plane.ok("GET", "/providers/vk", "service")
    same = {name: value for name, value in provider.items() if name != "object"}
    assert shown == {
        **same,
        "key": "",
        "masked_api_key": mask(SECRET),
        "secret_mappings": [],
        "provider": "anthropic",
        "workspace_name": plane.home.name,
        "object": "virtual-key",
    }
    assert plane.ok("GET", "/virtual-keys", "service") == {"object": "list", "total": 1, "data": [shown]}
    assert SECRET not in plane.ask("GET", "/virtual-keys").text


@pytest.mark.parametrize(
    "body",
    [
        {"apiVersion": "2024-10-21", "resourceName": "r", "deploymentName": "d"},
        {"api_version": "2024-10-21", "resource_name": "r", "deployment_name": "d"},
    ],
)
def test_both_spellings_of_settings(plane, body):
    make(plane, slug="vk", **body)
    assert plane.ok("GET", "/virtual-keys/vk")["model_config"] == {
        "api_version": "2024-10-21", "resource_name": "r", "deployment_name": "d",
    }  # fmt: skip


def test_secret_settings_are_masked(plane):
    make(
        plane, slug="vk", awsAccessKeyId="akia-canary-0123456789", awsSecretAccessKey="aws-canary-0123456789",
        awsRegion="eu-central-1", deploymentConfig=[{"alias": "a"}], custom_headers={"x-t": "1"},
        model_config={"more": 1},
    )  # fmt: skip
    assert plane.ok("GET", "/virtual-keys/vk")["model_config"] == {
        "more": 1,
        "aws_region": "eu-central-1",
        "deployment_config": [{"alias": "a"}],
        "custom_headers": {"x-t": "1"},
        "masked_aws_access_key_id": mask("akia-canary-0123456789"),
        "masked_aws_secret_access_key": mask("aws-canary-0123456789"),
    }


def test_the_hidden_integration_is_not_listed(plane):
    make(plane, slug="vk")
    assert plane.ok("GET", "/integrations")["total"] == plane.ok("GET", "/integrations", "service")["total"] == 0
    assert plane.ok("GET", "/providers", "service")["total"] == 1


def test_the_same_slug_in_two_workspaces(plane):
    make(plane, slug="vk")
    make(plane, "other", slug="vk", key="sk-the-other-0123456789")
    assert target(plane, "vk", plane.other).secret.reveal() == "sk-the-other-0123456789"
    plane.refused(
        409, "POST", "/virtual-keys", "service", json={"name": "n", "provider": "openai", "key": "k", "slug": "vk"}
    )


def test_an_update_of_name_limits_and_credential(plane):
    make(plane, slug="vk")
    plane.ok(
        "PUT",
        "/virtual-keys/vk",
        "service",
        json={"name": "new", "key": "sk-new-0123456789", "usage_limits": {"credit_limit": 2}},
    )
    shown = plane.ok("GET", "/virtual-keys/vk")
    assert (shown["name"], shown["masked_api_key"], shown["usage_limits"]["credit_limit"]) == (
        "new",
        mask("sk-new-0123456789"),
        2,
    )
    assert target(plane, "vk").secret.reveal() == "sk-new-0123456789"
    # what a client was shown may come back: an empty key, and settings under their masks
    plane.ok("PUT", "/virtual-keys/vk", "service", json={"key": "", "note": None, "api_version": "1"})
    assert target(plane, "vk").secret.reveal() == "sk-new-0123456789"
    plane.refused(400, "PUT", "/virtual-keys/vk", json={"key": shown["masked_api_key"]})
    plane.refused(400, "PUT", "/virtual-keys/vk", json={"key": None})


def test_the_credential_of_a_shared_integration_is_changed_there(plane):
    make_integration(plane, "service", slug="main")
    plane.ok("PUT", "/virtual-keys/main", "service", json={"name": "n"})
    refused = plane.refused(400, "PUT", "/virtual-keys/main", "service", json={"key": "sk-x"})
    assert "integration 'main'" in refused["message"]


@pytest.mark.parametrize("path", ["/virtual-keys/vk", "/providers/vk"])
def test_deleting_one_wipes_its_credential(plane, path):
    make(plane, slug="vk")
    assert plane.ok("DELETE", path, "service") == {}
    with plane.directory.read() as view:
        assert view.all(Integration) == view.all(ProviderRecord) == ()
        (integration,) = view.all(Integration, with_archived=True, status="archived")
        assert view.secrets_of(integration) == {}
    make(plane, slug="vk")


@pytest.mark.parametrize(
    "body, path",
    [
        ({"provider": "nope"}, "provider"),
        ({"key": ""}, "key"),
        ({"key": "*****"}, "key"),
        ({"custom_host": "http://127.0.0.1/"}, "configurations.custom_host"),
        ({"name": ""}, "name"),
    ],
)
def test_what_cannot_be_is_refused_by_its_path(plane, body, path):
    full = {"name": "n", "provider": "anthropic", "key": SECRET} | body
    assert plane.refused(400, "POST", "/virtual-keys", "service", json=full)["error"]["param"] == path


def test_tenants_are_apart(plane):
    make(plane, slug="vk")
    for method in ("GET", "PUT", "DELETE"):
        plane.refused(404, method, "/virtual-keys/vk", "other")
    assert plane.ok("GET", "/virtual-keys", "other")["data"] == []
