import pytest

from lockgate.records.from_record import user_hash
from lockgate.records.store import ALL, PageQuery
from tests.unit.records.rows import row

US = 1_000_000


@pytest.fixture(autouse=True)
def rows(plane):
    now = int(plane.clock.now.timestamp()) * US
    joe = {"end_user": "joe", "end_user_hash": user_hash("joe")}
    plane.desk.store.append(
        [
            row(1, started_us=now - 60 * US, workspace_id=plane.home.id, **joe),
            row(2, started_us=now - 50 * US, workspace_id=plane.home.id, status_code=500),
            row(3, started_us=now - 40 * US, workspace_id=plane.other.id, **joe),
        ]
    )


def left(plane):
    return sorted(entry.row.id for entry in plane.desk.reader.page(PageQuery(scope=ALL)).entries)


def test_a_person_is_deleted_within_the_callers_workspace(plane):
    made = plane.ok("DELETE", "/logs?end_user=joe&reason=request+17", "service")
    assert (made["rows_hidden"], made["is_done"], made["reason"]) == (1, False, "request 17")
    assert left(plane) == ["rec_2", "rec_3"]
    plane.desk.store.apply_deletions(int(plane.clock.now.timestamp()) * US)
    shown = plane.ok("GET", f"/logs/deletions/{made['id']}", "service")
    assert (shown["id"], shown["rows_removed"], shown["is_done"]) == (made["id"], 1, True)


@pytest.mark.parametrize(
    "query, places, kept",
    [
        ("end_user=joe", "*", ["rec_2"]),
        ("query=status:500", "*", ["rec_1", "rec_3"]),
        ("end_user=joe&query=status:500", "*", ["rec_1", "rec_2", "rec_3"]),
    ],
)
def test_an_administrator_deletes_everywhere(plane, query, places, kept):
    plane.ok("DELETE", f"/logs?{query}&workspace_id={places}", "admin")
    assert left(plane) == kept


def test_the_audit_log_names_the_deletion_and_no_person(plane):
    made = plane.ok("DELETE", "/logs?end_user=joe", "service")
    (entry,) = [each for each in plane.ok("GET", "/audit-logs", "admin")["data"] if each["resource_type"] == "logs"]
    assert (entry["action"], entry["workspace_id"]) == ("delete", plane.home.id)
    assert made["id"] in str(entry)
    assert "joe" not in str(entry)


@pytest.mark.parametrize(
    "query, words",
    [
        ("", "Say which records"),
        ("query=+", "Say which records"),
        ("query=words", "no free text"),
        ("query=bad:1", "no field"),
        ("query=status:500&end_usr=joe", "end_usr: there is no such parameter; did you mean end_user?"),
        ("query=status:500&where=joe", "known here: end_user, query, workspace_id, reason"),
        ("query=status:500&end_user=", "end_user: the parameter is empty"),
        ("query=status:500&query=status:200", "query: the parameter comes more than once"),
    ],
)
def test_what_is_too_much_or_wrong_deletes_nothing(plane, query, words):
    answer = plane.ask("DELETE", f"/logs?{query}", key="service")
    assert answer.status_code == 400
    assert words in answer.text
    assert len(left(plane)) == 3


def test_only_who_may_change_the_workspace_may_delete(plane):
    assert plane.ask("DELETE", "/logs?end_user=joe", key="user").status_code == 403
    assert plane.ask("GET", "/logs/deletions/del_0", key="service").status_code == 404
    assert len(left(plane)) == 3
