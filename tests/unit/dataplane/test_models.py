import json

import pytest
from msgspec import structs

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


@pytest.mark.parametrize("path", ["@openai/ft:gpt-x:org::1", "@openai%2Fft%3Agpt-x%3Aorg%3A%3A1"])
def test_a_fine_tuned_model_is_deleted_where_it_is_kept(world, path):
    world.upstream.will(page(ANTHROPIC_PAGE), page(OPENAI_PAGE))
    world.call("/v1/models", method="GET")
    gone = {"id": "ft:gpt-x:org::1", "object": "model", "deleted": True}
    world.upstream.will(page(gone))
    answer = world.call(f"/v1/models/{path}", method="DELETE")
    assert (answer.status, answer.json()) == (200, gone)
    sent = world.upstream.sent[-1]
    assert (sent.method, sent.target, sent.body) == ("DELETE", b"/v1/models/ft%3Agpt-x%3Aorg%3A%3A1", b"")
    assert dict(sent.headers)[b"authorization"] == b"Bearer sk-oai"
    world.upstream.will(page({"object": "list", "data": []}))
    left = world.call("/v1/models", method="GET").json()["data"]
    assert not [m for m in left if m["owned_by"] == "openai"], "the provider's list is asked for anew"


@pytest.mark.parametrize(
    "path, headers, status, word",
    [
        ("gpt-x", {}, 404, "@slug/model"),
        ("@anthropic/claude-x", {}, 400, "deleteModel is not supported by anthropic"),
        ("@narrow/claude-three", {}, 412, "not allowed for @narrow"),
        ("gpt-x", {"x_portkey_provider": "@nobody"}, 400, "There is no provider @nobody"),
    ],
)
def test_what_cannot_be_deleted_asks_nobody(world, path, headers, status, word):
    answer = world.call(f"/v1/models/{path}", method="DELETE", **headers)
    assert answer.status == status
    assert word in answer.json()["error"]["message"]
    assert world.upstream.sent == []


def test_who_may_only_look_at_models_deletes_none():
    world = World(CONFIG + '[keys.reader]\nkey = "reader-key"\nscopes = ["models.list"]\n')
    answer = world.call("/v1/models/@openai/gpt-x", method="DELETE", key="reader-key")
    assert answer.status == 403
    assert world.upstream.sent == []


def test_the_providers_refusal_to_delete_is_the_answer(world):
    error = {"error": {"message": "not yours", "type": "invalid_request_error", "param": None, "code": None}}
    world.upstream.will(FakeResponse(403, JSON, json.dumps(error).encode()))
    answer = world.call("/v1/models/gpt-x", method="DELETE", x_portkey_provider="@openai")
    assert (answer.status, answer.json()["error"]["message"]) == (403, "not yours")
    assert world.upstream.sent[0].target == b"/v1/models/gpt-x"


def test_it_needs_a_key(world):
    assert world.call("/v1/models", method="GET", key="").status == 401


# ---- configs


def ids_of(world, config, **headers):
    answer = world.call("/v1/models", method="GET", x_portkey_config=json.dumps(config), **headers)
    assert answer.status == 200, answer.body
    return [model["id"] for model in answer.json()["data"]]


def fallback(*slugs, **more):
    targets = [{"provider": f"@{slug}"} if slug else {"passthrough": True} for slug in slugs]
    return {"strategy": {"mode": "fallback"}, "targets": targets, **more}


def test_a_config_with_a_provider_asks_for_that_ones_list(world):
    world.upstream.will(page(OPENAI_PAGE))
    assert ids_of(world, {"provider": "@openai"}) == ["gpt-x"]
    assert world.sent.origin.host == "api.openai.com"
    assert (world.record.provider, world.record.path) == ("openai", "config")


def test_the_first_target_that_answers_is_listed(world):
    world.upstream.will(FakeResponse(500, JSON, b"{}"), page(OPENAI_PAGE))
    assert ids_of(world, fallback("anthropic", "openai")) == ["gpt-x"]
    assert [attempt.status for attempt in world.record.attempts] == [500, 200]


@pytest.mark.parametrize(
    "config, headers, expected",
    [
        (fallback("openai", "narrow", fetch_integrated_models=True), {}, {"openai", "narrow"}),
        ({"provider": "@narrow"}, {"x_portkey_fetch_integrated_models": "true"}, {"narrow"}),
        (fallback("openai", None, fetch_integrated_models=True), {}, {"anthropic", "openai", "narrow"}),
        ({"retry": {"attempts": 1}}, {}, {"anthropic", "openai", "narrow"}),
    ],
    ids=["in the config", "in a header", "with a target of the request's", "a config without a provider"],
)
def test_all_models_of_the_targets_are_listed_where_that_is_wanted(world, config, headers, expected):
    world.upstream.will(*(page(ANTHROPIC_PAGE if slug == "anthropic" else OPENAI_PAGE) for slug in sorted(expected)))
    if expected == {"anthropic", "openai", "narrow"}:
        world.upstream.answers = [page(ANTHROPIC_PAGE), page(OPENAI_PAGE)]
    found = ids_of(world, config, **headers)
    assert {model.partition("/")[0].removeprefix("@") for model in found} == expected


def test_the_default_config_of_a_key_leaves_the_list_of_all(world):
    snapshot = world.plane.snapshot
    keys = {digest: structs.replace(key, config_id="pc-none") for digest, key in snapshot.keys.items()}
    world.plane.snapshot = structs.replace(snapshot, keys=keys)
    world.upstream.will(page(ANTHROPIC_PAGE), page(OPENAI_PAGE))
    assert world.call("/v1/models", method="GET").json()["total"] == 4


def test_a_wrong_config_is_refused_and_nobody_is_asked(world):
    answer = world.call("/v1/models", method="GET", x_portkey_config='{"provider": "@a b"}')
    assert (answer.status, world.upstream.sent) == (400, [])
    assert "path: provider" in answer.json()["errors"][0]
