import json

from lockgate.simulator.anthropic.blocks import CompactionOut, FixedOut, TextOut, ThinkingOut, ToolOut
from lockgate.simulator.dice import Dice

CITATION = {"type": "char_location"}


def deltas(block):
    return list(block.deltas(Dice(0)))


def test_text_with_citations_streams_them_inside_the_block():
    block = TextOut(text="some longer text that is cited", citations=(CITATION,))
    kinds = [delta["type"] for delta in deltas(block)]
    assert kinds[0] == "text_delta"
    assert kinds.count("citations_delta") == 1
    assert block.start()["citations"] == []
    assert block.whole()["citations"] == [CITATION]
    assert "citations" not in TextOut(text="x").whole()


def test_thinking_ends_with_its_signature():
    block = ThinkingOut(thought="long thought", text="short", signature="s")
    assert deltas(block)[-1] == {"type": "signature_delta", "signature": "s"}
    assert block.tokens == 3
    assert block.cut(1) is block


def test_omitted_thinking_streams_its_signature_alone():
    assert [delta["type"] for delta in deltas(ThinkingOut(thought="t", text="", signature="s"))] == ["signature_delta"]


def test_a_tool_starts_empty_and_streams_its_arguments():
    block = ToolOut(id="a", name="t", arguments='{"x": 12345}', toolset_name="set")
    assert block.start()["input"] == {}
    assert json.loads("".join(delta["partial_json"] for delta in deltas(block))) == {"x": 12345}
    assert block.whole() == {**block.start(), "input": {"x": 12345}}
    assert block.whole()["toolset_name"] == "set"


def test_a_cut_tool_breaks_off():
    block = ToolOut(id="a", name="tool", arguments='{"x": "a long value"}')
    cut = block.cut(3)
    assert cut.arguments == '{"x": "a'
    assert cut.whole()["input"] == {}
    assert cut.tokens == 3


def test_a_fixed_block_has_no_deltas():
    block = FixedOut(block={"type": "redacted_thinking", "data": "x"}, is_free=True)
    assert deltas(block) == []
    assert block.start() == block.whole() == block.block
    assert block.tokens == 0
    assert FixedOut(block={}).tokens == 1
    assert block.cut(0) is block


def test_a_compaction_comes_in_one_delta():
    block = CompactionOut(content="summary", signature="s")
    assert deltas(block) == [{"type": "compaction_delta", "content": "summary"}]
    assert block.start()["content"] is None
    assert block.whole()["content"] == "summary"
    assert block.cut(0) is block
    assert block.tokens == 2
