"""The ledger counts each charge of the journal once, whatever becomes of processes and files."""

from __future__ import annotations

import os

import pytest

from lockgate.core.limits import Charge, Charged
from lockgate.core.record import SCHEMA_VERSION, Record
from lockgate.telemetry import ledger_book
from lockgate.telemetry.journal import Journal
from lockgate.telemetry.ledger_book import LedgerBook, needed_by_ledger

NOW = 1_790_000_000
PLACE = Charged("b", "", 0)


def record(number, *charges):
    return Record(
        schema_version=SCHEMA_VERSION, id=f"rec_{number}", trace_id="t", started_at=0.0, method="POST", route="chat",
        dialect="d", status=200, grant=f"g-{number}", charges=charges,
    )  # fmt: skip


def charge(amount, **more):
    return Charge(limit="b", unit="nanos", amount=amount, **more)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "journal"
    folder.mkdir()
    return folder


def journal_in(folder, segment_bytes=1 << 20):
    return Journal(folder, fsync="off", segment_bytes=segment_bytes)


def book_in(folder):
    return LedgerBook(folder.parent / "ledger.json", folder, NOW)


def catch_up(book):
    while book.catch_up(book.ends()):
        pass


def test_each_charge_is_booked_once_over_segments_and_processes(folder):
    journal = journal_in(folder, segment_bytes=600)
    for number in range(10):
        journal.write(record(number, charge(number), charge(1000, is_rate=True, end=60)))
    for _ in range(3):
        book = book_in(folder)
        catch_up(book)
        catch_up(book)
        assert book.booked(PLACE) == 45
        book.save(NOW)
    journal.write(record(10, charge(5), charge(7, group="ann", start=5)))
    journal.write(record(11))
    again = book_in(folder)
    assert not again.is_new
    catch_up(again)
    assert (again.booked(PLACE), again.booked(Charged("b", "ann", 5)), again.booked(Charged("b", "bob", 5))) == (
        50,
        7,
        None,
    )
    assert again.groups("b", 5) == {"ann"}
    journal.close()


def test_lines_that_are_damaged_or_not_whole_yet_are_left_out(folder):
    journal = journal_in(folder)
    journal.write(record(1, charge(1)))
    journal.close()
    (path,) = folder.glob("*.log")
    whole = path.read_bytes()
    path.write_bytes(b"00000000 {}\n" + whole + whole[:40])
    book = book_in(folder)
    catch_up(book)
    assert book.booked(PLACE) == 1
    path.write_bytes(b"00000000 {}\n" + whole + whole)
    catch_up(book)
    assert book.booked(PLACE) == 2


def test_long_journals_are_read_in_slices(folder, monkeypatch):
    monkeypatch.setattr(ledger_book, "_SLICE_BYTES", 500)
    journal = journal_in(folder)
    for number in range(20):
        journal.write(record(number, charge(1)))
    book = book_in(folder)
    assert book.catch_up(book.ends())
    assert book.booked(PLACE) < 20
    catch_up(book)
    assert book.booked(PLACE) == 20
    journal.close()


def test_a_new_ledger_begins_with_what_counters_say(folder):
    journal = journal_in(folder)
    journal.write(record(1, charge(100)))
    book = book_in(folder)
    assert book.is_new
    book.skip(book.ends())
    book.adopt(PLACE, None, 250)
    journal.write(record(2, charge(5)))
    catch_up(book)
    assert book.booked(PLACE) == 255
    journal.close()


def test_another_file_of_the_same_name_is_read_from_its_beginning(folder):
    journal = journal_in(folder)
    journal.write(record(1, charge(100)))
    journal.close()
    book = book_in(folder)
    catch_up(book)
    book.save(NOW)
    (path,) = folder.glob("*.log")
    path.unlink()
    journal = journal_in(folder)
    journal.write(record(2, charge(1)))
    journal.write(record(3, charge(1)))
    again = book_in(folder)
    catch_up(again)
    assert again.booked(PLACE) == 102
    journal.close()


def test_sums_of_periods_that_are_long_over_are_forgotten(folder):
    book = book_in(folder)
    old, fresh = Charged("b", "", 1), Charged("b", "", 2)
    book.adopt(old, NOW - ledger_book.KEPT_AFTER_S - 1, 5)
    book.adopt(fresh, NOW - 10, 5)
    book.adopt(PLACE, None, 5)
    book.save(NOW)
    again = book_in(folder)
    assert [again.booked(place) for place in (old, fresh, PLACE)] == [None, 5, 5]


def test_what_is_not_booked_yet_is_needed(folder):
    path = folder.parent / "ledger.json"
    journal = journal_in(folder, segment_bytes=600)
    journal.write(record(1, charge(1)))
    assert needed_by_ledger(path, folder) is None
    book = book_in(folder)
    catch_up(book)
    book.save(NOW)
    assert needed_by_ledger(path, folder) is None
    for number in range(9):
        journal.write(record(number, charge(1)))
    assert needed_by_ledger(path, folder) == 1
    catch_up(book)
    book.save(NOW)
    journal.write(record(20, charge(1)))
    assert needed_by_ledger(path, folder) > 1
    journal.close()


def test_a_damaged_file_begins_a_new_ledger(folder):
    path = folder.parent / "ledger.json"
    path.write_text("{")
    assert book_in(folder).is_new
    assert needed_by_ledger(path, folder) is None


def test_a_segment_that_lost_its_end_is_not_booked_twice(folder):
    """As after a loss of power before the journal's last lines were on the disk."""
    journal = journal_in(folder)
    for number in range(5):
        journal.write(record(number, charge(10)))
    journal.close()
    book = book_in(folder)
    catch_up(book)
    book.save(NOW)
    (path,) = folder.glob("*.log")
    lines = path.read_bytes().splitlines(keepends=True)
    for left in (b"".join(lines[:4]), b"".join(lines[:3]) + lines[3][:20], lines[0][:10], b""):
        path.write_bytes(left)
        again = book_in(folder)
        catch_up(again)
        assert again.booked(PLACE) == 50
        again.save(NOW)


def test_the_beginning_of_a_line_that_nobody_ends_keeps_no_segment(folder):
    journal = journal_in(folder)
    journal.write(record(1, charge(10)))
    journal.close()
    (path,) = folder.glob("*.log")
    with path.open("ab") as file:
        file.write(b"0000 torn")
    book = book_in(folder)
    catch_up(book)
    book.save(NOW)
    ledger = folder.parent / "ledger.json"
    assert needed_by_ledger(ledger, folder) == int(path.stem), "somebody may be writing it"
    os.utime(path, (0, 0))
    assert needed_by_ledger(ledger, folder) is None
    path.write_bytes(path.read_bytes() + b"\n")
    os.utime(path, (0, 0))
    assert needed_by_ledger(ledger, folder) == int(path.stem), "a line came after all"


def test_a_segment_that_is_unlinked_meanwhile_is_passed_by(folder):
    journal = journal_in(folder, segment_bytes=600)
    for number in range(6):
        journal.write(record(number, charge(1)))
    journal.close()
    book = book_in(folder)
    ends = book.ends()
    first = min(folder.glob("*.log"))
    catch_up(book)
    first.unlink()
    while book.catch_up(ends):
        pass
    assert book.booked(PLACE) == 6
