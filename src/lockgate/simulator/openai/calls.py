"""Which tools an answer calls, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from lockgate.simulator.dice import Dice
from lockgate.simulator.directives import AnswerPlan, DirectiveError
from lockgate.simulator.mention import find_mentioned
from lockgate.simulator.openai.asked import Asked
from lockgate.simulator.schema_instance import SchemaError, make_instance
from lockgate.simulator.splitting import write_arguments


class Call(Struct, frozen=True, kw_only=True):
    """A call of a tool."""

    id: str
    name: str
    arguments: str
    kind: str = "function"
    """``function``, ``custom``, or ``legacy`` for the old ``functions`` parameter."""


class _Offer(Struct, frozen=True, kw_only=True):
    name: str
    description: str
    schema: Mapping[str, Any] | None
    kind: str


def choose_calls(body: Mapping[str, Any], asked: Asked, plan: AnswerPlan, dice: Dice) -> list[Call]:
    """Return the calls that the answer makes; none is the usual case."""
    offers = _read_offers(body)
    mode, named = _read_choice(body)
    if named:
        offers = [offer for offer in offers if offer.name in named]
    if not offers or mode == "none":
        return []
    chosen = _choose(offers, mode, asked, plan, dice)
    if body.get("parallel_tool_calls") is False or offers[0].kind == "legacy":
        chosen = chosen[:1]
    return [
        Call(
            id=f"call_{dice.letters(24)}", name=offer.name, arguments=plan.args or _write(offer, dice), kind=offer.kind
        )
        for offer in chosen
    ]


def _read_offers(body: Mapping[str, Any]) -> list[_Offer]:
    offers = []
    for tool in body.get("tools", ()):
        inner = tool[tool["type"]]
        schema = inner.get("parameters") if tool["type"] == "function" else None
        offers.append(
            _Offer(name=inner["name"], description=inner.get("description", ""), schema=schema, kind=tool["type"])
        )
    for function in body.get("functions", ()):
        description, schema = function.get("description", ""), function.get("parameters")
        offers.append(_Offer(name=function["name"], description=description, schema=schema, kind="legacy"))
    return offers


def _read_choice(body: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return ``auto``, ``none`` or ``required``, and the tools that it is limited to."""
    choice = body.get("tool_choice", body.get("function_call", "auto"))
    if isinstance(choice, str):
        return choice, ()
    if choice.get("type") == "allowed_tools":
        allowed = choice["allowed_tools"]
        return allowed["mode"], tuple(tool.get(tool["type"], {}).get("name", "") for tool in allowed["tools"])
    inner = choice.get(choice.get("type", ""), choice)
    return "required", (inner["name"],)


def _choose(offers: list[_Offer], mode: str, asked: Asked, plan: AnswerPlan, dice: Dice) -> list[_Offer]:
    count = max(plan.parallel, 1)
    if plan.tool not in ("", "1"):
        found = [offer for offer in offers if offer.name == plan.tool]
        if not found:
            raise DirectiveError(f"tool={plan.tool}: no such tool is offered")
        return found * count
    is_wanted = bool(plan.tool) or plan.parallel > 0 or plan.stop_reason == "tool_calls" or mode == "required"
    start = find_mentioned([(offer.name, offer.description) for offer in offers], asked.text)
    if asked.results or start is None:
        if not is_wanted:
            return []
        start = dice.below(len(offers))
    return [offers[(start + index) % len(offers)] for index in range(count)]


def _write(offer: _Offer, dice: Dice) -> str:
    if offer.kind == "custom":
        return f"Simulated input for {offer.name}."
    try:
        return write_arguments(make_instance(offer.schema or {"type": "object", "properties": {}}, dice), dice)
    except SchemaError:
        return "{}"
