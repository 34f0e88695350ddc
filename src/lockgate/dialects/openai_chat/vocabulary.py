"""Words and counts that OpenAI and the canonical form spell differently: finish reasons, usage, service tiers."""

from __future__ import annotations

from msgspec import Raw

from lockgate.core.chat import StopReason, Usage
from lockgate.core.json_text import decode, given
from lockgate.dialects.openai_chat.wire import (
    CompletionDetails,
    PromptDetails,
    UsageIn,
    read_cache_creation,
    read_usage_in,
)

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "pause_turn": "stop",
    "refusal": "content_filter",
    "model_context_window_exceeded": "length",
    "compaction": "stop",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_STOP = {
    "stop": "end_turn",
    "eos": "end_turn",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "safety": "refusal",
}
_NATIVE_STOPS = frozenset(_FINISH)
"""Anthropic's own words, as a gateway that is not strict hands them on."""
_TIER_OUT = {"standard": "default", "priority": "priority"}
_TIER_IN = {"default": "standard"}
_NO_EXTRA: dict[str, Raw] = {}
_HIDDEN_TIERS = frozenset({"batch"})


def finish_reason(stop: StopReason | None, *, has_tool: bool, is_strict: bool) -> str:
    """Return what ``finish_reason`` says: one of OpenAI's words if strict, else the provider's own word."""
    if stop is None:
        return "stop"
    if not is_strict:
        return stop
    if stop == "tool_use" and not has_tool:
        return "stop"
    return _FINISH.get(stop, "stop")


def stop_reason(finish: str | None, *, has_tool: bool) -> StopReason:
    """Return the canonical stop reason. A tool call counts, whatever the provider says about a plain end."""
    stop = _STOP.get(finish or "stop") or (finish if finish in _NATIVE_STOPS else "end_turn") or "end_turn"
    return "tool_use" if has_tool and stop not in ("max_tokens", "refusal") else stop


def read_usage(raw: Raw, service_tier: str | None = None) -> Usage | None:
    """Return a provider's usage in disjoint parts; None when there is none that makes sense."""
    present = given(raw)
    if present is None:
        return None
    try:
        wire = decode(read_usage_in, present)
    except (ValueError, RecursionError):
        return None
    if wire.prompt_tokens is None and wire.completion_tokens is None:
        return None
    prompt = wire.prompt_tokens_details or PromptDetails()
    completion = wire.completion_tokens_details or CompletionDetails()
    read = _first(prompt.cached_tokens, wire.cache_read_input_tokens, wire.prompt_cache_hit_tokens)
    written = _first(prompt.cache_write_tokens, wire.cache_creation_input_tokens)
    return Usage(
        input=_uncached(wire, read, written),
        output=wire.completion_tokens,
        cache_read=read,
        cache_write=written,
        cache_write_1h=_hour(wire.cache_creation),
        reasoning=completion.reasoning_tokens,
        input_audio=prompt.audio_tokens,
        output_audio=completion.audio_tokens,
        service_tier=_TIER_IN.get(service_tier, service_tier) if service_tier else None,
        extra=_native(wire),
    )


def _hour(raw: Raw) -> int | None:
    present = given(raw)
    if present is None:
        return None
    try:
        return decode(read_cache_creation, present).ephemeral_1h_input_tokens
    except (ValueError, RecursionError):
        return None


def _native(wire: UsageIn) -> dict[str, Raw]:
    """Return what a gateway in between handed on of Anthropic's usage: a price depends on it."""
    members = (("server_tool_use", wire.server_tool_use), ("speed", wire.speed), ("inference_geo", wire.inference_geo))
    found = {name: value for name, raw in members if (value := given(raw)) is not None}
    return found or _NO_EXTRA


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


def _uncached(wire: UsageIn, read: int | None, written: int | None) -> int | None:
    if wire.prompt_tokens is None:
        return None
    return max(0, wire.prompt_tokens - (read or 0) - (written or 0))


def write_usage(usage: Usage, *, is_strict: bool) -> dict[str, object] | None:
    """Return ``usage`` as OpenAI counts it; the prompt includes what was cached. None when nothing is known."""
    if usage.input is None and usage.output is None:
        return None
    fresh, output = usage.input or 0, usage.output or 0
    read, written = usage.cache_read or 0, usage.cache_write or 0
    prompt = fresh + read + written
    details = {"cached_tokens": read}
    if usage.cache_write is not None:
        details["cache_write_tokens"] = written
    if usage.input_audio is not None:
        details["audio_tokens"] = usage.input_audio
    wire: dict[str, object] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": details,
    }
    spent = (("reasoning_tokens", usage.reasoning), ("audio_tokens", usage.output_audio))
    if known := {name: count for name, count in spent if count is not None}:
        wire["completion_tokens_details"] = known
    if read or written:
        wire["cache_read_input_tokens"] = read
        wire["cache_creation_input_tokens"] = written
    if not is_strict:
        _add_native(wire, usage, written)
    return wire


def _add_native(wire: dict[str, object], usage: Usage, written: int) -> None:
    if usage.cache_write_1h is not None:
        wire["cache_creation"] = {
            "ephemeral_5m_input_tokens": max(0, written - usage.cache_write_1h),
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    if usage.service_tier is not None:
        wire["service_tier"] = usage.service_tier
    for name, value in usage.extra.items():
        wire.setdefault(name, value)


def write_tier(usage: Usage) -> str | None:
    """Return the reply's ``service_tier`` in OpenAI's words, None for what OpenAI has no word for."""
    tier = usage.service_tier
    return None if tier is None or tier in _HIDDEN_TIERS else _TIER_OUT.get(tier, tier)
