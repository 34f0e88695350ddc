"""What a config changes in a request's body: defaults, overrides, and paths that are cut out, in that order.

Bytes that are not part of a change stay as they are. A body that is no JSON object is left alone.
Source: gateway protocol specification, section 3.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Raw, Struct

from lockgate.core.json_edit import Edit, read_members, skip_space
from lockgate.core.json_path import Path, remove_path
from lockgate.core.json_text import object_decoder, text_of, write_json

Form = tuple[tuple[str, str], ...]
"""The scalar fields of a form, in their order."""


class Shaping(Struct, frozen=True, kw_only=True):
    """The changes for one target; each of them may be empty."""

    defaults: Mapping[str, Raw] = {}
    overrides: Mapping[str, Raw] = {}
    drops: tuple[Path, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is changed, ever."""
        return not (self.defaults or self.overrides or self.drops)


class Shaped(Struct, frozen=True):
    """A body after the changes, and the names of the top-level fields that were set."""

    body: bytes
    fields: tuple[str, ...] = ()


def shape_body(body: bytes, shaping: Shaping) -> Shaped:
    """Return the body for one target. ``body`` must be valid JSON; nothing to do gives it back as it is."""
    if shaping.is_empty or body[skip_space(body, 0) :][:1] != b"{":
        return Shaped(body)
    shaped, names = _set_members(body, shaping)
    for path in shaping.drops:
        shaped = remove_path(shaped, path)
    return Shaped(shaped, names)


def _set_members(body: bytes, shaping: Shaping) -> tuple[bytes, tuple[str, ...]]:
    if not shaping.defaults and not shaping.overrides:
        return body, ()
    present = _read_present(body)
    edit = Edit(body)
    replaced = [key for key in shaping.overrides if key in present]
    if replaced:
        _replace(edit, body, present, {key: shaping.overrides[key] for key in replaced})
    added = {key: raw for key, raw in shaping.defaults.items() if key not in present and key not in shaping.overrides}
    added |= {key: raw for key, raw in shaping.overrides.items() if key not in present}
    if added:
        _append(edit, body, added, is_first=not present)
    return edit.apply(), (*replaced, *added)


def _read_present(body: bytes) -> Mapping[str, Raw | None]:
    """Return the members by name, with their values where those are exactly as they stand in the body."""
    try:
        return object_decoder.decode(body)
    except (ValueError, RecursionError):
        return {member.key: None for member in read_members(body)}


def _replace(edit: Edit, body: bytes, present: Mapping[str, Raw | None], new: Mapping[str, Raw]) -> None:
    """Put new values in the place of those of some members, of every one that has the name."""
    members = None
    for key, raw in new.items():
        start = _value_of(body, key) if present[key] is not None else None
        if start is not None:
            edit.replace(start, start + len(bytes(present[key] or b"")), bytes(raw))
            continue
        members = read_members(body) if members is None else members
        for member in members:
            if member.key == key:
                edit.replace(member.value, member.end, bytes(raw))


def _value_of(body: bytes, key: str) -> int | None:
    """Return where the value of a top-level member stands, None when that takes a closer look.

    A plain name that stands only once in quotes, in a body without escaped ASCII, is that member's.
    """
    if not _PLAIN.fullmatch(key) or _ESCAPED.search(body):
        return None
    name = f'"{key}"'.encode()
    at = body.find(name)
    if body.find(name, at + 1) >= 0:
        return None
    return skip_space(body, skip_space(body, at + len(name)) + 1)


def _append(edit: Edit, body: bytes, added: Mapping[str, Raw], *, is_first: bool) -> None:
    text = b",".join(write_json(key) + b":" + bytes(raw) for key, raw in added.items())
    if is_first:
        edit.insert(skip_space(body, 0) + 1, text)
    else:
        inside = body.rstrip(_SPACE)[:-1].rstrip(_SPACE)
        edit.insert(len(inside), b"," + text)


def shape_form(form: Form, shaping: Shaping) -> Form:
    """Return the scalar fields of a form for one target: a flat object whose values are text."""
    if shaping.is_empty:
        return form
    present = {name for name, _ in form}
    added = {key: _text(raw) for key, raw in shaping.defaults.items() if key not in present}
    changed = {key: _text(raw) for key, raw in shaping.overrides.items()}
    fields = [(name, changed.get(name, value)) for name, value in form]
    fields += [(name, value) for name, value in {**added, **changed}.items() if name not in present]
    gone = {path[0] for path in shaping.drops if len(path) == 1}
    return tuple(field for field in fields if field[0] not in gone)


def _text(raw: Raw) -> str:
    text = text_of(raw)
    return bytes(raw).decode() if text is None else text


_SPACE = b" \t\r\n"
_PLAIN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ESCAPED = re.compile(rb"\\u00[2-7]")
