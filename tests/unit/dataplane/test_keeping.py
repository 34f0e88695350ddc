"""The cache around requests: what is asked once, who shares, and what a hit looks like."""

import asyncio
import json

import pytest
from msgspec import structs

from lockgate.core.limits import Budget, Claim, Rate
from lockgate.errors import Broken
from lockgate.plan.keys import digest_of
from lockgate.plan.snapshot import GatewayKey, Workspace
from tests.unit.dataplane.fakes import CONFIG, JSON, KEY, SSE, FakeResponse, World

MODEL = "claude-sonnet-4-5"
ASK = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
REPLY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Hello " * 200}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 504, "output_tokens": 50},
}
SIMPLE = {"provider": "@anthropic", "cache": {"mode": "simple"}}
PATHS = pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])


def event(**fields):
    return f"event: {fields['type']}\ndata: {json.dumps(fields)}\n\n".encode()


def stream_of(text="Hello"):
    return (
        event(
            type="message_start", message={**REPLY, "content": [], "usage": {"input_tokens": 504, "output_tokens": 1}}
        )
        + event(type="content_block_start", index=0, content_block={"type": "text", "text": ""})
        + event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": text})
        + event(type="content_block_stop", index=0)
        + event(type="message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 50})
        + event(type="message_stop")
    )


def whole(value=REPLY, status=200):
    return FakeResponse(status, JSON, json.dumps(value).encode())


@pytest.fixture
def world():
    return World()


def ask(world, path="/v1/messages", body=ASK, config=SIMPLE, **headers):
    answer = world.call(path, body, x_portkey_config=json.dumps(config), **headers)
    return answer, answer.headers.get("x-portkey-cache-status")


@PATHS
def test_an_equal_request_is_answered_without_asking(world, path):
    world.upstream.will(whole())
    first, status = ask(world, path)
    assert status == "MISS"
    second, status = ask(world, path)
    assert (status, second.status) == ("HIT", 200)
    assert second.body == first.body
    assert len(world.upstream.sent) == 1
    record = world.records[1]
    assert (record.cache_status, record.cost, record.attempts) == ("hit", None, ())
    assert record.cache_saved_nanos == 504 * 3_000 + 50 * 15_000
    assert world.records[0].cache_status == "miss"


@PATHS
def test_a_stream_is_kept_and_told_again_in_both_forms(world, path):
    world.upstream.will(FakeResponse(200, SSE, stream_of()))
    assert ask(world, path, {**ASK, "stream": True})[1] == "MISS"
    again, status = ask(world, path, {**ASK, "stream": True})
    assert status == "HIT"
    assert again.headers["content-type"].startswith("text/event-stream")
    assert b"Hello" in again.body
    end = b"[DONE]" if "chat" in path else b"message_stop"
    assert end in again.body
    answer, status = ask(world, path)
    assert (status, answer.headers["content-type"]) == ("HIT", "application/json")
    assert "Hello" in answer.body.decode()
    assert len(world.upstream.sent) == 1


def test_a_whole_answer_is_told_as_a_stream_with_all_its_blocks(world):
    world.upstream.will(whole())
    ask(world)
    answer, status = ask(world, body={**ASK, "stream": True})
    assert status == "HIT"
    events = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: ")]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    text = "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta")
    assert text == "Hello " * 200
    signatures = [e["delta"]["signature"] for e in events if e.get("delta", {}).get("type") == "signature_delta"]
    assert signatures == ["s"]


@PATHS
@pytest.mark.parametrize("broken", [[stream_of()[:300]], [stream_of()[:300], Broken("gone")]])
def test_a_stream_that_did_not_end_well_is_never_kept(world, path, broken):
    world.upstream.will(FakeResponse(200, SSE, *broken), FakeResponse(200, SSE, stream_of()))
    ask(world, path, {**ASK, "stream": True})
    _, status = ask(world, path, {**ASK, "stream": True})
    assert status == "MISS"
    assert len(world.upstream.sent) == 2


@pytest.mark.parametrize(
    "bad",
    [
        whole({"type": "error", "error": {"type": "api_error", "message": "no"}}, 500),
        whole({"error": {"message": "no"}}),
    ],
)
def test_errors_are_never_kept(world, bad):
    world.upstream.will(bad, whole())
    ask(world)
    assert ask(world)[1] == "MISS"
    assert len(world.upstream.sent) == 2


def test_without_a_config_there_is_no_cache(world):
    world.upstream.will(whole(), whole())
    for _ in range(2):
        answer = world.call("/v1/messages", {**ASK, "model": "@anthropic/" + MODEL})
        assert answer.headers["x-portkey-cache-status"] == "DISABLED"


@pytest.mark.parametrize(
    "first, second, statuses",
    [
        ({}, {"x_portkey_cache_force_refresh": "true"}, ["MISS", "REFRESH"]),
        ({"x_portkey_cache_namespace": "a"}, {"x_portkey_cache_namespace": "b"}, ["MISS", "MISS"]),
        ({"x_portkey_cache_namespace": "a"}, {"x_portkey_cache_namespace": "a"}, ["MISS", "HIT"]),
        ({"x_portkey_metadata": '{"a":"1"}'}, {"x_portkey_metadata": '{"a":"2"}'}, ["MISS", "MISS"]),
        ({"x_portkey_trace_id": "1"}, {"x_portkey_trace_id": "2"}, ["MISS", "HIT"]),
        ({"x_portkey_debug": "false"}, {"x_portkey_debug": "false"}, ["DISABLED", "DISABLED"]),
        ({"anthropic_beta": "one"}, {"anthropic_beta": "two"}, ["MISS", "MISS"]),
        ({}, {"x_lockgate_normalize_finish_reason": "true"}, ["MISS", "MISS"]),
        ({}, {"x_lockgate_repair_tool_history": "true"}, ["MISS", "MISS"]),
        ({}, {"x_lockgate_mid_conversation_system": "true"}, ["MISS", "MISS"]),
        ({}, {"x_lockgate_forced_tool_choice": "pass"}, ["MISS", "MISS"]),
        ({}, {"x_lockgate_anthropic_service_tier_mapping": "native"}, ["MISS", "MISS"]),
        ({}, {"x_lockgate_anthropic_service_tier_mapping": "auto"}, ["MISS", "HIT"]),
        ({"x_lockgate_map_thinking": "true"}, {"x_lockgate_map_thinking": "false"}, ["MISS", "MISS"]),
    ],
)
def test_what_parts_entries_and_what_does_not(world, first, second, statuses):
    world.upstream.will(whole(), whole())
    assert [ask(world, **first)[1], ask(world, **second)[1]] == statuses


def test_a_refreshed_answer_takes_the_place_of_the_old_one(world):
    world.upstream.will(whole(), whole({**REPLY, "id": "msg_2"}))
    ask(world)
    ask(world, x_portkey_cache_force_refresh="true")
    answer, status = ask(world)
    assert (answer.json()["id"], status) == ("msg_2", "HIT")


def test_an_entry_has_an_age(world):
    world.upstream.will(whole(), whole())
    config = {**SIMPLE, "cache": {"mode": "simple", "max_age": 60}}
    ask(world, config=config)
    world.clock.now += 61
    assert ask(world, config=config)[1] == "MISS"


@pytest.mark.parametrize(
    "operators, configs, kept_s",
    [(None, None, 604_800), (None, 120, 120), (300, None, 300), (300, 120, 120), (300, 600, 300)],
)
def test_the_shorter_of_the_ages_holds(operators, configs, kept_s):
    text = CONFIG if operators is None else f"{CONFIG}[cache]\nmax_age_s = {operators}\n"
    world = World(text)
    world.upstream.will(whole(), whole())
    cache = {"mode": "simple"} if configs is None else {"mode": "simple", "max_age": configs}
    config = {**SIMPLE, "cache": cache}
    ask(world, config=config)
    world.clock.now += kept_s - 1
    assert ask(world, config=config)[1] == "HIT"
    world.clock.now += 2
    assert ask(world, config=config)[1] == "MISS"


def test_tenants_never_meet(world):
    snapshot = world.plane.snapshot
    other = Workspace(id="w2", slug="w2", targets=snapshot.workspace_of(None).targets)
    keys = {**snapshot.keys, digest_of("other"): GatewayKey(id="k2", name="k2", workspace="w2")}
    world.plane.snapshot = structs.replace(snapshot, keys=keys, workspaces={**snapshot.workspaces, "w2": other})
    world.upstream.will(whole(), whole())
    assert ask(world)[1] == "MISS"
    assert ask(world, key="other")[1] == "MISS"
    assert ask(world)[1] == "HIT"


def test_callers_with_credentials_of_their_own_never_meet(world):
    config = {"provider": "anthropic", "cache": {"mode": "simple"}}
    world.upstream.will(whole(), whole())
    assert ask(world, config=config, authorization="Bearer sk-one")[1] == "MISS"
    assert ask(world, config=config, authorization="Bearer sk-two")[1] == "MISS"
    assert ask(world, config=config, authorization="Bearer sk-one")[1] == "HIT"


@pytest.mark.parametrize("name", ["authorization", "x-team-token"])
def test_callers_whose_credentials_are_forwarded_never_meet_in_a_namespace_either(world, name):
    config = {**SIMPLE, "forward_headers": [name]}
    world.upstream.will(whole(), whole())
    statuses = [
        ask(world, config=config, x_portkey_cache_namespace="all", **{name.replace("-", "_"): f"Bearer {who}"})[1]
        for who in ("one", "two", "one")
    ]
    assert statuses == ["MISS", "MISS", "HIT"]


def test_each_target_has_its_own_entries(world):
    world.upstream.will(whole(), whole())
    other = {**SIMPLE, "override_params": {"temperature": 0}}
    assert [ask(world)[1], ask(world, config=other)[1]] == ["MISS", "MISS"]


def test_a_hit_counts_as_a_request_and_costs_nothing(world):
    money = Budget(id="m", scope="key", name="k", unit="nanos", cap=10**12)
    requests = Budget(id="q", scope="key", name="k", unit="requests", cap=2)
    snapshot = world.plane.snapshot
    claims = (Claim(Rate(id="r", scope="key", name="k", unit="requests", cap=10)), Claim(money), Claim(requests))
    keys = {digest_of(KEY): structs.replace(snapshot.keys[digest_of(KEY)], claims=claims)}
    world.plane.snapshot = structs.replace(snapshot, keys=keys)
    world.upstream.will(whole())
    assert [ask(world)[1], ask(world)[1]] == ["MISS", "HIT"]
    used = asyncio.run(world.counters.usage([Claim(money), Claim(requests)]))
    assert [one.used for one in used] == [504 * 3_000 + 50 * 15_000, 2]
    answer, _ = ask(world)
    assert answer.status == 412


def test_equal_requests_at_the_same_time_ask_once(world):
    async def both():
        release = asyncio.Event()

        async def slow():
            await release.wait()
            return whole()

        world.upstream.will(slow)
        loop = asyncio.get_running_loop()
        headers = {"x-portkey-config": json.dumps(SIMPLE)}
        calls = [
            loop.create_task(world._call("/v1/messages", ASK, "POST", KEY, None, b"", dict(headers))) for _ in range(5)
        ]
        while not world.upstream.sent:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        release.set()
        return await asyncio.gather(*calls)

    answers = asyncio.run(both())
    assert [answer.status for answer in answers] == [200] * 5
    assert sorted(answer.headers["x-portkey-cache-status"] for answer in answers) == ["HIT"] * 4 + ["MISS"]
    assert len(world.upstream.sent) == 1


def test_when_the_one_that_asks_fails_the_others_ask_themselves(world):
    async def both():
        release = asyncio.Event()

        async def failing():
            await release.wait()
            return whole({"type": "error", "error": {"type": "api_error", "message": "no"}}, 500)

        world.upstream.will(failing, whole())
        loop = asyncio.get_running_loop()
        headers = {"x-portkey-config": json.dumps(SIMPLE)}
        calls = [
            loop.create_task(world._call("/v1/messages", ASK, "POST", KEY, None, b"", dict(headers))) for _ in range(2)
        ]
        while not world.upstream.sent:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        release.set()
        return await asyncio.gather(*calls)

    assert sorted(answer.status for answer in asyncio.run(both())) == [200, 500]


def test_a_chat_stream_is_told_with_its_blocks_or_asked_for_anew(world):
    world.upstream.will(whole(), FakeResponse(200, SSE, stream_of()))
    loose = {"x_portkey_strict_open_ai_compliance": "false"}
    kept, _ = ask(world, "/v1/chat/completions", **loose)
    assert '"signature"' in kept.body.decode()
    answer, status = ask(world, "/v1/chat/completions", {**ASK, "stream": True}, **loose)
    assert answer.status == 200
    assert status == "MISS" or b'"signature"' in answer.body


COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4.1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    },
}
CHUNKS = [
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": COMPLETION["usage"]},
]
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4.1"}
CHAT_STREAM = b"".join(f"data: {json.dumps(HEAD | chunk)}\n\n".encode() for chunk in CHUNKS) + b"data: [DONE]\n\n"
GPT = {"provider": "@openai", "cache": {"mode": "simple"}}
ASK_GPT = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hi"}]}


def test_members_that_say_nothing_do_not_keep_an_answer_from_being_told_as_a_stream(world):
    world.upstream.will(whole(COMPLETION))
    ask(world, "/v1/chat/completions", ASK_GPT, GPT)
    answer, status = ask(world, "/v1/chat/completions", {**ASK_GPT, "stream": True}, GPT)
    assert status == "HIT"
    assert b"Hello" in answer.body


@pytest.mark.parametrize("size", [5, 40_000])
def test_an_answer_is_told_as_a_stream_as_often_as_it_is_asked_for(world, size):
    text = "x" * size
    choice = {**COMPLETION["choices"][0], "message": {"role": "assistant", "content": text}}
    world.upstream.will(whole({**COMPLETION, "choices": [choice]}))
    ask(world, "/v1/chat/completions", ASK_GPT, GPT)
    asked = {**ASK_GPT, "stream": True}
    first, again = (ask(world, "/v1/chat/completions", asked, GPT)[0] for _ in range(2))
    with_usage, status = ask(world, "/v1/chat/completions", {**asked, "stream_options": {"include_usage": True}}, GPT)
    assert first.body == again.body
    assert status == "HIT"
    for answer in (first, with_usage):
        told = [json.loads(line[6:]) for line in answer.body.splitlines() if line.startswith(b"data: {")]
        deltas = (choice["delta"].get("content") or "" for chunk in told for choice in chunk["choices"])
        assert "".join(deltas) == text
    assert len(world.upstream.sent) == 1


def test_something_that_a_stream_cannot_say_is_asked_for_anew(world):
    choice = {**COMPLETION["choices"][0], "logprobs": {"content": [{"token": "H", "logprob": -1.5}]}}
    world.upstream.will(whole({**COMPLETION, "choices": [choice]}), FakeResponse(200, SSE, CHAT_STREAM))
    ask(world, "/v1/chat/completions", ASK_GPT, GPT)
    assert ask(world, "/v1/chat/completions", {**ASK_GPT, "stream": True}, GPT)[1] == "MISS"


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"])
def test_usage_that_the_client_did_not_ask_for_is_kept_with_the_answer(world, end):
    stream = CHAT_STREAM.removesuffix(b"data: [DONE]\n\n") + end
    world.upstream.will(FakeResponse(200, SSE, stream))
    first, _ = ask(world, "/v1/chat/completions", {**ASK_GPT, "stream": True}, GPT)
    assert b'"usage"' not in first.body
    answer, status = ask(world, "/v1/chat/completions", ASK_GPT, GPT)
    assert status == "HIT"
    assert (answer.json()["usage"]["prompt_tokens"], answer.json()["usage"]["completion_tokens"]) == (7, 5)
    assert world.records[1].cache_saved_nanos > 0


LOSSY = {**ASK, "logit_bias": {"1": 2}, "seed": 7}
CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_hit_names_what_was_lost_on_the_way_as_the_first_answer_did(world, is_stream):
    world.upstream.will(FakeResponse(200, SSE, stream_of()) if is_stream else whole())
    answers = [ask(world, CHAT, {**LOSSY, "stream": flag}) for flag in (is_stream, True, False)]
    assert [status for _, status in answers] == ["MISS", "HIT", "HIT"]
    assert {answer.headers["x-lockgate-dropped"] for answer, _ in answers} == {"seed, logit_bias"}
    assert [record.dropped for record in world.records] == [("seed", "logit_bias")] * 3
    assert len(world.upstream.sent) == 1


def test_a_hit_names_what_was_changed_in_meaning(world):
    world.upstream.will(whole())
    body = {**ASK, "temperature": 2}
    (first, _), (second, status) = ask(world, CHAT, body), ask(world, CHAT, body)
    assert status == "HIT"
    assert second.headers["x-lockgate-adjusted"] == first.headers["x-lockgate-adjusted"]
    assert world.records[1].adjusted == world.records[0].adjusted != ()


def test_who_refuses_losses_gets_no_kept_answer_that_has_some(world):
    world.upstream.will(whole(), whole())
    ask(world, CHAT, LOSSY)
    refused, _ = ask(world, CHAT, LOSSY, x_lockgate_strict="true")
    assert (refused.status, refused.json()["error"]["param"]) == (400, "seed")
    assert len(world.upstream.sent) == 1
    assert ask(world, CHAT, LOSSY)[1] == "HIT"
    ask(world, CHAT, ASK)
    assert ask(world, CHAT, ASK, x_lockgate_strict="true")[1] == "HIT"
    assert len(world.upstream.sent) == 2


def test_hits_do_not_count_for_circuits(world):
    """A target that fails half of what it is really asked is left out, however much the cache answers."""
    breaker = {"failure_threshold_percentage": 50, "minimum_requests": 2, "cooldown_interval": 30_000}
    config = {
        "strategy": {"mode": "fallback", "cb_config": breaker},
        "targets": [{"provider": "@anthropic", "cache": "simple"}, {"provider": "@openai"}],
    }
    chat = {"id": "c", "object": "chat.completion", "created": 1, "model": "g"}
    said = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    other = whole({**chat, "choices": [said], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
    world.upstream.will(whole())
    assert [ask(world, config=config)[1] for _ in range(6)] == ["MISS", *["HIT"] * 5]
    world.upstream.will(whole({"type": "error", "error": {"type": "api_error", "message": "no"}}, 500), other)
    new = {**ASK, "max_tokens": 10}
    answer, status = ask(world, body=new, config=config)
    assert (answer.headers["x-portkey-last-used-option-index"], status) == ("config.targets[1]", "DISABLED")
    world.upstream.will(whole({**chat, "choices": [said]}))
    answer, _ = ask(world, config=config)
    assert answer.headers["x-portkey-last-used-option-index"] == "config.targets[1]", "one of two failed"
