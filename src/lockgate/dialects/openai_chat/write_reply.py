"""Writes a whole reply for a chat client."""

from __future__ import annotations

import re

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from lockgate.core.chat import Block, Reply, TextBlock, ToolUseBlock
from lockgate.core.json_text import ABSENT, decode, given, object_keys, text_of, write_json
from lockgate.dialects import View
from lockgate.dialects.openai_chat.blocks import write_block
from lockgate.dialects.openai_chat.vocabulary import finish_reason, write_tier, write_usage
from lockgate.dialects.openai_chat.wire import (
    AnnotationOut,
    ChoiceOut,
    FunctionOut,
    MessageOut,
    ReplyOut,
    ToolCallOut,
    UrlCitationOut,
)

STOP_DETAILS = "stop_details"
KNOWN_KEYS = {STOP_DETAILS, *ReplyOut.__struct_encode_fields__}
_BESIDE_CALL = re.compile(rb'"(?:toolset_name|caller)"')
_WEB_CITATION = "web_search_result_location"


class Citation(Struct):
    """One citation of a text block; the kinds that point into the web have a URL."""

    type: str
    url: str | None = None
    title: str | None = None


_read_citations = msgspec.json.Decoder(list[Citation])


def write_reply(reply: Reply, view: View) -> bytes:
    """Write a whole reply."""
    usage = write_usage(reply.usage, is_strict=view.strict)
    choice = _choice(reply, view)
    wire = ReplyOut(
        id=reply.id or fallback_id(view),
        created=view.created,
        model=reply.model,
        provider=view.provider,
        choices=[choice],
        usage=UNSET if usage is None else usage,
        service_tier=write_tier(reply.usage) or UNSET,
    )
    body = write_json(wire)
    further = {name: value for name, value in reply.extra.items() if name not in KNOWN_KEYS}
    if view.strict or not further:
        return body
    return body[:-1] + b"," + write_json(further)[1:]


def fallback_id(view: View) -> str:
    """Return an id for a reply whose provider gave none."""
    return f"{view.provider}-{view.created * 1000}"


def _choice(reply: Reply, view: View) -> ChoiceOut:
    content = "".join([block.text for block in reply.content if isinstance(block, TextBlock)])
    calls = [write_call_out(block, is_strict=view.strict) for block in reply.content if isinstance(block, ToolUseBlock)]
    has_own_words = view.strict or view.normalizes_finish
    finish = finish_reason(reply.stop_reason, has_tool=bool(calls), is_strict=has_own_words)
    details = reply.extra.get(STOP_DETAILS)
    message = MessageOut(
        content=content,
        refusal=explanation(details) if reply.stop_reason == "refusal" else None,
        tool_calls=calls or UNSET,
        annotations=_annotations(reply.content) or UNSET,
        content_blocks=UNSET if view.strict else content_blocks(reply.content),
        stop_details=UNSET if view.strict or details is None else details,
    )
    shown: str | UnsetType = UNSET
    if not view.strict and reply.stop_sequence is not None:
        shown = reply.stop_sequence
    return ChoiceOut(message=message, finish_reason=finish, stop_sequence=shown)


def write_call_out(block: ToolUseBlock, *, is_strict: bool) -> ToolCallOut:
    """Write one tool call; what Claude says beside it goes along where the client takes more than OpenAI's fields."""
    further = {} if is_strict else beside_call(block)
    return ToolCallOut(
        id=block.id,
        type="function",
        function=FunctionOut(name=block.name, arguments=bytes(block.input).decode()),
        toolset_name=text_of(further.get("toolset_name")) or UNSET,
        caller=further.get("caller", UNSET),
    )


def beside_call(block: ToolUseBlock) -> dict[str, Raw]:
    """Return what a call of Claude's says beside name and input: the toolset it belongs to, and the code that made it.

    Who replays the call without them is refused, or gets other results.
    """
    if block.raw is None or not _BESIDE_CALL.search(bytes(block.raw)):
        return {}
    keys = object_keys(block.raw)
    return {name: keys[name] for name in ("toolset_name", "caller") if given(keys.get(name, ABSENT)) is not None}


def content_blocks(content: tuple[Block, ...]) -> list[Raw]:
    """Return the turn in Anthropic's blocks: without the tool calls, unless another block follows one.

    Thinking is signed against its position, so the order must survive when the calls stand in between.
    """
    seen_call = is_mixed = False
    for block in content:
        if isinstance(block, ToolUseBlock):
            seen_call = True
        elif seen_call:
            is_mixed = True
    return [write_block(block) for block in content if is_mixed or not isinstance(block, ToolUseBlock)]


def explanation(details: Raw | None) -> str | None:
    """Return why the model refused, as far as the provider says it."""
    return None if details is None else text_of(object_keys(details).get("explanation"))


def _annotations(content: tuple[Block, ...]) -> list[AnnotationOut]:
    """Return the web citations; each spans the whole text block that it belongs to."""
    found: list[AnnotationOut] = []
    at = 0
    for block in content:
        if not isinstance(block, TextBlock):
            continue
        end = at + len(block.text)
        if block.citations is not None:
            found.extend(_annotation(cited, at, end) for cited in _web_citations(block.citations))
        at = end
    return found


def _web_citations(raw: Raw) -> list[Citation]:
    try:
        cited: list[Citation] = decode(_read_citations, raw)
    except (ValueError, RecursionError):
        return []
    return [citation for citation in cited if citation.type == _WEB_CITATION and citation.url is not None]


def _annotation(cited: Citation, start: int, end: int) -> AnnotationOut:
    return AnnotationOut(
        url_citation=UrlCitationOut(url=cited.url or "", title=cited.title or "", start_index=start, end_index=end)
    )
