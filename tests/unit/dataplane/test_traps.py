"""Mistakes that other gateways made, by their number in the integration specification, section 9, on the native route."""

import json

import pytest

from tests.unit.dataplane.fakes import JSON, KEY, FakeResponse, World

ASK = {"model": "@anthropic/claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
MESSAGE = b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{}}'
SIGNED = {"type": "thinking", "thinking": "", "signature": "EqQB"}
COUNT = "/v1/messages/count_tokens"


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
