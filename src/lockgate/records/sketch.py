"""Percentiles within one per cent from counts of logarithmic buckets, which add up exactly wherever they were counted.

A value of x microseconds lies in bucket ceil(log(x) / log(g)) with g = 1.01 / 0.99, so that the middle of a bucket is
at most 1 % from anything in it. Since a row carries its bucket, ``GROUP BY bucket`` in any engine is a sketch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

Sketch: TypeAlias = dict[int, int]
"""How many values lie in each bucket."""

ACCURACY = 0.01
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = math.log(_GAMMA)
ZERO_BUCKET = -1
"""Of values below 1."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Sketch).decode


def bucket_of(value: int) -> int:
    """Return the bucket of a value."""
    return ZERO_BUCKET if value < 1 else math.ceil(math.log(value) / _LOG_GAMMA)


def value_of(bucket: int) -> float:
    """Return the value that stands for a bucket."""
    return 0.0 if bucket <= ZERO_BUCKET else 2 * _GAMMA**bucket / (_GAMMA + 1)


def add(into: Sketch, other: Mapping[int, int]) -> None:
    """Add the counts of another sketch."""
    for bucket, count in other.items():
        into[bucket] = into.get(bucket, 0) + count


def percentile(sketch: Mapping[int, int], share: float) -> float | None:
    """Return the value below or at which that share of all values lies (nearest rank); None when there is none."""
    total = sum(sketch.values())
    if not total:
        return None
    rank = max(1, math.ceil(share * total))
    for bucket in sorted(sketch):
        rank -= sketch[bucket]
        if rank <= 0:
            return value_of(bucket)
    raise AssertionError("the rank is at most the total")


def write_sketch(sketch: Sketch) -> bytes:
    """Return a sketch as bytes."""
    return _encode(sketch)


def read_sketch(data: bytes | None) -> Sketch:
    """Return the sketch of bytes; nothing reads as empty."""
    return _decode(data) if data else {}


def merge_written(parts: Iterable[bytes | None]) -> bytes:
    """Add up written sketches."""
    whole: Sketch = {}
    for part in parts:
        add(whole, read_sketch(part))
    return write_sketch(whole)
