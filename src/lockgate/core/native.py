"""What a call may say of Anthropic's API alone, in Messages and, as Portkey takes it, in chat completions.

Source: Anthropic Python SDK 2.12.0, types of Messages, read 2026-11-22.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from lockgate.core.json_text import ABSENT

NATIVE_FIELDS = frozenset(
    {
        "billing_policy",
        "cache_control",
        "compaction",
        "container",
        "context_management",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "mcp_servers",
        "speed",
        "thread",
        "user_profile_id",
    }
)
"""Top-level fields that no other API has, carried by name."""

ID_HEADERS = {
    "user_profile_id": b"anthropic-user-profile-id",
    "workspace_id": b"anthropic-workspace-id",
}
"""Who a request is made for, by the name that it has in SDKs and in a call's ``native``; Anthropic reads headers."""


class MetadataIn(Struct):
    """``metadata``: Anthropic's key in it is the user."""

    user_id: str | None = None


class OutputConfigIn(Struct):
    """``output_config``."""

    effort: str | None = None
    format: Raw = ABSENT


metadata_decoder = msgspec.json.Decoder(MetadataIn)
output_config_decoder = msgspec.json.Decoder(OutputConfigIn)


def read_betas(*sources: str | list[str] | None) -> tuple[str, ...]:
    """Return the beta flags of a call, each once; a text may be a comma list."""
    flags: dict[str, None] = {}
    for source in sources:
        for text in [source] if isinstance(source, str) else source or ():
            flags.update(dict.fromkeys(split_flags(text)))
    return tuple(flags)


_AROUND_FLAGS = " \t[]()'\""


def split_flags(text: str) -> list[str]:
    """Split a comma list of flags, also one that is written as JSON or as Python prints it."""
    return [flag for part in text.split(",") if (flag := part.strip(_AROUND_FLAGS))]
