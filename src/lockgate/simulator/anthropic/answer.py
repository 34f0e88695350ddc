"""Composes the answer to a Messages request: a pure function of seed, request, orders and the state of the cache."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from lockgate.simulator import prose
from lockgate.simulator.anthropic import betas
from lockgate.simulator.anthropic.asked import Asked
from lockgate.simulator.anthropic.blocks import CompactionOut, FixedOut, Out, TextOut, ThinkingOut, ToolOut
from lockgate.simulator.anthropic.calls import choose_calls, find_search_tool
from lockgate.simulator.anthropic.citing import cite
from lockgate.simulator.anthropic.models import Model
from lockgate.simulator.anthropic.prompt import CacheUse, Piece
from lockgate.simulator.anthropic.rules import find_output_schema
from lockgate.simulator.anthropic.seal import Sealer
from lockgate.simulator.anthropic.search import resume_search, search
from lockgate.simulator.anthropic.turns import prefix_of
from lockgate.simulator.dice import Dice
from lockgate.simulator.directives import AnswerPlan
from lockgate.simulator.schema_instance import SchemaError, make_instance

_SEARCH_WORDS = re.compile(r"\b(search|news|latest)\b", re.IGNORECASE)


class Draft(Struct, frozen=True, kw_only=True):
    """What an answer is made from."""

    body: Mapping[str, Any]
    model: Model
    asked: Asked
    plan: AnswerPlan
    dice: Dice
    sealer: Sealer
    betas: frozenset[str]
    pieces: list[Piece]
    cache: CacheUse
    file_names: Mapping[str, str] = {}
    """The uploaded files of the prompt, by their ids."""
    service_tier: str = "standard"


class Answer(Struct, frozen=True, kw_only=True):
    """A finished answer, before it is written whole or streamed."""

    id: str
    model: str
    blocks: tuple[Out, ...]
    stop_reason: str
    stop_sequence: str | None = None
    stop_details: Mapping[str, Any] | None = None
    usage: Mapping[str, Any]
    extras: Mapping[str, Any] = {}
    """Keys of the message that only some requests get; they come with the ``message_delta`` of a stream."""

    @property
    def output_tokens(self) -> int:
        """How many tokens the answer cost."""
        return int(self.usage["output_tokens"])


def compose(draft: Draft) -> Answer:
    """Return the answer."""
    blocks, reason, sequence = _finish(_make_blocks(draft), draft)
    return Answer(
        id=f"msg_01{draft.dice.child('id').letters(22)}",
        model=draft.model.id,
        blocks=tuple(blocks),
        stop_reason=reason,
        stop_sequence=sequence,
        stop_details=_stop_details(draft.plan) if reason == "refusal" else None,
        usage=_write_usage(blocks, draft),
        extras=_extras(draft),
    )


# --- blocks -------------------------------------------------------------------------------------------------------


def _make_blocks(draft: Draft) -> list[Out]:
    plan, dice = draft.plan, draft.dice
    if draft.body.get("compaction"):
        return [_compact(draft)]
    if draft.body["max_tokens"] == 0 or (plan.stop_reason == "refusal" and plan.text is None):
        return []
    calls = choose_calls(draft.body, draft.asked, plan, dice.child("calls"))
    return [*_think(draft, is_forced=bool(calls) and _is_forced(draft)), *_speak(draft, calls)]


def _is_forced(draft: Draft) -> bool:
    return (draft.body.get("tool_choice") or {}).get("type") in ("any", "tool")


def _speak(draft: Draft, calls: list[ToolOut]) -> list[Out]:
    """Return everything behind the thinking."""
    asked, plan, dice = draft.asked, draft.plan, draft.dice
    if calls:
        lead = plan.text if plan.text is not None else f"I will call {' and '.join(call.name for call in calls)}."
        return list(calls) if _is_forced(draft) else [TextOut(text=lead), *calls]
    if asked.is_resumed:
        return resume_search(draft.body["messages"], dice.child("search"), draft.sealer)
    if _wants_search(draft):
        return search(asked.text, dice.child("search"), draft.sealer, is_paused=plan.stop_reason == "pause_turn")
    schema = find_output_schema(draft.body)
    text = TextOut(text=_structured(schema, dice) if schema is not None else _text(draft), pieces=plan.events)
    if schema is None and plan.text is None:
        return cite(draft.body["messages"], text)
    return [text]


def _wants_search(draft: Draft) -> bool:
    if not find_search_tool(draft.body) or draft.asked.results:
        return False
    return draft.plan.search or draft.plan.tool == "web_search" or bool(_SEARCH_WORDS.search(draft.asked.text))


def _structured(schema: Any, dice: Dice) -> str:
    try:
        return msgspec.json.encode(make_instance(schema, dice.child("schema"))).decode()
    except SchemaError:
        return "null"


def _text(draft: Draft) -> str:
    asked, plan, dice = draft.asked, draft.plan, draft.dice.child("text")
    if plan.text is not None:
        text = plan.text
    elif plan.big:
        text = prose.long_text(dice, plan.big)
    elif asked.results and not asked.text:
        text = prose.tool_result_text(dice, list(asked.results))
    else:
        files = [draft.file_names.get(file_id, file_id) for file_id in asked.file_ids]
        text = prose.answer_text(dice, echo=asked.text, images=asked.images, documents=asked.documents, files=files)
        if asked.results:
            text = f"{prose.tool_result_text(dice, list(asked.results))} {text}"
    return text if len(text) >= plan.events else text + prose.long_text(dice, plan.events - len(text))


def _compact(draft: Draft) -> CompactionOut:
    content = (
        f"Simulated summary of {len(draft.body['messages'])} messages. {prose.sentences(draft.dice.child('text'), 2)}"
    )
    return CompactionOut(content=content, signature=draft.sealer.seal("compaction", content, draft.dice.child("seal")))


# --- thinking -----------------------------------------------------------------------------------------------------


def _think(draft: Draft, *, is_forced: bool) -> list[Out]:
    kind, display = _thinking_mode(draft)
    if kind == "none" or is_forced or draft.asked.is_resumed:
        return []
    dice = draft.dice.child("thinking")
    thought = draft.plan.think or prose.thinking_text(dice, draft.asked.text or " ".join(draft.asked.results))
    binding = prefix_of(draft.body["messages"], draft.model)
    if draft.plan.redacted:
        data = draft.sealer.seal("redacted_thinking", "", dice, binding=binding)
        return [FixedOut(block={"type": "redacted_thinking", "data": data})]
    shown = "" if display == "omitted" else thought
    signature = draft.sealer.seal("thinking", shown, dice, binding=binding)
    return [ThinkingOut(thought=thought, text=shown, signature=signature)]


def _thinking_mode(draft: Draft) -> tuple[str, str]:
    """Return whether the model thinks in this turn, and how that is shown."""
    asked = draft.body.get("thinking") or {}
    default = "summarized" if draft.model.shows_thinking else "omitted"
    kind = asked.get("type") or ("adaptive" if draft.model.thinks_by_default else "none")
    if kind == "enabled" and draft.asked.results and draft.betas.isdisjoint(betas.INTERLEAVED):
        kind = "none"
    if kind == "disabled" or (kind == "between_tools" and not draft.asked.results):
        kind = "none"
    return kind, asked.get("display") or default


# --- the end ------------------------------------------------------------------------------------------------------


def _finish(blocks: list[Out], draft: Draft) -> tuple[list[Out], str, str | None]:
    """Apply stop sequences and the token limit, and say why the answer ends."""
    plan = draft.plan
    blocks, sequence = _stop_at(blocks, draft.body.get("stop_sequences", ()))
    blocks, is_cut = _cut(blocks, int(draft.body["max_tokens"]))
    if draft.body.get("compaction"):
        return blocks, "compaction", None
    if is_cut or draft.body["max_tokens"] == 0:
        return blocks, "max_tokens", None
    if sequence is not None:
        return blocks, "stop_sequence", sequence
    if plan.stop_reason in ("max_tokens", "model_context_window_exceeded"):
        blocks, _ = _cut(blocks, max(1, sum(block.tokens for block in blocks) // 2))
    if plan.stop_reason == "stop_sequence":
        return blocks, "stop_sequence", next(iter(draft.body.get("stop_sequences", ())), None)
    if plan.stop_reason and plan.stop_reason != "tool_use":
        return blocks, plan.stop_reason, None
    is_call = any(isinstance(block, ToolOut) and not block.is_server for block in blocks)
    return blocks, "tool_use" if is_call else "end_turn", None


def _stop_at(blocks: list[Out], sequences: Any) -> tuple[list[Out], str | None]:
    kept: list[Out] = []
    for block in blocks:
        if isinstance(block, TextOut):
            hits = [(block.text.find(sequence), sequence) for sequence in sequences if sequence in block.text]
            if hits:
                at, sequence = min(hits)
                if at:
                    kept.append(msgspec.structs.replace(block, text=block.text[:at]))
                return kept, sequence
        kept.append(block)
    return kept, None


def _cut(blocks: list[Out], tokens: int) -> tuple[list[Out], bool]:
    """Keep what fits into so many tokens."""
    kept: list[Out] = []
    for block in blocks:
        if block.tokens > tokens:
            if tokens > 0:
                kept.append(block.cut(tokens))
            return kept, True
        tokens -= block.tokens
        kept.append(block)
    return kept, False


def _stop_details(plan: AnswerPlan) -> Mapping[str, Any]:
    return {"type": "refusal", "category": plan.category or None, "explanation": "Simulated refusal."}


# --- usage and extras ---------------------------------------------------------------------------------------------


def _write_usage(blocks: list[Out], draft: Draft) -> Mapping[str, Any]:
    plan, cache = draft.plan, draft.cache
    written = cache.written_5m + cache.written_1h
    total = sum(piece.tokens for piece in draft.pieces)
    thought = sum(block.tokens for block in blocks if isinstance(block, ThinkingOut))
    output = min(sum(block.tokens for block in blocks), int(draft.body["max_tokens"])) if blocks else 0
    usage: dict[str, Any] = {
        "input_tokens": _or(plan.input_tokens, total - cache.read - written),
        "cache_creation_input_tokens": _or(plan.cache_creation, written),
        "cache_read_input_tokens": _or(plan.cache_read, cache.read),
        "cache_creation": {
            "ephemeral_5m_input_tokens": _or(plan.cache_creation, cache.written_5m),
            "ephemeral_1h_input_tokens": 0 if plan.cache_creation is not None else cache.written_1h,
        },
        "output_tokens": _or(plan.output_tokens, output),
        "service_tier": draft.service_tier,
        "inference_geo": draft.body.get("inference_geo") or "global",
    }
    if thought:
        usage["output_tokens_details"] = {"thinking_tokens": min(thought, usage["output_tokens"])}
    searches = sum(isinstance(block, ToolOut) and block.is_server for block in blocks)
    if searches:
        usage["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
    if draft.body.get("speed"):
        usage["speed"] = draft.body["speed"]
    return usage


def _or(ordered: int | None, counted: int) -> int:
    return counted if ordered is None else ordered


def _extras(draft: Draft) -> Mapping[str, Any]:
    body = draft.body
    extras: dict[str, Any] = {}
    if body.get("container"):
        given = body["container"]
        name = given if isinstance(given, str) else given.get("id")
        container_id = name or f"container_01{draft.dice.child('container').letters(22)}"
        extras["container"] = {"id": container_id, "expires_at": "2026-12-31T23:59:59Z", "skills": None}
    if body.get("context_management"):
        extras["context_management"] = {"applied_edits": []}
    if (body.get("diagnostics") or {}).get("previous_message_id"):
        extras["diagnostics"] = {"cache_miss_reason": {"type": "unavailable"}}
    return extras
