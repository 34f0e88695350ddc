"""The closed list of changes to a native body, beyond the model's name: whatever is not here goes on as it came.

    fallbacks[].model, tools[].model of advisors   a slug in front is left out
    output_format                                  becomes output_config.format, unless the client wants the old field
    top_p                                          left out beside a temperature
    tools                                          a single object becomes a list
    messages                                       unsigned or foreign thinking, refused ids: ``native_history``

A change touches the bytes of its value and no others. A body that needs none costs a few looks at top-level fields
and at the assistant's blocks. Source: Anthropic integration specification, section 5.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Raw

from lockgate.core.body import Peek
from lockgate.core.json_edit import Edit, Member, read_items, read_members
from lockgate.core.json_text import object_keys, text_of, write_json
from lockgate.core.notes import Notes
from lockgate.core.seals import IsForeign
from lockgate.dialects.anthropic_messages.native_history import needs_repair, repair

_OUTPUT_BETA = "structured-outputs-"
ADVISOR = "advisor_"
"""How the types of advisors begin: tools that are models."""

NO_SLUG = "slug left out"
_OBJECT = ord("{")
_LIST = ord("[")
_SLUG_MARK = b'"@'
_SLUG = re.compile(r"@[A-Za-z0-9_.-]+/(?=.)", re.DOTALL)


def adjust(
    body: bytes, seen: Peek, betas: Iterable[str], is_foreign: IsForeign | None = None
) -> tuple[bytes, tuple[str, ...]]:
    """Return the body with the permitted changes that it needs, and what they were."""
    has_slugs = _SLUG_MARK in bytes(seen.fallbacks) or _SLUG_MARK in bytes(seen.tools)
    has_old_format = _is_given(seen.output_format) and _moves_format(seen, betas)
    has_both = _is_given(seen.top_p) and _is_given(seen.temperature)
    has_lone_tool = _first(seen.tools) == _OBJECT
    has_history = needs_repair(seen.messages, is_foreign)
    if not (has_slugs or has_old_format or has_both or has_lone_tool or has_history):
        return body, ()
    changes = _Changes(body)
    if has_slugs:
        changes.leave_out_slugs()
    if has_old_format:
        changes.move_format()
    if has_both:
        changes.leave_out_top_p()
    if has_lone_tool:
        changes.list_tool()
    if has_history:
        changes.repair_history(is_foreign)
    return changes.apply()


def without_slug(model: str | None) -> str | None:
    """Return a model's name without ``@slug/``, None where there is none in front of it."""
    found = _SLUG.match(model or "")
    return found.string[found.end() :] if found is not None else None


def _is_given(raw: Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def _first(raw: Raw) -> int | None:
    view = memoryview(raw)
    return view[0] if view else None


def _moves_format(seen: Peek, betas: Iterable[str]) -> bool:
    """Tell whether the old field is to become the new one: not for a client that names the beta of the old one."""
    if any(flag.startswith(_OUTPUT_BETA) for flag in betas):
        return False
    config = seen.output_config
    if not _is_given(config):
        return True
    return _first(config) == _OBJECT and not _is_given(object_keys(config).get("format", Raw(b"")))


class _Changes:
    """Collects the changes to one body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._edit = Edit(body)
        self._notes = Notes()
        self._all = read_members(body)
        self._last = {member.key: member for member in self._all}
        """Of a key that comes twice the last one counts, as for every reader of JSON here."""
        self._gone: set[str] = set()

    def apply(self) -> tuple[bytes, tuple[str, ...]]:
        """Make the changes; return the new body and their names."""
        self._edit.remove(self._all, {at for at, member in enumerate(self._all) if member.key in self._gone})
        return self._edit.apply(), self._notes.adjusted

    def leave_out_slugs(self) -> None:
        """Write the models of fallbacks and advisors without ``@slug/``: they run where the request runs."""
        for item in self._objects("fallbacks"):
            self._leave_out_slug(item, "fallbacks.model")
        for item in self._objects("tools"):
            kind = item.get("type")
            if kind is not None and (self._text(kind) or "").startswith(ADVISOR):
                self._leave_out_slug(item, "tools.model")

    def _leave_out_slug(self, item: dict[str, Member], field: str) -> None:
        model = item.get("model")
        bare = without_slug(self._text(model)) if model is not None else None
        if model is not None and bare is not None:
            self._edit.replace(model.value, model.end, write_json(bare))
            self._notes.adjust(field, NO_SLUG)

    def _objects(self, name: str) -> list[dict[str, Member]]:
        """Return the objects in a list, or the object in place of one, each as its members by key."""
        member = self._last.get(name)
        if member is None:
            return []
        first = self._body[member.value]
        starts = [item.start for item in read_items(self._body, member.value)] if first == _LIST else [member.value]
        return [
            {inner.key: inner for inner in read_members(self._body, at)} for at in starts if self._body[at] == _OBJECT
        ]

    def _text(self, member: Member) -> str | None:
        return text_of(self._value(member))

    def _value(self, member: Member) -> bytes:
        return self._body[member.value : member.end]

    def move_format(self) -> None:
        """Write ``output_format`` as ``output_config.format``, its value byte for byte."""
        old, config = self._last["output_format"], self._last.get("output_config")
        self._notes.adjust("output_format", "sent as output_config.format")
        if config is None:
            self._edit.replace(old.start, old.key_end, b'"output_config"')
            self._edit.insert(old.value, b'{"format":')
            self._edit.insert(old.end, b"}")
            return
        self._gone.add("output_format")
        member = b'"format":' + self._value(old)
        if self._body[config.value] != _OBJECT:  # null
            self._edit.replace(config.value, config.end, b"{" + member + b"}")
            return
        inner = read_members(self._body, config.value)
        null = next((place for place in reversed(inner) if place.key == "format"), None)
        if null is not None:
            self._edit.replace(null.value, null.end, self._value(old))
        elif inner:
            self._edit.insert(inner[-1].end, b"," + member)
        else:
            self._edit.insert(config.value + 1, member)

    def leave_out_top_p(self) -> None:
        """Leave ``top_p`` out: models refuse it beside a temperature."""
        self._gone.add("top_p")
        self._notes.adjust("top_p", "left out, temperature is set")

    def list_tool(self) -> None:
        """Put brackets around a single tool."""
        tools = self._last["tools"]
        self._edit.insert(tools.value, b"[")
        self._edit.insert(tools.end, b"]")
        self._notes.adjust("tools", "one object sent as a list")

    def repair_history(self, is_foreign: IsForeign | None) -> None:
        """Repair what another provider, or another model, left in the conversation."""
        repair(self._edit, self._body, self._last["messages"], self._notes, is_foreign)
