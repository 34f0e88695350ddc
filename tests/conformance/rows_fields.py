"""Rows of request fields, and of the variants that some of them have."""

from __future__ import annotations

from tests.conformance.table import GONE, Expect, Row, carried, dropped, none, on, refused, translated, used

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"name": "look", "description": "Looks.", "input_schema": SCHEMA}
FUNCTION = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA}}
FORMAT = {"type": "json_schema", "schema": SCHEMA}
CHAT_FORMAT = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
USER = [{"role": "user", "content": "Guten Tag ☂"}]
CHAT_ONLY = none("a field of chat completions")
MESSAGES_ONLY = none("a field of Messages")


def as_is(name: str, value: object) -> Expect:
    """The field arrives with its value."""
    return carried(sent={name: value})


def native(
    name: str, value: object, adapter: Expect | None = None, *, flag: str | None = None, chat: Expect | None = None
) -> Row:
    """A field that only Anthropic's API has; chat clients may send it too."""
    headers = {"anthropic-beta": flag} if flag else {}
    return Row(
        section="field",
        name=name,
        messages={name: value},
        chat={name: value},
        cells=on(chat or carried(sent={name: value}, headers=headers), as_is(name, value), adapter or dropped(name)),
    )


def chat_field(name: str, value: object, chat: Expect, **further) -> Row:
    """A field of chat completions alone."""
    return Row(section="field", name=name, chat={name: value}, cells=on(chat, CHAT_ONLY, CHAT_ONLY), **further)


def lost(name: str, value: object, **further) -> Row:
    """A field of chat completions that Claude has no counterpart for."""
    return chat_field(name, value, dropped(name, sent={name: GONE}), **further)


SHARED = (
    Row(
        section="field",
        name="model",
        cells=on(
            translated("without its slug", sent={"model": "claude-sonnet-4-6"}),
            translated("without its slug", sent={"model": "claude-sonnet-4-6"}),
            translated("without its slug", sent={"model": "gpt-4.1"}),
        ),
    ),
    Row(
        section="field",
        name="messages",
        messages={"messages": USER},
        chat={"messages": USER},
        cells=on(
            carried(sent={"messages[0].content[0].text": USER[0]["content"]}),
            as_is("messages", USER),
            as_is("messages", USER),
        ),
    ),
    Row(
        section="field",
        name="max_tokens",
        messages={"max_tokens": 77},
        chat={"max_tokens": 77},
        cells=on(
            as_is("max_tokens", 77),
            as_is("max_tokens", 77),
            translated("`max_completion_tokens`", sent={"max_completion_tokens": 77, "max_tokens": GONE}),
        ),
    ),
    Row(
        section="field",
        name="metadata",
        messages={"metadata": {"user_id": "user-7"}},
        chat={"metadata": {"user_id": "user-7", "team": "blue"}},
        cells=on(
            Expect(
                verdict="translated",
                note="`user_id`; other keys named",
                sent={"metadata": {"user_id": "user-7"}},
                dropped=("metadata",),
            ),
            as_is("metadata", {"user_id": "user-7"}),
            translated("`user`", sent={"user": "user-7", "metadata": GONE}),
        ),
    ),
    Row(
        section="field",
        name="output_config",
        messages={"output_config": {"effort": "low", "task_budget": {"type": "tokens", "total": 9}}},
        chat={"output_config": {"effort": "low", "task_budget": {"type": "tokens", "total": 9}}},
        target="gpt-5",
        cells=on(
            as_is("output_config", {"effort": "low", "task_budget": {"type": "tokens", "total": 9}}),
            as_is("output_config", {"effort": "low", "task_budget": {"type": "tokens", "total": 9}}),
            translated(
                "`reasoning_effort`; other keys named", sent={"reasoning_effort": "low"}, dropped=("output_config",)
            ),
        ),
    ),
    Row(
        section="field",
        name="output_format",
        messages={"output_format": FORMAT},
        chat={"output_format": FORMAT},
        cells=on(
            translated("`output_config.format`", sent={"output_config.format": FORMAT, "output_format": GONE}),
            translated(
                "`output_config.format`",
                sent={"output_config.format": FORMAT, "output_format": GONE},
                adjusted=("output_format",),
            ),
            translated("`response_format`", sent={"response_format.json_schema.schema": SCHEMA}),
        ),
    ),
    Row(
        section="field",
        name="service_tier",
        messages={"service_tier": "standard_only"},
        chat={"service_tier": "default"},
        cells=on(
            translated("OpenAI's words", sent={"service_tier": "standard_only"}),
            as_is("service_tier", "standard_only"),
            dropped("service_tier", sent={"service_tier": GONE}),
        ),
    ),
    Row(
        section="field",
        name="stop_sequences",
        messages={"stop_sequences": ["END", "☂"]},
        chat={"stop_sequences": ["END"]},
        cells=on(
            dropped("stop_sequences", note="chat says `stop`"),
            as_is("stop_sequences", ["END", "☂"]),
            translated("`stop`", sent={"stop": ["END", "☂"]}),
        ),
    ),
    Row(
        section="field",
        name="stream",
        cells={
            **on(
                used("whole", sent={"stream": GONE}, got={"choices[0].finish_reason": "stop"}),
                carried(),
                used("whole", sent={"stream": GONE}),
                non_strict=used("whole", sent={"stream": GONE}, got={"choices[0].finish_reason": "end_turn"}),
                chat_strict__streamed=carried(sent={"stream": True}, events=("data: [DONE]",)),
                chat_non_strict__streamed=carried(sent={"stream": True}, events=("data: [DONE]",)),
                messages__streamed=carried(sent={"stream": True}),
                adapter__streamed=carried(
                    "with `stream_options`",
                    sent={"stream": True, "stream_options": {"include_usage": True}},
                    events=("event: message_stop",),
                ),
            )
        },
    ),
    Row(
        section="field",
        name="system",
        messages={"system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]},
        chat={"system": "Be brief."},
        cells=on(
            dropped("system", note="chat has system messages"),
            carried(),
            translated(
                "a system message", sent={"messages[0]": {"role": "system", "content": "Be brief.\n\nBe kind."}}
            ),
        ),
    ),
    Row(
        section="field",
        name="temperature",
        messages={"temperature": 0.5},
        chat={"temperature": 0.5},
        cells=on(as_is("temperature", 0.5), as_is("temperature", 0.5), as_is("temperature", 0.5)),
    ),
    Row(
        section="field",
        name="thinking",
        messages={"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"}, "max_tokens": 4096},
        chat={"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"}, "max_tokens": 4096},
        cells=on(
            as_is("thinking", {"type": "enabled", "budget_tokens": 1024, "display": "summarized"}),
            carried(),
            dropped("thinking"),
        ),
    ),
    Row(
        section="field",
        name="tool_choice",
        messages={"tools": [TOOL], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        chat={"tools": [FUNCTION], "tool_choice": "required"},
        cells=on(
            translated('`{"type": "any"}`', sent={"tool_choice": {"type": "any"}}),
            carried(),
            translated("`required`", sent={"tool_choice": "required", "parallel_tool_calls": False}),
        ),
    ),
    Row(
        section="field",
        name="tools",
        messages={"tools": [TOOL]},
        chat={"tools": [FUNCTION]},
        cells=on(
            translated("`input_schema`", sent={"tools": [TOOL]}),
            as_is("tools", [TOOL]),
            translated("a function", sent={"tools[0].type": "function", "tools[0].function.parameters": SCHEMA}),
        ),
    ),
    Row(
        section="field",
        name="top_k",
        messages={"top_k": 5},
        chat={"top_k": 5},
        cells=on(as_is("top_k", 5), as_is("top_k", 5), dropped("top_k")),
    ),
    Row(
        section="field",
        name="top_p",
        messages={"top_p": 0.9},
        chat={"top_p": 0.9},
        cells=on(as_is("top_p", 0.9), as_is("top_p", 0.9), as_is("top_p", 0.9)),
    ),
)

_FLAG = "context-1m-2025-08-07"
AS_HEADER = translated(
    "`anthropic-beta`", headers={"anthropic-beta": _FLAG}, sent={"betas": GONE, "anthropic_beta": GONE}
)
_DATE = "2025-01-01"
_VERSION = translated("`anthropic-version`", headers={"anthropic-version": _DATE}, sent={"anthropic_version": GONE})
_PROFILE = {"anthropic-user-profile-id": "profile_7"}
_PLACE = {"anthropic-workspace-id": "wrkspc_7"}

ANTHROPIC = (
    Row(
        section="field",
        name="betas",
        messages={"betas": [_FLAG]},
        chat={"betas": [_FLAG]},
        cells=on(
            AS_HEADER, AS_HEADER, dropped("anthropic_beta", headers={"anthropic-beta": GONE}, sent={"betas": GONE})
        ),
    ),
    Row(
        section="field",
        name="anthropic_beta",
        messages={"anthropic_beta": _FLAG},
        chat={"anthropic_beta": _FLAG},
        cells=on(AS_HEADER, AS_HEADER, dropped("anthropic_beta", headers={"anthropic-beta": GONE})),
    ),
    Row(
        section="field",
        name="anthropic_version",
        messages={"anthropic_version": _DATE},
        chat={"anthropic_version": _DATE},
        cells=on(_VERSION, _VERSION, used("a version of Anthropic's API", headers={"anthropic-version": GONE})),
    ),
    native("billing_policy", {"type": "billing_policy", "bill_to": "user_profile"}, refused("billing_policy")),
    native("cache_control", {"type": "ephemeral", "ttl": "1h"}),
    native("compaction", {"type": "summarize"}, refused("compaction"), flag="compact-2026-09-04"),
    native("container", {"id": "container_1", "skills": [{"type": "anthropic", "skill_id": "pptx"}]}),
    native(
        "context_management", {"edits": [{"type": "clear_tool_uses_20250919"}]}, flag="context-management-2025-06-27"
    ),
    native("diagnostics", {"previous_message_id": "msg_0"}),
    native("fallback_credit_token", "credit-1", flag="fallback-credit-2026-07-01"),
    native("fallbacks", [{"model": "claude-haiku-4-5"}], flag="server-side-fallback-2026-07-01"),
    native("inference_geo", "eu"),
    native("mcp_servers", [{"type": "url", "url": "https://mcp.example.com", "name": "docs"}]),
    native("speed", "standard"),
    native(
        "thread",
        {"type": "create"},
        refused("thread", code="thread_unsupported_request"),
        flag="message-threads-2026-08-12",
    ),
    Row(
        section="field",
        name="user_profile_id",
        headers=_PROFILE,
        cells=on(
            carried("a header", headers=_PROFILE),
            carried("a header", headers=_PROFILE),
            dropped("user_profile_id", headers=dict.fromkeys(_PROFILE, GONE)),
        ),
    ),
    Row(
        section="field",
        name="workspace_id",
        headers=_PLACE,
        cells=on(
            carried("a header", headers=_PLACE),
            carried("a header", headers=_PLACE),
            dropped("workspace_id", headers=dict.fromkeys(_PLACE, GONE)),
        ),
    ),
)

_LEGACY = {"name": "look", "description": "Looks.", "parameters": SCHEMA}

CHAT = (
    lost("audio", {"format": "mp3", "voice": "alloy"}),
    lost("frequency_penalty", 0.5),
    Row(
        section="field",
        name="function_call",
        chat={"functions": [_LEGACY], "function_call": {"name": "look"}},
        cells=on(
            translated("`tool_choice`", sent={"tool_choice": {"type": "tool", "name": "look"}}), CHAT_ONLY, CHAT_ONLY
        ),
    ),
    chat_field("functions", [_LEGACY], translated("`tools`", sent={"tools": [TOOL]})),
    lost("logit_bias", {"50256": -100}),
    lost("logprobs", True),
    chat_field("max_completion_tokens", 88, translated("`max_tokens`", sent={"max_tokens": 88})),
    lost("modalities", ["text", "audio"]),
    lost("moderation", {"model": "omni"}),
    lost("n", 2),
    Row(
        section="field",
        name="parallel_tool_calls",
        chat={"tools": [FUNCTION], "parallel_tool_calls": False},
        cells=on(
            translated(
                "`disable_parallel_tool_use`", sent={"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
            ),
            CHAT_ONLY,
            CHAT_ONLY,
        ),
    ),
    lost("prediction", {"type": "content", "content": "x"}),
    lost("presence_penalty", 0.5),
    lost("prompt_cache_key", "key"),
    lost("prompt_cache_options", {"mode": "x"}),
    lost("prompt_cache_retention", "24h"),
    chat_field(
        "reasoning",
        {"effort": "high"},
        translated("`thinking`, `effort`", sent={"thinking.type": "adaptive", "output_config.effort": "high"}),
    ),
    chat_field(
        "reasoning_effort",
        "high",
        translated("`thinking`, `effort`", sent={"thinking.type": "adaptive", "output_config.effort": "high"}),
    ),
    chat_field(
        "response_format", CHAT_FORMAT, translated("`output_config.format`", sent={"output_config.format": FORMAT})
    ),
    chat_field(
        "safety_identifier", "user-7", translated("`metadata.user_id`", sent={"metadata": {"user_id": "user-7"}})
    ),
    lost("seed", 7),
    chat_field("stop", "END", translated("`stop_sequences`", sent={"stop_sequences": ["END"]})),
    lost("store", True),
    Row(
        section="field",
        name="stream_options",
        modes=("streamed",),
        chat={"stream_options": {"include_usage": True}},
        cells=on(
            used("usage last", sent={"stream_options": GONE}, events=('"choices":[],"usage":',)), CHAT_ONLY, CHAT_ONLY
        ),
    ),
    lost("top_logprobs", 3),
    chat_field("user", "user-7", translated("`metadata.user_id`", sent={"metadata": {"user_id": "user-7"}})),
    lost("verbosity", "low"),
    chat_field(
        "web_search_options",
        {"user_location": {"type": "approximate", "approximate": {"city": "Bern"}}},
        translated(
            "a web search tool",
            holds=({"type": "approximate", "city": "Bern"},),
            sent={"tools[0].type": "web_search_20250305", "tools[0].name": "web_search"},
        ),
    ),
    lost("a_field_of_tomorrow", {"a": 1}),
)


def thinking(kind: str, value: dict, model: str) -> Row:
    """A way to think."""
    sample = {"thinking": value, "max_tokens": 4096}
    return Row(
        section="variant",
        name=f"thinking {kind}",
        messages=sample,
        chat=sample,
        model=model,
        cells=on(as_is("thinking", value), as_is("thinking", value), dropped("thinking")),
    )


def choice(kind: str, written: dict, openai: object, **chat) -> Row:
    """A tool choice in both dialects."""
    return Row(
        section="variant",
        name=f"tool_choice {kind}",
        messages={"tools": [TOOL], "tool_choice": written},
        chat={"tools": [FUNCTION], "tool_choice": openai},
        cells=on(
            translated(sent={"tool_choice": written, "tools": [TOOL]}),
            as_is("tool_choice", written),
            translated(sent={"tool_choice": openai}),
        ),
    )


def form(name: str, value: dict, chat: Expect) -> Row:
    """A response format of chat completions."""
    return Row(
        section="variant",
        name=f"response_format {name}",
        chat={"response_format": value},
        cells=on(chat, CHAT_ONLY, CHAT_ONLY),
    )


VARIANTS = (
    thinking("enabled", {"type": "enabled", "budget_tokens": 1024}, "claude-sonnet-4-6"),
    thinking("adaptive", {"type": "adaptive", "display": "summarized"}, "claude-sonnet-4-6"),
    thinking("between_tools", {"type": "between_tools"}, "claude-sonnet-5-5"),
    thinking("disabled", {"type": "disabled"}, "claude-sonnet-4-6"),
    choice("auto", {"type": "auto"}, "auto"),
    choice("any", {"type": "any"}, "required"),
    choice("tool", {"type": "tool", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
    choice("none", {"type": "none"}, "none"),
    Row(
        section="variant",
        name="tool_choice any, where refused",
        chat={"tools": [FUNCTION], "tool_choice": "required"},
        messages={"tools": [TOOL], "tool_choice": {"type": "any"}},
        model="claude-opus-5-5",
        cells=on(
            translated("asked for in words", sent={"tool_choice": {"type": "auto"}}, adjusted=("tool_choice",)),
            carried(),
            translated("`required`", sent={"tool_choice": "required"}),
        ),
    ),
    Row(
        section="variant",
        name="output_config.format",
        messages={"output_config": {"format": FORMAT}},
        chat={"output_config": {"format": FORMAT}},
        cells=on(
            carried(sent={"output_config": {"format": FORMAT}}),
            carried(sent={"output_config": {"format": FORMAT}}),
            translated(
                "`response_format`",
                sent={"response_format.json_schema.schema": SCHEMA, "response_format.json_schema.strict": True},
            ),
        ),
    ),
    form("text", {"type": "text"}, used("the default", sent={"output_config": GONE})),
    form("json_schema", CHAT_FORMAT, translated("`output_config.format`", sent={"output_config.format": FORMAT})),
    form(
        "json_object",
        {"type": "json_object"},
        translated(
            "asked for in words", sent={"output_config": GONE, "system[0].type": "text"}, adjusted=("response_format",)
        ),
    ),
    Row(
        section="variant",
        name="response_format json_schema, where not native",
        chat={"response_format": CHAT_FORMAT},
        model="claude-sonnet-4",
        anthropic={
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "place", "input": {"city": "Bern"}}],
            "stop_reason": "tool_use",
        },
        cells=on(
            translated(
                "a tool",
                sent={"tools[0].name": "place", "tool_choice": {"type": "tool", "name": "place"}},
                adjusted=("response_format",),
                got={"choices[0].message.tool_calls": GONE},
            ),
            CHAT_ONLY,
            CHAT_ONLY,
        ),
    ),
)

ROWS = (*SHARED, *ANTHROPIC, *CHAT, *VARIANTS)
