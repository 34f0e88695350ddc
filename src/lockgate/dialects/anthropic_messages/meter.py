"""Listens to replies that are relayed byte for byte: ids, usage, stop reason, errors. Never raises, changes nothing."""

from __future__ import annotations

from lockgate.core.assemble import merge_usage
from lockgate.core.json_text import decode, given
from lockgate.core.sse import split_events
from lockgate.dialects import Summary
from lockgate.dialects.anthropic_messages.errors import read_stream_error
from lockgate.dialects.anthropic_messages.usage import read_usage
from lockgate.dialects.anthropic_messages.wire import SummaryIn, event_decoder, summary_decoder
from lockgate.errors import Malformed


def read_summary(body: bytes) -> Summary:
    """Read what the record needs from a whole reply. Never raises: what is not there stays None."""
    summary = Summary()
    try:
        wire = decode(summary_decoder, body)
    except (ValueError, RecursionError):
        return summary
    if wire.type == "error":
        summary.error = read_stream_error(wire.error)
        return summary
    _learn(summary, wire)
    summary.stop_reason = wire.stop_reason
    summary.is_complete = True
    return summary


def _learn(summary: Summary, wire: SummaryIn) -> None:
    summary.id = wire.id or summary.id
    summary.model = wire.model or summary.model
    try:
        summary.usage = merge_usage(summary.usage, read_usage(wire.usage))
    except Malformed:
        pass  # a count of the wrong type: the others are worth having, but cannot be told apart


class StreamMeter:
    """Listens to one stream."""

    def __init__(self) -> None:
        self.summary = Summary()

    def feed(self, events: bytes) -> bytes:
        """Take whole events and return them. Those of text are recognised by what they lack, and not decoded."""
        if b"message_" not in events and b"error" not in events:
            return events
        for event in split_events(events):
            data = event.data
            if b"message_" in data or b"error" in data or event.kind == "error":
                self._read(data, event.kind)
        return events

    def _read(self, data: bytes, kind: str | None) -> None:
        summary = self.summary
        try:
            wire = decode(event_decoder, data)
        except (ValueError, RecursionError):
            return
        match wire.type or kind:
            case "message_start":
                message = given(wire.message)
                if message is not None:
                    try:
                        _learn(summary, decode(summary_decoder, message))
                    except (ValueError, RecursionError):
                        pass
            case "message_delta":
                if wire.delta is not None:
                    summary.stop_reason = wire.delta.stop_reason or summary.stop_reason
                _learn(summary, SummaryIn(usage=wire.usage))
            case "message_stop":
                summary.is_complete = True
            case "error":
                summary.error = read_stream_error(wire.error)
            case _:
                pass
