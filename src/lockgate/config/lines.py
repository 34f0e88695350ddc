"""Where in a TOML text a key stands, since the parser does not say."""

from __future__ import annotations

import re

_HEADER = re.compile(r"^\s*\[\[?\s*(?P<path>[^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""^\s*(?P<path>(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_LONG = re.compile(r'"""|' + r"'''")


def find_line(text: str, keys: tuple[str, ...]) -> int:
    """Return the 1-based line of the longest part of ``keys`` that the text holds, 1 when it holds none."""
    best, best_length = 1, 0
    table: tuple[str, ...] = ()
    inside: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if inside:
            inside = None if inside in line else inside
            continue
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = _parts(header["path"])
            path = table
        elif key:
            path = table + _parts(key["path"])
            inside = _opens_long_string(line)
        else:
            continue
        length = _shared(path, keys)
        if length > best_length:
            best, best_length = number, length
    return best


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(path))


def _shared(path: tuple[str, ...], keys: tuple[str, ...]) -> int:
    """Count the parts in which a line's path agrees with the keys; a path that leads elsewhere counts nothing."""
    return len(path) if path == keys[: len(path)] else 0


def _opens_long_string(line: str) -> str | None:
    marks = _LONG.findall(line)
    return marks[0] if len(marks) % 2 else None
