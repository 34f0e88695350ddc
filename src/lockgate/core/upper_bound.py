"""The most input tokens that a request body can be charged for, seen from its bytes.

Why it holds. Every tokenizer in use works on bytes of UTF-8, and a token covers one byte at least; so text has no more
tokens than bytes. JSON only makes text longer: quotes, keys and escapes are bytes that no tokenizer sees, and they pay
for what providers put around messages. What that does not cover is added: the frame of a prompt, what tools bring, and
media, which are taken out of the count by their place in the structure, never by how a text looks.

Where it does not hold. Input that is not in the body (stored files, threads, remote tools, documents by URL) counts as
``UNKNOWN_INPUT``, so the model's window bounds it. What a provider's own tools find is for the caller to add. A
document's pages are bounded by its size, which compression can beat.

Cost: a pass or two over the bytes at the speed of ``bytes.find``; only messages with media are decoded.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from lockgate.core.body import NOTHING, Peek

UNKNOWN_INPUT = 2_000_000
"""The largest window of any model that we know; what cannot be bounded counts as much."""

_FRAME = 512
_TOOLS_FRAME = 1_024
_NATIVE_TOOL = 1_536
_BYTES_PER_AUDIO_TOKEN = 32
_NOTHING = Raw(b"")
_TYPE = b'"type"'
_SIGN = re.compile(rb'\s*:\s*"(?:image|document|input_|file|video|container_upload|\\)')
"""What follows ``"type"`` in a block that is not text: in any spelling, so an escape counts as one too."""
_NATIVE = re.compile(rb'"type"\s*:\s*"[a-z_]+_20\d{6}"')


class MediaLimits(Struct, frozen=True, kw_only=True):
    """Most tokens of one image."""

    image: int


CLAUDE_MEDIA = MediaLimits(image=5_000)
"""4,784 for the largest image of the newest models. Source: Anthropic, "Vision", read 2026-11-28."""
ANY_MEDIA = MediaLimits(image=50_000)
"""48,169 for an image of eight tiles on gpt-4o-mini. Source: OpenAI, "Images and vision", read 2026-11-28."""


class _Message(Struct):
    content: Raw = _NOTHING


class _Source(Struct):
    type: str | None = None
    media_type: str | None = None
    data: Raw = _NOTHING
    content: Raw = _NOTHING


class _Url(Struct):
    url: Raw = _NOTHING


class _Audio(Struct):
    data: Raw = _NOTHING


class _File(Struct):
    file_data: Raw = _NOTHING


class _Block(Struct):
    type: str | None = None
    source: Raw = _NOTHING
    content: Raw = _NOTHING
    image_url: Raw = _NOTHING
    input_audio: Raw = _NOTHING
    file: Raw = _NOTHING


_read_messages = msgspec.json.Decoder(list[_Message]).decode
_read_blocks = msgspec.json.Decoder(list[_Block]).decode
_read_source = msgspec.json.Decoder(_Source).decode
_read_url = msgspec.json.Decoder(_Url).decode
_read_audio = msgspec.json.Decoder(_Audio).decode
_read_file = msgspec.json.Decoder(_File).decode


def upper_bound_tokens(body: bytes, seen: Peek, media: MediaLimits = ANY_MEDIA) -> int:
    """Return the most input tokens of a chat or Messages body, cache parts included. ``body`` is valid JSON."""
    escapes = body.count(b"\\u") if b"\\" in body else 0
    tokens = len(body) + _FRAME
    if escapes:
        tokens -= _saved(body, escapes)
    if seen.tools is not NOTHING:
        tools = bytes(seen.tools)
        tokens += _TOOLS_FRAME
        if b"_20" in tools:
            tokens += _NATIVE_TOOL * len(_NATIVE.findall(tools))
    if (
        _refers(seen.thread)
        or _refers(seen.mcp_servers)
        or _refers(seen.container)
        or _refers(seen.previous_response_id)
    ):
        return tokens + UNKNOWN_INPUT
    messages = bytes(seen.messages)
    if _has_media_type(messages) or (escapes and b"\\u00" in messages):
        return tokens + _media(messages, media)
    return tokens


def _saved(body: bytes, escapes: int) -> int:
    r"""Return bytes that escapes take and text does not. ``\uXXXX`` is six bytes, and at most three as text.

    A backslash before it may be what is escaped, so those do not count.
    """
    return 3 * max(0, escapes - body.count(b"\\\\u"))


def _refers(raw: Raw) -> bool:
    """Tell whether a member is there that refers to input which is not in the body."""
    return raw is not NOTHING and bytes(raw) != b"null"


def _has_media_type(messages: bytes) -> bool:
    """Tell whether the type of some block says media. A key written with escapes is not seen here."""
    at = messages.find(_TYPE)
    while at >= 0:
        if _SIGN.match(messages, at + len(_TYPE)):
            return True
        at = messages.find(_TYPE, at + len(_TYPE))
    return False


def _media(messages: bytes, media: MediaLimits) -> int:
    """Return the tokens of media less the bytes that hold them."""
    try:
        return sum(_content(message.content, media) for message in _read_messages(messages))
    except (msgspec.MsgspecError, RecursionError):
        return UNKNOWN_INPUT


def _content(raw: Raw, media: MediaLimits) -> int:
    text = bytes(raw)
    return sum(_block(block, media) for block in _read_blocks(text)) if text.startswith(b"[") else 0


def _block(block: _Block, media: MediaLimits) -> int:
    match block.type:
        case "image" | "document" if bytes(block.source):
            return _source(_read_source(block.source), block.type, media)
        case "image_url" if bytes(block.image_url):
            return media.image - _data_url(_read_url(block.image_url).url)
        case "input_audio" if bytes(block.input_audio):
            size = len(bytes(_read_audio(block.input_audio).data))
            return size // _BYTES_PER_AUDIO_TOKEN + _FRAME - size
        case "file" if bytes(block.file):
            size = _data_url(_read_file(block.file).file_data)
            return media.image - size // 4 if size else UNKNOWN_INPUT
        case "video_url" | "container_upload" | "input_file":
            return UNKNOWN_INPUT
        case "tool_result":
            return _content(block.content, media)
        case _:
            return 0


def _source(source: _Source, kind: str, media: MediaLimits) -> int:
    size = len(bytes(source.data))
    match source.type:
        case "base64" if kind == "image":
            return media.image - size
        case "base64" if source.media_type == "application/pdf":
            return media.image - size // 4
        case "base64" | "text":
            return 0
        case "content":
            return _content(source.content, media)
        case _:
            return media.image if kind == "image" else UNKNOWN_INPUT


def _data_url(raw: Raw) -> int:
    """Return the size of a data URL, 0 for any other."""
    text = bytes(raw)
    return len(text) if text[:6] in (b'"data:', b'"DATA:') else 0
