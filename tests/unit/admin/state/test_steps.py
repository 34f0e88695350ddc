import pytest

from lockgate.admin.state.document import (
    StateAccess,
    StateDocument,
    StateIntegration,
    StateModel,
    StateProvider,
    StateWorkspace,
)
from lockgate.admin.state.steps import PARTS, differences, entries, update_step
from lockgate.errors import Conflict, InvalidRequest

PART = {part.name: part for part in PARTS}
MAIN = {"slug": "i", "name": "n", "ai_provider_id": "anthropic"}


def operations(part, current, wanted):
    step = update_step(PART[part], ("x",), current, wanted, "the-id")
    return [(one.method, one.path, dict(one.body)) for one in step.operations] if step is not None else None


def test_what_is_the_same_needs_no_step():
    assert operations("integrations", StateIntegration(**MAIN), StateIntegration(**MAIN)) is None
    # a credential that a document does not name stays as it is
    assert differences(StateIntegration(**MAIN, key="env:K"), StateIntegration(**MAIN)) == {}


def test_settings_that_are_gone_are_cleared_by_name():
    current = StateIntegration(**MAIN, configurations={"a": 1, "b": 2})
    ((method, path, body),) = operations("integrations", current, StateIntegration(**MAIN, configurations={"b": 3}))
    assert (method, path, body["configurations"]) == ("PUT", "/v1/integrations/the-id", {"a": None, "b": 3})
    assert "key" not in body


def test_settings_of_a_workspace_that_are_gone_are_cleared_first():
    current = StateWorkspace(slug="w", name="n", settings={"debug_log": 0})
    first, second = operations("workspaces", current, StateWorkspace(slug="w", name="n"))
    assert first == ("PUT", "/v1/admin/workspaces/the-id", {"settings": None})
    assert second[2]["settings"] == {}


def test_models_and_access_that_are_gone():
    current = StateIntegration(
        **MAIN,
        models=[StateModel(slug="a"), StateModel(slug="b")],
        workspaces=[StateAccess(workspace="w1"), StateAccess(workspace="w2", enabled=False)],
    )
    wanted = StateIntegration(**MAIN, models=[StateModel(slug="b")])
    assert operations("integrations", current, wanted) == [
        ("DELETE", "/v1/integrations/the-id/models", {"models": ["a"]}),
        (
            "PUT",
            "/v1/integrations/the-id/workspaces",
            {
                "create_default_provider": False,
                "workspaces": [
                    {"workspace": "w1", "id": "w1", "enabled": False, "usage_limits": [], "rate_limits": []}
                ],
            },
        ),
    ]


def test_what_cannot_change_is_a_conflict():
    with pytest.raises(Conflict, match="ai_provider_id cannot be changed"):
        operations("integrations", StateIntegration(**MAIN), StateIntegration(**MAIN | {"ai_provider_id": "openai"}))


def test_an_end_that_stays_is_not_sent_again():
    provider = StateProvider(workspace="w", slug="s", integration="i", name="n")
    ((_, _, body),) = operations("providers", provider, StateProvider(**{**provider_fields(provider), "note": "m"}))
    assert "expires_at" not in body


def provider_fields(provider):
    return {name: getattr(provider, name) for name in provider.__struct_fields__}


def test_a_name_that_stands_there_twice():
    document = StateDocument(workspaces=[StateWorkspace(slug="s", name="n"), StateWorkspace(slug="s", name="m")])
    with pytest.raises(InvalidRequest, match="s stands there twice"):
        entries(document, PART["workspaces"])
