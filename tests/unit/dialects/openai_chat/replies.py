"""Replies for the tests beside this file, each whole and as the stream that a provider would have sent."""

from __future__ import annotations

from lockgate.core.chat import (
    Block,
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
    Chunk,
    CitationDelta,
    Done,
    Finish,
    InputDelta,
    OpaqueDelta,
    Ping,
    SignatureDelta,
    Start,
    TextDelta,
    ThinkingDelta,
)
from lockgate.core.json_text import EMPTY_OBJECT
from tests.unit.dialects.openai_chat.samples import raw

CITATION = {"type": "web_search_result_location", "url": "https://e.org/g", "title": "G", "encrypted_index": "Eo8B"}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "height"}}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [{"type": "web_search_result", "url": "https://e.org/g", "title": "G", "encrypted_content": "Eo8C"}],
}
USAGE = Usage(input=520, output=61, cache_read=7, cache_write=4, reasoning=5)


def opaque(block) -> OpaqueBlock:
    return OpaqueBlock(type=block["type"], raw=raw(block))


def text(words, *citations) -> TextBlock:
    return TextBlock(text=words, citations=raw(list(citations)) if citations else None)


def use(call_id="toolu_01", name="get_weather", found=None) -> ToolUseBlock:
    return ToolUseBlock(id=call_id, name=name, input=raw({"city": "Oslo"} if found is None else found))


def reply(*content: Block, stop="end_turn", usage=USAGE, **fields) -> Reply:
    return Reply(id="msg_1", model="claude-x", content=content, stop_reason=stop, usage=usage, **fields)


THINKING = ThinkingBlock(text="I need\u2028the forecast.", signature="EqQB")

REPLIES = {
    "text": reply(text("Hello 🌍")),
    "two texts": reply(text("Hello "), text("again")),
    "nothing": reply(),
    "thinking, then a call": reply(THINKING, use(), stop="tool_use"),
    "thinking without words": reply(ThinkingBlock(text="", signature="EuYB"), text("x")),
    "redacted thinking": reply(RedactedThinkingBlock(data="enc"), text("x")),
    "search with citations": reply(
        text("I will check. "), opaque(SEARCH), opaque(FOUND), text("It is 2,469 m.", CITATION, CITATION)
    ),
    "two calls": reply(use("a"), use("b", "other", {"n": 1}), stop="tool_use"),
    "a call without input": reply(use("a", found={}), stop="tool_use"),
    "calls among thinking": reply(
        THINKING, use("a"), text("then"), ThinkingBlock(text="more", signature="s2"), use("b"), stop="tool_use"
    ),
    "a pause": reply(opaque(SEARCH), stop="pause_turn"),
    "cut off": reply(text("to be cont"), stop="max_tokens"),
}


def stream_of(whole: Reply) -> list[Chunk]:
    """Return the chunks that a provider of Anthropic's dialect would have sent, with a ping among them."""
    chunks: list[Chunk] = [Start(whole.id, whole.model, Usage(input=whole.usage.input, output=1)), Ping()]
    for index, block in enumerate(whole.content):
        chunks += [*_block(index, block), BlockStop(index)]
    finish = Finish(whole.stop_reason, whole.stop_sequence, whole.usage, whole.extra)
    return [*chunks, finish, Done()]


def _block(index: int, block: Block) -> list[Chunk]:
    match block:
        case TextBlock():
            cited = [CitationDelta(index, raw(CITATION))] * (2 if block.citations else 0)
            halves = [TextDelta(index, part) for part in (block.text[:3], block.text[3:])]
            return [BlockStart(index, TextBlock(text="")), *halves, *cited]
        case ThinkingBlock():
            start = BlockStart(index, ThinkingBlock(text="", signature=""))
            return [start, ThinkingDelta(index, block.text), SignatureDelta(index, block.signature or "")]
        case ToolUseBlock():
            start = BlockStart(index, ToolUseBlock(id=block.id, name=block.name, input=EMPTY_OBJECT))
            found = "" if block.input == EMPTY_OBJECT else bytes(block.input).decode()
            return [start, *(InputDelta(index, part) for part in ("", found[:5], found[5:]))]
        case OpaqueBlock(type="server_tool_use"):
            start = BlockStart(index, opaque({**SEARCH, "input": {}}))
            delta = {"type": "input_json_delta", "partial_json": '{"query":"height"}'}
            return [start, OpaqueDelta(index, "input_json_delta", raw(delta))]
        case _:
            return [BlockStart(index, block)]
