import pytest

from lockgate.admin.scopes import CALLING, KNOWN, ORGANISATION, WORKSPACE, normal_scope


@pytest.mark.parametrize(
    "text",
    ["policies.create", "policies:create", "portkey.policies.create", " Policies.Create ", "portkey.policies:create"],
)
def test_scopes_come_in_several_spellings(text):
    assert normal_scope(text) == "policies.create"


def test_a_dash_is_an_underscore():
    assert normal_scope("virtual-keys:create") == "virtual_keys.create"


def test_known_names_are_in_their_normal_form():
    assert {scope for scope in KNOWN if normal_scope(scope) != scope} == set()


def test_an_organisations_key_never_calls_models():
    assert not ORGANISATION & CALLING
    assert CALLING < WORKSPACE


@pytest.mark.parametrize("resource", ["organisation_users", "audit_logs", "secret_references", "organisation_settings"])
def test_a_workspace_never_reaches_the_organisation(resource):
    assert not [scope for scope in WORKSPACE if scope.startswith(resource + ".")]
