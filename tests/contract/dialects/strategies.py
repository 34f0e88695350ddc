"""Hypothesis strategies for calls and replies within a dialect's limits, and what comparing them takes."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st
from msgspec import Raw, structs

from lockgate.core.chat import (
    Base64Source,
    Call,
    FileSource,
    FunctionTool,
    ImageBlock,
    Message,
    OpaqueBlock,
    RedactedThinkingBlock,
    Reply,
    TextBlock,
    ThinkingBlock,
    ToolChoice,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
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
    SignatureDelta,
    Start,
    TextDelta,
    ThinkingDelta,
)

CHARACTERS = st.characters(exclude_categories=["Cs"])
# Sampled where the choice hardly matters: regular expressions and deep recursion are slow to draw from.
AWKWARD = [
    "grüße",
    "a\u2028b",
    "\U0001f600",
    'quote " and \\ back',
    "data: x\n\nevent: y",
    "message_stop",
    "{",
    "[DONE]",
]
TEXT = st.sampled_from(AWKWARD) | st.text(CHARACTERS, min_size=1, max_size=8).filter(lambda text: not text.isspace())
WORD = st.sampled_from(["a", "look", "get_weather", "x9", "q_1", "m", "user_7", "zz_top", "find"])
COUNT = st.sampled_from([0, 1, 7, 2048]) | st.integers(0, 10**9)
JSON = st.sampled_from([None, True, -7, "", "é", [], {}, [1, {"a": "}"}], {"k": [None, "\u2028"]}, 'a"b'])
INPUT = st.dictionaries(WORD, JSON, max_size=2).map(lambda value: Raw(msgspec.json.encode(value)))
MARK = st.sampled_from([Raw(b'{"type":"ephemeral"}'), Raw(b'{"type":"ephemeral","ttl":"1h"}')])


def optional(strategy):
    return st.none() | strategy


def opaque_blocks():
    kind = st.sampled_from(["web_search_tool_result", "compaction", "of_tomorrow"])
    return st.builds(
        lambda kind, value: OpaqueBlock(type=kind, raw=Raw(msgspec.json.encode({"type": kind, "content": value}))),
        kind,
        JSON,
    )


def thinking_blocks():
    return st.builds(lambda text, seal: ThinkingBlock(text=text, signature=seal), st.just("") | TEXT, WORD)


# ---- replies


@st.composite
def usages(draw, limits):
    written = draw(COUNT) if limits.has_cache_writes else None
    return Usage(
        input=draw(COUNT),
        output=draw(COUNT),
        cache_read=draw(COUNT),
        cache_write=written,
        cache_write_1h=draw(optional(st.integers(0, written or 0))) if limits.has_one_hour_writes else None,
        reasoning=draw(optional(COUNT)),
        service_tier=draw(st.sampled_from([None, "standard", "priority"])),
    )


@st.composite
def reply_blocks(draw, limits, number):
    kinds = {
        "text": st.builds(lambda text: TextBlock(text=text), TEXT),
        "thinking": thinking_blocks(),
        "redacted": st.builds(lambda data: RedactedThinkingBlock(data=data), WORD),
        "tool": st.builds(lambda name, found: ToolUseBlock(id=f"toolu_{number}", name=name, input=found), WORD, INPUT),
        "opaque": opaque_blocks(),
    }
    return draw(kinds[draw(st.sampled_from(sorted(limits.reply_blocks)))])


@st.composite
def replies(draw, limits):
    content = [draw(reply_blocks(limits, number)) for number in range(draw(st.integers(0, 5)))]
    if limits.is_text_one_block:
        texts = [block for block in content if isinstance(block, TextBlock)][:1]
        content = texts + [block for block in content if not isinstance(block, TextBlock)]
    has_tool = any(isinstance(block, ToolUseBlock) for block in content)
    reason = "tool_use" if has_tool else draw(st.sampled_from(limits.stop_reasons))
    return Reply(
        id="msg_" + draw(WORD),
        model=draw(WORD),
        content=tuple(content),
        stop_reason=reason,
        stop_sequence=draw(TEXT) if limits.has_stop_sequence and reason == "stop_sequence" else None,
        usage=draw(usages(limits)),
    )


def pieces(draw, text):
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    edges = [0, *cuts, len(text)]
    return [text[start:end] for start, end in zip(edges, edges[1:], strict=False) if start < end]


@st.composite
def chunk_lists(draw, reply):
    """Say a reply in chunks, cut anywhere."""
    chunks: list[Chunk] = [Start(reply.id, reply.model)]
    for index, block in enumerate(reply.content):
        match block:
            case TextBlock():
                start = BlockStart(index, TextBlock(text=""))
                deltas: list[Chunk] = [TextDelta(index, part) for part in pieces(draw, block.text)]
                deltas += [
                    CitationDelta(index, raw) for raw in msgspec.json.decode(block.citations or b"[]", type=list[Raw])
                ]
            case ThinkingBlock():
                start = BlockStart(index, ThinkingBlock(text=""))
                deltas = [ThinkingDelta(index, part) for part in pieces(draw, block.text)]
                deltas += [SignatureDelta(index, block.signature)] if block.signature else []
            case ToolUseBlock():
                start = BlockStart(index, structs.replace(block, input=Raw(b"{}")))
                deltas = [InputDelta(index, part) for part in pieces(draw, bytes(block.input).decode())]
            case _:
                start, deltas = BlockStart(index, block), []
        chunks += [start, *deltas, BlockStop(index)]
    return [*chunks, Finish(reply.stop_reason, reply.stop_sequence, reply.usage), Done()]


# ---- calls


@st.composite
def calls(draw, limits):
    tools = draw(st.lists(WORD, max_size=3, unique=True)) if limits.has_tools else []
    samplers = draw(st.sampled_from([(False, False), (True, False), (False, True), (True, True)]))
    if samplers == (True, True) and not limits.has_both_samplers:
        samplers = (True, False)
    stream = draw(st.booleans())
    limit = st.integers(1, 10**6)
    return Call(
        model=draw(WORD),
        messages=draw(conversations(limits)),
        system=tuple(draw(st.lists(texts(limits), max_size=limits.max_system_blocks))),
        max_tokens=draw(limit if limits.needs_max_tokens else optional(limit)),
        temperature=draw(st.sampled_from([0.0, 0.5, 1.0])) if samplers[0] else None,
        top_p=draw(st.sampled_from([0.0, 0.5, 1.0])) if samplers[1] else None,
        top_k=draw(optional(st.integers(1, 500))) if limits.has_top_k else None,
        stop=tuple(draw(st.lists(TEXT, max_size=limits.max_stops))),
        stream=stream,
        include_usage=stream,
        tools=tuple(draw(function_tools(name, limits)) for name in tools),
        tool_choice=draw(optional(choices(tools))) if tools else None,
        user=draw(optional(WORD)),
    )


def texts(limits):
    marks = optional(MARK) if limits.has_cache_marks else st.none()
    return st.builds(lambda text, mark: TextBlock(text=text, cache=mark), TEXT, marks)


@st.composite
def function_tools(draw, name, limits):
    schema = {"type": "object", "properties": draw(st.dictionaries(WORD, st.just({"type": "string"}), max_size=2))}
    return FunctionTool(
        name=name,
        description=draw(optional(TEXT)),
        schema=Raw(msgspec.json.encode(schema)),
        cache=draw(optional(MARK)) if limits.has_cache_marks else None,
    )


@st.composite
def choices(draw, names):
    mode = draw(st.sampled_from(["auto", "any", "tool", "none"]))
    return ToolChoice(
        mode=mode,
        name=draw(st.sampled_from(names)) if mode == "tool" else None,
        parallel=None if mode == "none" else draw(st.sampled_from([None, False])),
    )


@st.composite
def conversations(draw, limits):
    """Turns that alternate and end with the user; each tool call is answered in the turn behind it, in order."""
    messages = [Message(role="user", content=tuple(draw(user_blocks(limits))))]
    number = 0
    for _ in range(draw(st.integers(0, 3))):
        blocks = [*draw(assistant_blocks(limits)), draw(texts(limits))]
        used = []
        if "tool" in limits.turn_blocks:
            for _ in range(draw(st.integers(0, 2))):
                number += 1
                used.append(ToolUseBlock(id=f"toolu_{number}", name=draw(WORD), input=draw(INPUT)))
        results = [draw(tool_results(block.id)) for block in used]
        messages.append(Message(role="assistant", content=(*blocks, *used)))
        messages.append(Message(role="user", content=(*results, *draw(user_blocks(limits)))))
    return tuple(messages)


def assistant_blocks(limits):
    kinds = {
        "thinking": thinking_blocks(),
        "redacted": st.builds(lambda data: RedactedThinkingBlock(data=data), WORD),
        "opaque": opaque_blocks(),
    }
    allowed = [kinds[name] for name in sorted(limits.turn_blocks & kinds.keys())]
    return st.lists(st.one_of(allowed), max_size=2) if allowed else st.just([])


@st.composite
def tool_results(draw, call_id):
    return ToolResultBlock(tool_use_id=call_id, content=draw(TEXT))


@st.composite
def user_blocks(draw, limits):
    sources = [
        st.just(Base64Source(media_type="image/png", data="iVBORw0KGgo=")),
        st.just(UrlSource(url="https://images.example/a.png")),
    ]
    if limits.has_file_ids:
        sources.append(st.builds(lambda name: FileSource(file_id=f"file_{name}"), WORD))
    images = st.builds(lambda source: ImageBlock(source=source), st.one_of(sources))
    return [*draw(st.lists(images, max_size=1)), draw(texts(limits))]


# ---- comparing


def bare(value):
    """Return a value without the bytes it came in: those may be there or not. Opaque blocks are nothing but bytes."""
    if isinstance(value, OpaqueBlock):
        return (value.type, msgspec.json.decode(value.raw))
    if isinstance(value, tuple):
        return tuple(bare(item) for item in value)
    if not isinstance(value, msgspec.Struct):
        return value
    return (
        type(value).__name__,
        {name: bare(getattr(value, name)) for name in value.__struct_fields__ if name != "raw"},
    )


def merged(call):
    """Return a call whose neighbouring turns of one role are one turn: dialects may split them."""
    turns = []
    for message in call.messages:
        if turns and turns[-1].role == message.role:
            turns[-1] = Message(role=message.role, content=(*turns[-1].content, *message.content))
        else:
            turns.append(message)
    return structs.replace(call, messages=tuple(turns))
