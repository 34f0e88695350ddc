"""Beta flags: the client's own first, what is needed behind them, shape selectors never."""

from __future__ import annotations

import pytest

from lockgate.core.chat import FileSource, ImageBlock, NativeTool
from tests.unit.dialects.anthropic_messages.calls import call, headers, raw, say

OPUS45 = "claude-opus-4-5"
FAST = "claude-opus-4-6"


def betas(said, model="claude-sonnet-4-5"):
    return headers(said, model).get("anthropic-beta")


def native_tool(kind):
    return NativeTool(type=kind, name=None, raw=raw({"type": kind}))


@pytest.mark.parametrize(
    "field, value, expected",
    [
        ("context_management", {"edits": []}, "context-management-2025-06-27"),
        (
            "context_management",
            {"edits": [{"type": "compact_20260112"}]},
            "context-management-2025-06-27,compact-2026-01-12",
        ),
        ("mcp_servers", [{"name": "a", "tool_configuration": {}}], "mcp-client-2025-04-04"),
        ("mcp_servers", [{"name": "a"}], None),
        ("fallbacks", [], "server-side-fallback-2026-07-01"),
        ("fallback_credit_token", "t", "fallback-credit-2026-07-01"),
        ("compaction", {"type": "summarize"}, "compact-2026-09-04"),
        ("thread", {"type": "create"}, "message-threads-2026-08-12"),
        ("diagnostics", {}, None),
        ("container", {"skills": []}, None),
    ],
)
def test_a_field_brings_its_flag(field, value, expected):
    assert betas(call(native={field: raw(value)})) == expected


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("mcp_toolset", "mcp-client-2025-11-20"),
        ("computer_20250124", "computer-use-2025-01-24"),
        ("computer_20251124", "computer-use-2025-11-24"),
        ("code_execution_20250825", "code-execution-2025-08-25"),
        ("web_fetch_20250910", "web-fetch-2025-09-10"),
        ("web_fetch_20260318", None),
        ("web_search_20250305", None),
    ],
)
def test_a_tool_brings_its_flag(kind, expected):
    assert betas(call(tools=(native_tool(kind),))) == expected


@pytest.mark.parametrize("model, expected", [(OPUS45, "effort-2025-11-24"), ("claude-opus-4-8", None)])
def test_effort_brings_a_flag_on_the_model_that_needs_it(model, expected):
    assert betas(call(effort="high"), model) == expected


@pytest.mark.parametrize("model, expected", [(FAST, "fast-mode-2026-02-01"), ("claude-opus-5-5", None)])
def test_a_speed_brings_a_flag_on_the_models_that_need_it(model, expected):
    assert betas(call(service_tier="fast"), model) == expected
    assert betas(call(service_tier="auto"), model) is None
    assert betas(call(native={"speed": raw("fast")}), model) == expected


def test_the_clients_flags_come_first_and_each_once():
    said = call(
        betas=("a", "mcp-client-2025-11-20"), tools=(native_tool("mcp_toolset"), native_tool("computer_20250124"))
    )
    assert betas(said) == "a,mcp-client-2025-11-20,computer-use-2025-01-24"


def test_a_file_brings_no_flag():
    assert betas(call(say("user", ImageBlock(source=FileSource(file_id="f"))))) is None
