import json

import pytest

from lockgate.records.embedded.manifest import Manifest, Missing
from tests.unit.cli.kept import capture, record, write_records


@pytest.fixture
def home(tmp_path):
    first = record(1, metadata={"_user": "maria", "team": "search"})
    second = record(2, status=500, error="upstream_error", error_origin="provider", trace_id="shared", cost=None)
    third = record(3, trace_id="shared", metadata={"team": "ads"})
    asked = {"model": "claude", "messages": [{"role": "user", "content": "Where is\nmy order? 🙂"}]}
    write_records(
        tmp_path / "home",
        [first, second, third],
        [
            capture(
                first, json.dumps(asked).encode(), request_headers=[(b"x-team", b"search"), (b"authorization", b"no")]
            )
        ],
    )
    return tmp_path / "home"


def ids(found):
    return [int(each["id"].removeprefix("rec_"), 16) for each in found["data"]]


def test_searching_reads_what_an_ended_gateway_left_in_its_journal(ask, home):
    assert ids(ask("logs", "search")) == [3, 2, 1]
    assert ids(ask("logs", "search", "meta.team=search")) == [1]
    assert ids(ask("logs", "search", "status>=500 OR meta.team=ads", "--ascending")) == [2, 3]
    assert ids(ask("logs", "search", "order")) == [1]
    assert list((home / "journal").glob("*.log")), "a gateway that starts must still find what it has to charge"


@pytest.mark.parametrize(
    "options, found",
    [
        (("--since", "2023-11-14T22:13:22"), [3, 2]),
        (("--until", "2023-11-14T22:13:22"), [1]),
        (("--since", "1s"), []),
        (("--sort", "cost", "--limit", "1"), [3]),
        (("--sort", "cost", "--ascending"), [2, 1, 3]),
    ],
)
def test_a_range_of_time_and_an_order(ask, home, options, found):
    assert ids(ask("logs", "search", *options)) == found


def test_what_is_not_shown_is_told_and_can_be_had(run, ask, home):
    assert ask("logs", "search", "--limit", "2")["next_cursor"]
    assert ask("logs", "search", "--limit", "3")["next_cursor"] is None
    said = run("logs", "search", "--columns", "status,cost,duration,meta.team,request_preview,user,attempts")
    assert said.strip().split("\n")[0].split() == [
        "status",
        "cost",
        "duration",
        "meta.team",
        "request_preview",
        "user",
        "attempts",
    ]
    assert "$0.000035" in said
    assert "12.5 ms" in said
    assert "Where is my order? 🙂" in said


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("search", "statsu>=500 x"), "There is no field 'statsu'"),
        (("search", "status>=500 x"), None),
        (("search", "--since", "yesterday"), "--since: 'yesterday' is neither"),
        (("search", "--since", "1h", "--until", "2h"), "--since is not before --until"),
        (("search", "--columns", "statu"), "There is no column 'statu'; did you mean status?"),
        (("search", "--sort", "model"), "--sort: 'model' is none of"),
        (("show", "rec_no"), "there is no record with the id 'rec_no'"),
        (("search", "--workspace", "nowhere"), "there is no workspace 'nowhere'"),
    ],
)
def test_refusals_say_what_was_wrong(run, home, arguments, words):
    if words is None:
        assert "there are no such records" in run("logs", *arguments)
    else:
        assert words in run("logs", *arguments, status=1)


def test_a_mistake_in_a_query_is_pointed_at(run, home):
    said = run("logs", "search", "model:claude* statsu>=500", status=1).split("\n")
    assert said[1] == "  model:claude* statsu>=500"
    assert said[2] == "                ^^^^^^"


def test_a_folder_without_records_is_named(run, tmp_path):
    assert f"There are no records in {tmp_path / 'home'}" in run("logs", "search", status=1)
    assert not (tmp_path / "home").exists()


def test_a_record_is_shown_whole(run, home):
    said = run("logs", "show", record(1)["id"])
    for words in (
        "maria", "team              search", "1  primary  @anthropic  claude-haiku  status 529  error overloaded",
        "2  retry", "waited 1 ms", "upstream_first          5 ms  40.0%", "of it ours            2.5 ms", "total                     15",
        "input                   $0.00001", "total                  $0.000035", "(priced, prices 2026-11)", "x-team: search",
        'Where is\\nmy order? \\ud83d\\ude42"',
    ):  # fmt: skip
        assert words in said, f"{words}\n{said}"
    assert "authorization" not in said


@pytest.mark.parametrize("id", ["trace-1", "msg_1", record(1)["id"]])
def test_a_record_is_found_by_any_of_its_ids(ask, home, id):
    found = ask("logs", "show", id)
    assert found["id"] == record(1)["id"]
    assert found["bodies"]["request"]["data"]["messages"][0]["content"] == "Where is\nmy order? 🙂"
    assert found["attempts"][0]["error"] == "overloaded"
    assert found["request_preview"]


def test_an_id_of_several_records_lists_them(run, ask, home):
    said = run("logs", "show", "shared")
    assert said.startswith("2 records belong to shared")
    assert record(2)["id"] in said
    assert ids(ask("logs", "show", "shared")) == [2, 3]


def test_bodies_that_are_not_kept_are_explained(run, ask, home):
    assert "not kept, it was shed" in run("logs", "show", record(2)["id"])
    assert ask("logs", "show", record(2)["id"])["bodies"] is None


def test_what_was_lost_with_a_damaged_file_is_told_where_its_time_is_asked_for(run, tmp_path):
    write_records(tmp_path / "home", [record(1)])
    run("logs", "search")
    lost = Missing(name="x", kind="rows", day=1, from_us=86_400_000_000, to_us=90_000_000_000, rows=7, kept=0)
    manifest = Manifest(tmp_path / "home" / "records" / "manifest.db")
    manifest.swap(missing=[lost], now_us=1)
    manifest.close()
    words = "note: 7 records of 1970-01-02T00:00:00Z to 1970-01-02T01:00:00Z are missing"
    assert words in run("logs", "search", all=True)
    assert words in run("logs", "export", all=True)
    assert "missing" not in run("logs", "search", "--since", "2020-01-01", all=True)


def test_workspaces_are_named_by_slug_too(run, ask, tmp_path):
    place = ask("workspaces", "create", "Research", "--slug", "ws-research")["id"]
    write_records(tmp_path / "home", [record(1, workspace_id=place), record(2, workspace_id="gone")])
    assert ids(ask("logs", "search", "workspace:ws-research")) == [1]
    assert ids(ask("logs", "search", f"workspace:{place}")) == [1]
    assert ids(ask("logs", "search", "(-workspace:ws-research)")) == [2]
    said = run("logs", "search", "workspace:ws-reserch", status=1)
    assert "workspace:ws-reserch: there is no such workspace; did you mean ws-research?" in said
    assert ids(ask("logs", "search", "workspace:01a22492-f892-7001-9d66-4f27fef28785")) == []
