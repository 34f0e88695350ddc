import json

import pytest

from lockgate.records.store import Scope


def test_feedback_is_kept_changed_and_counted(plane):
    made = plane.ask("POST", "/feedback", key="service", json={"trace_id": "t1", "value": 1, "metadata": {"n": 3}})
    assert made.status_code == 200, made.text
    (id,) = made.json()["feedback_ids"]
    assert made.json()["status"] == "success"
    many = plane.ask("POST", "/feedback", key="service",
        json=[{"trace_id": "t1", "value": -10, "weight": 0.5}, {"trace_id": "unknown", "value": 2}],
    )  # fmt: skip
    assert len(many.json()["feedback_ids"]) == 2
    assert plane.ask("PUT", f"/feedback/{id}", key="other", json={"value": 5}).status_code == 404
    assert plane.ask("PUT", f"/feedback/{id}", key="service", json={"value": 5}).status_code == 200
    kept = plane.desk.reader.feedback_of(["t1"], Scope(workspaces=frozenset({plane.home.id})))
    assert sorted((one.value, one.weight, json.dumps(one.metadata)) for one in kept) == [
        (-10, 0.5, "{}"), (5, 1.0, '{"n": "3"}'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body, path",
    [
        ({"trace_id": "t"}, "value"), ({"value": 1}, "trace_id"), ({"trace_id": "t", "value": 11}, "value"),
        ([{"trace_id": "t", "value": 1}, {"trace_id": "t", "value": 99}], "[1].value"),
        ({"trace_id": "t", "value": 1, "metadata": "{"}, "metadata"), ([], None),
    ],
)  # fmt: skip
def test_feedback_that_is_wrong_is_refused_as_a_whole(plane, body, path):
    answer = plane.ask("POST", "/feedback", key="service", json=body)
    assert answer.status_code == 400, answer.text
    if path is not None:
        assert answer.json()["error"]["param"].endswith(path)
    assert not plane.desk.reader.feedback(Scope(workspaces=frozenset({plane.home.id})))
