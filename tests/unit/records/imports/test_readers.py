"""Files as they may come: cut, mixed, edited by hand."""

import gzip

import pytest

from lockgate.errors import InvalidRequest
from lockgate.records.imports.readers import Read, count, read_file


def read(tmp_path, data, format="jsonl", name="a"):
    path = tmp_path / name
    path.write_bytes(data)
    return list(read_file(path, format, tmp_path / "temp"))


def test_lines_are_read_one_by_one(tmp_path):
    data = b'\xef\xbb\xbf{"id":"a","attempts":[ 1.0 ],"extra":null}\n\n{"id":"b"}'
    assert read(tmp_path, data) == [
        Read("line 1", {"id": "a", "attempts": "[ 1.0 ]", "extra": None}),
        Read("line 3", {"id": "b"}),
    ]


@pytest.mark.parametrize("line", [b"{", b"[]", b"5", b'"a"', b"{}x", b'{"a":"\xff"}', b"nonsense"])
def test_a_line_that_is_no_object_is_told_and_the_next_is_read(tmp_path, line):
    first, second = read(tmp_path, line + b'\n{"id":"b"}\n')
    assert first.place == "line 1"
    assert first.fault.startswith("this is no JSON object: ")
    assert second.values == {"id": "b"}


def test_cells_have_their_kinds(tmp_path):
    data = (
        b"id,started_us,cost_nano,output_tps,is_stream,tool_names,metadata,attempts,model,meta.k\r\n"
        b'\'=a,7.0,5,0.5,TRUE,"[""x""]","{""k"":""v""}",[1],,\'\'\r\n'
    )
    [only] = read(tmp_path, data, "csv")
    assert only.values == {
        "id": "=a", "started_us": 7, "cost_nano": 5, "output_tps": 0.5, "is_stream": True, "tool_names": ["x"], "metadata": {"k": "v"},
        "attempts": "[1]", "meta.k": "'",
    }  # fmt: skip
    assert only.place == "line 2"


@pytest.mark.parametrize(
    "cells, fault",
    [
        (b"a,x,true", "cost_nano: 'x' is no whole number"),
        (b'a,"1,79596E+15",true', "cost_nano: '1,79596E+15' is no whole number; spreadsheets round large ones"),
        (b"a,1_000,true", "cost_nano: '1_000' is no whole number"),
        ("a,٦,true".encode(), "cost_nano: '٦' is no whole number"),
        (b"a,5.5,true", "cost_nano: '5.5' is no whole number"),
        (b"a,5,yes", "is_stream: 'yes' is neither true nor false"),
        (b"a,5", "3 cells where the first line names 4"),
        (b"a,5,true,6", "5 cells where the first line names 4"),
    ],
)
def test_a_cell_that_is_none_of_its_kind_is_told(tmp_path, cells, fault):
    cells, rest = (one.replace(b"a,", b"a,5,", 1).replace(b"b,", b"b,5,", 1) for one in (cells, b"b,5,true"))
    bad, good = read(tmp_path, b"id,started_us,cost_nano,is_stream\r\n" + cells + b"\r\n" + rest + b"\r\n", "csv")
    assert bad.place == "line 2"
    assert bad.fault.startswith(fault)
    assert good.values["id"] == "b"


def test_texts_over_several_lines_count_as_such(tmp_path):
    found = read(tmp_path, b'id,started_us,model\r\na,1,"one\r\ntwo\nthree"\r\nb,1,c\r\n', "csv")
    assert [one.place for one in found] == ["line 2", "line 5"]
    assert found[0].values["model"] == "one\r\ntwo\nthree"


@pytest.mark.parametrize(
    "data, format, name, fault",
    [
        (b'id,started_us\r\n"a', "csv", "a", "line 2: unexpected end of data"),
        (b'id,started_us\r\n"a"b\r\n', "csv", "a", "line 2: "),
        (b"id,started_us\r\n\xff\r\n", "csv", "a", "line 2 is not UTF-8 text"),
        (b"id;started_us\r\na;1\r\n", "csv", "a", "parted by ';' instead of commas"),
        (b"id\tstarted_us\r\n", "csv", "a", "parted by '.t' instead of commas"),
        (b'{"id":"a","started_us":1}\n', "csv", "a", "the first line names no columns"),
        (b"id,started_us\ra,1\rb,2\r", "csv", "a", "the first line names no columns"),
        (b"id,started_us,x\r\n", "csv", "a", "the first line: there is no column 'x'"),
        (b"started_us,model\r\n", "csv", "a", "the first line: there is no column id"),
        (b"plain", "jsonl", "a.gz", "a.gz is not a whole gzip file"),
        (gzip.compress(b'{"id":"a"}\n' * 999, mtime=0)[:-9], "jsonl", "a.gz", "a.gz is not a whole gzip file"),
        (b"PAR1 nothing", "parquet", "a", "a cannot be read as Parquet"),
    ],
)
def test_a_file_that_is_none_of_its_format_is_refused(tmp_path, data, format, name, fault):
    with pytest.raises(InvalidRequest, match=fault):
        read(tmp_path, data, format, name)


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_nothing_is_a_file_too(tmp_path, format):
    assert read(tmp_path, b"", format) == []


def test_records_are_counted_with_those_that_cannot_be_read(tmp_path):
    (tmp_path / "a").write_bytes(b'{"id":"a"}\n\nnonsense\n{"id":"b"}')
    assert count(tmp_path / "a", "jsonl", tmp_path / "temp") == 3
