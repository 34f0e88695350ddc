"""Whole rows of a sealed day beside its columns, so that a page of a list reads fifty rows and not fifty row groups.

Parquet finds which rows a page has, from the few columns of its filter; their other columns would cost a hundred times
as much to pick out. So the same rows lie, in the same order, as JSON in small compressed blocks:

    block ... block | start of each block, 8 bytes | end of the last | number of blocks, 4 | rows in a block, 4 | mark
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import zstandard

from lockgate.records.row import Row

BLOCK_ROWS = 64
_MARK = b"LGROWS01"
_TAIL = struct.Struct(">II8s")
_FRAME = b"\x28\xb5\x2f\xfd"
_PIECE = 64 * 1024
_LEVEL = 3
_MAX_BLOCK = 64 << 20
_log = logging.getLogger("lockgate.records")
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
read_row = msgspec.json.Decoder(Row).decode
"""Returns the row of a JSON object; what this version does not know is passed by."""


def beside(parquet: Path) -> Path:
    """Return where the whole rows of a sealed file lie."""
    return parquet.with_suffix(".rows")


def write(path: Path, lines: Iterable[str]) -> int:
    """Write rows, each a JSON object, and force them to the disk; returns how many."""
    compress = zstandard.ZstdCompressor(level=_LEVEL).compress
    starts: list[int] = []
    block: list[bytes] = []
    count = 0
    with path.open("wb") as file:
        for line in lines:
            block.append(_compact(line))
            count += 1
            if len(block) == BLOCK_ROWS:
                starts.append(file.tell())
                file.write(compress(b"\n".join(block)))
                block.clear()
        if block:
            starts.append(file.tell())
            file.write(compress(b"\n".join(block)))
        places = [*starts, file.tell()]
        file.write(struct.pack(f">{len(places)}Q", *places))
        file.write(_TAIL.pack(len(starts), BLOCK_ROWS, _MARK))
        file.flush()
        os.fsync(file.fileno())
    return count


def read(parquet: Path, numbers: Sequence[int]) -> list[Row]:
    """Return rows of a sealed file by their number. Raises OSError when what lies beside it is missing or damaged."""
    path = beside(parquet)
    decompress = zstandard.ZstdDecompressor().decompress
    found: dict[int, Row] = {}
    with path.open("rb") as file:
        try:
            file.seek(-_TAIL.size, os.SEEK_END)
            blocks, size, mark = _TAIL.unpack(file.read(_TAIL.size))
            if mark != _MARK:
                raise OSError(f"{path.name} is not a file of rows")
            file.seek(-_TAIL.size - 8 * (blocks + 1), os.SEEK_END)
            places = struct.unpack(f">{blocks + 1}Q", file.read(8 * (blocks + 1)))
            by_block: dict[int, list[int]] = {}
            for number in numbers:
                by_block.setdefault(number // size, []).append(number)
            for block, members in sorted(by_block.items()):
                start, length = places[block], places[block + 1] - places[block]
                if not 0 < length <= _MAX_BLOCK:
                    raise OSError(f"{path.name} is damaged: a block has {length} bytes")
                file.seek(start)
                data = file.read(length)
                lines = decompress(data, max_output_size=_MAX_BLOCK).split(b"\n")
                for number in members:
                    found[number] = read_row(lines[number % size])
        except (struct.error, zstandard.ZstdError, ValueError, ArithmeticError, LookupError) as error:
            raise OSError(f"{path.name} is damaged: {error}") from None
    return [found[number] for number in numbers]


def salvaged(parquet: Path) -> Iterator[Row]:
    """Yield the rows that can be read beside a sealed file, in their order, wherever the file is damaged."""
    path = beside(parquet)
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(_FRAME)
        while at >= 0:
            block, end = _frame(data, at)
            for line in block.split(b"\n") if block else ():
                with contextlib.suppress(msgspec.MsgspecError, ValueError):
                    yield read_row(line)
            at = data.find(_FRAME, end)


def is_whole(parquet: Path, rows: int) -> bool:
    """Look through all blocks beside a sealed file: whether so many rows can be read."""
    path = beside(parquet)
    try:
        numbers = range(0, rows, BLOCK_ROWS)
        return len(read(parquet, numbers)) == len(numbers) and sum(1 for _ in salvaged(parquet)) == rows
    except (OSError, KeyError) as error:
        _log.warning("%s: %s", path.name, error)
        return False


def _frame(data: mmap.mmap, start: int) -> tuple[bytes, int]:
    """Return what a frame holds and where it ends; nothing when it cannot be read, and where to look on."""
    reader = zstandard.ZstdDecompressor().decompressobj()
    found: list[bytes] = []
    at = start
    try:
        while not reader.eof and at - start <= _MAX_BLOCK:
            piece = data[at : at + _PIECE]
            if not piece:
                return b"", start + 1
            found.append(reader.decompress(piece))
            at += len(piece)
    except zstandard.ZstdError:
        return b"", start + 1
    return b"".join(found), at - len(reader.unused_data)


def _compact(line: str) -> bytes:
    return _encode({name: value for name, value in _decode(line).items() if bytes(value) != b"null"})
