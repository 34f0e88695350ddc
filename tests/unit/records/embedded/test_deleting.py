from __future__ import annotations

import os

import msgspec
import pytest

from lockgate.core.capture import Capture
from lockgate.core.journal_line import frame
from lockgate.errors import InvalidRequest
from lockgate.records.bodies.kept import keep, write_kept
from lockgate.records.bodies.store import BodyStore
from lockgate.records.embedded.deleting import Deleting, bury
from lockgate.records.embedded.feedback import FeedbackFile
from lockgate.records.embedded.manifest import Manifest
from lockgate.records.embedded.reader import EmbeddedReader
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.from_record import user_hash
from lockgate.records.query.language import parse
from lockgate.records.query.tree import Compare
from lockgate.records.redaction import Rules
from lockgate.records.shipping.frames import write_frame
from lockgate.records.shipping.shipper import Shipper
from lockgate.records.store import ALL, PageQuery
from tests.unit.records.rows import DAY, HOUR_US, START, preview, row


def user_row(number, user, **changes):
    return row(number, end_user=user, end_user_hash=user_hash(user), **changes)


def test_bodies_of_deleted_rows_are_asked_for(store, clock):
    asked = []

    def remove(day, ids):
        asked.append((day, ids))
        return len(ids)

    store.when_deleted(remove)
    store.append([user_row(1, "joe"), user_row(2, "ann"), user_row(3, "joe", at=5)])
    store.delete_where(parse("user:joe"), ALL, reason="asked", now_us=clock())
    (receipt,) = store.apply_deletions(clock())
    assert asked == [(DAY, ["rec_1", "rec_3"])]
    assert (receipt.rows_removed, receipt.bodies_removed, receipt.is_done) == (2, 2, True)
    assert store.apply_deletions(clock()) == []


def test_bodies_that_come_after_the_deletion_are_known_to_be_deleted(store, clock):
    store.append([user_row(1, "joe"), user_row(2, "ann")])
    assert store.deleted_among(["rec_1"]) == set()
    store.delete_where(parse("user:joe"), ALL, reason="asked", now_us=clock())
    store.apply_deletions(clock())
    store.append([user_row(4, "joe", at=9)])
    assert store.deleted_among(["rec_1", "rec_2", "rec_4"]) == {"rec_1", "rec_4"}
    store.append_previews([preview(4, at=9, text="late words")])
    assert store.count(PageQuery(scope=ALL, filter=parse('"late words"'))) == 0


def test_a_deletion_that_was_cut_off_goes_on_after_a_start(tmp_path, clock, monkeypatch):
    store = EmbeddedStore(tmp_path / "records", now_us=clock)
    store.append([user_row(1, "joe"), user_row(2, "joe", at=-24 * HOUR_US), user_row(3, "ann")])
    store.delete_where(parse("user:joe"), ALL, reason="asked", now_us=clock())
    calls = []

    def cut(self, day, where):
        calls.append(day)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return delete(self, day, where)

    delete = Deleting._delete_fresh
    monkeypatch.setattr(Deleting, "_delete_fresh", cut)
    try:
        store.apply_deletions(clock())
    except KeyboardInterrupt:
        pass
    monkeypatch.undo()
    store.close()
    again = EmbeddedStore(tmp_path / "records", now_us=clock)
    assert again.count(PageQuery(scope=ALL)) == 1
    (receipt,) = again.apply_deletions(clock())
    assert receipt.is_done
    assert again.count(PageQuery(scope=ALL)) == 1
    assert [f.id for f in again.receipts()] == [receipt.id]
    again.close()


def test_sealed_hours_of_a_deleted_row_are_made_again_without_it(store, clock):
    store.append([user_row(1, "joe"), user_row(2, "ann"), user_row(3, "ann", at=HOUR_US)])
    store.maintain()
    store.delete_where(parse("user:joe"), ALL, reason="asked", now_us=clock())
    store.apply_deletions(clock())
    assert [f.hour - START // HOUR_US for f in store.manifest.contents().of("hour")] == [1]
    store.maintain()
    assert [f.rows for f in store.manifest.contents().of("hour")] == [1, 1]


def test_a_deletion_by_metadata(store, clock):
    store.append([row(1, metadata={"tenant": "x"}), row(2, metadata={"tenant": "y"})])
    store.delete_where(parse("meta.tenant=x"), ALL, reason="asked", now_us=clock())
    store.apply_deletions(clock())
    assert [e.row.id for e in store.page(PageQuery(scope=ALL)).entries] == ["rec_2"]


def test_a_deletion_that_another_process_asks_for_is_seen_at_once_and_applied(store, clock):
    store.append([user_row(1, "joe"), user_row(2, "ann")])
    reader = EmbeddedReader(store.layout.folder)
    other = Manifest(store.layout.manifest)
    asked = bury(
        other, FeedbackFile(store.layout.feedback), parse("user:joe"), ALL, reason="asked", now_us=clock(), hidden=1
    )
    other.close()
    assert [entry.row.id for entry in reader.page(PageQuery(scope=ALL)).entries] == ["rec_2"]
    (receipt,) = store.apply_deletions(clock())
    assert (receipt.id, receipt.rows_removed) == (asked.id, 1)
    # what comes late is covered too, though this process did not bury it
    assert store.append([user_row(4, "joe", at=9)]).deleted == 1
    reader.close()


@pytest.mark.parametrize("query", ["", '"words"', 'user:joe "words"'])
def test_a_deletion_wants_conditions_and_no_text(store, clock, query):
    with pytest.raises(InvalidRequest, match="wants conditions"):
        store.delete_where(parse(query), ALL, reason="asked", now_us=clock())
    assert store.receipts() == []


def test_no_byte_of_the_deleted_stays_in_what_was_put_aside(tmp_path, clock):
    journal, folder, us = tmp_path / "journal", tmp_path / "records", 1_000_000
    (journal / "bodies").mkdir(parents=True)

    def line(number, user):
        record = {"id": f"rec_{number}", "started_at": clock.us / us - 100, "metadata": {"_user": user}}
        return frame(msgspec.json.encode(record))

    capture = Capture(record_id="rec_2", started_at=clock.us / us - 100, request=b"I am joe-the-plumber " * 9)
    body = write_frame(write_kept(keep(capture, Rules(), limit_bytes=1000)))
    torn = line(2, "joe-the-plumber").replace(b"rec_2", b"rec_X")
    (journal / "0000000001.log").write_bytes(line(1, "joe-the-plumber") + torn + line(3, "ann"))
    (journal / "bodies" / "0000000001.bodies").write_bytes(body[:40] + b"joe-the-plumber" + body[55:])
    store = EmbeddedStore(folder, now_us=clock)
    bodies = BodyStore(store.layout)
    store.when_deleted(bodies.delete)
    shipper = Shipper(journal, store, bodies, store.manifest, store.layout.quarantine, now_s=lambda: clock.us / us)

    def with_name(place):
        return [path for path in place.rglob("*") if path.is_file() and b"joe-the-plumber" in path.read_bytes()]

    shipper.run_once()
    assert len(list(folder.glob("quarantine/*.bad"))) == 2
    assert len(with_name(folder / "quarantine")) == 2
    store.delete_where(Compare("end_user", "in", ("joe-the-plumber",)), ALL, reason="r", now_us=clock.us)
    assert store.apply_deletions(clock.us)[0].rows_removed == 1
    assert with_name(folder) == []
    # the journal still has it, until its segments go
    shipper.begin_again()
    shipper.run_once()
    assert with_name(folder) == []
    assert [entry.row.id for entry in store.page(PageQuery(scope=ALL)).entries] == ["rec_3"]
    store.drop_before(2**62 // 1000 * 1000)
    assert list(folder.glob("quarantine/*")) == []
    bodies.close()
    store.close()


def test_pieces_of_the_journal_that_were_put_aside_long_ago_are_forgotten(store, clock):
    for name, days in (("old.bad", 100), ("fresh.bad", 1)):
        path = store.layout.quarantine / name
        path.write_bytes(b"x")
        at = clock.us / 1_000_000 - days * 86_400
        os.utime(path, (at, at))
    store.drop_before(clock.us - 90 * 86_400 * 1_000_000)
    assert [path.name for path in store.layout.quarantine.iterdir()] == ["fresh.bad"]


def test_rows_of_a_file_that_was_put_aside_are_kept_before_it_goes(store, clock):
    store.append([user_row(1, "joe"), user_row(2, "ann")])
    day = next(iter(store.manifest.contents().days))
    store._folder.replace(day, None, f"day-2026-02-16-{clock.us}.db")
    store._folder.writer(day)
    store.delete_where(Compare("end_user", "in", ("joe",)), ALL, reason="r", now_us=clock.us)
    store.apply_deletions(clock.us)
    assert [entry.row.id for entry in store.page(PageQuery(scope=ALL)).entries] == ["rec_2"]
    assert list(store.layout.quarantine.iterdir()) == []
