"""Interleaved content becomes blocks in order, and nothing is lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.assemble import Assembler
from lockgate.core.chat import OpaqueBlock, RedactedThinkingBlock
from lockgate.core.chunk import BlockStart, BlockStop
from lockgate.dialects.openai_chat.sequencer import Sequencer
from lockgate.errors import Malformed
from tests.unit.dialects.openai_chat.samples import raw, shape


def run(*steps, names=None):
    """Return the chunks of a number of steps, each a method's name and its arguments."""
    sequencer = Sequencer(names or {})
    found = []
    for name, *arguments in steps:
        getattr(sequencer, name)(*arguments)
        found.extend(sequencer.take())
    sequencer.finish()
    return found + sequencer.take()


def content(chunks):
    """Return the blocks that chunks express, in short."""
    assembler = Assembler()
    for chunk in chunks:
        assembler.add(chunk)
    return [short(block) for block in shape(assembler.reply().content)]


def short(block):
    match block["_"]:
        case "ToolUseBlock":
            return (block["name"], block["input"])
        case "TextBlock" | "ThinkingBlock":
            return (block["_"][:4].lower(), block["text"])
        case other:
            return other


def assert_sequential(chunks):
    """Blocks open and close one after the other, and every delta belongs to the open one."""
    is_open = False
    last = -1
    for chunk in chunks:
        if isinstance(chunk, BlockStart):
            assert not is_open
            last += 1
        assert chunk.index == last
        is_open = not isinstance(chunk, BlockStop)
    assert not is_open


CASES = {
    "text": ([("text", "a"), ("text", "b")], [("text", "ab")]),
    "reasoning, then text": ([("thinking", "hm"), ("text", "x")], [("thin", "hm"), ("text", "x")]),
    "text, reasoning, text": (
        [("text", "a"), ("thinking", "hm"), ("text", "b")],
        [("text", "a"), ("thin", "hm"), ("text", "b")],
    ),
    "a call": ([("call", 0, "a", "f", ""), ("call", 0, None, None, '{"n":1}')], [("f", {"n": 1})]),
    "a call at once": ([("call", 0, "a", "f", '{"n":1}')], [("f", {"n": 1})]),
    "calls one after the other": (
        [("call", 0, "a", "f", '{"n":1}'), ("call", 1, "b", "g", '{"n":2}')],
        [("f", {"n": 1}), ("g", {"n": 2})],
    ),
    "interleaved calls": (
        [
            ("call", 0, "a", "f", '{"n"'),
            ("call", 1, "b", "g", '{"n"'),
            ("call", 2, "c", "h", ""),
            ("call", 1, None, None, ":2}"),
            ("call", 0, None, None, ":1}"),
            ("call", 2, None, None, "{}"),
        ],
        [("f", {"n": 1}), ("g", {"n": 2}), ("h", {})],
    ),
    "text while a call is open": (
        [("call", 0, "a", "f", '{"n"'), ("text", "x"), ("call", 0, None, None, ":1}"), ("text", "y")],
        [("f", {"n": 1}), ("text", "xy")],
    ),
    "text after a complete call": ([("call", 0, "a", "f", "{}"), ("text", "x")], [("f", {}), ("text", "x")]),
    "text after a call without arguments": (
        [("call", 0, "a", "f", None), ("text", "x"), ("thinking", "hm")],
        [("f", {}), ("text", "x"), ("thin", "hm")],
    ),
    "a late name": (
        [("call", 0, "a", None, '{"n"'), ("call", 0, None, "f", ":1}")],
        [("f", {"n": 1})],
    ),
    "text behind a call without a name yet": (
        [("call", 0, "a", None, "{}"), ("text", "x"), ("call", 0, None, "f", None), ("text", "y")],
        [("f", {}), ("text", "xy")],
    ),
    "no number, but an id": (
        [("call", None, "a", "f", '{"n"'), ("call", None, "b", "g", "{}"), ("call", None, "a", None, ":1}")],
        [("f", {"n": 1}), ("g", {})],
    ),
    "no number and no id": (
        [("call", None, None, "f", '{"n"'), ("call", None, None, None, ":1}"), ("call", None, None, "g", "{}")],
        [("f", {"n": 1}), ("g", {})],
    ),
    "every call is number 0": (
        [("call", 0, "a", "f", '{"n":1}'), ("call", 0, "b", "g", '{"n":2}')],
        [("f", {"n": 1}), ("g", {"n": 2})],
    ),
    "the name in every fragment": (
        [("call", 0, "a", "f", '{"n"'), ("call", 0, "a", "f", ":1}")],
        [("f", {"n": 1})],
    ),
    "more for a closed call": (
        [("call", 0, "a", "f", "{}"), ("text", "x"), ("call", 0, None, None, " "), ("text", "y")],
        [("f", {}), ("text", "xy")],
    ),
    "waiting calls follow the provider's numbers": (
        [("call", 0, "a", "f", "{"), ("call", 2, "c", "h", "{}"), ("call", 1, "b", "g", "{}")],
        [("f", {"_raw_arguments": "{"}), ("g", {}), ("h", {})],
    ),
    "cut off": (
        [("call", 0, "a", "f", '{"n": "lo'), ("call", 1, "b", "g", '{"n"')],
        [("f", {"_raw_arguments": '{"n": "lo'}), ("g", {"_raw_arguments": '{"n"'})],
    ),
    "blocks that come whole": (
        [("block", RedactedThinkingBlock(data="x"), 0), ("text", "x"), ("block", RedactedThinkingBlock(data="y"), 2)],
        ["RedactedThinkingBlock", ("text", "x"), "RedactedThinkingBlock"],
    ),
    "texts with numbers of their own": ([("text", "a", 0), ("text", "b", 1)], [("text", "a"), ("text", "b")]),
    "nothing": ([], []),
}


@pytest.mark.parametrize("name", CASES)
def test_content_comes_out_in_order(name):
    steps, blocks = CASES[name]
    chunks = run(*steps)
    assert_sequential(chunks)
    assert content(chunks) == blocks


def test_the_first_call_streams_as_it_comes():
    sequencer = Sequencer({})
    sequencer.call(0, "a", "f", "")
    sequencer.take()
    sequencer.call(0, None, None, '{"n')
    assert len(sequencer.take()) == 1


def test_a_complete_call_lets_the_next_one_stream():
    sequencer = Sequencer({})
    sequencer.call(0, "a", "f", '{"n":1}')
    sequencer.call(1, "b", "g", '{"n"')
    assert [type(chunk).__name__ for chunk in sequencer.take()] == [
        "BlockStart",
        "InputDelta",
        "BlockStop",
        "BlockStart",
        "InputDelta",
    ]


def test_citations_and_signatures_belong_to_the_block_before():
    [thought, text] = shape(
        assembled(
            ("thinking", "hm", 0),
            ("signature", "s", 0),
            ("text", "x", 1),
            ("citation", raw({"n": 1}), 1),
            ("citation", raw(2), 1),
        )
    )
    assert thought["signature"] == "s"
    assert text["citations"] == [{"n": 1}, 2]


def test_a_signature_alone_is_a_block():
    assert shape(assembled(("signature", "s"))) == [{"_": "ThinkingBlock", "text": "", "signature": "s"}]


def test_what_comes_later_for_an_opaque_block_is_added():
    block = OpaqueBlock(type="server_tool_use", raw=raw({"type": "server_tool_use", "input": {}}))
    delta = raw({"type": "input_json_delta", "partial_json": '{"q":1}'})
    [found] = shape(assembled(("block", block, 3), ("further", "input_json_delta", delta, 3)))
    assert found["raw"]["input"] == {"q": 1}
    [found] = shape(assembled(("block", block, 3), ("further", "input_json_delta", delta, 4)))
    assert found["raw"]["input"] == {}


def assembled(*steps):
    assembler = Assembler()
    for chunk in run(*steps):
        assembler.add(chunk)
    return assembler.reply().content


def test_names_are_restored_and_ids_made():
    first = assembled(("call", 0, None, "f_1", "{}"), ("call", 1, "", "g", "{}"))
    assert [block.name for block in assembled(("call", 0, "a", "f_1", "{}"))] == ["f_1"]
    assert len({block.id for block in first}) == 2
    assert all(block.id.startswith("toolu_") for block in first)
    [block] = [
        chunk.block for chunk in run(("call", 0, "a", "f_1", ""), names={"f_1": "f 1"}) if isinstance(chunk, BlockStart)
    ]
    assert block.name == "f 1"


def test_a_call_that_never_gets_a_name_is_malformed():
    with pytest.raises(Malformed):
        run(("call", 0, "a", None, "{}"))


OBJECTS = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=6), max_size=3)


@st.composite
def interleavings(draw):
    """Calls, and their fragments in some order that keeps each call's own and the order of first appearance."""
    calls = draw(st.lists(OBJECTS, min_size=1, max_size=4))
    queues = []
    for number, arguments in enumerate(calls):
        text = json.dumps(arguments)
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        head = ("call", number, f"id{number}", f"f{number}", pieces[0])
        queues.append([head, *(("call", number, None, None, piece) for piece in pieces[1:])])
    steps, started = [], 0
    while any(queues):
        ready = [n for n, queue in enumerate(queues) if queue and n <= started]
        chosen = draw(st.sampled_from(ready))
        steps.append(queues[chosen].pop(0))
        started = max(started, chosen + 1)
    return calls, steps


@given(interleavings())
def test_any_interleaving_of_calls_gives_the_same_calls(case):
    calls, steps = case
    chunks = run(*steps)
    assert_sequential(chunks)
    assert content(chunks) == [(f"f{number}", arguments) for number, arguments in enumerate(calls)]


STEPS = st.one_of(
    st.tuples(st.just("text"), st.text(min_size=1, max_size=4), st.none() | st.integers(0, 2)),
    st.tuples(st.just("thinking"), st.text(min_size=1, max_size=4), st.none() | st.integers(0, 2)),
    st.tuples(
        st.just("call"),
        st.none() | st.integers(0, 2),
        st.none() | st.sampled_from(["a", "b"]),
        st.just("f"),
        st.none() | st.sampled_from(["{", "}", "{}", " "]),
    ),
)


@given(st.lists(STEPS, max_size=12))
def test_whatever_comes_is_sequential_and_no_text_is_lost(steps):
    chunks = run(*steps)
    assert_sequential(chunks)
    for kind, name in (("text", "text"), ("thin", "thinking")):
        sent = "".join(step[1] for step in steps if step[0] == name)
        assert "".join(found[1] for found in content(chunks) if found[0] == kind) == sent
