import pytest
from msgspec import structs

from lockgate.admin.app import AdminApp, all_endpoints
from tests.unit.admin.plane import BODY_LIMIT
from tests.unit.records.rows import row

US = 1_000_000


@pytest.fixture
def desk(plane):
    return plane.desk


@pytest.fixture(autouse=True)
def rows(plane):
    now = int(plane.clock.now.timestamp()) * US
    plane.desk.store.append(
        [
            row(1, started_us=now - 60 * US, workspace_id=plane.home.id, trace_id="t1", status_code=200,
                response_id="msg_1", model="claude-a", cost_nano=30_000_000, metadata={"team": "search"}),
            row(2, started_us=now - 50 * US, workspace_id=plane.home.id, trace_id="t1", status_code=529,
                model="claude-b", attempts='[{"provider":"anthropic"}]'),
            row(3, started_us=now - 40 * US, workspace_id=plane.other.id, trace_id="t1", status_code=200),
        ]
    )  # fmt: skip


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["data"]]


def test_each_workspace_sees_its_own_records_the_newest_first(plane):
    assert ids(plane.ask("GET", "/logs", key="service")) == ["rec_2", "rec_1"]
    assert ids(plane.ask("GET", "/logs", key="other")) == ["rec_3"]
    assert ids(plane.ask("GET", "/logs?workspace_id=*", key="admin")) == ["rec_3", "rec_2", "rec_1"]
    assert plane.ask("GET", f"/logs?workspace_id={plane.home.id}", key="other").status_code == 403
    assert plane.ask("GET", "/logs?workspace_id=*", key="other").status_code == 403


@pytest.mark.parametrize(
    "query, found",
    [
        ("query=status>=500", ["rec_2"]), ("status_code=200", ["rec_1"]), ("query=meta.team%3Dsearch", ["rec_1"]),
        ("ai_model=claude-b", ["rec_2"]), ("cost_min=2", ["rec_1"]), ("trace_id=other", []),
        ("time_of_generation_min=2026-08-21T09:29:05Z", ["rec_2"]),
    ],
)  # fmt: skip
def test_records_are_found_by_both_languages(plane, query, found):
    assert ids(plane.ask("GET", f"/logs?{query}", key="service")) == found


def test_pages_follow_each_other(plane):
    first = plane.ask("GET", "/logs?limit=1", key="service")
    assert ids(first) == ["rec_2"]
    second = plane.ask("GET", f"/logs?limit=1&cursor={first.json()['next_cursor']}", key="service")
    assert ids(second) == ["rec_1"]
    assert second.json()["next_cursor"] is None


@pytest.mark.parametrize("query", ["query=nofield>3", "cursor=!", "status_code=abc", "limit=0", "cost_min=x"])
def test_what_cannot_be_read_is_refused(plane, query):
    answer = plane.ask("GET", f"/logs?{query}", key="service")
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("id", ["rec_1", "msg_1"])
def test_a_record_is_shown_by_any_id_of_its_own(plane, id):
    shown = plane.ask("GET", f"/logs/{id}", key="service").json()
    assert (shown["id"], shown["cost_nano"], shown["metadata"]) == ("rec_1", 30_000_000, {"team": "search"})
    assert plane.ask("GET", f"/logs/{id}", key="other").status_code == 404


def test_without_records_it_says_so(plane):
    plane.app = AdminApp(structs.replace(plane.services, records=None), all_endpoints(), body_limit=BODY_LIMIT)
    answer = plane.ask("GET", "/logs", key="service")
    assert answer.status_code == 503
    assert "records.enabled" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/logs", "/logs/tail", "/traces"])
def test_a_filter_that_does_not_exist_is_refused(plane, path):
    refused = plane.refused(400, "GET", f"{path}?status_cod=500", "service")
    assert refused["error"]["message"] == "status_cod: there is no such parameter; did you mean status_code?"
    assert refused["error"]["param"] == "status_cod"


def test_workspaces_are_named_by_slug_too(plane):
    for query in (f"workspace:{plane.home.slug}", f"workspace:{plane.home.id}"):
        assert ids(plane.ask("GET", f"/logs?workspace_id=*&query={query}", key="admin")) == ["rec_2", "rec_1"]
    assert ids(plane.ask("GET", f"/logs?query=workspace:{plane.home.slug}", key="other")) == []
