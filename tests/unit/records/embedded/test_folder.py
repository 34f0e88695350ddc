"""One writer, and a start that puts right what a crash left behind."""

from __future__ import annotations

import pytest

from lockgate.errors import Conflict
from lockgate.records.embedded.day import DayWriter
from lockgate.records.embedded.duck import Duck, DuckLimits
from lockgate.records.embedded.folder import GRACE_US, Folder, Windows
from lockgate.records.embedded.layout import Layout
from lockgate.records.row import FAR_FUTURE_US
from tests.unit.records.rows import DAY, START, row


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path)


def open_folder(layout, clock):
    return Folder(layout, Duck(DuckLimits(), layout.temp / "spill"), Windows(), clock)


def test_a_second_writer_is_refused(layout, clock):
    folder = open_folder(layout, clock)
    with pytest.raises(Conflict):
        open_folder(layout, clock)
    folder.close()
    open_folder(layout, clock).close()


def test_drafts_and_files_that_are_not_listed_are_swept(layout, clock):
    folder = open_folder(layout, clock)
    listed = folder.sealer.write_rows([row(1)], day=DAY, hour=DAY * 24)
    folder.swap(add=[listed])
    orphan = folder.sealer.write_rows([row(2)], day=DAY, hour=DAY * 24 + 1)
    (layout.temp / "draft").write_bytes(b"x")
    folder.close()
    again = open_folder(layout, clock)
    assert (layout.cold / listed.name).exists()
    assert not (layout.cold / orphan.name).exists()
    [aside] = layout.quarantine.glob("cold-hour-*.parquet")
    assert aside.name.startswith(f"cold-{orphan.name.removesuffix('.parquet')}-")
    assert list(layout.temp.iterdir()) == []
    assert again.sealed_hours == {DAY * 24}
    again.close()


def test_the_file_of_a_day_that_is_sealed_is_swept(layout, clock):
    folder = open_folder(layout, clock)
    folder.writer(DAY).append([row(1)])
    folder.manifest.set_state(DAY, "cold")
    folder.writer(DAY + 1)
    folder.close()
    open_folder(layout, clock).close()
    assert not layout.day(DAY).exists()
    assert layout.day(DAY + 1).exists()


def test_a_day_gets_another_file_and_the_old_one_lies_in_quarantine(layout, clock):
    folder = open_folder(layout, clock)
    folder.writer(DAY).append([row(1), row(2)])
    draft = DayWriter(layout.temp / "draft.db")
    draft.append([row(3)])
    draft.close()
    folder.replace(DAY, layout.temp / "draft.db", "old.db")
    assert [found.id for found in folder.writer(DAY).rows(0, FAR_FUTURE_US)] == ["rec_3"]
    old = DayWriter(layout.quarantine / "old.db")
    assert [found.id for found in old.rows(0, FAR_FUTURE_US)] == ["rec_1", "rec_2"]
    old.close()
    folder.close()


def test_retired_files_stay_for_those_who_have_read_their_name(layout, clock):
    folder = open_folder(layout, clock)
    file = folder.sealer.write_rows([row(1)], day=DAY, hour=DAY * 24)
    folder.swap(add=[file])
    folder.swap(remove=[file])
    assert folder.sealed_hours == set()
    assert folder.unlink_retired() == (0, 0)
    clock.us += GRACE_US + 1
    assert folder.unlink_retired() == (1, file.size_bytes)
    assert not (layout.cold / file.name).exists()
    folder.close()


def test_what_sealed_files_have(layout, clock):
    folder = open_folder(layout, clock)
    file = folder.sealer.write_rows([row(1)], day=DAY, hour=DAY * 24)
    folder.swap(add=[file])
    assert folder.sealed_of(DAY, "hour") == [file]
    assert folder.known_in([file], ["rec_1", "rec_2"]) == {"rec_1"}
    assert folder.known_in([], ["rec_1"]) == set()
    folder.close()


def test_idle_days_are_closed_and_opened_again(layout, clock):
    folder = open_folder(layout, clock)
    folder.writer(DAY).append([row(1)])
    folder.close_idle(())
    assert folder.writer(DAY).hours() == {START // 3_600_000_000: 1}
    folder.close()
