"""The requests that are sent, in both dialects, whole or streamed, of several sizes.

The user id repeats the model's name, so that the fake provider still knows what is asked for when a gateway
renames the model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from bench.history import chat_fields, messages_fields

Api = Literal["chat", "messages"]
Size = Literal["small", "large", "history", "huge"]

HUGE_BYTES = 32 * 1024 * 1024

_SYSTEM = (
    "You are a careful assistant for a travel company. Answer in the language of the customer, keep answers short, "
    "never invent prices, and say so when you do not know. Today is Monday. The customer has a valid booking."
)
_TURNS = (
    ("user", "Hello! I am planning a trip to Europe next spring and would like some help with the route."),
    ("assistant", "With pleasure! Which countries would you like to see, and how many days do you have in all?"),
    ("user", "About ten days. France for certain, then perhaps Italy or Spain. We travel by train with two children."),
    ("assistant", "Then I would suggest Paris, Lyon and Turin, with three nights in each and short rides between."),
    ("user", 'That sounds good. What is the capital of France, and is there something "special" there?\nThank you!'),
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is asked for: in which dialect, of which provider and model, streamed or not, how large."""

    api: Api
    provider: Literal["anthropic", "openai"] = "anthropic"
    model: str = "claude-mock"
    is_stream: bool = False
    size: Size = "small"

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.api}-{self.model}-{self.size}{'-stream' if self.is_stream else ''}"

    @property
    def expected(self) -> str:
        """Text near the end of every complete answer."""
        return "tok49 and" if self.is_stream else "in the region around it"


FIRST_TOKEN = " tok0 "
"""The text of the first token of every streamed answer."""


def write_body(shape: Shape, model: str) -> bytes:
    """The JSON body of a request for this model."""
    body = _chat_body(shape, model) if shape.api == "chat" else _messages_body(shape, model)
    if shape.is_stream:
        body["stream"] = True
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _chat_body(shape: Shape, model: str) -> dict[str, object]:
    if shape.size == "history":
        said = chat_fields()
    else:
        said = {"messages": [{"role": "system", "content": _SYSTEM}, *_messages(shape.size)]}
    return {
        "model": model,
        **said,
        "max_tokens": 256,
        "temperature": 0.7,
        "stop": ["\n\nHuman:"],
        "user": f"user-{shape.model}",
    }


def _messages_body(shape: Shape, model: str) -> dict[str, object]:
    if shape.size == "history":
        said = messages_fields()
    else:
        said = {"system": _SYSTEM, "messages": _messages(shape.size)}
    return {
        "model": model,
        **said,
        "max_tokens": 256,
        "temperature": 0.7,
        "stop_sequences": ["\n\nHuman:"],
        "metadata": {"user_id": f"user-{shape.model}"},
    }


def _messages(size: Size) -> list[dict[str, str]]:
    if size == "small":
        turns = list(_TURNS)
    elif size == "large":  # about 100 KB
        text = 'Line {} of a long document with "quotes", tabs\tand text. '
        turns = [(("user", "assistant")[i % 2], text.format(i) * 10) for i in range(175)]
    else:
        turns = [("user", "x" * (HUGE_BYTES - 4096))]
    return [{"role": role, "content": content} for role, content in turns]
