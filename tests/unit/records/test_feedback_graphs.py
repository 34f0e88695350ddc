from __future__ import annotations

import pytest

from lockgate.errors import NotFound
from lockgate.records.analytics import Question
from lockgate.records.feedback_graphs import FEEDBACK_GRAPHS, feedback_by_metadata, feedback_graph, weighted
from lockgate.records.query.language import parse
from lockgate.records.query.matching import matcher
from lockgate.records.store import ALL, Feedback
from tests.unit.records.rows import HOUR_US, START, row


def item(number, value, weight=1.0, at=0):
    return Feedback(
        id=f"f{number}-{at}", trace_id=f"t{number}", workspace_id="ws", value=value, weight=weight, created_us=START + at, updated_us=START,
    )  # fmt: skip


ITEMS = [item(1, 10, 1.0), item(1, 0, 0.5, at=HOUR_US), item(2, -10, 1.0, at=2 * HOUR_US), item(9, 5, 0.0, at=1)]


class Store:
    """Three requests, the third without feedback; and feedback on a trace that nobody knows."""

    def feedback(self, _scope, *, from_us, to_us):
        return [found for found in ITEMS if from_us <= found.created_us < to_us]

    def rows_of_traces(self, trace_ids, _scope, *, where):
        test = matcher(where)
        rows = [
            row(1, model="m1", metadata={"team": "a"}),
            row(2, model="m2", metadata={"team": "b"}),
            row(3, model="m1", trace_id="t1", metadata={"team": "a"}),
        ]
        return [found for found in rows if found.trace_id in trace_ids and test(found, None)]


def ask(name, text=""):
    return feedback_graph(
        Store(), name, Question(scope=ALL, filter=parse(text), from_us=START, to_us=START + 3 * HOUR_US)
    )


def test_averages_are_weighted():
    assert weighted(ITEMS) == (10 * 1.0 + 0 * 0.5 - 10 * 1.0 + 5 * 0.0) / 2.5
    assert weighted([item(1, 5, 0.0)]) is None
    assert weighted([]) is None


def test_counts_over_time():
    answer = ask("feedbacks")
    assert answer["summary"] == {"total": 4}
    assert sum(point["total"] for point in answer["data_points"]) == 4
    assert [point["total"] for point in answer["data_points"] if point["total"]] == [2, 1, 1]


def test_scores_and_averages():
    assert ask("feedbacks/scores")["data"] == [
        {"score": -10, "total": 1},
        {"score": 0, "total": 1},
        {"score": 5, "total": 1},
        {"score": 10, "total": 1},
    ]
    assert ask("feedbacks/weighted")["summary"] == {"avg": 0.0}


def test_models():
    assert ask("feedbacks/ai-models")["data"] == [
        {"ai_model": "m1", "total": 2, "avg_weighted_feedback": 10 / 1.5}, {"ai_model": "m2", "total": 1, "avg_weighted_feedback": -10.0},
    ]  # fmt: skip


@pytest.mark.parametrize("name", FEEDBACK_GRAPHS)
def test_filters_look_at_the_rows_of_the_trace(name):
    assert (
        ask(name, "model:m2")["summary"]
        == {
            "feedbacks": {"total": 1},
            "feedbacks/scores": {"total": 1},
            "feedbacks/weighted": {"avg": -10.0},
            "feedbacks/ai-models": {},
        }[name]
    )
    assert ask(name, "model:nothing")["summary"] in ({"total": 0}, {"avg": None}, {})


def test_metadata():
    question = Question(scope=ALL, from_us=START, to_us=START + HOUR_US)
    assert feedback_by_metadata(Store(), "team", question) == {"a": (10 / 1.5, 2), "b": (-10.0, 1)}


def test_there_is_no_other_graph():
    with pytest.raises(NotFound):
        ask("feedbacks/moons")
