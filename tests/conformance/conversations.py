"""Generated conversations, written in both dialects, with every string that must reach the provider."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.contract.dialects.strategies import TEXT

BLANKS = st.sampled_from(["", " ", "\n", "\t ", "\u2028"])


@dataclass
class Turn:
    """One turn: ``parts`` and ``calls`` hold pairs of what they are and their strings."""

    role: str
    parts: list[tuple[str, list[str]]] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)
    results: list[list[str]] = field(default_factory=list)

    def groups(self, *, with_thinking: bool) -> list[list[str]]:
        """Return the strings in order; those of one group may come in any order."""
        told = [texts for kind, texts in self.parts if with_thinking or kind != "thinking"]
        return [*told, *self.calls, *self.results]


@dataclass
class Conversation:
    """Turns, and the descriptions of the tools that they use."""

    turns: list[Turn]
    tools: list[str]


class _Strings:
    """Makes strings of which none is part of another: each has a number in its middle."""

    def __init__(self, draw) -> None:
        self._draw = draw
        self._count = 0

    def text(self) -> str:
        self._count += 1
        draw = self._draw
        return f"{draw(BLANKS)}{draw(TEXT)}⟦{self._count}⟧{draw(TEXT)}{draw(BLANKS)}"

    def bytes(self) -> str:
        return base64.b64encode(self.text().encode()).decode()


@st.composite
def conversations(draw) -> Conversation:
    """Return a conversation that ends with a user's turn; results stand behind their calls, in their order."""
    strings = _Strings(draw)
    turns: list[Turn] = []
    for kind in draw(st.lists(st.sampled_from(["system", "user", "user", "assistant", "tools"]), max_size=5)):
        match kind:
            case "system":
                turns.append(Turn("system", [("text", [strings.text()])]))
            case "user":
                turns.append(_user(draw, strings))
            case "assistant":
                turns.append(Turn("assistant", _thoughts(draw, strings) + _texts(draw, strings, 1)))
            case _:
                count = draw(st.integers(1, 2))
                turns.append(
                    Turn(
                        "assistant",
                        _thoughts(draw, strings) + _texts(draw, strings, 0),
                        [[strings.text() for _ in range(draw(st.integers(1, 2)))] for _ in range(count)],
                        [[strings.text() for _ in range(draw(st.integers(1, 2)))] for _ in range(count)],
                    )
                )
    turns.append(_user(draw, strings))
    return Conversation(turns, [strings.text() for _ in range(draw(st.integers(1, 2)))])


def _thoughts(draw, strings: _Strings) -> list[tuple[str, list[str]]]:
    return [("thinking", [strings.text()])] if draw(st.booleans()) else []


def _texts(draw, strings: _Strings, least: int) -> list[tuple[str, list[str]]]:
    return [("text", [strings.text()]) for _ in range(draw(st.integers(least, 2)))]


def _user(draw, strings: _Strings) -> Turn:
    parts: list[tuple[str, list[str]]] = []
    for kind in draw(st.lists(st.sampled_from(["text", "text", "document", "image"]), min_size=1, max_size=3)):
        match kind:
            case "document":
                # What begins with "data:" may be taken for a data URI in a file part: see the rows of parts.
                parts.append((kind, [strings.text(), f"# {strings.text()}"]))
            case "image":
                parts.append((kind, [strings.bytes()]))
            case _:
                parts.append((kind, [strings.text()]))
    return Turn("user", parts)


# ---- in Anthropic's words


def as_messages(talk: Conversation, model: str) -> dict:
    """Write a conversation as a Messages body; system turns stay where they are."""
    messages: list[dict] = []
    for number, turn in enumerate(talk.turns):
        blocks = [_block(kind, texts) for kind, texts in turn.parts]
        blocks += [
            {"type": "tool_use", "id": f"toolu_{number}_{at}", "name": "look", "input": _arguments(texts)}
            for at, texts in enumerate(turn.calls)
        ]
        plain = turn.role != "assistant" and len(blocks) == 1 and turn.parts[0][0] == "text"
        messages.append({"role": turn.role, "content": blocks[0]["text"] if plain else blocks})
        results = [
            {"type": "tool_result", "tool_use_id": f"toolu_{number}_{at}", "content": _result(texts)}
            for at, texts in enumerate(turn.results)
        ]
        if results:
            messages.append({"role": "user", "content": results})
    tools = [
        {"name": f"look{at or ''}", "description": text, "input_schema": {"type": "object"}}
        for at, text in enumerate(talk.tools)
    ]
    return {"model": model, "max_tokens": 64, "messages": messages, "tools": tools}


def _block(kind: str, texts: list[str]) -> dict:
    match kind:
        case "thinking":
            return {"type": "thinking", "thinking": texts[0], "signature": "c2ln"}
        case "document":
            source = {"type": "text", "media_type": "text/plain", "data": texts[1]}
            return {"type": "document", "title": texts[0], "source": source}
        case "image":
            return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": texts[0]}}
        case _:
            return {"type": "text", "text": texts[0]}


def _arguments(texts: list[str]) -> dict:
    return {"first": texts[0], "more": {"list": [1.0, None, *texts[1:]]}}


def _result(texts: list[str]) -> object:
    return texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]


# ---- in OpenAI's words


def as_chat(talk: Conversation, model: str) -> dict:
    """Write a conversation as a chat completions body; thinking goes along in ``content_blocks``."""
    messages: list[dict] = []
    for number, turn in enumerate(talk.turns):
        messages.append(_assistant(turn, number) if turn.role == "assistant" else _other(turn))
        messages += [
            {"role": "tool", "tool_call_id": f"call_{number}_{at}", "content": _result(texts)}
            for at, texts in enumerate(turn.results)
        ]
    tools = [
        {
            "type": "function",
            "function": {"name": f"look{at or ''}", "description": text, "parameters": {"type": "object"}},
        }
        for at, text in enumerate(talk.tools)
    ]
    return {"model": model, "messages": messages, "tools": tools}


def _other(turn: Turn) -> dict:
    parts = [_part(kind, texts) for kind, texts in turn.parts]
    plain = len(parts) == 1 and turn.parts[0][0] == "text"
    return {"role": turn.role, "content": parts[0]["text"] if plain else parts}


def _assistant(turn: Turn, number: int) -> dict:
    calls = [
        {
            "id": f"call_{number}_{at}",
            "type": "function",
            "function": {"name": "look", "arguments": json.dumps(_arguments(texts))},
        }
        for at, texts in enumerate(turn.calls)
    ]
    message: dict = {"role": "assistant", "content": [_block(kind, texts) for kind, texts in turn.parts] or None}
    return message | {"tool_calls": calls} if calls else message


def _part(kind: str, texts: list[str]) -> dict:
    match kind:
        case "document":
            file = {"filename": texts[0], "file_data": texts[1], "mime_type": "text/plain"}
            return {"type": "file", "file": file}
        case "image":
            return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{texts[0]}"}}
        case _:
            return {"type": "text", "text": texts[0]}
