"""Each rule of the request with one request that passes and one that is refused."""

import pytest

from lockgate.simulator.app import Simulator, SimulatorSettings
from tests.unit.simulator.driver import HAIKU, NEW_VERSION, ask, user

OPUS = "claude-opus-5-5"
OPUS_5 = "claude-opus-5"
SONNET = "claude-sonnet-5-5"
OPUS_46 = "claude-opus-4-6"
OPUS_47 = "claude-opus-4-7"
TOOL = {"name": "get_weather", "input_schema": {"type": "object"}}
BUDGET = {"type": "enabled", "budget_tokens": 1024}
ADAPTIVE = {"type": "adaptive"}


def tool(**schema):
    return [{"name": "t", "input_schema": schema}]


def fmt(schema):
    return {"format": {"type": "json_schema", "schema": schema}}


CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}

# what is the matter, a request that passes, what makes it refused, the message
CASES = [
    ("required", {}, {"max_tokens": None}, "max_tokens: Field required"),
    ("model required", {}, {"model": None}, "model: Field required"),
    ("messages required", {}, {"messages": None}, "messages: Field required"),
    ("unknown", {}, {"foo": 1}, "foo: Extra inputs are not permitted"),
    ("unknown beta key", {}, {"betas": ["x"]}, "betas: Extra inputs are not permitted"),
    (
        "unknown deep",
        {"messages": user([{"type": "text", "text": "x"}])},
        {"messages": user([{"type": "text", "text": "x"}, {"type": "text", "text": "x", "foo": 1}])},
        "messages.0.content.1.text.foo: Extra inputs are not permitted",
    ),
    ("type", {}, {"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
    ("negative", {"max_tokens": 0}, {"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    ("not a list", {}, {"messages": {}}, "messages: Input should be a valid list"),
    (
        "unknown block",
        {},
        {"messages": user([{"type": "video"}])},
        "messages.0.content.0: Input tag 'video' found using 'type' does not match any of the expected tags: 'text', ",
    ),
    ("no block type", {}, {"messages": user([{"text": "x"}])}, "messages.0.content.0.type: Field required"),
    ("role", {}, {"messages": [{"role": "tool", "content": "x"}]}, 'messages: Unexpected role "tool".'),
    ("service tier", {"service_tier": "auto"}, {"service_tier": "flex"}, "Input should be 'auto' or 'standard_only'"),
    (
        "max output",
        {"max_tokens": 64_000},
        {"max_tokens": 64_001},
        "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for claude-haiku-4-5-20251001",
    ),
    ("max output opus", {"model": OPUS, "max_tokens": 128_000}, {"max_tokens": 128_001}, "> 128000"),
    ("no streamed zero", {"max_tokens": 0}, {"max_tokens": 0, "stream": True}, "stream: must be false"),
    ("temperature bound", {"temperature": 1}, {"temperature": 1.1}, "Input should be less than or equal to 1"),
    ("top_p bound", {"top_p": 0.5}, {"top_p": -1}, "Input should be greater than or equal to 0"),
    ("top_k", {"top_k": 5}, {"top_k": 1.5}, "top_k: Input should be a valid integer"),
    (
        "both sampling parameters",
        {"temperature": 0.5},
        {"temperature": 0.5, "top_p": 0.9},
        "`temperature` and `top_p` cannot both be specified for this model",
    ),
    ("sampling gone", {"model": OPUS_47}, {"temperature": 1}, "`temperature` is deprecated for this model."),
    ("sampling gone 5", {"model": OPUS_5}, {"top_k": 5}, "`top_k` is deprecated for this model."),
    ("stop sequences", {"stop_sequences": ["x"]}, {"stop_sequences": ["x", " "]}, "must contain non-whitespace"),
    ("user", {"metadata": {"user_id": "u-1"}}, {"metadata": {"user_id": "a@b.com"}}, "contain an email address"),
    ("user length", {"metadata": {"user_id": "u" * 256}}, {"metadata": {"user_id": "u" * 257}}, "at most 256 char"),
    ("metadata", {"metadata": {}}, {"metadata": {"team": "x"}}, "metadata.team: Extra inputs are not permitted"),
    ("json user", {"metadata": {"user_id": '{"mail": "a@b.com"}'}}, {"metadata": {"user_id": 1}}, "valid string"),
    # thinking
    ("budget", {"max_tokens": 2000, "thinking": BUDGET}, {"thinking": {**BUDGET, "budget_tokens": 1023}}, "to 1024"),
    (
        "budget below max",
        {"max_tokens": 1025, "thinking": BUDGET},
        {"max_tokens": 1024},
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    ("budget required", {}, {"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
    ("thinking type", {"thinking": {"type": "disabled"}}, {"thinking": {"type": "on"}}, "thinking: Input tag 'on'"),
    ("no adaptive", {"model": OPUS_46, "thinking": ADAPTIVE}, {"model": HAIKU}, '"thinking.type.adaptive" is not'),
    (
        "adaptive only",
        {"model": OPUS_47, "thinking": ADAPTIVE},
        {"max_tokens": 2000, "thinking": BUDGET},
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive"',
    ),
    ("never off", {"model": OPUS, "thinking": ADAPTIVE}, {"thinking": {"type": "disabled"}}, "cannot be turned off"),
    (
        "between tools",
        {"model": SONNET, "thinking": {"type": "between_tools"}},
        {"model": OPUS},
        '"thinking.type.between_tools" is not supported',
    ),
    ("haiku 5.5 off", {"model": "claude-haiku-5-5", "thinking": {"type": "disabled"}}, {"model": SONNET}, "disabled"),
    (
        "off and effort",
        {"model": OPUS_5, "thinking": {"type": "disabled"}, "output_config": {"effort": "high"}},
        {"output_config": {"effort": "max"}},
        "output_config.effort: 'max' is not supported with thinking turned off",
    ),
    (
        "thinking and forced tools",
        {"model": OPUS_46, "thinking": ADAPTIVE, "tools": [TOOL], "tool_choice": {"type": "auto"}},
        {"tool_choice": {"type": "any"}},
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    (
        "thinking and temperature",
        {"max_tokens": 2000, "thinking": BUDGET, "temperature": 1},
        {"temperature": 0.5},
        "`temperature` may only be set to 1 when thinking is enabled",
    ),
    ("thinking and top_p", {"max_tokens": 2000, "thinking": BUDGET, "top_p": 0.95}, {"top_p": 0.9}, "0.95 or unset"),
    ("thinking and top_k", {"max_tokens": 2000, "thinking": BUDGET}, {"top_k": 5}, "`top_k` must be unset"),
    # output
    ("effort", {"model": OPUS, "output_config": {"effort": "xhigh"}}, {"model": HAIKU}, "the effort parameter"),
    ("effort level", {"model": OPUS_46, "output_config": {"effort": "max"}},
     {"output_config": {"effort": "xhigh"}}, "does not support effort level 'xhigh'"),
    ("effort value", {"model": OPUS}, {"output_config": {"effort": "huge"}}, "output_config.effort: Input should be"),
    (
        "closed schema",
        {"output_config": fmt(CLOSED)},
        {"output_config": fmt({**CLOSED, "additionalProperties": True})},
        "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
    ),
    (
        "schema words",
        {"output_config": fmt(CLOSED)},
        {"output_config": fmt({**CLOSED, "properties": {"a": {"type": "integer", "minimum": 1}}})},
        "For 'integer' type, property 'minimum' is not supported",
    ),
    ("schema itself", {"output_config": fmt(CLOSED)}, {"output_config": fmt({"type": "x"})}, "JSON schema is invalid"),
    ("schema format", {"output_config": fmt(CLOSED)},
     {"output_config": fmt({"type": "string", "format": "x"})}, "format 'x' is not supported"),
    ("schema items", {"output_config": fmt(CLOSED)},
     {"output_config": fmt({"type": "array", "minItems": 3})}, "'minItems' values other than 0 or 1"),
    ("schema reference", {"output_config": fmt(CLOSED)}, {"output_config": fmt({"$ref": "#/x"})}, "does not resolve"),
    ("schema circle", {"output_config": fmt(CLOSED)}, {"output_config": fmt({"$ref": "#"})}, "Circular reference"),
    ("format type", {}, {"output_config": {"format": {"type": "xml"}}}, "format.type: Input should be 'json_schema'"),
    ("speed", {"model": OPUS, "speed": "fast"}, {"model": SONNET}, "speed: 'fast' is not supported for this model"),
    # tools
    ("tool name", {"tools": [TOOL]}, {"tools": [{**TOOL, "name": "a b"}]},
     "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
    ("tool schema", {"tools": [TOOL]}, {"tools": [{"name": "t"}]}, "tools.0.custom.input_schema: Field required"),
    ("schema type", {"tools": tool(type="object")}, {"tools": tool()}, "tools.0.custom.input_schema.type: Field req"),
    ("schema is object", {"tools": tool(type="object")}, {"tools": tool(type="array")}, "Input should be 'object'"),
    ("schema union", {"tools": tool(type="object", properties={"a": {"anyOf": [{}]}})},
     {"tools": tool(type="object", anyOf=[])},
     "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"),
    ("schema valid", {"tools": tool(type="object")}, {"tools": tool(type="object", properties={"a": {"type": "x"}})},
     "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12"),
    ("strict tool", {"tools": [{"name": "t", "strict": True, "input_schema": CLOSED}]},
     {"tools": [{"name": "t", "strict": True, "input_schema": {"type": "object"}}]}, "'additionalProperties' must be"),
    ("tool field", {"tools": [TOOL]}, {"tools": [{**TOOL, "x": 1}]}, "tools.0.custom.x: Extra inputs"),
    ("tool type", {"tools": [{**TOOL, "type": "custom"}]}, {"tools": [{**TOOL, "type": "function"}]},
     "tools.0: Input tag 'function' found using 'type'"),
    ("tool twice", {"tools": [TOOL]}, {"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    ("deferred and cached", {"tools": [{**TOOL, "defer_loading": True}]},
     {"tools": [{**TOOL, "defer_loading": True, "cache_control": {"type": "ephemeral"}}]}, "cannot use `cache_control`"),
    ("search domains", {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]},
     {"tools": [{"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["a"],
                 "blocked_domains": ["b"]}]}, "only one of `allowed_domains` and `blocked_domains`"),
    ("choice", {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "get_weather"}},
     {"tool_choice": {"type": "tool", "name": "other"}}, "Tool 'other' not found in provided tools"),
    ("choice alone", {"tools": [TOOL], "tool_choice": {"type": "auto"}}, {"tools": None},
     "tool_choice may only be specified while providing tools"),
    ("choice name", {"tools": [TOOL]}, {"tool_choice": {"type": "tool"}}, "tool_choice.tool.name: Field required"),
    ("choice text", {"tools": [TOOL]}, {"tool_choice": "auto"}, "tool_choice: Input should be a valid dictionary or ob"),
    ("forced", {"model": OPUS_5, "tools": [TOOL], "tool_choice": {"type": "any"}}, {"model": OPUS},
     "tool_choice: type 'any' is not supported for this model"),
]  # fmt: skip


@pytest.mark.parametrize("passing, change, message", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_rule_passes_one_request_and_refuses_another(passing, change, message):
    accepted = ask(**passing)
    assert accepted.status == 200, accepted.body
    refused = ask(**{**passing, **change})
    assert refused.status == 400
    assert refused.json["error"]["type"] == "invalid_request_error"
    assert message in refused.message


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_the_new_version_has_no_sampling_parameters_even_at_their_defaults(name):
    assert ask(**{name: 1}).status == 200
    refused = ask(**{name: 1}, headers=NEW_VERSION)
    assert (refused.status, refused.message) == (400, f"{name}: Extra inputs are not permitted")


def test_interleaved_thinking_may_have_a_larger_budget():
    body = {"max_tokens": 1024, "thinking": {"type": "enabled", "budget_tokens": 4000}, "tools": [TOOL]}
    assert ask(**body).status == 400
    assert ask(**body, beta="interleaved-thinking-2025-05-14").status == 200


def test_fast_mode_needs_its_flag_on_some_models():
    assert ask(model=OPUS_47, speed="fast").message == "speed: Extra inputs are not permitted"
    assert ask(model=OPUS_47, speed="fast", beta="fast-mode-2026-02-01").status == 200


def test_a_toolset_needs_its_server():
    tools = [{"type": "mcp_toolset", "mcp_server_name": "a"}]
    servers = [{"type": "url", "name": "a", "url": "https://a.example"}]
    assert ask(tools=tools, mcp_servers=servers, beta="mcp-client-2025-11-20").status == 200
    assert "unknown MCP server" in ask(tools=tools, beta="mcp-client-2025-11-20").message


def test_compaction_and_context_management_exclude_each_other():
    beta = "compact-2026-09-04,context-management-2025-06-27"
    body = {"compaction": {"type": "summarize"}}
    assert ask(**body, beta=beta).status == 200
    assert "together" in ask(**body, context_management={"edits": []}, beta=beta).message


def test_retired_models_keep_their_old_rules():
    simulator = Simulator(SimulatorSettings(has_retired_models=True))
    old = {"simulator": simulator, "model": "claude-3-7-sonnet-20250219"}
    assert ask(**old, temperature=0.5, top_p=0.9).status == 200
    assert "structured outputs" in ask(**old, output_config=fmt(CLOSED)).message
    assert ask(**old, max_tokens=100_000).status == 400
    assert ask(**old, max_tokens=100_000, beta="output-128k-2025-02-19").status == 200
    assert "not supported" in ask(simulator, model="claude-3-haiku-20240307", thinking=ADAPTIVE).message


def test_the_old_name_of_the_output_format_follows_the_same_rules():
    beta = "structured-outputs-2025-11-13"
    assert ask(output_format={"type": "json_schema", "schema": CLOSED}, beta=beta).status == 200
    refused = ask(output_format={"type": "json_schema", "schema": {"type": "object"}}, beta=beta)
    assert refused.message.startswith("output_format.schema: For 'object' type")
