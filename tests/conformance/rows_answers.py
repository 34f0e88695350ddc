"""Rows of what providers answer: blocks, fields, events and deltas of streams, and stop reasons."""

from __future__ import annotations

from tests.conformance.table import GONE, Expect, Row, carried, hidden, none, on, translated, used

CHOICE = "choices[0]"
SAID = f"{CHOICE}.message"
NOT_THERE = none("OpenAI's format has none")
TEXT = {"type": "text", "text": "Fine, grüße ☂"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"city": "Zürich ☂", "n": 1}}
PROGRAM = {"type": "code_execution_20260120", "tool_id": "srvtoolu_é"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"city": "Zürich ☂", "n": 1}'}}
WEB = {
    "type": "web_search_result_location",
    "url": "https://a.example",
    "title": "A",
    "cited_text": "words",
    "encrypted_index": "zz",
}


def says(message: dict, finish: str = "stop") -> dict[str, object]:
    """What an OpenAI-format provider answers."""
    whole = {"role": "assistant", "content": None, **message}
    return {"choices": [{"index": 0, "message": whole, "finish_reason": finish}]}


def answer(
    name: str,
    block: dict,
    *,
    strict: Expect | None = None,
    non_strict: Expect | None = None,
    adapter: Expect = NOT_THERE,
    openai: dict | None = None,
    stop: str = "end_turn",
    finish: str = "stop",
) -> Row:
    """A block of an answer, followed by text."""
    return Row(
        section="answer",
        name=name,
        anthropic={"content": [block, TEXT], "stop_reason": stop},
        openai=says(openai, finish) if openai else {},
        cells=on(
            strict=strict or dropped_from_strict(block),
            non_strict=non_strict or carried("in `content_blocks`", got={f"{SAID}.content_blocks": [block, TEXT]}),
            messages=carried(got={"content": [block, TEXT]}),
            adapter=adapter,
        ),
    )


def dropped_from_strict(block: dict) -> Expect:
    """OpenAI's clients have no field for it; it is never shown as a tool call."""
    return hidden(
        got={f"{SAID}.content": TEXT["text"], f"{SAID}.tool_calls": GONE, f"{SAID}.content_blocks": GONE},
        hides=(block,),
    )


def server_result(kind: str) -> dict:
    return {"type": kind, "tool_use_id": "srvtoolu_1", "content": {"type": "x_result", "words": ["é", None]}}


def _cited(kind: str) -> dict:
    return {**TEXT, "citations": [{"type": kind, "cited_text": "words ☂", "document_index": 0, "document_title": None}]}


_CALLS = {f"{SAID}.tool_calls[0].id": "toolu_1", f"{SAID}.tool_calls[0].function.name": "look"}
_THOUGHT = {"type": "thinking", "thinking": "hm ☂", "signature": "c2ln"}

ANSWERS = (
    answer(
        "text",
        {"type": "text", "text": "One ☂ "},
        strict=carried("`content`", got={f"{SAID}.content": "One ☂ " + TEXT["text"]}),
        adapter=carried(got={"content": [TEXT]}),
        openai={"content": TEXT["text"]},
    ),
    Row(
        section="answer",
        name="citation web_search_result_location",
        anthropic={"content": [{**TEXT, "citations": [WEB]}]},
        cells={
            **on(
                strict=translated(
                    "`annotations`",
                    got={
                        f"{SAID}.annotations[0].url_citation.url": "https://a.example",
                        f"{SAID}.content_blocks": GONE,
                    },
                ),
                non_strict=carried(
                    "in `content_blocks`", got={f"{SAID}.content_blocks": [{**TEXT, "citations": [WEB]}]}
                ),
                messages=carried(got={"content[0].citations": [WEB]}),
                adapter=NOT_THERE,
                chat_strict__streamed=hidden(got={f"{SAID}.content": TEXT["text"]}, hides=(WEB,)),
            )
        },
    ),
    *(
        answer(
            f"citation {kind}",
            _cited(kind),
            strict=hidden(
                got={f"{SAID}.annotations": GONE, f"{SAID}.content": TEXT["text"] * 2}, hides=(_cited(kind),)
            ),
        )
        for kind in ("char_location", "page_location", "content_block_location", "search_result_location")
    ),
    answer(
        "thinking",
        _THOUGHT,
        adapter=translated(
            "without a signature", got={"content": [{"type": "thinking", "thinking": "hm ☂", "signature": ""}, TEXT]}
        ),
        openai={"reasoning_content": "hm ☂", "content": TEXT["text"]},
    ),
    answer("thinking without text", {"type": "thinking", "thinking": "", "signature": "c2ln"}),
    answer("redacted_thinking", {"type": "redacted_thinking", "data": "b3Bh"}),
    Row(
        section="answer",
        name="tool_use",
        anthropic={"content": [TEXT, USE], "stop_reason": "tool_use"},
        openai=says({"content": TEXT["text"], "tool_calls": [CALL]}, "tool_calls"),
        cells=on(
            strict=translated("`tool_calls`", got={**_CALLS, f"{CHOICE}.finish_reason": "tool_calls"}),
            non_strict=translated("`tool_calls`", got={**_CALLS, f"{SAID}.content_blocks": [TEXT]}),
            messages=carried(got={"content": [TEXT, USE]}),
            adapter=translated(got={"content": [TEXT, {**USE, "id": "call_1"}], "stop_reason": "tool_use"}),
        ),
    ),
    Row(
        section="answer",
        name="tool_use, two at once",
        anthropic={"content": [USE, {**USE, "id": "toolu_2", "input": {}}], "stop_reason": "tool_use"},
        openai=says({"tool_calls": [CALL, {**CALL, "id": "call_2"}]}, "tool_calls"),
        cells=on(
            translated(
                "`tool_calls`",
                got={**_CALLS, f"{SAID}.tool_calls[1].id": "toolu_2", f"{SAID}.tool_calls[1].function.arguments": "{}"},
            ),
            carried(),
            translated(got={"content": [{**USE, "id": "call_1"}, {**USE, "id": "call_2"}]}),
        ),
    ),
    Row(
        section="answer",
        name="tool_use between thinking",
        anthropic={"content": [_THOUGHT, USE, _THOUGHT, {**USE, "id": "toolu_2"}], "stop_reason": "tool_use"},
        cells={
            **on(
                strict=translated("`tool_calls`", got=_CALLS),
                non_strict=carried(
                    "in `content_blocks`",
                    got={f"{SAID}.content_blocks": [_THOUGHT, USE, _THOUGHT, {**USE, "id": "toolu_2"}], **_CALLS},
                ),
                messages=carried(),
                adapter=NOT_THERE,
                chat_non_strict__streamed=carried(
                    "positions by `index`",
                    got={f"{SAID}.content_blocks": [_THOUGHT, _THOUGHT], **_CALLS},
                    events=('"content_blocks":[{"index":2,',),
                ),
            )
        },
    ),
    Row(
        section="answer",
        name="tool_use of a toolset",
        anthropic={"content": [{**USE, "name": "left_click", "toolset_name": "computer"}], "stop_reason": "tool_use"},
        cells=on(
            strict=translated("`tool_calls`", got={f"{SAID}.tool_calls[0].toolset_name": GONE}),
            non_strict=carried("`toolset_name`", got={f"{SAID}.tool_calls[0].toolset_name": "computer"}),
            messages=carried(),
            adapter=NOT_THERE,
        ),
    ),
    Row(
        section="answer",
        name="tool_use of a program",
        anthropic={"content": [{**USE, "caller": PROGRAM}], "stop_reason": "tool_use"},
        cells=on(
            strict=translated("`tool_calls`", got={f"{SAID}.tool_calls[0].caller": GONE}),
            non_strict=carried("`caller`", got={f"{SAID}.tool_calls[0].caller": PROGRAM}),
            messages=carried(),
            adapter=NOT_THERE,
        ),
    ),
    answer(
        "server_tool_use",
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "é"}},
    ),
    *(
        answer(kind, server_result(kind))
        for kind in (
            "web_search_tool_result",
            "web_fetch_tool_result",
            "advisor_tool_result",
            "code_execution_tool_result",
            "bash_code_execution_tool_result",
            "text_editor_code_execution_tool_result",
            "tool_search_tool_result",
        )
    ),
    answer(
        "mcp_tool_use",
        {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "x", "server_name": "docs", "input": {"a": "é"}},
    ),
    answer(
        "mcp_tool_result",
        {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": False, "content": [TEXT]},
    ),
    answer("mcp_tool_listing", {"type": "mcp_tool_listing", "mcp_server_name": "docs", "tools": [{"name": "x"}]}),
    answer("container_upload", {"type": "container_upload", "file_id": "file_1"}),
    answer("compaction", {"type": "compaction", "content": "so far ☂", "signature": "c2ln"}),
    answer("fallback", {"type": "fallback", "from": {"model": "claude-opus-5"}, "to": {"model": "claude-haiku-4-5"}}),
    answer("a block of tomorrow", {"type": "of_tomorrow", "words": ["é", {"n": None}]}),
    Row(
        section="answer",
        name="refusal of an OpenAI-format provider",
        openai=says({"content": None, "refusal": "no ☂"}),
        cells={
            "chat_strict": none("asked of Claude"),
            "chat_non_strict": none("asked of Claude"),
            "messages": none("asked of Claude"),
            "adapter": translated("text", got={"content": [{"type": "text", "text": "no ☂"}]}),
        },
    ),
)

# ---- fields of answers


def reply(
    name: str, value: object, *, non_strict: Expect, strict: Expect | None = None, adapter: Expect = NOT_THERE
) -> Row:
    """A field beside the content of an answer."""
    silent = hidden(got={name: GONE})
    return Row(
        section="reply",
        name=name,
        anthropic={name: value},
        cells=on(strict=strict or silent, non_strict=non_strict, messages=carried(got={name: value}), adapter=adapter),
    )


def extra(name: str, value: object) -> Row:
    """A field that clients beyond OpenAI's see under its own name."""
    return reply(name, value, non_strict=carried(got={name: value}))


def counted(
    name: str,
    value: object,
    *,
    strict: dict | None = None,
    non_strict: dict | None = None,
    openai: dict | None = None,
    adapter: dict | None = None,
    further: dict | None = None,
) -> Row:
    """A field of ``usage``."""
    usage = {"input_tokens": 11, "output_tokens": 7, name: value, **(further or {})}
    silent = hidden(got={f"usage.{name}": GONE})
    return Row(
        section="reply",
        name=f"usage.{name}",
        anthropic={"usage": usage},
        openai={"usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, **(openai or {})}},
        cells=on(
            strict=translated(got=strict) if strict else silent,
            non_strict=translated(got=non_strict or strict)
            if non_strict or strict
            else carried(got={f"usage.{name}": value}),
            messages=carried(got={f"usage.{name}": value}),
            adapter=translated(got=adapter) if adapter else NOT_THERE,
        ),
    )


_SPLIT = {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3}

REPLIES = (
    reply(
        "id",
        "msg_7",
        strict=carried(got={"id": "msg_7"}),
        non_strict=carried(got={"id": "msg_7"}),
        adapter=used("an id of Messages' form", events=("msg_",)),
    ),
    reply(
        "model",
        "claude-x",
        strict=carried(got={"model": "claude-x"}),
        non_strict=carried(got={"model": "claude-x"}),
        adapter=carried(got={"model": "gpt-4.1"}),
    ),
    reply(
        "role",
        "assistant",
        strict=carried(got={f"{SAID}.role": "assistant"}),
        non_strict=carried(got={f"{SAID}.role": "assistant"}),
        adapter=carried(got={"role": "assistant"}),
    ),
    reply(
        "type",
        "message",
        strict=used("`object`", events=("chat.completion",)),
        non_strict=used("`object`", events=("chat.completion",)),
        adapter=used("`message`", got={"type": "message"}),
    ),
    extra("container", {"id": "container_1", "expires_at": "2026-11-23T00:00:00Z"}),
    extra("context_management", {"applied_edits": [{"type": "clear_tool_uses_20250919", "cleared_tool_uses": 2}]}),
    extra("diagnostics", {"cache_miss_reason": {"type": "system_changed"}}),
    extra("input_transformations", [{"type": "thinking_dropped"}]),
    Row(
        section="reply",
        name="stop_sequence",
        anthropic={"stop_reason": "stop_sequence", "stop_sequence": "END"},
        cells=on(
            strict=hidden(got={f"{CHOICE}.finish_reason": "stop"}),
            non_strict=carried(got={f"{CHOICE}.stop_sequence": "END"}),
            messages=carried(got={"stop_sequence": "END"}),
            adapter=NOT_THERE,
        ),
    ),
    Row(
        section="reply",
        name="stop_details",
        anthropic={"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "no ☂"}},
        cells=on(
            strict=translated("`refusal`", got={f"{SAID}.refusal": "no ☂", f"{SAID}.stop_details": GONE}),
            non_strict=carried(got={f"{SAID}.stop_details.explanation": "no ☂", f"{SAID}.refusal": "no ☂"}),
            messages=carried(got={"stop_details.explanation": "no ☂"}),
            adapter=NOT_THERE,
        ),
    ),
    counted("input_tokens", 11, strict={"usage.prompt_tokens": 11}, adapter={"usage.input_tokens": 11}),
    counted(
        "output_tokens",
        7,
        strict={"usage.completion_tokens": 7, "usage.total_tokens": 18},
        adapter={"usage.output_tokens": 7},
    ),
    counted(
        "cache_read_input_tokens",
        5,
        strict={
            "usage.prompt_tokens": 16,
            "usage.prompt_tokens_details.cached_tokens": 5,
            "usage.cache_read_input_tokens": 5,
        },
        openai={"prompt_tokens_details": {"cached_tokens": 5}},
        adapter={"usage.input_tokens": 6, "usage.cache_read_input_tokens": 5},
    ),
    counted(
        "cache_creation_input_tokens",
        5,
        strict={"usage.prompt_tokens": 16, "usage.cache_creation_input_tokens": 5},
        adapter={"usage.cache_creation_input_tokens": 0},
    ),
    counted(
        "cache_creation",
        _SPLIT,
        non_strict={"usage.cache_creation": _SPLIT},
        further={"cache_creation_input_tokens": 5},
    ),
    counted(
        "output_tokens_details",
        {"thinking_tokens": 3},
        strict={"usage.completion_tokens_details.reasoning_tokens": 3},
        openai={"completion_tokens_details": {"reasoning_tokens": 3}},
        adapter={"usage.output_tokens_details.thinking_tokens": 3},
    ),
    counted("server_tool_use", {"web_search_requests": 2, "web_fetch_requests": 0}),
    counted("inference_geo", "eu"),
    counted("iterations", [{"type": "message", "model": None, "input_tokens": 1}]),
    counted("speed", "fast"),
    counted("fallback_credit", {"amount": 1}),
    counted(
        "service_tier",
        "priority",
        strict={"service_tier": "priority"},
        non_strict={"service_tier": "priority", "usage.service_tier": "priority"},
    ),
)

# ---- streams


def event(
    name: str, chat: Expect, adapter: Expect, *, non_strict: Expect | None = None, events: tuple = (), **further
) -> Row:
    """An event of Anthropic's streams."""
    return Row(
        section="event",
        name=name,
        modes=("streamed",),
        events=events,
        cells=on(
            strict=chat, non_strict=non_strict or chat, messages=carried(events=(f'"type": "{name}"',)), adapter=adapter
        ),
        **further,
    )


def written(name: str) -> Expect:
    """The adapter writes this event itself."""
    return translated("from chunks", events=(f'"type":"{name}"',))


_START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 11, "output_tokens": 1},
    },
}
_OPEN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
_WORDS = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT["text"]}}
_SHUT = {"type": "content_block_stop", "index": 0}
_DONE = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 7},
}
_END = {"type": "message_stop"}
_BROKEN = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
_SAME = carried("`content`", got={f"{SAID}.content": TEXT["text"]})


def delta(
    name: str, block: dict, strict: Expect, non_strict: Expect, adapter: Expect = NOT_THERE, openai: dict | None = None
) -> Row:
    """A delta within a block."""
    return event(
        name,
        strict,
        adapter,
        non_strict=non_strict,
        anthropic={"content": [block, TEXT]},
        openai=says(openai) if openai else {},
    )


def unsaid(block: dict) -> Expect:
    return dropped_from_strict(block)


def block_back(block: dict) -> Expect:
    return carried("in `content_blocks`", got={f"{SAID}.content_blocks": [block, TEXT]})


EVENTS = (
    event(
        "message_start",
        translated("the first chunk", got={"id": "msg_1"}, events=('"role":"assistant","content":""',)),
        written("message_start"),
    ),
    event(
        "content_block_start",
        used("with its first delta", got={f"{SAID}.content": TEXT["text"]}),
        written("content_block_start"),
        non_strict=carried("in `content_blocks`", events=('"content_blocks":[{"index":0,"delta":{"text":""}}]',)),
    ),
    event(
        "content_block_delta",
        translated("`delta`", got={f"{SAID}.content": TEXT["text"]}),
        written("content_block_delta"),
    ),
    event(
        "content_block_stop",
        used("nothing to say", got={f"{SAID}.content": TEXT["text"]}),
        written("content_block_stop"),
    ),
    event(
        "message_delta",
        translated("`finish_reason`, `usage`", got={f"{CHOICE}.finish_reason": "stop", "usage.completion_tokens": 7}),
        written("message_delta"),
        non_strict=translated(
            "`finish_reason`, `usage`", got={f"{CHOICE}.finish_reason": "end_turn", "usage.completion_tokens": 7}
        ),
    ),
    event("message_stop", translated("`[DONE]`", events=("data: [DONE]",)), written("message_stop")),
    event("ping", used("nothing to say", got={f"{SAID}.content": TEXT["text"]}), written("ping")),
    event(
        "error",
        translated(
            "an error chunk, no `[DONE]`", got={"error.type": "overloaded_error", f"{SAID}.content": TEXT["text"]}
        ),
        NOT_THERE,
        events=(_START, _OPEN, _WORDS, _BROKEN),
    ),
    event(
        "event_of_tomorrow",
        used("left out", got={f"{SAID}.content": TEXT["text"]}),
        NOT_THERE,
        events=(_START, _OPEN, _WORDS, {"type": "event_of_tomorrow", "x": 1}, _SHUT, _DONE, _END),
    ),
    delta(
        "text_delta",
        {"type": "text", "text": "One ☂ "},
        translated("`content`", got={f"{SAID}.content": "One ☂ " + TEXT["text"]}),
        block_back({"type": "text", "text": "One ☂ "}),
        translated(got={"content": [TEXT]}, events=('"type":"text_delta"',)),
        {"content": TEXT["text"]},
    ),
    delta(
        "input_json_delta",
        USE,
        translated(
            "`arguments`", got={f"{SAID}.tool_calls[0].function.arguments": '{"city": "Z\\u00fcrich \\u2602", "n": 1}'}
        ),
        translated(
            "`arguments`", got={f"{SAID}.tool_calls[0].function.arguments": '{"city": "Z\\u00fcrich \\u2602", "n": 1}'}
        ),
        translated(got={"content[0].input": USE["input"]}, events=('"type":"input_json_delta"',)),
        {"tool_calls": [CALL]},
    ),
    delta(
        "thinking_delta",
        _THOUGHT,
        unsaid(_THOUGHT),
        block_back(_THOUGHT),
        translated(got={"content[0].thinking": "hm ☂"}, events=('"type":"thinking_delta"',)),
        {"reasoning_content": "hm ☂", "content": "so"},
    ),
    delta("signature_delta", _THOUGHT, unsaid(_THOUGHT), block_back(_THOUGHT)),
    delta(
        "citations_delta",
        {**TEXT, "citations": [WEB]},
        hidden(got={f"{SAID}.content": TEXT["text"] * 2}, hides=(WEB,)),
        block_back({**TEXT, "citations": [WEB]}),
    ),
    delta(
        "compaction_delta",
        {"type": "compaction", "content": "so far ☂", "signature": "c2ln"},
        unsaid({"type": "compaction", "content": "so far ☂", "signature": "c2ln"}),
        block_back({"type": "compaction", "content": "so far ☂", "signature": "c2ln"}),
    ),
)

# ---- stop reasons


def stop(reason: str, strict: str, finish: str | None, **further) -> Row:
    """A stop reason, and the finish reason of OpenAI's that means it."""
    return Row(
        section="stop",
        name=reason,
        anthropic={"stop_reason": reason, **further},
        openai=says({"content": "so", **({"tool_calls": [CALL]} if finish == "tool_calls" else {})}, finish)
        if finish
        else {},
        cells=on(
            strict=translated(f"`{strict}`", got={f"{CHOICE}.finish_reason": strict}),
            non_strict=carried(got={f"{CHOICE}.finish_reason": reason}),
            messages=carried(got={"stop_reason": reason}),
            adapter=translated(f"from `{finish}`", got={"stop_reason": reason}) if finish else NOT_THERE,
        ),
    )


STOPS = (
    stop("end_turn", "stop", "stop"),
    stop("max_tokens", "length", "length"),
    stop("stop_sequence", "stop", None, stop_sequence="END"),
    stop("tool_use", "tool_calls", "tool_calls", content=[TEXT, USE]),
    stop("pause_turn", "stop", None),
    stop("compaction", "stop", None),
    stop("refusal", "content_filter", "content_filter"),
    stop("model_context_window_exceeded", "length", None),
    stop("a_reason_of_tomorrow", "stop", None),
)

ROWS = (*ANSWERS, *REPLIES, *EVENTS, *STOPS)
