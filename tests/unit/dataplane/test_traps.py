"""Mistakes that other gateways made, by their number in the integration specification, section 9, on the native route."""

import asyncio
import json
import re

import pytest

from lockgate.dataplane import relay
from lockgate.providers import load_providers
from tests.unit.dataplane.fakes import JSON, KEY, SSE, FakeResponse, World

ASK = {"model": "@anthropic/claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
MESSAGE = b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{}}'
SIGNED = {"type": "thinking", "thinking": "", "signature": "EqQB"}
COUNT = "/v1/messages/count_tokens"
STARTED = {**json.loads(MESSAGE), "usage": {"input_tokens": 3, "output_tokens": 1}}
EVENTS = [
    {"type": "message_start", "message": STARTED},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "grüße "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "☂ 😀"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
]
STREAM = "".join(
    f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n" for event in EVENTS
).encode()
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
COMPLETION = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"gpt-x","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}'
)
CHUNKS = [
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}},
]
HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
CHAT_STREAM = b"".join(b"data: %b\n\n" % json.dumps(HEAD | chunk).encode() for chunk in CHUNKS) + b"data: [DONE]\n\n"


@pytest.fixture
def world():
    world = World()
    world.upstream.will(FakeResponse(200, JSON, MESSAGE))
    return world


def sent(world, body, path="/v1/messages", **headers):
    answer = world.call(path, body, **headers)
    return json.loads(world.sent.body), answer


def test_trap_17_prefill_is_the_models_business_on_the_native_route(world):
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"prefill is not supported"}}'
    world.upstream.answers[:] = [FakeResponse(400, JSON, body)]
    messages = [*ASK["messages"], {"role": "assistant", "content": "The answer is "}]
    out, answer = sent(world, {**ASK, "messages": messages})
    assert out["messages"] == messages, "no user turn is invented, and native text is not stripped"
    assert (answer.status, answer.body) == (400, body)


@pytest.mark.parametrize("path", ["/v1/messages", COUNT, "/v1/chat/completions"])
def test_trap_26_temperature_and_top_p_leave_temperature(world, path):
    model = "@anthropic/claude-sonnet-4-5"
    out, answer = sent(world, {**ASK, "model": model, "temperature": 0.5, "top_p": 0.9}, path)
    assert out["temperature"] == 0.5
    assert "top_p" not in out
    assert "top_p" in answer.headers.get("x-lockgate-adjusted", "") + answer.headers.get("x-lockgate-dropped", "")


def test_trap_26_the_record_names_the_change(world):
    sent(world, {**ASK, "temperature": 0.5, "top_p": 0.9})
    assert world.record.adjusted == ("top_p: left out, temperature is set",)


def test_trap_44_thinking_with_a_signature_and_no_text_stays(world):
    messages = [*ASK["messages"], {"role": "assistant", "content": [SIGNED]}, *ASK["messages"]]
    out, answer = sent(world, {**ASK, "messages": messages})
    assert out["messages"] == messages
    assert "x-lockgate-adjusted" not in answer.headers


@pytest.mark.parametrize("signature", [{}, {"signature": ""}, {"signature": "gw1.openai.x"}])
@pytest.mark.parametrize("path", ["/v1/messages", COUNT])
def test_trap_45_thinking_without_a_signature_is_removed(world, signature, path):
    foreign = {"type": "thinking", "thinking": "hm", **signature}
    text = {"type": "text", "text": "Hello"}
    messages = [*ASK["messages"], {"role": "assistant", "content": [foreign, text]}, *ASK["messages"]]
    out, answer = sent(world, {**ASK, "messages": messages}, path)
    assert out["messages"][1]["content"] == [text]
    assert "messages.content.thinking" in answer.headers["x-lockgate-adjusted"]


def test_trap_75_errors_keep_their_envelope_and_their_id(world):
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"x"},"request_id":"req_up"}'
    world.upstream.answers[:] = [FakeResponse(529, JSON, body)]
    answer = world.call("/v1/messages", ASK)
    assert (answer.status, answer.body) == (529, body)
    assert answer.headers["request-id"] == "req_up"
    ours = world.call("/v1/messages", b"{").json()
    assert (ours["type"], ours["error"]["type"]) == ("error", "invalid_request_error")
    assert ours["request_id"]


@pytest.mark.parametrize("path", ["/v1/messages", COUNT])
def test_trap_77_what_we_have_never_heard_of_goes_on_byte_for_byte(world, path):
    rest = (
        b' , "output_config":{"effort":"high","task_budget":{"total":1.0}}, "cache_control":{"type":"ephemeral"},'
        b'"context_management":{"edits":[]},"speed":"fast", "unheard":{"a\\/b":"caf\xc3\xa9 \\u00e9 \\/","n":[1.0,1e400,'
        b'123456789012345678901234567890]},"messages":[ {"role":"user","content":"\\ud83d\\ude00"} ] }\n'
    )
    world.call(path, b'{"model":"@anthropic/claude-x"' + rest)
    assert world.sent.body == b'{"model":"claude-x"' + rest


@pytest.mark.parametrize("header", ["x_api_key", "authorization", "x_portkey_api_key"])
def test_trap_84_the_gateway_key_stays_here(world, header):
    value = f"Bearer {KEY}" if header == "authorization" else KEY
    assert world.call("/v1/messages", ASK, key="", **{header: value}).status == 200
    assert world.sent_headers()["x-api-key"] == "sk-ant-record"
    assert all(KEY.encode() not in part for pair in world.sent.headers for part in pair)
    assert KEY.encode() not in world.sent.body + world.sent.target


def test_trap_85_no_beta_of_the_client_is_no_beta_upstream(world):
    world.call("/v1/messages", {**ASK, "tools": [{"name": "t", "input_schema": {"type": "object"}}]})
    assert "anthropic-beta" not in world.sent_headers()


@pytest.mark.parametrize("path", ["/v1/v1/messages", "/v1/messages"])
def test_trap_86_odd_addresses_of_sdks_are_served(world, path):
    answer = world.call(path, ASK, query=b"beta=true")
    assert (answer.status, answer.body) == (200, MESSAGE)
    assert world.sent.target == b"/v1/messages?beta=true"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_trap_76_a_client_that_leaves_cancels_the_call_and_blames_nobody_else(world, path):
    leaving = []

    async def leave_and_wait():
        leaving[0]()
        await asyncio.sleep(60)

    response = FakeResponse(200, SSE, STREAM[:400], leave_and_wait)
    world.upstream.answers[:] = [response]
    world.call(path, {**ASK, "stream": True}, leave=leaving.append)
    assert response.is_closed
    (attempt,) = world.record.attempts
    assert (world.record.status, world.record.error_origin) == (499, "client")
    assert attempt.error in (None, "client_closed_request")


def test_trap_76_a_long_silence_is_filled_with_pings(world, monkeypatch):
    monkeypatch.setattr(relay, "_PING_AFTER_S", 0.02)
    monkeypatch.setattr(relay, "_PING_CHECK_S", 0.01)

    async def pause():
        await asyncio.sleep(0.1)

    cut = CHAT_STREAM.index(b"\n\n") + 2
    pieces = [(CHAT_STREAM,), (CHAT_STREAM[:cut], pause, CHAT_STREAM[cut:])]
    quiet, silent = (FakeResponse(200, SSE, *piece) for piece in pieces)
    world.upstream.answers[:] = [quiet, silent]
    body = {**ASK, "model": "@openai/gpt-x", "stream": True}
    without, answer = world.call("/v1/messages", body), world.call("/v1/messages", body)
    assert answer.body.count(PING) > 2
    assert answer.body.replace(PING, b"") == without.body.replace(PING, b""), "pings change nothing else"


CLAUDE_CODE = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,per-turn-control-2026-07-01,"
    "mid-conversation-tool-changes-2026-07-01,thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20,"
    "effort-2025-11-24,thinking-display-updates-2026-08-18,never-heard-of-2031-01-01"
)


@pytest.mark.parametrize("path", ["/v1/messages", COUNT])
def test_trap_78_all_betas_of_claude_code_reach_anthropic(world, path):
    world.call(path, ASK, anthropic_beta=CLAUDE_CODE)
    assert world.sent_headers()["anthropic-beta"].split(",") == CLAUDE_CODE.split(",")


@pytest.mark.parametrize("path", ["/v1/messages", COUNT])
def test_trap_78_no_beta_reaches_a_provider_that_knows_none(world, path):
    world.upstream.answers[:] = [FakeResponse(200, JSON, COMPLETION)]
    answer = world.call(path, {**ASK, "model": "@openai/gpt-x"}, anthropic_beta=CLAUDE_CODE)
    assert answer.status == 200
    assert all(name != b"anthropic-beta" for request in world.upstream.sent for name, _ in request.headers)


def test_trap_98_a_stream_begins_with_an_estimate_of_the_input(world):
    world.upstream.answers[:] = [FakeResponse(200, SSE, CHAT_STREAM)]
    answer = world.call("/v1/messages", {**ASK, "model": "@openai/gpt-x", "stream": True})
    first, *_, last, _ = (json.loads(event.partition("data: ")[2]) for event in answer.events())
    assert first["message"]["usage"]["input_tokens"] > 0
    assert last["usage"]["input_tokens"] == 3, "what the provider counted comes at the end"


@pytest.mark.parametrize("provider", sorted(load_providers()))
def test_trap_98_every_provider_counts(provider):
    place = f'[providers.any]\ntype = "{provider}"\napi_key = "k"\nbase_url = "http://127.0.0.1:9"\n'
    world = World(place)
    world.upstream.will(FakeResponse(200, JSON, b'{"input_tokens":5}'))
    answer = world.call(COUNT, {**ASK, "model": "@any/m"})
    assert (answer.status, answer.json()["input_tokens"] > 0) == (200, True)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_trap_113_a_stream_cut_anywhere_says_the_same(path):
    """Every place at which bytes may be cut, also inside a character, gives the same answer."""
    world = World()
    answers = set()
    for at in range(len(STREAM) + 1):
        world.upstream.answers[:] = [FakeResponse(200, SSE, *(part for part in (STREAM[:at], STREAM[at:]) if part))]
        answers.add(world.call(path, {**ASK, "stream": True}).body)
    (answer,) = answers
    told = "".join(re.findall(r'"(?:text|content)": ?"([^"]*)"', answer.decode()))
    assert "grüße ☂ 😀" in json.loads(f'"{told}"')


def test_trap_88_each_attempt_is_translated_from_what_the_client_said(world):
    """Claude, then OpenAI, then Claude again: the last one gets what the first one got, not a translation of one."""
    targets = [
        {"provider": "@anthropic"},
        {"provider": "@openai", "override_params": {"model": "gpt-x"}},
        {"provider": "@narrow", "override_params": {"model": "claude-one"}},
    ]
    config = json.dumps({"strategy": {"mode": "fallback"}, "targets": targets})
    body = (
        b'{"model":"claude-x" , "max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"H\\u00e9",'
        b'"cache_control":{"type":"ephemeral"}}]}],"unheard":{"n":1.0}}'
    )
    world.upstream.answers[:] = [
        FakeResponse(529, JSON, b"{}"),
        FakeResponse(500, JSON, b"{}"),
        FakeResponse(200, JSON, MESSAGE),
    ]
    answer = world.call("/v1/messages", body, x_portkey_config=config)
    assert (answer.status, answer.body) == (200, MESSAGE)
    first, second, third = (request.body for request in world.upstream.sent)
    assert first == body
    assert json.loads(second)["messages"] == [{"role": "user", "content": "H\u00e9"}]
    sent, said = json.loads(third), json.loads(body)
    assert sent.pop("model") == "claude-one"
    assert sent == {name: value for name, value in said.items() if name != "model"}


def test_trap_111_a_kept_tool_call_is_told_again_as_a_stream(world):
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"city": "Z\u00fcrich", "n": [1, {"a": None}]}}
    message = {**json.loads(MESSAGE), "content": [use], "stop_reason": "tool_use"}
    world.upstream.answers[:] = [FakeResponse(200, JSON, json.dumps(message).encode())]
    config = json.dumps({"provider": "@anthropic", "cache": {"mode": "simple"}})
    body = {**ASK, "model": "claude-x"}
    world.call("/v1/messages", body, x_portkey_config=config)
    answer = world.call("/v1/messages", {**body, "stream": True}, x_portkey_config=config)
    assert answer.headers["x-portkey-cache-status"] == "HIT"
    events = [json.loads(event.partition("data: ")[2]) for event in answer.events()]
    (start,) = (event["content_block"] for event in events if event["type"] == "content_block_start")
    assert start == {**use, "input": {}}
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert {delta["type"] for delta in deltas} == {"input_json_delta"}
    assert json.loads("".join(delta["partial_json"] for delta in deltas)) == use["input"]


# ---- addendum, section 7: a config that adds what newer API versions refuse


@pytest.mark.parametrize(
    "model, version, temperature", [("claude-haiku-4-5", "2023-06-01", 0.3), ("claude-opus-5", "2026-10-21", None)]
)
def test_a_configs_temperature_breaks_no_newer_client(world, model, version, temperature):
    config = json.dumps({"provider": "@anthropic", "override_params": {"temperature": 0.3}})
    answer = world.call(
        "/v1/messages", {**ASK, "model": model}, x_portkey_config=config, anthropic_version="2026-10-21"
    )
    assert answer.status == 200
    assert world.sent_headers()["anthropic-version"] == version
    assert json.loads(world.sent.body).get("temperature") == temperature


# ---- addendum, section 2.8


@pytest.mark.parametrize(
    "status, kind, code",
    [
        (429, "rate_limit_error", "enforced_spend_limit_reached"),
        (429, "rate_limit_error", "contract_spend_limit_reached"),
        (429, "rate_limit_error", "ramp_limit_exceeded"),
        (402, "billing_error", "linked_organization_limit_reached"),
        (400, "invalid_request_error", "image_too_large"),
    ],
)
def test_the_providers_error_code_is_told_in_both_dialects(world, status, kind, code):
    details = {"error_code": code, "paths": ["a"]}
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "No.", "details": details}}).encode()
    world.upstream.answers[:] = [FakeResponse(status, JSON, body), FakeResponse(status, JSON, body)]
    native = world.call("/v1/messages", ASK)
    assert (native.status, native.body) == (status, body)
    chat = world.call("/v1/chat/completions", ASK)
    assert chat.status == status
    assert chat.json()["error"] == {"message": "anthropic error: No.", "type": kind, "param": None, "code": code}
