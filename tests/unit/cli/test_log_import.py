import json
import os
import threading

import pytest

from lockgate.records.exports.export import PartLimits, export_to_file
from tests.unit.cli.kept import capture, record, write_records

START = 1_750_000_000_000_000


@pytest.fixture
def home(tmp_path):
    first = record(1, metadata={"team": "search"})
    write_records(tmp_path / "home", [first, record(2, status=500)], [capture(first, b'{"a":\n 1, "b": "\\u0000"}')])
    return tmp_path / "home"


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """Go on with another state folder."""
    return lambda: monkeypatch.setenv("LOCKGATE_HOME", str(tmp_path / "other"))


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.parquet", "x.jsonl.gz"])
def test_what_was_exported_comes_back_whole(run, ask, home, elsewhere, tmp_path, name):
    run("logs", "export", "--bodies", "-o", tmp_path / name)
    before = run("logs", "export", "--bodies")
    elsewhere()
    trial = ask("logs", "import", tmp_path / name, "--keep-workspace", "--dry-run")
    assert (trial["read"], trial["new"], trial["known"], trial["is_dry_run"]) == (2, 2, 0, True)
    found = ask("logs", "import", tmp_path / name, "--keep-workspace")
    assert (found["read"], found["new"], found["known"], found["refused"]) == (2, 2, 0, 0)
    assert run("logs", "export", "--bodies") == before
    assert "0 records are imported, 2 were there already" in run("logs", "import", tmp_path / name, "--keep-workspace")
    trial = ask("logs", "import", tmp_path / name, tmp_path / name, "--keep-workspace", "--dry-run")
    assert (trial["read"], trial["new"], trial["known"]) == (4, 0, 4)


def test_what_cannot_be_read_is_told_and_the_rest_is_kept(run, ask, tmp_path):
    lines = [
        {"id": "a", "started_us": START}, {"id": "b"}, {"id": "c", "started_us": START, "colour": "red"},
        {"id": "d", "started_us": START},
    ]  # fmt: skip
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\nnonsense\n")
    told = run("logs", "import", path, status=1, all=True)
    assert "2 records are imported, 0 were there already" in told
    assert "3 could not be read and are left out" in told
    assert f"{path}: line 2: started_us is missing" in told
    assert f"{path}: line 3: there is no column 'colour'" in told
    assert f"{path}: line 5: this is no JSON object" in told
    ids = {json.loads(line)["id"] for line in run("logs", "export").splitlines()}
    assert ids == {"a", "d"}


def test_of_many_faults_the_number_is_told(run, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text("nonsense\n" * 30 + "".join(f'{{"id": "a", "x{number}": 1}}\n' for number in range(25)))
    told = run("logs", "import", path, status=1, all=True)
    assert told.count("no JSON object") == 1
    assert "(29 more like it)" in told
    assert f"{path}: and 6 more" in told


def test_a_rehearsal_keeps_nothing(run, ask, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"id": "a", "started_us": START}))
    assert "1 records would be imported, 0 are there already, 0 could not be read; nothing is kept" in run(
        "logs", "import", path, "--dry-run"
    )
    assert run("logs", "export") == ""


def test_records_that_go_again_soon_are_told(run, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"id": "a", "started_us": 1_500_000_000_000_000}))
    assert "1 are older than the 90 days that records are kept (records.days)" in run("logs", "import", path)


def test_all_may_become_those_of_one_workspace(run, ask, tmp_path):
    made = ask("workspaces", "create", "Research")
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"id": "a", "started_us": START, "workspace_id": "elsewhere", "request": "{}"}))
    run("logs", "import", path, "--workspace", made["slug"])
    [line] = run("logs", "export", "--bodies", "--workspace", made["slug"]).splitlines()
    assert (json.loads(line)["workspace_id"], json.loads(line)["request"]) == (made["id"], "{}")


def test_records_that_no_key_would_see_are_refused(run, ask, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"id": "a", "started_us": START, "workspace_id": "elsewhere"}))
    told = run("logs", "import", path, status=1, all=True)
    assert "there is no workspace 'elsewhere' here, so no key would see the record" in told
    assert run("logs", "export") == ""
    assert ask("logs", "import", path, "--keep-workspace")["new"] == 1


def test_pipes_are_read(run, tmp_path):
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    line = json.dumps({"id": "a", "started_us": START})
    writer = threading.Thread(target=path.write_text, args=(line,))
    writer.start()
    assert "1 records are imported" in run("logs", "import", path)
    writer.join()


def test_ctrl_c_says_what_is_there(run, tmp_path, monkeypatch):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"id": "a", "started_us": START}))
    monkeypatch.setattr("lockgate.app.importer.Importer.run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    told = run("logs", "import", path, status=130, all=True)
    assert f"{path}: stopped; what came before it is kept, and may be imported again" in told


@pytest.mark.parametrize(
    "name, data, words",
    [
        (".", None, ". is a folder; name the files in it"),
        ("none.jsonl", None, "there is no file none.jsonl"),
        ("x.txt", b"", "no format belongs to .txt; say one with --format"),
        ("x.csv", b'id,started_us\r\n"a', "x.csv: line 2: unexpected end of data"),
        ("x.parquet", b"nonsense", "x.parquet: x.parquet cannot be read as Parquet"),
        ("x.jsonl.gz", b"nonsense", "x.jsonl.gz is not a whole gzip file"),
    ],
)
def test_files_that_are_none(run, tmp_path, name, data, words):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    assert words in run("logs", "import", name, status=1, all=True)


def test_modes_of_the_configuration_hold(run, tmp_path):
    (tmp_path / "lockgate.toml").write_text('[records]\nbodies = "redacted"\npersonal = ["email"]\n')
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"id": "a", "started_us": START, "request": "ask ada@example.com"}))
    run("logs", "import", path)
    assert json.loads(run("logs", "export", "--bodies"))["request"] == "ask [PII:email]"


@pytest.fixture
def parts(run, home, tmp_path, monkeypatch):
    """Export two parts of one row; return the manifest."""
    with monkeypatch.context() as within:
        within.setitem(export_to_file.__kwdefaults__, "limits", PartLimits(rows=1))
        run("logs", "export", "--bodies", "-o", tmp_path / "x.jsonl.gz")
    return tmp_path / "x.manifest.json"


def test_a_manifest_stands_for_its_parts(run, ask, parts, elsewhere):
    before = run("logs", "export", "--bodies")
    elsewhere()
    found = ask("logs", "import", parts, "--keep-workspace")
    assert (found["read"], found["new"], found["refused"]) == (2, 2, 0)
    assert [one["file"].rpartition("/")[2] for one in found["files"]] == ["x.00001.jsonl.gz", "x.00002.jsonl.gz"]
    assert run("logs", "export", "--bodies") == before


@pytest.mark.parametrize("fault", ["changed", "missing", "rows", "nonsense"])
def test_nothing_is_imported_of_a_manifest_that_does_not_hold(run, parts, elsewhere, fault):
    if fault == "changed":
        (parts.parent / "x.00002.jsonl.gz").write_bytes(b"other")
    elif fault == "missing":
        (parts.parent / "x.00002.jsonl.gz").unlink()
    elif fault == "rows":
        text = parts.read_text().replace('"rows": 2', '"rows": 3')
        parts.write_text(text[::-1].replace('"rows": 1'[::-1], '"rows": 2'[::-1], 1)[::-1])
    else:
        parts.write_text("nonsense")
    words = {
        "changed": "x.00002.jsonl.gz is not as it was written", "missing": "x.00002.jsonl.gz is missing",
        "rows": "x.00002.jsonl.gz has 1 records, not 2", "nonsense": "is no manifest of an export",
    }  # fmt: skip
    elsewhere()
    told = run("logs", "import", parts, status=1, all=True)
    assert words[fault] in told
    assert "nothing is imported" in told
    assert "there are no records" in run("logs", "export", status=1).lower()
