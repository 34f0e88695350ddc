from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from msgspec import structs

from lockgate.admin.record_filters import FilterQuery, selection_of
from lockgate.errors import InvalidRequest
from lockgate.plan.snapshot import Snapshot, Workspace
from lockgate.records.query.matching import matcher
from tests.unit.records.rows import START, row

PLACES = {"id-1": Workspace(id="id-1", slug="ws-search"), "default": Workspace(id="default", slug="default")}
SNAPSHOT = Snapshot(version=1, keys={}, workspaces=PLACES, raw_targets={})


def selected(query):
    """Return what a call with a query selects."""
    now = datetime.fromtimestamp(START / 10**6, UTC)
    return selection_of(SimpleNamespace(now=now, services=SimpleNamespace(snapshot=lambda: SNAPSHOT)), query)


def selects(**parameters):
    selection = selected(FilterQuery(**parameters))
    test = matcher(selection.filter)
    rows = [
        row(1, status_code=200, provider="anthropic", model="claude-a", metadata={"team": "a"}, workspace_id="id-1"),
        row(2, status_code=500, provider="openai", model="gpt-5", metadata={"team": "b"}, prompt_slug="hello"),
    ]
    return [each.id for each in rows if test(each, None)]


@pytest.mark.parametrize(
    "parameters, found",
    [
        ({}, ["rec_1", "rec_2"]), ({"status_code": "500"}, ["rec_2"]), ({"query": "model:claude*"}, ["rec_1"]),
        ({"query": "model:claude*", "status_code": "500"}, []), ({"ai_org_model": "openai__gpt-5"}, ["rec_2"]),
        ({"metadata": '{"team": "a"}'}, ["rec_1"]), ({"prompt_slug": "hello"}, ["rec_2"]),
        ({"query": "workspace:ws-search"}, ["rec_1"]),
    ],
)  # fmt: skip
def test_both_languages_hold_together(parameters, found):
    assert selects(**parameters) == found


def test_the_range_of_time_is_beside_the_filter():
    selection = selected(FilterQuery(time_of_generation_min="-1h"))
    assert selection.from_us == START - 3600 * 10**6


@pytest.mark.parametrize("name", ["cost_min", "status_code", "time_of_generation_max"])
def test_what_cannot_be_read_is_named(name):
    with pytest.raises(InvalidRequest) as caught:
        selected(structs.replace(FilterQuery(), **{name: "nothing>of the kind"}))
    assert caught.value.path == name


def test_a_fault_in_the_search_box_is_told_with_its_place():
    with pytest.raises(InvalidRequest) as caught:
        selected(FilterQuery(query="model:x colour:red"))
    assert caught.value.path == "filter[8:14]"
