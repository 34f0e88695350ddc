"""The tables are compared with the types of the installed SDK, so that they cannot drift apart unseen."""

import importlib
import pkgutil
from typing import Required, get_origin, get_type_hints

import anthropic.types
import pytest

from lockgate.simulator.anthropic import shapes
from lockgate.simulator.anthropic.betas import KNOWN_BETAS
from lockgate.simulator.anthropic.shapes import BLOCK, CREATE, TOOL
from lockgate.simulator.shapes import Scope, Shape, ShapeError, Tagged

# Sent as a header, not in the body.
HEADERS = {"betas", "user_profile_id", "workspace_id"}
# Taken by the API beside what the SDK's types say: fields of the older API version, and what answers bring back.
BEYOND = {
    "MessageCreateParamsBase": {"temperature", "top_p", "top_k", "stream", "output_format"},
    "MessageCountTokensParams": {"output_format"},
    "CacheControlEphemeralParam": {"scope"},
    "CitationCharLocationParam": {"file_id"},
    "CitationPageLocationParam": {"file_id"},
    "CitationContentBlockLocationParam": {"file_id"},
}


def all_shapes():
    found, seen = {}, set()

    def visit(check):
        if id(check) in seen:
            return
        seen.add(id(check))
        if isinstance(check, Shape):
            if check.source:
                found.setdefault(check.source, check)
            for field in check.fields.values():
                visit(field.check)
        elif isinstance(check, Tagged):
            for variant in check.variants.values():
                visit(variant.shape)
        else:
            for cell in getattr(check, "__closure__", None) or ():
                value = cell.cell_contents
                for inner in value.values() if isinstance(value, dict) else [value]:
                    if callable(inner):
                        visit(inner)

    for value in vars(shapes).values():
        if isinstance(value, (Shape, Tagged)):
            visit(value)
    return found


def sdk_types():
    found = {}
    for package in (anthropic.types, importlib.import_module("anthropic.types.beta")):
        for module in pkgutil.iter_modules(package.__path__):
            if module.ispkg:
                continue
            for name, value in vars(importlib.import_module(f"{package.__name__}.{module.name}")).items():
                if hasattr(value, "__required_keys__"):
                    found.setdefault(package is anthropic.types, {}).setdefault(name, value)
    return found


OURS = all_shapes()
SDK = sdk_types()


def find(name):
    """Return the general and the beta type of the SDK for one of our shapes."""
    if name.startswith("Message"):
        return SDK[True][name], SDK[False][name]
    beta = SDK[False].get(f"Beta{name}")
    # Some names stand for other things outside of the beta types: those of the tables are the beta ones.
    general = None if name == "ThreadCreateParams" else SDK[True].get(name)
    return general, beta


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_shape_has_the_fields_of_the_sdk(name):
    general, beta = find(name)
    assert general or beta, "the SDK has no such type"
    known = set(general.__annotations__ if general else ()) | set(beta.__annotations__ if beta else ())
    ours = set(OURS[name].fields)
    assert ours - BEYOND.get(name, set()) == known - HEADERS - ({"stream"} if "stream" in known else set())
    if general:
        ungated = {key for key, field in OURS[name].fields.items() if not field.betas} - BEYOND.get(name, set())
        assert ungated == set(general.__annotations__) - HEADERS


def required_keys(source):
    """``__required_keys__`` does not see through annotations that are text, so the hints are read."""
    hints = get_type_hints(source, include_extras=True)
    return {key for key, hint in hints.items() if get_origin(hint) is Required}


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_shape_requires_what_the_sdk_requires(name):
    source = next(filter(None, find(name)))
    loosened = {"SystemMessageParam": {"content"}}.get(name, set())
    assert set(OURS[name].required) == required_keys(source) - loosened


def test_most_of_the_sdk_is_covered():
    assert len(OURS) > 120


def test_the_betas_of_the_sdk_are_known():
    module = importlib.import_module("anthropic.types.anthropic_beta_param")
    listed = {flag for part in module.AnthropicBetaParam.__args__ for flag in getattr(part, "__args__", ())}
    assert listed - KNOWN_BETAS == set()


PLAIN = Scope(version="2023-06-01")


@pytest.mark.parametrize(
    "field, value, beta",
    [
        ("thread", {"type": "create"}, "message-threads-2026-08-12"),
        ("compaction", {"type": "summarize"}, "compact-2026-09-04"),
        ("billing_policy", {"type": "billing_policy"}, "user-profiles-billing-2026-10-01"),
        ("context_management", {"edits": []}, "context-management-2025-06-27"),
        ("fallbacks", "default", "server-side-fallback-2026-07-01"),
        ("fallbacks", [{"model": "claude-opus-5"}], "server-side-fallback-2026-06-01"),
        ("fallback_credit_token", "t", "fallback-credit-2026-07-01"),
        ("mcp_servers", [{"type": "url", "name": "a", "url": "https://a.example"}], "mcp-client-2025-11-20"),
        ("output_config", {"task_budget": {"type": "tokens", "total": 9}}, "task-budgets-2026-03-13"),
        ("thinking", {"type": "adaptive", "display": "updates"}, "thinking-display-updates-2026-08-18"),
        ("thinking", {"type": "adaptive", "block_binding": {}}, "thinking-binding-controls-2026-08-01"),
        ("output_format", {"type": "json_schema", "schema": {}}, "structured-outputs-2025-11-13"),
    ],
)
def test_a_beta_field_needs_its_flag(field, value, beta):
    body = {"model": "m", "max_tokens": 1, "messages": [], field: value}
    CREATE(body, Scope(betas=frozenset({beta}), version="2023-06-01"))
    with pytest.raises(ShapeError):
        CREATE(body, PLAIN)


@pytest.mark.parametrize(
    "tool, beta",
    [
        ({"type": "computer_20250124", "name": "computer", "display_width_px": 1, "display_height_px": 1},
         "computer-use-2025-01-24"),
        ({"type": "computer_20251124", "name": "computer", "display_width_px": 1, "display_height_px": 1},
         "computer-use-2025-11-24"),
        ({"type": "bash_20241022", "name": "bash"}, "computer-use-2024-10-22"),
        ({"type": "mcp_toolset", "mcp_server_name": "a"}, "mcp-client-2025-11-20"),
        ({"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5"}, "advisor-tool-2026-03-01"),
    ],
)  # fmt: skip
def test_a_beta_tool_needs_its_flag(tool, beta):
    TOOL(tool, Scope(betas=frozenset({beta})))
    with pytest.raises(ShapeError) as caught:
        TOOL(tool, PLAIN)
    assert caught.value.kind == "tag"


@pytest.mark.parametrize(
    "block, beta",
    [
        ({"type": "mcp_tool_use", "id": "a", "name": "b", "server_name": "c", "input": {}}, "mcp-client-2025-04-04"),
        ({"type": "compaction", "content": None}, "compact-2026-09-04"),
        ({"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}, "server-side-fallback-2026-07-01"),
        ({"type": "mcp_tool_listing", "mcp_server_name": "a", "tools": []}, "mcp-client-2026-09-15"),
    ],
)
def test_a_beta_block_needs_its_flag(block, beta):
    BLOCK(block, Scope(betas=frozenset({beta})))
    with pytest.raises(ShapeError):
        BLOCK(block, PLAIN)


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "a", "input_schema": {}},
        {"type": None, "name": "a", "input_schema": {}},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 5},
        {"type": "memory_20250818", "name": "memory"},
        {"type": "code_execution_20260521", "name": "code_execution"},
        {"type": "web_search_20260318", "name": "web_search", "response_inclusion": "full"},
        {"type": "web_fetch_20260318", "name": "web_fetch", "url_sources": {"user_input": {"type": "none"}}},
        {"type": "tool_search_tool_regex", "name": "tool_search_tool_regex"},
        {"type": "computer_toolset_20260801", "configs": {"left_click": {"enabled": False}}},
        {"type": "browser_toolset_20260801"},
    ],
)
def test_general_tools_are_accepted(tool):
    TOOL(tool, PLAIN)


def test_a_tool_definition_may_come_inside_the_conversation():
    addition = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {"name": "a"}}}
    scope = Scope(betas=frozenset({"inline-tools-2026-09-15"}))
    with pytest.raises(ShapeError) as caught:
        BLOCK(addition, scope)
    assert caught.value.path[-1] == "input_schema"
