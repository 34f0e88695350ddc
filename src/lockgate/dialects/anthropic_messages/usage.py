"""Token counts, read from Anthropic's ``usage`` and written as one. Counts of 0 stand where we know none."""

from __future__ import annotations

from msgspec import Raw

from lockgate.core.chat import Usage
from lockgate.core.json_text import NULL, decode, given, object_keys
from lockgate.dialects.anthropic_messages.faults import decode_upstream
from lockgate.dialects.anthropic_messages.wire import UsageIn, exact_usage_decoder, usage_decoder

_KNOWN = frozenset(UsageIn.__struct_fields__)
_TIERS = {"standard": "standard", "default": "standard", "priority": "priority", "batch": "batch"}
_NO_EXTRA: dict[str, Raw] = {}


def read_usage(raw: Raw) -> Usage:
    """Read ``usage``, nothing for one that is absent or null. Raises Malformed."""
    found = given(raw)
    if found is None:
        return Usage()
    extra = _NO_EXTRA
    try:
        wire: UsageIn = decode(exact_usage_decoder, found)
    except (ValueError, RecursionError):
        wire = decode_upstream(usage_decoder, found, "usage")
        extra = {name: value for name, value in object_keys(found).items() if name not in _KNOWN and value != NULL}
    written, split = wire.cache_creation_input_tokens, wire.cache_creation
    if written is None and split is not None:
        written = (split.ephemeral_5m_input_tokens or 0) + (split.ephemeral_1h_input_tokens or 0)
    return Usage(
        input=wire.input_tokens,
        output=wire.output_tokens,
        cache_read=wire.cache_read_input_tokens,
        cache_write=written,
        cache_write_1h=split.ephemeral_1h_input_tokens if split is not None else None,
        reasoning=wire.output_tokens_details.thinking_tokens if wire.output_tokens_details is not None else None,
        service_tier=wire.service_tier,
        extra=extra,
    )


def write_usage(usage: Usage) -> dict[str, object]:
    """Return ``usage`` as Anthropic's clients expect it."""
    written = usage.cache_write or 0
    wire: dict[str, object] = {
        "input_tokens": usage.input or 0,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cache_read or 0,
        "output_tokens": usage.output or 0,
    }
    if usage.cache_write_1h is not None:
        wire["cache_creation"] = {
            "ephemeral_5m_input_tokens": max(0, written - usage.cache_write_1h),
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    if usage.reasoning is not None:
        wire["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.service_tier in _TIERS:
        wire["service_tier"] = _TIERS[usage.service_tier]
    wire.update(usage.extra)
    return wire
