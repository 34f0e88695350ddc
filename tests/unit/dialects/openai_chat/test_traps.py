"""Bugs that other gateways had, as far as they are this dialect's business. The numbers are the specification's."""

from __future__ import annotations

import base64
import json

import pytest

from lockgate.core.chat import (
    Call,
    FunctionTool,
    ImageBlock,
    Message,
    OpaqueBlock,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
    Usage,
)
from lockgate.core.chunk import (
    BlockStart,
    BlockStop,
    CitationDelta,
    Done,
    Finish,
    InputDelta,
    OpaqueDelta,
    Ping,
    Start,
    StreamError,
    TextDelta,
)
from lockgate.core.json_text import EMPTY_OBJECT
from lockgate.dialects import ReplyRules
from lockgate.dialects.openai_chat import DIALECT
from lockgate.errors import InvalidRequest
from tests.unit.dialects.openai_chat.replies import FOUND, REPLIES, opaque, reply, stream_of, text, use
from tests.unit.dialects.openai_chat.samples import (
    USER,
    assemble,
    blocks,
    call_delta,
    chunk,
    data,
    deltas,
    events,
    listen,
    parts,
    raw,
    read,
    shape,
    speak,
    target,
    view,
    write,
)

HOUR = {"type": "ephemeral", "ttl": "1h"}
PDF = base64.b64encode(b"%PDF-1.4").decode()
CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
END = (chunk(finish="stop"), "[DONE]")


def tool(*, args="{}", call_id="t1"):
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{**CALL, "id": call_id, "function": {"name": "f", "arguments": args}}],
    }


def kinds(stream):
    return [type(item).__name__ for item in listen(stream)]


# ---- request: messages


@pytest.mark.parametrize("content", ["", [], None, [{"type": "text", "text": ""}]])
@pytest.mark.parametrize("role", ["user", "assistant", "system", "tool"])
def test_trap_06_empty_content_makes_no_empty_text_block(role, content):
    call = read(tool(), {"role": role, "content": content, "tool_call_id": "t1"})
    found = shape([call.system, [message.content for message in call.messages]])
    assert "TextBlock" not in json.dumps(found)
    assert "ToolUseBlock" in json.dumps(found)


def test_trap_09_a_tool_message_of_parts_becomes_blocks():
    call = read(
        tool(),
        {
            "role": "tool",
            "tool_call_id": "t1",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        },
    )
    assert [block.text for block in call.messages[1].content[0].content] == ["a", "b"]


def test_trap_10_an_image_in_a_tool_message_is_an_image():
    image = {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}}
    call = read(tool(), {"role": "tool", "tool_call_id": "t1", "content": [image]})
    assert call.messages[1].content[0].content == (ImageBlock(source=UrlSource(url="https://e.org/a.png")),)


def test_trap_13_a_message_without_a_role_is_refused_by_its_index():
    with pytest.raises(InvalidRequest) as caught:
        read(USER, {"content": "x"})
    assert caught.value.path == "messages[1].role"


@pytest.mark.parametrize(
    "head", ["data:image/jpeg;charset=utf-8;base64", "data:image/jpg;base64", "DATA:IMAGE/JPEG;BASE64"]
)
def test_trap_15_a_data_uri_is_read_in_every_spelling(head):
    [block] = parts({"type": "image_url", "image_url": {"url": f"{head},AAAA"}})
    assert block["source"] == {"_": "Base64Source", "media_type": "image/jpeg", "data": "AAAA"}


def test_trap_15_a_malformed_data_uri_is_refused():
    with pytest.raises(InvalidRequest) as caught:
        parts({"type": "image_url", "image_url": {"url": "data:image/png;base64"}})
    assert caught.value.path == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": f"data:application/pdf;base64,{PDF}"}},
        {"type": "file", "file": {"file_data": PDF, "mime_type": "application/pdf"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}},
        {"type": "file", "file": {"file_url": "https://e.org/a.pdf", "mime_type": "application/pdf"}},
        {"type": "file", "file": {"file_id": "file_1"}},
    ],
)
def test_trap_16_a_pdf_is_a_document_however_it_comes(part):
    [block] = parts(part)
    assert block["_"] == "DocumentBlock"


def test_trap_21_truncated_arguments_do_not_spoil_the_conversation():
    cut = '{"path": "/tmp/a", "content": "'
    [block] = blocks(tool(args=cut))
    assert block["input"] == {"_raw_arguments": cut}


def test_trap_22_accumulated_stream_fragments_are_typed():
    stream = deltas(speak(stream_of(REPLIES["calls among thinking"]), strict=False))
    fragments = [entry for delta in stream for entry in delta.get("content_blocks", ())]
    calls = [
        {"id": i, "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}} for i in "ab"
    ]
    message = {"role": "assistant", "content": "then", "content_blocks": fragments, "tool_calls": calls}
    found = read(message).messages[0].content
    assert shape(found) == shape(REPLIES["calls among thinking"].content)
    assert b"delta" not in b"".join(bytes(block.raw) for block in found if block.raw)


# ---- request: parameters


def test_trap_27_stop_may_be_text_or_a_list():
    assert read(stop="END").stop == ("END",)
    assert read(stop=["a", ""]).stop == ("a",)


def test_trap_28_fields_without_a_home_are_named_and_no_error():
    assert read(prompt_cache_key="k", seed=1, logit_bias={"1": 1}, new_field=1).unknown == (
        "seed",
        "logit_bias",
        "prompt_cache_key",
        "new_field",
    )


def test_trap_33_a_tool_schema_arrives_whole():
    schema = {
        "type": "object",
        "description": "d",
        "properties": {"a": {"$ref": "#/$defs/x"}},
        "$defs": {"x": {"type": "string", "description": "e"}},
        "additionalProperties": False,
    }
    call = read(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])
    assert shape(call.tools[0].schema) == schema
    assert write(call)["tools"][0]["function"]["parameters"] == schema


def test_trap_36_parallel_calls_can_be_forbidden_without_a_choice():
    functions = [{"type": "function", "function": {"name": name}} for name in "fg"]
    assert read(tools=functions, parallel_tool_calls=False).tool_choice.parallel is False
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "g"}}]}
    call = read(tools=functions, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert [found.name for found in call.tools] == ["g"]


def test_trap_38_all_eight_markers_arrive_with_their_life():
    marked = {"cache_control": HOUR}
    call = read(
        {"role": "system", "content": [{"type": "text", "text": "s", **marked}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "u", **marked},
                {"type": "image_url", "image_url": {"url": "https://e.org/a"}, **marked},
                {"type": "file", "file": {"file_id": "f"}, **marked},
            ],
        },
        {"role": "assistant", "content": "a", "tool_calls": [{**CALL, **marked}]},
        {"role": "tool", "tool_call_id": "t1", "content": "r", **marked},
        {"role": "user", "content": "last", **marked},
        tools=[{"type": "function", "function": {"name": "f"}, **marked}],
    )
    found = [*call.system, *(block for message in call.messages for block in message.content), *call.tools]
    assert [shape(block).get("cache") for block in found] == [HOUR, HOUR, HOUR, HOUR, None, HOUR, HOUR, HOUR, HOUR]


# ---- chat response and stream


def test_trap_49_the_first_call_is_number_0_even_behind_text():
    found = deltas(speak(stream_of(reply(text("x"), use(), stop="tool_use"))))
    assert [call["index"] for delta in found for call in delta.get("tool_calls", ())] == [0, 0, 0]


def test_trap_50_arguments_do_not_begin_with_the_empty_input_of_the_start():
    found = deltas(speak(stream_of(reply(use(), stop="tool_use"))))
    sent = "".join(call["function"]["arguments"] for delta in found for call in delta.get("tool_calls", ()))
    assert json.loads(sent) == {"city": "Oslo"}


def test_trap_51_a_call_without_arguments_has_an_empty_object():
    whole = reply(use(found={}), stop="tool_use")
    found = deltas(speak(stream_of(whole)))
    assert found[2]["tool_calls"][0]["function"]["arguments"] == "{}"
    message = json.loads(DIALECT.write_reply(whole, view()))["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["arguments"] == "{}"


def test_trap_52_a_text_stream_has_no_tool_calls_key():
    for strict in (True, False):
        assert all("tool_calls" not in delta for delta in deltas(speak(stream_of(REPLIES["text"]), strict=strict)))


def test_trap_53_interleaved_calls_are_put_together_by_their_number():
    stream = data(
        *(chunk(call_delta(n, id=f"c{n}", name=f"f{n}", args="")) for n in range(3)),
        *(chunk(call_delta(n, args=piece)) for piece in ('{"n":', "1", "}") for n in (2, 0, 1)),
        *END,
    )
    assert [(block.id, shape(block.input)) for block in assemble(listen(stream)).content] == [
        (f"c{n}", {"n": 1}) for n in range(3)
    ]


def test_trap_54_a_servers_tool_is_nobodys_call():
    chunks = [
        Start("m", "m"),
        BlockStart(0, ToolUseBlock(id="t", name="f", input=EMPTY_OBJECT)),
        InputDelta(0, "{}"),
        BlockStop(0),
        BlockStart(1, OpaqueBlock(type="server_tool_use", raw=raw({"type": "server_tool_use", "input": {}}))),
        OpaqueDelta(1, "input_json_delta", raw({"type": "input_json_delta", "partial_json": '{"q":1}'})),
        BlockStop(1),
    ]
    for strict in (True, False):
        calls = [call for delta in deltas(speak(chunks, strict=strict)) for call in delta.get("tool_calls", ())]
        assert "".join(call["function"]["arguments"] for call in calls) == "{}"
        assert {call["index"] for call in calls} == {0}


def test_trap_55_arguments_are_passed_on_as_they_come():
    writer = DIALECT.stream_writer(view())
    writer.write([Start("m", "m"), BlockStart(0, ToolUseBlock(id="t", name="f", input=EMPTY_OBJECT))])
    assert b'"arguments":"{\\"a"' in writer.write([InputDelta(0, '{"a')])


def test_trap_56_arguments_cut_off_stay_as_they_are():
    chunks = [
        Start("m", "m"),
        BlockStart(0, ToolUseBlock(id="t", name="f", input=EMPTY_OBJECT)),
        InputDelta(0, '{"a": "lo'),
        BlockStop(0),
        Finish("max_tokens", usage=Usage(output=1)),
        Done(),
    ]
    found = events(speak(chunks))
    calls = [call for event in found[:-1] for call in event["choices"][0]["delta"].get("tool_calls", ())]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"a": "lo'
    assert found[-2]["choices"][0]["finish_reason"] == "length"


def test_trap_57_a_ping_is_nothing_on_the_wire():
    assert speak([Ping()]) == b""
    assert DIALECT.stream_writer(view()).ping() == b""


@pytest.mark.parametrize(
    ("stop", "strict", "other"),
    [
        ("end_turn", "stop", "end_turn"),
        ("stop_sequence", "stop", "stop_sequence"),
        ("max_tokens", "length", "max_tokens"),
        ("tool_use", "tool_calls", "tool_use"),
        ("pause_turn", "stop", "pause_turn"),
        ("refusal", "content_filter", "refusal"),
        ("model_context_window_exceeded", "length", "model_context_window_exceeded"),
        ("compaction", "stop", "compaction"),
        (None, "stop", "stop"),
        ("something_new", "stop", "something_new"),
    ],
)
def test_trap_58_every_stop_reason_has_its_word(stop, strict, other):
    whole = reply(use(), stop=stop)
    for is_strict, word in ((True, strict), (False, other)):
        assert json.loads(DIALECT.write_reply(whole, view(strict=is_strict)))["choices"][0]["finish_reason"] == word
        assert events(speak(stream_of(whole), strict=is_strict))[-2]["choices"][0]["finish_reason"] == word


def test_trap_59_a_pause_can_be_seen_and_continued():
    whole = reply(text("x"), opaque(FOUND), stop="pause_turn", extra={"container": raw({"id": "c1"})})
    body = json.loads(DIALECT.write_reply(whole, view(strict=False)))
    assert body["choices"][0]["finish_reason"] == "pause_turn"
    assert body["container"] == {"id": "c1"}
    assert events(speak(stream_of(whole), strict=False))[-2]["container"] == {"id": "c1"}
    assert shape(read(body["choices"][0]["message"]).messages[0].content) == shape(whole.content)


def test_trap_60_cached_tokens_are_counted_once_and_alike_in_streams():
    usage = Usage(input=3, output=80, cache_read=0, cache_write=2066, cache_write_1h=2048)
    whole = reply(text("x"), usage=usage)
    found = json.loads(DIALECT.write_reply(whole, view()))["usage"]
    assert (found["prompt_tokens"], found["total_tokens"]) == (2069, 2149)
    assert events(speak(stream_of(whole)))[-2]["usage"] == found


def test_trap_61_the_two_lives_of_a_cache_are_told_apart():
    usage = Usage(input=3, output=80, cache_write=2066, cache_write_1h=2048)
    found = json.loads(DIALECT.write_reply(reply(usage=usage), view(strict=False)))["usage"]
    assert found["cache_creation"] == {"ephemeral_5m_input_tokens": 18, "ephemeral_1h_input_tokens": 2048}


@pytest.mark.parametrize("include_usage", [True, False])
def test_trap_62_usage_appears_once_in_a_stream(include_usage):
    chunks = [
        Start("m", "m", Usage(input=9, output=1)),
        TextDelta(0, "x"),
        Finish("end_turn", usage=Usage(output=7)),
        Done(),
    ]
    found = [event["usage"] for event in events(speak(chunks, include_usage=include_usage))[:-1] if "usage" in event]
    assert [(usage["prompt_tokens"], usage["completion_tokens"]) for usage in found] == [(9, 7)]


def test_trap_63_thinking_tokens_are_reasoning_tokens():
    found = json.loads(DIALECT.write_reply(reply(usage=Usage(input=1, output=9, reasoning=5)), view()))["usage"]
    assert found["completion_tokens_details"]["reasoning_tokens"] == 5


def test_trap_64_citations_stay_with_their_text():
    found = DIALECT.write_reply(REPLIES["search with citations"], view(strict=False))
    cited = json.loads(found)["choices"][0]["message"]["content_blocks"][3]
    assert cited["text"] == "It is 2,469 m."
    assert len(cited["citations"]) == 2
    streamed = speak(stream_of(REPLIES["search with citations"]), strict=False)
    indexes = [
        entry["index"]
        for delta in deltas(streamed)
        for entry in delta.get("content_blocks", ())
        if "citation" in entry["delta"]
    ]
    assert indexes == [3, 3]
    assert any(isinstance(item, CitationDelta) for item in stream_of(REPLIES["search with citations"]))


def test_trap_65_encrypted_content_survives_byte_for_byte():
    own = OpaqueBlock(
        type="web_search_tool_result",
        raw=raw({}).__class__(
            b'{"type":"web_search_tool_result","content":[{"encrypted_content":"Eo8C\\u002f\\/=="}]}'
        ),
    )
    body = DIALECT.write_reply(reply(own), view(strict=False))
    assert bytes(own.raw) in body
    sent = b'{"model":"m","messages":[{"role":"assistant","content_blocks":[' + bytes(own.raw) + b"]}]}"
    assert bytes(DIALECT.read_call(sent).messages[0].content[0].raw) == bytes(own.raw)


@pytest.mark.parametrize("name", REPLIES)
def test_trap_66_strict_clients_see_nothing_of_anthropics(name):
    stream = speak(stream_of(REPLIES[name]))
    for found in (stream, DIALECT.write_reply(REPLIES[name], view())):
        for word in (b"content_blocks", b"end_turn", b'"tool_use"', b"pause_turn", b'"max_tokens"'):
            assert word not in found


def test_trap_67_texts_are_joined_without_a_separator():
    whole = REPLIES["two texts"]
    assert json.loads(DIALECT.write_reply(whole, view()))["choices"][0]["message"]["content"] == "Hello again"
    assert "".join(delta.get("content", "") for delta in deltas(speak(stream_of(whole)))) == "Hello again"


# ---- errors


def test_trap_69_an_error_in_the_middle_is_an_error_object():
    stream = speak([Start("m", "m"), TextDelta(0, "x"), StreamError("overloaded_error", "Overloaded", None)])
    last = events(stream)[-1]
    assert last["error"]["type"] == "overloaded_error"
    assert "choices" not in last
    assert not stream.endswith(b"data: [DONE]\n\n")


def test_trap_71_a_stream_cut_short_has_no_made_up_end():
    reader = DIALECT.stream_reader(ReplyRules())
    assert not any(isinstance(item, Finish | Done) for item in reader.feed(data(chunk({"content": "x"}))))
    assert not reader.is_complete


def test_trap_74_a_page_is_an_error_with_the_same_status():
    error = DIALECT.read_error(413, b"<html><body><h1>413 Request Entity Too Large</h1></body></html>")
    assert (error.status, error.kind, error.message) == (413, "request_too_large", "413 Request Entity Too Large")


# ---- the adapter's side: other providers behind Messages


@pytest.mark.parametrize(
    ("first", "kind"),
    [({"reasoning_content": "hm"}, "ThinkingBlock"), (call_delta(0, id="a", name="f", args=""), "ToolUseBlock")],
)
def test_trap_89_block_0_is_of_the_first_contents_kind(first, kind):
    found = listen(data(chunk({"role": "assistant", "content": ""}), chunk(first), chunk({"content": ""}), *END))
    starts = [item for item in found if isinstance(item, BlockStart)]
    assert [(start.index, type(start.block).__name__) for start in starts] == [(0, kind)]


def test_trap_90_one_start_and_thinking_never_in_a_text():
    stream = data(
        chunk({"role": "assistant"}), chunk({"role": "assistant", "reasoning": "hm"}), chunk({"content": "x"}), *END
    )
    assert kinds(stream).count("Start") == 1
    assert [shape(block) for block in assemble(listen(stream)).content] == [
        {"_": "ThinkingBlock", "text": "hm"},
        {"_": "TextBlock", "text": "x"},
    ]


def test_trap_91_the_delta_that_changes_the_block_is_not_lost():
    stream = data(
        chunk({"reasoning": "a"}),
        chunk({"content": "b"}),
        chunk(call_delta(0, id="t", name="f", args='{"c":1}')),
        chunk({"content": "d"}),
        *END,
    )
    assert [shape(block).get("text", "call") for block in assemble(listen(stream)).content] == ["a", "b", "call", "d"]


def test_trap_92_an_empty_list_of_calls_is_nothing():
    stream = data(chunk({"content": "x", "tool_calls": []}), chunk({"tool_calls": None}), *END)
    assert assemble(listen(stream)).stop_reason == "end_turn"
    assert kinds(stream).count("BlockStart") == 1


def test_trap_93_arguments_in_the_first_chunk_are_a_delta():
    found = listen(data(chunk(call_delta(0, id="t", name="f", args='{"a":1}')), *END))
    assert BlockStart(0, ToolUseBlock(id="t", name="f", input=EMPTY_OBJECT)) in found
    assert InputDelta(0, '{"a":1}') in found


def test_trap_94_interleaved_calls_are_strictly_in_sequence():
    stream = data(
        chunk(call_delta(0, id="a", name="f", args='{"x"')),
        chunk(call_delta(1, id="b", name="g", args='{"y"')),
        chunk(call_delta(0, args=":1}")),
        chunk(call_delta(1, args=":2}")),
        *END,
    )
    found = [item for item in listen(stream) if isinstance(item, BlockStart | BlockStop | InputDelta)]
    assert [item.index for item in found] == sorted(item.index for item in found)
    assert [shape(block.input) for block in assemble(listen(stream)).content] == [{"x": 1}, {"y": 2}]


def test_trap_95_nothing_follows_the_end_and_late_fragments_are_included():
    stream = data(
        chunk(call_delta(0, id="a", name="f", args='{"x"')),
        chunk(finish="tool_calls"),
        chunk(call_delta(0, args=":1}")),
        "[DONE]",
        chunk({"content": "too late"}),
    )
    found = listen(stream)
    assert [type(item) for item in found[-3:]] == [BlockStop, Finish, Done]
    assert shape(assemble(found).content[0].input) == {"x": 1}


@pytest.mark.parametrize("endings", [0, 1, 2])
def test_trap_96_terminators_may_lack_or_repeat(endings):
    stream = data(chunk({"content": "x"}), chunk(finish="stop"), *["[DONE]"] * endings)
    assert [type(item) for item in listen(stream)[-2:]] == [Finish, Done]


def test_trap_97_a_call_counts_though_the_provider_says_stop():
    stream = data(chunk(call_delta(0, id="t", name="f", args="{}")), chunk(finish="stop"), "[DONE]")
    assert assemble(listen(stream)).stop_reason == "tool_use"


def test_trap_99_images_in_messages_and_results_reach_the_provider():
    image = ImageBlock(source=UrlSource(url="https://e.org/a.png"))
    body = write(
        Call(
            model="m",
            messages=(
                Message(role="user", content=(TextBlock(text="a"), image)),
                Message(role="assistant", content=(ToolUseBlock(id="t", name="f", input=EMPTY_OBJECT),)),
                Message(role="user", content=(ToolResultBlock(tool_use_id="t", content=(image,)),)),
            ),
        )
    )
    found = [message["content"][-1]["type"] for message in body["messages"] if message["role"] == "user"]
    assert found == ["image_url", "image_url"]


def test_trap_100_a_system_message_in_the_middle_stays_there():
    turns = [Message(role=role, content=(TextBlock(text="x"),)) for role in ("user", "system", "assistant", "system")]
    body = write(Call(model="m", messages=tuple(turns)))
    assert [message["role"] for message in body["messages"]] == ["user", "system", "assistant", "system"]


def test_trap_101_a_tool_reference_is_text_and_a_deferred_tool_a_plain_one():
    reference = OpaqueBlock(type="tool_reference", raw=raw({"type": "tool_reference", "tool_name": "f"}))
    call = Call(
        model="m",
        messages=(
            Message(role="assistant", content=(ToolUseBlock(id="t", name="ToolSearch", input=EMPTY_OBJECT),)),
            Message(role="user", content=(ToolResultBlock(tool_use_id="t", content=(reference,)),)),
        ),
        tools=(FunctionTool(name="f", schema=raw({"type": "object"}), options={"defer_loading": raw(True)}),),
    )
    body = write(call)
    assert body["messages"][1]["content"] == "Tool available: f"
    assert body["tools"] == [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    assert DIALECT.write_call(call, target()).dropped == ("tools.defer_loading",)


def test_trap_102_a_large_nested_payload_arrives_whole():
    payload = {"rows": [{"cells": [{"text": "x" * 50, "n": n, "deep": [[[n]]]} for n in range(20)]} for _ in range(20)]}
    block = ToolUseBlock(id="t", name="f", input=raw(payload))
    body = write(Call(model="m", messages=(Message(role="assistant", content=(block,)),)))
    assert json.loads(body["messages"][0]["tool_calls"][0]["function"]["arguments"]) == payload
    again = read(tool(args=json.dumps(payload)))
    assert shape(again.messages[0].content[0].input) == payload
