"""The most output tokens that a request body can be charged for, seen from the members that ask for them.

The bytes of a client go to servers that read numbers in their own ways: they round, take text for a number, know other
names for the same thing, take the first of two equal members. So each member counts as the most that any of them may
read, and what has no bound is refused.
"""

from __future__ import annotations

import math
from operator import attrgetter

import msgspec
from msgspec import Raw

from lockgate.core.body import NOTHING, Peek
from lockgate.core.json_edit import read_members
from lockgate.errors import InvalidRequest

UNKNOWN_OUTPUT = 131_072
"""Most tokens of an answer of a model that we know nothing of."""
MOST_OUTPUT = 10**10
"""No request with more output tokens is admitted where limits hold; below what counters can count."""

_LIMITS = ("max_completion_tokens", "max_tokens")
_FURTHER_LIMITS = ("max_output_tokens", "max_new_tokens", "n_predict")
"""What some servers know beside the usual names, or instead of them."""
_COUNTS = ("n", "best_of", "num_return_sequences")
_read_number = msgspec.json.Decoder(int | float | None).decode
_FREE = frozenset(
    "stream stream_options betas anthropic_beta anthropic_version temperature top_p output_format output_config "
    "user".split()
)
_COUNTED = tuple(name for name in Peek.__struct_fields__ if name not in _FREE)
"""Members that limits depend on."""
_QUOTED = tuple(b'"%b"' % name.encode() for name in _COUNTED)
_values = attrgetter(*_COUNTED)
_ESCAPE = b"\\u00"
"""How an escape of a letter that names are made of begins."""
_MARK_BYTES = 64


def output_bound(seen: Peek, default: int, *, zero_is_none: bool) -> int:
    """Return the most output tokens of all answers together.

    ``default`` is what one answer has at most when nothing is said; ``zero_is_none``: a limit of 0 means no output,
    where other servers take it for no limit. Raises InvalidRequest with the member that has no bound.
    """
    if (
        seen.n is NOTHING
        and seen.best_of is NOTHING
        and seen.num_return_sequences is NOTHING
        and seen.max_output_tokens is NOTHING
        and seen.max_new_tokens is NOTHING
        and seen.n_predict is NOTHING
        and seen.prediction is NOTHING
        and seen.max_completion_tokens is None
    ):
        # as most requests are
        limit = seen.max_tokens
        if limit is None:
            return default
        if type(limit) is int and 0 < limit <= MOST_OUTPUT:
            return limit
    return _bound_of_all(seen, default, zero_is_none=zero_is_none)


def _bound_of_all(seen: Peek, default: int, *, zero_is_none: bool) -> int:
    counts = {name: count for name in _COUNTS if (count := _whole(seen, name)) is not None}
    count = max(1, *counts.values()) if counts else 1
    stated = {name: limit for name in _LIMITS if (limit := _whole(seen, name)) is not None}
    limits = [limit if limit > 0 or (limit == 0 and zero_is_none) else default for limit in stated.values()]
    further = {name: limit for name in _FURTHER_LIMITS if (limit := _whole(seen, name)) is not None}
    limits += [limit if limit > 0 else default for limit in further.values()]
    if not stated:
        limits.append(default)
    # what was predicted and did not come is charged as output
    most = max(limits) + len(bytes(seen.prediction))
    if most * count > MOST_OUTPUT:
        path = max(counts or {"n": 1}, key=lambda name: counts.get(name, 1))
        if most > count:
            said = {**stated, **further} or {"max_tokens": 0}
            path = max(said, key=lambda name: said[name])
        raise InvalidRequest(
            f"{path}: where a budget or a rate holds, a request may ask for at most {MOST_OUTPUT} output tokens",
            path=path,
        )
    return most * count


def _whole(seen: Peek, name: str) -> int | None:
    """Return a member as a whole number, rounded up; None when it says nothing. Raises InvalidRequest for others."""
    value: object = getattr(seen, name)
    if type(value) is Raw:
        if value is NOTHING or not bytes(value):
            return None
        try:
            value = _read_number(value)
        except msgspec.MsgspecError:
            raise InvalidRequest(
                f"{name}: expected a number; where a budget or a rate holds, others cannot be bounded", path=name
            ) from None
    if value is None:
        return None
    assert isinstance(value, int | float)
    return value if isinstance(value, int) else math.ceil(value)


def check_single(body: bytes, seen: Peek) -> None:
    """Raise InvalidRequest when a member that limits depend on comes twice: nobody knows which one a server takes.

    ``seen`` is what was read of ``body``.
    """
    rest = _without_messages(body, seen)
    if _ESCAPE not in rest:
        # a member that comes twice is there in what was read, unless its last value is null
        for value, quoted in zip(_values(seen), _QUOTED, strict=True):
            if value is not NOTHING and rest.count(quoted) > 1:
                break
        else:
            return
    known: set[str] = set()
    for member in read_members(body):
        if member.key in known:
            raise InvalidRequest(
                f"{member.key}: comes twice; where a budget or a rate holds, it must come once", path=member.key
            )
        if member.key in _COUNTED:
            known.add(member.key)


def _without_messages(body: bytes, seen: Peek) -> bytes:
    """Cut the messages out, where it is plain where they stand: they are most of a body, and no member's name."""
    messages = bytes(seen.messages)
    if len(messages) < _MARK_BYTES:
        return body
    at = body.find(messages[:_MARK_BYTES])
    return body[:at] + body[at + len(messages) :] if at >= 0 and body.startswith(messages, at) else body
