"""Where a stream tears its texts: anywhere that is legal, and by preference where it hurts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec

from lockgate.simulator.dice import Dice

_MOST_PIECES = 256
_JOINERS = "\u200d\ufe0f\u0301"
_SORE_SPOTS = re.compile(r"\\u[0-9a-f]{4}|\\.|\d{2,}|true|false|null")


def split_text(text: str, dice: Dice, count: int = 0) -> list[str]:
    """Return the pieces of a text, in order; some end inside a grapheme cluster. ``count`` asks for so many pieces."""
    if count:
        return _split_evenly(text, count)
    cuts = {index for index, letter in enumerate(text) if letter in _JOINERS} if not text.isascii() else set()
    return _split_at(text, cuts, dice)


def split_json(text: str, dice: Dice) -> list[str]:
    """Return the pieces of a JSON text: torn inside escapes and numbers, with empty pieces here and there."""
    cuts = set()
    for match in _SORE_SPOTS.finditer(text):
        if not dice.chance(3):
            cuts.add(match.start() + 1 + dice.below(match.end() - match.start() - 1))
    pieces = ["", *_split_at(text, cuts, dice)]
    if dice.chance(2):
        pieces.insert(1 + dice.below(len(pieces)), "")
    return pieces


def _split_at(text: str, cuts: Iterable[int], dice: Dice) -> list[str]:
    wanted = set(cuts)
    longest = max(24, 2 * len(text) // _MOST_PIECES)
    position = 0
    while position < len(text):
        wanted.add(position)
        position += 1 + dice.below(longest)
    order = sorted(wanted | {0, len(text)})
    return [text[start:end] for start, end in pairwise(order) if start < end]


def _split_evenly(text: str, count: int) -> list[str]:
    size, extra = divmod(len(text), count)
    pieces, position = [], 0
    for index in range(count):
        end = position + size + (index < extra)
        pieces.append(text[position:end])
        position = end
    return pieces


def write_arguments(value: Any, dice: Dice) -> str:
    """Return a JSON text for tool arguments; about half of them write what is not ASCII as escapes."""
    text = msgspec.json.encode(value).decode()
    return escape_non_ascii(text) if dice.chance(2) else text


def escape_non_ascii(text: str) -> str:
    """Return the same JSON with ``\\uXXXX`` escapes, in pairs beyond the basic plane."""
    if text.isascii():
        return text
    return "".join(letter if letter.isascii() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    raw = letter.encode("utf-16-be")
    return "".join(f"\\u{raw[index : index + 2].hex()}" for index in range(0, len(raw), 2))


def tear(frame: bytes, dice: Dice) -> int:
    """Return where to tear a frame into two writes: inside a UTF-8 sequence if there is one, else nowhere."""
    if frame.isascii() or dice.chance(2):
        return 0
    return next(index for index, byte in enumerate(frame) if byte & 0xC0 == 0x80)
