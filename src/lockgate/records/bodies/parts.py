"""Cuts a body into parts that come again: each message, tool, system block, each piece of media.

A body is a list of pieces, literal bytes and parts, whose concatenation is the body: cutting can be clumsy, but never
wrong. Agents send their whole history with every turn; since a client writes a message the same way each time, its
bytes are found by their hash and kept once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

import msgspec
from msgspec import Raw, Struct, structs

MIN_PART = 128
"""Smaller ones cost more as references than as bytes."""
MIN_MEDIA = 4096
MAX_LITERAL = 64 * 1024
"""Literal bytes longer than this are a part, so that skeletons stay small."""
_MEDIA = re.compile(rb"[A-Za-z0-9+/]{%d,}={0,2}" % MIN_MEDIA)
_NOTHING = Raw(b"")


class Part(Struct, frozen=True):
    """Bytes that are kept once, by their hash."""

    data: bytes


Piece: TypeAlias = bytes | Part


class _Lists(Struct):
    """Members of requests and answers whose items come again, whatever the API."""

    system: Raw = _NOTHING
    instructions: Raw = _NOTHING
    tools: Raw = _NOTHING
    messages: Raw = _NOTHING
    input: Raw = _NOTHING
    contents: Raw = _NOTHING
    choices: Raw = _NOTHING
    content: Raw = _NOTHING
    output: Raw = _NOTHING


_read_lists = msgspec.json.Decoder(_Lists).decode
_read_items = msgspec.json.Decoder(list[Raw]).decode


def split(body: bytes) -> list[Piece]:
    """Return the pieces of a body; joined they are the body, whatever it holds."""
    pieces: list[Piece] = []
    at = 0
    for item in sorted(_find(body)):
        start, end = item
        if start < at:
            continue
        pieces += _cut_media(body[at:start])
        pieces += _cut_media(body[start:end], is_part=True)
        at = end
    pieces += _cut_media(body[at:])
    return pieces


def join(pieces: Iterable[Piece]) -> bytes:
    """Return the body of pieces."""
    return b"".join(piece.data if isinstance(piece, Part) else piece for piece in pieces)


def _find(body: bytes) -> list[tuple[int, int]]:
    """Return where items stand. A place where the same bytes stand is as good as the item's own."""
    try:
        lists = _read_lists(body)
    except (msgspec.MsgspecError, RecursionError):
        return []
    found: list[tuple[int, int]] = []
    for there in structs.astuple(lists):
        if there is _NOTHING:
            continue
        raw = bytes(there)
        if len(raw) < MIN_PART:
            continue
        start = body.find(raw)
        if raw[:1] != b"[":
            found.append((start, start + len(raw)))
            continue
        at = start
        for item in _items(raw):
            place = body.find(item, at)
            at = place + len(item)
            if len(item) >= MIN_PART:
                found.append((place, at))
    return found


def _items(raw: bytes) -> list[bytes]:
    try:
        return [bytes(item) for item in _read_items(raw)]
    except (msgspec.MsgspecError, RecursionError):
        return []


def _cut_media(data: bytes, *, is_part: bool = False) -> list[Piece]:
    """Return data with its long base64 as parts of their own; what is between stays together."""
    if len(data) < MIN_MEDIA:
        return _between(data, is_part)
    pieces: list[Piece] = []
    at = 0
    for found in _MEDIA.finditer(data):
        pieces += _between(data[at : found.start()], is_part)
        pieces.append(Part(found[0]))
        at = found.end()
    return pieces + _between(data[at:], is_part)


def _between(data: bytes, is_part: bool) -> list[Piece]:
    if not data:
        return []
    return [Part(data)] if (is_part and len(data) >= MIN_PART) or len(data) > MAX_LITERAL else [data]
