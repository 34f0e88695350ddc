import gc
import json
import weakref

import pytest
from msgspec import structs

from lockgate.core.recording import Recording
from lockgate.dataplane.app import DataPlane
from lockgate.errors import Broken, TimedOut, Unreachable
from tests.unit.dataplane.fakes import CONFIG, JSON, KEY, SSE, FakeResponse, World

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 5},
}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 8,
        "completion_tokens": 2,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 5},
    },
}
ASK = {"model": "@anthropic/claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
ASK_OPENAI = {**ASK, "model": "@openai/gpt-x"}


@pytest.fixture
def world():
    return World()


def answer_of(value, status=200, headers=JSON):
    return FakeResponse(status, headers, json.dumps(value).encode())


def test_messages_to_anthropic_are_bytes_on_both_sides(world):
    reply = b'{ "id":"msg_1" , "usage":{"input_tokens":3,"output_tokens":2},"stop_reason":"end_turn","model":"claude-x","new":1.0}'
    world.upstream.will(FakeResponse(200, JSON, reply))
    answer = world.call(
        "/v1/messages", b'{"max_tokens":9,"model" : "@anthropic/claude-x","messages":[],"unheard_of":1.0}'
    )
    assert world.sent.body == b'{"max_tokens":9,"model" : "claude-x","messages":[],"unheard_of":1.0}'
    assert answer.body == reply
    assert world.sent_headers() == {
        "anthropic-version": "2023-06-01",
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": "lockgate",
        "x-api-key": "sk-ant-record",
    }
    assert (world.sent.method, world.sent.target, world.sent.origin.host) == (
        "POST",
        b"/v1/messages",
        "api.anthropic.com",
    )
    assert world.record.tokens.input == 3
    assert world.record.attempts[0].is_byte_path
    assert world.upstream.responses[0].is_closed


def test_the_answer_carries_ids_and_what_served_it(world):
    world.upstream.will(answer_of(MESSAGE))
    answer = world.call("/v1/messages", ASK, x_portkey_trace_id="trace-7")
    assert answer.headers["x-portkey-trace-id"] == "trace-7"
    assert answer.headers["x-portkey-provider"] == "anthropic"
    assert answer.headers["x-portkey-retry-attempt-count"] == "0"
    assert answer.headers["x-portkey-cache-status"] == "DISABLED"
    assert answer.headers["x-portkey-last-used-option-index"] == "config"
    assert answer.headers["request-id"] == answer.headers["x-request-id"] == "req_up"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "x-lockgate-simulated" not in answer.headers
    assert world.record.id == "rec_" + answer.headers["x-portkey-request-id"].replace("-", "")
    assert world.record.attempts[0].upstream_request_id == "req_up"


def test_chat_to_anthropic_is_translated_both_ways(world):
    world.upstream.will(answer_of(MESSAGE))
    answer = world.call("/v1/chat/completions", {**ASK, "seed": 3})
    sent = json.loads(world.sent.body)
    assert sent["model"] == "claude-x"
    assert sent["max_tokens"] == 9
    assert "seed" not in sent
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"
    assert answer.json()["usage"]["prompt_tokens"] == 8
    assert answer.headers["x-lockgate-dropped"] == "seed"
    assert world.record.dropped == ("seed",)
    tokens = world.record.tokens
    assert (tokens.input, tokens.cache_read, tokens.output) == (3, 5, 2)
    assert not world.record.attempts[0].is_byte_path


def test_a_drop_below_a_field_is_an_error_when_the_client_is_strict(world):
    source = {"type": "url", "url": "https://a.example/b.png", "odd": 1}
    ask = {**ASK_OPENAI, "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    world.upstream.will(answer_of(CHAT))
    assert world.call("/v1/messages", ask).headers["x-lockgate-dropped"] == "messages[0].content[0].source.odd"
    refused = world.call("/v1/messages", ask, x_lockgate_strict="true")
    assert refused.status == 400
    assert "messages[0].content[0].source.odd" in refused.json()["error"]["message"]
    assert len(world.upstream.sent) == 1


def test_a_drop_is_an_error_when_the_client_is_strict(world):
    answer = world.call("/v1/chat/completions", {**ASK, "seed": 3}, x_lockgate_strict="true")
    assert answer.status == 400
    assert "seed" in answer.json()["error"]["message"]
    assert world.upstream.sent == []


def test_messages_to_openai_are_translated_both_ways(world):
    world.upstream.will(answer_of(CHAT))
    answer = world.call("/v1/messages", ASK_OPENAI)
    assert world.sent.target == b"/v1/chat/completions"
    assert world.sent_headers()["authorization"] == "Bearer sk-openai-record"
    assert "anthropic-version" not in world.sent_headers()
    assert json.loads(world.sent.body)["messages"] == [{"role": "user", "content": "Hi"}]
    assert answer.json()["content"] == [{"type": "text", "text": "Hello"}]
    assert answer.json()["usage"]["input_tokens"] == 3


def test_the_query_goes_along_where_the_provider_knows_it(world):
    world.upstream.will(answer_of(MESSAGE))
    world.call("/v1/messages", ASK, query=b"beta=true")
    assert world.sent.target == b"/v1/messages?beta=true"


def test_the_clients_version_and_betas_reach_anthropic(world):
    world.upstream.will(answer_of(MESSAGE))
    world.call(
        "/v1/messages", ASK, anthropic_version="2026-10-21", anthropic_beta="a,b", x_portkey_anthropic_beta="b, c"
    )
    assert world.sent_headers()["anthropic-version"] == "2026-10-21"
    assert world.sent_headers()["anthropic-beta"] == "a,b,c"


def test_the_betas_of_a_chat_client_reach_anthropic(world):
    world.upstream.will(answer_of(MESSAGE))
    world.call("/v1/chat/completions", ASK, x_portkey_anthropic_beta="token-efficient-tools-2025-02-19")
    assert world.sent_headers()["anthropic-beta"] == "token-efficient-tools-2025-02-19"


def test_an_oauth_token_brings_its_beta(world):
    world.upstream.will(answer_of(MESSAGE))
    world.call(
        "/v1/messages",
        {**ASK, "model": "claude-x"},
        x_portkey_provider="anthropic",
        authorization="Bearer sk-ant-oat01-x",
        anthropic_beta="a",
    )
    assert world.sent_headers()["authorization"] == "Bearer sk-ant-oat01-x"
    assert world.sent_headers()["anthropic-beta"] == "a,oauth-2025-04-20"
    assert "x-api-key" not in world.sent_headers()


def test_no_header_of_the_client_goes_upstream_unless_it_is_listed(world):
    world.upstream.will(answer_of(CHAT))
    world.call(
        "/v1/chat/completions",
        {**ASK, "model": "@local/m"},
        cookie="session=1",
        x_portkey_trace_id="t",
        x_stainless_lang="python",
        x_custom="yes",
        openai_organization="org-1",
        x_portkey_forward_headers="x-custom, cookie",
    )
    assert world.sent_headers() == {
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "openai-organization": "org-1",
        "user-agent": "lockgate",
        "x-custom": "yes",
        "x-team": "blue",
    }


def test_a_forwarded_authorization_takes_the_place_of_ours(world):
    world.upstream.will(answer_of(CHAT))
    world.call(
        "/v1/chat/completions",
        ASK_OPENAI,
        authorization="Bearer for-the-proxy",
        x_portkey_forward_headers="authorization",
    )
    assert world.sent_headers()["authorization"] == "Bearer for-the-proxy"


@pytest.mark.parametrize("value", [KEY, f"Bearer {KEY}"])
def test_the_gateway_key_never_goes_upstream_under_another_name(world, value):
    world.upstream.will(answer_of(MESSAGE))
    world.call("/v1/messages", ASK, x_leak=value, x_portkey_forward_headers="x-leak", query=f"key={KEY}".encode())
    assert b"x-leak" not in dict(world.sent.headers)
    assert world.sent.target == b"/v1/messages"


def test_the_gateway_key_never_goes_upstream(world):
    world.upstream.will(answer_of(CHAT), answer_of(CHAT))
    world.call(
        "/v1/chat/completions",
        ASK_OPENAI,
        key="",
        authorization=f"Bearer {KEY}",
        x_portkey_forward_headers="authorization",
    )
    world.call("/v1/chat/completions", ASK_OPENAI, authorization=f"Bearer {KEY}", x_api_key=KEY)
    for request in world.upstream.sent:
        assert all(KEY.encode() not in value for _, value in request.headers)


@pytest.mark.parametrize(
    "path, body, headers, status, kind, part",
    [
        ("/v1/messages", b"{", {}, 400, "invalid_request_error", "not valid JSON"),
        ("/v1/messages", b"", {}, 400, "invalid_request_error", "empty"),
        ("/v1/messages", b'{"model":"\xff"}', {}, 400, "invalid_request_error", "model"),
        ("/v1/messages", b'{"model":"@anthropic/m","betas":["\xff"]}', {}, 400, "invalid_request_error", "betas"),
        ("/v1/messages", b'{"x":' + b"[" * 300 + b"]" * 300 + b"}", {}, 400, "invalid_request_error", "nests deeper"),
        ("/v1/messages", {**ASK, "model": "x"}, {}, 400, "invalid_request_error", "x-portkey-provider"),
        ("/v1/messages", {**ASK, "model": "@no/x"}, {}, 400, "invalid_request_error", "@no"),
        ("/v1/messages", {**ASK, "model": "@narrow/claude-two"}, {}, 412, "model_not_allowed_error", "not allowed"),
        (
            "/v1/messages",
            ASK,
            {"x_portkey_config": '{"retry":{}}'},
            400,
            "invalid_request_error",
            "Invalid config passed: retry.attempts",
        ),
        ("/v1/messages", b'{"x":"' + b"y" * 200_000 + b'"}', {}, 413, "request_too_large", "100000 bytes"),
        ("/v1/chat/completions", {"model": "@anthropic/x"}, {}, 400, "invalid_request_error", "messages"),
        (
            "/v1/chat/completions",
            {**ASK, "messages": [{"role": "user", "content": 3}]},
            {},
            400,
            "invalid_request_error",
            "messages[0]",
        ),
        (
            "/v1/chat/completions",
            ASK,
            {"x_portkey_custom_host": "http://10.0.0.1/v1"},
            400,
            "invalid_request_error",
            "custom host refused",
        ),
        (
            "/v1/chat/completions",
            {**ASK, "model": "@local/m"},
            {"x_portkey_custom_host": "http://169.254.169.254/"},
            400,
            "invalid_request_error",
            "custom host refused",
        ),
    ],
)
def test_refusals(world, path, body, headers, status, kind, part):
    answer = world.call(path, body, **headers)
    assert answer.status == status
    error = answer.json()["error"]
    assert error["type"] == kind
    assert part in error["message"]
    assert answer.headers["x-portkey-gateway-exception"] == "true"
    assert world.upstream.sent == []
    assert world.record.status == status
    assert world.record.error_origin == "gateway"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("key", ["", "wrong", "gk_wrong"])
def test_a_wrong_key_is_refused_before_the_body_is_read(world, path, key):
    answer = world.call(path, b"{" * 10, key=key)
    assert answer.status == 401
    assert answer.json()["error"]["type"] == "authentication_error"
    assert answer.json()["error"]["code"] == "03"
    assert answer.headers["x-portkey-trace-id"]


@pytest.mark.parametrize("body, should_retry", [(b"{", "false"), (json.dumps(ASK).encode(), None)])
def test_our_own_permanent_errors_are_not_worth_asking_again(world, body, should_retry):
    world.upstream.will(Unreachable("no"))
    assert world.call("/v1/messages", body).headers.get("x-should-retry") == should_retry
    assert world.call("/v1/messages", body, key="wrong").headers["x-should-retry"] == "false"


def test_many_dropped_fields_do_not_make_a_head_that_clients_refuse(world):
    world.upstream.will(answer_of(MESSAGE))
    answer = world.call("/v1/chat/completions", {**ASK, **{f"unknown_{i}": 1 for i in range(3000)}})
    assert answer.status == 200
    assert len(answer.headers["x-lockgate-dropped"]) < 2100
    assert answer.headers["x-lockgate-dropped"].endswith(", and 2960 more")
    assert len(world.record.dropped) == 3000


def test_a_streamed_call_asks_for_a_stream(world):
    world.upstream.will(answer_of({"error": {"message": "x"}}, 400), answer_of(MESSAGE))
    world.call("/v1/messages", {**ASK, "stream": True})
    world.call("/v1/messages", ASK)
    assert [dict(r.headers)[b"accept"] for r in world.upstream.sent] == [b"text/event-stream", b"application/json"]


def test_a_flood_of_wrong_keys_leaves_few_records(world):
    for _ in range(50):
        world.call("/v1/messages", ASK, key="wrong")
    assert len(world.records) == 10


def test_messages_errors_have_anthropics_envelope_and_chat_errors_openais(world):
    messages = world.call("/v1/messages", b"{").json()
    assert messages["type"] == "error"
    assert messages["request_id"]
    chat = world.call("/v1/chat/completions", b"{").json()
    assert chat["status"] == "failure"
    assert chat["message"] == chat["error"]["message"]


@pytest.mark.parametrize(
    "error, status, kind, is_ours",
    [
        (Unreachable("upstream connection failed"), 503, "api_error", True),
        (Broken("the connection broke"), 502, "api_error", True),
        (TimedOut("no answer within 5 s", phase="first_byte"), 408, "timeout_error", False),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_failures_of_the_connection(world, path, error, status, kind, is_ours):
    world.upstream.will(error)
    answer = world.call(path, ASK)
    assert (answer.status, answer.json()["error"]["type"]) == (status, kind)
    assert ("x-portkey-gateway-exception" in answer.headers) is is_ours
    who = "@anthropic: " if isinstance(error, Unreachable) else ""
    assert answer.json()["error"]["message"] == who + error.message
    assert world.record.error == error.code
    assert world.record.error_origin == "provider"
    assert world.record.attempts[0].error == error.code


@pytest.mark.parametrize(
    "status, kind",
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (429, "rate_limit_error"),
        (529, "overloaded_error"),
    ],
)
def test_errors_of_the_provider(world, status, kind):
    body = {"type": "error", "error": {"type": kind, "message": "No."}, "request_id": "req_up"}
    headers = [*JSON, (b"retry-after", b"600"), (b"anthropic-ratelimit-tokens-limit", b"5")]
    world.upstream.will(answer_of(body, status, headers), answer_of(body, status, headers))
    native = world.call("/v1/messages", ASK)
    assert (native.status, native.json()) == (status, body)
    chat = world.call("/v1/chat/completions", ASK)
    assert chat.status == status
    assert chat.json()["error"] == {"message": "anthropic error: No.", "type": kind, "param": None, "code": None}
    assert chat.json()["provider"] == "anthropic"
    for answer in (native, chat):
        assert answer.headers["retry-after"] == "60"
        assert answer.headers["anthropic-ratelimit-tokens-limit"] == "5"
        assert "x-portkey-gateway-exception" not in answer.headers
    assert [r.error for r in world.records] == ["upstream_rejected"] * 2


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("page", [b"<html><title>502</title><p>Bad gateway</p></html>", b"", b"\xff\xfe"])
def test_an_error_that_is_not_json_is_put_into_words(world, path, page):
    world.upstream.will(FakeResponse(502, [(b"content-type", b"text/html")], page))
    answer = world.call(path, ASK)
    assert answer.status == 502
    assert answer.json()["error"]["message"]
    assert answer.headers["content-type"] == "application/json"


def test_a_redirect_is_not_followed(world):
    world.upstream.will(FakeResponse(302, [(b"location", b"http://elsewhere.example/")], b""))
    answer = world.call("/v1/messages", ASK)
    assert answer.status == 502
    assert "location" not in answer.headers
    assert len(world.upstream.sent) == 1


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"id":"msg_1"}', b""])
def test_an_answer_that_is_no_answer_is_malformed(world, body):
    world.upstream.will(FakeResponse(200, JSON, body))
    answer = world.call("/v1/chat/completions", ASK)
    assert answer.status == 502
    assert world.record.error == "upstream_malformed"


def test_a_compressed_answer_is_read(world):
    import gzip

    data = gzip.compress(json.dumps(MESSAGE).encode())
    headers = [(b"content-type", b"application/json"), (b"content-encoding", b"gzip")]
    world.upstream.will(FakeResponse(200, headers, data), FakeResponse(200, headers, data))
    assert world.call("/v1/chat/completions", ASK).json()["choices"][0]["message"]["content"] == "Hello"
    native = world.call("/v1/messages", ASK)
    assert native.json() == MESSAGE
    assert "content-encoding" not in native.headers


def test_an_answer_over_the_limit_is_malformed():
    world = World('[providers.anthropic]\ntype="anthropic"\napi_key="k"\n[limits]\nreply_bytes = 100\n')
    world.upstream.will(answer_of(MESSAGE))
    assert world.call("/v1/messages", ASK).status == 502
    assert world.record.error == "upstream_malformed"


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("kind, status", [("server_error", 500), ("overloaded_error", 529)])
def test_an_error_in_a_200_keeps_its_bytes_but_not_its_status(world, kind, status, is_stream):
    world.upstream.will(answer_of({"error": {"message": "No.", "type": kind}}))
    answer = world.call("/v1/chat/completions", {**ASK_OPENAI, "stream": is_stream})
    assert (answer.status, answer.json()) == (status, {"error": {"message": "No.", "type": kind}})
    assert (world.record.error, world.record.error_origin) == ("upstream_rejected", "provider")


@pytest.mark.parametrize("path, ask", [("/v1/messages", ASK), ("/v1/chat/completions", ASK_OPENAI)])
@pytest.mark.parametrize("body", [b'{"id": "msg_1", "content": [', b"<html></html>", b"", b"[]"])
def test_an_answer_that_is_no_json_is_none(world, path, ask, body):
    world.upstream.will(FakeResponse(200, JSON, body))
    answer = world.call(path, ask)
    assert (answer.status, world.record.error) == (502, "upstream_malformed")


@pytest.mark.parametrize("path, ask", [("/v1/messages", ASK), ("/v1/chat/completions", ASK_OPENAI)])
def test_an_answer_of_the_other_form_is_no_answer(world, path, ask):
    world.upstream.will(answer_of(MESSAGE))
    assert world.call(path, {**ask, "stream": True}).status == 502
    world.upstream.will(FakeResponse(200, SSE, b"data: {}\n\n"))
    assert world.call(path, ask).status == 502


def test_a_bug_is_a_500_that_says_nothing(world):
    world.upstream.will(ZeroDivisionError("secret detail"))
    answer = world.call("/v1/messages", ASK)
    assert answer.status == 500
    assert b"secret detail" not in answer.body
    assert answer.headers["x-portkey-request-id"]
    assert world.record.error == "internal"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_client_that_leaves_ends_the_upstream_request(world, path):
    import asyncio

    leaving = []

    async def never():
        leaving[0]()
        await asyncio.sleep(60)

    world.upstream.will(never)
    answer = world.call(path, ASK, leave=leaving.append)
    assert answer.status == 0
    record = world.record
    assert (record.status, record.is_client_gone, record.error_origin) == (499, True, "client")


@pytest.mark.parametrize("model, limit", [("claude-x", 50), ("claude-y", 16_384)])
def test_the_operators_facts_about_a_model_decide(model, limit):
    world = World(CONFIG + '[models."claude-x"]\nlike = "claude-3"\nmax_output = 50\n')
    world.upstream.will(answer_of(MESSAGE))
    world.call("/v1/chat/completions", {"model": f"@anthropic/{model}", "messages": ASK["messages"]})
    assert json.loads(world.sent.body)["max_tokens"] == limit


@pytest.mark.parametrize(
    "status, model", [(200, "@anthropic/claude-x"), (429, "@anthropic/claude-x"), (400, "@none/x")]
)
@pytest.mark.parametrize("route", ["/v1/messages", "/v1/chat/completions"])
def test_what_a_request_held_is_freed_without_the_collector(world, monkeypatch, route, model, status):
    made = []
    make = DataPlane._exchange

    def noted(*arguments):
        exchange = make(*arguments)
        made.append(weakref.ref(exchange))
        return exchange

    monkeypatch.setattr(DataPlane, "_exchange", noted)
    world.upstream.will(answer_of(MESSAGE if status == 200 else {"type": "error"}, status))
    gc.collect()
    gc.disable()
    try:
        assert world.call(route, {**ASK, "model": model}).status == status
        assert made[0]() is None
    finally:
        gc.enable()


def test_bodies_of_a_whole_answer_are_handed_over_as_they_were(world):
    reply = json.dumps(MESSAGE).encode()
    world.upstream.will(FakeResponse(200, JSON, reply))
    answer = world.call("/v1/messages", ASK)
    found = world.capture
    assert found.request == json.dumps(ASK).encode()
    assert found.upstream_request == world.sent.body != found.request
    assert (found.response, found.upstream_response) == (reply, None)
    assert found.secrets == ((b"x-api-key", b"sk-ant-record"),)
    assert (b"x-portkey-api-key", KEY.encode()) in found.request_headers
    assert dict(found.response_headers)[b"x-portkey-trace-id"].decode() == answer.headers["x-portkey-trace-id"]
    assert (found.started_at, found.workspace_id) == (world.record.started_at, world.record.workspace_id)


def test_bodies_of_a_translated_answer_are_all_four(world):
    world.upstream.will(answer_of(MESSAGE))
    answer = world.call("/v1/chat/completions", ASK)
    found = world.capture
    assert found.upstream_request == world.sent.body
    assert (found.response, found.upstream_response) == (answer.body, json.dumps(MESSAGE).encode())


@pytest.mark.parametrize(
    "body, status",
    [(ASK, 529), ({**ASK, "model": "@none/x"}, 400), (b"{", 400)],
    ids=["the provider", "no target", "no json"],
)
def test_bodies_of_a_failed_request_are_kept_with_the_error(world, body, status):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    world.upstream.will(answer_of(error, 529))
    answer = world.call("/v1/messages", body)
    assert answer.status == status
    found = world.capture
    assert found.request == (body if isinstance(body, bytes) else json.dumps(body).encode())
    assert found.response == answer.body


def test_who_is_not_known_leaves_no_body(world):
    world.call("/v1/messages", ASK, key="wrong")
    assert world.captures == []


NO_CONTENT = '[records]\nbodies = "metrics_only"\n'


@pytest.mark.parametrize(
    ("config", "debug", "mode", "reason"),
    [
        ("", None, "full", "configuration"),
        ("", "true", "full", "configuration"),
        ("", "false", "metrics_only", "header"),
        (NO_CONTENT, None, "metrics_only", "configuration"),
        (NO_CONTENT, "false", "metrics_only", "configuration"),
        ('[records]\nbodies = "redacted"\n', "false", "metrics_only", "header"),
        ('[records]\nbodies = "off"\n', None, "off", "configuration"),
        ("[records]\nenabled = false\n", None, "metrics_only", "configuration"),
    ],
    ids=["full", "debug", "no debug", "no content", "both", "redacted", "off", "no records"],
)
def test_what_is_kept_and_who_said_so(config, debug, mode, reason):
    world = World(CONFIG + config)
    world.upstream.will(answer_of(MESSAGE))
    headers = {} if debug is None else {"x_portkey_debug": debug}
    assert world.call("/v1/messages", ASK, **headers).status == 200
    assert (world.record.log_mode, world.record.log_mode_reason) == (mode, reason)
    assert [one.rules.mode for one in world.captures] == ([mode] if mode in ("full", "redacted") else [])


def test_a_header_changes_nothing_where_the_mode_is_enforced(world):
    workspace = world.plane.snapshot.workspaces["default"]
    enforced = Recording(source="organisation", is_enforced=True)
    keys = {digest: structs.replace(key, recording=enforced) for digest, key in world.plane.snapshot.keys.items()}
    workspaces = {"default": structs.replace(workspace, recording=enforced)}
    world.plane.take(structs.replace(world.plane.snapshot, keys=keys, workspaces=workspaces))
    world.upstream.will(answer_of(MESSAGE))
    world.call("/v1/messages", ASK, x_portkey_debug="false")
    assert (world.record.log_mode, world.record.log_mode_reason) == ("full", "organisation")
    assert len(world.captures) == 1


def test_who_is_not_known_has_no_mode(world):
    world.call("/v1/messages", ASK, key="wrong")
    assert world.record.log_mode is None


@pytest.mark.parametrize(
    "path, body, said, user",
    [
        ("/v1/chat/completions", {"user": "maria"}, {}, "maria"), ("/v1/chat/completions", {"user": "maria"}, {"_user": "kim"}, "kim"),
        ("/v1/chat/completions", {"user": 5}, {}, None), ("/v1/chat/completions", {}, {}, None), ("/v1/messages", {"metadata": {"user_id": "x"}}, {}, None),
    ],
    ids=["body", "metadata", "number", "nobody", "messages"],
)  # fmt: skip
def test_the_body_says_for_whom_a_request_is_unless_the_metadata_does(world, path, body, said, user):
    is_chat = path.endswith("completions")
    world.upstream.will(answer_of(CHAT if is_chat else MESSAGE))
    asked = {**(ASK_OPENAI if is_chat else ASK), **body}
    world.call(path, asked, x_portkey_metadata=json.dumps(said))
    assert world.records[0].metadata.get("_user") == user
    assert json.loads(world.sent.body).get("user") == asked.get("user"), "the body goes on as it came"


def test_a_persons_key_says_who_it_is_for(world):
    world.upstream.will(answer_of(MESSAGE))
    digest, key = next(iter(world.plane.snapshot.keys.items()))
    keys = {digest: structs.replace(key, user="user_1")}
    world.plane.snapshot = structs.replace(world.plane.snapshot, keys=keys)
    world.call("/v1/messages", ASK)
    assert world.records[0].metadata == {"_user": "user_1"}


def test_tracing_ids_in_the_metadata_and_what_did_not_fit(world):
    world.upstream.will(answer_of(MESSAGE))
    said = {"traceId": "run-1", "spanId": "s1", "parentSpanId": "s0", "spanName": "plan", "long": "x" * 200}
    answer = world.call("/v1/messages", ASK, x_portkey_metadata=json.dumps(said))
    assert answer.headers["x-portkey-trace-id"] == "run-1"
    (record,) = world.records
    assert (record.trace_id, record.span_id, record.parent_span_id, record.span_name) == ("run-1", "s1", "s0", "plan")
    assert (record.is_metadata_cut, len(record.metadata["long"])) == (True, 128)
    assert not any(name.startswith("x-portkey") for name in world.sent_headers())
