"""The fenced blocks of Markdown pages, so that tests can try what the documentation shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```\s*$", re.MULTILINE | re.DOTALL)


class Fence(Struct, frozen=True, kw_only=True):
    """One fenced block: where it begins, what it is written in, and its text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def fences(page: Path, *languages: str) -> Iterator[Fence]:
    """Yield the blocks of a page in these languages."""
    text = page.read_text()
    for found in FENCE.finditer(text):
        if found["language"] in languages:
            line = text.count("\n", 0, found.start()) + 1
            yield Fence(page=page, line=line, language=found["language"], text=found["text"])


def shell_lines(fence: Fence) -> Iterator[str]:
    """Yield the commands of a shell block, without comments; continued lines and open quotes are joined."""
    command = ""
    for line in fence.text.replace("\\\n", " ").splitlines():
        command = f"{command}\n{line}" if command else line.strip().removeprefix("$ ")
        try:
            words = shlex.split(command, comments=True)
        except ValueError:
            continue  # a quote is open
        if words:
            yield command
        command = ""
