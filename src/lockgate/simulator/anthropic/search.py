"""The web search server tool: the call, its sealed results, and the cited text behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lockgate.simulator import prose
from lockgate.simulator.anthropic.blocks import FixedOut, Out, TextOut, ToolOut
from lockgate.simulator.anthropic.seal import Sealer, blocks_of
from lockgate.simulator.dice import Dice
from lockgate.simulator.splitting import write_arguments

_RESULTS = 2


def search(query: str, dice: Dice, sealer: Sealer, *, is_paused: bool) -> list[Out]:
    """Return the blocks of an answer that searches; a paused one ends with the call."""
    call = ToolOut(
        id=f"srvtoolu_01{dice.letters(22)}",
        name="web_search",
        arguments=write_arguments({"query": prose.clip(query, 100)}, dice),
        is_server=True,
    )
    lead = TextOut(text="I will search for that.")
    return [lead, call] if is_paused else [lead, call, *_report(call.id, query, dice, sealer)]


def resume_search(messages: Sequence[Any], dice: Dice, sealer: Sealer) -> list[Out]:
    """Return the blocks that follow a paused turn."""
    last = blocks_of(messages[-1])[-1]
    if last["type"] == "server_tool_use" and last["name"] == "web_search":
        return _report(last["id"], str(last["input"].get("query", "")), dice, sealer)
    return [TextOut(text=f"Simulated continuation. {prose.sentences(dice, 1)}")]


def _report(tool_id: str, query: str, dice: Dice, sealer: Sealer) -> list[Out]:
    results = [_result(index, query, dice, sealer) for index in range(_RESULTS)]
    block = {"type": "web_search_tool_result", "tool_use_id": tool_id, "content": results, "caller": {"type": "direct"}}
    cited = f"A page about {prose.clip(query, 60)}."
    citation = {
        "type": "web_search_result_location",
        "cited_text": cited,
        "encrypted_index": sealer.seal("citation", results[0]["url"], dice),
        "title": results[0]["title"],
        "url": results[0]["url"],
    }
    return [
        FixedOut(block=block, is_free=True),
        TextOut(text=f"Simulated answer to: {prose.clip(query)}. "),
        TextOut(text=f"The first page says: {cited}", citations=(citation,)),
        TextOut(text=f" {prose.sentences(dice, 1)}"),
    ]


def _result(index: int, query: str, dice: Dice, sealer: Sealer) -> dict[str, Any]:
    url = f"https://example.com/{dice.below(10_000)}/page-{index + 1}"
    return {
        "type": "web_search_result",
        "url": url,
        "title": f"Result {index + 1} for {prose.clip(query, 40)}",
        "encrypted_content": sealer.seal("search_result", url, dice),
        "page_age": "November 1, 2026" if index == 0 else None,
    }
