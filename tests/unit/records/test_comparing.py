import json

from lockgate.records.bodies.assembly import Timeline
from lockgate.records.comparing import answer_diff, events_of, side_of
from tests.unit.records.rows import row


def answer(**changes):
    made = {"id": "msg_1", "created": 1, "content": [{"type": "tool_use", "id": "toolu_abcd1", "input": {"q": "a\nb"}}]}
    return json.dumps(made | changes).encode()


def test_what_differs_always_is_no_difference():
    other = answer(id="msg_2", created=2, content=[{"type": "tool_use", "id": "toolu_efgh2", "input": {"q": "a\nb"}}])
    assert answer_diff(answer(), other) == []


def test_differences_are_shown_line_by_line():
    other = answer(content=[{"type": "tool_use", "id": "toolu_efgh2", "input": {"q": "a\nc"}}])
    changed = [line.strip() for line in answer_diff(answer(), other) if line[0] in "+-"]
    assert changed == ["--- stored", "+++ replay", '-b"', '+c"']
    assert answer_diff(b"plain", b"other") != []
    assert answer_diff(b"", answer()) != []


def test_events_are_counted_by_kind():
    assert events_of(Timeline(("a", "b"), (0, 1, 1, 0, 1), (1, 1, 1, 1, 1), (9, 9, 9, 9, 9))) == {"a": 2, "b": 3}
    assert events_of(None) == {}


def test_a_side_holds_what_its_record_says_and_no_secret():
    secret = b'{"text": "sk-ant-api03-' + b"a1B2" * 20 + b'"}'
    side = side_of(row(1, total_tokens=7), status=200, duration_us=5, ttft_us=None, timeline=None, answer=secret)
    assert (side.values["status_code"], side.values["total_tokens"], side.values["cost_nano"]) == (200, 7, 1)
    assert b"a1B2a1B2" not in side.answer
    assert side_of(None, status=200, duration_us=5, ttft_us=2, timeline=None, answer=b"").values["total_tokens"] is None
