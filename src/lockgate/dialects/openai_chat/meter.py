"""Listens to a stream that is relayed byte for byte. Plain content, nearly all of it, is never decoded.

Usage that the client did not ask for, which we did, comes in a chunk of its own without choices: that one is kept back.
"""

from __future__ import annotations

from lockgate.core.json_text import decode, given
from lockgate.core.sse import cut_events, split_events
from lockgate.dialects import Summary
from lockgate.dialects.openai_chat.read_reply import summarise
from lockgate.dialects.openai_chat.wire import Body, read_body

_DONE = b"[DONE]"
_NO_USAGE = (b'"usage":null', b'"usage": null')
_NO_FINISH = (b'"finish_reason":null', b'"finish_reason": null')


class ChatStreamMeter:
    """A StreamMeter."""

    def __init__(self, *, hides_usage: bool = False) -> None:
        self.summary = Summary()
        self._has_model = False
        self._hides_usage = hides_usage

    def feed(self, events: bytes) -> bytes:
        """Take whole events, and return those that are for the client."""
        if self._has_model and not _is_worth_reading(events):
            return events
        is_for_us = False
        for event in split_events(events):
            if event.data.strip() == _DONE:
                self.summary.is_complete = True
            elif not self._has_model or _is_worth_reading(event.data) or event.kind == "error":
                is_for_us |= self._read(event.data) and self._hides_usage
        return b"".join([one for one in cut_events(events) if not _tells_usage_only(one)]) if is_for_us else events

    def _read(self, data: bytes) -> bool:
        """Learn from a chunk; tell whether usage is all that it says."""
        try:
            wire = decode(read_body, data)
        except (ValueError, RecursionError):
            return False
        summarise(wire, data, self.summary)
        # many servers that speak this dialect leave [DONE] out
        self.summary.may_end = self.summary.stop_reason is not None
        self._has_model = bool(self.summary.id and self.summary.model)
        return _is_usage_only(wire)


def _is_usage_only(wire: Body) -> bool:
    return not wire.choices and given(wire.usage) is not None and given(wire.error) is None


def _tells_usage_only(event: bytes) -> bool:
    """Tell whether one event is a chunk of usage without choices."""
    try:
        return any(_is_usage_only(decode(read_body, part.data)) for part in split_events(event))
    except (ValueError, RecursionError):
        return False


def _is_worth_reading(events: bytes) -> bool:
    """Tell whether events may hold more than content: what a key's null takes away does not count."""
    return (
        _DONE in events
        or b'"error"' in events
        or _has_value(events, b'"usage"', _NO_USAGE)
        or _has_value(events, b'"finish_reason"', _NO_FINISH)
    )


def _has_value(events: bytes, key: bytes, nulls: tuple[bytes, bytes]) -> bool:
    found = events.count(key)
    return found > 0 and found > events.count(nulls[0]) + events.count(nulls[1])
