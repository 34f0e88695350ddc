"""Rows of tool types, in Anthropic's form and in the forms that chat clients write."""

from __future__ import annotations

from tests.conformance.rows_fields import CHAT_ONLY, FUNCTION, SCHEMA, TOOL
from tests.conformance.table import Expect, Row, carried, dropped, on, refused, translated

FLAGS = {
    "computer_20241022": "computer-use-2024-10-22",
    "computer_20250124": "computer-use-2025-01-24",
    "computer_20251124": "computer-use-2025-11-24",
    "code_execution_20250522": "code-execution-2025-05-22",
    "code_execution_20250825": "code-execution-2025-08-25",
    "web_fetch_20250910": "web-fetch-2025-09-10",
    "mcp_toolset": "mcp-client-2025-11-20",
}
_SCREEN = {"display_width_px": 1024, "display_height_px": 768}
_EDITOR = {"name": "str_replace_based_edit_tool"}

NATIVE: dict[str, dict[str, object]] = {
    "advisor_20260301": {"name": "advisor", "model": "claude-opus-5"},
    "bash_20241022": {"name": "bash"},
    "bash_20250124": {"name": "bash", "cache_control": {"type": "ephemeral"}},
    "browser_toolset_20260801": {"configs": {"find": {"enabled": True}}},
    "code_execution_20250522": {"name": "code_execution"},
    "code_execution_20250825": {"name": "code_execution"},
    "code_execution_20260120": {"name": "code_execution"},
    "code_execution_20260521": {"name": "code_execution"},
    "computer_20241022": {"name": "computer", **_SCREEN},
    "computer_20250124": {"name": "computer", **_SCREEN},
    "computer_20251124": {"name": "computer", **_SCREEN, "enable_zoom": True},
    "computer_toolset_20260801": {**_SCREEN, "configs": {"zoom": {"enabled": False}}},
    "mcp_toolset": {"mcp_server_name": "docs", "default_config": {"enabled": False}},
    "memory_20250818": {"name": "memory"},
    "text_editor_20241022": {"name": "str_replace_editor"},
    "text_editor_20250124": {"name": "str_replace_editor"},
    "text_editor_20250429": _EDITOR,
    "text_editor_20250728": {**_EDITOR, "max_characters": 900},
    "tool_search_tool_bm25": {"name": "tool_search_tool_bm25"},
    "tool_search_tool_bm25_20251119": {"name": "tool_search_tool_bm25"},
    "tool_search_tool_regex": {"name": "tool_search_tool_regex"},
    "tool_search_tool_regex_20251119": {"name": "tool_search_tool_regex"},
    "web_fetch_20250910": {"name": "web_fetch", "max_uses": 2},
    "web_fetch_20260209": {"name": "web_fetch", "max_uses": 2},
    "web_fetch_20260309": {"name": "web_fetch", "max_uses": 2},
    "web_fetch_20260318": {"name": "web_fetch", "url_sources": {"type": "all"}},
    "web_search_20250305": {"name": "web_search", "max_uses": 2},
    "web_search_20260209": {"name": "web_search", "max_uses": 2},
    "web_search_20260318": {"name": "web_search", "allowed_domains": ["a.example"]},
    "of_tomorrow_20270101": {"name": "tomorrow", "x": [1, None]},
}


def native(kind: str, keys: dict[str, object]) -> Row:
    """A tool of Anthropic's, written in Anthropic's form."""
    tool = {"type": kind, **keys}
    headers = {"anthropic-beta": FLAGS[kind]} if kind in FLAGS else {}
    servers = (
        {"mcp_servers": [{"type": "url", "url": "https://a.example", "name": "docs"}]} if kind == "mcp_toolset" else {}
    )
    body = {"tools": [tool], **servers}
    # The two names without a date are Anthropic's aliases; chat may say which version they mean.
    expect = (
        carried(sent={"tools[0].name": keys.get("name"), "tools[0].type": f"{kind}_20251119"})
        if kind in _ALIASES
        else carried(sent={"tools": [tool]}, headers=headers)
    )
    return Row(
        section="tool",
        name=kind,
        messages=body,
        chat=body,
        cells=on(expect, carried(sent={"tools": [tool]}), dropped("tools[0]", *servers)),
    )


_ALIASES = ("tool_search_tool_bm25", "tool_search_tool_regex")


def chat_form(name: str, tool: object, expect: Expect) -> Row:
    """A tool in a form of chat completions alone."""
    return Row(section="tool", name=name, chat={"tools": [tool]}, cells=on(expect, CHAT_ONLY, CHAT_ONLY))


def nested(kind: str, version: str, name: str, **options) -> Row:
    """Portkey's nested form."""
    written = {"type": kind, kind: {"name": version, **options}}
    return chat_form(
        f"{kind}, nested", written, translated(sent={"tools": [{"type": version, "name": name, **options}]})
    )


_OPTIONS = {
    "defer_loading": True,
    "allowed_callers": ["direct"],
    "input_examples": [{"city": "Bern"}],
    "eager_input_streaming": True,
}

ROWS = (
    Row(
        section="tool",
        name="custom",
        messages={"tools": [{"type": "custom", **TOOL, "cache_control": {"type": "ephemeral"}}]},
        chat={"tools": [{"type": "custom", **TOOL, "cache_control": {"type": "ephemeral"}}]},
        cells=on(
            translated("without `type`", sent={"tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}]}),
            carried(),
            dropped(
                "cache_control",
                sent={"tools[0].function.parameters": SCHEMA, "tools[0].function.name": "look"},
                note="a function; its marker named",
            ),
        ),
    ),
    Row(
        section="tool",
        name="custom with options",
        messages={"tools": [{**TOOL, **_OPTIONS}]},
        chat={"tools": [{**FUNCTION, **_OPTIONS}]},
        cells=on(
            carried(sent={"tools": [{**TOOL, **_OPTIONS}]}),
            carried(),
            dropped(
                *(f"tools.{name}" for name in _OPTIONS),
                sent={"tools[0].function.name": "look"},
                note="a function; its options named",
            ),
        ),
    ),
    Row(
        section="tool",
        name="custom with strict",
        messages={"tools": [{**TOOL, "strict": True}]},
        chat={"tools": [{"type": "function", "function": {**FUNCTION["function"], "strict": True}}]},
        cells=on(
            carried(sent={"tools[0].strict": True}),
            carried(),
            carried(sent={"tools[0].function.strict": True}),
        ),
    ),
    chat_form("function", FUNCTION, translated("`input_schema`", sent={"tools": [TOOL]})),
    *(native(kind, keys) for kind, keys in NATIVE.items()),
    nested("web_search", "web_search_20250305", "web_search", max_uses=2),
    nested("web_fetch", "web_fetch_20260209", "web_fetch", max_uses=2),
    nested("code_execution", "code_execution_20260120", "code_execution"),
    nested("computer", "computer_20251124", "computer", **_SCREEN),
    nested("bash", "bash_20250124", "bash"),
    nested("str_replace_editor", "text_editor_20250124", "str_replace_editor"),
    nested("str_replace_based_edit_tool", "text_editor_20250728", "str_replace_based_edit_tool"),
    nested("memory", "memory_20250818", "memory"),
    nested("tool_search_tool_regex", "tool_search_tool_regex_20251119", "tool_search_tool_regex"),
    nested("tool_search_tool_bm25", "tool_search_tool_bm25_20251119", "tool_search_tool_bm25"),
    nested("advisor", "advisor_20260301", "advisor", model="claude-opus-5"),
    chat_form(
        "mcp_toolset, nested",
        {"type": "mcp_toolset", "mcp_toolset": {"mcp_server_name": "docs"}},
        translated(sent={"tools": [{"type": "mcp_toolset", "mcp_server_name": "docs"}]}),
    ),
    chat_form(
        "web_search, bare",
        {"type": "web_search_preview"},
        translated(sent={"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
    ),
    chat_form("a tool of tomorrow, undated", {"type": "teleport"}, refused("tools[0].type")),
)
