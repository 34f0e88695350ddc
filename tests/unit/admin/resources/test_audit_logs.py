import pytest

PATH = "/audit-logs"


@pytest.fixture
def story(plane):
    made = plane.ok("POST", "/api-keys/workspace/service", json={"name": "bot"})
    plane.clock.pass_by(hours=1)
    plane.ok(
        "PUT", f"/api-keys/{made['id']}", "service", json={"name": "robot"}, headers={"x-forwarded-for": "9.9.9.9"}
    )
    plane.clock.pass_by(hours=1)
    plane.ok("DELETE", f"/api-keys/{made['id']}")
    return made


def test_who_changed_what(plane, story):
    listed = plane.ok("GET", PATH, params={"resource_id": story["id"]})
    assert (listed["object"], listed["total"]) == ("list", 3)
    assert listed["data"] == listed["records"]
    deleted, updated, created = listed["records"]
    assert [each["action"] for each in listed["records"]] == ["delete", "update", "create"]
    assert updated["before"]["name"] == "bot"
    assert updated["after"]["name"] == "robot"
    assert created["before"] is None
    assert (updated["user_id"], updated["user_type"]) == (plane.keys["service"].id, "api_key")
    assert (updated["method"], updated["uri"]) == ("PUT", f"/v1/api-keys/{story['id']}")
    assert (updated["workspace_id"], updated["organisation_id"]) == (plane.home.id, plane.organisation.id)
    assert updated["timestamp"] == "2026-08-21T10:30:00.000Z"
    assert updated["request_id"] != created["request_id"]
    assert '"name":"robot"' in updated["request_body"]
    assert deleted["sequence"] == updated["sequence"] + 1


@pytest.mark.parametrize(
    "query, actions",
    [
        ({"action": "update"}, ["update"]),
        ({"method": "DELETE"}, ["delete"]),
        ({"start_time": "2026-08-21T10:00:00Z"}, ["delete", "update"]),
        ({"start_time": "2026-08-21T10:00:00Z", "end_time": "2026-08-21 11:00:00"}, ["update"]),
        ({"user_type": "user"}, []),
        ({"workspace_id": "ws-resear-1f0c3a"}, []),
        ({"workspace_id": "ws-shared-000001"}, ["delete", "update", "create"]),
        ({"response_status_code": 200}, ["delete", "update", "create"]),
        ({"response_status_code": 404}, []),
        ({"country": "DE"}, []),
        ({"page_size": 1, "current_page": 1}, ["update"]),
    ],
)
def test_filters(plane, story, query, actions):
    found = plane.ok("GET", PATH, params={"resource_id": story["id"]} | query)["records"]
    assert [each["action"] for each in found] == actions


def test_no_text_of_a_key_and_no_digest(plane, story):
    from lockgate.plan.keys import digest_of

    told = plane.ask("GET", PATH).text
    assert story["key"] not in told
    assert digest_of(story["key"]).hex() not in told


def test_only_the_organisations_keys_read_it(plane):
    plane.refused(403, "GET", PATH, "service")
    plane.refused(403, "GET", PATH, "user")
    plane.refused(403, "GET", PATH, params={"organisation_id": "elsewhere"})
    plane.ok("GET", PATH, params={"organization_id": plane.organisation.id})
