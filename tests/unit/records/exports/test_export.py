"""What is exported can be read back and is what was there; a file is whole or not there."""

import csv
import gzip
import io
import json

import pytest
from msgspec import structs

from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.exports.export import PartLimits, Source, export_to, export_to_file
from lockgate.records.exports.items import columns_of
from lockgate.records.exports.manifest import Asked, check_parts, read_manifest
from lockgate.records.imports.readers import count, read_file
from lockgate.records.plain import SHOWN
from lockgate.records.row import COLUMNS, Preview, Row
from lockgate.records.store import ALL, PageQuery
from tests.unit.records.rows import HOUR_US, START, row

DAY_US = 24 * HOUR_US
ODD = 'a\r\nb\tc "q" , ; 🙂 مرحبا \x00 \u2028 \\n = end'
EVERYTHING = PageQuery(scope=ALL)


def rows():
    """Rows of four days, with odd texts in every column that takes a text."""
    found = []
    for number in range(40):
        odd = {name: ODD for name, kind in COLUMNS.items() if kind == "text" and name not in ("id", "workspace_id")}
        odd |= {
            "metadata": {"k\n": ODD, "=x": "-1"},
            "tool_names": (ODD, ""),
            "attempts": '[{"status":200}]',
            "output_tps": None,
        }
        found.append(
            row(number, at=number * DAY_US // 10, **(odd if number % 2 else {"error_message": "=HYPERLINK(1)"}))
        )
    return found


@pytest.fixture
def store(tmp_path):
    now = [START]
    made = EmbeddedStore(tmp_path / "records", now_us=lambda: now[0])
    made.append(rows())
    made.append_previews([Preview(id="rec_1", started_us=START + DAY_US // 10, request_preview=ODD)])
    now[0] = START + 4 * DAY_US
    made.maintain()
    assert "cold" in made.manifest.contents().days.values()
    yield made
    made.close()


def source(store):
    return Source(store, lambda _row: None)


def expected():
    return [{name: getattr(each, name) for name in SHOWN} for each in rows()]


def again(values):
    """Return the row of what an export says of it."""
    return {name: getattr(Row(**values), name) for name in SHOWN}


def test_json_lines_read_back(store, tmp_path):
    seen = []
    made = export_to_file(
        source(store), EVERYTHING, columns_of(), tmp_path / "out.jsonl", "jsonl", progress=seen.append
    )
    data = (tmp_path / "out.jsonl").read_bytes()
    found = [json.loads(line) for line in data.split(b"\n")[:-1]]
    assert [one.pop("request_preview", None) for one in found][:2] == [None, ODD]
    back = []
    for one in found:
        one["attempts"] = json.dumps(one["attempts"], separators=(",", ":")) if "attempts" in one else None
        one["tool_names"] = tuple(one.get("tool_names", ()))
        back.append(again(one))
    assert back == expected()
    assert (made.rows, made.size_bytes, seen[-1]) == (40, len(data), 40)


def test_csv_reads_back(store, tmp_path):
    export_to_file(source(store), EVERYTHING, columns_of(), tmp_path / "out.csv", "csv")
    text = (tmp_path / "out.csv").read_bytes().decode()
    back = []
    for one in csv.DictReader(io.StringIO(text, newline="")):
        del one["request_preview"], one["response_preview"]
        values = {}
        for name, cell in one.items():
            kind = COLUMNS[name]
            if cell == "":
                continue
            values[name] = cell.removeprefix("'") if kind == "text" else cell if kind == "json" else json.loads(cell)
        values["tool_names"] = tuple(values.get("tool_names", ()))
        back.append(again(values))
    assert back == expected()


def test_parquet_reads_back(store, tmp_path):
    import duckdb

    export_to_file(source(store), EVERYTHING, columns_of(SHOWN), tmp_path / "out.parquet", "parquet")
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(tmp_path / "out.parquet")])
        names = [column[0] for column in found.description]
        values = [{k: v for k, v in zip(names, one, strict=True) if v is not None} for one in found.fetchall()]
    assert [again(one | {"tool_names": tuple(one.get("tool_names", ()))}) for one in values] == expected()


def test_what_a_query_selects_and_no_more(store, tmp_path):
    query = structs.replace(EVERYTHING, from_us=START + DAY_US, to_us=START + 2 * DAY_US)
    assert export_to_file(source(store), query, columns_of(["id"]), tmp_path / "x.jsonl", "jsonl").rows == 10


def test_a_name_that_ends_in_gz_is_compressed(store, tmp_path):
    export_to_file(source(store), EVERYTHING, columns_of(["id"]), tmp_path / "out.csv.gz", "csv")
    assert len(gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).split(b"\r\n")) == 42


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_a_failed_export_leaves_the_old_file_and_nothing_beside_it(store, tmp_path, format):
    path = tmp_path / "out" / f"x.{format}"
    path.parent.mkdir()
    path.write_text("old")

    def fail(done):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        export_to_file(source(store), EVERYTHING, columns_of(), path, format, progress=fail)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_an_open_file_gets_the_same_bytes_and_stays_open(store, tmp_path):
    for format in ("jsonl", "csv"):
        file = io.BytesIO()
        assert export_to(source(store), EVERYTHING, columns_of(), file, format) == 40
        export_to_file(source(store), EVERYTHING, columns_of(), tmp_path / "x", format)
        assert file.getvalue() == (tmp_path / "x").read_bytes()


def test_nothing_is_a_file_too(store, tmp_path):
    query = structs.replace(EVERYTHING, to_us=1)
    for format in ("jsonl", "csv", "parquet"):
        assert export_to_file(source(store), query, columns_of(), tmp_path / f"x.{format}", format).rows == 0
    assert (tmp_path / "x.jsonl").read_bytes() == b""
    assert (tmp_path / "x.csv").read_bytes().count(b"\r\n") == 1


def content(paths):
    return b"".join(gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in paths)


def check_manifest(folder, made, format):
    manifest = read_manifest(folder / made.manifest)
    assert (manifest.rows, manifest.format, manifest.parts) == (made.rows, format, made.parts)
    paths = check_parts(folder, manifest)
    assert [count(path, format, folder / "temp") for path in paths] == [part.rows for part in made.parts]
    return paths


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv.gz", "x.parquet"])
def test_after_so_many_rows_a_part_begins(store, tmp_path, name):
    format = name.split(".")[1]
    folder = tmp_path / "out"
    folder.mkdir()
    told = []
    made = export_to_file(
        source(store), EVERYTHING, columns_of(["id", "started_us", "metadata"]), folder / name, format,
        limits=PartLimits(rows=15), placed=told.append, asked=Asked(query="a:b"),
    )  # fmt: skip
    ending = name.removeprefix("x")
    assert [(part.name, part.rows) for part in made.parts] == [
        (f"x.00001{ending}", 15), (f"x.00002{ending}", 15), (f"x.00003{ending}", 10),
    ]  # fmt: skip
    assert (made.rows, tuple(told), made.manifest, made.sha256) == (40, made.parts, "x.manifest.json", None)
    assert made.size_bytes == sum(part.size_bytes for part in made.parts)
    assert read_manifest(folder / "x.manifest.json").asked == Asked(query="a:b")
    paths = check_manifest(folder, made, format)
    assert sorted(path.name for path in folder.iterdir() if path.name != "temp") == sorted(
        [*(path.name for path in paths), "x.manifest.json"]
    )
    ids = [one.values["id"] for path in paths for one in read_file(path, format, folder / "temp")]
    assert ids == [each.id for each in rows()]


def test_parts_one_after_the_other_are_what_one_file_holds(store, tmp_path):
    for limits in (PartLimits(rows=15), PartLimits(rows=40)):
        made = export_to_file(source(store), EVERYTHING, columns_of(), tmp_path / "x.jsonl", "jsonl", limits=limits)
        export_to_file(source(store), EVERYTHING, columns_of(), tmp_path / "y.jsonl", "jsonl")
        assert content(tmp_path / part.name for part in made.parts) == (tmp_path / "y.jsonl").read_bytes()


def test_exactly_as_many_rows_as_a_part_has_are_one_file(store, tmp_path):
    made = export_to_file(
        source(store), EVERYTHING, columns_of(), tmp_path / "x.csv", "csv", limits=PartLimits(rows=40)
    )
    assert (made.parts[0].name, made.manifest) == ("x.csv", None)
    assert not (tmp_path / "x.manifest.json").exists()


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.csv", "x.parquet"])
def test_after_so_many_bytes_before_compression_a_part_begins(store, tmp_path, monkeypatch, name):
    monkeypatch.setattr("lockgate.records.exports.export._SLICE", 1)
    format = name.split(".")[1]
    made = export_to_file(
        source(store), EVERYTHING, columns_of(), tmp_path / name, format, limits=PartLimits(size_bytes=20_000)
    )
    assert 1 < len(made.parts) < 40
    paths = check_manifest(tmp_path, made, format)
    if format != "parquet":
        assert all(20_000 <= len(content([path])) < 40_000 for path in paths[:-1])


def test_one_part_has_a_manifest_when_it_is_asked_for(store, tmp_path):
    made = export_to_file(
        source(store), EVERYTHING, columns_of(["id"]), tmp_path / "x.jsonl", "jsonl", with_manifest=True
    )
    assert check_manifest(tmp_path, made, "jsonl") == [tmp_path / "x.jsonl"]
    assert made.sha256 == made.parts[0].sha256


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv.gz", "x.parquet"])
def test_parts_that_are_whole_stay_when_the_rest_fails(store, tmp_path, name):
    path = tmp_path / "out" / name
    path.parent.mkdir()
    told = []

    class Failing:
        def scan(self, query):
            entries = [entry for batch in store.scan(query) for entry in batch]
            yield entries[:25]
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        export_to_file(
            Source(Failing(), lambda _row: None), EVERYTHING, columns_of(["id"]), path, name.split(".")[1],
            limits=PartLimits(rows=10), placed=told.append,
        )  # fmt: skip
    assert [part.rows for part in told] == [10, 10]
    assert sorted(each.name for each in path.parent.iterdir()) == [part.name for part in told]


def test_parts_of_an_earlier_export_of_that_name_go(store, tmp_path):
    path, columns = tmp_path / "x.jsonl", columns_of(["id"])
    export_to_file(source(store), EVERYTHING, columns, path, "jsonl", limits=PartLimits(rows=10))
    made = export_to_file(source(store), EVERYTHING, columns, path, "jsonl", limits=PartLimits(rows=25))
    (tmp_path / "x.00009.jsonl").write_text("another's")
    assert sorted(path.name for path in tmp_path.glob("x.0*")) == ["x.00001.jsonl", "x.00002.jsonl", "x.00009.jsonl"]
    check_manifest(tmp_path, made, "jsonl")


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv.gz", "x.parquet"])
def test_nothing_of_an_earlier_export_stays_beside_one_file(store, tmp_path, name):
    path, columns, format = tmp_path / "out" / name, columns_of(["id"]), name.split(".")[1]
    path.parent.mkdir()
    export_to_file(source(store), EVERYTHING, columns, path, format, limits=PartLimits(rows=10))
    made = export_to_file(source(store), EVERYTHING, columns, path, format)
    assert [part.name for part in made.parts] == [name]
    assert [each.name for each in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("rows_of_parts, left", [(10, ["x.00001.jsonl", "x.00002.jsonl"]), (100, None)])
def test_an_earlier_export_has_no_manifest_once_a_part_of_it_is_replaced(store, tmp_path, rows_of_parts, left):
    path, columns = tmp_path / "x.jsonl", columns_of(["id"])
    folder = tmp_path / "temp"

    class Failing:
        def scan(self, query):
            entries = [entry for batch in store.scan(query) for entry in batch]
            yield entries[:25]
            raise OSError(28, "No space left on device")

    earlier = export_to_file(source(store), EVERYTHING, columns, path, "jsonl", limits=PartLimits(rows=9))
    with pytest.raises(OSError, match="No space"):
        export_to_file(
            Source(Failing(), lambda _row: None), EVERYTHING, columns, path, "jsonl",
            limits=PartLimits(rows=rows_of_parts),
        )  # fmt: skip
    if left is None:
        check_parts(tmp_path, read_manifest(tmp_path / earlier.manifest))
    else:
        assert sorted(each.name for each in tmp_path.glob("x.*")) == left
        assert [count(tmp_path / each, "jsonl", folder) for each in left] == [10, 10]


def test_a_file_of_another_kind_keeps_its_manifest(store, tmp_path):
    columns = columns_of(["id"])
    made = export_to_file(source(store), EVERYTHING, columns, tmp_path / "x.jsonl", "jsonl", limits=PartLimits(rows=10))
    export_to_file(source(store), EVERYTHING, columns, tmp_path / "x.csv", "csv")
    check_manifest(tmp_path, made, "jsonl")
