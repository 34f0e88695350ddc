"""Bodies are redacted before they are written, and shed, counted, when there is no room."""

from __future__ import annotations

import os
import threading

import pytest

from lockgate.core.capture import Capture
from lockgate.errors import ConfigError
from lockgate.records.bodies.kept import read_kept
from lockgate.records.redaction import Rules
from lockgate.records.shipping.body_journal import BodyJournal, BodyLimits
from lockgate.records.shipping.frames import read_frames
from lockgate.records.shipping.segments import is_closed

KEY = "sk-" + "ant-api03-" + "a1B2c3D4" * 6


def capture(number, body=b"{}"):
    return Capture(record_id=f"rec_{number}", started_at=1.0, request=body)


def kept_in(folder):
    return [
        read_kept(frame.data) for path in sorted(folder.glob("*.bodies")) for frame in read_frames(path, 0, closed=True) if frame.data
    ]  # fmt: skip


def test_nothing_unredacted_touches_the_disk(tmp_path):
    journal = BodyJournal(tmp_path, lambda _: Rules())
    journal.offer(capture(1, f'{{"a":"{KEY}"}}'.encode()))
    journal.close()
    assert [kept.record_id for kept in kept_in(tmp_path)] == ["rec_1"]
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_the_rules_are_those_of_the_capture(tmp_path):
    journal = BodyJournal(tmp_path, lambda c: Rules(mode="off" if c.record_id == "rec_2" else "full"))
    for number in (1, 2, 3):
        journal.offer(capture(number))
    assert journal.flush(10.0)
    assert [kept.record_id for kept in kept_in(tmp_path)] == ["rec_1", "rec_3"]
    journal.close()
    assert (journal.shed, journal.failed) == (0, 0)


class Gate:
    """Rules that are not known until the gate opens."""

    def __init__(self):
        self.open = threading.Event()
        self.entered = threading.Event()

    def __call__(self, _capture):
        self.entered.set()
        assert self.open.wait(10)
        return Rules()


@pytest.mark.parametrize("limits", [BodyLimits(queue_items=3), BodyLimits(queue_bytes=3 * 100)])
def test_a_full_queue_sheds_and_counts_and_never_waits(tmp_path, limits):
    gate = Gate()
    journal = BodyJournal(tmp_path, gate, limits=limits)
    journal.offer(capture(0, b"x" * 100))
    assert gate.entered.wait(10)
    for number in range(1, 8):
        journal.offer(capture(number, b"x" * 100))
    gate.open.set()
    journal.close()
    assert journal.shed == 4
    assert [kept.record_id for kept in kept_in(tmp_path)] == ["rec_0", "rec_1", "rec_2", "rec_3"]


def gated(tmp_path, count):
    """A journal that has taken bodies and has not written any of them."""
    gate = Gate()
    journal = BodyJournal(tmp_path, gate)
    for number in range(count):
        journal.offer(capture(number))
    assert gate.entered.wait(10)
    return journal, gate


def test_bodies_that_come_together_are_written_together(tmp_path, monkeypatch):
    sizes, write = [], os.write

    def counted(fd, data):
        sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", counted)
    journal, gate = gated(tmp_path, 6)
    gate.open.set()
    journal.close()
    assert len(sizes) == 1
    assert [kept.record_id for kept in kept_in(tmp_path)] == [f"rec_{number}" for number in range(6)]


def test_of_a_write_that_is_cut_what_is_whole_counts_as_kept(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
    journal, gate = gated(tmp_path, 6)
    gate.open.set()
    journal.close()
    assert (journal.shed, len(kept_in(tmp_path))) == (3, 3)


def test_a_disk_without_room_takes_no_bodies(tmp_path):
    journal = BodyJournal(tmp_path, lambda _: Rules(), may_write=lambda: False)
    journal.offer(capture(1))
    journal.close()
    assert (journal.shed, kept_in(tmp_path)) == (1, [])


def test_too_much_that_waits_to_be_shipped_sheds_new_bodies(tmp_path):
    journal = BodyJournal(tmp_path, lambda _: Rules(), limits=BodyLimits(unshipped_bytes=300))
    for number in range(6):
        journal.offer(capture(number, b"y" * 100))
        journal.flush(10.0)
    journal.close()
    assert journal.shed == 6 - len(kept_in(tmp_path)) > 0


def test_segments_are_bounded_and_locked_by_their_writer(tmp_path):
    journal = BodyJournal(tmp_path, lambda _: Rules(), limits=BodyLimits(segment_bytes=500))
    for number in range(5):
        journal.offer(capture(number, b"z" * 300))
    journal.flush(10.0)
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 5
    assert [is_closed(path) for path in paths] == [True] * 4 + [False]
    journal.close()
    assert is_closed(paths[-1])


def test_bodies_that_cannot_be_redacted_are_not_kept_and_the_next_are(tmp_path, caplog):
    def rules(found):
        if found.record_id == "rec_1":
            raise RuntimeError("prompt text")
        return Rules()

    journal = BodyJournal(tmp_path, rules)
    journal.offer(capture(1))
    journal.offer(capture(2))
    journal.close()
    assert (journal.failed, [kept.record_id for kept in kept_in(tmp_path)]) == (1, ["rec_2"])
    assert "prompt text" not in caplog.text


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError):
        BodyJournal(tmp_path / "file", lambda _: Rules())
