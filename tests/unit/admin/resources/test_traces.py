import pytest

from tests.unit.records.rows import row

US = 1_000_000


@pytest.fixture
def now(plane):
    return int(plane.clock.now.timestamp()) * US


@pytest.fixture(autouse=True)
def rows(plane, now):
    attempts = '[{"provider":"anthropic","model":"claude-a","status":529,"error":"overloaded","duration_ms":5},' \
        '{"provider":"openai","model":"gpt-5","status":200,"kind":"fallback","started_ms":6,"waited_ms":1}]'  # fmt: skip
    mine = {"workspace_id": plane.home.id, "trace_id": "t1"}
    plane.desk.store.append(
        [
            row(1, started_us=now - 60 * US, span_id="s1", span_name="agent", response_id="msg_1", **mine),
            row(2, started_us=now - 50 * US, span_id="s2", parent_span_id="s1", attempts=attempts, prepare_us=7,
                upstream_request_id="req_9", model="gpt-5", cost_nano=5, total_tokens=3, **mine),
            row(3, started_us=now - 40 * US, workspace_id=plane.other.id, trace_id="t1", span_name="theirs"),
            row(4, started_us=now - 55 * US, workspace_id=plane.home.id, trace_id="t2", status_code=500, is_error=True),
            row(5, started_us=now - 70 * US, workspace_id=plane.home.id, trace_id=None),
        ]
    )  # fmt: skip


@pytest.mark.parametrize("id", ["t1", "rec_2", "s2", "msg_1", "req_9"])
def test_the_tree_is_shown_by_any_id_of_it(plane, now, id):
    tree = plane.ok("GET", f"/traces/{id}", "service")
    assert (tree["object"], tree["trace_id"], tree["name"], tree["models"]) == ("trace", "t1", "agent", ["gpt-5"])
    assert (tree["span_count"], tree["cost_nano"], tree["total_tokens"], tree["started_us"]) == (4, 6, 3, now - 60 * US)
    assert [(span["id"], span.get("parent_id"), span.get("depth", 0), span["kind"]) for span in tree["spans"]] == [
        ("s1", None, 0, "server"), ("s2", "s1", 1, "server"), ("s2.1", "s2", 2, "client"), ("s2.2", "s2", 2, "client"),
    ]  # fmt: skip
    assert tree["spans"][1]["stages_us"] == {"prepare": 7}
    assert [span.get("is_error", False) for span in tree["spans"]] == [False, False, True, False]
    assert tree["spans"][3]["attempt_kind"] == "fallback"


def test_a_large_one_comes_in_parts(plane):
    first = plane.ok("GET", "/traces/t1?limit=3", "service")
    assert (len(first["spans"]), first["next_offset"], first["span_count"]) == (3, 3, 4)
    second = plane.ok("GET", "/traces/t1?limit=3&offset=3", "service")
    assert ([span["id"] for span in second["spans"]], second["next_offset"]) == (["s2.2"], None)


def test_a_trace_is_of_ones_own_workspace_only(plane):
    assert [span["name"] for span in plane.ok("GET", "/traces/t1", "other")["spans"]] == ["theirs"]
    plane.refused(404, "GET", "/traces/t2", "other")
    plane.refused(404, "GET", "/traces/msg_1", "other")


def listed(plane, query="", key="service"):
    return [trace["trace_id"] for trace in plane.ok("GET", f"/traces?{query}", key)["data"]]


def test_traces_are_listed_once_the_newest_first(plane):
    assert listed(plane) == ["t1", "t2"]
    assert listed(plane, key="other") == ["t1"]
    (first, second) = plane.ok("GET", "/traces", "service")["data"]
    assert (first["span_count"], first["error_count"], second["error_count"]) == (4, 0, 1)


@pytest.mark.parametrize(
    "query, found",
    [("status_code=500", ["t2"]), ("query=model:gpt-5", ["t1"]), ("query=span_name:agent", ["t1"]), ("trace_id=no", []),
     ("time_of_generation_max=2026-08-21T09:29:06Z", ["t2", "t1"])],
)  # fmt: skip
def test_traces_with_a_record_that_is_selected(plane, query, found):
    assert listed(plane, query) == found
    if found == ["t1"]:
        assert plane.ok("GET", f"/traces?{query}", "service")["data"][0]["span_count"] == 4, "the whole trace"


def test_pages_follow_each_other_without_repeating(plane, now):
    rows = [row(100 + n, started_us=now - n * US, workspace_id=plane.home.id, trace_id=f"a{n % 7}") for n in range(30)]
    plane.desk.store.append(rows)
    found, cursor = [], None
    while True:
        page = plane.ok("GET", "/traces?limit=2" + (f"&cursor={cursor}" if cursor else ""), "service")
        found += [trace["trace_id"] for trace in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "t1", "t2"]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=!", "query=x>>"])
def test_what_cannot_be_read_is_refused(plane, query):
    plane.refused(400, "GET", f"/traces?{query}", "service")
