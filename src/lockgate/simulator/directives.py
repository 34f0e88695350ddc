"""What a caller may order the simulator to do, and how an order is written.

An order is a list of ``key=value`` pairs: in the header ``x-simulator``, in the text of the last user turn as
``[[sim: key=value, key=value]]``, or in a script's ``fault`` and ``answer`` tables. All three offer the same keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

_GROUP = re.compile(r'\[\[sim:((?:[^"\]]|"(?:[^"\\]|\\.)*"|\](?!\]))*)\]\]')
_ITEM = re.compile(r'\s*([A-Za-z_]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^,]*))?\s*(?:,|$)')


class DirectiveError(Exception):
    """An order that the simulator does not understand."""


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong with the answer. Byte counts are of the response body, events are counted from 1."""

    status: int | None = None
    """Answer with this HTTP status and an error body in the provider's shape."""
    error_type: str = ""
    """``error.type`` of that body; by default the one that belongs to the status."""
    message: str = ""
    """``error.message`` of that body."""
    error_code: str = ""
    """``error.details.error_code`` (Anthropic) or ``error.code`` (OpenAI)."""
    retry_after: str = ""
    """Value of a ``retry-after`` header."""
    should_retry: str = ""
    """Value of an ``x-should-retry`` header."""
    html: bool = False
    """The error body is an HTML page, as a proxy in front of the provider would send."""
    empty: bool = False
    """The body is empty."""
    delay_s: float = field(default=0.0, name="delay")
    """Wait so long before the status line."""
    drip_s: float = field(default=0.0, name="drip")
    """Wait so long between two events of a stream, or between two bytes of a whole body."""
    split: int = 0
    """Send the body in pieces of this many bytes."""
    cut: int | None = None
    """Close the connection after this many bytes, without a terminator."""
    reset: int | None = None
    """Reset the connection after this many bytes; 0: before the status line."""
    hangup: bool = False
    """Close the connection before the status line."""
    malformed: int = 0
    """The JSON of this event is broken; in a whole answer, the body is."""
    stream_error: str = ""
    """An error event of this type inside a stream whose status is 200."""
    after: int = 0
    """How many events come before ``stream_error``."""
    no_terminal: int = 0
    """Leave out this many events at the end of the stream; 1: only the terminal one."""
    stall: int | None = None
    """Send this many events, then nothing more, and keep the connection open."""
    content_length: int | None = None
    """Announce this length, whatever the body's real one is."""
    no_id: bool = False
    """Leave out the answer's id and the request id."""


class AnswerPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the answer contains, where the default would not do."""

    text: str | None = None
    """The text of the answer."""
    think: str | None = None
    """The text of the thinking block."""
    redacted: bool = False
    """Thinking comes as a ``redacted_thinking`` block."""
    tool: str = ""
    """Call this tool; ``1`` chooses one."""
    parallel: int = 0
    """Call this many tools in one turn."""
    args: str = ""
    """The tool's arguments as JSON text, sent as they are."""
    search: bool = False
    """Use the web search server tool."""
    stop_reason: str = ""
    """Finish for this reason, in the provider's words."""
    category: str = ""
    """``stop_details.category`` of a refusal."""
    big: int = 0
    """A text of so many bytes."""
    events: int = 0
    """Stream the text in so many deltas."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read: int | None = None
    cache_creation: int | None = None
    raw: str = ""
    """Answer with this named raw body of the script."""


class BatchPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a batch; elsewhere this means nothing. The largest wish of all its requests counts."""

    polls: int | None = field(default=None, name="batch_polls")
    """The batch has ended when it was retrieved so often."""
    wait_s: float | None = field(default=None, name="batch_seconds")
    """The batch has ended when so many seconds are over."""
    result: Literal["", "succeeded", "errored", "canceled", "expired"] = field(default="", name="batch_result")
    """What becomes of this request, also when the batch is cancelled."""


class When(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which requests a text directive is for."""

    on: str = ""
    """Only at this provider: ``anthropic`` or ``openai``."""
    model: str = ""
    """Only for models whose name contains this."""
    times: int | None = None
    """Only the first so many times that this text is seen."""
    key: str = ""
    """Counts ``times`` under this name instead of the text's own."""


class Orders(Struct, frozen=True, kw_only=True):
    """All that was ordered for one request."""

    fault: Fault = Fault()
    answer: AnswerPlan = AnswerPlan()
    batch: BatchPlan = BatchPlan()


NO_ORDERS = Orders()
_FAULT_KEYS = frozenset(Fault.__struct_encode_fields__)
_ANSWER_KEYS = frozenset(AnswerPlan.__struct_encode_fields__)
_BATCH_KEYS = frozenset(BatchPlan.__struct_encode_fields__)
_WHEN_KEYS = frozenset(When.__struct_encode_fields__)


def split_directives(text: str) -> tuple[str, list[dict[str, str]]]:
    """Return the text without its directives, and each directive's pairs."""
    if "[[sim:" not in text:
        return text, []
    groups = [parse_pairs(match.group(1)) for match in _GROUP.finditer(text)]
    return _GROUP.sub("", text).strip(), groups


def parse_pairs(source: str) -> dict[str, str]:
    """Read ``a=1, b="x, y", c`` into a mapping; a key without a value means 1."""
    pairs: dict[str, str] = {}
    position = 0
    source = source.strip()
    while position < len(source):
        match = _ITEM.match(source, position)
        if match is None:
            raise DirectiveError(f"cannot read the directive at {source[position : position + 40]!r}")
        pairs[match.group(1)] = _unquote(match.group(2))
        position = match.end()
    return pairs


def _unquote(value: str | None) -> str:
    if value is None:
        return "1"
    value = value.strip()
    if not value.startswith('"'):
        return value
    try:
        return msgspec.json.decode(value, type=str)
    except msgspec.DecodeError as error:
        raise DirectiveError(f"cannot read the quoted value {value[:40]!r}") from error


def read_when(pairs: Mapping[str, Any]) -> tuple[When, dict[str, Any]]:
    """Split off the conditions of a text directive."""
    conditions = {key: value for key, value in pairs.items() if key in _WHEN_KEYS}
    rest = {key: value for key, value in pairs.items() if key not in _WHEN_KEYS}
    return _convert(conditions, When), rest


def read_orders(pairs: Mapping[str, Any]) -> Orders:
    """Turn pairs into orders. Raises :class:`DirectiveError` for a key or value that means nothing."""
    if not pairs:
        return NO_ORDERS
    unknown = sorted(set(pairs) - _FAULT_KEYS - _ANSWER_KEYS - _BATCH_KEYS)
    if unknown:
        raise DirectiveError(f"unknown directive {unknown[0]!r}")
    return Orders(
        fault=_convert({key: value for key, value in pairs.items() if key in _FAULT_KEYS}, Fault),
        answer=_convert({key: value for key, value in pairs.items() if key in _ANSWER_KEYS}, AnswerPlan),
        batch=_convert({key: value for key, value in pairs.items() if key in _BATCH_KEYS}, BatchPlan),
    )


def _convert(values: Mapping[str, Any], to: type[Any]) -> Any:
    try:
        return msgspec.convert(values, to, strict=False)
    except msgspec.ValidationError as error:
        raise DirectiveError(str(error)) from error


def documented_keys() -> Iterator[str]:
    """Return every key a directive may have, for the check that the reference page lists them."""
    yield from sorted(_FAULT_KEYS | _ANSWER_KEYS | _BATCH_KEYS | _WHEN_KEYS)
