"""The shapes of Anthropic's Messages API as Structs, with their decoders. Data only.

What clients and providers write is typed where we use it; the rest stays Raw. Structs whose name begins with Exact
refuse keys that they do not know: reading tries those first and looks for further keys only when they fail.
Source: Anthropic Python SDK 2.12.0, types of Messages, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from lockgate.core.blocks import TextOut
from lockgate.core.json_text import ABSENT
from lockgate.core.native import NATIVE_FIELDS

MESSAGES_FIELDS = NATIVE_FIELDS | {"metadata", "output_config", "service_tier"}
"""Top-level fields that are carried by name."""

# ---- what clients write


class MessageIn(Struct, gc=False):
    """One message. The last two keys stand on system messages only."""

    role: str
    content: str | list[Raw] | None = None
    output_config: Raw = ABSENT
    clear_at: Raw = ABSENT


class CallIn(Struct, gc=False):
    """A call."""

    model: str
    messages: Sequence[MessageIn]
    max_tokens: int | None = None
    system: str | list[Raw] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    tools: Raw = ABSENT
    tool_choice: Raw = ABSENT
    thinking: Raw = ABSENT
    metadata: Raw = ABSENT
    output_config: Raw = ABSENT
    output_format: Raw = ABSENT
    service_tier: Raw = ABSENT
    cache_control: Raw = ABSENT
    container: Raw = ABSENT
    context_management: Raw = ABSENT
    mcp_servers: Raw = ABSENT
    speed: Raw = ABSENT
    diagnostics: Raw = ABSENT
    fallbacks: Raw = ABSENT
    fallback_credit_token: Raw = ABSENT
    inference_geo: Raw = ABSENT
    thread: Raw = ABSENT
    compaction: Raw = ABSENT
    billing_policy: Raw = ABSENT
    user_profile_id: Raw = ABSENT
    betas: str | list[str] | None = None
    anthropic_beta: str | list[str] | None = None
    anthropic_version: str | None = None


class ExactMessageIn(MessageIn, forbid_unknown_fields=True, gc=False):
    """A message whose every key we know."""


class ExactCallIn(CallIn, forbid_unknown_fields=True, gc=False):
    """A call whose every field, and every key of its messages, we know."""

    messages: Sequence[ExactMessageIn]


class ToolIn(Struct, gc=False):
    """A tool that the client runs."""

    name: str | None = None
    type: str | None = None
    description: str | None = None
    input_schema: Raw = ABSENT
    strict: bool | None = None
    cache_control: Raw = ABSENT


class ChoiceIn(Struct, gc=False):
    """``tool_choice``."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class FormatIn(Struct, gc=False):
    """``output_config.format``."""

    type: str
    schema: Raw = ABSENT


class ThinkingIn(Struct, gc=False):
    """``thinking``."""

    type: str
    budget_tokens: int | None = None


call_decoder = msgspec.json.Decoder(CallIn)
exact_call_decoder = msgspec.json.Decoder(ExactCallIn)
tool_decoder = msgspec.json.Decoder(ToolIn)
choice_decoder = msgspec.json.Decoder(ChoiceIn)
format_decoder = msgspec.json.Decoder(FormatIn)
thinking_decoder = msgspec.json.Decoder(ThinkingIn)

# ---- what providers write


class CacheCreationIn(Struct, gc=False):
    """``usage.cache_creation``."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class OutputDetailsIn(Struct, gc=False):
    """``usage.output_tokens_details``."""

    thinking_tokens: int | None = None


class UsageIn(Struct, gc=False):
    """``usage``."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: CacheCreationIn | None = None
    output_tokens_details: OutputDetailsIn | None = None
    service_tier: str | None = None


class ExactUsageIn(UsageIn, forbid_unknown_fields=True):
    """Usage whose every key is canonical."""


class ReplyIn(Struct, gc=False):
    """A whole message."""

    content: list[Raw]
    id: str = ""
    model: str = ""
    type: str | None = None
    role: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Raw = ABSENT


class ExactReplyIn(ReplyIn, forbid_unknown_fields=True):
    """A message whose every key is canonical."""


class DeltaIn(Struct, gc=False):
    """``delta`` of both delta events."""

    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: Raw = ABSENT
    stop_reason: str | None = None
    stop_sequence: str | None = None


class EventIn(Struct, gc=False):
    """Any event of a stream; which keys count depends on ``type``."""

    type: str | None = None
    index: int | None = None
    delta: DeltaIn | None = None
    content_block: Raw = ABSENT
    message: Raw = ABSENT
    usage: Raw = ABSENT
    error: Raw = ABSENT


class RawDeltaIn(Struct, gc=False):
    """An event seen again, for the bytes of its delta."""

    delta: Raw = ABSENT


class SummaryIn(Struct, gc=False):
    """What a listener wants to know of a message, whole or starting."""

    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: Raw = ABSENT
    type: str | None = None
    error: Raw = ABSENT


usage_decoder = msgspec.json.Decoder(UsageIn)
exact_usage_decoder = msgspec.json.Decoder(ExactUsageIn)
reply_decoder = msgspec.json.Decoder(ReplyIn)
exact_reply_decoder = msgspec.json.Decoder(ExactReplyIn)
event_decoder = msgspec.json.Decoder(EventIn)
raw_delta_decoder = msgspec.json.Decoder(RawDeltaIn)
summary_decoder = msgspec.json.Decoder(SummaryIn)

# ---- what we write


class TurnOut(Struct, gc=False):
    """One message of a call."""

    role: str
    content: list[object]


class ToolOut(Struct, omit_defaults=True, gc=False):
    """A tool that the client runs."""

    name: str
    description: str | None = None
    input_schema: Raw | None = None
    strict: bool | None = None
    cache_control: Raw | None = None


class ChoiceOut(Struct, omit_defaults=True, gc=False):
    """``tool_choice``."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool = False


class MetadataOut(Struct, gc=False):
    """``metadata``."""

    user_id: str


class CallOut(Struct, omit_defaults=True, kw_only=True, gc=False):
    """A call. Fields that are carried by name are added behind it."""

    model: str
    max_tokens: int
    system: list[TextOut] | None = None
    messages: list[TurnOut]
    tools: list[object] | None = None
    tool_choice: ChoiceOut | Raw | None = None
    thinking: Raw | None = None
    output_config: dict[str, object] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    metadata: MetadataOut | None = None
    service_tier: str | None = None
    speed: str | None = None
    stream: bool = False
