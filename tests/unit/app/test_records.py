import shutil
import time

import msgspec
import pytest

from lockgate.app import load_dialects
from lockgate.app.records import Desk
from lockgate.config import RecordSettings
from lockgate.core.capture import Capture
from lockgate.core.recording import Rules
from lockgate.errors import ConfigError
from lockgate.records.embedded.folder import Folder
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.row import Row
from lockgate.records.store import ALL, Feedback, PageQuery
from lockgate.telemetry.journal import Journal


@pytest.fixture
def journal(tmp_path):
    (tmp_path / "journal").mkdir()
    journal = Journal(tmp_path / "journal", fsync="off", segment_bytes=1 << 20)
    yield journal
    journal.close()


def desk_in(tmp_path, journal, **settings):
    return Desk(tmp_path, journal, tmp_path / "journal", RecordSettings(apart=False, **settings), load_dialects())


def write(desk, id):
    desk.append(msgspec.json.encode({"id": id, "started_at": time.time(), "workspace_id": "w", "trace_id": "t"}), id)


def ids(desk):
    return [entry.row.id for entry in desk.reader.page(PageQuery(scope=ALL)).entries]


def test_what_is_in_the_journal_is_in_the_store_soon_and_stays_there(tmp_path, journal):
    desk = desk_in(tmp_path, journal)
    desk.start()
    write(desk, "rec_1")
    until = time.monotonic() + 20
    while not ids(desk):
        assert time.monotonic() < until
        time.sleep(0.02)
    write(desk, "rec_2")
    desk.close()
    again = desk_in(tmp_path, journal)
    assert sorted(ids(again)) == ["rec_1", "rec_2"]
    again.close()


def test_a_second_process_reads_and_keeps_feedback_too(tmp_path, journal):
    first, second = desk_in(tmp_path, journal), desk_in(tmp_path, journal)
    first.start()
    second.start()
    write(second, "rec_1")
    until = time.monotonic() + 20
    while not ids(second):
        assert time.monotonic() < until
        time.sleep(0.02)
    given = Feedback(id="fb_1", trace_id="t", workspace_id="w", value=1, created_us=1, updated_us=1)
    second.add_feedback([given])
    changed = first.change_feedback("fb_1", ALL, now_us=2, value=3, weight=None, metadata=None)
    assert changed is not None
    assert (changed.value, changed.updated_us) == (3, 2)
    assert [one.value for one in second.reader.feedback(ALL)] == [3]
    second.close()
    first.close()


def test_a_store_that_cannot_be_opened_stops_the_start(tmp_path, journal):
    (tmp_path / "records").write_text("no folder")
    with pytest.raises(ConfigError, match="cannot keep records in"):
        desk_in(tmp_path, journal)


def test_a_store_that_fails_once_can_be_opened_again(tmp_path, monkeypatch):
    def fail(folder):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Folder, "_sweep", fail)
        with pytest.raises(OSError, match="No space"):
            EmbeddedStore(tmp_path / "records")
    EmbeddedStore(tmp_path / "records").close()


def kept_of(desk, id, started_us):
    until = time.monotonic() + 20
    while (found := desk.bodies_of(Row(id=id, started_us=started_us))) is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


def test_bodies_are_read_back_redacted_and_equal_values_have_equal_hashes_in_every_process(tmp_path, journal):
    started_s = float(int(time.time()))
    rules = Rules(mode="redacted", personal=("email",), action="hash")
    desk = desk_in(tmp_path, journal)
    desk.start()
    other = desk_in(tmp_path, journal)
    for id, one in (("rec_1", desk), ("rec_2", other)):
        one.offer(Capture(record_id=id, started_at=started_s, rules=rules, request=b'{"to":"ann@example.org"}'))
    found = [kept_of(desk, id, round(started_s * 1e6)).views["request"].data for id in ("rec_1", "rec_2")]
    assert found[0] == found[1]
    assert found[0].startswith(b'{"to":"[PII:email:')
    assert (desk.shed, other.shed) == (0, 0)
    other.close()
    desk.close()
    assert (tmp_path / "records" / "salt").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_sheds_bodies_counts_and_says_so(tmp_path, journal, caplog):
    desk = desk_in(tmp_path, journal, disk_share=1e-9)
    desk.start()
    desk.offer(Capture(record_id="rec_1", started_at=1.0, request=b"{}"))
    desk.offer(Capture(record_id="rec_2", started_at=1.0, request=b"{}"))
    write(desk, "rec_1")
    desk.close()
    assert desk.shed == 2
    assert [r.message for r in caplog.records if "bodies are not kept" in r.message] != []
    again = desk_in(tmp_path, journal)
    assert ids(again) == ["rec_1"], "the record is there"
    again.close()


def test_a_store_that_is_damaged_is_made_again(tmp_path, journal):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "manifest.db").write_bytes(b"no database" * 1000)
    desk = desk_in(tmp_path, journal)
    desk.start()
    write(desk, "rec_1")
    until = time.monotonic() + 30
    while not desk.status.restored:
        assert time.monotonic() < until
        time.sleep(0.02)
    desk.close()
    assert ids(desk_in(tmp_path, journal)) == ["rec_1"]


def test_a_store_that_cannot_be_opened_stops_nothing_and_says_so(tmp_path, journal, caplog):
    (tmp_path / "records" / "manifest.db").mkdir(parents=True)
    desk = desk_in(tmp_path, journal)
    desk.start()
    write(desk, "rec_1")
    until = time.monotonic() + 20
    while not desk.status.blocked:
        assert time.monotonic() < until
        time.sleep(0.02)
    desk.close()
    assert "unable to open database file" in desk.status.blocked
    assert "records wait in the journal" in caplog.text
    (tmp_path / "records" / "manifest.db").rmdir()
    mended = desk_in(tmp_path, journal)
    mended.start()
    mended.close()
    assert ids(desk_in(tmp_path, journal)) == ["rec_1"]


def test_feedback_that_is_damaged_is_made_again_and_stops_nothing(tmp_path, journal):
    desk_in(tmp_path, journal).close()
    (tmp_path / "records" / "feedback.db").write_bytes(b"nothing" * 5000)
    shutil.rmtree(tmp_path / "records" / "exports")
    desk = desk_in(tmp_path, journal)
    assert (tmp_path / "records" / "exports").exists()
    desk.start()
    given = Feedback(id="fb_1", trace_id="t", workspace_id="w", value=1, created_us=1, updated_us=1)
    until = time.monotonic() + 30
    while not desk.status.restored:
        assert time.monotonic() < until
        time.sleep(0.02)
    desk.add_feedback([given])
    assert [one.value for one in desk.reader.feedback(ALL)] == [1]
    desk.close()
