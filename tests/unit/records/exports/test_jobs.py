"""Jobs are done once, whole or not at all, and by the next process when the one that did them is gone."""

from __future__ import annotations

import gzip
import json
import threading

import pytest
from msgspec import structs

from lockgate.errors import InvalidRequest, Unavailable
from lockgate.records.exports.book import Job
from lockgate.records.exports.export import PartLimits
from lockgate.records.exports.jobs import KEEP_DAYS, NO_RESULT, Exports, Window, selected
from lockgate.records.exports.manifest import check_parts, read_manifest
from lockgate.records.lock import FileLock
from lockgate.records.store import Entry, Receipt
from tests.unit.records.rows import START, row

DAY_US = 86_400_000_000
JOB = Job(
    id="e1", organisation_id="o", workspace_id="w", created_by="k", created_us=START, updated_us=START,
    status="in_progress", fields=("id", "status_code"), workspaces=("w",), until_us=START + 10, total=3,
)  # fmt: skip


class Reader:
    """Rows in batches of two. ``during`` is called before each batch."""

    def __init__(self, during=lambda _n: None):
        self.queries = []
        self.during = during
        self.deletions = []

    def receipts(self):
        return self.deletions

    def count(self, query):
        return 5

    def scan(self, query):
        self.queries.append(query)
        rows = [Entry(row(n)) for n in range(5)]
        for at in range(0, 5, 2):
            self.during(at)
            yield rows[at : at + 2]


def exports_in(folder, reader=None, now_us=START, **more):
    made = Exports(folder, reader or Reader(), lambda _row: None, lambda: now_us, **more)
    made.create()
    return made


def lines(exports, id="e1"):
    path = exports.path_of(exports.book.get(id))
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines()]


def files(folder):
    return sorted(path.name for path in (folder / "e1").iterdir() if path.name != ".lock")


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_a_job_is_done_and_says_so(tmp_path, is_gzipped):
    exports = exports_in(tmp_path)
    exports.book.add(structs.replace(JOB, is_gzipped=is_gzipped))
    exports.work()
    job = exports.book.get("e1")
    assert (job.status, job.done, job.total, job.error) == ("success", 5, 5, None)
    assert job.size_bytes == exports.path_of(job).stat().st_size
    assert len(job.sha256) == 64
    assert lines(exports) == [{"id": f"rec_{n}", "status_code": 200} for n in range(5)]
    assert files(tmp_path) == [job.file]


def test_a_drafted_job_is_left_alone(tmp_path):
    exports = exports_in(tmp_path)
    exports.book.add(structs.replace(JOB, status="draft"))
    exports.work()
    assert exports.book.get("e1").status == "draft"


def test_a_job_that_another_process_does_is_left_to_it(tmp_path):
    exports = exports_in(tmp_path)
    exports.book.add(JOB)
    lock = FileLock(tmp_path / "e1" / ".lock")
    assert lock.acquire()
    exports.work()
    assert exports.book.get("e1").status == "in_progress"
    lock.release()
    exports.work()
    assert exports.book.get("e1").status == "success"


def test_what_an_ended_process_left_is_begun_again(tmp_path):
    def end(at):
        if at == 2:
            exports.close()

    exports = exports_in(tmp_path, Reader(end))
    exports.book.add(JOB)
    exports.work()
    job = exports.book.get("e1")
    assert (job.status, job.file, files(tmp_path)) == ("in_progress", None, [])
    (tmp_path / "e1" / ".e1.jsonl.0123.part").write_text("of a process that was killed")
    (tmp_path / "e1" / ".e1.jsonl.0123.part.spill").mkdir()
    again = exports_in(tmp_path)
    again.work()
    assert (again.book.get("e1").status, len(lines(again)), files(tmp_path)) == ("success", 5, ["e1.jsonl"])


def test_a_stopped_job_leaves_nothing(tmp_path):
    def stop(_at):
        exports.book.change("e1", ("in_progress",), status="stopped")

    exports = exports_in(tmp_path, Reader(stop))
    exports.book.add(JOB)
    exports.work()
    assert (exports.book.get("e1").status, files(tmp_path)) == ("stopped", [])


@pytest.mark.parametrize("error", [Unavailable("too slow"), OSError(28, "No space left")], ids=["reader", "disk"])
def test_a_job_that_fails_says_why_and_the_others_go_on(tmp_path, error):
    def fail(_at):
        if exports.book.get("e1").status == "in_progress":
            raise error

    exports = exports_in(tmp_path, Reader(fail))
    exports.book.add(JOB)
    exports.book.add(structs.replace(JOB, id="e2", created_us=START + 1))
    exports.work()
    failed = exports.book.get("e1")
    assert (failed.status, failed.error, files(tmp_path)) == ("failed", str(error), [])
    assert exports.book.get("e2").status == "success"


def test_a_result_is_forgotten_when_it_is_old(tmp_path):
    exports = exports_in(tmp_path)
    exports.book.add(JOB)
    exports.work()
    later = exports_in(tmp_path, now_us=START + KEEP_DAYS * DAY_US)
    later.work()
    assert later.book.get("e1") is not None
    exports_in(tmp_path, now_us=START + KEEP_DAYS * DAY_US + 1).work()
    assert later.book.get("e1") is None
    assert not (tmp_path / "e1").exists()


def test_a_thread_does_what_it_is_woken_for(tmp_path):
    is_done = threading.Event()
    exports = exports_in(tmp_path, Reader(lambda at: is_done.set() if at == 4 else None))
    exports.start()
    exports.book.add(JOB)
    exports.wake()
    assert is_done.wait(30)
    exports.close()


def test_a_result_is_made_again_without_what_was_deleted_since(tmp_path):
    exports = exports_in(tmp_path, reader := Reader())
    exports.book.add(JOB)
    exports.work()
    path = exports.path_of(exports.book.get("e1"))
    path.write_text("with what was deleted")
    reader.deletions = [Receipt(id="d0", reason="", created_us=START - 1, rows_hidden=1),
                        Receipt(id="d1", reason="", created_us=START + 1, rows_hidden=0)]  # fmt: skip
    exports.work()
    assert path.read_text() == "with what was deleted", "nothing that it can hold was deleted"
    reader.deletions.append(Receipt(id="d2", reason="", created_us=START + 1, rows_hidden=1))
    later = Exports(tmp_path, reader, lambda _row: None, lambda: START + 2)
    later.work()
    assert (later.book.get("e1").status, len(lines(later)), len(reader.queries)) == ("success", 5, 2)
    later.work()
    assert len(reader.queries) == 2, "once"


def test_links_hold_for_a_while_and_for_one_job(tmp_path):
    exports = exports_in(tmp_path)
    until_s = START // 1_000_000 + 10
    proof = exports.sign("e1", until_s)
    assert exports.is_signed("e1", until_s, proof)
    assert not exports.is_signed("e2", until_s, proof)
    assert not exports.is_signed("e1", until_s + 1, proof)
    assert not exports.is_signed("e1", until_s, "ü")
    assert not exports_in(tmp_path, now_us=START + 10_000_000).is_signed("e1", until_s, proof)


def test_the_query_is_what_was_asked_until_the_job_was_started():
    job = structs.replace(JOB, api_keys=("k1",), filters={"query": "time>-1h", "time_of_generation_min": "2026-01-01"})
    query, _ = selected(job, Reader())
    assert (query.to_us, query.scope.workspaces, query.scope.api_keys) == (START + 10, {"w"}, {"k1"})
    assert query.from_us == 1_767_225_600_000_000


@pytest.mark.parametrize(
    "filters, path", [({"query": 5}, "filters.query"), ({"page_size": "x"}, "filters.page_size"), ({"page_size": -1}, "filters.page_size"),
                      ({"cost_min": []} | {"cost_min": "x"}, "cost_min"), ({"current_page": 0.5}, "filters.current_page")],
    ids=["query", "size", "negative", "cost", "page"],
)  # fmt: skip
def test_filters_that_cannot_be_read_are_named(filters, path):
    with pytest.raises(InvalidRequest) as caught:
        selected(structs.replace(JOB, filters=filters), Reader())
    assert caught.value.path == path


@pytest.mark.parametrize(
    "page, found", [(None, [0, 1, 2, 3, 4]), ((3, 0), [0, 1, 2]), ((3, 1), [3, 4]), ((3, 2), []), ((2, 1), [2, 3]), ((0, 0), [])]
)  # fmt: skip
def test_a_page_of_portkeys_is_a_part(page, found):
    filters = {} if page is None else {"page_size": page[0], "current_page": page[1]}
    query, reader = selected(structs.replace(JOB, filters=filters), Reader())
    rows = [entry.row.id for batch in reader.scan(query) for entry in batch]
    assert rows == [f"rec_{n}" for n in found]
    assert reader.count(query) == len(found)
    assert isinstance(reader, Window) is (page is not None)


def test_a_long_result_is_in_parts_with_a_manifest(tmp_path):
    exports = exports_in(tmp_path, limits=PartLimits(rows=2))
    exports.book.add(structs.replace(JOB, filters={"status_code": "200"}))
    exports.work()
    job = exports.book.get("e1")
    assert (job.status, job.done, job.file, job.sha256) == ("success", 5, "e1.00001.jsonl", None)
    assert [part.rows for part in exports.parts_of(job)] == [2, 2, 1]
    assert [exports.path_of(job, number).name for number in (0, 1, 3)] == [
        "e1.manifest.json", "e1.00001.jsonl", "e1.00003.jsonl",
    ]  # fmt: skip
    assert exports.path_of(job, 4) is exports.path_of(job, -1) is None
    manifest = read_manifest(exports.path_of(job, 0))
    check_parts(tmp_path / "e1", manifest)
    assert (manifest.rows, manifest.asked.filters) == (5, {"status_code": "200"})
    assert job.size_bytes == sum(part.size_bytes for part in job.parts)


def test_one_file_is_a_part_too(tmp_path):
    exports = exports_in(tmp_path)
    exports.book.add(JOB)
    exports.work()
    job = exports.book.get("e1")
    [part] = exports.parts_of(job)
    assert (part.name, part.rows, part.sha256, job.parts, job.manifest) == ("e1.jsonl", 5, job.sha256, (), None)
    assert exports.path_of(job, 0) is exports.path_of(job, 2) is None
    assert exports.parts_of(structs.replace(JOB, status="draft")) == ()


def failing_at(at):
    def fail(now):
        if now == at:
            raise OSError(28, "No space left")

    return fail


def test_parts_that_are_whole_stay_when_a_job_fails_and_go_when_it_is_started_again(tmp_path):
    exports = exports_in(tmp_path, Reader(failing_at(4)), limits=PartLimits(rows=1))
    exports.book.add(JOB)
    exports.work()
    failed = exports.book.get("e1")
    assert (failed.status, [part.name for part in failed.parts]) == (
        "failed", ["e1.00001.jsonl", "e1.00002.jsonl", "e1.00003.jsonl"],
    )  # fmt: skip
    assert failed.error == "[Errno 28] No space left; 3 parts with 3 records are whole"
    assert files(tmp_path) == [part.name for part in failed.parts]
    exports.book.change("e1", ("failed",), status="in_progress", **NO_RESULT)
    exports_in(tmp_path).work()
    assert files(tmp_path) == ["e1.jsonl"]


def test_parts_of_a_failed_job_go_when_what_they_hold_is_deleted(tmp_path):
    exports = exports_in(tmp_path, reader := Reader(failing_at(4)), limits=PartLimits(rows=1))
    exports.book.add(JOB)
    exports.work()
    reader.deletions = [Receipt(id="d", reason="", created_us=START + 1, rows_hidden=1)]
    exports.work()
    job = exports.book.get("e1")
    assert (job.status, job.parts, files(tmp_path)) == ("failed", (), [])


def test_a_stopped_or_deleted_job_in_parts_leaves_nothing(tmp_path):
    def stop(at):
        if at == 4:
            exports.book.change("e1", ("in_progress",), status="stopped")

    exports = exports_in(tmp_path, Reader(stop), limits=PartLimits(rows=1))
    exports.book.add(JOB)
    exports.work()
    assert (exports.book.get("e1").status, files(tmp_path)) == ("stopped", [])
    again = exports_in(tmp_path, reader := Reader(), limits=PartLimits(rows=1))
    again.book.add(structs.replace(JOB, id="e2"))
    again.work()
    reader.deletions = [Receipt(id="d", reason="", created_us=START + 1, rows_hidden=1)]
    longer = Exports(tmp_path, reader, lambda _row: None, lambda: START + 2)
    longer.work()
    assert sorted(path.name for path in (tmp_path / "e2").iterdir()) == [".lock", "e2.jsonl"]


def test_a_link_to_a_part_is_for_that_part(tmp_path):
    exports = exports_in(tmp_path)
    until_s = START // 1_000_000 + 10
    assert exports.is_signed("e1", until_s, exports.sign("e1", until_s, 2), 2)
    assert not exports.is_signed("e1", until_s, exports.sign("e1", until_s, 2), 3)
    assert not exports.is_signed("e1", until_s, exports.sign("e1", until_s), 0)
