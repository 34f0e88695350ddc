import base64
import struct

import pytest
from msgspec import Raw

from lockgate.core.chat import (
    Base64Source,
    Call,
    DocumentBlock,
    FunctionTool,
    ImageBlock,
    Message,
    OpaqueBlock,
    TextBlock,
    TextSource,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from lockgate.core.estimate import estimate_tokens


def call(*blocks, tools=()):
    return Call(model="m", messages=(Message(role="user", content=blocks),), tools=tools)


def png(width, height):
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height)
    return Base64Source(media_type="image/png", data=base64.b64encode(head + bytes(40)).decode())


@pytest.mark.parametrize(
    "blocks, expected",
    [
        ((), 7),
        ((TextBlock(text="x" * 400),), 107),
        ((TextBlock(text="é" * 200),), 107),
        ((ImageBlock(source=png(300, 250)),), 107),
        ((ImageBlock(source=png(9000, 9000)),), 1607),
        ((ImageBlock(source=UrlSource(url="https://x.example/a.png")),), 1607),
        ((ImageBlock(source=Base64Source(media_type="image/png", data="!!")),), 1607),
        ((DocumentBlock(source=TextSource(text="y" * 40)),), 17),
        ((DocumentBlock(source=Base64Source(media_type="application/pdf", data="A" * 100)),), 2007),
        ((ToolUseBlock(id="t", name="abcd", input=Raw(b"{}")),), 9),
        ((ToolResultBlock(tool_use_id="t", content="z" * 8),), 9),
        ((ToolResultBlock(tool_use_id="t", content=(TextBlock(text="z" * 8),)),), 9),
        ((OpaqueBlock(type="x", raw=Raw(b"12345678")),), 9),
    ],
)
def test_each_part_counts(blocks, expected):
    assert estimate_tokens(call(*blocks)) == expected


def test_tools_count_with_their_preamble():
    tool = FunctionTool(name="abcd", schema=Raw(b'{"a":1}.'))
    assert estimate_tokens(call(tools=(tool,))) == 7 + 3 + 346
