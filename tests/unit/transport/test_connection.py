"""A connection fed by hand: what a reader sees does not depend on how the bytes were cut, and garbage harms nobody."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.http import Timeouts
from lockgate.errors import Broken, Malformed, UpstreamError
from lockgate.transport.connection import BODY, DONE, FAILED, HEAD, HEAD_LIMIT, HIGH_WATER, IDLE, Connection

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: z\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + LENGTH
UNTIL_END = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
LEFTOVER = LENGTH + b"HTTP/1.1 200 OK\r\n"
GARBAGE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nzz\r\n"
CUT = LENGTH[:-2]
NOT_HTTP = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello"
SWITCH = b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"
ALL = [LENGTH, CHUNKED, INTERIM, UNTIL_END, CLOSING, LEFTOVER, GARBAGE, CUT, NOT_HTTP, SWITCH]


NEVER = Timeouts(**dict.fromkeys(Timeouts.__struct_fields__, 1000000000000.0))


class FakeTimer:
    """A timer that fires when the test lets it."""

    def __init__(self, at, callback):
        self.at = at
        self.callback = callback
        self.is_cancelled = False

    def cancel(self):
        self.is_cancelled = True


class FakeLoop:
    """A clock that the test moves, and futures of no loop."""

    def __init__(self):
        self.now = 1000.0
        self.timers = []

    def monotonic(self):
        return self.now

    def call_later(self, delay, callback):
        self.timers.append(FakeTimer(self.now + delay, callback))
        return self.timers[-1]

    def armed(self):
        return [timer for timer in self.timers if not timer.is_cancelled]

    def pass_time(self, until):
        """Move the clock and fire what is due on the way."""
        while due := [timer for timer in self.armed() if timer.at <= until]:
            timer = min(due, key=lambda timer: timer.at)
            self.timers.remove(timer)
            self.now = max(self.now, timer.at)
            timer.callback()
        self.now = until

    def create_future(self):
        return FakeFuture()


class FakeFuture:
    """A future that nobody awaits."""

    is_done = False

    def done(self):
        return self.is_done

    def set_result(self, result):
        self.is_done = True


class FakeTransport:
    """Remembers what was done to it."""

    def __init__(self):
        self.is_aborted = False
        self.is_paused = False
        self.written = b""
        self.unsent = 0

    def write(self, data):
        self.written += bytes(data)

    def abort(self):
        self.is_aborted = True

    def is_closing(self):
        return self.is_aborted

    def pause_reading(self):
        self.is_paused = True

    def resume_reading(self):
        self.is_paused = False

    def get_write_buffer_size(self):
        return self.unsent


class FakeOwner:
    """Counts what it is given."""

    def __init__(self):
        self.kept = 0
        self.forgotten = 0

    def keep(self, connection):
        self.kept += 1

    def forget(self, connection):
        self.forgotten += 1


class Rig:
    """A connection with its surroundings, in the middle of a request."""

    def __init__(self, *, method: str = "POST") -> None:
        self.owner, self.transport = FakeOwner(), FakeTransport()
        self.loop = FakeLoop()
        self.connection = Connection(self.owner, self.loop)
        self.connection.connection_made(self.transport)
        self.begin(method=method)

    def begin(self, *, method: str = "POST", timeouts: Timeouts = NEVER) -> None:
        self.connection.begin(is_head_request=method == "HEAD", timeouts=timeouts, started_at=self.loop.now)
        self.connection.write(b"request")

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            if not self.transport.is_aborted:
                self.connection.data_received(piece)

    def end(self, error: Exception | None = None) -> None:
        if not self.transport.is_aborted and error is None:
            self.connection.eof_received()
        self.connection.connection_lost(error)

    def seen(self) -> tuple:
        """What a reader can tell, and whether the connection can be used again."""
        connection = self.connection
        outcome = (
            connection.status,
            connection.headers if connection.status else None,
            b"".join(connection.pieces),
            connection.state,
            str(connection.error),
            connection.is_stale,
        )
        connection.release()
        return (*outcome, self.owner.kept, self.transport.is_aborted)


def play(pieces: list[bytes], *, ends: bool) -> tuple:
    """Feed an answer in pieces and return what was seen."""
    rig = Rig()
    rig.feed(*pieces)
    if ends:
        rig.end()
    return rig.seen()


def cut(wire: bytes, places) -> list[bytes]:
    """Cut bytes at some places."""
    edges = [0, *sorted(places), len(wire)]
    return [wire[a:b] for a, b in pairwise(edges) if a < b]


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("wire", ALL)
def test_every_cut_in_two_and_byte_by_byte_shows_the_same(wire, ends):
    whole = play([wire], ends=ends)
    for place in range(1, len(wire)):
        assert play(cut(wire, [place]), ends=ends) == whole, place
    assert play(cut(wire, range(1, len(wire))), ends=ends) == whole


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("wire", [LENGTH, CHUNKED, GARBAGE, LEFTOVER])
def test_every_cut_in_three_shows_the_same(wire, ends):
    whole = play([wire], ends=ends)
    for first in range(1, len(wire), 2):
        for second in range(first + 1, len(wire), 3):
            assert play(cut(wire, [first, second]), ends=ends) == whole, (first, second)


@given(st.sampled_from(ALL), st.data())
def test_any_cut_shows_the_same(wire, data):
    places = data.draw(st.sets(st.integers(1, len(wire) - 1), max_size=20))
    assert play(cut(wire, places), ends=True) == play([wire], ends=True)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=8), st.booleans())
def test_any_bytes_end_in_an_answer_or_in_an_error_of_ours(pieces, with_head):
    rig = Rig()
    rig.feed(*([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] if with_head else []), *pieces)
    rig.end()
    assert rig.connection.state in (DONE, FAILED)
    assert rig.connection.state == DONE or isinstance(rig.connection.error, UpstreamError)
    assert rig.owner.forgotten


@given(st.data())
def test_a_damaged_answer_ends_in_an_answer_or_in_an_error_of_ours(data):
    wire = bytearray(data.draw(st.sampled_from(ALL)))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    one = play([bytes(wire)], ends=True)
    assert one[3] in (DONE, FAILED)
    assert play(cut(bytes(wire), range(1, len(wire))), ends=True)[:4] == one[:4]


def test_one_parser_reads_answer_after_answer():
    rig = Rig()
    for number in range(5):
        rig.feed(LENGTH if number % 2 else CHUNKED)
        assert rig.connection.take() == b"hello"
        rig.connection.release()
        assert (rig.connection.state, rig.owner.kept) == (IDLE, number + 1)
        rig.begin()
        assert (rig.connection.state, rig.connection.headers, rig.connection.status) == (HEAD, [], 0)


def test_an_answer_to_head_has_no_body_and_the_next_one_has():
    rig = Rig(method="HEAD")
    rig.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert (rig.connection.state, rig.connection.status) == (DONE, 200)
    rig.connection.release()
    rig.begin()
    rig.feed(LENGTH)
    assert rig.connection.take() == b"hello"
    assert rig.owner.kept == 1


def test_bytes_for_nobody_close_the_connection():
    for prepare in (lambda rig: rig.feed(LENGTH), lambda rig: (rig.feed(LENGTH), rig.connection.release())):
        rig = Rig()
        prepare(rig)
        rig.feed(b"x")
        assert rig.transport.is_aborted
        assert rig.owner.forgotten


def test_only_a_silent_end_of_a_reused_connection_is_stale():
    fresh = Rig()
    fresh.end()
    assert not fresh.connection.is_stale

    for first_bytes, expected in ((b"", True), (b"H", False), (b"\r\n", False)):
        for error in (None, ConnectionResetError()):
            rig = Rig()
            rig.feed(LENGTH)
            rig.connection.take()
            rig.connection.release()
            rig.begin()
            rig.feed(*([first_bytes] if first_bytes else []))
            rig.end(error)
            assert rig.connection.is_stale is expected
            assert isinstance(rig.connection.error, Broken)


def test_a_connection_that_we_dropped_is_not_stale():
    rig = Rig()
    rig.feed(LENGTH)
    rig.connection.take()
    rig.connection.release()
    rig.begin()
    rig.connection.drop()
    rig.end()
    assert not rig.connection.is_stale


def test_a_reset_does_not_complete_a_body_without_a_length():
    rig = Rig()
    rig.feed(UNTIL_END)
    rig.end(ConnectionResetError())
    assert isinstance(rig.connection.error, Broken)


def test_reading_pauses_above_the_mark_and_goes_on_when_it_was_taken():
    rig = Rig()
    rig.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    rig.feed(b"x" * HIGH_WATER)
    assert not rig.transport.is_paused
    rig.feed(b"x")
    assert rig.transport.is_paused
    assert len(rig.connection.take()) == HIGH_WATER + 1
    assert not rig.transport.is_paused
    assert rig.connection.size == 0


def test_reading_does_not_pause_for_a_reader_who_is_waiting():
    rig = Rig()
    rig.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    waiter = rig.connection.wait(BODY)
    rig.feed(b"x" * (2 * HIGH_WATER))
    assert waiter.done()
    assert not rig.transport.is_paused


@pytest.mark.parametrize("step", [1024, 60_000, 256 * 1024])
def test_a_head_without_end_is_refused_soon(step):
    rig = Rig()
    taken = 0
    rig.feed(b"HTTP/1.1 200 OK\r\nX-Bomb: ")
    while not rig.transport.is_aborted:
        rig.feed(b"a" * step)
        taken += step
    assert isinstance(rig.connection.error, Malformed)
    assert taken <= HEAD_LIMIT + step


def test_a_complete_head_beyond_the_limit_is_refused_in_one_piece_too():
    head = b"HTTP/1.1 200 OK\r\n" + b"X: %s\r\n" % (b"a" * 1000) * 70 + b"Content-Length: 0\r\n\r\n"
    assert isinstance_error(play([head], ends=False), "too large")
    assert isinstance_error(play(cut(head, range(0, len(head), 500)), ends=False), "too large")


def test_a_large_body_in_the_piece_of_the_head_is_not_counted_as_head():
    rig = Rig()
    rig.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000)
    assert (rig.connection.state, rig.connection.size) == (DONE, 200_000)


def isinstance_error(seen: tuple, words: str) -> bool:
    return seen[3] == FAILED and words in seen[4]


def test_a_cancelled_wait_is_not_woken():
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        rig = Rig()
        rig.connection._loop = loop
        waiter = rig.connection.wait(BODY)
        waiter.cancel()
        rig.feed(LENGTH)
        assert waiter.cancelled()
        rig.connection.drop()

    asyncio.run(scenario())


def test_collecting_ends_with_the_request():
    rig = Rig()
    rig.connection.collect(10_000_000)
    rig.feed(LENGTH)
    rig.connection.take()
    rig.connection.release()
    rig.begin()
    rig.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n", b"x" * (HIGH_WATER + 1))
    assert rig.transport.is_paused


def test_the_end_of_an_idle_connection_is_noticed_at_once():
    rig = Rig()
    rig.feed(LENGTH)
    rig.connection.take()
    rig.connection.release()
    rig.connection.eof_received()
    assert rig.owner.forgotten == 1


LIMITS = Timeouts(pool_s=1e9, connect_s=1e9, tls_s=1e9, write_s=70, first_byte_s=50, idle_s=30, total_s=1000)


@pytest.fixture
def rig(monkeypatch):
    """A connection on a clock of its own, idle, with limits of 70, 50, 30 and 1000 seconds to come."""
    rig = Rig()
    monkeypatch.setattr("lockgate.transport.connection.monotonic", rig.loop.monotonic)
    rig.feed(LENGTH)
    rig.connection.take()
    rig.connection.release()
    rig.begin(timeouts=LIMITS)
    return rig


def phase_after(rig: Rig, seconds: float) -> str | None:
    """Let time pass and return the limit that ran out, if one did."""
    rig.loop.pass_time(rig.loop.now + seconds)
    return getattr(rig.connection.error, "phase", None)


def test_the_first_byte_is_due_after_its_limit_and_not_before(rig):
    rig.connection.wait(BODY)
    assert phase_after(rig, 49.9) is None
    assert phase_after(rig, 0.2) == "first_byte"
    assert rig.transport.is_aborted


def test_every_byte_of_a_head_starts_the_idle_limit_anew(rig):
    rig.connection.wait(BODY)
    for byte in b"HTTP/1.1 200 OK":
        assert phase_after(rig, 29.9) is None
        rig.feed(bytes([byte]))
    assert phase_after(rig, 30.1) == "idle"


def test_a_wait_for_the_body_is_due_from_its_own_start(rig):
    rig.feed(LENGTH[:-1])
    assert phase_after(rig, 500) is None  # nobody waits: only the whole has a limit
    rig.connection.wait(BODY)
    assert phase_after(rig, 29.9) is None
    assert phase_after(rig, 0.2) == "idle"


def test_the_whole_has_a_limit_whoever_is_slow(rig):
    rig.feed(LENGTH[:-1])
    assert phase_after(rig, 999.9) is None
    assert phase_after(rig, 0.2) == "total"


def test_writing_is_due_only_when_nothing_was_taken(rig):
    rig.transport.unsent = 1_000_000
    rig.connection.pause_writing()
    for _ in range(8):
        assert phase_after(rig, 69) is None
        rig.transport.unsent -= 1
    assert phase_after(rig, 140) == "write"


def test_a_write_that_never_moved_is_due_after_its_limit(rig):
    rig.transport.unsent = 1_000_000
    rig.connection.pause_writing()
    assert phase_after(rig, 69.9) is None
    assert phase_after(rig, 0.2) == "write"


def test_the_first_byte_is_awaited_from_the_end_of_writing(rig):
    rig.connection.pause_writing()
    assert phase_after(rig, 60) is None
    rig.connection.resume_writing()
    assert phase_after(rig, 49.9) is None
    assert phase_after(rig, 0.2) == "first_byte"


def test_many_requests_arm_one_timer(rig):
    for _ in range(100):
        rig.feed(LENGTH)
        rig.connection.take()
        rig.connection.release()
        rig.begin(timeouts=LIMITS)
    assert len(rig.loop.timers) <= 2
    assert len(rig.loop.armed()) == 1


def test_an_idle_connection_stops_its_clock(rig):
    rig.feed(LENGTH)
    rig.connection.take()
    rig.connection.release()
    assert phase_after(rig, 10_000) is None
    assert rig.loop.armed() == []
    rig.begin(timeouts=LIMITS)
    assert phase_after(rig, 50.1) == "first_byte"


def test_a_lost_connection_leaves_no_timer(rig):
    rig.end()
    assert rig.loop.armed() == []
