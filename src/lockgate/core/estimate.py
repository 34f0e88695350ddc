"""Our own count of a call's input tokens, for targets that cannot count and for clients that need a number early.

Never zero and never an error, but only an estimate: text counts a token per four bytes, an image by its size.
Source: Anthropic integration specification, section 6.1.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from math import ceil

from lockgate.core.chat import (
    Base64Source,
    Block,
    Call,
    DocumentBlock,
    FunctionTool,
    ImageBlock,
    NativeTool,
    OpaqueBlock,
    RedactedThinkingBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)

_BYTES_PER_TOKEN = 4
_PER_MESSAGE = 4
_BASE = 3
_TOOLS_PREAMBLE = 346
_IMAGE_MAX = 1600
_PIXELS_PER_TOKEN = 750
_PDF_PER_PAGE = 2000
_PDF_PAGE_BYTES = 60_000
_PNG_HEAD = 24
_HEAD_BASE64 = 64


def estimate_tokens(call: Call) -> int:
    """Estimate the input tokens of a call."""
    text_bytes, tokens = _measure(call.system)
    for message in call.messages:
        part_bytes, part_tokens = _measure(message.content)
        text_bytes += part_bytes
        tokens += part_tokens + _PER_MESSAGE
    for tool in call.tools:
        text_bytes += _tool_bytes(tool)
    if call.tools:
        tokens += _TOOLS_PREAMBLE
    return ceil(text_bytes / _BYTES_PER_TOKEN) + tokens + _BASE


def _measure(blocks: Iterable[Block]) -> tuple[int, int]:
    """Return bytes of text, and tokens of what is not text."""
    text_bytes = tokens = 0
    for block in blocks:
        match block:
            case TextBlock(text=text) | ThinkingBlock(text=text):
                text_bytes += len(text.encode())
            case ImageBlock(source=source):
                tokens += _image_tokens(source.data) if isinstance(source, Base64Source) else _IMAGE_MAX
            case DocumentBlock(source=TextSource(text=text)):
                text_bytes += len(text.encode())
            case DocumentBlock(source=source):
                tokens += _pdf_tokens(source.data) if isinstance(source, Base64Source) else _PDF_PER_PAGE
            case ToolUseBlock(name=name, input=raw):
                text_bytes += len(name.encode()) + len(bytes(raw))
            case ToolResultBlock(content=str() as text):
                text_bytes += len(text.encode())
            case ToolResultBlock(content=tuple() as inner):
                more_bytes, more_tokens = _measure(inner)
                text_bytes += more_bytes
                tokens += more_tokens
            case OpaqueBlock(raw=raw):
                text_bytes += len(bytes(raw))
            case RedactedThinkingBlock(data=data):
                text_bytes += len(data)
            case _:
                pass
    return text_bytes, tokens


def _tool_bytes(tool: FunctionTool | NativeTool) -> int:
    if isinstance(tool, NativeTool):
        return len(bytes(tool.raw))
    schema = bytes(tool.schema) if tool.schema is not None else b""
    return len(tool.name.encode()) + len((tool.description or "").encode()) + len(schema)


def _image_tokens(data: str) -> int:
    """Read width and height from a PNG's head; other formats count as a full image."""
    try:
        head = base64.b64decode(data[:_HEAD_BASE64])
    except (binascii.Error, ValueError):
        return _IMAGE_MAX
    if len(head) < _PNG_HEAD or not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _IMAGE_MAX
    width, height = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    return max(1, min(_IMAGE_MAX, ceil(width * height / _PIXELS_PER_TOKEN)))


def _pdf_tokens(data: str) -> int:
    return _PDF_PER_PAGE * max(1, ceil(len(data) * 3 / 4 / _PDF_PAGE_BYTES))
