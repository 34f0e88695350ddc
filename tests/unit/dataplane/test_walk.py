"""Configs on their way through the data plane: what goes out to whom, how often, and what the client and record get."""

import asyncio
import json

import pytest
from msgspec import structs

from lockgate.config.routes import ConfigRules, read_config
from lockgate.core.limits import Budget, Claim, Rate
from lockgate.errors import Broken, Unreachable
from lockgate.providers import load_providers
from lockgate.routing.compile import compile_routes
from tests.unit.dataplane.fakes import CONFIG, JSON, SSE, FakeResponse, World

RULES = ConfigRules(providers=frozenset(load_providers()))
ASK = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "from Claude"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "from OpenAI"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
FALLBACK = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@anthropic"}, {"provider": "@openai"}]}
PATHS = pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])


def answer_of(value, status=200, headers=JSON):
    return FakeResponse(status, headers, json.dumps(value).encode())


def error_of(status, kind="api_error", headers=JSON):
    return answer_of({"type": "error", "error": {"type": kind, "message": "no"}}, status, headers)


def event(**fields):
    return f"event: {fields['type']}\ndata: {json.dumps(fields)}\n\n".encode()


START = event(type="message_start", message={**MESSAGE, "content": []})
DELTA = event(type="content_block_start", index=0, content_block={"type": "text", "text": ""}) + event(
    type="content_block_delta", index=0, delta={"type": "text_delta", "text": "Hel"}
)
END = (
    event(type="content_block_stop", index=0)
    + event(type="message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2})
    + event(type="message_stop")
)
OVERLOADED = event(type="error", error={"type": "overloaded_error", "message": "Overloaded"})


@pytest.fixture
def world(monkeypatch):
    world = World()
    world.slept = []

    async def sleep(delay_s):
        world.slept.append(delay_s)

    monkeypatch.setattr("lockgate.dataplane.walk.asyncio.sleep", sleep)
    return world


def ask(world, config, path="/v1/messages", body=ASK, **headers):
    return world.call(path, body, x_portkey_config=json.dumps(config), **headers)


def hosts(world):
    return [request.origin.host for request in world.upstream.sent]


@PATHS
@pytest.mark.parametrize("failure", [error_of(529), error_of(401), Unreachable("no"), Broken("gone")])
def test_a_failure_of_the_first_target_moves_on_to_the_next(world, path, failure):
    failure = structs.replace(failure) if hasattr(failure, "__struct_fields__") else failure
    if isinstance(failure, FakeResponse):
        failure = error_of(failure.status)
    world.upstream.will(failure, answer_of(CHAT))
    answer = ask(world, FALLBACK, path)
    assert answer.status == 200
    assert "from OpenAI" in answer.body.decode()
    assert hosts(world) == ["api.anthropic.com", "api.openai.com"]
    assert answer.headers["x-portkey-last-used-option-index"] == "config.targets[1]"
    assert answer.headers["x-portkey-provider"] == "openai"
    record = world.record
    assert [(a.provider, a.kind, a.path) for a in record.attempts] == [
        ("anthropic", "primary", "config.targets[0]"),
        ("openai", "fallback", "config.targets[1]"),
    ]
    assert record.attempts[0].error is not None
    assert record.attempts[1].error is None
    assert (record.error, record.path, record.provider) == (None, "config.targets[1]", "openai")
    assert record.config_id.startswith("inline-")


def test_the_last_failure_is_the_answer_with_its_own_bytes(world):
    body = b'{"type":"error", "error":{"type":"overloaded_error","message":"second"},"x":1.0}'
    world.upstream.will(error_of(500), FakeResponse(529, [*JSON, (b"retry-after", b"7")], body))
    config = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@anthropic"}, {"provider": "@anthropic"}]}
    answer = ask(world, config)
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (529, body, "7")
    assert answer.headers["x-portkey-last-used-option-index"] == "config.targets[1]"


def test_only_listed_statuses_lead_on(world):
    world.upstream.will(error_of(400, "invalid_request_error"))
    answer = ask(world, {**FALLBACK, "strategy": {"mode": "fallback", "on_status_codes": [529]}})
    assert answer.status == 400
    assert len(world.upstream.sent) == 1


@PATHS
def test_retries_wait_and_are_counted(world, path):
    world.upstream.will(error_of(529), error_of(500), answer_of(MESSAGE))
    answer = ask(world, {"provider": "@anthropic", "retry": {"attempts": 3}}, path)
    assert (answer.status, answer.headers["x-portkey-retry-attempt-count"]) == (200, "2")
    assert world.slept == [1, 2]
    assert [(a.kind, a.waited_ms) for a in world.record.attempts] == [("primary", 0), ("retry", 1000), ("retry", 2000)]
    bodies = {request.body for request in world.upstream.sent}
    assert len(bodies) == 1


def test_an_operator_may_have_waits_shortened_by_chance(monkeypatch):
    world, slept = World(CONFIG + "[defaults]\nretry_jitter = true\n"), []

    async def sleep(delay_s):
        slept.append(delay_s)

    monkeypatch.setattr("lockgate.dataplane.walk.asyncio.sleep", sleep)
    world.plane.roll = lambda: 0.5
    world.upstream.will(error_of(500), error_of(500), answer_of(MESSAGE))
    assert ask(world, {"provider": "@anthropic", "retry": {"attempts": 2}}).status == 200
    assert slept == [0.75, 1.5]


def test_retries_that_do_not_help_say_so(world):
    world.upstream.will(error_of(529), error_of(529))
    answer = ask(world, {"provider": "@anthropic", "retry": {"attempts": 1}})
    assert (answer.status, answer.headers["x-portkey-retry-attempt-count"]) == (529, "-1")


@pytest.mark.parametrize(
    "header, value, slept",
    [(b"retry-after", b"3", [3.0]), (b"retry-after-ms", b"250", [0.25]), (b"retry-after", b"61", [])],
)
def test_a_provider_says_how_long_to_wait(world, header, value, slept):
    world.upstream.will(error_of(429, headers=[*JSON, (header, value)]), answer_of(MESSAGE))
    config = {"provider": "@anthropic", "retry": {"attempts": 2, "use_retry_after_headers": True}}
    assert ask(world, config).status == (200 if slept else 429)
    assert world.slept == slept


@PATHS
@pytest.mark.parametrize(
    "first", [[OVERLOADED], [b": ping\n\n", OVERLOADED], [b""], [Broken("gone")], [event(type="ping"), OVERLOADED]]
)
def test_a_stream_that_fails_before_its_first_good_event_moves_on(world, path, first):
    world.upstream.will(FakeResponse(200, SSE, *first), FakeResponse(200, SSE, START + DELTA + END))
    config = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@anthropic"}, {"provider": "@anthropic"}]}
    answer = ask(world, config, path, {**ASK, "stream": True})
    assert answer.status == 200
    assert b"Overloaded" not in answer.body
    assert b"Hel" in answer.body
    assert len(world.upstream.sent) == 2
    assert world.record.error is None


@PATHS
@pytest.mark.parametrize("cut", [Broken("gone"), OVERLOADED, b""])
def test_nothing_follows_an_answer_that_has_begun(world, path, cut):
    world.upstream.will(FakeResponse(200, SSE, START + DELTA, cut), answer_of(MESSAGE))
    config = {**FALLBACK, "retry": {"attempts": 3}}
    answer = ask(world, config, path, {**ASK, "stream": True})
    assert answer.status == 200
    assert b"error" in answer.body
    assert b"[DONE]" not in answer.body
    assert b"message_stop" not in answer.body
    assert len(world.upstream.sent) == 1
    assert len(world.records) == 1
    assert world.record.error is not None


def test_without_a_target_that_serves_the_last_refusal_is_the_answer(world):
    config = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@nowhere"}, {"provider": "@narrow"}]}
    answer = ask(world, config)
    assert (answer.status, world.upstream.sent) == (412, [])
    assert answer.headers["x-portkey-last-used-option-index"] == "config.targets[1]"


def test_a_target_that_cannot_serve_does_not_break_one_that_can(world):
    config = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@nowhere"}, {"provider": "@anthropic"}]}
    world.upstream.will(answer_of(MESSAGE))
    assert ask(world, config).status == 200


def with_target_limits(world, slug, *limits):
    snapshot = world.plane.snapshot
    workspace = snapshot.workspace_of(None)
    target = structs.replace(workspace.targets[slug], claims=tuple(Claim(limit) for limit in limits))
    workspace = structs.replace(workspace, targets={**workspace.targets, slug: target})
    world.plane.snapshot = structs.replace(snapshot, workspaces={workspace.id: workspace})


@pytest.mark.parametrize(
    "limit",
    [
        Budget(id="b", scope="provider", name="p", unit="tokens", cap=1, per_attempt=True),
        Rate(id="r", scope="provider", name="p", unit="requests", cap=0, per_attempt=True),
    ],
)
def test_a_target_whose_limit_is_reached_is_passed_by(world, limit):
    with_target_limits(world, "anthropic", limit)
    world.upstream.will(answer_of(CHAT))
    answer = ask(world, FALLBACK)
    assert answer.status == 200
    assert hosts(world) == ["api.openai.com"]
    assert world.record.attempts[0].error in ("budget_exceeded", "rate_limit_exceeded")
    assert asyncio.run(world.counters.usage([Claim(limit)]))[0].reserved == 0


def test_a_caller_whose_own_limit_is_reached_is_served_by_nobody(world):
    snapshot = world.plane.snapshot
    limit = Budget(id="k", scope="key", name="k", unit="tokens", cap=1)
    keys = {digest: structs.replace(key, claims=(Claim(limit),)) for digest, key in snapshot.keys.items()}
    world.plane.snapshot = structs.replace(snapshot, keys=keys)
    assert ask(world, {**FALLBACK, "retry": {"attempts": 3}}).status == 412
    assert world.upstream.sent == []


def test_what_a_failed_attempt_reserved_is_given_back(world):
    limit = Budget(id="p", scope="provider", name="p", unit="tokens", cap=10**6, per_attempt=True)
    with_target_limits(world, "anthropic", limit)
    world.upstream.will(error_of(529), answer_of(CHAT))
    assert ask(world, FALLBACK).status == 200
    usage = asyncio.run(world.counters.usage([Claim(limit)]))[0]
    assert (usage.used, usage.reserved) == (0, 0)


def test_parameters_are_shaped_for_each_target(world):
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [
            {"provider": "@anthropic", "override_params": {"model": "claude-y", "max_tokens": 5}},
            {
                "provider": "@anthropic",
                "default_params": {"temperature": 0.5, "max_tokens": 7},
                "drop_params": ["metadata"],
            },
        ],
    }
    world.upstream.will(error_of(500), answer_of(MESSAGE))
    ask(world, config, body={**ASK, "metadata": {"user_id": "u"}})
    first, second = (json.loads(request.body) for request in world.upstream.sent)
    assert (first["model"], first["max_tokens"], first["metadata"]) == ("claude-y", 5, {"user_id": "u"})
    assert (second["model"], second["max_tokens"], second["temperature"]) == ("claude-x", 9, 0.5)
    assert "metadata" not in second


def test_a_request_timeout_is_408_and_moves_on_only_where_the_config_says_so(world):
    async def never():
        await asyncio.Event().wait()

    world.upstream.will(never)
    answer = ask(world, {"provider": "@anthropic", "request_timeout": 20})
    assert answer.status == 408
    assert answer.json()["error"]["message"] == "Request exceeded the timeout sent in the request: 20ms"
    world.upstream.will(never, answer_of(CHAT))
    assert ask(world, {**FALLBACK, "request_timeout": 20}).status == 200


def test_a_request_timeout_ends_with_the_first_part_of_a_stream(world):
    async def slow():
        await asyncio.wait([asyncio.get_running_loop().create_task(asyncio.Event().wait())], timeout=0.06)

    world.upstream.will(FakeResponse(200, SSE, START + DELTA, slow, END))
    answer = ask(world, {"provider": "@anthropic", "request_timeout": 30}, body={**ASK, "stream": True})
    assert answer.status == 200
    assert b"message_stop" in answer.body


def test_the_header_beats_the_configs_time_limit(world):
    async def never():
        await asyncio.Event().wait()

    world.upstream.will(never)
    answer = ask(world, {"provider": "@anthropic", "request_timeout": 60_000}, x_portkey_request_timeout="10")
    assert answer.status == 408


@PATHS
def test_without_a_config_the_header_limits_the_time_and_headers_and_record_say_that_nothing_was_decided(world, path):
    async def never():
        await asyncio.Event().wait()

    body = {**ASK, "model": "@anthropic/claude-x"}
    world.upstream.will(never, answer_of(MESSAGE))
    assert world.call(path, body, x_portkey_request_timeout="10").status == 408
    answer = world.call(path, body, x_portkey_request_timeout="60000")
    assert answer.status == 200
    assert answer.headers["x-portkey-retry-attempt-count"] == "0"
    assert answer.headers["x-portkey-last-used-option-index"] == "config"
    for record in world.records:
        assert (record.config_id, record.path, record.attempts[0].path) == (None, None, "config")


def test_conditions_choose_by_metadata_and_body(world):
    config = {
        "strategy": {
            "mode": "conditional",
            "conditions": [{"query": {"metadata.plan": {"$eq": "paid"}}, "then": "claude"}],
            "default": "gpt",
        },
        "targets": [{"name": "claude", "provider": "@anthropic"}, {"name": "gpt", "provider": "@openai"}],
    }
    world.upstream.will(answer_of(MESSAGE), answer_of(CHAT))
    ask(world, config, x_portkey_metadata='{"plan":"paid"}')
    ask(world, config)
    assert hosts(world) == ["api.anthropic.com", "api.openai.com"]


def test_a_circuit_opens_and_spares_its_target(world):
    config = {
        **FALLBACK,
        "strategy": {"mode": "fallback", "cb_config": {"failure_threshold": 2, "cooldown_interval": 30_000}},
    }
    world.upstream.will(error_of(500), answer_of(CHAT), error_of(500), answer_of(CHAT), answer_of(CHAT))
    for _ in range(3):
        assert ask(world, config).status == 200
    assert hosts(world) == [
        "api.anthropic.com", "api.openai.com", "api.anthropic.com", "api.openai.com", "api.openai.com",
    ]  # fmt: skip
    world.clock.now += 31
    world.upstream.will(answer_of(MESSAGE))
    ask(world, config)
    assert hosts(world)[-1] == "api.anthropic.com"


@PATHS
@pytest.mark.parametrize("end", [OVERLOADED, b"", Broken("gone")])
def test_a_stream_that_breaks_late_is_a_failure_for_its_circuit(world, path, end):
    breaker = {"failure_threshold": 1, "cooldown_interval": 30_000}
    config = {**FALLBACK, "strategy": {"mode": "fallback", "cb_config": breaker}}
    world.upstream.will(FakeResponse(200, SSE, START + DELTA, end), answer_of(CHAT))
    ask(world, config, path, {**ASK, "stream": True})
    ask(world, config, path)
    assert hosts(world) == ["api.anthropic.com", "api.openai.com"]


def test_a_raw_provider_at_the_root_takes_the_callers_credential(world):
    world.upstream.will(answer_of(MESSAGE))
    ask(world, {"provider": "anthropic"}, authorization="Bearer sk-own")
    assert world.sent_headers()["x-api-key"] == "sk-own"


def test_a_target_brings_its_own_credential(world):
    world.upstream.will(answer_of(MESSAGE))
    ask(world, {"provider": "anthropic", "api_key": "sk-config"})
    assert world.sent_headers()["x-api-key"] == "sk-config"


def save(world, **configs):
    snapshot = world.plane.snapshot
    workspace = snapshot.workspace_of(None)
    found = {
        slug: config if isinstance(config, str) else compile_routes(
            read_config(json.dumps(config).encode(), RULES), slug, version=1, is_saved=True
        )
        for slug, config in configs.items()
    }  # fmt: skip
    workspace = structs.replace(workspace, configs=found)
    world.plane.snapshot = structs.replace(snapshot, workspaces={workspace.id: workspace})


def default(world, config_id, **more):
    snapshot = world.plane.snapshot
    keys = {d: structs.replace(key, config_id=config_id, **more) for d, key in snapshot.keys.items()}
    world.plane.snapshot = structs.replace(snapshot, keys=keys)


def test_a_saved_config_serves_by_its_name(world):
    save(world, pc_one=FALLBACK)
    world.upstream.will(answer_of(MESSAGE))
    assert world.call("/v1/messages", ASK, x_portkey_config="pc_one").status == 200
    assert (world.record.config_id, world.record.config_version, world.record.config_source) == ("pc_one", 1, "header")


def test_a_key_brings_a_config_and_a_request_may_replace_it_if_it_is_allowed(world):
    save(world, pc_one={"provider": "@anthropic"}, pc_two={"provider": "@openai"})
    default(world, "pc_one")
    world.upstream.will(answer_of(MESSAGE), answer_of(CHAT))
    assert world.call("/v1/messages", ASK).status == 200
    assert world.call("/v1/messages", ASK, x_portkey_config="pc_two").status == 200
    assert hosts(world) == ["api.anthropic.com", "api.openai.com"]
    assert [record.config_source for record in world.records] == ["key_default", "header"]
    default(world, "pc_one", allow_config_override=False)
    world.upstream.will(answer_of(MESSAGE))
    assert world.call("/v1/messages", ASK, x_portkey_config="pc_two").status == 400
    assert world.call("/v1/messages", ASK, x_portkey_config="pc_one").status == 200


@pytest.mark.parametrize(
    "config, part",
    [("pc_none", "no config 'pc_none'"), ("pc_bad", "cannot be used: it is broken"), ("{", "Invalid config")],
)
def test_a_config_that_is_unknown_or_broken_is_refused_before_anything_is_sent(world, config, part):
    save(world, pc_bad="it is broken")
    answer = world.call("/v1/chat/completions", ASK, x_portkey_config=config)
    assert answer.status == 400
    assert part in answer.json()["error"]["message"]
    assert world.upstream.sent == []


@PATHS
def test_every_fault_of_a_config_is_told_with_its_path(world, path):
    config = {"strategy": {"mode": "nope"}, "targets": [{"provider": "@a", "weight": "x"}]}
    answer = ask(world, config, path)
    assert answer.status == 400
    assert any(fault.startswith("path: targets.0.weight, message: ") for fault in answer.json()["errors"])
    assert answer.json()["error"]["message"]


def test_what_is_ignored_in_a_request_is_told_and_logged_once(world, caplog):
    config = {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@anthropic", "wieght": 2, "a\r\nb": 1}]}
    world.upstream.will(*(answer_of(MESSAGE) for _ in range(3)))
    (told,) = {ask(world, config).headers["x-lockgate-config-warnings"] for _ in range(2)}
    first, second = told.split(", targets.0.ab: ")
    assert first == "targets.0.wieght: unknown key, ignored; did you mean weight?"
    assert second.startswith("unknown key, ignored")
    (logged,) = [record.message for record in caplog.records if record.name == "lockgate.configs"]
    assert "wieght" in logged
    assert "\n" not in logged
    save(world, pc_one={"provider": "@anthropic", "cache": {"mode": "semantic"}})
    kept = world.call("/v1/messages", ASK, x_portkey_config="pc_one")
    assert "x-lockgate-config-warnings" not in kept.headers, "who saved it was told then"


def test_a_config_with_guardrails_is_refused_not_ignored(world):
    answer = ask(world, {"provider": "@anthropic", "input_guardrails": ["pg-x"]})
    assert (answer.status, world.upstream.sent) == (400, [])


def test_a_turn_of_a_thread_is_never_sent_twice(world):
    world.upstream.will(answer_of(MESSAGE))
    started = ask(world, {"provider": "@anthropic"}, body={**ASK, "thread": {"type": "start"}})
    assert started.status == 200
    world.upstream.will(error_of(529), answer_of(MESSAGE))
    turn = {**ASK, "thread": {"type": "continue", "previous_message_id": "msg_1"}}
    answer = ask(world, {"provider": "@anthropic", "retry": {"attempts": 2}}, body=turn)
    assert answer.status == 529
    assert len(world.upstream.sent) == 2


@pytest.mark.parametrize("kind", ["create", "continue"])
@pytest.mark.parametrize(
    "config",
    [
        FALLBACK,
        {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@anthropic"}, {"provider": "@anthropic"}]},
        {"provider": "@anthropic", "cache": {"mode": "simple"}},
    ],
)
def test_a_thread_that_could_go_elsewhere_is_refused_before_anything_is_sent(world, config, kind):
    thread = {"type": kind, "previous_message_id": "msg_1"} if kind == "continue" else {"type": kind}
    answer = ask(world, config, body={**ASK, "thread": thread})
    assert (answer.status, world.upstream.sent) == (400, [])
    assert answer.json()["error"]["details"]["error_code"] == "thread_unsupported_request"
    assert (world.record.error_origin, world.record.attempts) == ("gateway", ())


def test_a_thread_whose_owner_is_down_is_lost(world):
    world.upstream.will(answer_of(MESSAGE), Unreachable("no"), answer_of(MESSAGE))
    config = {"provider": "@anthropic", "retry": {"attempts": 2}}
    assert ask(world, config, body={**ASK, "thread": {"type": "create"}}).status == 200
    turn = {**ASK, "thread": {"type": "continue", "previous_message_id": "msg_1"}}
    answer = ask(world, config, body=turn)
    assert (answer.status, len(world.upstream.sent)) == (404, 2)
    assert answer.json()["error"]["details"]["error_code"] == "thread_not_found"


def test_a_config_that_offers_nothing_says_so_once(world):
    answer = ask(world, {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@anthropic", "weight": 0}]})
    assert (answer.status, answer.json()["error"]["message"]) == (400, "config: the weights of all targets are 0")


@pytest.mark.parametrize("weight", [0, 1])
def test_a_router_that_has_no_target_to_offer_is_the_answer_when_it_comes_last(world, weight):
    balance = {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@openai", "weight": weight}]}
    world.upstream.will(error_of(500), answer_of(CHAT))
    answer = ask(world, {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@anthropic"}, balance]})
    assert answer.status == (200 if weight else 400)
    if not weight:
        assert "config.targets[1]" in answer.json()["error"]["message"]
        assert answer.headers["x-portkey-last-used-option-index"] == "config.targets[1]"


def test_settings_of_a_target_stand_in_for_headers(world):
    config = {
        "provider": "@openai",
        "openai_organization": "org-1",
        "forward_headers": ["x-team"],
        "strict_open_ai_compliance": False,
    }
    world.upstream.will(answer_of(CHAT))
    assert ask(world, config, "/v1/chat/completions", x_team="blue").status == 200
    sent = world.sent_headers()
    assert (sent["openai-organization"], sent["x-team"]) == ("org-1", "blue")


PING = event(type="ping")
CONTENT = {**FALLBACK, "stream_commit": "first_content"}


def events_of_openai(*deltas):
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
    chunks = [{**head, "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return FakeResponse(200, SSE, *(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks), b"data: [DONE]\n\n")


@PATHS
@pytest.mark.parametrize(
    "parts",
    [[START, OVERLOADED], [START + PING + OVERLOADED], [PING, START], [START, Broken("the connection broke")]],
    ids=["error", "error at once", "cut", "broken"],
)
def test_a_stream_that_fails_before_its_content_moves_on_where_that_is_wanted(world, path, parts):
    # what comes together is looked at together in any case
    for config, index in ((FALLBACK, 0), (CONTENT, 1))[len(parts) == 1 :]:
        world.upstream.will(
            FakeResponse(200, SSE, *parts), events_of_openai({"role": "assistant"}, {"content": "fine"})
        )
        answer = ask(world, config, path, {**ASK, "stream": True})
        assert answer.headers["x-portkey-last-used-option-index"] == f"config.targets[{index}]"
        assert (b"fine" in answer.body) == (index == 1)
        assert answer.body.count(b"message_start") <= 2
        world.upstream.answers.clear()


@PATHS
def test_waiting_for_content_loses_and_changes_nothing(world, path):
    bodies = []
    for config in (FALLBACK, CONTENT):
        world.upstream.will(FakeResponse(200, SSE, START, PING, DELTA, END))
        bodies.append(ask(world, config, path, {**ASK, "stream": True}).body)
    assert bodies[0] == bodies[1]
    assert b"Hel" in bodies[0]


@PATHS
def test_what_was_held_back_in_vain_was_told_to_nobody(world, path):
    world.upstream.will(FakeResponse(200, SSE, START, OVERLOADED))
    answer = ask(world, {"provider": "@anthropic", "stream_commit": "first_content"}, path, {**ASK, "stream": True})
    assert answer.status == 529
    (capture,) = world.captures
    assert capture.response_stream is None
    assert b"Overloaded" in capture.response


@PATHS
def test_what_is_held_back_is_kept_in_the_cache_too(world, path):
    config = {**CONTENT, "cache": "simple"}
    world.upstream.will(FakeResponse(200, SSE, START, PING, DELTA, END))
    first = ask(world, config, path, {**ASK, "stream": True})
    second = ask(world, config, path, {**ASK, "stream": True})
    assert [one.headers["x-portkey-cache-status"] for one in (first, second)] == ["MISS", "HIT"]
    assert b"Hel" in second.body


@PATHS
def test_the_openai_side_waits_for_content_too(world, path):
    config = {**CONTENT, "targets": CONTENT["targets"][::-1]}
    broken = FakeResponse(
        200, SSE, b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
    )
    world.upstream.will(broken, FakeResponse(200, SSE, START, DELTA, END))
    answer = ask(world, config, path, {**ASK, "stream": True})
    assert answer.headers["x-portkey-last-used-option-index"] == "config.targets[1]"
    assert b"Hel" in answer.body


@PATHS
def test_a_client_is_told_after_a_while_what_there_is(world, path):
    async def long_pause():
        world.clock.now += 6

    world.upstream.will(FakeResponse(200, SSE, START, long_pause, PING, OVERLOADED))
    answer = ask(world, CONTENT, path, {**ASK, "stream": True})
    assert (answer.status, len(world.upstream.sent)) == (200, 1)
    assert b"overloaded_error" in answer.body


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_config_may_have_openais_words_for_the_end_in_an_answer_that_is_not_strict(world, is_stream):
    loose = {"provider": "@anthropic", "strict_open_ai_compliance": False}
    reasons = []
    for config in (loose, {**loose, "normalize_finish_reason": True}):
        world.upstream.will(FakeResponse(200, SSE, START + DELTA + END) if is_stream else answer_of(MESSAGE))
        answer = ask(world, config, "/v1/chat/completions", {**ASK, "stream": is_stream})
        assert b"content_blocks" in answer.body
        reasons += [word for word in ("end_turn", "stop") if f'"finish_reason":"{word}"'.encode() in answer.body]
    assert reasons == ["end_turn", "stop"]


def test_a_config_may_have_thinking_mapped(world):
    targets = [{"provider": "@openai", "map_thinking": False}, {"provider": "@openai"}]
    config = {"strategy": {"mode": "fallback"}, "map_thinking": True, "targets": targets}
    world.upstream.will(error_of(500), answer_of(CHAT))
    body = {**ASK, "model": "gpt-5", "thinking": {"type": "adaptive"}}
    assert ask(world, config, body=body).headers["x-lockgate-adjusted"] == "thinking: sent as reasoning_effort"
    assert ["reasoning_effort" in json.loads(sent.body) for sent in world.upstream.sent] == [False, True]


@pytest.mark.parametrize("flags", ["two, three", ["two", "three"]], ids=["text", "list"])
def test_flags_of_a_config_are_further_ones(world, flags):
    world.upstream.will(answer_of(MESSAGE), answer_of(MESSAGE))
    config = {"provider": "@anthropic", "anthropic_beta": flags}
    ask(world, config, anthropic_beta="one", x_portkey_anthropic_beta="zero")
    assert world.sent_headers()["anthropic-beta"] == "one,zero,two,three"
    world.upstream.sent.clear()
    ask(world, config)
    assert world.sent_headers()["anthropic-beta"] == "two,three"


@pytest.mark.parametrize(
    ("client", "sent"),
    [
        ({}, "2026-10-21"),
        ({"anthropic_version": "2023-06-01"}, "2023-06-01"),
        ({"x_portkey_anthropic_version": "2023-06-01"}, "2023-06-01"),
    ],
    ids=["none", "its own header", "Portkey's header"],
)
def test_the_version_of_a_config_is_for_clients_that_name_none(world, client, sent):
    world.upstream.will(answer_of(MESSAGE))
    ask(world, {"provider": "@anthropic", "anthropic_version": "2026-10-21"}, **client)
    assert world.sent_headers()["anthropic-version"] == sent


@pytest.mark.parametrize(
    ("path", "body", "headers", "sent"),
    [
        ("/v1/chat/completions", {}, {}, "2026-10-21"),
        ("/v1/chat/completions", {"temperature": 0.5}, {}, "2023-06-01"),
        ("/v1/chat/completions", {}, {"x_portkey_anthropic_version": "2023-06-01"}, "2023-06-01"),
        ("/v1/messages", {}, {}, "2023-06-01"),
    ],
    ids=["chat", "with sampling", "said by the client", "native"],
)
def test_the_operators_version_is_for_translated_calls_that_name_none(path, body, headers, sent):
    world = World(CONFIG + '[defaults]\nanthropic_version_default = "auto"\n')
    world.upstream.will(answer_of(MESSAGE))
    answer = world.call(path, {**ASK, "model": "@anthropic/claude-sonnet-4-5", **body}, **headers)
    assert answer.status == 200
    assert world.sent_headers()["anthropic-version"] == sent


def test_settings_of_providers_that_we_do_not_have_are_refused_not_ignored(world):
    answer = ask(world, {"provider": "@anthropic", "aws_region": "eu-west-1"})
    assert answer.status == 400
    assert "aws_region" in answer.json()["error"]["message"]


def test_a_client_that_leaves_during_a_wait_is_served_no_more(world, monkeypatch):
    leaving = []

    async def sleep(delay_s):
        leaving[0]()
        await asyncio.wait([asyncio.get_running_loop().create_task(asyncio.Event().wait())], timeout=5)

    monkeypatch.setattr("lockgate.dataplane.walk.asyncio.sleep", sleep)
    world.upstream.will(error_of(529), answer_of(MESSAGE))
    world.call(
        "/v1/messages",
        ASK,
        x_portkey_config=json.dumps({"provider": "@anthropic", "retry": {"attempts": 2}}),
        leave=leaving.append,
    )
    assert len(world.upstream.sent) == 1
    assert world.record.is_client_gone


def test_stages_add_up_over_several_attempts(world):
    world.upstream.will(error_of(529), error_of(500), answer_of(MESSAGE))
    ask(world, {"provider": "@anthropic", "retry": {"attempts": 2}})
    stages, record = world.record.stages, world.record
    assert stages.earlier > 0
    total = sum(getattr(stages, name) for name in stages.__struct_fields__)
    assert total == pytest.approx(record.duration_ms, abs=0.01)


@pytest.mark.parametrize(
    "model, version, sent_version, temperature",
    [
        ("claude-haiku-4-5", "2026-10-21", "2023-06-01", 0.3),
        ("claude-opus-5", "2026-10-21", "2026-10-21", None),
        ("claude-opus-5", "2023-06-01", "2023-06-01", 0.3),
    ],
)
def test_a_configs_sampling_never_breaks_a_client_of_a_newer_version(world, model, version, sent_version, temperature):
    world.upstream.will(answer_of(MESSAGE))
    config = {"provider": "@anthropic", "override_params": {"temperature": 0.3}}
    answer = ask(world, config, body={**ASK, "model": model}, anthropic_version=version)
    assert world.sent_headers()["anthropic-version"] == sent_version
    assert json.loads(world.sent.body).get("temperature") == temperature
    assert ("x-lockgate-adjusted" in answer.headers) == (version == "2026-10-21")


ODD = {
    "an unknown operator": (
        {"query": {"metadata.tier": {"$nope": 1}}},
        "strategy.conditions.0.query: metadata.tier.$nope: $nope is no operator; known: $eq, $ne, $in, $nin, $regex, "
        "$gt, $gte, $lt, $lte; the condition never holds",
    ),
    "a broken pattern": (
        {"query": {"params.user": {"$regex": "("}}},
        "strategy.conditions.0.query: params.user.$regex: missing ): (; the condition never holds",
    ),
}


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", ODD)
def test_an_answer_tells_which_conditions_of_its_config_can_never_hold(world, case, is_stream):
    condition, warning = ODD[case]
    targets = [{"name": "a", "provider": "@anthropic"}, {"name": "b", "provider": "@openai"}]
    strategy = {"mode": "conditional", "conditions": [{**condition, "then": "b"}], "default": "a"}
    world.upstream.will(FakeResponse(200, SSE, START + DELTA + END) if is_stream else answer_of(MESSAGE))
    answer = ask(world, {"strategy": strategy, "targets": targets}, body={**ASK, "stream": is_stream})
    assert answer.status == 200
    assert answer.headers["x-lockgate-config-warnings"] == warning
    assert hosts(world) == ["api.anthropic.com"]


def test_an_answer_tells_what_else_is_not_as_its_config_says(world):
    world.upstream.will(answer_of(MESSAGE))
    told = ask(world, {"provider": "@anthropic", "cache": "semantic", "retries": 2}).headers
    assert told["x-lockgate-config-warnings"] == (
        "retries: unknown key, ignored; did you mean retry?, cache.mode: no semantic cache is set up; it acts as simple"
    )
    assert told["x-portkey-cache-status"] == "MISS"


def test_a_refusal_tells_that_all_targets_are_parked(world):
    targets = [{"provider": "@anthropic", "weight": 0}, {"provider": "@openai", "weight": 0}]
    answer = ask(world, {"strategy": {"mode": "loadbalance"}, "targets": targets})
    assert answer.status == 400
    assert "the weights of all targets are 0" in answer.headers["x-lockgate-config-warnings"]
    assert hosts(world) == []


def test_a_config_that_is_right_is_not_warned_of(world):
    world.upstream.will(answer_of(MESSAGE))
    assert "x-lockgate-config-warnings" not in ask(world, FALLBACK).headers
