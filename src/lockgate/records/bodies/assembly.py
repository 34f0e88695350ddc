"""Puts a streamed answer together: the whole reply that its events make, and the rhythm in which they came.

Raw events are never kept: a secret that lies across two of them would be found by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from lockgate.core.assemble import Assembler
from lockgate.core.capture import CapturedStream
from lockgate.core.json_text import write_json
from lockgate.core.sse import split_events
from lockgate.dialects import Dialect, ReplyRules, View
from lockgate.errors import Malformed

MAX_EVENTS = 5000
"""More events of one stream leave no mark in its timeline."""
_NO_RULES = ReplyRules()
_MICRO = 1e6


class Timeline(Struct, frozen=True, array_like=True):
    """When which event of a stream went by: three lists of the same length, and the names of the kinds."""

    names: tuple[str, ...] = ()
    """Kinds of events."""
    kinds: tuple[int, ...] = ()
    """Of each event, its place in ``names``."""
    after_us: tuple[int, ...] = ()
    """Of each event, the time since the one before, of the first since the request began; in microseconds."""
    sizes: tuple[int, ...] = ()
    """Of each event, its data's size in bytes."""


class Assembled(Struct, frozen=True):
    """A stream as a whole reply."""

    data: bytes
    is_whole: bool
    """Nothing is missing between its first and its last event."""


def assemble(stream: CapturedStream, dialects: Mapping[str, Dialect], *, created: int = 0) -> Assembled:
    """Return the reply as far as it is known; b"" when nothing is. An error inside the stream is its ``error``.

    ``created`` is what the reply says of its time where its dialect has a word for it, in seconds since 1970.
    """
    dialect = dialects.get(stream.dialect)
    if dialect is None:
        return Assembled(b"", is_whole=False)
    joiner = dialect.stream_joiner()
    if joiner is not None:
        for piece in (*stream.pieces, *stream.tail):
            joiner.feed(piece)
        return Assembled(joiner.reply(), is_whole=joiner.is_whole and not stream.tail)
    reader, assembler = dialect.stream_reader(_NO_RULES), Assembler()
    is_whole = not stream.tail
    try:
        for piece in (*stream.pieces, *stream.tail):
            for chunk in reader.feed(piece):
                assembler.add(chunk)
        for chunk in reader.close():
            assembler.add(chunk)
    except Malformed:
        is_whole = is_whole and assembler.error is not None
    reply, error = assembler.reply(), assembler.error
    if not (reply.id or reply.content):
        return Assembled(_error(error.kind, error.message) if error is not None else b"", is_whole)
    data = dialect.write_reply(reply, View(provider="", strict=False, created=created, request_id=""))
    if error is not None and data.endswith(b"}"):
        data = data[:-1] + b"," + _error(error.kind, error.message)[1:]
    return Assembled(data, is_whole)


def timeline_of(stream: CapturedStream) -> Timeline:
    """Return the rhythm of a stream of server-sent events."""
    names: dict[str, int] = {}
    kinds: list[int] = []
    gaps: list[int] = []
    sizes: list[int] = []
    before = stream.started_s
    for piece, at_s in zip(stream.pieces, stream.at_s, strict=False):
        for event in split_events(piece):
            kinds.append(names.setdefault((event.kind or "data")[:64], len(names)))
            gaps.append(max(0, round((at_s - before) * _MICRO)))
            sizes.append(len(event.data))
            before = at_s
        if len(kinds) >= MAX_EVENTS:
            break
    return Timeline(tuple(names), tuple(kinds), tuple(gaps), tuple(sizes))


def _error(kind: str | None, message: str) -> bytes:
    return write_json({"error": {"type": kind, "message": message}})
