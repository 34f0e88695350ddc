from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lockgate.core.assemble import Assembler
from lockgate.core.chat import OpaqueBlock, Reply, TextBlock, ThinkingBlock, ToolUseBlock, Usage
from lockgate.core.chunk import TextDelta
from lockgate.core.replay import MAX_CHARS, replay

BLOCKS = st.one_of(
    st.builds(lambda text: TextBlock(text=text), st.text(max_size=1200)),
    st.builds(lambda text: TextBlock(text=text, citations=Raw(b'[{"a":1},{"b":2}]')), st.text(max_size=20)),
    st.builds(
        lambda text, sign: ThinkingBlock(text=text, signature=sign), st.text(max_size=1200), st.none() | st.text()
    ),
    st.builds(lambda name: ToolUseBlock(id="t", name=name, input=Raw(b'{"a":[1,2]}')), st.text(min_size=1)),
    st.just(OpaqueBlock(type="x", raw=Raw(b'{"type":"x","y":1}'))),
)


@given(st.lists(BLOCKS, max_size=5))
def test_what_is_told_in_chunks_is_the_same_reply(blocks):
    whole = Reply(
        id="m", model="c", content=tuple(blocks), stop_reason="end_turn", usage=Usage(input=3, output=2, reasoning=1)
    )
    assembler = Assembler()
    chunks = replay(whole)
    for chunk in chunks:
        assembler.add(chunk)
    assert assembler.reply() == whole
    assert all(len(chunk.text) <= MAX_CHARS for chunk in chunks if isinstance(chunk, TextDelta))
