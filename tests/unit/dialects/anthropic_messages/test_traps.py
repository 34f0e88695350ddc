"""Mistakes that other gateways made, by their number in the integration specification, section 9.

At the level of canonical calls and replies: what the chat dialect does with the same traps is tested there.
"""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from lockgate.core.assemble import Assembler
from lockgate.core.chat import (
    Base64Source,
    DocumentBlock,
    ImageBlock,
    NativeTool,
    OpaqueBlock,
    OutputFormat,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolChoice,
    ToolUseBlock,
    UrlSource,
)
from lockgate.core.chunk import BlockStart, InputDelta, OpaqueDelta, Ping, StreamError, TextDelta
from lockgate.dialects import ReplyRules
from lockgate.dialects.anthropic_messages import DIALECT
from lockgate.errors import InvalidRequest, Malformed
from tests.unit.dialects.anthropic_messages.calls import (
    EPHEMERAL,
    call,
    headers,
    raw,
    result,
    say,
    sent,
    text,
    think,
    tool,
    use,
    write,
)

OLD = "claude-3-5-haiku-20241022"
BUDGETED = "claude-sonnet-4-5"
ADAPTIVE = "claude-opus-4-8"
MARK = {"type": "ephemeral", "ttl": "1h"}


def turns(*messages, **fields):
    return sent(call(*messages, **fields))["messages"]


def ids(turn):
    return [block.get("id") or block.get("tool_use_id") or block.get("text") for block in turn["content"]]


# ---- request: messages


def test_trap_01_two_results_make_one_user_turn_in_call_order():
    found = turns(say("assistant", use("a"), use("b")), say("user", result("b")), say("user", result("a")))
    assert [ids(turn) for turn in found] == [["a", "b"], ["a", "b"]]


def test_trap_02_a_result_moves_in_front_of_what_was_said_meanwhile():
    found = turns(say("assistant", use("a")), say("user", "wait"), say("user", result("a")))
    assert [ids(turn) for turn in found] == [["a"], ["a", "wait"]]


def test_trap_03_equal_roles_are_merged():
    found = turns(say("user", "a"), say("user", "b"), say("assistant", "c"), say("assistant", use("d")))
    assert [(turn["role"], ids(turn)) for turn in found] == [("user", ["a", "b"]), ("assistant", ["c", "d"])]


@pytest.mark.parametrize("model", [OLD, BUDGETED, ADAPTIVE, "claude-opus-5-5"])
def test_trap_04_a_system_message_is_hoisted_and_never_lost(model):
    body = sent(call(say("user", "a"), say("assistant", "b"), say("system", "rule"), say("user", "c")), model)
    assert body["system"] == [{"type": "text", "text": "rule"}]
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]


def test_trap_05_each_system_part_is_a_block_with_its_own_mark():
    system = (text("a", cache=EPHEMERAL), text("b"), text("c"))
    blocks = sent(call(system=system))["system"]
    assert [block.get("cache_control") for block in blocks] == [MARK, None, None]


@pytest.mark.parametrize("blank", ["", "   ", "\n"])
def test_trap_06_no_empty_text_reaches_the_provider(blank):
    messages = (
        say("user", "q", blank),
        say("assistant", blank, use("a")),
        say("user", result("a", (text(blank),)), blank),
    )
    body = sent(call(*messages, system=(text(blank),)))
    assert "system" not in body
    assert [ids(turn) for turn in body["messages"]] == [["q"], ["a"], ["a"]]
    assert "content" not in body["messages"][2]["content"][0]


def test_trap_07_the_mark_of_an_empty_block_moves_to_the_block_before():
    (turn,) = turns(say("user", "a", text("", cache=EPHEMERAL)))
    assert turn["content"] == [{"type": "text", "text": "a", "cache_control": MARK}]


@pytest.mark.parametrize("content", ["", (), None])
def test_trap_08_an_empty_result_keeps_its_id(content):
    (_, turn) = turns(say("assistant", use("a")), say("user", result("a", content)))
    assert turn["content"] == [{"type": "tool_result", "tool_use_id": "a"}]


def test_trap_09_a_result_made_of_parts_stays_a_list_of_blocks():
    (_, turn) = turns(say("assistant", use("a")), say("user", result("a", (text("x"), text("y")))))
    assert turn["content"][0]["content"] == [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]


def test_trap_10_an_image_stands_inside_the_result():
    image = ImageBlock(source=Base64Source(media_type="image/png", data="AA=="))
    (_, turn) = turns(say("assistant", use("a")), say("user", result("a", (image,))))
    assert turn["content"][0]["content"][0]["source"] == {
        "type": "base64",
        "media_type": "image/png",
        "data": "AA==",
    }


def test_trap_11_native_blocks_of_a_history_are_kept():
    body = {
        "model": "m",
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "n", "input": {"q": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "r"}]},
        ],
    }
    assert sent(DIALECT.read_call(msgspec.json.encode(body)))["messages"] == body["messages"]


def test_trap_12_a_system_message_alone_becomes_the_user_turn():
    body = sent(call(say("user", ""), system=(text("do it"),)))
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "do it"}]}]
    assert "system" not in body


def test_trap_13_a_message_without_a_role_is_refused_by_its_index():
    body = b'{"model":"m","messages":[{"role":"user","content":"a"},{"content":"b"}]}'
    with pytest.raises(InvalidRequest, match=r"messages\[1\]\.role"):
        DIALECT.read_call(body)


def test_trap_14_a_url_stays_a_url():
    (turn,) = turns(say("user", ImageBlock(source=UrlSource(url="https://e.example/a.png"))))
    assert turn["content"][0]["source"] == {"type": "url", "url": "https://e.example/a.png"}


def test_trap_15_an_unusual_media_type_is_put_right():
    (turn,) = turns(say("user", ImageBlock(source=Base64Source(media_type="image/jpg", data="AA=="))))
    assert turn["content"][0]["source"]["media_type"] == "image/jpeg"


@pytest.mark.parametrize("model, is_accepted", [(BUDGETED, True), (ADAPTIVE, False)])
def test_trap_17_a_prefill_is_stripped_and_no_user_turn_invented(model, is_accepted):
    found = sent(call(say("user", "a"), say("assistant", "The answer is ")), model)["messages"]
    assert [turn["role"] for turn in found] == ["user", "assistant"]
    assert found[1]["content"][0]["text"] == "The answer is"


@pytest.mark.parametrize("call_id", ["call.1:2", "call 1", "call_1__thought__EqQB=="])
def test_trap_18_ids_are_replaced_on_both_sides_alike(call_id):
    calls, results = turns(say("assistant", use(call_id)), say("user", result(call_id)))
    assert ids(calls) == ids(results)
    assert ids(calls)[0].replace("_", "").isalnum()
    assert ids(turns(say("assistant", use("toolu_01-A")))[0]) == ["toolu_01-A"]


def test_trap_19_an_id_used_twice_is_made_unique_in_pairs():
    found = turns(
        say("assistant", use("a")), say("user", result("a")), say("assistant", use("a")), say("user", result("a"))
    )
    assert [ids(turn) for turn in found] == [["a"], ["a"], ["a_2"], ["a_2"]]


def test_trap_20_history_with_tool_blocks_needs_no_tools():
    body = sent(call(say("assistant", use("a")), say("user", result("a"))))
    assert "tools" not in body
    assert "tool_choice" not in body


def test_trap_21_arguments_cut_short_do_not_poison_a_conversation():
    assembler = Assembler()
    for chunk in (
        BlockStart(0, use("a")),
        InputDelta(0, '{"path": "/tmp/a", "content": "'),
    ):
        assembler.add(chunk)
    (turn,) = turns(say("assistant", *assembler.reply().content))
    assert turn["content"][0]["input"] == {"_raw_arguments": '{"path": "/tmp/a", "content": "'}


def test_trap_23_an_email_address_is_no_user_id():
    said = call(user="a@b.example")
    assert "metadata" not in sent(said)
    assert write(said).dropped == ("user",)


# ---- request: parameters


@pytest.mark.parametrize("asked, model, expected", [(None, BUDGETED, 16384), (None, OLD, 8192), (0, BUDGETED, 0)])
def test_trap_24_a_missing_limit_gets_the_models_default(asked, model, expected):
    assert sent(call(max_tokens=asked), model)["max_tokens"] == expected


def test_trap_25_temperature_is_clamped_or_dropped():
    assert sent(call(temperature=1.5))["temperature"] == 1
    assert "temperature" not in sent(call(temperature=0.5), ADAPTIVE)


def test_trap_26_temperature_goes_before_top_p():
    body = sent(call(temperature=0.5, top_p=0.9))
    assert body["temperature"] == 0.5
    assert "top_p" not in body


def test_trap_27_blank_stop_sequences_are_dropped():
    assert sent(call(stop=("END", "\n\n")))["stop_sequences"] == ["END"]
    assert "stop_sequences" not in sent(call(stop=("\n\n",)))


def test_trap_28_unknown_fields_never_go_out():
    written = write(call(unknown=("prompt_cache_key", "seed", "logit_bias"), native={"x_unknown": raw(1)}))
    assert set(msgspec.json.decode(written.body)) == {"model", "max_tokens", "messages"}
    assert written.dropped == ("prompt_cache_key", "seed", "logit_bias", "x_unknown")


@pytest.mark.parametrize("limit", [1000, 1024, 1025, 4000])
def test_trap_29_a_budget_fits_or_is_left_out(limit):
    thinking = sent(call(effort="high", max_tokens=limit)).get("thinking")
    assert thinking is None if limit < 1025 else 1024 <= thinking["budget_tokens"] < limit


@pytest.mark.parametrize("model", [BUDGETED, ADAPTIVE])
def test_trap_30_a_forced_tool_leaves_thinking_out(model):
    body = sent(call(effort="high", tools=(tool(),), tool_choice=ToolChoice(mode="any")), model)
    assert "thinking" not in body
    assert body["tool_choice"] == {"type": "any"}


def test_trap_31_newer_models_think_adaptively():
    body = sent(call(effort="high"), ADAPTIVE)
    assert body["thinking"] == {"type": "adaptive"}
    assert body["output_config"] == {"effort": "high"}


@pytest.mark.parametrize("model", [OLD, BUDGETED])
def test_trap_32_structured_output_and_tools_work_together(model):
    output = OutputFormat(kind="json_schema", name="person", schema=raw({"type": "object", "properties": {}}))
    body = sent(call(output=output, tools=(tool("look"),)), model)
    assert body["tools"][0]["name"] == "look"
    assert body.get("tool_choice") == ({"type": "any"} if model == OLD else None)


def test_trap_33_a_schema_arrives_whole():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "object", "properties": {"description": {"$ref": "#/$defs/d"}}}},
        "$defs": {"d": {"enum": ["x"]}},
        "additionalProperties": False,
        "description": "all of it",
    }
    assert sent(call(tools=(tool("look", schema),)))["tools"][0]["input_schema"] == schema


def test_trap_34_alternatives_at_the_root_are_rewritten():
    schema = {"anyOf": [{"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"b": {}}}]}
    found = sent(call(tools=(tool("look", schema),)))["tools"][0]
    assert found["input_schema"] == {"type": "object", "properties": {"a": {}, "b": {}}}
    assert "with a; with b" in found["description"]


def test_trap_35_choosing_none_keeps_the_tools():
    body = sent(call(tools=(tool(),), tool_choice=ToolChoice(mode="none")))
    assert body["tool_choice"] == {"type": "none"}
    assert len(body["tools"]) == 1


def test_trap_36_one_call_at_a_time_without_a_choice():
    body = sent(call(tools=(tool(),), tool_choice=ToolChoice(parallel=False)))
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_trap_37_no_choice_without_tools():
    assert "tool_choice" not in sent(call(tool_choice=ToolChoice(mode="any")))


def test_trap_38_every_cache_mark_arrives_with_its_ttl():
    image = ImageBlock(source=UrlSource(url="u"), cache=EPHEMERAL)
    document = DocumentBlock(source=UrlSource(url="u"), cache=EPHEMERAL)
    marked_use = ToolUseBlock(id="a", name="look", input=raw({}), cache=EPHEMERAL)
    body = sent(
        call(
            say("user", text("q", cache=EPHEMERAL), image, document),
            say("assistant", marked_use),
            say("user", result("a", (text("r", cache=EPHEMERAL),), cache=EPHEMERAL)),
            system=(text("s", cache=EPHEMERAL),),
            tools=(tool("look", cache=EPHEMERAL),),
            native={"cache_control": EPHEMERAL},
        )
    )
    assert msgspec.json.encode(body).count(msgspec.json.encode(MARK)) == 9


def test_trap_39_no_breakpoint_is_ever_added():
    said = call(say("user", "q"), say("assistant", think(), use("a")), say("user", result("a")), tools=(tool(),))
    assert b"cache_control" not in write(said).body


def test_trap_40_no_mark_stands_on_thinking():
    found = turns(say("user", "q"), say("assistant", think(), text("", cache=EPHEMERAL)))
    assert found[1]["content"] == [{"type": "thinking", "thinking": "hm", "signature": "EqQB"}]


# ---- thinking


def test_trap_42_redacted_thinking_goes_both_ways():
    data = b'{"content":[{"type":"redacted_thinking","data":"ZZ"}]}'
    (block,) = DIALECT.read_reply(data, ReplyRules()).content
    assert block == RedactedThinkingBlock(data="ZZ", raw=Raw(b'{"type":"redacted_thinking","data":"ZZ"}'))
    found = turns(say("user", "q"), say("assistant", block), say("user", "r"))
    assert found[1]["content"] == [{"type": "redacted_thinking", "data": "ZZ"}]


def events(*bodies):
    return b"".join(b"data: %b\n\n" % msgspec.json.encode(body) for body in bodies)


def start(**fields):
    return {"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], **fields}}


def opened(index, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index, **fields):
    return {"type": "content_block_delta", "index": index, "delta": fields}


def stopped(index):
    return {"type": "content_block_stop", "index": index}


def ended(reason="end_turn", usage=None, **fields):
    return (
        {"type": "message_delta", "delta": {"stop_reason": reason, **fields}, "usage": usage or {}},
        {"type": "message_stop"},
    )


def chunks(*bodies):
    reader = DIALECT.stream_reader(ReplyRules())
    return [*reader.feed(events(*bodies)), *reader.close()]


def reply(*bodies):
    assembler = Assembler()
    for chunk in chunks(*bodies):
        assembler.add(chunk)
    return assembler.reply()


def test_trap_43_a_streamed_signature_is_in_the_block_that_goes_back():
    (block,) = reply(
        start(),
        opened(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="hm"),
        delta(0, type="signature_delta", signature="EqQB"),
        stopped(0),
        *ended(),
    ).content
    assert block == ThinkingBlock(text="hm", signature="EqQB")
    assert turns(say("user", "q"), say("assistant", block), say("user", "r"))[1]["content"][0]["signature"] == "EqQB"


def test_trap_44_hidden_thinking_is_replayed():
    found = turns(say("user", "q"), say("assistant", think("", "EuYB"), "a"), say("user", "r"))
    assert found[1]["content"][0] == {"type": "thinking", "thinking": "", "signature": "EuYB"}


@pytest.mark.parametrize("signature", [None, "", "gw1.openai.eHl6"])
def test_trap_45_unsigned_thinking_never_reaches_claude(signature):
    found = turns(say("user", "q"), say("assistant", think("x", signature), "a"), say("user", "r"))
    assert found[1]["content"] == [{"type": "text", "text": "a"}]


def test_trap_46_interleaved_blocks_keep_their_order():
    blocks = (think(), use("a"), text("t"), use("b"))
    found = turns(say("user", "q"), say("assistant", *blocks), say("user", result("a"), result("b")))
    assert [block["type"] for block in found[1]["content"]] == ["thinking", "tool_use", "text", "tool_use"]


def test_trap_47_thinking_history_is_never_read_as_text():
    body = msgspec.json.encode(
        {
            "model": "m",
            "messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}]}],
        }
    )
    assert DIALECT.read_call(body).messages[0].content == (ThinkingBlock(text="t", signature="s"),)


# ---- replies and streams


TOOL = (opened(0, type="tool_use", id="a", name="look", input={}),)


def test_trap_50_arguments_do_not_begin_with_the_empty_start():
    found = reply(start(), *TOOL, delta(0, type="input_json_delta", partial_json='{"q":1}'), stopped(0), *ended())
    assert bytes(found.content[0].input) == b'{"q":1}'


def test_trap_51_a_call_without_arguments_has_an_empty_object():
    assert bytes(reply(start(), *TOOL, stopped(0), *ended()).content[0].input) == b"{}"


def test_trap_52_empty_deltas_say_nothing():
    found = chunks(start(), opened(0, type="text", text=""), delta(0, type="text_delta", text=""), stopped(0), *ended())
    assert not any(isinstance(chunk, TextDelta | InputDelta) for chunk in found)


def test_trap_54_a_servers_tool_is_no_tool_call():
    found = chunks(
        start(),
        opened(0, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
        delta(0, type="input_json_delta", partial_json='{"query":"x"}'),
        stopped(0),
        *ended(),
    )
    assert not any(isinstance(chunk, InputDelta) for chunk in found)
    assert any(isinstance(chunk, OpaqueDelta) for chunk in found)
    assert isinstance(found[1].block, OpaqueBlock)


def test_trap_55_arguments_are_passed_on_as_they_come():
    reader = DIALECT.stream_reader(ReplyRules())
    reader.feed(events(start(), *TOOL))
    assert reader.feed(events(delta(0, type="input_json_delta", partial_json='{"q'))) == [InputDelta(0, '{"q')]


def test_trap_56_arguments_cut_by_the_limit_stay_as_received():
    found = chunks(
        start(),
        *TOOL,
        delta(0, type="input_json_delta", partial_json='{"q": "lo'),
        stopped(0),
        *ended("max_tokens"),
    )
    assert [chunk.fragment for chunk in found if isinstance(chunk, InputDelta)] == ['{"q": "lo']
    assert found[-2].reason == "max_tokens"


def test_trap_57_a_ping_is_a_sign_of_life_and_nothing_else():
    assert chunks(start(), {"type": "ping"}, *ended())[1] == Ping()


@pytest.mark.parametrize(
    "reason",
    [
        "end_turn",
        "stop_sequence",
        "max_tokens",
        "tool_use",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
        "compaction",
        "guardrail_intervened",
        "of_tomorrow",
    ],
)
def test_trap_58_every_stop_reason_is_kept(reason):
    assert reply(start(), *ended(reason)).stop_reason == reason
    body = msgspec.json.encode({"content": [], "stop_reason": reason})
    assert DIALECT.read_reply(body, ReplyRules()).stop_reason == reason


def test_trap_59_a_paused_turn_can_be_continued():
    found = reply(start(), *ended("pause_turn", container={"id": "c"}))
    assert found.stop_reason == "pause_turn"
    assert found.extra["container"] == Raw(b'{"id":"c"}')
    body = sent(call(native={"container": raw("c")}))
    assert body["container"] == "c"


def test_trap_60_cached_tokens_are_counted_once_streamed_or_not():
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 100,
        "output_tokens": 8,
    }
    whole = DIALECT.read_reply(msgspec.json.encode({"content": [], "usage": usage}), ReplyRules()).usage
    streamed = reply(start(usage={**usage, "output_tokens": 1}), *ended(usage={"output_tokens": 8})).usage
    assert whole == streamed
    assert (whole.input, whole.cache_write, whole.cache_read, whole.output) == (3, 20, 100, 8)


def test_trap_61_the_lives_of_cache_writes_are_kept_apart():
    usage = {
        "input_tokens": 1,
        "cache_creation_input_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 15},
    }
    assert reply(start(usage=usage), *ended()).usage.cache_write_1h == 15


def test_trap_62_later_counts_overwrite_earlier_ones():
    usage = {"input_tokens": 5, "output_tokens": 1}
    assert reply(start(usage=usage), *ended(usage={"input_tokens": 6, "output_tokens": 9})).usage.input == 6


def test_trap_63_thinking_tokens_are_reasoning_tokens():
    usage = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}
    assert reply(start(), *ended(usage=usage)).usage.reasoning == 4


def test_trap_64_a_citation_stays_with_its_text():
    citation = {"type": "web_search_result_location", "url": "https://e.example", "encrypted_index": "Eo8B"}
    first, second = reply(
        start(),
        opened(0, type="text", text=""),
        delta(0, type="text_delta", text="a"),
        stopped(0),
        opened(1, type="text", text="", citations=[]),
        delta(1, type="citations_delta", citation=citation),
        delta(1, type="text_delta", text="b"),
        stopped(1),
        *ended(),
    ).content
    assert first == TextBlock(text="a")
    assert second == TextBlock(text="b", citations=raw([citation]))


def test_trap_65_encrypted_content_survives_byte_for_byte():
    data = (
        b'{"type":"web_search_tool_result","tool_use_id":"s",'
        b'"content":[{"encrypted_content":"Eo8C\\u00e9\\/==","page_age":null}]}'
    )
    (block,) = DIALECT.read_reply(b'{"content":[%b]}' % data, ReplyRules()).content
    assert data in write(call(say("user", "q"), say("assistant", block), say("user", "r"))).body


def test_trap_67_two_text_blocks_stay_two():
    body = b'{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}'
    assert [block.text for block in DIALECT.read_reply(body, ReplyRules()).content] == ["a", "b"]


# ---- errors


OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def test_trap_68_an_error_may_be_the_first_event():
    assert chunks(OVERLOADED) == [StreamError("overloaded_error", "Overloaded")]


def test_trap_69_an_error_in_mid_stream_is_an_error_and_no_end():
    found = chunks(start(), opened(0, type="text", text=""), delta(0, type="text_delta", text="a"), OVERLOADED)
    assert found[-1] == StreamError("overloaded_error", "Overloaded")


def test_trap_70_an_error_needs_no_event_line():
    data = b'data: {"type":"error","error":{"type":"api_error","message":"m"}}\n\n'
    assert DIALECT.stream_reader(ReplyRules()).feed(data) == [StreamError("api_error", "m")]


def test_trap_71_a_broken_stream_is_no_stop():
    reader = DIALECT.stream_reader(ReplyRules())
    reader.feed(events(start(), opened(0, type="text", text=""), delta(0, type="text_delta", text="a")))
    with pytest.raises(Malformed):
        reader.close()


def test_trap_74_a_page_of_html_is_an_error_with_the_same_status():
    error = DIALECT.read_error(413, b"<html><body><h1>413 Request Entity Too Large</h1></body></html>")
    assert (error.status, error.kind, error.message) == (413, "request_too_large", "413 Request Entity Too Large")


def test_trap_75_errors_keep_anthropics_envelope():
    error = DIALECT.read_error(529, msgspec.json.encode(OVERLOADED))
    body = msgspec.json.decode(DIALECT.write_error(error, request_id="req_1", provider="anthropic"))
    assert (body["type"], body["error"]["type"], body["request_id"]) == ("error", "overloaded_error", "req_1")


def test_trap_85_no_beta_is_sent_that_nobody_needs():
    assert headers(call(tools=(tool(), NativeTool(type="web_search_20250305", name="web_search", raw=raw({}))))) == {
        "anthropic-version": "2023-06-01"
    }
