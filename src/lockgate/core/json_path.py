"""Paths into JSON text, and cutting out what they lead to while every other byte stays as it is.

A path is made of names with dots between them; behind a name may stand ``[3]`` for an item of a list or ``[*]`` for
all of them: ``messages[*].content[*].cache_control.scope``. Source: gateway protocol specification, section 3.4.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec
from msgspec import Raw

from lockgate.core.json_edit import Edit, Member, Place, read_items, read_members, skip_space

EACH = -1
"""The step to every item of a list."""

Path: TypeAlias = tuple[str | int, ...]
"""Names of members, numbers of items, or EACH."""

_PART = re.compile(r"(?P<name>[^.\[\]]+)(?P<items>(?:\[(?:\*|\d{1,9})\])*)")
_ITEM = re.compile(r"\[(\*|\d+)\]")
_MAX_TEXT, _MAX_STEPS = 500, 50


def read_path(text: str) -> Path:
    """Read a path. Raises ValueError with what is wrong with it."""
    if len(text) > _MAX_TEXT:
        raise ValueError(f"the path is longer than {_MAX_TEXT} characters")
    steps: list[str | int] = []
    for part in text.split("."):
        found = _PART.fullmatch(part)
        if found is None:
            raise ValueError("expected names with dots between them, each followed by [number] or [*] at most")
        steps.append(found["name"])
        steps += [EACH if item == "*" else int(item) for item in _ITEM.findall(found["items"])]
    if len(steps) > _MAX_STEPS:
        raise ValueError(f"the path has more than {_MAX_STEPS} steps")
    return tuple(steps)


def remove_path(body: bytes, path: Path) -> bytes:
    """Return the JSON text without what the path leads to; text where it leads nowhere comes back as it is.

    Most paths lead nowhere in most bodies, and finding that out is far cheaper than finding places.
    """
    if not leads_somewhere(body, path):
        return body
    start = skip_space(body, 0)
    edit = Edit(body)
    return edit.apply() if _remove(edit, body, start, path) else body


def leads_somewhere(value: bytes | Raw, path: Path) -> bool:
    """Tell whether there is anything at a path."""
    step, rest = path[0], path[1:]
    try:
        if isinstance(step, str):
            found = [_read_object.decode(value)[step]]
        elif step == EACH:
            found = _read_list.decode(value)
        else:
            found = [_read_list.decode(value)[step]]
    except (msgspec.ValidationError, KeyError, IndexError):
        return False
    except (ValueError, RecursionError):
        return True  # text that the decoder does not take, such as half a surrogate pair: looked at in full
    return bool(found) and (not rest or any(leads_somewhere(item, rest) for item in found))


def _remove(edit: Edit, body: bytes, at: int, path: Path) -> bool:
    """Follow the path from the value at ``at``. Tells whether anything is cut out."""
    step, rest = path[0], path[1:]
    siblings, chosen = _chosen(body, at, step)
    if not chosen:
        return False
    if not rest:
        edit.remove(siblings, set(chosen))
        return True
    found = [_remove(edit, body, _value(siblings[number]), rest) for number in chosen]
    return any(found)


def _chosen(body: bytes, at: int, step: str | int) -> tuple[list[Place], list[int]]:
    """Return the members or items of the value at ``at``, and the numbers of those that the step leads to."""
    if isinstance(step, str):
        if body[at : at + 1] != b"{":
            return [], []
        members = read_members(body, at)
        return list(members), [number for number, member in enumerate(members) if member.key == step]
    if body[at : at + 1] != b"[":
        return [], []
    items = read_items(body, at)
    if step == EACH:
        return items, list(range(len(items)))
    return items, [step] if step < len(items) else []


def _value(place: Place) -> int:
    return place.value if isinstance(place, Member) else place.start


_read_object = msgspec.json.Decoder(dict[str, Raw])
_read_list = msgspec.json.Decoder(list[Raw])
