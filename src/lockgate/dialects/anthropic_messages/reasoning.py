"""How much a call shall think, in the words that its model understands, and the token limit that goes with it.

A client's own ``thinking`` is passed on as it is. An effort is turned into what the model's row says: adaptive
thinking with an effort, a budget, or nothing. Source: Anthropic integration specification, sections 1.1, 1.6 and
1.8; addendum of November 2026, section 2.7.
"""

from __future__ import annotations

from msgspec import Raw, Struct

from lockgate.catalog import ModelFacts
from lockgate.core.chat import Call, Message, RedactedThinkingBlock, ThinkingBlock, ToolResultBlock, ToolUseBlock
from lockgate.core.notes import Notes
from lockgate.dialects.anthropic_messages.faults import decode_input
from lockgate.dialects.anthropic_messages.turns import is_signed
from lockgate.dialects.anthropic_messages.wire import thinking_decoder

DEFAULT_MAX_TOKENS = 16_384
DEFAULT_MAX_TOKENS_THINKING = 32_000
MIN_BUDGET = 1_024
ANSWER_TOKENS = 4_096
"""How much room a defaulted limit leaves for the answer, on top of the budget for thinking."""

BUDGETS = {"minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 32_768}
"""Tokens for thinking by effort, for models that take a budget."""

_ADAPTIVE = Raw(b'{"type":"adaptive"}')
_ADAPTIVE_SHOWN = Raw(b'{"type":"adaptive","display":"summarized"}')
_DISABLED = Raw(b'{"type":"disabled"}')
_BETWEEN_TOOLS = Raw(b'{"type":"between_tools"}')
_WEAKER = {"minimal": ("low",), "xhigh": ("max", "high"), "max": ("high",)}
_FIELD = "reasoning_effort"


class Reasoning(Struct, frozen=True, kw_only=True, gc=False):
    """What goes into a call. ``effort`` is ``output_config.effort``; ``is_active``: the model thinks first."""

    max_tokens: int
    thinking: Raw | None = None
    effort: str | None = None
    is_active: bool = False


def decide_reasoning(
    call: Call, facts: ModelFacts, notes: Notes, *, is_strict: bool, has_forced_choice: bool, has_own_effort: bool
) -> Reasoning:
    """Return what to send. ``has_own_effort``: the client wrote Anthropic's effort itself, so nothing is derived."""
    if call.thinking is not None:
        return _explicit(call, call.thinking, facts, notes, has_own_effort=has_own_effort)
    effort = None if has_own_effort else call.effort
    if effort is None:
        return Reasoning(max_tokens=_limit(call, facts, DEFAULT_MAX_TOKENS))
    if "adaptive" in facts.thinking:
        return _adaptive(call, effort, facts, notes, is_strict=is_strict, has_forced_choice=has_forced_choice)
    if "enabled" in facts.thinking:
        return _budgeted(call, effort, facts, notes, has_forced_choice=has_forced_choice)
    if effort != "none":
        notes.drop(_FIELD)
    return Reasoning(max_tokens=_limit(call, facts, DEFAULT_MAX_TOKENS))


def _limit(call: Call, facts: ModelFacts, default: int) -> int:
    return min(facts.max_output, default) if call.max_tokens is None else call.max_tokens


def _explicit(call: Call, thinking: Raw, facts: ModelFacts, notes: Notes, *, has_own_effort: bool) -> Reasoning:
    wire = decode_input(thinking_decoder, thinking, "thinking")
    effort = None
    if call.effort not in (None, "none") and not has_own_effort:
        effort = _level(call.effort or "", facts, notes)
    if wire.type == "disabled":
        kept = thinking if facts.thinking else None
        return Reasoning(max_tokens=_limit(call, facts, DEFAULT_MAX_TOKENS), thinking=kept, effort=effort)
    default = DEFAULT_MAX_TOKENS_THINKING
    if wire.type == "enabled" and wire.budget_tokens is not None:
        default = max(default, wire.budget_tokens + ANSWER_TOKENS)
    return Reasoning(max_tokens=_limit(call, facts, default), thinking=thinking, effort=effort, is_active=True)


def _adaptive(
    call: Call, effort: str, facts: ModelFacts, notes: Notes, *, is_strict: bool, has_forced_choice: bool
) -> Reasoning:
    plain = _limit(call, facts, DEFAULT_MAX_TOKENS)
    if effort == "none":
        if "disabled" in facts.thinking:
            return Reasoning(max_tokens=plain, thinking=_DISABLED)
        if "between_tools" in facts.thinking:
            notes.adjust(_FIELD, "none sent as thinking between tool calls only")
            return Reasoning(max_tokens=plain, thinking=_BETWEEN_TOOLS)
        notes.adjust(_FIELD, "none sent as low, the model always thinks")
        return Reasoning(max_tokens=plain, effort="low" if "low" in facts.effort else None)
    level = _level(effort, facts, notes)
    if has_forced_choice:
        notes.adjust(_FIELD, "no thinking, a tool is forced")
        return Reasoning(max_tokens=plain, effort=level)
    # Models that never take a budget hide their reasoning unless it is asked for.
    is_shown = not is_strict and "enabled" not in facts.thinking
    return Reasoning(
        max_tokens=_limit(call, facts, DEFAULT_MAX_TOKENS_THINKING),
        thinking=_ADAPTIVE_SHOWN if is_shown else _ADAPTIVE,
        effort=level,
        is_active=True,
    )


def _level(effort: str, facts: ModelFacts, notes: Notes) -> str | None:
    """Return the level nearest to an effort that the model knows, None when it knows none."""
    if effort in facts.effort or not facts.effort:
        return effort if facts.effort else None
    level = next((level for level in _WEAKER.get(effort, ()) if level in facts.effort), facts.effort[-1])
    notes.adjust(_FIELD, f"{effort} sent as {level}")
    return level


def _budgeted(call: Call, effort: str, facts: ModelFacts, notes: Notes, *, has_forced_choice: bool) -> Reasoning:
    plain = _limit(call, facts, DEFAULT_MAX_TOKENS)
    if effort == "none":
        return Reasoning(max_tokens=plain)
    level = _level(effort, facts, notes)
    obstacle = _obstacle(call, has_forced_choice=has_forced_choice)
    budget = BUDGETS.get(effort, BUDGETS["medium"])
    if call.max_tokens is None:
        limit = min(facts.max_output, budget + ANSWER_TOKENS)
    else:
        limit = call.max_tokens
    budget = min(budget, limit - 1)
    if obstacle is None and budget < MIN_BUDGET:
        obstacle = "max_tokens leaves no room for it"
    if obstacle is not None:
        notes.adjust(_FIELD, f"no thinking, {obstacle}")
        return Reasoning(max_tokens=plain, effort=level)
    thinking = Raw(b'{"type":"enabled","budget_tokens":%d}' % budget)
    return Reasoning(max_tokens=limit, thinking=thinking, effort=level, is_active=True)


def _obstacle(call: Call, *, has_forced_choice: bool) -> str | None:
    if has_forced_choice:
        return "a tool is forced"
    if has_lost_thinking(call.messages):
        return "the history lost the reasoning before its tool calls"
    return None


def has_lost_thinking(messages: tuple[Message, ...]) -> bool:
    """Tell whether the newest assistant turn called tools, got answers, and shows no signed reasoning.

    Anthropic refuses to think with a budget on such a history.
    """
    has_result = has_call = is_started = False
    for message in reversed(messages):
        if message.role == "assistant":
            is_started = True
            for block in message.content:
                if isinstance(block, RedactedThinkingBlock) or (isinstance(block, ThinkingBlock) and is_signed(block)):
                    return False
                has_call = has_call or isinstance(block, ToolUseBlock)
        elif is_started and message.content:
            break
        elif any(isinstance(block, ToolResultBlock) for block in message.content):
            has_result = True
    return has_call and has_result
