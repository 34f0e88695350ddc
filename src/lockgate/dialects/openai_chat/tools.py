"""Tools and the choice among them, in every form that chat clients use, read into canonical tools.

OpenAI's functions, Portkey's nested form of Anthropic's tools, Anthropic's own objects, OpenAI's web search.
Versions of Anthropic's tools are never checked against a list: only a missing one is filled in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from lockgate.core.chat import FunctionTool, NativeTool, Tool, ToolChoice
from lockgate.core.json_text import (
    ABSENT,
    REQUIRED,
    below,
    decode_input,
    given,
    list_decoder,
    object_keys,
    text_decoder,
    text_of,
    write_json,
)
from lockgate.dialects.openai_chat.markers import Markers
from lockgate.dialects.openai_chat.wire import CallIn, FunctionIn, ToolIn, read_tools
from lockgate.errors import InvalidRequest

DEFAULT_VERSIONS = {
    "web_search": "web_search_20250305",
    "web_search_preview": "web_search_20250305",
    "web_fetch": "web_fetch_20250910",
    "code_execution": "code_execution_20250825",
    "computer": "computer_20250124",
    "bash": "bash_20250124",
    "text_editor": "text_editor_20250728",
    "str_replace_based_edit_tool": "text_editor_20250728",
    "str_replace_editor": "text_editor_20250124",
    "memory": "memory_20250818",
    "tool_search_tool_regex": "tool_search_tool_regex_20251119",
    "tool_search_tool_bm25": "tool_search_tool_bm25_20251119",
    "advisor": "advisor_20260301",
}
"""Anthropic's tools by the name that clients use without a version. Source: Anthropic Python SDK 2.12.0."""

_OLD_EDITORS = frozenset({"text_editor_20241022", "text_editor_20250124"})
_EDITOR = re.compile(r"text_editor_\d{8}")
_TOOLSET = re.compile(r"\w+_toolset_\d{8}")
_DATED = re.compile(r"_\d{8}$")
_OPTIONS = ("defer_loading", "allowed_callers", "input_examples", "eager_input_streaming")
_INNER = {"function": "function.name", "tool": "name", "custom": "name", "allowed_tools": "allowed_tools"}
SEARCH_KEYS = ("user_location", "max_uses", "allowed_domains", "blocked_domains", "cache_control")
LOCATION_KEYS = ("city", "country", "region", "timezone")


class NativeFunction(Struct):
    """Anthropic's form of a function tool."""

    name: str
    description: str | None = None
    input_schema: Raw = ABSENT
    strict: bool | None = None
    cache_control: Raw = ABSENT


class Named(Struct):
    """An object with a name."""

    name: str


class AllowedTool(Struct):
    """One tool of ``allowed_tools``."""

    type: str | None = None
    name: str | None = None
    function: Named | None = None


class AllowedTools(Struct):
    """``allowed_tools`` of a tool choice."""

    mode: str
    tools: list[AllowedTool]


class ChoiceIn(Struct):
    """A tool choice written as an object, OpenAI's or Anthropic's."""

    type: str
    name: str | None = None
    function: Named | None = None
    allowed_tools: AllowedTools | None = None
    disable_parallel_tool_use: bool | None = None


_read_native_function = msgspec.json.Decoder(NativeFunction)
_read_choice = msgspec.json.Decoder(ChoiceIn)
_read_named = msgspec.json.Decoder(Named)


def read_tool_list(wire: CallIn, body: bytes, markers: Markers) -> list[Tool]:
    """Return a call's tools. ``body`` is the call's bytes: what is not a function is taken from there."""
    found = wire.tools
    single = isinstance(found, ToolIn)
    entries = [found] if isinstance(found, ToolIn) else found or []
    raws: list[Raw] | None = None
    tools: list[Tool] = []
    for at, entry in enumerate(entries):
        path = "tools" if single else f"tools[{at}]"
        try:
            if entry.type == "function" and entry.function is not None:
                tools.append(_inner_function(entry.function, entry, markers))
                continue
            if raws is None:
                raws = _raw_tools(body, single)
            tools.append(_other(raws[at], entry, markers))
        except InvalidRequest as error:
            raise below(error, path) from None
    tools.extend(_legacy(wire.functions or [], markers))
    if wire.web_search_options is not ABSENT and given(wire.web_search_options) is not None:
        _add_web_search(tools, wire.web_search_options)
    return tools


def _raw_tools(body: bytes, single: bool) -> list[Raw]:
    tools = decode_input(read_tools, body).tools
    return [tools] if single else decode_input(list_decoder, tools)


def _legacy(functions: Sequence[FunctionIn], markers: Markers) -> list[Tool]:
    tools: list[Tool] = []
    for at, function in enumerate(functions):
        try:
            tools.append(_function(function, function, markers))
        except InvalidRequest as error:
            raise below(error, f"functions[{at}]") from None
    return tools


def _inner_function(function: FunctionIn, entry: ToolIn, markers: Markers) -> FunctionTool:
    try:
        return _function(function, entry, markers)
    except InvalidRequest as error:
        raise below(error, "function") from None


def _function(function: FunctionIn, entry: ToolIn | FunctionIn, markers: Markers) -> FunctionTool:
    if not function.name:
        raise InvalidRequest("a function needs a name", path="name")
    schema = given(function.parameters)
    if schema is not None and bytes(schema)[:1] != b"{":
        raise InvalidRequest("expected an object", path="parameters")
    options = {
        name: value
        for name in _OPTIONS
        if (value := given(getattr(function, name)) or given(getattr(entry, name))) is not None
    }
    return FunctionTool(
        name=function.name,
        description=function.description,
        schema=schema,
        strict=function.strict,
        cache=markers.take(entry.cache_control, function.cache_control),
        options=options,
    )


def _other(raw: Raw, entry: ToolIn, markers: Markers) -> Tool:
    keys = object_keys(raw)
    kind = entry.type
    if entry.cache_control is not ABSENT:
        markers.take(entry.cache_control)
    if "input_schema" in keys and (kind is None or kind == "custom"):
        return _native_function(raw, keys)
    if kind is None:
        raise InvalidRequest(REQUIRED, path="type")
    if kind == "function" and "name" in keys:
        return _function(decode_input(_read_flat_function, raw), entry, Markers())
    nested = keys.get(kind)
    if nested is not None and bytes(nested)[:1] == b"{" and kind != "custom":
        return _nested(kind, keys, object_keys(nested))
    if _DATED.search(kind) or kind == "mcp_toolset":
        return _native(kind, raw, keys)
    if kind in ("web_search", "web_search_preview"):
        return _web_search(keys)
    if kind in DEFAULT_VERSIONS:
        return _built(kind, {name: value for name, value in keys.items() if name not in ("type", "name")})
    raise InvalidRequest("this tool type is not known", path="type")


_read_flat_function = msgspec.json.Decoder(FunctionIn)


def _native_function(raw: Raw, keys: dict[str, Raw]) -> FunctionTool:
    tool = decode_input(_read_native_function, raw)
    known = {"type", *NativeFunction.__struct_fields__}
    return FunctionTool(
        name=tool.name,
        description=tool.description,
        schema=given(tool.input_schema),
        strict=tool.strict,
        cache=given(tool.cache_control),
        options={name: value for name, value in keys.items() if name not in known},
    )


def _nested(kind: str, keys: dict[str, Raw], inner: dict[str, Raw]) -> NativeTool:
    """Read ``{"type": T, T: {"name": version, ...options}}``."""
    options = {name: value for name, value in inner.items() if name != "name"}
    if "cache_control" in keys:
        options.setdefault("cache_control", keys["cache_control"])
    if kind == "mcp_toolset":
        return NativeTool(type=kind, name=None, raw=Raw(write_json({"type": kind, **options})))
    version = text_of(inner.get("name"))
    return _built(kind, options) if version is None else _build(version, _name_of(version, kind), options)


def _built(kind: str, options: dict[str, Raw]) -> NativeTool:
    version = DEFAULT_VERSIONS.get(kind, kind)
    return _build(version, _name_of(version, _DATED.sub("", version)), options)


def _build(version: str, name: str, options: dict[str, Raw]) -> NativeTool:
    if _TOOLSET.fullmatch(version):
        return NativeTool(type=version, name=None, raw=Raw(write_json({**options, "type": version})))
    return NativeTool(type=version, name=name, raw=Raw(write_json({**options, "type": version, "name": name})))


def _name_of(version: str, name: str) -> str:
    """Return the name that a version of the text editor insists on, any other tool's own name."""
    if _EDITOR.fullmatch(version):
        return "str_replace_editor" if version in _OLD_EDITORS else "str_replace_based_edit_tool"
    return name


def _native(kind: str, raw: Raw, keys: dict[str, Raw]) -> NativeTool:
    name = text_of(keys.get("name"))
    if name is not None and _name_of(kind, name) != name:
        name = _name_of(kind, name)
        raw = Raw(write_json({**keys, "name": name}))
    return NativeTool(type=kind, name=name, raw=raw)


def _web_search(keys: dict[str, Raw]) -> NativeTool:
    options = {name: keys[name] for name in SEARCH_KEYS if name in keys and given(keys[name]) is not None}
    filters = object_keys(keys["filters"]) if "filters" in keys else {}
    if "allowed_domains" in filters:
        options.setdefault("allowed_domains", filters["allowed_domains"])
    if "user_location" in options:
        options["user_location"] = _location(object_keys(options["user_location"]))
    return _build(DEFAULT_VERSIONS["web_search"], "web_search", options)


def _location(keys: dict[str, Raw]) -> Raw:
    place = object_keys(keys["approximate"]) if "approximate" in keys else keys
    known = {name: place[name] for name in LOCATION_KEYS if name in place}
    return Raw(write_json({"type": "approximate", **known}))


def _add_web_search(tools: list[Tool], options: Raw) -> None:
    if any(isinstance(tool, NativeTool) and tool.name == "web_search" for tool in tools):
        return
    tools.append(_web_search(object_keys(options)))


def read_choice(wire: CallIn, tools: list[Tool]) -> tuple[ToolChoice | None, list[Tool]]:
    """Return the choice among the tools, and those of them that the client allows. Raises InvalidRequest."""
    choice = None
    for key in ("tool_choice", "function_call"):
        raw = given(getattr(wire, key))
        if raw is not None:
            try:
                choice, tools = _choice(raw, tools)
            except InvalidRequest as error:
                raise below(error, key) from None
            break
    if not tools:
        return (choice if choice is not None and choice.mode == "none" else None), tools
    if wire.parallel_tool_calls is not False or (choice is not None and choice.mode == "none"):
        return choice, tools
    if choice is None:
        return ToolChoice(parallel=False), tools
    return ToolChoice(mode=choice.mode, name=choice.name, parallel=False), tools


def _choice(raw: Raw, tools: list[Tool]) -> tuple[ToolChoice, list[Tool]]:
    first = bytes(raw)[:1]
    if first == b'"':
        return _mode(decode_input(text_decoder, raw)), tools
    if first == b"{" and "type" not in object_keys(raw):
        return ToolChoice(mode="tool", name=decode_input(_read_named, raw).name), tools
    choice = decode_input(_read_choice, raw)
    if choice.allowed_tools is not None:
        return _mode(choice.allowed_tools.mode), _allowed(choice.allowed_tools, tools)
    if choice.function is not None:
        return ToolChoice(mode="tool", name=choice.function.name), tools
    if choice.type in ("auto", "any", "none") or (choice.type == "tool" and choice.name):
        return _native_choice(choice, raw), tools
    if choice.type in _INNER:
        raise InvalidRequest(REQUIRED, path=_INNER[choice.type])
    name = "web_search" if choice.type == "web_search_preview" else _DATED.sub("", choice.type)
    return ToolChoice(mode="tool", name=choice.name or name), tools


def _mode(word: str) -> ToolChoice:
    match word:
        case "auto":
            return ToolChoice(mode="auto")
        case "required" | "any":
            return ToolChoice(mode="any")
        case "none":
            return ToolChoice(mode="none")
        case _:
            raise InvalidRequest("expected auto, required, none or an object")


def _native_choice(choice: ChoiceIn, raw: Raw) -> ToolChoice:
    disable = choice.disable_parallel_tool_use
    parallel = None if disable is None else not disable
    match choice.type:
        case "auto":
            return ToolChoice(mode="auto", parallel=parallel, raw=raw)
        case "any":
            return ToolChoice(mode="any", parallel=parallel, raw=raw)
        case "none":
            return ToolChoice(mode="none", raw=raw)
        case _:
            return ToolChoice(mode="tool", name=choice.name, parallel=parallel, raw=raw)


def _allowed(allowed: AllowedTools, tools: list[Tool]) -> list[Tool]:
    names = {entry.function.name if entry.function else entry.name or entry.type for entry in allowed.tools}
    return [tool for tool in tools if tool.name in names or (isinstance(tool, NativeTool) and tool.type in names)]
