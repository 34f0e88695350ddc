"""Makes a text that a regular expression matches, for the ``pattern`` of a JSON Schema."""

from __future__ import annotations

import re
import string
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]  # whether mypy sees it depends on what else it reads
from re import _parser as parser  # type: ignore[attr-defined, unused-ignore]  # whether mypy sees it depends on what else it reads
from typing import Any

from lockgate.simulator.dice import Dice

_MOST_REPEATS = 3
_PRINTABLE = string.ascii_letters + string.digits + " -_.,"
_CLASSES = {
    op.CATEGORY_DIGIT: string.digits,
    op.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_DIGIT: string.ascii_letters,
    op.CATEGORY_NOT_WORD: " -.",
    op.CATEGORY_NOT_SPACE: string.ascii_letters,
}


def make_match(pattern: str, dice: Dice) -> str:
    """Return a text for the pattern; look-arounds and back references are not looked at, so check the result."""
    try:
        tree = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return ""
    return "".join(_make(kind, value, dice) for kind, value in tree)


def _make(kind: Any, value: Any, dice: Dice) -> str:
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.NOT_LITERAL:
        return dice.pick([letter for letter in _PRINTABLE if ord(letter) != value])
    if kind is op.ANY:
        return dice.pick(_PRINTABLE)
    if kind is op.IN:
        return _pick_from(value, dice)
    if kind is op.BRANCH:
        return _make_all(dice.pick(value[1]), dice)
    if kind is op.SUBPATTERN:
        return _make_all(value[-1], dice)
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        least, most, inner = value
        times = least + dice.below(min(int(most) - least, _MOST_REPEATS) + 1)
        return "".join(_make_all(inner, dice) for _ in range(times))
    if kind is op.ATOMIC_GROUP:
        return _make_all(value, dice)
    return ""


def _make_all(tree: Any, dice: Dice) -> str:
    return "".join(_make(kind, value, dice) for kind, value in tree)


def _pick_from(members: Any, dice: Dice) -> str:
    letters = ""
    is_negated = False
    for kind, value in members:
        if kind is op.NEGATE:
            is_negated = True
        elif kind is op.LITERAL:
            letters += chr(value)
        elif kind is op.RANGE:
            letters += "".join(chr(code) for code in range(value[0], min(value[1], value[0] + 100) + 1))
        elif kind is op.CATEGORY:
            letters += _CLASSES.get(value, "")
    if is_negated:
        letters = "".join(letter for letter in _PRINTABLE if letter not in letters)
    return dice.pick(letters) if letters else ""
