import msgspec

from lockgate.app.replaying import Answered
from lockgate.cli.replay_text import report, report_json
from lockgate.records.bodies.assembly import Timeline
from lockgate.records.comparing import Side, answer_diff, side_of
from lockgate.records.replay import Again
from tests.unit.records.rows import row

ROW = row(1, model="a", total_tokens=100, cost_nano=1_000_000, duration_us=1000, outcome="success")
AGAIN = Again(method="POST", path="/v1/messages", headers=[], body=b"{}", is_exact=True)


def stored(answer=b'{"text": "one\\ntwo"}'):
    return side_of(
        ROW, status=200, duration_us=1000, ttft_us=None, timeline=Timeline(("a", "b"), (0, 1, 1), (1, 1, 1), (1, 1, 1)),
        answer=answer,
    )  # fmt: skip


def answered(answer=b'{"text": "one\\ntwo"}', *, kinds=(0, 1, 1), **changes):
    new = None if changes.get("row", 1) is None else msgspec.structs.replace(ROW, id="rec_new", **changes)
    timeline = Timeline(("a", "b"), kinds, kinds, kinds)
    return Answered(
        status=200, record_id="rec_new", answer=answer, timeline=timeline, duration_us=5, first_us=2, row=new
    )


def text(*found):
    side = stored()
    return report(ROW, "2 bytes", side, found, [answer_diff(side.answer, each.side.answer) for each in found])


def test_the_same_is_told_in_one_line():
    said = text(answered())
    assert "answer (rec_new): the same" in said
    assert "(!)" not in said
    assert ["events", "3", "3"] in [line.split() for line in said.split("\n")]


def test_differences_are_marked_and_measured():
    said = text(
        answered(
            b'{"text": "one\\ntwo!"}',
            kinds=(0, 1),
            model="b",
            total_tokens=90,
            cost_nano=1_500_000,
            duration_us=500,
        )
    )
    lines = [" ".join(line.split()) for line in said.split("\n")]
    for line in (
        "model a b (!)", "total_tokens 100 90 (-10)", "cost $0.001 $0.0015 (+50%)", "duration 1 ms 500 us (-50%)",
        "events 3 2 (-1)", '-two"', '+two!"',
    ):  # fmt: skip
        assert line in lines, f"{line}\n{said}"
    assert "\x1b" not in text(answered(b"\x1b[2J"))


def test_several_replays_stand_beside_each_other():
    said = text(answered(), answered(b"{}"))
    assert "replay 1" in said
    assert "answer 1 (rec_new): the same" in said
    assert "answer 2 (rec_new):\n" in said


def test_what_is_not_known_is_said():
    assert "Tokens and cost of rec_new are not known" in text(answered(row=None))


def test_a_long_diff_is_cut():
    long = msgspec.json.encode([str(number) for number in range(500)])
    assert "lines more; see all of them with --json" in text(answered(long))


def test_the_report_for_programs():
    side, new = stored(), answered(b'{"text": "x"}', cost_nano=5)
    made = report_json(ROW, AGAIN, side, [new], [answer_diff(side.answer, new.side.answer)])
    read = msgspec.json.decode(msgspec.json.encode(made))
    assert (read["stored"]["cost_nano"], read["replays"][0]["cost_nano"]) == (1_000_000, 5)
    assert read["stored"]["events"] == {"a": 1, "b": 2}
    assert read["replays"][0]["answer"] == {"text": "x"}
    assert read["replays"][0]["same_answer"] is False
    assert isinstance(side, Side)
