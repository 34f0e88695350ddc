"""The names that the official SDKs know, section by section: what has no row here is red on the page."""

from __future__ import annotations

import functools
import typing
from typing import get_args, get_origin

import anthropic.types as plain
import anthropic.types.beta as beta
from anthropic.types import anthropic_beta_param
from anthropic.types import message_create_params as plain_params
from anthropic.types.beta import beta_request_document_block_param, beta_tool_result_block_param
from anthropic.types.beta import message_create_params as beta_params
from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam, completion_create_params

from tests.conformance.rows import ROWS

_PARTS = {"file": "file file_id", "image_url": "image_url URL"}
_SOURCES = (("image", beta.beta_image_block_param.Source), ("document", beta_request_document_block_param.Source))


@functools.cache
def documented() -> dict[str, frozenset[str]]:
    """Return the names that must have a row, by section."""
    fields = _fields(plain_params.MessageCreateParamsBase) | _fields(beta_params.MessageCreateParamsBase)
    fields |= _fields(completion_create_params.CompletionCreateParamsBase) | {"stream", "output_format"}
    blocks = _types(plain.ContentBlockParam) | _types(beta.BetaContentBlockParam)
    blocks |= {f"{kind} {name}" for kind, source in _SOURCES for name in _types(source)}
    blocks |= {f"tool_result with {kind}" for kind in _types(beta_tool_result_block_param.Content) - {"text"}}
    parts = {
        f"role {role}" for kind in _members(ChatCompletionMessageParam) for role in _literals(_hints(kind)["role"])
    }
    return {
        "field": frozenset(fields),
        "variant": frozenset(
            {f"thinking {kind}" for kind in _types(beta.BetaThinkingConfigParam)}
            | {f"tool_choice {kind}" for kind in _types(beta.BetaToolChoiceParam)}
            | {f"response_format {kind}" for kind in _types(completion_create_params.ResponseFormat)}
        ),
        # An image or a document has a row for each of its sources.
        "block": frozenset(blocks - {"image", "document"}),
        "part": frozenset(parts | {_PARTS.get(kind, kind) for kind in _types(ChatCompletionContentPartParam)}),
        "tool": frozenset(_types(plain.ToolUnionParam) | _types(beta.BetaToolUnionParam)),
        "reply": frozenset(
            (_fields(plain.Message) | _fields(beta.BetaMessage)) - {"content", "stop_reason", "usage"}
            | {f"usage.{name}" for name in _fields(plain.Usage) | _fields(beta.BetaUsage)}
        ),
        "answer": frozenset(
            _types(plain.ContentBlock)
            | _types(beta.BetaContentBlock)
            | {f"citation {kind}" for kind in _types(plain.TextCitation) | _types(beta.BetaTextCitation)}
        ),
        "event": frozenset(
            _types(plain.RawMessageStreamEvent)
            | _types(beta.BetaRawMessageStreamEvent)
            | _types(plain.RawContentBlockDelta)
            | _types(beta.BetaRawContentBlockDelta)
            | {"ping", "error"}
        ),
        "stop": frozenset(_literals(plain.StopReason) | _literals(beta.BetaStopReason)),
        "beta": frozenset(_literals(anthropic_beta_param.AnthropicBetaParam)),
    }


def missing() -> list[tuple[str, str]]:
    """Return the sections and names that have no row."""
    rows = {(row.section, row.name) for row in ROWS}
    return [
        (section, name)
        for section, names in documented().items()
        for name in sorted(names)
        if (section, name) not in rows
    ]


def _members(union: object) -> list[type]:
    if get_origin(union) is typing.Annotated:
        return _members(get_args(union)[0])
    if get_origin(union) is typing.Union:
        return [member for arm in get_args(union) for member in _members(arm)]
    return [union]


def _hints(kind: type) -> dict[str, object]:
    """Return the types of a model's or a typed dictionary's members."""
    if hasattr(kind, "model_fields"):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return typing.get_type_hints(kind)


def _fields(kind: type) -> set[str]:
    return set(_hints(kind))


def _types(union: object) -> set[str]:
    """Return what the members of a union say in ``type``."""
    return {
        name for kind in _members(union) if kind not in (str, bool) for name in _literals(_hints(kind)["type"]) if name
    }


def _literals(hint: object) -> set[str]:
    """Return the words of a literal, however it is wrapped."""
    if get_origin(hint) is typing.Literal:
        return set(get_args(hint))
    return {word for arm in get_args(hint) for word in _literals(arm)}
