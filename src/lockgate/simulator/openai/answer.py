"""Composes the answer to a chat completion request: a pure function of seed, request and orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from lockgate.simulator import prose
from lockgate.simulator.dice import Dice
from lockgate.simulator.directives import AnswerPlan
from lockgate.simulator.openai.asked import Asked
from lockgate.simulator.openai.calls import Call, choose_calls
from lockgate.simulator.openai.models import Model
from lockgate.simulator.schema_instance import SchemaError, make_instance
from lockgate.simulator.tokens import count_text, cut_text

CREATED = 1_767_225_600
"""``created`` of every answer: 2026-01-01, because answers do not depend on a clock."""

_REASONING_TOKENS = {"none": 0, "minimal": 16, "low": 32, "medium": 64, "high": 128, "xhigh": 256, "max": 512}
_REASONS = {"max_tokens": "length", "end_turn": "stop", "tool_use": "tool_calls", "refusal": "stop"}


class Choice(Struct, frozen=True, kw_only=True):
    """One of the answers to a request."""

    text: str | None
    refusal: str | None = None
    calls: tuple[Call, ...] = ()
    finish_reason: str
    annotations: tuple[Mapping[str, Any], ...] = ()
    tokens: int
    reasoning_tokens: int
    pieces: int = 0
    """How many deltas to stream the text in; 0: as it comes."""


class Answer(Struct, frozen=True, kw_only=True):
    """A finished answer, before it is written whole or streamed."""

    id: str
    model: str
    fingerprint: str
    service_tier: str
    choices: tuple[Choice, ...]
    usage: Mapping[str, Any]
    top_logprobs: int | None = None
    """None: no logprobs were asked for."""


class Draft(Struct, frozen=True, kw_only=True):
    """What an answer is made from."""

    body: Mapping[str, Any]
    model: Model
    asked: Asked
    plan: AnswerPlan
    dice: Dice
    prompt_tokens: int
    cached_tokens: int


def compose(draft: Draft) -> Answer:
    """Return the answer."""
    body = draft.body
    choices = tuple(_make_choice(draft, draft.dice.child(f"choice{index}")) for index in range(int(body.get("n") or 1)))
    return Answer(
        id=f"chatcmpl-{draft.dice.child('id').letters(29)}",
        model=draft.model.id,
        fingerprint=f"fp_{draft.dice.child('fingerprint').bytes(5).hex()}",
        service_tier=_tier(body.get("service_tier")),
        choices=choices,
        usage=_write_usage(choices, draft),
        top_logprobs=int(body.get("top_logprobs") or 0) if body.get("logprobs") else None,
    )


def _tier(asked: str | None) -> str:
    return "default" if asked in (None, "auto") else str(asked)


def _make_choice(draft: Draft, dice: Dice) -> Choice:
    plan = draft.plan
    reason = _REASONS.get(plan.stop_reason, plan.stop_reason)
    calls = tuple(choose_calls(draft.body, draft.asked, plan, dice.child("calls")))
    text: str | None = plan.text if calls else _text(draft, dice)
    refusal = None
    if plan.stop_reason == "refusal":
        text, refusal, calls = None, plan.text or "Simulated refusal.", ()
    if plan.stop_reason == "content_filter":
        text, calls = cut_text(text or "", count_text(text or "") // 2), ()
    if plan.stop_reason in ("length", "max_tokens"):
        text = cut_text(text or "", max(1, count_text(text or "") // 2))
    return _limit(draft, text, refusal, calls, reason)


def _limit(draft: Draft, text: str | None, refusal: str | None, calls: tuple[Call, ...], reason: str) -> Choice:
    """Apply stop sequences and the token limit, and say why the answer ends."""
    reasoning = _REASONING_TOKENS[_effort(draft)]
    most = draft.body.get("max_completion_tokens") or draft.body.get("max_tokens")
    text, is_stopped = _stop_at(text, draft.body.get("stop"))
    if is_stopped:
        calls = ()
    is_cut = False
    if most is not None:
        most = int(most)
        reasoning = min(reasoning, most)
        text, calls, is_cut = _cut(text, calls, most - reasoning)
    if is_cut:
        reason = "length"
    elif is_stopped:
        reason = "stop"
    elif not reason or reason == "tool_calls":
        legacy = any(call.kind == "legacy" for call in calls)
        reason = ("function_call" if legacy else "tool_calls") if calls else "stop"
    written = count_text(text or "") + count_text(refusal or "") + sum(_count_call(call) for call in calls)
    return Choice(
        text=text,
        refusal=refusal,
        calls=calls,
        finish_reason=reason,
        annotations=_annotate(draft, text),
        tokens=written + reasoning,
        reasoning_tokens=reasoning,
        pieces=draft.plan.events,
    )


def _effort(draft: Draft) -> str:
    if not draft.model.efforts:
        return "none"
    return draft.body.get("reasoning_effort") or draft.model.default_effort


def _text(draft: Draft, dice: Dice) -> str:
    asked, plan = draft.asked, draft.plan
    schema = _find_schema(draft.body)
    if plan.text is not None:
        text = plan.text
    elif schema is not None:
        return _structured(schema, dice)
    elif plan.big:
        text = prose.long_text(dice, plan.big)
    elif asked.results and not asked.text:
        text = prose.tool_result_text(dice, list(asked.results))
    else:
        text = prose.answer_text(dice, echo=asked.text, images=asked.images, documents=asked.documents)
    return text if len(text) >= plan.events else text + prose.long_text(dice, plan.events - len(text))


def _find_schema(body: Mapping[str, Any]) -> Any:
    wanted = body.get("response_format") or {"type": "text"}
    if wanted["type"] == "json_object":
        properties = {"answer": {"type": "string"}, "count": {"type": "integer"}}
        return {"type": "object", "properties": properties, "required": ["answer", "count"]}
    return wanted["json_schema"]["schema"] if wanted["type"] == "json_schema" else None


def _structured(schema: Any, dice: Dice) -> str:
    try:
        return msgspec.json.encode(make_instance(schema, dice.child("schema"))).decode()
    except SchemaError:
        return "null"


def _annotate(draft: Draft, text: str | None) -> tuple[Mapping[str, Any], ...]:
    if not draft.model.is_search or not text:
        return ()
    place = {"start_index": 0, "end_index": min(len(text), 20)}
    return ({"type": "url_citation", "url_citation": {**place, "title": "Result 1", "url": "https://example.com/1"}},)


def _stop_at(text: str | None, stop: Any) -> tuple[str | None, bool]:
    sequences = [stop] if isinstance(stop, str) else stop or []
    hits = [text.find(sequence) for sequence in sequences if sequence and sequence in text] if text else []
    return (text[: min(hits)], True) if text and hits else (text, False)


def _cut(text: str | None, calls: tuple[Call, ...], tokens: int) -> tuple[str | None, tuple[Call, ...], bool]:
    if text is not None and count_text(text) > tokens:
        return cut_text(text, tokens), (), True
    tokens -= count_text(text or "")
    kept = []
    for call in calls:
        if _count_call(call) > tokens:
            fitting = cut_text(call.arguments, tokens - count_text(call.name))
            if tokens > 0:
                kept.append(msgspec.structs.replace(call, arguments=fitting))
            return text, tuple(kept), True
        tokens -= _count_call(call)
        kept.append(call)
    return text, tuple(kept), False


def _count_call(call: Call) -> int:
    return count_text(call.name) + count_text(call.arguments)


def _write_usage(choices: tuple[Choice, ...], draft: Draft) -> Mapping[str, Any]:
    plan = draft.plan
    prompt = draft.prompt_tokens if plan.input_tokens is None else plan.input_tokens
    written = sum(choice.tokens for choice in choices) if plan.output_tokens is None else plan.output_tokens
    cached = draft.cached_tokens if plan.cache_read is None else plan.cache_read
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {
            "cached_tokens": cached,
            "audio_tokens": 0,
            "cache_write_tokens": plan.cache_creation or 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": min(sum(choice.reasoning_tokens for choice in choices), written),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
