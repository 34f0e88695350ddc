"""The canonical stream: what a reply is made of while it arrives.

Blocks are strictly sequential: BlockStart(i), deltas of i, BlockStop(i), then i + 1. Readers of dialects that
interleave (OpenAI's parallel tool calls) put them in order. ``Start`` comes once and first, ``Finish`` once and
last but for ``Done``; ``Usage`` values are cumulative: a later value replaces an earlier one.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Raw, Struct

from lockgate.core.chat import Block, StopReason, Usage


class Start(Struct, frozen=True, gc=False):
    """The reply begins."""

    id: str
    model: str
    usage: Usage = Usage()


class BlockStart(Struct, frozen=True, gc=False):
    """Block ``index`` begins; a ToolUseBlock begins with input ``{}``, text and thinking usually empty."""

    index: int
    block: Block


class TextDelta(Struct, frozen=True, gc=False):
    """More visible text of block ``index``."""

    index: int
    text: str


class ThinkingDelta(Struct, frozen=True, gc=False):
    """More reasoning text of block ``index``."""

    index: int
    text: str


class SignatureDelta(Struct, frozen=True, gc=False):
    """The signature of thinking block ``index``."""

    index: int
    signature: str


class InputDelta(Struct, frozen=True, gc=False):
    """More JSON text of a tool's input; fragments are opaque and may never form valid JSON."""

    index: int
    fragment: str


class CitationDelta(Struct, frozen=True, gc=False):
    """One more citation of text block ``index``, as Anthropic's JSON object."""

    index: int
    citation: Raw


class OpaqueDelta(Struct, frozen=True, gc=False):
    """A delta that only the provider's dialect knows, carried whole."""

    index: int
    type: str
    raw: Raw


class BlockStop(Struct, frozen=True, gc=False):
    """Block ``index`` is complete."""

    index: int


class Finish(Struct, frozen=True, gc=False):
    """Why the model stopped, with the final usage. ``extra``: further keys of the closing event, by wire name."""

    reason: StopReason | None
    stop_sequence: str | None = None
    usage: Usage = Usage()
    extra: dict[str, Raw] = {}


class Done(Struct, frozen=True, gc=False):
    """The provider's own end marker arrived: the stream is complete."""


class Ping(Struct, frozen=True, gc=False):
    """A sign of life without content."""


class StreamError(Struct, frozen=True, gc=False):
    """The provider reported an error inside the stream; nothing follows it."""

    kind: str
    message: str
    code: str | None = None


Chunk: TypeAlias = (
    Start
    | BlockStart
    | TextDelta
    | ThinkingDelta
    | SignatureDelta
    | InputDelta
    | CitationDelta
    | OpaqueDelta
    | BlockStop
    | Finish
    | Done
    | Ping
    | StreamError
)
