"""Whole rows of a sealed day beside its columns, so that a page of a list reads fifty rows and not fifty row groups.

Parquet finds which rows a page has, from the few columns of its filter; their other columns would cost a hundred times
as much to pick out. So the same rows lie, in the same order, as JSON in small compressed blocks:

    block ... block | start of each block, 8 bytes | end of the last | number of blocks, 4 | rows in a block, 4 | mark
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import zstandard

from lockgate.records.row import Row

BLOCK_ROWS = 64
_MARK = b"LGROWS01"
_TAIL = struct.Struct(">II8s")
_LEVEL = 3
_MAX_BLOCK = 64 << 20
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
                file.seek(places[block])
                data = file.read(places[block + 1] - places[block])
                lines = decompress(data, max_output_size=_MAX_BLOCK).split(b"\n")
                for number in members:
                    found[number] = read_row(lines[number % size])
        except (struct.error, zstandard.ZstdError, msgspec.MsgspecError, IndexError) as error:
            raise OSError(f"{path.name} is damaged: {error}") from None
    return [found[number] for number in numbers]


def _compact(line: str) -> bytes:
    return _encode({name: value for name, value in _decode(line).items() if bytes(value) != b"null"})
