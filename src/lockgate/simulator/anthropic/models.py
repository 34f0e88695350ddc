"""The models that the fake serves, and what each accepts. Data only, plus the look-up.

Source: types and docstrings of the Anthropic Python SDK 2.12.0 and Anthropic's model overview, read 2026-11-22. Dates
of release are only meant to give an order.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

Thinking = Literal["enabled", "adaptive", "disabled", "between_tools"]

_LEVELS_3 = ("low", "medium", "high")
_LEVELS_4 = (*_LEVELS_3, "max")
_LEVELS_5 = ("low", "medium", "high", "xhigh", "max")


class Model(Struct, frozen=True, kw_only=True):
    """One model and its rules."""

    id: str
    display_name: str
    line: str
    created_at: str
    aliases: tuple[str, ...] = ()
    lifecycle: Literal["active", "deprecated", "retired"] = "active"
    deprecated_at: str | None = None
    retires_at: str | None = None
    context_tokens: int = 1_000_000
    max_output_tokens: int = 128_000
    thinking: tuple[Thinking, ...] = ()
    """Which ``thinking.type`` values are accepted; empty: the field is refused, but for ``disabled``."""
    thinks_by_default: bool = False
    """Whether a request without ``thinking`` gets thinking."""
    shows_thinking: bool = True
    """Whether ``display`` is ``summarized`` by default."""
    binds_thinking: bool = False
    """Whether a thinking block is only valid behind the very messages it was made for."""
    efforts: tuple[str, ...] = ()
    default_effort: str = "high"
    sampling: Literal["any", "one", "none"] = "none"
    """temperature and top_p: both, not both at once, or refused."""
    has_prefill: bool = False
    has_forced_tools: bool = True
    has_output_format: bool = True
    has_system_messages: bool = False
    """Whether ``role: system`` may stand among the messages."""
    speed: Literal["none", "beta", "free"] = "none"
    """Whether ``speed`` may be sent: not, with its beta flag, or always."""


_ALWAYS = {
    "thinking": ("adaptive",),
    "thinks_by_default": True,
    "shows_thinking": False,
    "binds_thinking": True,
    "efforts": _LEVELS_5,
    "has_forced_tools": False,
    "has_system_messages": True,
}
_FIVE = {
    "thinking": ("adaptive", "disabled"),
    "shows_thinking": False,
    "efforts": _LEVELS_5,
    "has_system_messages": True,
}
_FOUR_7 = {"thinking": ("adaptive", "disabled"), "shows_thinking": False, "efforts": _LEVELS_5}
_FOUR_6 = {"thinking": ("enabled", "adaptive", "disabled"), "efforts": _LEVELS_4, "sampling": "one"}
_FOUR_5 = {
    "context_tokens": 200_000,
    "max_output_tokens": 64_000,
    "thinking": ("enabled", "disabled"),
    "sampling": "one",
    "has_prefill": True,
}
_FOUR = {**_FOUR_5, "sampling": "any", "has_output_format": False, "lifecycle": "retired"}
_THREE = {**_FOUR, "thinking": (), "max_output_tokens": 8_192}


def _model(id: str, name: str, created: str, base: dict[str, Any], **more: Any) -> Model:
    line = next(word for word in ("haiku", "sonnet", "opus", "fable", "mythos") if word in id)
    values = {"id": id, "display_name": name, "line": line, "created_at": f"{created}T00:00:00Z"}
    return Model(**{**base, **values, **more})


MODELS: tuple[Model, ...] = (
    _model("claude-fable-5-2", "Claude Fable 5.2", "2026-11-10", _ALWAYS),
    _model("claude-mythos-5-2", "Claude Mythos 5.2", "2026-11-10", _ALWAYS),
    _model("claude-haiku-5-5", "Claude Haiku 5.5", "2026-10-21", _ALWAYS, thinking=("adaptive", "disabled"),
           binds_thinking=False, default_effort="medium"),
    _model("claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-10-07", _ALWAYS, thinking=("adaptive", "between_tools")),
    _model("claude-fable-5-1", "Claude Fable 5.1", "2026-09-22", _ALWAYS),
    _model("claude-opus-5-5", "Claude Opus 5.5", "2026-09-15", _ALWAYS, default_effort="medium", speed="free"),
    _model("claude-mythos-5-1", "Claude Mythos 5.1", "2026-09-01", _ALWAYS),
    _model("claude-sonnet-5", "Claude Sonnet 5", "2026-06-30", _FIVE),
    _model("claude-fable-5", "Claude Fable 5", "2026-06-16", _FIVE),
    _model("claude-mythos-5", "Claude Mythos 5", "2026-06-16", _FIVE),
    _model("claude-opus-5", "Claude Opus 5", "2026-06-02", _FIVE, thinks_by_default=True, speed="free"),
    _model("claude-opus-4-8", "Claude Opus 4.8", "2026-05-05", _FIVE, speed="beta"),
    _model("claude-opus-4-7", "Claude Opus 4.7", "2026-04-16", _FOUR_7, speed="beta"),
    _model("claude-mythos-preview", "Claude Mythos Preview", "2026-04-07", _FOUR_7),
    _model("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17", _FOUR_6),
    _model("claude-opus-4-6", "Claude Opus 4.6", "2026-02-05", _FOUR_6, speed="beta"),
    _model("claude-opus-4-5-20251101", "Claude Opus 4.5", "2025-11-24", _FOUR_5, aliases=("claude-opus-4-5",),
           efforts=_LEVELS_3),
    _model("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15", _FOUR_5, aliases=("claude-haiku-4-5",)),
    _model("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "2025-09-29", _FOUR_5, aliases=("claude-sonnet-4-5",),
           lifecycle="deprecated", deprecated_at="2026-05-30T00:00:00Z", retires_at="2026-11-30T00:00:00Z"),
    _model("claude-opus-4-1-20250805", "Claude Opus 4.1", "2025-08-05", _FOUR, aliases=("claude-opus-4-1",),
           max_output_tokens=32_000, sampling="one", deprecated_at="2026-02-05T00:00:00Z",
           retires_at="2026-08-05T00:00:00Z"),
    _model("claude-opus-4-20250514", "Claude Opus 4", "2025-05-22", _FOUR, aliases=("claude-opus-4-0",),
           max_output_tokens=32_000, deprecated_at="2025-12-15T00:00:00Z", retires_at="2026-06-15T00:00:00Z"),
    _model("claude-sonnet-4-20250514", "Claude Sonnet 4", "2025-05-22", _FOUR, aliases=("claude-sonnet-4-0",),
           deprecated_at="2025-12-15T00:00:00Z", retires_at="2026-06-15T00:00:00Z"),
    _model("claude-3-7-sonnet-20250219", "Claude Sonnet 3.7", "2025-02-24", _FOUR,
           aliases=("claude-3-7-sonnet-latest",), deprecated_at="2025-10-28T00:00:00Z",
           retires_at="2026-02-19T00:00:00Z"),
    _model("claude-3-5-haiku-20241022", "Claude Haiku 3.5", "2024-10-22", _THREE,
           aliases=("claude-3-5-haiku-latest",), deprecated_at="2025-12-19T00:00:00Z",
           retires_at="2026-02-19T00:00:00Z"),
    _model("claude-3-5-sonnet-20241022", "Claude Sonnet 3.5", "2024-10-22", _THREE,
           aliases=("claude-3-5-sonnet-latest",), deprecated_at="2025-08-13T00:00:00Z",
           retires_at="2025-10-28T00:00:00Z"),
    _model("claude-3-haiku-20240307", "Claude Haiku 3", "2024-03-07", _THREE, max_output_tokens=4_096,
           deprecated_at="2026-02-19T00:00:00Z", retires_at="2026-04-20T00:00:00Z"),
    _model("claude-3-opus-20240229", "Claude Opus 3", "2024-02-29", _THREE, max_output_tokens=4_096,
           aliases=("claude-3-opus-latest",), deprecated_at="2025-06-30T00:00:00Z",
           retires_at="2026-01-05T00:00:00Z"),
)  # fmt: skip
"""Newest first. An unknown name that settings add follows the first row."""

_EDITS = ("clear_thinking_20251015", "clear_tool_uses_20250919", "compact_20260112")
_BY_NAME = {name: model for model in MODELS for name in (model.id, *model.aliases)}


def find_model(name: str, *, extra: tuple[str, ...] = (), has_retired: bool = False) -> Model | None:
    """Return the model that serves this name; None: there is none, or it is retired."""
    model = _BY_NAME.get(name)
    if model is None and name in extra:
        return msgspec.structs.replace(MODELS[0], id=name, display_name=name)
    if model is not None and model.lifecycle == "retired" and not has_retired:
        return None
    return model


def describe_model(name: str) -> Model | None:
    """Return the model of the catalogue with this name, retired or not."""
    return _BY_NAME.get(name)


def write_model(model: Model) -> dict[str, Any]:
    """Return a model as the models endpoint shows it."""
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": model.created_at,
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.max_output_tokens,
        "lifecycle": model.lifecycle,
        "line": model.line,
        "deprecated_at": model.deprecated_at,
        "retires_at": model.retires_at,
        "capabilities": _write_capabilities(model),
    }


def _write_capabilities(model: Model) -> dict[str, Any]:
    yes, no = {"supported": True}, {"supported": False}
    is_new = model.has_output_format
    thinking = model.thinking or ("disabled",)
    return {
        "batch": yes,
        "citations": yes,
        "code_execution": yes if is_new else no,
        "context_management": {
            "supported": is_new,
            **dict.fromkeys(_EDITS, yes if is_new else no),
        },
        "effort": {
            "supported": bool(model.efforts),
            **{level: yes if level in model.efforts else no for level in _LEVELS_5},
        },
        "image_input": yes,
        "pdf_input": yes,
        "server_tools": {"supported": True, "code_execution": yes if is_new else no, "web_search": yes},
        "structured_outputs": yes if model.has_output_format else no,
        "thinking": {
            "supported": bool(model.thinking),
            "types": {
                kind: yes if kind in thinking else no for kind in ("adaptive", "between_tools", "disabled", "enabled")
            },
        },
    }
