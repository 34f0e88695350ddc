"""A manifest says what was asked for, and a part that is not as it was written is told by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import structs

import lockgate
from lockgate.errors import InvalidRequest
from lockgate.records.exports.manifest import (
    Asked,
    Manifest,
    Part,
    asked_of,
    check_parts,
    digest,
    forget_manifest,
    manifest_path,
    part_path,
    read_manifest,
    write_manifest,
)
from lockgate.records.store import ALL, PageQuery


def made(folder, *texts, **changes):
    """Write parts of a line each; return their manifest."""
    parts = []
    for number, text in enumerate(texts, 1):
        path = part_path(folder / "x.jsonl", number)
        path.write_text(text)
        parts.append(Part(name=path.name, rows=1, size_bytes=len(text), sha256=digest(path)))
    whole = Manifest(rows=len(parts), format="jsonl", columns=("id",), asked=Asked(query="a:b"), parts=tuple(parts))
    return structs.replace(whole, **changes)


@pytest.mark.parametrize(
    "name, part, manifest",
    [
        ("x.jsonl", "x.00002.jsonl", "x.manifest.json"),
        ("x.csv.gz", "x.00002.csv.gz", "x.manifest.json"),
        ("x.2026.parquet", "x.2026.00002.parquet", "x.2026.manifest.json"),
        ("x", "x.00002", "x.manifest.json"),
        ("x.gz", "x.00002.gz", "x.manifest.json"),
    ],
    ids=["jsonl", "gzip", "two dots", "no ending", "only gzip"],
)
def test_names(name, part, manifest):
    assert part_path(Path("a") / name, 2) == Path("a") / part
    assert manifest_path(Path("a") / name) == Path("a") / manifest


def test_it_reads_back_and_says_the_version(tmp_path):
    manifest = made(tmp_path, "{}\n", "{} \n")
    write_manifest(tmp_path / "x.manifest.json", manifest)
    assert read_manifest(tmp_path / "x.manifest.json") == manifest
    assert json.loads((tmp_path / "x.manifest.json").read_text())["lockgate_version"] == lockgate.__version__
    assert check_parts(tmp_path, manifest) == [tmp_path / "x.00001.jsonl", tmp_path / "x.00002.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.00001.jsonl", "x.00002.jsonl", "x.manifest.json"]


def test_the_manifest_of_an_earlier_export_is_forgotten_and_its_parts_are_named(tmp_path):
    parts = [tmp_path / "x.00001.jsonl", tmp_path / "x.00002.jsonl"]
    write_manifest(tmp_path / "x.manifest.json", made(tmp_path, "{}\n", "{} \n"))
    assert forget_manifest(tmp_path / "y.jsonl") == []
    assert forget_manifest(tmp_path / "x.csv") == [], "what belongs to a file of another kind stays"
    assert forget_manifest(tmp_path / "x.jsonl") == parts
    assert sorted(tmp_path.iterdir()) == parts
    (tmp_path / "x.manifest.json").write_text('{"name": "an app"}')
    assert forget_manifest(tmp_path / "x.jsonl") == []
    assert (tmp_path / "x.manifest.json").exists()


def test_a_range_of_time_is_told_in_utc():
    asked = asked_of(PageQuery(scope=ALL, from_us=1_750_000_000_000_001, to_us=1_760_000_000_000_000), "a:b", {"c": 1})
    assert asked == Asked(
        query="a:b", filters={"c": 1}, since="2025-06-15T15:06:40.000001Z", until="2025-10-09T08:53:20Z"
    )
    assert asked_of(PageQuery(scope=ALL), "") == Asked()


@pytest.mark.parametrize("damage", ["gone", "longer", "changed"])
def test_a_part_that_is_not_as_it_was_is_named(tmp_path, damage):
    manifest, path = made(tmp_path, "{}\n", "{}\n"), tmp_path / "x.00002.jsonl"
    path.unlink() if damage == "gone" else path.write_text("{}\n\n" if damage == "longer" else "[]\n")
    with pytest.raises(InvalidRequest, match=r"x\.00002\.jsonl is"):
        check_parts(tmp_path, manifest)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"rows": 3}, "do not have 3 rows together"),
        ({"parts": (Part(name="../x", rows=2, size_bytes=1, sha256=""),)}, "is no name of a file"),
        ({"parts": (Part(name="..", rows=2, size_bytes=1, sha256=""),)}, "is no name of a file"),
    ],
    ids=["sum", "path", "dots"],
)
def test_what_no_export_wrote_is_refused(tmp_path, changes, words):
    write_manifest(tmp_path / "x.manifest.json", made(tmp_path, "{}\n", "{}\n", **changes))
    with pytest.raises(InvalidRequest, match=words):
        read_manifest(tmp_path / "x.manifest.json")


def test_nonsense_is_no_manifest(tmp_path):
    (tmp_path / "x.manifest.json").write_text('{"rows": "many"}')
    with pytest.raises(InvalidRequest, match="is no manifest of an export"):
        read_manifest(tmp_path / "x.manifest.json")
