"""Data invariant 9: what is exported and imported into an empty store is there as it was, to the byte."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from msgspec import structs

from lockgate.records.bodies.assembly import Timeline
from lockgate.records.bodies.kept import Kept, View
from lockgate.records.bodies.store import BodyStore
from lockgate.records.embedded.writer import EmbeddedStore, system_now_us
from lockgate.records.exports.export import Source, export_to_file
from lockgate.records.exports.items import BODIES, DEFAULT, columns_of
from lockgate.records.exports.writers import Format
from lockgate.records.imports.items import read_item
from lockgate.records.imports.readers import read_file
from lockgate.records.query.language import parse
from lockgate.records.row import Preview, Row
from lockgate.records.shipping import inbox
from lockgate.records.sketch import bucket_of
from lockgate.records.store import ALL, PageQuery
from tests.contract.records.world import make_rows

ODD = [
    "one\ntwo\r\nthree\rfour", 'a "quote", and ""two""', "🙂👩‍👩‍👧", "مرحبا \u202eabc\u202c", "a\x00b", "=SUM(A1)", "'=1", "''",
    "base64:AAAA", " space ", "\ufeffmark", "\u2028 \u2029 \x85", "tab\t", "\\n \\", "null", "NaN", "{}", "-", "ﷺ" * 500,
]  # fmt: skip
EVERYTHING = PageQuery(scope=ALL)
COLUMNS = columns_of([*DEFAULT, *BODIES])
MB = 1 << 20


class Place:
    """A store of rows and bodies in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.rows = EmbeddedStore(folder)
        self.bodies = BodyStore(self.rows.layout)

    def close(self) -> None:
        self.bodies.close()
        self.rows.close()

    def export(self, path: Path, format: Format) -> bytes:
        source = Source(self.rows, lambda row: self.bodies.get(row.id, row.started_us))
        export_to_file(source, EVERYTHING, COLUMNS, path, format)
        return path.read_bytes()

    def load(self, path: Path, format: Format) -> inbox.Outcome:
        items = []
        for one in read_file(path, format, path.parent / "temp"):
            assert one.fault is None, one
            items.append(read_item(one.values, now_us=system_now_us()))
        name = inbox.put(self.rows.layout.inbox, items)
        assert inbox.take(self.rows.layout.inbox, self.rows, self.bodies) == 1
        made = inbox.outcome(self.rows.layout.inbox, name)
        assert made is not None
        return made


def odd_rows() -> list[Row]:
    """Return rows with odd words wherever a client's words go, over several days."""
    rows = make_rows(120)
    found = []
    for number, row in enumerate(rows):
        text, other = ODD[number % len(ODD)], ODD[(number * 7 + 3) % len(ODD)]
        found.append(
            structs.replace(
                row, started_us=row.started_us + number, span_name=text, user_agent=other, error_message=text,
                metadata={**row.metadata, other: text, "empty": ""}, tool_names=(text, ""), dropped=(other,),
                attempts='[{"status": 200, "text": "\\u0000é"}]' if number % 3 else None,
                extra='{"new":1.50}' if number % 4 else None, output_tps=number / 7 if number % 5 else None,
                duration_us=number * 1000, duration_bucket=bucket_of(number * 1000),
            )
        )  # fmt: skip
    return found


def large_of(size_bytes: int) -> bytes:
    """Return a text of many lines."""
    return ("🙂 line\n" * (size_bytes // 9)).encode()[: size_bytes - 2] + b"ab"


def kept_of(row: Row, number: int) -> Kept:
    text = ODD[number % len(ODD)]
    asked = b'{"messages":[{"role":"user","content":"question %d"}]}' % number
    views = [View(name="request", data=asked, size_bytes=len(asked))]
    views.append(View(name="response", data=text.encode(), size_bytes=len(text.encode()) + 5, is_truncated=True))
    if number % 2:
        binary = random.Random(number).randbytes(50)
        views.append(View(name="upstream_request", data=binary, size_bytes=50))
        views.append(View(name="attempt_0_response", data=b"\xff" + text.encode(), size_bytes=99, is_truncated=True))
        views.append(View(name="attempt_1_request", data=b"{}", size_bytes=2))
    if number == 4:
        views.append(View(name="upstream_response", data=large_of(MB // 8), size_bytes=MB // 8))
    return Kept(
        record_id=row.id, started_us=row.started_us, workspace_id=row.workspace_id, views=tuple(views),
        request_headers=[("user-agent", text), ("x-secret-token", "sha256:0123abcd"), ("twice", "1"), ("twice", "2")],
        redactions={"email": number} if number % 3 else {},
        timeline=Timeline(("a", "b"), (0, 1), (10, 20), (30, 40)) if number % 5 == 0 else None,
        request_preview=f"question {number}", response_preview="", text=f"question {number}",
    )  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory):
    place = Place(tmp_path_factory.mktemp("full"))
    rows = odd_rows()
    place.rows.append(rows)
    kept = [kept_of(row, number) for number, row in enumerate(rows[:60])]
    place.bodies.put(kept)
    place.rows.append_previews([one.preview for one in kept])
    place.rows.append_previews(
        [Preview(id=row.id, started_us=row.started_us, request_preview=ODD[0]) for row in rows[60:70]]
    )
    yield place
    place.close()


@pytest.fixture
def empty(tmp_path: Path):
    place = Place(tmp_path / "empty")
    yield place
    place.close()


@pytest.mark.parametrize(
    "name, format",
    [("a.jsonl", "jsonl"), ("a.csv", "csv"), ("a.parquet", "parquet"), ("a.jsonl.gz", "jsonl"), ("a.csv.gz", "csv")],
)
def test_invariant_9_what_is_imported_is_what_was_exported(
    name: str, format: Format, full: Place, empty: Place, tmp_path: Path
) -> None:
    before = full.export(tmp_path / name, format)
    made = empty.load(tmp_path / name, format)
    assert (made.new, made.known, made.error) == (120, 0, None)
    rows = {row.id: row for row in odd_rows()}
    back = [entry.row for batch in empty.rows.scan(EVERYTHING) for entry in batch]
    assert {row.id: row for row in back} == rows
    for row in back:
        assert empty.bodies.get(row.id, row.started_us) == full.bodies.get(row.id, row.started_us)
    if format == "parquet":
        # its bytes may differ: what is in them may not
        assert empty.export(tmp_path / "again.jsonl", "jsonl") == full.export(tmp_path / "first.jsonl", "jsonl")
    else:
        assert empty.export(tmp_path / f"again-{name}", format) == before


@pytest.mark.parametrize("name, format", [("a.jsonl", "jsonl"), ("a.csv.gz", "csv"), ("a.parquet", "parquet")])
def test_invariant_9_a_body_of_ten_megabytes_is_there_as_it_was(
    name: str, format: Format, empty: Place, tmp_path: Path
) -> None:
    full, row = Place(tmp_path / "full"), odd_rows()[4]
    kept = kept_of(row, 4)
    large = View(name="upstream_response", data=large_of(10 * MB), size_bytes=10 * MB)
    kept = structs.replace(kept, views=(*kept.views[:-1], large))
    full.rows.append([row])
    full.bodies.put([kept])
    full.export(tmp_path / name, format)
    assert empty.load(tmp_path / name, format).new == 1
    found = empty.bodies.get(row.id, row.started_us)
    assert found is not None
    assert found.views["upstream_response"].data == large.data
    assert found == full.bodies.get(row.id, row.started_us)
    full.close()


def test_what_is_there_already_stays_as_it_is(full: Place, empty: Place, tmp_path: Path) -> None:
    full.export(tmp_path / "a.jsonl", "jsonl")
    first = odd_rows()[0]
    empty.rows.append([structs.replace(first, model="mine")])
    made = empty.load(tmp_path / "a.jsonl", "jsonl")
    assert (made.new, made.known) == (119, 1)
    entry = empty.rows.get(first.id, ALL)
    assert entry is not None
    assert entry.row.model == "mine"


def test_what_was_deleted_for_good_does_not_come_back(full: Place, empty: Place, tmp_path: Path) -> None:
    full.export(tmp_path / "a.jsonl", "jsonl")
    empty.load(tmp_path / "a.jsonl", "jsonl")
    gone = odd_rows()[0]
    empty.rows.when_deleted(empty.bodies.delete)
    empty.rows.delete_where(parse(f"id:{gone.id}", now_us=0), ALL, reason="asked for", now_us=system_now_us())
    empty.rows.apply_deletions(system_now_us())
    made = empty.load(tmp_path / "a.jsonl", "jsonl")
    assert (made.new, made.known, made.deleted) == (0, 119, 1)
    assert empty.rows.get(gone.id, ALL) is None
    assert empty.bodies.get(gone.id, gone.started_us) is None


def test_texts_are_found_again(full: Place, empty: Place, tmp_path: Path) -> None:
    full.export(tmp_path / "a.jsonl", "jsonl")
    empty.load(tmp_path / "a.jsonl", "jsonl")
    found = empty.rows.page(structs.replace(EVERYTHING, filter=parse('"question 7"', now_us=0)))
    assert [entry.preview.request_preview for entry in found.entries if entry.preview] == ["question 7"]
