import csv
import hashlib
import json
import subprocess
import sys

import pytest

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
