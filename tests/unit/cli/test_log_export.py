import csv
import hashlib
import json
import subprocess
import sys

import pytest

from lockgate.records.exports.export import PartLimits, export_to_file
from tests.unit.cli.kept import capture, record, write_records


@pytest.fixture
def home(tmp_path):
    first = record(1, metadata={"team": "search"})
    write_records(tmp_path / "home", [first, record(2, status=500)], [capture(first, b'{"a":\n 1, "b": "\\u0000"}')])
    return tmp_path / "home"


def test_json_lines_are_printed(run, home):
    found = [json.loads(line) for line in run("logs", "export").splitlines()]
    assert [one["status_code"] for one in found] == [200, 500]
    assert found[0]["cost_parts"] == {"input": 10_000, "output": 25_000}


def test_a_file_says_its_format_and_what_it_holds_is_told(run, ask, home, tmp_path):
    made = ask("logs", "export", "status:200", "-o", tmp_path / "x.csv", "--columns", "id,meta.team,request")
    assert (made["rows"], made["format"], made["columns"]) == (1, "csv", ["id", "meta.team", "request"])
    data = (tmp_path / "x.csv").read_bytes()
    assert made["sha256"] == hashlib.sha256(data).hexdigest()
    assert list(csv.DictReader(data.decode().splitlines(keepends=True))) == [
        {"id": record(1)["id"], "meta.team": "search", "request": '{"a":\n 1, "b": "\\u0000"}'}
    ]
    assert "2 records are in" in run("logs", "export", "-o", tmp_path / "x.parquet")


def test_bodies_come_along_byte_for_byte(run, home):
    first, second = (json.loads(line) for line in run("logs", "export", "--bodies").splitlines())
    assert first["request"] == '{"a":\n 1, "b": "\\u0000"}'
    assert "request" not in second


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--format", "xml"), "--format: 'xml' is none of jsonl, csv, parquet"),
        (("--format", "parquet"), "name a file with --output"),
        (("-o", "x.parquet.gz"), "leave out .gz"),
        (("-o", "x.xyz"), "no format belongs to .xyz; say one with --format: jsonl, csv, parquet"),
        (("--columns", "id,nothing"), "--columns: There is no column 'nothing'"),
        (("-o", "no/such/folder/x.csv"), "cannot write no/such/folder/x.csv: No such file or directory"),
        (("bad:1",), "There is no field 'bad'"),
    ],
)
def test_refusals(run, home, arguments, words):
    assert words in run("logs", "export", *arguments, status=1)


def test_a_reader_that_has_enough_is_no_error(home, tmp_path):
    write_records(home, [record(number, error_message="x" * 1000) for number in range(10, 600)])
    command = f"{sys.executable} -m lockgate logs export | head -n 1"
    done = subprocess.run(
        command, shell=True, env={"LOCKGATE_HOME": str(home)}, cwd=tmp_path, capture_output=True, timeout=60
    )
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.fixture
def short(monkeypatch):
    """A part has one row."""
    monkeypatch.setitem(export_to_file.__kwdefaults__, "limits", PartLimits(rows=1))


def test_parts_and_their_manifest_are_told(run, ask, home, tmp_path, short):
    path = tmp_path / "x.jsonl.gz"
    made = ask("logs", "export", "status>0", "-o", path, "--since", "2020-01-01", "--columns", "id")
    assert [part["name"] for part in made["parts"]] == ["x.00001.jsonl.gz", "x.00002.jsonl.gz"]
    assert (made["rows"], made["sha256"], made["manifest"]) == (2, None, "x.manifest.json")
    manifest = json.loads((tmp_path / "x.manifest.json").read_text())
    assert manifest["parts"] == made["parts"]
    assert manifest["asked"] == {
        "query": "status>0", "filters": None, "since": "2020-01-01T00:00:00Z", "until": None
    }  # fmt: skip
    told = run("logs", "export", "-o", path)
    assert f"2 records are in 2 parts, {tmp_path}/x.00001.jsonl.gz to x.00002.jsonl.gz" in told
    assert not path.exists()


def test_a_manifest_beside_one_file(run, ask, home, tmp_path):
    made = ask("logs", "export", "-o", tmp_path / "x.csv", "--manifest")
    assert (made["manifest"], [part["name"] for part in made["parts"]]) == ("x.manifest.json", ["x.csv"])
    assert "x.manifest.json beside it says so" in run("logs", "export", "-o", tmp_path / "x.csv", "--manifest")
    assert "--manifest: name a file with --output" in run("logs", "export", "--manifest", status=1)


def test_what_stays_of_a_failed_export_is_told(run, home, tmp_path, short, monkeypatch):
    def fail(*_arguments, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lockgate.records.exports.export.write_manifest", fail)
    told = run("logs", "export", "-o", tmp_path / "x.jsonl", status=1)
    words = "No space left on device; 2 parts are whole and stay, x.00001.jsonl to x.00002.jsonl; there is no manifest"
    assert words in told.replace("\n", " ")
    assert sorted(path.name for path in tmp_path.glob("*x.*")) == ["x.00001.jsonl", "x.00002.jsonl"]


def test_keys_of_metadata_become_columns(run, home, tmp_path):
    run("logs", "export", "-o", tmp_path / "x.csv", "--columns", "id,metadata,status", "--flatten-metadata")
    rows = list(csv.reader((tmp_path / "x.csv").read_text().splitlines()))
    assert [row[1:] for row in rows] == [["meta.team", "status_code"], ["search", "200"], ["", "500"]]
