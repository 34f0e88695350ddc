from __future__ import annotations

import fcntl
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.journal_line import frame
from lockgate.records.shipping import segments as module
from lockgate.records.shipping.frames import write_frame
from lockgate.records.shipping.segments import identity, is_closed, read_lines, segments

lines = st.lists(st.binary(max_size=30).filter(lambda data: b"\n" not in data), max_size=6)


def written(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("s") / "0000000001.log"
    path.write_bytes(data)
    return path


@given(lines, st.integers(1, 40))
def test_lines_come_with_their_places_however_the_file_is_read(tmp_path_factory, texts, chunk):
    path = written(tmp_path_factory, b"".join(map(frame, texts)))
    module._CHUNK, before = chunk, module._CHUNK
    try:
        found = list(read_lines(path, 0, closed=True))
    finally:
        module._CHUNK = before
    assert [line.data for line in found] == texts
    assert [line.end for line in found][-1:] == ([path.stat().st_size] if texts else [])
    for at in range(len(found)):
        assert list(read_lines(path, found[at].start, closed=True)) == found[at:]


def test_an_unfinished_line_waits_and_a_torn_one_is_damage(tmp_path_factory):
    whole, torn = frame(b"one"), frame(b"two")[:-3]
    path = written(tmp_path_factory, whole + torn)
    assert [line.data for line in read_lines(path, 0, closed=False)] == [b"one"]
    found = list(read_lines(path, 0, closed=True))
    assert [(line.data, line.raw, line.end) for line in found] == [
        (b"one", b"", len(whole)),
        (None, torn, len(whole + torn)),
    ]


def test_damage_in_the_middle_costs_its_line_only(tmp_path_factory):
    data = frame(b"one") + frame(b"two").replace(b"two", b"tw0") + b"\n" + frame(b"three")
    found = list(read_lines(written(tmp_path_factory, data), 0, closed=True))
    assert [line.data for line in found] == [b"one", None, b"", b"three"]


def test_a_line_without_an_end_is_not_held_in_memory(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE", 1000)
    monkeypatch.setattr(module, "_CHUNK", 300)
    path = written(tmp_path_factory, b"x" * 5000 + b"\n" + frame(b"ok"))
    found = list(read_lines(path, 0, closed=True))
    assert found[-1].data == b"ok"
    assert all(line.data is None and len(line.raw) < 1400 for line in found[:-1])
    assert b"".join(line.raw for line in found[:-1]) == b"x" * 5000


def test_a_segment_is_open_while_its_writer_holds_the_lock(tmp_path):
    path = tmp_path / "0000000001.log"
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)
    assert is_closed(path)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert not is_closed(path)
    os.close(handle)
    assert is_closed(path)
    assert is_closed(tmp_path / "gone.log")


def named(path, data):
    path.write_bytes(data)
    return identity(path)


@pytest.mark.parametrize(
    "data, more, other",
    [
        (frame(b"one"), frame(b"two"), frame(b"two")),
        (write_frame(b"one"), write_frame(b"two"), write_frame(b"two")),
        (b"x" * 10_000, b"y", b"z" * 10_000),
    ],
)
def test_a_segment_is_told_from_one_that_gets_its_name_later(tmp_path, data, more, other):
    path = tmp_path / "0000000001.log"
    first = named(path, data)
    assert first is not None
    assert named(path, data + more) == first
    assert named(path, other) not in (None, first)


@pytest.mark.parametrize("data", [b"", b"unfinished", write_frame(b"one")[:9]])
def test_a_segment_has_no_identity_before_something_whole_is_in_it(tmp_path, data):
    path = tmp_path / "0000000001.log"
    path.write_bytes(data)
    handle = os.open(path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert identity(path) is None
    os.close(handle)
    assert (identity(path) is None) == (data == b"")


def test_segments_are_listed_in_order_and_nothing_else_is(tmp_path):
    for name in ("0000000010.log", "0000000002.log", "notes.log", "0000000001.bodies"):
        (tmp_path / name).touch()
    assert [path.name for path in segments(tmp_path, ".log")] == ["0000000002.log", "0000000010.log"]
