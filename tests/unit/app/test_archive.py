import pytest

from lockgate.app.archive import Archive
from lockgate.errors import NotFound, Unavailable
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.from_record import user_hash
from lockgate.records.query.language import parse
from lockgate.records.store import ALL, PageQuery
from tests.unit.cli.kept import capture, record, write_records
from tests.unit.records.rows import row


def test_where_a_gateway_writes_nothing_is_shipped_by_us(tmp_path):
    store = EmbeddedStore(tmp_path / "records")
    write_records(tmp_path, [record(1)])
    archive = Archive(tmp_path)
    assert archive.find(record(1)["id"]) == (None, [])
    assert archive.catch_up() is False
    store.close()
    assert archive.catch_up() is True
    entry, rows = archive.find(record(1)["id"])
    assert [entry.row] == list(rows)
    archive.close()


def test_bodies_are_read_and_damage_is_told(tmp_path):
    one = record(1)
    write_records(tmp_path, [one, record(2)], [capture(one, b'{"question":"words words words"}')])
    archive = Archive(tmp_path)
    row = archive.find(one["id"])[0].row
    assert archive.bodies_of(row).views["request"].data == b'{"question":"words words words"}'
    assert archive.bodies_of(archive.find(record(2)["id"])[0].row) is None
    index = next((tmp_path / "records" / "bodies").glob("*/index.db"))
    index.write_bytes(b"damaged" * 1000)
    with pytest.raises(Unavailable, match="cannot be read"):
        archive.bodies_of(row)
    archive.close()


def test_a_folder_without_records_stays_as_it_is(tmp_path):
    with pytest.raises(NotFound, match="LOCKGATE_HOME"):
        Archive(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_records_that_are_off_are_told(tmp_path):
    (tmp_path / "off.toml").write_text("[records]\nenabled = false\n")
    write_records(tmp_path, [record(1)])
    with pytest.raises(NotFound, match="Records are off"):
        Archive(tmp_path, config_path=tmp_path / "off.toml")


def test_a_folder_that_cannot_be_opened_is_told(tmp_path):
    write_records(tmp_path, [record(1)])
    (tmp_path / "records").write_text("a file")
    with pytest.raises(Unavailable, match="cannot be opened"):
        Archive(tmp_path)


def test_records_are_followed_also_where_no_gateway_ships_them(tmp_path):
    write_records(tmp_path, [record(1)])
    archive = Archive(tmp_path)
    rounds = []

    def wait(_seconds):
        rounds.append(None)
        if len(rounds) == 2:
            write_records(tmp_path, [record(2), record(3, status=500)])
        return len(rounds) > 20

    seen = list(archive.follow(PageQuery(scope=ALL, filter=parse("status:500"), limit=10), wait))
    assert [[row.id for row in tail.rows] for tail in seen] == [[record(3)["id"]]]
    archive.close()


def test_more_than_is_asked_for_is_counted(tmp_path):
    store = EmbeddedStore(tmp_path / "records")
    archive = Archive(tmp_path)
    waits = iter([False, True])

    def wait(_seconds):
        store.append([row(number) for number in range(5)])
        return next(waits)

    (tail,) = archive.follow(PageQuery(scope=ALL, limit=2), wait)
    assert ([row.id for row in tail.rows], tail.skipped) == (["rec_3", "rec_4"], 3)
    archive.close()
    store.close()


def test_where_another_process_writes_a_deletion_is_asked_of_it(tmp_path):
    store = EmbeddedStore(tmp_path / "records")
    store.append([row(1, end_user="joe", end_user_hash=user_hash("joe")), row(2)])
    archive = Archive(tmp_path)
    asked = archive.delete(parse("user:joe"), ALL, reason="asked")
    assert (asked.rows_hidden, asked.is_done) == (1, False)
    assert [entry.row.id for entry in archive.reader.page(PageQuery(scope=ALL)).entries] == ["rec_2"]
    assert not archive.apply_deletion(asked.id, lambda _s: False, timeout_s=0).is_done

    def gateway(_seconds):
        store.apply_deletions(asked.created_us + 1)
        return False

    done = archive.apply_deletion(asked.id, gateway, timeout_s=60)
    assert (done.is_done, done.rows_removed) == (True, 1)
    archive.close()
    store.close()


def test_where_nobody_writes_it_is_done_here(tmp_path):
    write_records(
        tmp_path, [record(1), record(2, status=500)], [capture(record(2), b'{"text":"long enough to be kept"}')]
    )
    archive = Archive(tmp_path)
    asked = archive.delete(parse("status:500"), ALL, reason="asked")
    done = archive.apply_deletion(asked.id, lambda _s: False, timeout_s=60)
    assert (done.is_done, done.rows_removed, done.bodies_removed) == (True, 1, 2)
    assert list((tmp_path / "journal").glob("*.log")), "charges that counters have not read must stay"
    archive.close()
