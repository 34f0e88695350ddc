import pytest

from tests.unit.admin.config_world import add_provider, declare

FALLBACK = {
    "strategy": {"mode": "fallback", "on_status_codes": [529]},
    "targets": [{"provider": "@claude", "retry": {"attempts": 1}}, {"provider": "@other"}],
}
PATH = "/configs/explain"


@pytest.fixture
def plane(plane):
    add_provider(plane, "claude")
    return plane


def test_a_config_that_comes_along(plane):
    body = {"config": FALLBACK, "request": {"model": "claude-x"}, "statuses": [529]}
    told = plane.ok("POST", PATH, "service", json=body)
    assert told["config"].startswith("inline-")
    assert told | {"config": ""} == {
        "config": "",
        "version": None,
        "target": {
            "path": "config.targets[0]", "provider": "@claude", "retries": 1,
            "retry_codes": [429, 500, 502, 503, 504, 529],
        },
        "served_by": {"provider": "anthropic", "slug": "claude", "model": "claude-x"},
        "choices": [{"path": "config", "because": "order of the fallback"}],
        "what_if": [
            {
                "failure": "status 529",
                "calls": 2,
                "waited_s": 1.0,
                "events": [
                    {"path": "config.targets[0]", "because": "retry 1 after status 529", "wait_s": 1.0, "retry": 1},
                    {"path": "config.targets[1]", "because": "after status 529", "wait_s": 0.0},
                    {"path": "config.targets[1]", "because": "nothing left to try", "ends": True, "retry_count": 0},
                ],
            }
        ],
        "refusal": None,
        "missing_providers": ["config.targets[1]: @other"],
        "warnings": [],
        "object": "explanation",
    }  # fmt: skip


def test_a_saved_config_by_slug_and_version(plane):
    made = plane.ok("POST", "/configs?lenient=1", "service", json={"name": "x", "config": FALLBACK})
    plane.ok("PUT", f"/configs/{made['slug']}", "service", json={"config": {"provider": "@claude"}})
    for name, version, path in ((made["slug"], 2, "config"), (f"{made['slug']}@1", 1, "config.targets[0]")):
        told = plane.ok("POST", PATH, "service", json={"config": name})
        assert (told["config"], told["version"], told["target"]["path"]) == (made["slug"], version, path)
    declare(plane, '[configs.main]\nprovider = "@claude"\n')
    assert plane.ok("POST", PATH, "service", json={"config": "main"})["version"] == 0


def test_what_the_request_says_decides(plane):
    config = {
        "strategy": {
            "mode": "conditional", "conditions": [{"query": {"metadata.n": "1"}, "then": "a"}], "default": "b",
        },
        "targets": [{"name": "a", "provider": "@claude"}, {"name": "b", "provider": "@claude"}],
    }  # fmt: skip
    for request, name in (
        ({"metadata": {"n": 1}}, "a"),
        ({"headers": {"X-Portkey-Metadata": '{"n": 1}'}}, "a"),
        ({}, "b"),
    ):
        assert plane.ok("POST", PATH, "service", json={"config": config, "request": request})["target"]["name"] == name
    body = {"model": "m", "messages": [], "camelCase": {"a": None}}
    assert (
        plane.ok("POST", PATH, "service", json={"config": config, "request": {"body": body}})["served_by"]["model"]
        == "m"
    )


def test_another_workspace_is_asked_about_by_those_who_may(plane):
    body = {"config": {"provider": "@claude"}, "workspace_id": plane.other.slug}
    assert "There is no provider @claude" in plane.ok("POST", PATH, json=body)["served_by"]["problem"]
    plane.refused(403, "POST", PATH, "service", json=body)


@pytest.mark.parametrize(
    "body, status",
    [
        ({}, 400),
        ({"config": "pc-none"}, 404),
        ({"config": {"weight": -1}}, 400),
        ({"config": {"provider": "@claude", "input_guardrails": ["x"]}}, 400),
        ({"config": {"provider": "@claude"}, "statuses": [99]}, 400),
        ({"config": {"provider": "@claude"}, "statuses": [600]}, 400),
        ({"config": {"provider": "@claude"}, "statuses": [429] * 31}, 400),
        ({"config": {"provider": "@claude"}, "roll": 1}, 400),
        ({"config": {"provider": "@claude"}, "request": {"body": []}}, 400),
    ],
)
def test_what_cannot_be_explained_is_refused(plane, body, status):
    plane.refused(status, "POST", PATH, "service", json=body)


def test_it_needs_leave_to_read_configs_and_writes_nothing(plane):
    key = plane.ok("POST", "/api-keys/workspace/service", json={"name": "k", "scopes": ["configs.list"]})["key"]
    assert "configs.read" in plane.refused(403, "POST", PATH, key, json={"config": FALLBACK})["message"]
    before = plane.directory.revision()
    plane.ok("POST", PATH, "service", json={"config": FALLBACK})
    assert plane.directory.revision() == before
