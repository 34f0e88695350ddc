"""Listens to a stream that is relayed byte for byte. Plain content, nearly all of it, is never decoded."""

from __future__ import annotations

from lockgate.core.json_text import decode
from lockgate.core.sse import split_events
from lockgate.dialects import Summary
from lockgate.dialects.openai_chat.read_reply import summarise
from lockgate.dialects.openai_chat.wire import read_body

_DONE = b"[DONE]"
_NO_USAGE = (b'"usage":null', b'"usage": null')
_NO_FINISH = (b'"finish_reason":null', b'"finish_reason": null')


class ChatStreamMeter:
    """A StreamMeter."""

    def __init__(self) -> None:
        self.summary = Summary()
        self._has_model = False

    def feed(self, events: bytes) -> None:
        """Take whole events."""
        if self._has_model and not _is_worth_reading(events):
            return
        for event in split_events(events):
            if event.data.strip() == _DONE:
                self.summary.is_complete = True
            elif not self._has_model or _is_worth_reading(event.data) or event.kind == "error":
                self._read(event.data)

    def _read(self, data: bytes) -> None:
        try:
            wire = decode(read_body, data)
        except (ValueError, RecursionError):
            return
        summarise(wire, data, self.summary)
        # many servers that speak this dialect leave [DONE] out
        self.summary.may_end = self.summary.stop_reason is not None
        self._has_model = bool(self.summary.id and self.summary.model)


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
