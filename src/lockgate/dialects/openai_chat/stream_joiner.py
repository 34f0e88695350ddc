"""Puts a stream of chat completion chunks together, member by member: all choices, and members that nobody here knows.

By shape alone: texts that come in pieces are joined, lists are joined by the ``index`` of their items, what else comes
twice stands as it came last. Source: OpenAI Python SDK 3.54.0, its accumulation of deltas.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from lockgate.core.json_text import write_json
from lockgate.core.sse import Event, SseDecoder
from lockgate.errors import Malformed

_DONE = b"[DONE]"
_NAMES = frozenset({"id", "type", "role", "name", "model", "object", "finish_reason", "service_tier", "format"})
"""Texts that come once, or again as they were."""
_ONCE = frozenset({"id", "object", "created", "model"})
"""Members of a chunk that stand as they came first."""
_BLOCK_KINDS = ("text", "thinking")
_Members: TypeAlias = dict[str, object]
_read = msgspec.json.Decoder(dict[str, object]).decode


class _Text(list[str]):
    """A text in pieces."""


class ChatStreamJoiner:
    """A StreamJoiner."""

    def __init__(self) -> None:
        self.is_whole = False
        self._sse = SseDecoder()
        self._reply: _Members = {}
        self._choices: dict[int, _Members] = {}
        self._error: object = None
        self._is_damaged = self._is_over = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Never raises: what cannot be read is left out."""
        try:
            self._hear(self._sse.feed(data))
        except Malformed:
            self._is_damaged = True

    def _hear(self, events: list[Event]) -> None:
        for event in events:
            text = event.data.strip()
            if text == _DONE:
                self._is_over = True
            elif text:
                self._take(text, is_error=event.kind == "error")

    def reply(self) -> bytes:
        """Return the whole reply as far as it is known; b"" when nothing is."""
        self._hear(self._sse.close())
        reasons = [choice.get("finish_reason") for choice in self._choices.values()]
        is_over = self._is_over or self._error is not None or (bool(reasons) and None not in reasons)
        self.is_whole = is_over and not self._is_damaged
        found: _Members = {**self._reply}
        if self._choices:
            found["object"] = "chat.completion"
            choices = [self._choices[index] for index in sorted(self._choices)]
            found = {**found, "choices": [_finished_choice(choice) for choice in choices]}
            if "usage" in found:
                found["usage"] = found.pop("usage")  # where whole replies have it
        if self._error is not None:
            found["error"] = self._error
        return write_json(found) if found else b""

    def _take(self, text: bytes, *, is_error: bool) -> None:
        try:
            chunk = _read(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._is_damaged = True
            return
        error = chunk.pop("error", None)
        if error is not None or is_error:
            self._error = chunk if error is None else error
            return
        choices = chunk.pop("choices", None)
        for name, value in chunk.items():
            if value is not None and not (name in _ONCE and self._reply.get(name)):
                self._reply[name] = value
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._choose(choice)

    def _choose(self, choice: _Members) -> None:
        index = choice.get("index")
        own = self._choices.setdefault(index if isinstance(index, int) else 0, {"index": index, "message": {}})
        message, delta = own["message"], choice.pop("delta", None)
        if isinstance(message, dict) and isinstance(delta, dict):
            _fold(message, delta)
        # some providers repeat in each chunk what was said so far
        choice.pop("message", None)
        _fold(own, choice)


def _fold(into: _Members, more: _Members) -> None:
    for name, value in more.items():
        old = into.get(name)
        if value is None:
            into.setdefault(name, None)
        elif isinstance(value, str) and name not in _NAMES:
            if isinstance(old, _Text):
                old.append(value)
            else:
                into[name] = _Text((value,))
        elif isinstance(value, dict):
            _fold(_inside(into, name), value)
        elif isinstance(value, list):
            if not isinstance(old, list):
                old = into[name] = []
            _extend(old, value)
        elif value != "" or not old:
            into[name] = value


def _inside(into: _Members, name: str) -> _Members:
    found = into.get(name)
    if not isinstance(found, dict):
        found = into[name] = {}
    return found


def _extend(items: list[object], more: list[object]) -> None:
    for item in more:
        if not isinstance(item, dict):
            items.append(item)
            continue
        index = item.get("index")
        # deltas mostly go on with what came last
        same = (one for one in reversed(items) if isinstance(one, dict) and one.get("index") == index)
        known = next(same, None) if index is not None else None
        if known is None:
            known = {}
            items.append(known)
        _fold(known, item)


def _finished_choice(choice: _Members) -> _Members:
    message = _finished(choice["message"])
    assert isinstance(message, dict)
    message = {"role": "assistant", "content": None, **message}
    for name in ("tool_calls", "content_blocks"):
        items = message.get(name)
        if isinstance(items, list):
            message[name] = [_finished_item(item) for item in items]
    rest = {name: _finished(value) for name, value in choice.items() if name not in ("index", "message")}
    return {"index": choice["index"], "message": message, "logprobs": None, "finish_reason": None, **rest}


def _finished_item(item: object) -> object:
    """Return a tool call or content block as whole replies have it: without its index, deltas in their place."""
    if not isinstance(item, dict):
        return item
    found = {name: value for name, value in item.items() if name not in ("index", "delta")}
    delta = item.get("delta")
    if isinstance(delta, dict):
        kind = next((kind for kind in _BLOCK_KINDS if kind in delta), None)
        found = {**({"type": kind} if kind and "type" not in delta else {}), **found, **delta}
    return found


def _finished(value: object) -> object:
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _finished(one) for name, one in value.items()}
    return [_finished(one) for one in value] if isinstance(value, list) else value
