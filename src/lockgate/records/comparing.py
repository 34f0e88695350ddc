"""A request that was sent again, held beside what came of it before: status, events, tokens, money, time, answer.

Ids, moments and fingerprints differ always and say nothing: they are left out of the comparison of answers.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from lockgate.records.bodies.assembly import Timeline
from lockgate.records.redaction import redact
from lockgate.records.row import Row

_VOLATILE = frozenset({"id", "created", "created_at", "system_fingerprint", "request_id"})
_IDS = re.compile(r'"(?:toolu|call|srvtoolu|msg|chatcmpl|resp|rs|fc|req)[-_][A-Za-z0-9_-]{4,}"')
_CONTEXT = 2
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_FIELDS = (
    "outcome", "error_code", "provider_slug", "model", "finish_reason", "cache_status", "attempt_count", "in_uncached",
    "in_cache_read", "in_cache_write_5m", "in_cache_write_1h", "out_text", "out_reasoning", "total_tokens", "cost_nano",
    "overhead_us",
)  # fmt: skip
"""What the record of either side says."""


class Side(Struct, frozen=True, kw_only=True):
    """What came of a request. Values by the names of columns; None where nobody knows."""

    values: Mapping[str, object]
    events: Mapping[str, int]
    """How many events of which kind a stream had."""
    answer: bytes
    """The whole answer, streams put together."""


def side_of(
    row: Row | None, *, status: int | None, duration_us: int | None, ttft_us: int | None, timeline: Timeline | None,
    answer: bytes,
) -> Side:  # fmt: skip
    """Return a side: of its record where there is one, and of what was seen. The answer is taken as it may be kept."""
    found: dict[str, object] = {"status_code": status}
    found |= {name: getattr(row, name) if row is not None else None for name in _FIELDS}
    found["ttft_us"], found["duration_us"] = ttft_us, duration_us
    return Side(values=found, events=events_of(timeline), answer=redact(answer).data)


def events_of(timeline: Timeline | None) -> Mapping[str, int]:
    """Return how many events of which kind went by."""
    if timeline is None:
        return {}
    counts = Counter(timeline.kinds)
    return {name: counts[number] for number, name in enumerate(timeline.names)}


def answer_diff(old: bytes, new: bytes) -> Sequence[str]:
    """Return the lines of a unified diff of two answers; none when they say the same."""
    before, after = _lines(old), _lines(new)
    return [
        line.rstrip("\n") for line in difflib.unified_diff(before, after, "stored", "replay", n=_CONTEXT, lineterm="")
    ]


def _lines(data: bytes) -> list[str]:
    """Return an answer as lines: JSON member by member, without what differs always, texts line by line."""
    try:
        value = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace").split("\n")
    if isinstance(value, dict):
        value = {name: part for name, part in value.items() if name not in _VOLATILE}
    text = msgspec.json.format(_encode(value), indent=2).decode()
    # a line end inside a text is one for people too
    return _IDS.sub('"<id>"', text).replace("\\n", "\n").split("\n")
