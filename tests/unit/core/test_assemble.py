"""Chunks fold into the reply that they express."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from lockgate.core.assemble import Assembler, merge_usage, read_input
from lockgate.core.chat import (
    OpaqueBlock,
    RedactedThinkingBlock,
    Reply,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
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
    SignatureDelta,
    Start,
    StreamError,
    TextDelta,
    ThinkingDelta,
)

EMPTY = Raw(b"{}")


def assemble(*chunks):
    assembler = Assembler()
    for chunk in chunks:
        assembler.add(chunk)
    return assembler.reply()


def content(*chunks):
    return assemble(*chunks).content


def test_a_whole_turn():
    assert assemble(
        Start("msg_1", "m", Usage(input=5, output=1)),
        Ping(),
        BlockStart(0, ThinkingBlock(text="")),
        ThinkingDelta(0, "h"),
        ThinkingDelta(0, "m"),
        SignatureDelta(0, "s"),
        BlockStop(0),
        BlockStart(1, TextBlock(text="")),
        TextDelta(1, "a"),
        TextDelta(1, "b"),
        BlockStop(1),
        BlockStart(2, ToolUseBlock(id="i", name="n", input=EMPTY)),
        InputDelta(2, '{"q":'),
        InputDelta(2, " 1.0}"),
        BlockStop(2),
        BlockStart(3, RedactedThinkingBlock(data="d")),
        BlockStop(3),
        Finish("tool_use", "END", Usage(output=9), {"container": Raw(b"1")}),
        Done(),
    ) == Reply(
        id="msg_1",
        model="m",
        content=(
            ThinkingBlock(text="hm", signature="s"),
            TextBlock(text="ab"),
            ToolUseBlock(id="i", name="n", input=Raw(b'{"q": 1.0}')),
            RedactedThinkingBlock(data="d"),
        ),
        stop_reason="tool_use",
        stop_sequence="END",
        usage=Usage(input=5, output=9),
        extra={"container": Raw(b"1")},
    )


def test_a_stream_cut_short_gives_what_came():
    reply = assemble(Start("msg_1", "m"), BlockStart(0, TextBlock(text="a")), TextDelta(0, "b"))
    assert (reply.content, reply.stop_reason) == ((TextBlock(text="ab"),), None)


def test_nothing_gives_an_empty_reply():
    assert assemble() == Reply(id="", model="", content=(), stop_reason=None)


def test_an_error_in_the_stream_is_remembered():
    assembler = Assembler()
    assembler.add(StreamError("overloaded_error", "Overloaded"))
    assert assembler.error == StreamError("overloaded_error", "Overloaded")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", {}),
        ("  ", {}),
        (' {"a": 1} ', {"a": 1}),
        ('{"a": ', {"_raw_arguments": '{"a": '}),
        ("[1]", {"_raw_arguments": "[1]"}),
        ("7", {"_raw_arguments": "7"}),
    ],
)
def test_input_is_always_an_object(text, expected):
    assert msgspec.json.decode(read_input(text)) == expected


def test_input_keeps_its_bytes():
    assert bytes(read_input('{ "b": 1.0, "a": "\\u00e9" }')) == b'{ "b": 1.0, "a": "\\u00e9" }'


def test_a_tool_call_without_fragments_keeps_its_first_input():
    block = ToolUseBlock(id="i", name="n", input=Raw(b'{"a":1}'))
    assert content(BlockStart(0, block), BlockStop(0)) == (block,)


def test_citations_are_joined():
    first = TextBlock(text="", citations=Raw(b"[1]"))
    (block,) = content(BlockStart(0, first), CitationDelta(0, Raw(b"2")), CitationDelta(0, Raw(b"3")), BlockStop(0))
    assert block.citations == Raw(b"[1,2,3]")


def test_keys_beyond_the_canonical_ones_survive():
    start = ToolUseBlock(id="i", name="n", input=EMPTY, raw=Raw(b'{"input":{},"toolset_name":"t"}'))
    (block,) = content(BlockStart(0, start), InputDelta(0, '{"a":1}'), BlockStop(0))
    assert msgspec.json.decode(block.raw) == {"input": {"a": 1}, "toolset_name": "t"}


def test_an_opaque_block_grows_by_its_deltas():
    start = OpaqueBlock(type="server_tool_use", raw=Raw(b'{"type":"server_tool_use","id":"s","input":{}}'))
    fragments = [Raw(b'{"type":"input_json_delta","partial_json":"{\\"q\\":"}'), Raw(b'{"partial_json":"1}"}')]
    (block,) = content(
        BlockStart(0, start), *(OpaqueDelta(0, "input_json_delta", raw) for raw in fragments), BlockStop(0)
    )
    assert bytes(block.raw) == b'{"type":"server_tool_use","id":"s","input":{"q":1}}'


def test_an_opaque_delta_sets_keys():
    start = OpaqueBlock(type="compaction", raw=Raw(b'{"type":"compaction","content":null}'))
    delta = OpaqueDelta(0, "compaction_delta", Raw(b'{"type":"compaction_delta","content":"c"}'))
    (block,) = content(BlockStart(0, start), delta, BlockStop(0))
    assert bytes(block.raw) == b'{"type":"compaction","content":"c"}'


def test_a_delta_without_a_block_is_passed_over():
    assert content(TextDelta(0, "a"), BlockStop(0)) == ()


@pytest.mark.parametrize(
    "old, new, merged",
    [
        (Usage(input=1), Usage(), Usage(input=1)),
        (Usage(), Usage(output=2), Usage(output=2)),
        (Usage(input=1, output=1), Usage(output=0), Usage(input=1, output=0)),
        (
            Usage(extra={"a": Raw(b"1"), "b": Raw(b"1")}),
            Usage(extra={"b": Raw(b"2")}),
            Usage(extra={"a": Raw(b"1"), "b": Raw(b"2")}),
        ),
    ],
)
def test_later_counts_replace_earlier_ones(old, new, merged):
    assert merge_usage(old, new) == merged
