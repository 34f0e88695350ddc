"""Lists, look-ups, searches, tails and scans, against what a slow and simple program finds."""

from __future__ import annotations

import uuid

import msgspec
import pytest

from lockgate.errors import InvalidRequest
from lockgate.records.query.language import parse
from lockgate.records.query.portkey import read_parameters
from lockgate.records.query.tree import EVERYTHING
from lockgate.records.store import ALL, PageQuery, Scope
from tests.contract.records.world import DAY, END, START, record_id

FILTERS = [
    "", "status:200", "status:5xx", "status>=429", "-status:200", "status!=200", "status:*", "-status:*", "status:200,404",
    "model:claude-opus-4-7", "model:claude*", "model:*mini", "model:*opus*", "model:c*-4-7", "-model:claude*",
    'model~"^gpt-5(-mini)?$"', 'model!~"gpt"', "model*=haiku", "model!*=haiku", "model^=claude", "model$=mini",
    "cost>0.1", "cost:0", "cost:0.05..0.2", "-cost:*", "duration>20s", "duration:100ms..5s", "tps>50", "tps:12.5",
    "stream:true", "failed:yes -gone:yes", "cache:hit,semantic_hit", "-cache:hit", "meta.team=search", "meta.team:*",
    "-meta.team:*", 'meta."odd \\"key\\"."=x=1', "meta.team=退款", "-meta.team=search", "tool:search", 'tool:"book a flight"',
    "-tool:search", "tool:*", "dropped:seed", "key:key_1 (status:500 OR status:503)", "status:500 OR model:gpt-5 stream:no",
    "user:user-3 OR user:user-4", "workspace:ws_a", "tokens>=200 input<100", "session:session-3", "attempts>1",
    "rescued:retry", '"refund policy"', "REFUND", '"退款政策"', '"الاسترداد"', "ВОЗВРАТ", '"straße gesperrt"', '-"refund policy"',
    '"in text 3"', "te", '"refund policy" status:200', '"answer 12"', '"quote \\" and"', "nothing-like-this",
    "(status:200 (model:gpt-5 OR (meta.team=ads -stream:true)))", "reused:yes", "reused:no", "-reused:yes", "reused:*",
    "complete:no sdk:anthropic-python", "chunks>=5 finish_reasons:end_turn,max_tokens", "pricing_multiplier<1",
]  # fmt: skip


@pytest.mark.parametrize("text", FILTERS)
def test_each_filter_selects_what_it_says_in_pages_counts_and_scans(world, text):
    node = parse(text)
    want = [row.id for row in world.select(node)]
    query = PageQuery(scope=ALL, filter=node, limit=130)
    assert [entry.row.id for entry in world.pages(query)] == want
    assert world.store.count(query) == len(want)
    assert [entry.row.id for batch in world.store.scan(query) for entry in batch] == want[::-1]


def test_some_filters_select_some_rows(world):
    sizes = [len(world.select(parse(text))) for text in FILTERS]
    assert sum(0 < size < len(world.rows) for size in sizes) > 55


@pytest.mark.parametrize(
    "parameters",
    [
        {"status_code": "500,503"},
        {"cost_min": "10", "cost_max": 20},
        {"total_units_min": 100, "total_units_max": "200"},
        {"virtual_keys": "@main", "api_key_ids": ["key_1", "key_2"]},
        {"ai_org_model": "anthropic__claude-opus-4-7,openai__"},
        {"metadata": '{"team": "search"}'},
        {"metadata": {"team": ["ads", "search"]}, "workspace_slug": "ws_b"},
        {"trace_id": "trace-3,trace-4,trace-5"},
        {"cache_status": "hit,semantic hit"},
        {"no_such_parameter": "x"},
    ],
    ids=str,
)
def test_portkeys_parameters_select_the_same_everywhere(world, parameters):
    selection = read_parameters(parameters)
    want = [row.id for row in world.select(selection.filter)]
    assert [entry.row.id for entry in world.pages(PageQuery(scope=ALL, filter=selection.filter))] == want
    assert want
    assert (len(want) < len(world.rows)) == ("no_such_parameter" not in parameters)


@pytest.mark.parametrize(
    "low, high", [(START + DAY // 3, END - DAY // 7), (START, START + DAY), (END, END + DAY), (0, 1)]
)
def test_ranges_include_their_start_and_exclude_their_end(world, low, high):
    want = [row.id for row in world.select(EVERYTHING, ALL, low, high)]
    query = PageQuery(scope=ALL, from_us=low, to_us=high, limit=50)
    assert [entry.row.id for entry in world.pages(query)] == want
    assert world.store.count(query) == len(want)


def test_a_boundary_of_a_range_is_exact(world):
    at = sorted(row.started_us for row in world.rows)[100]
    below = world.store.count(PageQuery(scope=ALL, to_us=at))
    with_it = world.store.count(PageQuery(scope=ALL, to_us=at + 1))
    assert with_it - below == sum(row.started_us == at for row in world.rows) > 0


def test_rows_come_back_as_they_were(world):
    found = {entry.row.id: entry.row for entry in world.pages(PageQuery(scope=ALL, limit=1000))}
    assert found == {row.id: row for row in world.rows}


def test_previews_come_with_their_rows(world):
    for entry in world.pages(PageQuery(scope=ALL, limit=100)):
        assert entry.preview == world.previews.get(entry.row.id)


@pytest.mark.parametrize("sort", ["duration_us", "cost_nano", "total_tokens", "started_us"])
@pytest.mark.parametrize("is_ascending", [True, False])
def test_pages_by_other_columns_lose_and_repeat_nothing(world, sort, is_ascending):
    query = PageQuery(scope=ALL, filter=parse("stream:true"), limit=67, sort=sort, is_ascending=is_ascending)

    def key(row):
        value = getattr(row, sort)
        return (-1 if value is None else value, row.id)

    want = sorted(world.select(query.filter), key=key, reverse=not is_ascending)
    assert [entry.row.id for entry in world.pages(query)] == [row.id for row in want]


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "bm9jb2xvbg", "eDox"])
def test_a_cursor_that_no_page_gave_is_refused(world, cursor):
    with pytest.raises(InvalidRequest):
        world.store.page(PageQuery(scope=ALL, cursor=cursor))


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_out_of_range_is_refused(world, limit):
    with pytest.raises(InvalidRequest):
        world.store.page(PageQuery(scope=ALL, limit=limit))


SCOPES = {
    "one workspace": Scope(frozenset({"ws_a"})),
    "two workspaces": Scope(frozenset({"ws_a", "ws_b"})),
    "no workspace": Scope(frozenset()),
    "one key": Scope(None, frozenset({"key_2"})),
    "one key of a workspace": Scope(frozenset({"ws_b"}), frozenset({"key_1"})),
}


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
def test_nobody_sees_beyond_their_scope(world, scope):
    want = [row.id for row in world.select(EVERYTHING, scope)]
    assert [entry.row.id for entry in world.pages(PageQuery(scope=scope, limit=200))] == want
    assert world.store.count(PageQuery(scope=scope)) == len(want)
    inside = set(want)
    for row in world.rows[:9]:
        assert (world.store.get(row.id, scope) is not None) == (row.id in inside)
        assert {found.id for found in world.store.find(row.trace_id, scope)} <= inside
        assert {found.id for found in world.store.trace(row.trace_id, scope)} <= inside


def test_a_filter_cannot_widen_a_scope(world):
    node = parse("workspace:ws_b OR workspace:ws_a OR -workspace:ws_a")
    rows = world.pages(PageQuery(scope=Scope(frozenset({"ws_a"})), filter=node, limit=1000))
    assert {entry.row.workspace_id for entry in rows} == {"ws_a"}


def test_a_row_is_found_by_each_of_its_ids(world):
    for row in world.rows[::47]:
        assert world.store.get(row.id, ALL).row == row
        for id in (row.id, row.trace_id, row.span_id, row.response_id, row.session_id):
            if id is not None:
                assert row in world.store.find(id, ALL)
        digits = row.id.removeprefix("rec_")
        if len(digits) != 32:
            continue
        request_id = str(uuid.UUID(digits))
        assert row in world.store.find(request_id, ALL)
        assert list(world.store.find(request_id, Scope(frozenset({"ws_nobody"})))) == []


def test_an_unknown_id_finds_nothing(world):
    for id in ("", "nothing", record_id(START, 999_999), "x" * 600):
        assert world.store.get(id, ALL) is None
        assert list(world.store.find(id, ALL)) == []


def test_a_trace_has_all_its_rows_in_the_order_of_time(world):
    for number in range(0, 120, 11):
        want = sorted(
            (row for row in world.rows if row.trace_id == f"trace-{number}"), key=lambda r: (r.started_us, r.id)
        )
        assert list(world.store.trace(f"trace-{number}", ALL)) == want


def test_facets_are_counted_in_order(world):
    found = world.store.facets("model", PageQuery(scope=ALL, filter=parse("stream:true")))
    counts = {}
    for row in world.select(parse("stream:true")):
        counts[row.model] = counts.get(row.model, 0) + 1
    assert {facet.value: facet.count for facet in found} == counts
    assert [facet.count for facet in found] == sorted(counts.values(), reverse=True)
    assert len(world.store.facets("meta.team", PageQuery(scope=ALL), limit=2)) == 2


def test_a_scan_is_not_disturbed_by_rows_that_come_while_it_runs(own_world):
    scan = own_world.store.scan(PageQuery(scope=ALL))
    first = list(next(scan))
    own_world.store.append(_moved(own_world.rows[:50]))
    seen = [entry.row.id for entry in first] + [entry.row.id for batch in scan for entry in batch]
    assert sorted(seen) == sorted(row.id for row in own_world.rows)


def test_a_tail_gives_each_new_row_once(own_world):
    position = own_world.store.tail(ALL, EVERYTHING, None).position
    assert own_world.store.tail(ALL, EVERYTHING, position).rows == ()
    new = _moved(own_world.rows[:30])
    own_world.store.append(new[:20])
    first = own_world.store.tail(ALL, EVERYTHING, position, limit=100)
    own_world.store.append(new[20:])
    second = own_world.store.tail(ALL, parse("stream:true"), first.position, limit=100)
    assert {row.id for row in first.rows} == {row.id for row in new[:20]}
    assert {row.id for row in second.rows} == {row.id for row in new[20:] if row.is_stream}


def test_a_tail_says_how_many_rows_it_left_out(own_world):
    position = own_world.store.tail(ALL, EVERYTHING, None).position
    own_world.store.append(_moved(own_world.rows[:30]))
    found = own_world.store.tail(ALL, EVERYTHING, position, limit=10)
    assert (len(found.rows), found.skipped) == (10, 20)


def test_a_position_that_no_tail_gave_is_refused(world):
    with pytest.raises(InvalidRequest):
        world.store.tail(ALL, EVERYTHING, "nonsense")


def _moved(rows):
    """Return the rows as others of the next hours."""
    return [
        msgspec.structs.replace(row, id=record_id(END + n, 5000 + n), started_us=END + n) for n, row in enumerate(rows)
    ]
