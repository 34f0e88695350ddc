from __future__ import annotations

import pytest

from lockgate.records.embedded.feedback import FeedbackFile
from lockgate.records.query.language import parse
from lockgate.records.query.tree import Compare, Not
from lockgate.records.store import ALL, Feedback, Scope


@pytest.fixture
def file(tmp_path):
    found = FeedbackFile(tmp_path / "f.db")
    found.create()
    return found


def item(number, **changes):
    values = {
        "id": f"fb{number}",
        "trace_id": f"t{number}",
        "workspace_id": "a",
        "value": number,
        "created_us": number,
        "updated_us": number,
    }
    return Feedback(**(values | changes))


def test_all_are_kept_or_none(file):
    with pytest.raises(OverflowError):
        file.add([item(1), item(2, value=2**70)])
    assert file.between(ALL, 0, 100) == []


def test_feedback_is_dropped_by_trace(file):
    file.add([item(1), item(2), item(3, trace_id="t1")])
    file.drop(["t1"])
    assert [found.id for found in file.between(ALL, 0, 100)] == ["fb2"]


@pytest.mark.parametrize(
    "text, traces",
    [
        ("feedback_value:3", ("t3",)),
        ("feedback_average>=2", ("t2", "t3")),
        ("feedback_count:1", ("t1", "t2", "t3")),
        ("feedback_value:*", ("t1", "t2", "t3")),
    ],
)
def test_conditions_become_trace_ids(file, text, traces):
    file.add([item(1), item(2), item(3)])
    found = file.resolve(parse(text), ALL)
    assert (found.field, sorted(found.values)) == ("trace_id", list(traces))
    assert isinstance(file.resolve(parse(f"-{text}"), ALL), Not)


def test_conditions_see_only_their_scope(file):
    file.add([item(1), item(2, workspace_id="b")])
    found = file.resolve(parse("feedback_value:*"), Scope(frozenset({"b"})))
    assert found == Compare("trace_id", "in", ("t2",))


def test_other_conditions_stay(file):
    node = parse("status:200 OR (-model:x text)")
    assert file.resolve(node, ALL) == node
