"""Names what a client wrote inside messages, tools and options and that nobody knows: it goes nowhere, and is said.

Belongs here: which keys each object of a call may have. A whole body is looked into only where others were met.
Anthropic's own blocks and tools are carried whole and are not looked into.
"""

from __future__ import annotations

from lockgate.core.json_text import ABSENT, object_keys
from lockgate.core.shapes import AnyShape, Shape, name_lost, shape_of
from lockgate.dialects.openai_chat.parts import FileIn, FilePart, ImagePart, ImageUrl, TextPart
from lockgate.dialects.openai_chat.tools import LOCATION_KEYS, SEARCH_KEYS
from lockgate.dialects.openai_chat.wire import (
    CallIn,
    FormatIn,
    FunctionCall,
    FunctionIn,
    JsonSchemaIn,
    MessageIn,
    ReasoningIn,
    StreamOptions,
    ToolCall,
    ToolIn,
)

_TEXT = shape_of(TextPart)
_PARTS = {
    "text": _TEXT,
    "refusal": _TEXT,
    "image_url": shape_of(ImagePart, below={"image_url": shape_of(ImageUrl)}),
    "file": shape_of(FilePart, below={"file": shape_of(FileIn)}),
}
_FUNCTION_CALL = shape_of(FunctionCall)
_NAME = Shape(frozenset({"type", "name"}))
_LOCATION = frozenset({"type", *LOCATION_KEYS})
_SEARCH = Shape(
    frozenset({"type", "name", "web_search", *SEARCH_KEYS}),
    {
        "user_location": Shape(_LOCATION, {"approximate": Shape(_LOCATION)}),
        "filters": Shape(frozenset({"allowed_domains"})),
    },
)
_OPTIONS: dict[str, AnyShape] = {
    "response_format": shape_of(FormatIn, below={"json_schema": shape_of(JsonSchemaIn)}),
    "web_search_options": _SEARCH,
    "tool_choice": {
        "function": Shape(frozenset({"type"}), {"function": _NAME}),
        "allowed_tools": Shape(
            frozenset({"type"}),
            {
                "allowed_tools": Shape(
                    frozenset({"mode"}), {"tools": Shape(frozenset({"type", "name"}), {"function": _NAME})}
                )
            },
        ),
    },
}
"""Fields of a call that are decoded apart from it."""
_CALL = Shape(
    frozenset(),
    {
        "messages": shape_of(
            MessageIn,
            below={
                "content": _PARTS,
                "tool_calls": shape_of(ToolCall, below={"function": _FUNCTION_CALL}),
                "function_call": _FUNCTION_CALL,
            },
        ),
        "tools": {
            "function": shape_of(ToolIn, FunctionIn, below={"function": shape_of(FunctionIn)}),
            "web_search": _SEARCH,
            "web_search_preview": _SEARCH,
        },
        "functions": shape_of(FunctionIn),
        "stream_options": shape_of(StreamOptions),
        "reasoning": shape_of(ReasoningIn),
        **_OPTIONS,
    },
)


def leftovers(body: bytes) -> list[str]:
    """Return the paths, without places in lists, of keys below the call's own that are not known, each once."""
    found: dict[str, None] = {}
    for name, value in object_keys(body).items():
        if name in _CALL.below:
            name_lost(value, _CALL.below[name], name, found, has_places=False)
    return list(found)


def option_leftovers(wire: CallIn) -> list[str]:
    """Return the same for the fields that are decoded apart, of a call that has no other keys elsewhere."""
    found: dict[str, None] = {}
    for name, shape in _OPTIONS.items():
        value = getattr(wire, name)
        if value is not ABSENT:
            name_lost(value, shape, name, found, has_places=False)
    return list(found)
