import pytest

from lockgate.cli.log_pages import body_text, moment_line, record_page
from lockgate.records.bodies.assembly import Timeline
from lockgate.records.bodies.kept import View
from lockgate.records.bodies.store import Bodies
from lockgate.records.store import Entry
from tests.unit.records.rows import row


def view(data, **more):
    return View(name="request", data=data, size_bytes=len(data), **more)


def page(bodies=None, **changes):
    return record_page(Entry(row(1, **changes)), bodies, "not kept: off")


def test_a_record_with_nothing_but_an_id_can_be_shown():
    assert "rec_1" in page(cost_nano=None, status_code=None, duration_us=None)
    assert "not kept: off" in page()


def test_what_is_damaged_is_left_out():
    said = page(attempts="[", cost_parts="{", units="{", extra="{", cost_status="priced")
    assert "attempts" not in said
    assert "cost (priced" in said


def test_stages_are_drawn_one_after_the_other():
    lines = page(duration_us=100, receive_us=50, upstream_first_us=50).split("\n")
    bars = [line.count("█") for line in lines if "█" in line]
    assert bars == [20, 20]
    assert [line.index("█") for line in lines if "█" in line] == sorted(
        line.index("█") for line in lines if "█" in line
    )


def test_what_was_cut_or_taken_out_is_told():
    bodies = Bodies({"request": view(b"ab", is_truncated=True)}, [("a", "b")], [], {"anthropic-key": 2})
    said = page(bodies)
    assert "request (2 bytes, cut: 2 are kept)\nab" in said
    assert "2 x anthropic-key" in said
    assert "a: b" in said


def test_members_that_this_version_does_not_know_are_shown():
    assert "replay_of         rec_0" in page(extra='{"replay_of":"rec_0","n":1}')


@pytest.mark.parametrize(
    "data, text",
    [
        (b'{"a":1}', '{\n  "a": 1\n}'),
        (b"plain \xf0\x9f\x99\x82", "plain 🙂"),
        (b"\x1b[2Jx\x00", "�[2Jx�"),
        (b"\xff\xfe", "(not text; its first bytes are ff fe)"),
    ],
)
def test_bodies_are_safe_to_print(data, text):
    assert body_text(view(data)) == text


def test_the_events_of_a_stream_are_counted():
    bodies = Bodies({}, [], [], {}, Timeline(("start", "delta"), (0, 1, 1), (5000, 1000, 500), (9, 9, 9)))
    assert "events: 1 x start, 2 x delta; from the first to the last 1.5 ms" in page(bodies)


def test_a_line_to_choose_from():
    assert "rec_1  200" in moment_line(row(1))


def test_an_attempt_that_failed_says_where_what_and_how_long_to_wait():
    attempts = (
        '[{"provider":"anthropic","slug":"main","status":529,"error":"upstream_rejected","error_type":"overloaded_error",'
        '"host":"api.anthropic.com","retry_after_ms":7000}]'
    )
    said = page(attempts=attempts)
    assert "status 529  error upstream_rejected  overloaded_error  host api.anthropic.com  retry after 7.00 s" in said


def test_what_is_known_of_caller_and_way_is_shown():
    said = page(
        client_sdk="anthropic-python", client_ip="203.0.113.0/24", node_id="host-7", conn_reused=True, stream_complete=True,
        upstream_host="api.anthropic.com", cache_source_log_id="rec_0", finish_reasons=("end_turn",), connect_us=None,
    )  # fmt: skip
    for line in ("sdk               anthropic-python", "ip                203.0.113.0/24", "node              host-7",
                 "reused            yes", "complete          yes", "host              api.anthropic.com",
                 "cache_source_log_id  rec_0"):  # fmt: skip
        assert line in said.split("\n"), line
