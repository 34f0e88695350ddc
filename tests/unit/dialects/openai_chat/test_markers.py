"""Cache markers: which is taken, how many are kept, where a message's own marker goes."""

from __future__ import annotations

import pytest

from lockgate.core.chat import OpaqueBlock, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock
from lockgate.core.json_text import ABSENT
from lockgate.dialects.openai_chat.markers import Markers, mark_last, unmark_last
from tests.unit.dialects.openai_chat.samples import raw, shape

CACHE = {"type": "ephemeral", "ttl": "1h"}
MARKER = raw(CACHE)


def test_the_first_marker_that_is_there_is_taken():
    markers = Markers()
    assert markers.take(ABSENT, raw(None), MARKER, raw({"type": "x"})) == MARKER
    assert markers.take(ABSENT, raw(None)) is None
    assert markers.explicit == 1


def test_openais_breakpoints_are_counted_apart():
    markers = Markers()
    for _ in range(5):
        markers.take_part(ABSENT, raw({"mode": "explicit"}))
    markers.take_part(MARKER, raw({"mode": "explicit"}))
    assert (markers.explicit, markers.converted, markers.excess) == (1, 5, 2)


def test_the_first_breakpoints_are_passed_over():
    markers = Markers(skip=1)
    found = [markers.take_part(ABSENT, raw({"ttl": "12h"})) for _ in range(2)]
    assert [None if marker is None else shape(marker) for marker in found] == [None, CACHE]


def test_a_messages_marker_goes_on_its_last_block():
    blocks = [TextBlock(text="a"), TextBlock(text="b")]
    assert shape(mark_last(blocks, MARKER)) == [
        {"_": "TextBlock", "text": "a"},
        {"_": "TextBlock", "text": "b", "cache": CACHE},
    ]
    assert mark_last(blocks, None) is blocks


@pytest.mark.parametrize("thought", [ThinkingBlock(text="x"), RedactedThinkingBlock(data="x")])
def test_thinking_never_carries_a_marker(thought):
    assert mark_last([thought], MARKER) == [thought]
    assert shape(mark_last([TextBlock(text="a"), thought], MARKER))[0]["cache"] == CACHE


def test_a_block_with_bytes_of_its_own_carries_the_marker_in_them():
    opaque = OpaqueBlock(type="x", raw=raw({"type": "x", "a": 1}))
    assert shape(mark_last([opaque], MARKER))[0]["raw"] == {"type": "x", "a": 1, "cache_control": CACHE}
    call = ToolUseBlock(id="t", name="n", input=raw({}), raw=raw({"type": "tool_use", "toolset_name": "s"}))
    [marked] = shape(mark_last([call], MARKER))
    assert marked["cache"] == CACHE
    assert marked["raw"] == {"type": "tool_use", "toolset_name": "s", "cache_control": CACHE}


def test_a_marker_can_be_taken_off_the_last_block():
    blocks, marker = unmark_last([TextBlock(text="a", cache=MARKER, raw=raw({"type": "text", "cache_control": CACHE}))])
    assert marker == MARKER
    assert shape(blocks) == [{"_": "TextBlock", "text": "a", "raw": {"type": "text"}}]


@pytest.mark.parametrize("blocks", [[], [TextBlock(text="a")], [OpaqueBlock(type="x", raw=raw({}))]])
def test_where_there_is_no_marker_nothing_changes(blocks):
    assert unmark_last(blocks) == (blocks, None)
