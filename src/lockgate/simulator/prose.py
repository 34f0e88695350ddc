"""The texts that the simulator writes: stable, short, and awkward enough to be a test."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.simulator.dice import Dice

_ECHO_LIMIT = 2000
_WORDS = (
    "river", "lantern", "copper", "harbour", "meadow", "signal", "window", "violet", "engine", "garden", "marble",
    "thunder", "paper", "orchard", "compass", "velvet", "anchor", "quiet", "bridge", "silver", "candle", "forest",
)  # fmt: skip
_FLOURISHES = (
    "Naïve café, déjà vu.",
    "東京は夜の七時。",
    "A family of four: 👩‍👩‍👧‍👦!",
    "Flags 🇨🇭 🏳️‍🌈 and a wave 👋🏽.",
    "He said \"yes\\no\"\tand left.\nA new line.",
    "Ω ≈ 3.14 × 10⁻³ e\u0301.",
    "<b>not bold</b> & {\"not\": \"json\"}",
)  # fmt: skip


def answer_text(dice: Dice, *, echo: str, images: int = 0, documents: int = 0, files: Sequence[str] = ()) -> str:
    """Return the default answer: a stable echo of the last user text, what was seen beside it, and some prose."""
    seen = [_plural(images, "image")] * bool(images) + [_plural(documents, "document")] * bool(documents)
    seen += [f"the {'files' if len(files) > 1 else 'file'} {', '.join(files)}"] * bool(files)
    note = f" (saw {' and '.join(seen)})" if seen else ""
    return f"Simulated answer to: {clip(echo)}{note}. {sentences(dice, 1 + dice.below(2))} {dice.pick(_FLOURISHES)}"


def tool_result_text(dice: Dice, results: list[str]) -> str:
    """Return the answer after tools have run: it quotes their results."""
    quoted = "; ".join(clip(result) for result in results)
    return f"Simulated answer from {_plural(len(results), 'tool result')}: {quoted}. {sentences(dice, 1)}"


def thinking_text(dice: Dice, echo: str) -> str:
    """Return the text of a thinking block."""
    return f"The user says: {clip(echo, 200)}. {sentences(dice, 2)} {dice.pick(_FLOURISHES)}"


def long_text(dice: Dice, size_bytes: int) -> str:
    """Return a plain text of exactly so many bytes."""
    paragraph = sentences(dice, 40) + "\n"
    return (paragraph * (size_bytes // len(paragraph) + 1))[:size_bytes]


def sentences(dice: Dice, count: int) -> str:
    """Return a few sentences without meaning."""
    return " ".join(
        " ".join(dice.pick(_WORDS) for _ in range(4 + dice.below(5))).capitalize() + "." for _ in range(count)
    )


def clip(text: str, limit: int = _ECHO_LIMIT) -> str:
    """Return the text, or its beginning when it is long."""
    return text if len(text) <= limit else text[:limit] + "…"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
