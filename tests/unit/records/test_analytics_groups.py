from __future__ import annotations

import pytest

from lockgate.errors import InvalidRequest, NotFound
from lockgate.records.analytics import Question
from lockgate.records.analytics_groups import COLUMNS, GROUPS, GroupQuery, grouping_of, groups
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.query.language import parse
from lockgate.records.store import ALL
from tests.unit.records.rows import HOUR_US, START
from tests.unit.records.test_analytics import ROWS


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    found = EmbeddedStore(tmp_path_factory.mktemp("records"), now_us=lambda: START + 5 * HOUR_US)
    found.append(ROWS)
    yield found
    found.close()


def ask(store, name, text="", **changes):
    question = Question(scope=ALL, filter=parse(text), from_us=START, to_us=START + 3 * HOUR_US)
    return groups(store, name, question, GroupQuery(**changes))


def test_users(store):
    assert ask(store, "users") == {
        "object": "list",
        "total": 2,
        "data": [
            {"user": "u1", "requests": 2, "cost": 3.0, "object": "analytics-group"},
            {"user": "u2", "requests": 1, "cost": 0.0, "object": "analytics-group"},
        ],
    }


def test_models_keep_rows_without_one(store):
    found = ask(store, "ai-models")
    assert [(item["ai_model"], item["requests"]) for item in found["data"]] == [(None, 3), ("m2", 3), ("m1", 2)]


def test_metadata(store):
    found = ask(store, "metadata/team")
    assert found == {"object": "list", "total": 0, "data": []}
    assert grouping_of("metadata/a/b").dimension == "metadata.a/b"


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_every_group_has_every_column(store, name):
    for item in ask(store, name, columns=tuple(COLUMNS))["data"]:
        assert set(COLUMNS) | {"object", grouping_of(name).label} == set(item)


def test_columns_by_hand(store):
    item = next(i for i in ask(store, "model", columns=tuple(COLUMNS))["data"] if i["model"] == "m2")
    expected = {
        "requests": 3, "cost": 0.0, "error_count": 2, "success_rate": pytest.approx(33.33, abs=0.01), "cache_hit_rate": 100.0,
        "avg_latency": None, "first_seen": "2026-02-16T01:00:00Z", "last_seen": "2026-02-16T01:00:00.000002Z",
    }  # fmt: skip
    assert {name: item[name] for name in expected} == expected


@pytest.mark.parametrize("order_by", sorted(COLUMNS))
@pytest.mark.parametrize("is_ascending", [True, False])
def test_any_column_orders(store, order_by, is_ascending):
    values = [
        item[order_by]
        for item in ask(store, "model", columns=(order_by,), order_by=order_by, is_ascending=is_ascending)["data"]
    ]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=not is_ascending)


def test_pages(store):
    pages = [ask(store, "status_code", page=number, page_size=2)["data"] for number in range(3)]
    assert [len(page) for page in pages] == [2, 1, 0]
    assert {item["status_code"] for page in pages for item in page} == {200, 429, 500}


def test_filters(store):
    assert [item["requests"] for item in ask(store, "workspace", "model:m1")["data"]] == [2]


@pytest.mark.parametrize(
    "name, changes, error",
    [
        ("moons", {}, NotFound), ("metadata/", {}, NotFound), ("metadata", {}, NotFound),
        ("users", {"columns": ("cost; DROP TABLE rows",)}, InvalidRequest), ("users", {"order_by": "x"}, InvalidRequest),
        ("users", {"page": -1}, InvalidRequest), ("users", {"page_size": 0}, InvalidRequest), ("users", {"page_size": 5000}, InvalidRequest),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_told(store, name, changes, error):
    with pytest.raises(error):
        ask(store, name, **changes)
