import pytest
from msgspec import structs

from lockgate.entities import Workspace
from lockgate.records.analytics import GRAPHS, SPLIT_GRAPHS
from lockgate.records.analytics_groups import GROUPS
from lockgate.records.feedback_graphs import FEEDBACK_GRAPHS
from lockgate.records.store import Feedback
from tests.unit.records.rows import row

US = 1_000_000
DAY = {"time_of_generation_min": "2026-08-21T00:00:00Z", "time_of_generation_max": "2026-08-21T23:59:59Z"}
ALL_GRAPHS = sorted({*GRAPHS, *SPLIT_GRAPHS, *FEEDBACK_GRAPHS})


@pytest.fixture(autouse=True)
def rows(plane):
    now = int(plane.clock.now.timestamp()) * US
    home, other = plane.home.id, plane.other.id
    mine = {"workspace_id": home, "api_key_id": plane.keys["service"].id, "provider": "anthropic"}
    plane.desk.store.append(
        [
            row(1, started_us=now - 60 * US, trace_id="t1", model="claude-a", cost_nano=30_000_000, total_tokens=10,
                end_user="maria", end_user_hash=1, metadata={"team": "search"}, cache_status="miss", **mine),
            row(2, started_us=now - 50 * US, trace_id="t2", model="claude-b", cost_nano=10_000_000, total_tokens=30,
                metadata={"team": "search"}, cache_status="hit", **mine),
            row(3, started_us=now - 40 * US, trace_id="t3", model="claude-b", status_code=500, is_error=True,
                cost_nano=0, metadata={"team": "ads"}, **{**mine, "api_key_id": plane.keys["user"].id}),
            row(4, started_us=now - 40 * US, trace_id="t4", model="theirs", workspace_id=other, cost_nano=5),
        ]
    )  # fmt: skip
    plane.desk.add_feedback(
        [
            Feedback(id=f"f{n}", trace_id=trace, workspace_id=home, value=value, created_us=now, updated_us=now)
            for n, (trace, value) in enumerate([("t1", 10), ("t2", -10), ("t3", 5)])
        ]
    )


def graph(plane, name, key="service", **query):
    return plane.ok("GET", f"/analytics/graphs/{name}", key, params={**DAY, **query})


def group(plane, name, key="service", **query):
    return plane.ok("GET", f"/analytics/groups/{name}", key, params={**DAY, **query})


def test_sums_by_time(plane):
    answer = graph(plane, "cost")
    assert answer["object"] == "analytics-graph"
    assert answer["summary"] == {"total": 4.0, "avg": pytest.approx(4 / 3)}
    assert answer["data"] == answer["data_points"]
    assert sum(point["total"] for point in answer["data"]) == 4.0
    assert 60 <= len(answer["data"]) <= 120
    assert answer["data"][0]["timestamp"] == "2026-08-21T00:00:00Z"


@pytest.mark.parametrize("name", ALL_GRAPHS)
def test_every_graph_of_portkey_is_there_and_of_ones_own_workspace(plane, name):
    answer = graph(plane, name, "other")
    assert set(answer) == {"object", "summary", "data_points", "data"}
    assert "claude" not in str(answer)
    plane.refused(404, "GET", f"/analytics/graphs/{name}/more", "service", params=DAY)


@pytest.mark.parametrize(
    "query, total",
    [
        ({}, 3), ({"status_code": "500"}, 1), ({"metadata": '{"team":"search"}'}, 2), ({"cost_min": "2"}, 1),
        ({"ai_org_model": "anthropic__claude-b"}, 2), ({"query": "-cache:hit model:claude*"}, 2),
        ({"trace_id": "t1,t2"}, 2), ({"weighted_feedback_min": "5"}, 2), ({"cache_status": "HIT"}, 1),
        ({"time_of_generation_min": "2026-08-21T11:29:15 02:00"}, 1), ({"api_key_ids": "none"}, 0),
        ({"workspace_slug": "ws-resear-1f0c3a"}, 3), ({"strange": "1"}, 3),
    ],
)  # fmt: skip
def test_filters(plane, query, total):
    assert graph(plane, "requests", **query)["summary"] == {"total": total}


@pytest.mark.parametrize(
    "query, path",
    [
        ({"time_of_generation_min": ""}, "time_of_generation_min"), ({"cost_min": "x"}, "cost_min"),
        ({"time_of_generation_max": ""}, "time_of_generation_max"), ({"timezone": "Europe/Nowhere"}, "timezone"),
        ({"time_of_generation_max": "2020-01-01T00:00:00Z"}, "time_of_generation_max"), ({"query": "x>>"}, "filter[0:1]"),
        ({"time_of_generation_min": "1900-01-01T00:00:00Z"}, "time_of_generation_max"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(plane, query, path):
    body = plane.refused(400, "GET", "/analytics/graphs/cost", "service", params={**DAY, **query})
    assert body["error"]["param"] == path


def test_slots_follow_the_days_of_a_time_zone(plane):
    month = {"time_of_generation_min": "2026-08-01T00:00:00Z", "time_of_generation_max": "2026-08-31T00:00:00Z"}
    points = graph(plane, "requests", timezone="Asia/Kolkata", **month)["data"]
    assert all(point["timestamp"].endswith(":30:00Z") for point in points)
    assert sum(point["total"] for point in points) == 3


def test_what_cannot_be_said_is_null_or_0_for_the_sdks(plane):
    for headers, query, nothing in (
        ({}, {}, None), ({"x-portkey-package-version": "portkey-2"}, {}, 0),
        ({"x-portkey-package-version": "portkey-2"}, {"nulls": "true"}, None), ({}, {"nulls": "False"}, 0),
    ):  # fmt: skip
        answer = plane.ok(
            "GET", "/analytics/graphs/latency", "service", params={**DAY, **query, "trace_id": "none"}, headers=headers
        )
        assert answer["summary"]["p99"] == nothing


@pytest.mark.parametrize("name", sorted({*GROUPS, "metadata/team"}))
def test_every_group_of_portkey_is_there_and_of_ones_own_workspace(plane, name):
    answer = group(plane, name, "other")
    assert (answer["object"], answer["total"]) == ("list", len(answer["data"]))
    assert "claude" not in str(answer)


def test_groups_are_ordered_and_paged(plane):
    answer = group(plane, "ai-models", columns="cost, p99_latency")
    assert [(row["ai_model"], row["requests"], row["cost"]) for row in answer["data"]] == [
        ("claude-b", 2, 1.0), ("claude-a", 1, 3.0),
    ]  # fmt: skip
    by_cost = group(plane, "model", order_by="cost", page_size=1, currentPage=1, order_by_type="desc")
    assert (by_cost["total"], [row["model"] for row in by_cost["data"]]) == (2, ["claude-b"])
    ascending = group(plane, "model", order_by="cost", order_by_type="asc")
    assert [row["model"] for row in ascending["data"]] == ["claude-b", "claude-a"]
    body = plane.refused(400, "GET", "/analytics/groups/model", "service", params={**DAY, "order_by": "1; DROP"})
    assert "there are requests, cost" in body["message"]
    plane.refused(404, "GET", "/analytics/groups/colour", "service", params=DAY)
    plane.refused(400, "GET", "/analytics/groups/model", "service", params={**DAY, "order_by_type": "up"})


def test_any_key_of_the_metadata_is_a_group_with_its_feedback(plane):
    rows = group(plane, "metadata/team")["data"]
    assert [
        (row["metadata_value"], row["requests"], row["avg_weighted_feedback"], row["requests_with_feedback"])
        for row in rows
    ] == [("search", 2, 0.0, 2), ("ads", 1, 5.0, 1)]
    assert [row["user"] for row in group(plane, "users")["data"]] == ["maria"]


def test_what_the_cache_did(plane):
    answer = plane.ok("GET", "/analytics/summary/cache", "service", params=DAY)
    assert answer["object"] == "analytics-summary"
    assert answer["data"] == answer["summary"]
    assert (answer["data"]["hits"], answer["data"]["total_requests"]) == (1, 3)


def test_a_key_of_the_organisation_means_the_default_workspace_or_names_one(plane):
    assert graph(plane, "requests", "admin")["summary"] == {"total": 3}
    assert graph(plane, "requests", "admin", workspace_slug=plane.other.slug)["summary"] == {"total": 1}
    assert graph(plane, "requests", "admin", workspace_slug="*")["summary"] == {"total": 4}
    both = group(plane, "workspaces", "admin", workspace_slug="*")["data"]
    assert [(row["workspace"], row["requests"]) for row in both] == [(plane.home.id, 3), (plane.other.id, 1)]
    plane.refused(403, "GET", "/analytics/graphs/cost", params={**DAY, "workspace_slug": "nowhere"})
    plane.refused(403, "GET", "/analytics/graphs/cost", "service", params={**DAY, "workspace_id": plane.other.id})


def test_people_see_their_own_numbers_where_the_workspace_says_so(plane):
    with plane.directory.change() as tx:
        home = tx.get(Workspace, plane.home.id)
        tx.update(structs.replace(home, security_settings={"membersViewAllData": False}))
    assert graph(plane, "requests", "user")["summary"] == {"total": 1}
    assert graph(plane, "feedbacks", "user")["summary"] == {"total": 1}
    assert [row["model"] for row in group(plane, "model", "user")["data"]] == ["claude-b"]
    with plane.directory.change() as tx:
        home = tx.get(Workspace, plane.home.id)
        tx.update(structs.replace(home, security_settings={"membersViewAnalytics": False}))
    plane.refused(403, "GET", "/analytics/graphs/requests", "user", params=DAY)


def test_without_records_it_says_so(plane):
    from lockgate.admin.app import AdminApp, all_endpoints

    plane.app = AdminApp(structs.replace(plane.services, records=None), all_endpoints(), body_limit=1000)
    assert "records.enabled" in plane.refused(503, "GET", "/analytics/graphs/cost", "service", params=DAY)["message"]


def test_a_filter_that_does_not_exist_is_told_of_as_portkey_ignores_it(plane):
    answer = plane.ask("GET", "/analytics/graphs/requests", key="service", params={**DAY, "status_cod": "500"})
    assert answer.status_code == 200
    told = "status_cod: there is no such parameter here; it was ignored; did you mean status_code?"
    assert answer.json()["warnings"] == [told]
    assert answer.headers["x-portkey-ignored-fields"] == "status_cod"


def test_whatever_portkeys_sdk_sends_is_no_stranger(plane):
    answer = plane.ask("GET", "/analytics/groups/model", key="service", params={**DAY, "include_total": "true"})
    assert answer.status_code == 200
    assert "warnings" not in answer.json()
