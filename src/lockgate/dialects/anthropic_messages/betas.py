"""Beta flags: those of the client, and those that what is sent still needs.

Flags that select the shape of an answer (Files, Skills) and flags of features that are general by now are never
added. Source: Anthropic integration specification, section 0.4; addendum of November 2026, sections 2.9 and 9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Raw

from lockgate.catalog import ModelFacts
from lockgate.core.chat import NativeTool, Tool

_BY_FIELD = {
    "context_management": "context-management-2025-06-27",
    "fallbacks": "server-side-fallback-2026-07-01",
    "fallback_credit_token": "fallback-credit-2026-07-01",
    "compaction": "compact-2026-09-04",
    "thread": "message-threads-2026-08-12",
}
_BY_TOOL = {
    "mcp_toolset": "mcp-client-2025-11-20",
    "computer_20241022": "computer-use-2024-10-22",
    "computer_20250124": "computer-use-2025-01-24",
    "computer_20251124": "computer-use-2025-11-24",
    "code_execution_20250522": "code-execution-2025-05-22",
    "code_execution_20250825": "code-execution-2025-08-25",
    "web_fetch_20250910": "web-fetch-2025-09-10",
}
_COMPACT_EDIT = b'"compact_20260112"'
_COMPACT = "compact-2026-01-12"
_OLD_MCP_KEY = b'"tool_configuration"'
_OLD_MCP = "mcp-client-2025-04-04"


def needed_betas(
    asked: Sequence[str],
    native: Mapping[str, Raw],
    tools: Sequence[Tool],
    facts: ModelFacts,
    *,
    has_effort: bool,
    is_fast: bool,
) -> list[str]:
    """Return every flag to send, the client's first, each once."""
    flags = dict.fromkeys(asked)
    for field, flag in _BY_FIELD.items():
        if field in native:
            flags[flag] = None
    if _COMPACT_EDIT in bytes(native.get("context_management", b"")):
        flags[_COMPACT] = None
    if _OLD_MCP_KEY in bytes(native.get("mcp_servers", b"")):
        flags[_OLD_MCP] = None
    for tool in tools:
        if isinstance(tool, NativeTool) and tool.type in _BY_TOOL:
            flags[_BY_TOOL[tool.type]] = None
    for feature, is_used in (("effort", has_effort), ("fast", is_fast)):
        if is_used and feature in facts.betas:
            flags[facts.betas[feature]] = None
    return list(flags)
