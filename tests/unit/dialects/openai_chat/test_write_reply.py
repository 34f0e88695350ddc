"""Whole replies for chat clients."""

from __future__ import annotations

import json

import pytest

from lockgate.core.chat import TextBlock, ToolUseBlock, Usage
from lockgate.dialects import ReplyRules
from lockgate.dialects.openai_chat import DIALECT
from lockgate.dialects.openai_chat.write_reply import beside_call, fallback_id
from tests.unit.dialects.openai_chat.replies import CITATION, FOUND, REPLIES, SEARCH, THINKING, reply, text, use
from tests.unit.dialects.openai_chat.samples import raw, shape, view


def write(whole, **fields):
    return json.loads(DIALECT.write_reply(whole, view(**fields)))


def message(whole, **fields):
    return write(whole, **fields)["choices"][0]["message"]


def test_the_envelope_is_openais_with_the_provider():
    body = DIALECT.write_reply(reply(text("Hi"), usage=Usage(input=3, output=2)), view())
    assert json.loads(body) == {
        "id": "msg_1",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "claude-x",
        "provider": "anthropic",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }


def test_a_reply_without_an_id_gets_one():
    assert write(reply(text("x")).__class__(id="", model="m", content=(), stop_reason=None))["id"] == fallback_id(
        view()
    )


def test_texts_are_joined_without_a_separator():
    assert message(REPLIES["two texts"])["content"] == "Hello again"
    assert message(reply())["content"] == ""


def test_calls_are_openais_and_text_stays_beside_them():
    found = message(reply(text("x"), use("a", found={"n": 1.0}), use("b", found={}), stop="tool_use"))
    assert found["content"] == "x"
    assert found["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "get_weather", "arguments": '{"n":1.0}'}},
        {"id": "b", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}},
    ]


def test_without_calls_the_key_is_absent():
    assert "tool_calls" not in message(REPLIES["text"])


STRICT_KEYS = {"role", "content", "refusal", "tool_calls", "annotations"}


@pytest.mark.parametrize("name", REPLIES)
def test_strict_clients_see_openais_fields_alone(name):
    body = write(REPLIES[name])
    assert body["choices"][0]["message"].keys() <= STRICT_KEYS
    assert body["choices"][0]["finish_reason"] in ("stop", "length", "tool_calls", "content_filter")
    assert body.keys() <= {"id", "object", "created", "model", "provider", "choices", "usage", "service_tier"}


def test_server_tools_are_never_shown_as_calls():
    for strict in (True, False):
        assert "tool_calls" not in message(REPLIES["search with citations"], strict=strict)


def test_content_blocks_hold_all_but_the_calls():
    blocks = message(REPLIES["thinking, then a call"], strict=False)["content_blocks"]
    assert blocks == [{"type": "thinking", "thinking": THINKING.text, "signature": "EqQB"}]
    assert message(REPLIES["search with citations"], strict=False)["content_blocks"] == [
        {"type": "text", "text": "I will check. "},
        SEARCH,
        FOUND,
        {"type": "text", "text": "It is 2,469 m.", "citations": [CITATION, CITATION]},
    ]


def test_content_blocks_hold_the_calls_when_their_order_matters():
    blocks = message(REPLIES["calls among thinking"], strict=False)["content_blocks"]
    assert [block["type"] for block in blocks] == ["thinking", "tool_use", "text", "thinking", "tool_use"]


def test_a_block_with_bytes_of_its_own_is_given_back_as_it_is():
    own = TextBlock(text="x", raw=raw({"type": "text", "text": "x", "new": 1.0}))
    assert b'{"type":"text","text":"x","new":1.0}' in DIALECT.write_reply(reply(own), view(strict=False))


@pytest.mark.parametrize("strict", [True, False])
def test_web_citations_are_annotations_of_their_text(strict):
    whole = reply(text("I will check. "), text("It is 2,469 m high.", CITATION, {"type": "page_location"}))
    assert message(whole, strict=strict)["annotations"] == [
        {
            "type": "url_citation",
            "url_citation": {"url": "https://e.org/g", "title": "G", "start_index": 14, "end_index": 33},
        }
    ]


def test_citations_that_cannot_be_read_are_passed_over():
    assert "annotations" not in message(reply(TextBlock(text="x", citations=raw("?"))))


def test_a_refusal_says_why():
    whole = reply(stop="refusal", extra={"stop_details": raw({"type": "refusal", "explanation": "no"})})
    assert message(whole) == {"role": "assistant", "content": "", "refusal": "no"}
    assert message(whole, strict=False)["stop_details"] == {"type": "refusal", "explanation": "no"}
    assert write(whole)["choices"][0]["finish_reason"] == "content_filter"
    assert message(reply(stop="refusal"))["refusal"] is None


def test_further_keys_are_for_clients_beyond_openais_fields():
    whole = reply(text("x"), extra={"container": raw({"id": "c"}), "id": raw("other")}, stop_sequence="END")
    body = write(whole, strict=False)
    assert body["container"] == {"id": "c"}
    assert body["id"] == "msg_1"
    assert body["choices"][0]["stop_sequence"] == "END"
    assert "container" not in write(whole)
    assert "stop_sequence" not in write(whole)["choices"][0]


def test_a_toolset_is_named_for_clients_beyond_openais_fields():
    call = ToolUseBlock(id="t", name="click", input=raw({}), raw=raw({"type": "tool_use", "toolset_name": "computer"}))
    assert message(reply(call), strict=False)["tool_calls"][0]["toolset_name"] == "computer"
    assert "toolset_name" not in message(reply(call))["tool_calls"][0]
    assert beside_call(use()) == {}


def test_who_made_a_call_goes_along():
    caller = {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}
    call = ToolUseBlock(id="t", name="n", input=raw({}), raw=raw({"type": "tool_use", "caller": caller}))
    assert message(reply(call), strict=False)["tool_calls"][0]["caller"] == caller
    assert "caller" not in message(reply(call))["tool_calls"][0]
    nobody = ToolUseBlock(id="t", name="n", input=raw({}), raw=raw({"type": "tool_use", "caller": None}))
    assert "caller" not in message(reply(nobody), strict=False)["tool_calls"][0]


def test_the_tier_is_written_in_openais_words():
    assert write(reply(usage=Usage(input=1, output=1, service_tier="standard")))["service_tier"] == "default"


def test_usage_that_nobody_knows_is_absent():
    assert "usage" not in write(reply(usage=Usage()))


@pytest.mark.parametrize("name", REPLIES)
def test_what_is_written_for_others_can_be_read_back(name):
    whole = REPLIES[name]
    back = DIALECT.read_reply(DIALECT.write_reply(whole, view(strict=False)), ReplyRules())
    assert shape(back) == shape(whole)
