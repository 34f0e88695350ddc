import pytest

from lockgate.admin.roles import SWITCHES, all_switches, effective_scopes, scopes_of_role
from lockgate.admin.scopes import WORKSPACE

DOCUMENTED = [
    ("member", "completions.write", True),
    ("member", "logs.view", True),
    ("member", "analytics.view", True),
    ("member", "prompts.read", True),
    ("member", "prompts.create", False),
    ("member", "providers.list", True),
    ("member", "providers.create", False),
    ("member", "virtual_keys.update", False),
    ("member", "configs.update", False),
    ("member", "guardrails.delete", False),
    ("member", "policies.list", True),
    ("member", "policies.create", False),
    ("member", "workspaces.update", False),
    ("member", "workspace_users.create", False),
    ("member", "workspace_user_api_keys.create", True),
    ("manager", "prompts.create", True),
    ("manager", "providers.create", True),
    ("manager", "policies.delete", True),
    ("manager", "workspaces.update", True),
    ("manager", "workspace_users.create", True),
    ("manager", "workspace_integrations.update", True),
]


@pytest.mark.parametrize("role, scope, may", DOCUMENTED)
def test_the_documented_defaults(role, scope, may):
    assert (scope in scopes_of_role(role, {})) is may


@pytest.mark.parametrize(
    "role, switch, scope",
    [
        ("member", "membersViewLogs", "logs.view"),
        ("member", "membersViewLogs", "logs.export"),
        ("member", "membersViewAnalytics", "analytics.view"),
        ("member", "membersViewVirtualKeys", "virtual_keys.read"),
        ("member", "membersWriteVirtualKeys", "providers.create"),
        ("member", "membersWriteConfigs", "configs.delete"),
        ("member", "membersWritePrompts", "prompts.publish"),
        ("member", "membersWriteApiKeys", "workspace_user_api_keys.create"),
        ("manager", "managersViewPrompts", "prompts.list"),
        ("manager", "managersWriteGuardrails", "guardrails.create"),
        ("manager", "managersUpdateWs", "workspaces.update"),
        ("manager", "managersWriteWsUsers", "workspace_users.delete"),
        ("manager", "managersWriteWsIntegrations", "workspace_integrations.create"),
        ("manager", "managersWriteMcpServers", "mcp_servers.create"),
    ],
)
def test_a_switch_decides(role, switch, scope):
    assert scope in scopes_of_role(role, {switch: True})
    assert scope not in scopes_of_role(role, {switch: False})


@pytest.mark.parametrize(("logs", "metadata", "may"), [(True, False, True), (False, True, True), (False, False, False)])
def test_what_is_known_about_requests_may_be_seen_without_their_content(logs, metadata, may):
    switches = {"membersViewLogs": logs, "membersViewLogMetadata": metadata}
    assert ("logs.list" in scopes_of_role("member", switches)) is may
    assert ("logs.view" in scopes_of_role("member", switches)) is logs


def test_an_admin_of_a_workspace_may_everything_in_it():
    assert scopes_of_role("admin", dict.fromkeys(SWITCHES, False)) == WORKSPACE


def test_a_key_never_may_more_than_its_scopes():
    assert effective_scopes(["prompts.read"], "admin", {}) == {"prompts.read"}
    assert effective_scopes(["prompts.create"], "member", {}) == set()
    assert effective_scopes(["prompts.create"], None, {}) == set()


def test_what_a_workspace_does_not_set_has_its_default():
    switches = all_switches({"membersViewLogs": False})
    assert switches["membersViewLogs"] is False
    assert switches["membersWritePrompts"] is False
    assert switches["managersViewLogs"] is True
    assert switches.keys() == SWITCHES.keys()
