"""One conversation turn as data: a call, its reply and their parts, richer than any single dialect.

Belongs here: what at least one dialect can say about a chat. Does not belong here: how a dialect spells it.
JSON that we carry without understanding stays ``msgspec.Raw``, so its bytes arrive as they came.
Stop reasons and effort levels use Anthropic's words, the larger vocabulary of the two families.
Trees like these hold no cycles, so they say ``gc=False``: the collector need not visit them, request after request.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Raw, Struct

StopReason: TypeAlias = str
"""end_turn, stop_sequence, max_tokens, tool_use, pause_turn, refusal, model_context_window_exceeded, compaction, ..."""

Role: TypeAlias = Literal["user", "assistant", "system"]


class Base64Source(Struct, frozen=True, kw_only=True, gc=False):
    """Bytes inside the request, base64 text without line breaks."""

    media_type: str
    data: str


class UrlSource(Struct, frozen=True, kw_only=True, gc=False):
    """A URL that the provider fetches."""

    url: str


class FileSource(Struct, frozen=True, kw_only=True, gc=False):
    """An id that the provider's file store issued."""

    file_id: str


class TextSource(Struct, frozen=True, kw_only=True, gc=False):
    """A document given as plain text."""

    text: str


Source: TypeAlias = Base64Source | UrlSource | FileSource | TextSource


class TextBlock(Struct, frozen=True, kw_only=True, gc=False):
    """Visible text. ``citations`` is Anthropic's list, ``cache`` a cache_control object."""

    text: str
    citations: Raw | None = None
    cache: Raw | None = None
    raw: Raw | None = None


class ImageBlock(Struct, frozen=True, kw_only=True, gc=False):
    """An image that the user shows."""

    source: Source
    cache: Raw | None = None
    raw: Raw | None = None


class DocumentBlock(Struct, frozen=True, kw_only=True, gc=False):
    """A document: PDF or text. ``citations`` is Anthropic's switch object."""

    source: Source
    title: str | None = None
    context: str | None = None
    citations: Raw | None = None
    cache: Raw | None = None
    raw: Raw | None = None


class ThinkingBlock(Struct, frozen=True, kw_only=True, gc=False):
    """Reasoning text. An empty text with a signature is legal: the host hid the text but signed it."""

    text: str
    signature: str | None = None
    raw: Raw | None = None


class RedactedThinkingBlock(Struct, frozen=True, kw_only=True, gc=False):
    """Reasoning that the host encrypted."""

    data: str
    raw: Raw | None = None


class ToolUseBlock(Struct, frozen=True, kw_only=True, gc=False):
    """The model calls a client's tool. ``input`` is one JSON object, byte for byte as it came."""

    id: str
    name: str
    input: Raw
    cache: Raw | None = None
    raw: Raw | None = None


class ToolResultBlock(Struct, frozen=True, kw_only=True, gc=False):
    """What a client's tool answered. ``content`` is None when there was nothing to say."""

    tool_use_id: str
    content: str | tuple[Block, ...] | None = None
    is_error: bool = False
    cache: Raw | None = None
    raw: Raw | None = None


class OpaqueBlock(Struct, frozen=True, kw_only=True, gc=False):
    """A block of a dialect that the others do not know (server tool results, compaction ...), carried whole."""

    type: str
    raw: Raw


Block: TypeAlias = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ToolResultBlock
    | OpaqueBlock
)


class Message(Struct, frozen=True, kw_only=True, gc=False):
    """One turn. A ``system`` role inside the conversation is legal here; writers place or hoist it."""

    role: Role
    content: tuple[Block, ...]


class FunctionTool(Struct, frozen=True, kw_only=True, gc=False):
    """A tool that the client runs. ``schema`` is the JSON schema of its input, whole and in its own key order."""

    name: str
    description: str | None = None
    schema: Raw | None = None
    strict: bool | None = None
    cache: Raw | None = None
    options: dict[str, Raw] = {}
    """Further keys of Anthropic's tool object: defer_loading, allowed_callers, input_examples, ..."""


class NativeTool(Struct, frozen=True, kw_only=True, gc=False):
    """A tool that only one dialect knows (web search, computer use, MCP toolset ...), carried whole."""

    type: str
    name: str | None
    raw: Raw


Tool: TypeAlias = FunctionTool | NativeTool


class ToolChoice(Struct, frozen=True, kw_only=True, gc=False):
    """Which tool the model may or must call. ``name`` goes with mode ``tool`` alone."""

    mode: Literal["auto", "any", "tool", "none"] | None = None
    name: str | None = None
    parallel: bool | None = None
    raw: Raw | None = None
    """Anthropic's own object, when the client wrote it so."""


class OutputFormat(Struct, frozen=True, kw_only=True, gc=False):
    """How the answer must look: any JSON object, or JSON by a schema."""

    kind: Literal["json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema: Raw | None = None
    strict: bool | None = None


class Call(Struct, frozen=True, kw_only=True, gc=False):
    """A request for the next assistant turn.

    ``native`` holds top-level fields of Anthropic's API that have no counterpart elsewhere, by their wire name.
    ``unknown`` names fields, by their path, that the reading dialect does not know or cannot carry: they are lost to
    every other dialect, and the record says so.
    """

    model: str
    messages: tuple[Message, ...]
    system: tuple[Block, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    thinking: Raw | None = None
    effort: str | None = None
    """none, minimal, low, medium, high, xhigh or max; as the client asked, before any model's limits."""
    output: OutputFormat | None = None
    user: str | None = None
    service_tier: str | None = None
    betas: tuple[str, ...] = ()
    api_version: str | None = None
    native: dict[str, Raw] = {}
    unknown: tuple[str, ...] = ()


class Usage(Struct, frozen=True, kw_only=True, gc=False):
    """Tokens in disjoint parts: the prompt is input + cache_read + cache_write; reasoning is part of output.

    ``cache_write_1h`` is the part of cache_write with a one-hour life; ``input_audio`` and ``output_audio`` are parts
    of input and output. None means that the provider did not say.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    input_audio: int | None = None
    output_audio: int | None = None
    service_tier: str | None = None
    extra: dict[str, Raw] = {}
    """Further keys of Anthropic's usage object (server_tool_use, iterations, inference_geo, speed ...)."""


class Reply(Struct, frozen=True, kw_only=True, gc=False):
    """A complete assistant turn. ``extra`` holds further top-level keys of the provider, by their wire name."""

    id: str
    model: str
    content: tuple[Block, ...]
    stop_reason: StopReason | None
    stop_sequence: str | None = None
    usage: Usage = Usage()
    extra: dict[str, Raw] = {}
    dropped: tuple[str, ...] = ()
    """What the provider's answer held that this form has no place for, by its path in the provider's dialect."""
