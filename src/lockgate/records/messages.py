"""What a gateway and the process that tends its records say to each other, over a socket that only they have.

A message is its length, four bytes, the highest first, and MessagePack. Bodies are unredacted in it: they are in
memory only, on this side and on that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct

from lockgate.core.capture import Capture
from lockgate.records.shipping.shipper import ShipperStatus
from lockgate.records.tending import Task

LENGTH_BYTES = 4


class Begin(Struct, frozen=True, kw_only=True, tag="begin"):
    """The first message: what to do."""

    task: Task
    dialects: tuple[str, ...]
    level: str
    """Of log lines."""


class Captures(Struct, frozen=True, tag="captures"):
    """Bodies to keep."""

    captures: Sequence[Capture]


class Needed(Struct, frozen=True, tag="needed"):
    """The first segment of the journal that the counters still need; None: no one."""

    first: int | None


Message: TypeAlias = Begin | Captures | Needed


class Report(Struct, frozen=True, kw_only=True):
    """What the process says of itself, every second."""

    taken: int
    """Captures that have arrived."""
    shed: int
    status: ShipperStatus


_encode = msgspec.msgpack.Encoder().encode
_read_message = msgspec.msgpack.Decoder(Message).decode
_read_report = msgspec.msgpack.Decoder(Report).decode


def write_message(message: Message | Report) -> bytes:
    """Return a message as it goes over the socket."""
    data = _encode(message)
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


def read_message(data: bytes) -> Message:
    """Return the message of bytes without their length. Raises ValueError."""
    message: Message = _read_message(data)
    return message


class ReportReader:
    """Takes the bytes of reports, however they are cut."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Report | None:
        """Return the last whole report; those before it are out of date. Raises ValueError."""
        held, report = self._held + data, None
        while len(held) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(held[:LENGTH_BYTES], "big")
            if len(held) < end:
                break
            report, held = _read_report(held[LENGTH_BYTES:end]), held[end:]
        self._held = held
        return report
