import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.capture import Capture, CapturedStream
from lockgate.core.recording import Rules
from lockgate.records.messages import (
    LENGTH_BYTES,
    Begin,
    Captures,
    Needed,
    Report,
    ReportReader,
    read_message,
    write_message,
)
from lockgate.records.shipping.shipper import ShipperStatus
from lockgate.records.tending import Task

CAPTURE = Capture(
    record_id="rec_1",
    started_at=1.5,
    rules=Rules(mode="redacted", personal=("email",)),
    request=b"\x00\xff{}",
    response_stream=CapturedStream(dialect="d", pieces=[b"a", b"b"], at_s=[1.0, 2.0], size_bytes=2),
    request_headers=[(b"a", b"b")],
    secrets=[(b"n", b"s")],
)


@pytest.mark.parametrize(
    "message",
    [
        Begin(task=Task(records="/r", journal="/j", salt=b"\x01"), dialects=("x",), level="info"),
        Needed(7),
        Needed(None),
    ],
    ids=["begin", "needed", "nothing needed"],
)
def test_messages_come_back(message):
    data = write_message(message)
    assert int.from_bytes(data[:LENGTH_BYTES], "big") == len(data) - LENGTH_BYTES
    assert read_message(data[LENGTH_BYTES:]) == message


def test_captures_come_back_with_all_that_they_hold():
    (found,) = read_message(write_message(Captures([CAPTURE]))[LENGTH_BYTES:]).captures
    assert (found.request, found.rules, found.response_stream.pieces) == (CAPTURE.request, CAPTURE.rules, [b"a", b"b"])
    assert ([tuple(pair) for pair in found.request_headers], tuple(found.secrets[0])) == ([(b"a", b"b")], (b"n", b"s"))


def test_garbage_is_no_message():
    with pytest.raises(ValueError):
        read_message(b"\xc1nonsense")


@given(st.lists(st.integers(1, 200), max_size=6))
def test_the_last_report_is_read_however_it_is_cut(cuts):
    reports = [Report(taken=n, shed=0, status=ShipperStatus(rows=n)) for n in (1, 2, 3)]
    data = b"".join(map(write_message, reports))
    reader, found, at = ReportReader(), None, 0
    for size in [*cuts, len(data)]:
        found, at = reader.feed(data[at : at + size]) or found, at + size
    assert found == reports[-1]
