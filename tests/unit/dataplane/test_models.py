import json

import pytest

from lockgate.errors import Unreachable
from tests.unit.dataplane.fakes import JSON, FakeResponse, World

CONFIG = """
[providers.anthropic]
type = "anthropic"
api_key = "sk-ant"
[providers.openai]
type = "openai"
api_key = "sk-oai"
[providers.narrow]
type = "anthropic"
api_key = "sk-n"
models = ["claude-two", "claude-one"]
"""
ANTHROPIC_PAGE: dict = {
    "data": [
        {"type": "model", "id": "claude-x", "display_name": "Claude X", "created_at": "2026-01-02T00:00:00Z", "new": 1}
    ],
    "has_more": False,
    "first_id": "claude-x",
    "last_id": "claude-x",
}
OPENAI_PAGE = {"object": "list", "data": [{"id": "gpt-x", "object": "model", "created": 5, "owned_by": "openai"}]}


@pytest.fixture
def world():
    return World(CONFIG)


def page(value):
    return FakeResponse(200, JSON, json.dumps(value).encode())


def test_without_a_provider_it_is_the_gateways_own_list(world):
    world.upstream.will(page(ANTHROPIC_PAGE), page(OPENAI_PAGE))
    answer = world.call("/v1/models", method="GET")
    assert [(m["id"], m["slug"], m["owned_by"]) for m in answer.json()["data"]] == [
        ("@anthropic/claude-x", "claude-x", "anthropic"),
        ("@openai/gpt-x", "gpt-x", "openai"),
        ("@narrow/claude-one", "claude-one", "anthropic"),
        ("@narrow/claude-two", "claude-two", "anthropic"),
    ]
    assert answer.json()["total"] == 4
    again = world.call("/v1/models", method="GET", anthropic_version="2023-06-01")
    assert len(world.upstream.sent) == 2, "the lists are remembered"
    first = again.json()["data"][0]
    assert (first["id"], first["type"], first["lifecycle"]) == ("@anthropic/claude-x", "model", "active")
    assert first["created_at"] == "2026-01-02T00:00:00Z"
    assert again.json()["has_more"] is False


def test_a_provider_that_does_not_answer_hides_no_other(world):
    world.upstream.will(Unreachable("no"), page(OPENAI_PAGE))
    ids = [m["id"] for m in world.call("/v1/models", method="GET").json()["data"]]
    assert ids == ["@openai/gpt-x", "@narrow/claude-one", "@narrow/claude-two"]


def test_with_a_provider_it_is_the_providers_list_in_the_callers_shape(world):
    world.upstream.will(page(ANTHROPIC_PAGE), page(ANTHROPIC_PAGE), page(OPENAI_PAGE))
    native = world.call(
        "/v1/models", method="GET", x_portkey_provider="@anthropic", anthropic_version="2026-10-21", query=b"limit=5"
    )
    assert native.json() == ANTHROPIC_PAGE
    assert world.upstream.sent[0].target == b"/v1/models?limit=5"
    assert dict(world.upstream.sent[0].headers)[b"anthropic-version"] == b"2026-10-21"
    assert world.upstream.sent[0].body == b""
    chat = world.call("/v1/models", method="GET", x_portkey_provider="@anthropic")
    assert [m["id"] for m in chat.json()["data"]] == ["claude-x"]
    assert chat.json()["provider"] == "anthropic"
    other = world.call("/v1/models", method="GET", x_portkey_provider="@openai", anthropic_version="2023-06-01")
    assert [(m["id"], m["type"]) for m in other.json()["data"]] == [("gpt-x", "model")]


def test_one_model(world):
    entry = ANTHROPIC_PAGE["data"][0]
    world.upstream.will(page(entry), page(entry))
    native = world.call("/v1/models/@anthropic/claude-x", method="GET", anthropic_version="2023-06-01")
    assert native.json() == entry
    assert world.upstream.sent[0].target == b"/v1/models/claude-x"
    chat = world.call("/v1/models/@anthropic%2Fclaude-x", method="GET")
    assert chat.json()["id"] == "claude-x"
    missing = world.call("/v1/models/unknown", method="GET")
    assert missing.status == 404
    assert "@slug/model" in missing.json()["error"]["message"]


def test_the_shared_list_is_not_fetched_with_a_callers_own_headers(world):
    world.upstream.will(page(ANTHROPIC_PAGE), page(OPENAI_PAGE))
    world.call(
        "/v1/models", method="GET", authorization="Bearer mine", x_portkey_forward_headers="authorization", query=b"x=1"
    )
    for request in world.upstream.sent:
        assert b"mine" not in dict(request.headers).get(b"authorization", b"")
    assert [r.target for r in world.upstream.sent] == [b"/v1/models?limit=1000", b"/v1/models"]


@pytest.mark.parametrize(
    "query, ids",
    [
        (b"limit=1", ["@anthropic/claude-x"]),
        (b"limit=1&offset=1", ["@openai/gpt-x"]),
        (b"provider=narrow", ["@narrow/claude-one", "@narrow/claude-two"]),
        (b"provider=@openai", ["@openai/gpt-x"]),
        (b"ai_service=openai", ["@openai/gpt-x"]),
        (b"sort=name&order=desc&limit=1", ["@openai/gpt-x"]),
        (
            b"limit=x&offset=-1&lifecycle[]=active",
            ["@anthropic/claude-x", "@openai/gpt-x", "@narrow/claude-one", "@narrow/claude-two"],
        ),
    ],
)
def test_the_list_can_be_narrowed(world, query, ids):
    world.upstream.will(page(ANTHROPIC_PAGE), page(OPENAI_PAGE))
    assert [m["id"] for m in world.call("/v1/models", method="GET", query=query).json()["data"]] == ids


def test_a_key_sees_only_the_providers_that_it_may_use():
    world = World(CONFIG + '[keys.limited]\nkey = "limited-key"\nproviders = ["narrow"]\n')
    ids = [m["id"] for m in world.call("/v1/models", method="GET", key="limited-key").json()["data"]]
    assert ids == ["@narrow/claude-one", "@narrow/claude-two"]


def test_it_needs_a_key(world):
    assert world.call("/v1/models", method="GET", key="").status == 401
