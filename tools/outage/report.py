"""What a drill has to say."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Report:
    """Lines to be read, and what must not be."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
