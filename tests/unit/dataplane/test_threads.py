import json

import pytest
from msgspec import Raw

from lockgate.core.http import Origin, UpstreamRequest
from lockgate.dataplane.threads import KEPT_S, MAX_KEPT, Thread, ThreadOwners, identity_of, read_thread
from lockgate.errors import Broken, NotFound
from tests.unit.dataplane.fakes import JSON, SSE, FakeClock, FakeResponse, World

ASK = {"model": "@anthropic/claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
CREATE = {**ASK, "thread": {"type": "create"}}
CONTINUE = {**ASK, "thread": {"type": "continue", "previous_message_id": "msg_1"}}
CONFIG = """
[providers.anthropic]
type = "anthropic"
api_key = "sk-one"
[providers.again]
type = "anthropic"
api_key = "sk-one"
[providers.second]
type = "anthropic"
api_key = "sk-two"
[providers.openai]
type = "openai"
api_key = "sk-openai"
[providers.roaming]
type = "anthropic"
api_key = "sk-one"
allow_custom_host = true
[keys.other]
key = "other-key"
"""
STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)


@pytest.fixture
def world():
    return World(CONFIG)


def whole(message_id="msg_1"):
    body = {"id": message_id, "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    return FakeResponse(200, JSON, json.dumps(body).encode())


def code_of(answer):
    return answer.status, answer.json()["error"]["type"], answer.json()["error"]["details"]["error_code"]


@pytest.mark.parametrize("thread", [CREATE["thread"], CONTINUE["thread"], {"type": "odd"}, "odd"])
def test_a_target_of_another_dialect_is_never_sent_a_thread(world, thread):
    answer = world.call("/v1/messages", {**ASK, "model": "@openai/gpt-x", "thread": thread})
    assert code_of(answer) == (400, "invalid_request_error", "thread_unsupported_request")
    assert answer.json()["error"]["details"]["unsupported"] == []
    assert answer.json()["type"] == "error"
    assert world.upstream.sent == []
    assert (world.record.error_origin, world.record.status) == ("gateway", 400)


def test_a_host_of_the_callers_choice_is_never_sent_a_thread(world):
    answer = world.call(
        "/v1/messages", {**CREATE, "model": "@roaming/claude-x"}, x_portkey_custom_host="https://claude.example"
    )
    assert code_of(answer) == (400, "invalid_request_error", "thread_unsupported_request")
    assert world.upstream.sent == []


def test_a_config_with_one_target_leaves_threads_to_it(world):
    config = json.dumps({"strategy": {"mode": "single"}, "targets": [{"provider": "@anthropic"}]})
    world.upstream.will(whole(), whole("msg_2"))
    for body in (CREATE, CONTINUE):
        assert world.call("/v1/messages", {**body, "model": "claude-x"}, x_portkey_config=config).status == 200
    assert [json.loads(request.body)["thread"]["type"] for request in world.upstream.sent] == ["create", "continue"]


@pytest.mark.parametrize("model", ["@anthropic/claude-x", "@openai/gpt-x"])
def test_no_thread_is_no_matter(world, model):
    world.upstream.will(FakeResponse(400, JSON, b"{}"))
    world.call("/v1/messages", {**ASK, "model": model, "thread": None})
    assert len(world.upstream.sent) == 1


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_thread_is_continued_where_it_began(world, is_stream):
    first = FakeResponse(200, SSE, *STREAM) if is_stream else whole()
    world.upstream.will(first, whole("msg_2"), whole("msg_3"))
    answer = world.call("/v1/messages", {**CREATE, "stream": is_stream})
    assert b"msg_1" in answer.body, "the id is the provider's own"
    assert world.call("/v1/messages", CONTINUE).status == 200
    assert json.loads(world.upstream.sent[1].body)["thread"] == CONTINUE["thread"]
    later = {"type": "continue", "previous_message_id": "msg_2"}
    assert world.call("/v1/messages", {**ASK, "thread": later}).status == 200


def test_the_same_credential_under_another_name_is_the_same_owner(world):
    world.upstream.will(whole(), whole("msg_2"))
    world.call("/v1/messages", CREATE)
    assert world.call("/v1/messages", {**CONTINUE, "model": "@again/claude-x"}).status == 200


@pytest.mark.parametrize(
    "changes, headers",
    [
        ({"model": "@second/claude-x"}, {}),
        ({}, {"key": "other-key"}),
        ({}, {"anthropic_workspace_id": "wrkspc_2"}),
        ({"thread": {"type": "continue", "previous_message_id": "msg_unknown"}}, {}),
    ],
    ids=["another credential", "another gateway key", "another workspace", "unknown"],
)
def test_a_thread_that_somebody_else_holds_is_lost(world, changes, headers):
    world.upstream.will(whole())
    world.call("/v1/messages", CREATE)
    answer = world.call("/v1/messages", {**CONTINUE, **changes}, **headers)
    assert code_of(answer) == (404, "not_found_error", "thread_not_found")
    assert len(world.upstream.sent) == 1


def test_a_thread_is_forgotten_after_a_while(world):
    world.upstream.will(whole(), whole("msg_2"))
    world.call("/v1/messages", CREATE)
    world.clock.now += KEPT_S - 1
    assert world.call("/v1/messages", CONTINUE).status == 200
    world.clock.now += 1
    assert code_of(world.call("/v1/messages", CONTINUE))[2] == "thread_not_found"


@pytest.mark.parametrize(
    "first", [whole, lambda: FakeResponse(529, JSON, b"{}"), lambda: FakeResponse(200, SSE, STREAM[0])]
)
def test_only_a_complete_answer_to_a_request_with_a_thread_can_be_continued(world, first):
    world.upstream.will(first())
    body = ASK if first is whole else {**CREATE, "stream": True}
    world.call("/v1/messages", body)
    assert code_of(world.call("/v1/messages", CONTINUE))[2] == "thread_not_found"


def test_a_continue_is_sent_once_whatever_happens(world):
    world.upstream.will(whole(), Broken("the connection broke"))
    world.call("/v1/messages", CREATE)
    assert world.call("/v1/messages", CONTINUE).status == 502
    assert len(world.upstream.sent) == 2


def test_the_providers_own_refusal_of_a_thread_comes_through_byte_for_byte(world):
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"x","details":{"error_code":"thread_already_continued","extra":[1.0]}}}'
    world.upstream.will(whole(), FakeResponse(400, JSON, body))
    world.call("/v1/messages", CREATE)
    answer = world.call("/v1/messages", CONTINUE)
    assert (answer.status, answer.body) == (400, body)


def test_counting_passes_a_thread_on(world):
    world.upstream.will(FakeResponse(200, JSON, b'{"input_tokens":3}'))
    assert world.call("/v1/messages/count_tokens", CONTINUE).status == 200


# ---- the pieces


@pytest.mark.parametrize(
    "raw, expected, continues",
    [
        (b"", None, None),
        (b"null", None, None),
        (b'{"type":"create"}', Thread("create"), None),
        (b'{"type":"continue","previous_message_id":"m","new":1}', Thread("continue", "m"), "m"),
        (b'{"type":"create","previous_message_id":"m"}', Thread("create", "m"), None),
        (b"3", Thread(), None),
    ],
)
def test_a_thread_is_read(raw, expected, continues):
    thread = read_thread(Raw(raw))
    assert thread == expected
    assert (thread.continues if thread else None) == continues


def request(path=b"/v1/messages", host="a", **headers):
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return UpstreamRequest(
        method="POST", origin=Origin(scheme="https", host=host, port=443), target=path, headers=pairs, body=b""
    )


def test_who_holds_a_thread_depends_on_credential_place_and_caller():
    same = identity_of(request(x_api_key="k"), "key_a")
    assert identity_of(request(b"/v1/messages?beta=true", x_api_key="k", accept="x"), "key_a") == same
    others = [
        identity_of(request(x_api_key="k"), None),
        identity_of(request(x_api_key="l"), "key_a"),
        identity_of(request(authorization="k"), "key_a"),
        identity_of(request(b"/p/v1/messages", x_api_key="k"), "key_a"),
        identity_of(request(host="b", x_api_key="k"), "key_a"),
        identity_of(request(x_api_key="k", anthropic_workspace_id="w"), "key_a"),
    ]
    assert len({same, *others}) == len(others) + 1


def test_owners_are_forgotten_oldest_first():
    owners = ThreadOwners(FakeClock())
    for number in range(MAX_KEPT + 1):
        owners.remember(f"msg_{number}", b"me")
    owners.check(Thread("continue", "msg_1"), b"me")
    with pytest.raises(NotFound):
        owners.check(Thread("continue", "msg_0"), b"me")
