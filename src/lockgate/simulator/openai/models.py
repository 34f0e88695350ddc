"""The models that the fake serves. Data only, plus the look-up.

Source: ``ChatModel`` of the OpenAI Python SDK 3.54.0, and OpenAI's model pages, read 2026-11-22. Dates are only meant
to give an order.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct


class Model(Struct, frozen=True, kw_only=True):
    """One model and its rules."""

    id: str
    created: int = 1_715_367_049
    context_tokens: int = 128_000
    max_output_tokens: int = 16_384
    efforts: tuple[str, ...] = ()
    """Which ``reasoning_effort`` values are accepted; empty: it does not reason."""
    default_effort: str = "medium"
    has_verbosity: bool = False
    has_stop: bool = True
    has_json_schema: bool = True
    has_parallel_switch: bool = True
    is_search: bool = False
    is_chat: bool = True
    """Whether it is served at chat completions at all."""


_SMALL = {"has_json_schema": False, "max_output_tokens": 4_096}
_LONG = {"context_tokens": 1_047_576, "max_output_tokens": 32_768}
_O = {
    "context_tokens": 200_000,
    "max_output_tokens": 100_000,
    "efforts": ("low", "medium", "high"),
    "has_stop": False,
    "has_parallel_switch": False,
}
_FIVE = {
    "context_tokens": 400_000,
    "max_output_tokens": 128_000,
    "efforts": ("minimal", "low", "medium", "high"),
    "has_verbosity": True,
    "has_stop": False,
}
_FIVE_1 = {**_FIVE, "efforts": ("none", "low", "medium", "high"), "default_effort": "none"}
_FIVE_2 = {**_FIVE_1, "efforts": ("none", "low", "medium", "high", "xhigh")}
_SIX = {**_FIVE_2, "efforts": ("none", "low", "medium", "high", "xhigh", "max"), "default_effort": "medium"}
_RESPONSES_ONLY = {"is_chat": False}

_FAMILIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("gpt-6.2-astra gpt-6.2-sol gpt-6.1-sol gpt-6.1-terra gpt-6-astra gpt-6-sol gpt-6-luna", _SIX),
    ("gpt-5.6-sol gpt-5.6-terra gpt-5.6-luna gpt-5.5 gpt-5.5-2026-04-23", _FIVE_2),
    ("gpt-5.4 gpt-5.4-mini gpt-5.4-nano gpt-5.4-mini-2026-03-17 gpt-5.4-nano-2026-03-17", _FIVE_2),
    ("gpt-5.2 gpt-5.2-2025-12-11", _FIVE_2),
    ("gpt-5.2-pro gpt-5.2-pro-2025-12-11 gpt-5.1-codex codex-mini-latest", _RESPONSES_ONLY),
    ("gpt-5.1 gpt-5.1-2025-11-13 gpt-5.1-mini", _FIVE_1),
    ("gpt-5 gpt-5-mini gpt-5-nano gpt-5-2025-08-07 gpt-5-mini-2025-08-07 gpt-5-nano-2025-08-07", _FIVE),
    ("gpt-5.3-chat-latest gpt-5.2-chat-latest gpt-5.1-chat-latest gpt-5-chat-latest", {}),
    ("gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-4.1-2025-04-14 gpt-4.1-mini-2025-04-14 gpt-4.1-nano-2025-04-14", _LONG),
    ("o4-mini o4-mini-2025-04-16 o3 o3-2025-04-16 o3-mini o3-mini-2025-01-31 o1 o1-2024-12-17", _O),
    ("gpt-4o gpt-4o-2024-11-20 gpt-4o-2024-08-06 gpt-4o-2024-05-13 gpt-4o-mini gpt-4o-mini-2024-07-18", {}),
    ("chatgpt-4o-latest", {}),
    ("gpt-4o-search-preview gpt-4o-mini-search-preview", {"is_search": True}),
    ("gpt-4-turbo gpt-4-turbo-2024-04-09", _SMALL),
    ("gpt-4 gpt-4-0613", {**_SMALL, "context_tokens": 8_192, "max_output_tokens": 8_192}),
    ("gpt-3.5-turbo gpt-3.5-turbo-1106 gpt-3.5-turbo-0125", {**_SMALL, "context_tokens": 16_385}),
)
MODELS: tuple[Model, ...] = tuple(Model(id=name, **facts) for names, facts in _FAMILIES for name in names.split())
_BY_NAME = {model.id: model for model in MODELS}


def find_model(name: str, *, extra: tuple[str, ...] = ()) -> Model | None:
    """Return the model of this name; a fine-tuned one follows its base."""
    if name.startswith("ft:"):
        base = _BY_NAME.get(name.split(":")[1])
        return msgspec.structs.replace(base, id=name) if base is not None else None
    if name not in _BY_NAME and name in extra:
        return msgspec.structs.replace(MODELS[0], id=name)
    return _BY_NAME.get(name)


def write_model(model: Model) -> dict[str, Any]:
    """Return a model as the models endpoint shows it."""
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": "system"}
