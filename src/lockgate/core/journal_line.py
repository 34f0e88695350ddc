"""A line of the journal: the CRC-32 of the JSON text as eight hex digits, a space, the JSON text, a line feed."""

from __future__ import annotations

import zlib

_CRC_LENGTH = 8


def frame(data: bytes) -> bytes:
    """Return the line of a JSON text, which holds no line feed."""
    return b"%08x %b\n" % (zlib.crc32(data), data)


def unframe(line: bytes) -> bytes | None:
    """Return the JSON text of a line, None when the line is torn or damaged."""
    crc, space, data = line[:_CRC_LENGTH], line[_CRC_LENGTH : _CRC_LENGTH + 1], line[_CRC_LENGTH + 1 :].rstrip(b"\n")
    try:
        return data if space == b" " and int(crc, 16) == zlib.crc32(data) else None
    except ValueError:
        return None
