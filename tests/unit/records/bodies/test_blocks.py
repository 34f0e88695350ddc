from __future__ import annotations

import hashlib
import os

import pytest

from lockgate.records.bodies import blocks
from lockgate.records.bodies.blocks import (
    BLOCK_BYTES,
    Member,
    PartReader,
    append,
    compress,
    decompress,
    in_blocks,
    known_parts,
    name_blocks,
    rewrite,
    segment_name,
    segment_number,
)
from lockgate.records.embedded.sqlite import transaction, writing


def member(data):
    return Member(hashlib.sha256(data).digest(), data)


@pytest.fixture
def index(tmp_path):
    found = writing(tmp_path / "index.db", blocks.SCHEMA, is_durable=True)
    yield found
    found.close()


def put(folder, index, workspace, *parts):
    made = list(in_blocks(workspace, map(member, parts)))
    places = append(folder, index, made)
    with transaction(index):
        name_blocks(index, places)
    return made


def test_parts_are_put_together_up_to_a_size():
    sizes = [
        [len(m.data) for m in block.members]
        for block in in_blocks("w", [member(bytes(n * 1000)) for n in (100, 100, 100, 400, 1)])
    ]
    assert sizes == [[100_000, 100_000], [100_000], [400_000], [1000]]
    assert list(in_blocks("w", [])) == []
    assert BLOCK_BYTES == 262_144


def test_parts_are_read_by_workspace_and_hash(tmp_path, index):
    parts = [os.urandom(1000) for _ in range(5)]
    put(tmp_path, index, "a", *parts)
    put(tmp_path, index, "b", parts[0])
    reader = PartReader(tmp_path, index)
    assert [reader.read("a", member(part).hash) for part in parts] == parts
    hashes = [member(part).hash for part in parts]
    assert known_parts(index, "b", hashes) == hashes[:1]
    with pytest.raises(OSError, match="missing"):
        reader.read("b", member(parts[1]).hash)


def test_what_a_crash_left_in_a_segment_is_passed_by(tmp_path, index):
    put(tmp_path, index, "a", b"first" * 100)
    with (tmp_path / segment_name(1)).open("ab") as file:
        file.write(b"torn block")
    put(tmp_path, index, "a", b"second" * 100)
    assert PartReader(tmp_path, index).read("a", member(b"second" * 100).hash) == b"second" * 100


def test_a_damaged_block_is_told(tmp_path, index):
    put(tmp_path, index, "a", b"data" * 100)
    path = tmp_path / segment_name(1)
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    with pytest.raises(OSError, match="damaged"):
        PartReader(tmp_path, index).read("a", member(b"data" * 100).hash)


def test_segments_are_bounded(tmp_path, index, monkeypatch):
    monkeypatch.setattr(blocks, "SEGMENT_BYTES", 1000)
    for _ in range(3):
        put(tmp_path, index, "a", os.urandom(1500))
    assert sorted(path.name for path in tmp_path.glob("seg-*")) == [segment_name(n) for n in (1, 2, 3)]
    assert segment_number(segment_name(3)) == 3


def test_rewriting_keeps_what_is_live_and_nothing_else(tmp_path, index):
    keep, drop = b"keep" * 500, b"drop-me!" * 500
    put(tmp_path, index, "a", keep, drop)
    put(tmp_path, index, "b", drop)
    rewrite(tmp_path, index, {("a", member(keep).hash)})
    assert PartReader(tmp_path, index).read("a", member(keep).hash) == keep
    assert known_parts(index, "b", [member(drop).hash]) == []
    (segment,) = tmp_path.glob("seg-*")
    assert segment.name == segment_name(2)
    assert decompress(segment.read_bytes()) == keep


def test_damage_is_an_error_of_the_system():
    assert decompress(compress(b"x" * 1000)) == b"x" * 1000
    with pytest.raises(OSError, match="damaged"):
        decompress(b"nonsense")
