"""Marks say what must be settled again: perhaps too much, never too little."""

from __future__ import annotations

from lockgate.core.journal import Position
from lockgate.store.settled_marks import SettledMarks


def segment(folder, number, size):
    (folder / f"{number:010d}.log").write_bytes(b"x" * size)


def at(number, offset):
    return Position(segment=number, offset=offset)


def test_without_marks_everything_is_unsettled(tmp_path):
    segment(tmp_path, 1, 50)
    segment(tmp_path, 2, 0)
    segment(tmp_path, 3, 70)
    assert SettledMarks(tmp_path).unsettled() == [at(1, 0), at(3, 0)]


def test_a_mark_is_kept_when_it_is_written(tmp_path):
    segment(tmp_path, 1, 50)
    marks = SettledMarks(tmp_path)
    marks.reached(at(1, 30))
    assert SettledMarks(tmp_path).unsettled() == [at(1, 0)]
    marks.write()
    assert SettledMarks(tmp_path).unsettled() == [at(1, 30)]
    marks.reached(at(1, 50))
    marks.write()
    assert SettledMarks(tmp_path).unsettled() == []


def test_a_segment_that_was_left_behind_is_settled_to_its_end(tmp_path):
    segment(tmp_path, 1, 50)
    segment(tmp_path, 4, 60)
    marks = SettledMarks(tmp_path)
    marks.reached(at(1, 30))
    marks.reached(at(4, 20))
    marks.write()
    assert marks.unsettled() == [at(4, 20)]
    marks.settle_whole(4)
    assert marks.unsettled() == []


def test_processes_keep_marks_apart(tmp_path):
    segment(tmp_path, 1, 50)
    segment(tmp_path, 2, 50)
    first, second = SettledMarks(tmp_path), SettledMarks(tmp_path)
    first.reached(at(1, 10))
    second.reached(at(2, 20))
    first.write()
    second.write()
    assert first.unsettled() == [at(1, 10), at(2, 20)]


def test_a_damaged_mark_settles_everything_again(tmp_path):
    segment(tmp_path, 1, 50)
    (tmp_path / "0000000001.settled").write_text("thirty")
    assert SettledMarks(tmp_path).unsettled() == [at(1, 0)]


def test_a_folder_that_is_gone_does_not_stop_anybody(tmp_path):
    marks = SettledMarks(tmp_path / "gone")
    marks.reached(at(1, 10))
    marks.reached(at(2, 10))
    marks.write()
    assert marks.unsettled() == []


def test_marks_go_with_their_segments(tmp_path):
    segment(tmp_path, 1, 50)
    segment(tmp_path, 2, 50)
    marks = SettledMarks(tmp_path)
    marks.settle_whole(1)
    marks.settle_whole(2)
    (tmp_path / "0000000001.log").unlink()
    marks.sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000000002.log", "0000000002.settled"]
