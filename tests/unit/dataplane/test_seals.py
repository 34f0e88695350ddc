import json

import pytest

from lockgate.dataplane.seals import SealOwners
from tests.unit.dataplane.fakes import JSON, SSE, FakeResponse, World

OPUS, SONNET, HAIKU, GPT = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5", "gpt-4.1"
PATHS = pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
FORMS = pytest.mark.parametrize("is_stream", [False, True])


def target(model):
    return {"provider": "@openai" if model == GPT else "@anthropic", "override_params": {"model": model}}


def fallback(*models):
    return {"strategy": {"mode": "fallback"}, "targets": [target(model) for model in models]}


def message(seal, redacted):
    content = [{"type": "thinking", "thinking": "hm", "signature": seal}, {"type": "text", "text": "Hello"}]
    if redacted:
        content.insert(1, {"type": "redacted_thinking", "data": redacted})
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    return {**head, "content": content, "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 2}}


def answer(seal, *, is_stream=False, redacted=None):
    said = message(seal, redacted)
    if not is_stream:
        return FakeResponse(200, JSON, json.dumps(said).encode())
    events = [{"type": "message_start", "message": {**said, "content": [], "stop_reason": None}}]
    for index, block in enumerate(said["content"]):
        opening = {**block, "signature": "", "thinking": ""} if block["type"] == "thinking" else block
        if block["type"] == "text":
            opening = {**block, "text": ""}
        events.append({"type": "content_block_start", "index": index, "content_block": opening})
        if block["type"] == "thinking":
            delta = {"type": "signature_delta", "signature": block["signature"]}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        if block["type"] == "text":
            delta = {"type": "text_delta", "text": block["text"]}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}})
    events.append({"type": "message_stop"})
    return FakeResponse(200, SSE, *(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events))


def failed():
    return FakeResponse(529, JSON, b'{"type":"error","error":{"type":"overloaded_error","message":"no"}}')


def ask(world, config, *seals, path="/v1/messages", is_stream=False):
    """Ask with a conversation in which there are answers with these seals."""
    turns = [{"role": "user", "content": "Hi"}]
    for seal in seals:
        blocks = message(seal, None)["content"]
        if "chat" in path:
            turns.append({"role": "assistant", "content": "Hello", "content_blocks": blocks})
        else:
            turns.append({"role": "assistant", "content": blocks})
        turns.append({"role": "user", "content": "And?"})
    body = {"model": "m", "max_tokens": 900, "messages": turns, "stream": is_stream}
    headers = {"x_portkey_config": json.dumps(config), "x_portkey_strict_open_ai_compliance": "false"}
    return world.call(path, body, **headers)


def seals_sent(world):
    """Return which of the known seals the last request holds."""
    body = world.upstream.sent[-1].body
    return [seal for seal in ("of-opus", "of-sonnet", "of-nobody") if seal.encode() in body]


@pytest.fixture
def world():
    return World()


@PATHS
@FORMS
def test_each_model_gets_its_own_reasoning_back(world, path, is_stream):
    config = fallback(OPUS, SONNET)
    world.upstream.will(answer("of-opus", is_stream=is_stream))
    ask(world, config, path=path, is_stream=is_stream)
    world.upstream.will(failed(), answer("of-sonnet", is_stream=is_stream))
    told = ask(world, config, "of-opus", path=path, is_stream=is_stream)
    assert seals_sent(world) == []
    assert "another model" in told.headers["x-lockgate-adjusted"]
    world.upstream.will(answer("x", is_stream=is_stream))
    ask(world, config, "of-opus", "of-sonnet", path=path, is_stream=is_stream)
    assert seals_sent(world) == ["of-opus"]
    world.upstream.will(failed(), answer("x", is_stream=is_stream))
    ask(world, config, "of-opus", "of-sonnet", path=path, is_stream=is_stream)
    assert seals_sent(world) == ["of-sonnet"]


@PATHS
def test_reasoning_of_unknown_origin_stays_with_the_first_model_and_goes_to_no_other(world, path):
    world.upstream.will(answer("x"))
    ask(world, fallback(OPUS, SONNET), "of-nobody", path=path)
    assert seals_sent(world) == ["of-nobody"]
    world.upstream.will(failed(), answer("x"))
    ask(world, fallback(OPUS, SONNET), "of-nobody", path=path)
    assert seals_sent(world) == []


def test_a_model_that_does_not_reason_displaces_nobody(world):
    world.upstream.will(failed(), answer("x"))
    ask(world, fallback(GPT, OPUS), "of-nobody")
    assert seals_sent(world) == ["of-nobody"]


@pytest.mark.parametrize("config", [fallback(OPUS, HAIKU), fallback(OPUS, OPUS)])
def test_a_model_that_takes_any_reasoning_gets_it_and_so_does_the_same_model_elsewhere(world, config):
    world.upstream.will(failed(), answer("x"))
    ask(world, config, "of-nobody")
    assert seals_sent(world) == ["of-nobody"]


@FORMS
def test_encrypted_reasoning_counts_too(world, is_stream):
    world.upstream.will(answer("of-opus", redacted="of-sonnet", is_stream=is_stream))
    ask(world, fallback(SONNET, OPUS), is_stream=is_stream)
    hidden = [{"type": "redacted_thinking", "data": "of-sonnet"}, {"type": "text", "text": "Hello"}]
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": hidden},
        {"role": "user", "content": "?"},
    ]
    world.upstream.will(failed(), answer("x"))
    body = {"model": "m", "max_tokens": 900, "messages": turns}
    world.call("/v1/messages", body, x_portkey_config=json.dumps(fallback(SONNET, OPUS)))
    assert b"of-sonnet" in world.upstream.sent[-2].body
    assert seals_sent(world) == []


def test_without_a_choice_of_models_nothing_is_remembered_or_left_out(world):
    world.upstream.will(answer("of-opus"), answer("x"))
    ask(world, target(OPUS))
    ask(world, fallback(SONNET, OPUS), "of-opus")
    assert seals_sent(world) == ["of-opus"]


REFUSAL = b'{"type":"error","error":{"type":"invalid_request_error","message":"not of this model"}}'


def refused():
    return FakeResponse(400, JSON, REFUSAL)


@PATHS
@FORMS
def test_a_model_that_refuses_is_asked_again_without_reasoning(world, path, is_stream):
    world.upstream.will(refused(), answer("x", is_stream=is_stream))
    told = ask(world, fallback(OPUS, SONNET), "of-nobody", path=path, is_stream=is_stream)
    assert told.status == 200
    assert [b"of-nobody" in sent.body for sent in world.upstream.sent] == [True, False]
    assert [json.loads(sent.body)["model"] for sent in world.upstream.sent] == [OPUS, OPUS]
    assert [(attempt.kind, attempt.path, attempt.status) for attempt in world.record.attempts] == [
        ("primary", "config.targets[0]", 400),
        ("retry", "config.targets[0]", 200),
    ]
    assert "another model" in told.headers["x-lockgate-adjusted"]


def test_a_model_that_refused_reasoning_is_not_shown_it_at_the_next_try(world, monkeypatch):
    async def sleep(delay_s):
        pass

    monkeypatch.setattr("lockgate.dataplane.walk.asyncio.sleep", sleep)
    world.upstream.will(refused(), failed(), answer("x"))
    config = {**fallback(OPUS, SONNET), "retry": {"attempts": 1}}
    assert ask(world, config, "of-nobody").status == 200
    assert [b"of-nobody" in sent.body for sent in world.upstream.sent] == [True, False, False]
    assert [attempt.status for attempt in world.record.attempts] == [400, 529, 200]


def test_what_is_refused_without_reasoning_too_is_the_answer(world):
    config = {**fallback(OPUS, SONNET), "strategy": {"mode": "fallback", "on_status_codes": [529]}}
    world.upstream.will(refused(), refused())
    told = ask(world, config, "of-nobody")
    assert (told.status, told.body) == (400, REFUSAL)
    assert len(world.upstream.sent) == 2


@pytest.mark.parametrize(
    ("config", "seals"),
    [(fallback(OPUS, SONNET), ()), (target(OPUS), ("of-nobody",)), (fallback(HAIKU, GPT), ("of-nobody",))],
    ids=["no reasoning", "one model", "a model that takes any"],
)
def test_where_reasoning_cannot_be_why_nothing_is_asked_again(world, config, seals):
    config = {**config, "strategy": {**config.get("strategy", {"mode": "single"}), "on_status_codes": [529]}}
    if config["strategy"]["mode"] == "single":
        config = target(OPUS)
    world.upstream.will(refused())
    assert ask(world, config, *seals).status == 400
    assert len(world.upstream.sent) == 1


def test_a_dated_name_is_the_same_model(world):
    world.upstream.will(answer("of-opus"))
    ask(world, fallback(OPUS, SONNET))
    world.upstream.will(answer("x"))
    ask(world, fallback(f"{OPUS}-20261001", SONNET), "of-opus")
    assert seals_sent(world) == ["of-opus"]


def test_tokens_are_counted_of_what_would_be_sent(world):
    world.upstream.will(answer("of-sonnet"))
    ask(world, fallback(SONNET, OPUS))
    world.upstream.will(FakeResponse(200, JSON, b'{"input_tokens":5}'))
    ask(world, fallback(OPUS, SONNET), "of-sonnet", path="/v1/messages/count_tokens")
    assert seals_sent(world) == []


def test_what_is_remembered_is_bounded_and_tenants_are_apart():
    owners = SealOwners(most=2)
    for number in range(3):
        owners.remember("w", f"s{number}", "m")
    assert [owners.owner("w", f"s{number}") for number in range(3)] == [None, "m", "m"]
    assert owners.owner("other", "s2") is None
