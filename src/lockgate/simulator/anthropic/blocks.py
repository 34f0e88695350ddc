"""The blocks of an answer: each knows how it looks whole and how it is streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from lockgate.simulator.dice import Dice
from lockgate.simulator.splitting import split_json, split_text
from lockgate.simulator.tokens import count_json, count_text, cut_text


class Out(Protocol):
    """One block of an answer."""

    @property
    def tokens(self) -> int:
        """What it counts for in the usage."""
        ...

    def cut(self, tokens: int) -> Out:
        """Return what of it fits into so many tokens."""
        ...

    def whole(self) -> dict[str, Any]:
        """Return it as the whole message shows it."""
        ...

    def start(self) -> dict[str, Any]:
        """Return it as its ``content_block_start`` shows it."""
        ...

    def deltas(self, dice: Dice) -> Iterator[dict[str, Any]]:
        """Return what turns the start into the whole, in pieces."""
        ...


class TextOut(Struct, frozen=True, kw_only=True):
    """Text, with the citations it rests on."""

    text: str
    citations: tuple[Mapping[str, Any], ...] = ()
    pieces: int = 0
    """How many deltas to stream it in; 0: as it comes."""

    @property
    def tokens(self) -> int:
        return count_text(self.text)

    def cut(self, tokens: int) -> TextOut:
        """Return the beginning that fits."""
        return msgspec.structs.replace(self, text=cut_text(self.text, tokens))

    def whole(self) -> dict[str, Any]:
        block: dict[str, Any] = {"type": "text", "text": self.text}
        return {**block, "citations": list(self.citations)} if self.citations else block

    def start(self) -> dict[str, Any]:
        block: dict[str, Any] = {"type": "text", "text": ""}
        return {**block, "citations": []} if self.citations else block

    def deltas(self, dice: Dice) -> Iterator[dict[str, Any]]:
        texts = split_text(self.text, dice, self.pieces)
        for index, text in enumerate(texts):
            yield {"type": "text_delta", "text": text}
            if index == 0:
                for citation in self.citations:
                    yield {"type": "citations_delta", "citation": citation}


class ThinkingOut(Struct, frozen=True, kw_only=True):
    """Thinking; ``thought`` is what was thought, ``text`` what is shown of it."""

    thought: str
    text: str
    signature: str

    @property
    def tokens(self) -> int:
        return count_text(self.thought)

    def cut(self, tokens: int) -> ThinkingOut:
        """Thinking is never cut: its signature would no longer hold."""
        return self

    def whole(self) -> dict[str, Any]:
        return {"type": "thinking", "thinking": self.text, "signature": self.signature}

    def start(self) -> dict[str, Any]:
        return {"type": "thinking", "thinking": "", "signature": ""}

    def deltas(self, dice: Dice) -> Iterator[dict[str, Any]]:
        for text in split_text(self.text, dice):
            yield {"type": "thinking_delta", "thinking": text}
        yield {"type": "signature_delta", "signature": self.signature}


class ToolOut(Struct, frozen=True, kw_only=True):
    """A call of a tool: the client's, or with ``is_server`` one that the API runs itself."""

    id: str
    name: str
    arguments: str
    """JSON text; when the answer was cut here it breaks off."""
    is_server: bool = False
    toolset_name: str | None = None

    @property
    def tokens(self) -> int:
        return count_text(self.arguments) + count_text(self.name)

    def cut(self, tokens: int) -> ToolOut:
        """Return the call with arguments that break off."""
        return msgspec.structs.replace(self, arguments=cut_text(self.arguments, tokens - count_text(self.name)))

    def whole(self) -> dict[str, Any]:
        try:
            value = msgspec.json.decode(self.arguments or "{}")
        except msgspec.DecodeError:
            value = {}
        return {**self.start(), "input": value}

    def start(self) -> dict[str, Any]:
        block: dict[str, Any] = {
            "type": "server_tool_use" if self.is_server else "tool_use",
            "id": self.id,
            "name": self.name,
            "input": {},
            "caller": {"type": "direct"},
        }
        return {**block, "toolset_name": self.toolset_name} if self.toolset_name else block

    def deltas(self, dice: Dice) -> Iterator[dict[str, Any]]:
        for text in split_json(self.arguments, dice):
            yield {"type": "input_json_delta", "partial_json": text}


class FixedOut(Struct, frozen=True, kw_only=True):
    """A block that comes in one piece, also in a stream."""

    block: Mapping[str, Any]
    is_free: bool = False
    """Whether it costs no output tokens."""

    @property
    def tokens(self) -> int:
        return 0 if self.is_free else count_json(self.block)

    def cut(self, tokens: int) -> FixedOut:
        return self

    def whole(self) -> dict[str, Any]:
        return dict(self.block)

    def start(self) -> dict[str, Any]:
        return dict(self.block)

    def deltas(self, dice: Dice) -> Iterator[dict[str, Any]]:
        yield from ()


class CompactionOut(Struct, frozen=True, kw_only=True):
    """The signed summary of a conversation."""

    content: str
    signature: str

    @property
    def tokens(self) -> int:
        return count_text(self.content)

    def cut(self, tokens: int) -> CompactionOut:
        return self

    def whole(self) -> dict[str, Any]:
        return {**self.start(), "content": self.content}

    def start(self) -> dict[str, Any]:
        return {"type": "compaction", "content": None, "signature": self.signature, "tool_changes": []}

    def deltas(self, dice: Dice) -> Iterator[dict[str, Any]]:
        yield {"type": "compaction_delta", "content": self.content}
