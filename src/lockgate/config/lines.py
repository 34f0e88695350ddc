"""Where in a TOML or JSON text a key stands, since the parsers do not say."""

from __future__ import annotations

import re

import msgspec

_HEADER = re.compile(r"^\s*\[\[?\s*(?P<path>[^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""^\s*(?P<path>(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]|[^\s{}\[\],:"]+')
_LONG = re.compile(r'"""|' + r"'''")


def find_line(text: str, keys: tuple[str, ...]) -> int:
    """Return the 1-based line of the longest part of ``keys`` that the text holds, 1 when it holds none.

    Tables of a list ``[[x]]`` are known by their number: ``("x", "0", ...)``.
    """
    best, best_length = 1, 0
    table: tuple[str, ...] = ()
    inside: str | None = None
    counts: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if inside:
            inside = None if inside in line else inside
            continue
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            is_item = line.lstrip().startswith("[[")
            table = _placed(_parts(header["path"]), counts, is_item=is_item)
            paths = (table, table[:-1]) if is_item else (table,)
        elif key:
            paths = (table + _parts(key["path"]),)
            inside = _opens_long_string(line)
        else:
            continue
        length = max(_shared(path, keys) for path in paths)
        if length > best_length:
            best, best_length = number, length
    return best


def find_json_line(text: str, keys: tuple[str, ...]) -> int:
    """Return the 1-based line of the longest part of ``keys`` that a JSON text holds; items of lists have numbers."""
    best, best_length = 0, 0
    frames: list[_Frame] = []
    for found in _TOKEN.finditer(text):
        mark, top = found[0], frames[-1] if frames else None
        if mark == ",":
            if top is not None:
                top.name = str(int(top.name or "0") + 1) if top.is_list else None
            continue
        if mark in "}]":
            frames = frames[:-1]
            continue
        is_key = top is not None and not top.is_list and top.name is None
        if is_key and top is not None:
            top.name = _unquoted(mark)
        length = _shared(tuple(frame.name or "" for frame in frames), keys)
        if length > best_length:
            best, best_length = found.start(), length
        if not is_key and mark in "{[":
            frames.append(_Frame(is_list=mark == "[", name="0" if mark == "[" else None))
    return text.count("\n", 0, best) + 1


class _Frame(msgspec.Struct):
    """An object or a list that a scan is inside of, and the key or number of where it is in there."""

    is_list: bool
    name: str | None


def _unquoted(mark: str) -> str:
    try:
        return msgspec.json.decode(mark, type=str)
    except msgspec.MsgspecError:
        return mark


def _placed(parts: tuple[str, ...], counts: dict[tuple[str, ...], int], *, is_item: bool) -> tuple[str, ...]:
    """Return a header's path with the numbers of the list items that it is in; a new item is counted."""
    path: tuple[str, ...] = ()
    for part in parts[:-1]:
        path = (*path, part)
        path = (*path, str(counts[path])) if path in counts else path
    path = (*path, *parts[-1:])
    if is_item:
        counts[path] = counts.get(path, -1) + 1
        path = (*path, str(counts[path]))
    return path


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(path))


def _shared(path: tuple[str, ...], keys: tuple[str, ...]) -> int:
    """Count the parts in which a line's path agrees with the keys; a path that leads elsewhere counts nothing."""
    return len(path) if path == keys[: len(path)] else 0


def _opens_long_string(line: str) -> str | None:
    marks = _LONG.findall(line)
    return marks[0] if len(marks) % 2 else None
