import pytest

from lockgate.records.query.language import parse
from lockgate.records.query.matching import matcher
from lockgate.records.query.workspaces import has_workspaces, named_workspaces, with_workspace_ids
from tests.unit.records.rows import row

IDS = {"ws-search": "id-1", "ws-billing": "id-2"}
ROWS = {id: row(number, workspace_id=id) for number, id in enumerate(("id-1", "id-2", "id-3"))}


@pytest.mark.parametrize(
    "query, found",
    [
        ("workspace:ws-search", ["id-1"]),
        ("workspace:id-1", ["id-1"]),
        ("workspace:ws-search,id-3", ["id-1", "id-3"]),
        ("-workspace:ws-search", ["id-2", "id-3"]),
        ("workspace:ws-*", ["id-1", "id-2"]),
        ("workspace:ws-search OR workspace:ws-billing", ["id-1", "id-2"]),
        ('workspace~"^ws-b"', ["id-2"]),
        ("workspace:*", ["id-1", "id-2", "id-3"]),
        ("workspace:ws-nope", []),
        ("status:200", ["id-1", "id-2", "id-3"]),
    ],
)
def test_workspaces_are_found_by_slug_and_by_id(query, found):
    test = matcher(with_workspace_ids(parse(query, now_us=0), IDS))
    assert [id for id, one in ROWS.items() if test(one, None)] == found


def test_what_a_filter_names():
    assert list(named_workspaces(parse("workspace:a,b -workspace:c status:200 workspace:d*", now_us=0))) == [
        "a",
        "b",
        "c",
    ]
    assert has_workspaces(parse("workspace:d* refund", now_us=0))
    assert not has_workspaces(parse("status:200 refund", now_us=0))
