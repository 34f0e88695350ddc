"""Filters as Portkey's clients send them, in lists, analytics and exports, made into the one tree.

Values come as text (a query string) or as JSON. Lists are comma separated or JSON lists. A parameter that does not
exist is left to the caller, who may ignore it, tell of it or refuse it; a value that cannot be read is refused with the
parameter's name.
Source: control plane specification, sections 6.3 and 6.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

import msgspec
from msgspec import Struct

from lockgate.errors import InvalidRequest
from lockgate.records.query.fields import MAX_VALUES, read_moment
from lockgate.records.query.tree import EVERYTHING, Compare, Node, Value, all_of, any_of
from lockgate.records.row import FAR_FUTURE_US

_decode = msgspec.json.Decoder().decode
_NANO_PER_CENT = 10**7

Parameters: TypeAlias = Mapping[str, object]

_LISTS = {
    "virtual_keys": "provider_slug", "configs": "config_id", "api_key_ids": "api_key_id", "prompt_slug": "prompt_slug",
    "trace_id": "trace_id", "span_id": "span_id", "ai_model": "model", "workspace_slug": "workspace_id",
    "ai_org": "provider", "cache_status": "cache_status",
}  # fmt: skip
_RANGES = {
    "total_units": "total_tokens", "prompt_token": "input_tokens", "completion_token": "output_tokens",
    "cost": "cost_nano", "weighted_feedback": "feedback_average", "response_time": "duration_us",
}  # fmt: skip
_SCALE = {"cost_nano": _NANO_PER_CENT, "duration_us": 1000, "feedback_average": None}
_CACHE_WORDS = {"semantic hit": "semantic_hit", "semantic miss": "semantic_miss", "refresh": "refreshed"}
KNOWN = frozenset(
    {
        *_LISTS,
        "ai_org_model",
        "status_code",
        "metadata",
        "time_of_generation_min",
        "time_of_generation_max",
        "created_at",
    }
    | {f"{name}_{end}" for name in _RANGES for end in ("min", "max")}
)
"""Every parameter that selects."""


class Selection(Struct, frozen=True):
    """A filter and the range of time that it is asked for, ends included."""

    filter: Node = EVERYTHING
    from_us: int = 0
    to_us: int = FAR_FUTURE_US


def read_parameters(parameters: Parameters, *, now_us: int = 0, skip: frozenset[str] = frozenset()) -> Selection:
    """Return what parameters select. ``skip``: parameters that the caller handles. Raises InvalidRequest."""
    given = {name: value for name, value in parameters.items() if name in KNOWN - skip and not _is_empty(value)}
    nodes = [_guard(name, read, given[name]) for name, read in _READERS.items() if name in given]
    low, high = _range_of_time(given, now_us)
    return Selection(all_of(*nodes) if nodes else EVERYTHING, low, high)


def _guard(name: str, read: Callable[[object], Node], value: object) -> Node:
    try:
        return read(value)
    except ValueError as error:
        raise InvalidRequest(f"{name}: {error}", path=name) from None


def _is_empty(value: object) -> bool:
    return value is None or value == "" or value == [] or value == {}


def _range_of_time(given: Parameters, now_us: int) -> tuple[int, int]:
    created = given.get("created_at")
    between = created if isinstance(created, Mapping) else {}
    ends = {
        "time_of_generation_min": given.get("time_of_generation_min", between.get("gte")),
        "time_of_generation_max": given.get("time_of_generation_max", between.get("lte")),
    }
    found = []
    for name, value in ends.items():
        try:
            found.append(None if value is None else _moment(value, now_us))
        except ValueError as error:
            raise InvalidRequest(f"{name}: {error}", path=name) from None
    return found[0] or 0, FAR_FUTURE_US if found[1] is None else found[1]


def _moment(value: object, now_us: int) -> int:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a point in time")
    # a plus sign that a query string turned into a space
    head, space, zone = value.strip().rpartition(" ")
    is_zone = bool(space) and "T" in head and zone.replace(":", "").isdigit()
    return read_moment(f"{head}+{zone}" if is_zone else value.strip(), now_us)


def _words(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    words = tuple(text for item in items if (text := str(item).strip()))
    if len(words) > MAX_VALUES:
        raise ValueError(f"at most {MAX_VALUES} values may be listed")
    return words


def _list(column: str) -> Callable[[object], Node]:
    def read(value: object) -> Node:
        words = _words(value)
        if column == "cache_status":
            words = tuple(_CACHE_WORDS.get(word.lower(), word.lower().replace(" ", "_")) for word in words)
        if column == "provider_slug":
            words = tuple(word.removeprefix("@") for word in words)
        return Compare(column, "in", words)

    return read


def _bound(column: str, end: str) -> Callable[[object], Node]:
    def read(value: object) -> Node:
        number = _number(value)
        scale = _SCALE.get(column, 1)
        found: Value = float(number) if scale is None else round(number * scale)
        return Compare(column, "ge" if end == "min" else "le", (found,))

    return read


def _number(value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite() or abs(number) > 10**15:
        raise ValueError(f"{value!r} is out of range")
    return number


def _statuses(value: object) -> Node:
    words = _words(value)
    if not all(word.isdigit() and len(word) <= 4 for word in words):
        raise ValueError("a status code is a number such as 429")
    return Compare("status_code", "in", tuple(int(word) for word in words))


def _models(value: object) -> Node:
    nodes: list[Node] = []
    for word in _words(value):
        provider, separator, model = word.partition("__")
        if not separator:
            nodes.append(any_of(Compare("model", "in", (word,)), Compare("provider", "in", (word,))))
        elif model:
            nodes.append(all_of(Compare("provider", "in", (provider,)), Compare("model", "in", (model,))))
        else:
            nodes.append(Compare("provider", "in", (provider,)))
    return any_of(*nodes)


def _metadata(value: object) -> Node:
    found = value
    if isinstance(value, str):
        try:
            found = _decode(value)
        except msgspec.MsgspecError:
            raise ValueError("it is not JSON") from None
    if not isinstance(found, Mapping):
        raise ValueError("it is an object of names and values")
    nodes = [Compare("metadata", "in", _metadata_values(wanted), str(key)) for key, wanted in found.items()]
    return all_of(*nodes)


def _metadata_values(wanted: object) -> tuple[Value, ...]:
    items = wanted if isinstance(wanted, list) else [wanted]
    return tuple({True: "true", False: "false"}[item] if isinstance(item, bool) else str(item) for item in items)


_READERS: Mapping[str, Callable[[object], Node]] = {
    **{name: _list(column) for name, column in _LISTS.items()},
    **{f"{name}_{end}": _bound(column, end) for name, column in _RANGES.items() for end in ("min", "max")},
    "ai_org_model": _models,
    "status_code": _statuses,
    "metadata": _metadata,
}
