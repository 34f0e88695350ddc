"""The prompt as the model would see it: its blocks in order, their tokens, and what of it the cache holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.seal import blocks_of
from lockgate.simulator.tokens import count_json, count_text

MESSAGE_TOKENS = 4
TOOLS_TOKENS = 346
IMAGE_TOKENS = 1600
PDF_TOKENS = 2000
MAX_BREAKPOINTS = 4
MOST_ENTRIES = 100_000
"""How many prefixes the cache knows before it starts anew."""


class Piece(NamedTuple):
    """One block of the prompt."""

    path: str
    block: Mapping[str, Any]
    tokens: int
    ttl: str | None
    """How long the cache is to keep the prompt up to here; None: no breakpoint."""


class CacheUse(NamedTuple):
    """How many tokens of a prompt came from the cache or went into it."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0


def read_pieces(body: Mapping[str, Any]) -> list[Piece]:
    """Return the prompt's blocks in the order of caching: tools, system, messages."""
    pieces = list(_pieces(body))
    control = body.get("cache_control")
    if control and pieces:
        for index in range(len(pieces) - 1, -1, -1):
            if pieces[index].block.get("type") not in ("thinking", "redacted_thinking"):
                pieces[index] = pieces[index]._replace(ttl=control.get("ttl", "5m"))
                break
    return pieces


def _pieces(body: Mapping[str, Any]) -> Iterator[Piece]:
    for index, tool in enumerate(body.get("tools", ())):
        yield _piece(f"tools.{index}", tool, TOOLS_TOKENS if index == 0 else 0)
    system = body.get("system") or []
    for index, block in enumerate([{"type": "text", "text": system}] if isinstance(system, str) else system):
        yield _piece(f"system.{index}", block, 0)
    for number, message in enumerate(body["messages"]):
        for index, block in enumerate(blocks_of(message)):
            yield _piece(f"messages.{number}.content.{index}", block, MESSAGE_TOKENS if index == 0 else 0)


def _piece(path: str, block: Mapping[str, Any], extra: int) -> Piece:
    control = block.get("cache_control") or _inner_control(block)
    return Piece(path, block, count_block(block) + extra, control.get("ttl", "5m") if control else None)


def _inner_control(block: Mapping[str, Any]) -> Any:
    content = block.get("content")
    found = [inner.get("cache_control") for inner in content if inner] if isinstance(content, list) else []
    return next((control for control in reversed(found) if control), None)


def count_block(block: Mapping[str, Any]) -> int:
    """Return the tokens of one block."""
    kind = block.get("type")
    if kind == "text":
        return count_text(block["text"])
    if kind == "image":
        return IMAGE_TOKENS
    if kind == "document":
        return _count_document(block["source"])
    if kind == "tool_result":
        content = block.get("content") or ""
        return count_text(content) if isinstance(content, str) else sum(count_block(inner) for inner in content)
    if kind == "thinking":
        return count_text(block["thinking"])
    return count_json({key: value for key, value in block.items() if key != "cache_control"})


def _count_document(source: Mapping[str, Any]) -> int:
    match source["type"]:
        case "text":
            return count_text(source["data"])
        case "content":
            content = source["content"]
            return count_text(content) if isinstance(content, str) else sum(count_block(inner) for inner in content)
        case _:
            return PDF_TOKENS


def check_breakpoints(pieces: list[Piece], body: Mapping[str, Any]) -> None:
    """Refuse too many cache breakpoints, or a long one behind a short one. Raises :class:`ApiError`."""
    marked = [piece for piece in pieces if piece.ttl is not None]
    count = sum(_count_marks(piece.block) for piece in pieces) + bool(body.get("cache_control"))
    if count > MAX_BREAKPOINTS:
        raise ApiError(f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {count}.")
    is_short = False
    for piece in marked:
        if piece.ttl == "1h" and is_short:
            raise ApiError(
                f"{piece.path}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: "
                "`tools`, `system`, `messages`."
            )
        is_short = is_short or piece.ttl == "5m"


def _count_marks(block: Mapping[str, Any]) -> int:
    content = block.get("content")
    inner = sum(_count_marks(one) for one in content if one) if isinstance(content, list) else 0
    return inner + bool(block.get("cache_control"))


class PromptCache:
    """Which prompt beginnings were sent before. Entries never expire; a reset forgets them."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def use(self, model_id: str, pieces: list[Piece]) -> CacheUse:
        """Return what the cache does for this prompt, and remember its breakpoints."""
        marks = [index for index, piece in enumerate(pieces) if piece.ttl is not None]
        if not marks:
            return CacheUse()
        if len(self._known) > MOST_ENTRIES:
            self._known.clear()
        digests = _digest_prefixes(model_id, pieces[: marks[-1] + 1])
        hit = max((index for index, digest in enumerate(digests) if digest in self._known), default=-1)
        written = {"5m": 0, "1h": 0}
        start = hit + 1
        for mark in marks:
            if mark >= start:
                written[pieces[mark].ttl or "5m"] += sum(piece.tokens for piece in pieces[start : mark + 1])
                start = mark + 1
            self._known.add(digests[mark])
        return CacheUse(sum(piece.tokens for piece in pieces[: hit + 1]), written["5m"], written["1h"])


def _digest_prefixes(model_id: str, pieces: list[Piece]) -> list[bytes]:
    digest = blake2b(model_id.encode(), digest_size=16)
    found = []
    for piece in pieces:
        plain = {key: value for key, value in piece.block.items() if key != "cache_control"}
        digest.update(piece.path.partition(".")[0].encode() + msgspec.json.encode(plain, order="sorted") + b"\0")
        found.append(digest.digest())
    return found
