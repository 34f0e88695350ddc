"""Whether a user's text asks for a tool."""

from __future__ import annotations

import re
from collections.abc import Sequence

TRIGGER_WORDS = ("weather", "forecast", "temperature")
"""A user who writes one of these gets a tool call, when tools are offered."""

_SHORTEST_NAME = 4


def find_mentioned(tools: Sequence[tuple[str, str]], text: str) -> int | None:
    """Return which of the tools, given as name and description, the text names or a trigger word fits."""
    lowered = text.lower()
    for index, (name, _) in enumerate(tools):
        if len(name) >= _SHORTEST_NAME and re.search(rf"\b{re.escape(name.lower())}\b", lowered):
            return index
    for word in TRIGGER_WORDS:
        if re.search(rf"\b{word}\b", lowered):
            fitting = (index for index, tool in enumerate(tools) if word in " ".join(tool).lower())
            return next(fitting, 0)
    return None
