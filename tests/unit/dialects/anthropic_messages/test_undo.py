"""What writing the call did is undone, the same way for whole replies and for streams."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from lockgate.core.assemble import Assembler
from lockgate.core.chat import Reply, TextBlock, ThinkingBlock, ToolUseBlock, Usage
from lockgate.core.chunk import (
    BlockStart,
    BlockStop,
    Done,
    Finish,
    InputDelta,
    Start,
    TextDelta,
    ThinkingDelta,
)
from lockgate.dialects import ReplyRules
from lockgate.dialects.anthropic_messages.undo import StreamUndo, Unwrapper, undo_reply, unwrap

TOOL = ReplyRules(json_tool="answer")


def use(name, data):
    return ToolUseBlock(id=f"toolu_{name}", name=name, input=Raw(data))


def reply(*blocks, stop="tool_use"):
    return Reply(id="msg_1", model="m", content=blocks, stop_reason=stop)


def chunks_of(whole, size=3):
    """Say a reply in small chunks."""
    yield Start(whole.id, whole.model, whole.usage)
    for index, block in enumerate(whole.content):
        match block:
            case TextBlock():
                words, kind, start = block.text, TextDelta, TextBlock(text="")
            case ThinkingBlock():
                words, kind, start = block.text, ThinkingDelta, structs.replace(block, text="")
            case _:
                words, kind, start = bytes(block.input).decode(), InputDelta, structs.replace(block, input=Raw(b"{}"))
        yield BlockStart(index, start)
        yield from (kind(index, words[at : at + size]) for at in range(0, len(words), size))
        yield BlockStop(index)
    yield Finish(whole.stop_reason, whole.stop_sequence, Usage())
    yield Done()


def streamed(whole, rules, size=3):
    undo, assembler = StreamUndo(rules), Assembler()
    indexes = []
    for chunk in chunks_of(whole, size):
        for passed in undo.pass_on([chunk]):
            if isinstance(passed, BlockStart):
                indexes.append(passed.index)
            assembler.add(passed)
    assert indexes == list(range(len(indexes)))
    return assembler.reply()


@pytest.mark.parametrize(
    "rules, before, after",
    [
        (
            ReplyRules(tool_names={"fs_read": "fs.read"}),
            reply(TextBlock(text="t"), use("fs_read", b'{"a":1}'), use("other", b"{}")),
            reply(
                TextBlock(text="t"),
                ToolUseBlock(id="toolu_fs_read", name="fs.read", input=Raw(b'{"a":1}')),
                use("other", b"{}"),
            ),
        ),
        (TOOL, reply(use("answer", b'{"a":1}')), reply(TextBlock(text='{"a":1}'), stop="end_turn")),
        (
            TOOL,
            reply(ThinkingBlock(text="hm", signature="s"), TextBlock(text="Sure!"), use("answer", b'{"a":1}')),
            reply(ThinkingBlock(text="hm", signature="s"), TextBlock(text='{"a":1}'), stop="end_turn"),
        ),
        (
            TOOL,
            reply(use("answer", b'{"a":1}'), use("answer", b"{}")),
            reply(TextBlock(text='{"a":1}'), stop="end_turn"),
        ),
        (
            TOOL,
            reply(use("answer", b'{"a":1}'), TextBlock(text="ok?")),
            reply(TextBlock(text='{"a":1}'), stop="end_turn"),
        ),
        (TOOL, reply(TextBlock(text="No."), stop="end_turn"), reply(TextBlock(text="No."), stop="end_turn")),
        (
            TOOL,
            reply(TextBlock(text="I look."), use("look", b"{}")),
            reply(TextBlock(text="I look."), use("look", b"{}")),
        ),
        (
            TOOL,
            reply(use("answer", b'{"a":1}'), use("look", b"{}")),
            reply(TextBlock(text='{"a":1}'), use("look", b"{}")),
        ),
        (
            TOOL,
            reply(use("answer", b'{"a":1}'), stop="max_tokens"),
            reply(TextBlock(text='{"a":1}'), stop="max_tokens"),
        ),
        (
            ReplyRules(unwrap_value=True),
            reply(TextBlock(text='{"value": ["a", {"b": "}"}]}'), stop="end_turn"),
            reply(TextBlock(text='["a", {"b": "}"}]'), stop="end_turn"),
        ),
        (
            ReplyRules(unwrap_value=True, json_tool="answer"),
            reply(use("answer", b'{"value":[{"a":1}]}')),
            reply(TextBlock(text='[{"a":1}]'), stop="end_turn"),
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_whole_and_streamed_replies_are_restored_alike(rules, before, after, size):
    assert undo_reply(before, rules) == after
    assert streamed(before, rules, size) == after


def test_the_answer_of_a_tool_is_compact():
    whole = undo_reply(reply(use("answer", b'{ "a" : 1.0,\n "b": [ ] }')), TOOL)
    assert whole.content == (TextBlock(text='{"a":1.0,"b":[]}'),)


def test_a_mapped_name_is_restored_in_the_bytes_as_well():
    raw = Raw(b'{"type":"tool_use","id":"i","name":"a_b","input":{},"caller":{}}')
    block = ToolUseBlock(id="i", name="a_b", input=Raw(b"{}"), raw=raw)
    (found,) = undo_reply(reply(block), ReplyRules(tool_names={"a_b": "a.b"})).content
    assert msgspec.json.decode(found.raw)["name"] == found.name == "a.b"


@pytest.mark.parametrize(
    "text, expected",
    [
        ('```json\n{"a":1}\n```', '{"a":1}'),
        ('```\n{"a":1}\n```\n', '{"a":1}'),
        ('\n```json\r\n{"a":1}\r\n```', '{"a":1}'),
        ('{"a":"```"}', '{"a":"```"}'),
        ('Here: ```json\n{"a":1}\n```', 'Here: ```json\n{"a":1}\n```'),
    ],
)
def test_one_fence_is_taken_off(text, expected):
    block = TextBlock(text=text, raw=Raw(b"{}"))
    (found,) = undo_reply(reply(block), ReplyRules(strip_fence=True)).content
    assert found.text == expected
    assert (found.raw is None) == (text != expected)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab}", max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, st.sampled_from([None, 2]), st.data())
def test_a_value_is_unwrapped_however_it_is_cut(value, indent, data):
    text = msgspec.json.encode({"value": value}).decode()
    if indent:
        text = msgspec.json.format(text, indent=indent)
    cut = data.draw(st.integers(0, len(text)))
    unwrapper = Unwrapper()
    found = unwrapper.feed(text[:cut]) + unwrapper.feed(text[cut:]) + unwrapper.close()
    assert found == unwrap(text)
    assert msgspec.json.decode(found) == value


@pytest.mark.parametrize("text", ["", "No.", "{", '{"values": 1}', '{ "val', '{"other":1,"value":2}', "[1]"])
def test_any_other_text_stays(text):
    assert unwrap(text) == text
