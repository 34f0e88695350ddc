import pytest

from lockgate.app.office import Office
from tests.unit.cli.kept import capture, record, write_records


@pytest.fixture
def home(tmp_path):
    maria, joe = {"_user": "maria-canary"}, {"_user": "joe"}
    records = [record(1, metadata=maria), record(2, metadata=joe), record(3, metadata=maria, status=500)]
    asked = b'{"messages":[{"role":"user","content":"maria-canary asks where her order is"}]}'
    write_records(tmp_path / "home", records, [capture(records[0], asked)])
    return tmp_path / "home"


def traces(ask):
    return [each["trace_id"] for each in ask("logs", "search")["data"]]


def test_everything_of_a_user_goes_and_a_receipt_stays(run, ask, home):
    assert traces(ask) == ["trace-3", "trace-2", "trace-1"]
    said = run("logs", "delete", "--user", "maria-canary", "--yes", "--reason", "request 17")
    assert "records removed  2" in said
    assert "bodies removed   2" in said
    assert "request 17" in said
    assert traces(ask) == ["trace-2"]
    (receipt,) = ask("logs", "deletions")
    assert (receipt["rows_hidden"], receipt["rows_removed"], receipt["is_done"]) == (2, 2, True)
    assert receipt["id"] in run("logs", "deletions")
    kept = [path for path in (home / "records").rglob("*") if path.is_file() and b"maria-canary" in path.read_bytes()]
    assert kept == []
    with Office(config_path=None, home=home, environment={}) as office:
        (entry,) = office.ask("GET", "/audit-logs", resource_type="logs").body["records"]
    assert (entry["action"], entry["user_id"]) == ("delete", "command-line")


def test_a_query_narrows_it(ask, home):
    receipt = ask("logs", "delete", "status:500", "--user", "maria-canary", "--yes", "--no-wait")
    assert (receipt["rows_hidden"], receipt["is_done"]) == (1, False)
    assert traces(ask) == ["trace-2", "trace-1"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "say which records: --user NAME, or a query"),
        (("  ",), "say which records"),
        (("order", "--yes"), "no free text"),
        (("bad:1", "--yes"), "There is no field 'bad'"),
        (("--user", "maria-canary"), "add --yes"),
    ],
)
def test_refusals_delete_nothing(run, ask, home, arguments, words):
    assert words in run("logs", "delete", *arguments, status=1)
    assert len(traces(ask)) == 3
    assert "nothing was ever deleted" in run("logs", "deletions")


def test_what_is_not_done_in_time_is_told(run, ask, home, monkeypatch):
    from lockgate.records.embedded.writer import EmbeddedStore

    run("logs", "search")
    writer = EmbeddedStore(home / "records")
    monkeypatch.setattr("lockgate.cli.log_delete._WAIT_S", 0.0)
    assert "not yet out of the files" in run("logs", "delete", "--user", "joe", "--yes", status=1)
    writer.close()
