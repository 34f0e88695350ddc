from lockgate.simulator.journal import Received, RequestLog


def entry(log, body=b""):
    one = Received(
        id=log.next_id(), method="POST", path="/", query="", headers=(("a", "1"), ("a", "2")), received_at=0.0
    )
    one.body = body
    log.append(one)
    return one


def test_the_newest_requests_are_kept():
    log = RequestLog(keep_requests=3, keep_bytes=10**9)
    for _ in range(5):
        entry(log)
    assert [one.id for one in log] == [3, 4, 5]
    assert len(log) == 3
    assert log[-1].id == 5
    assert [one.id for one in log[:2]] == [3, 4]
    assert [one.id for one in log.after(4)] == [5]


def test_the_log_is_bounded_in_bytes():
    log = RequestLog(keep_requests=100, keep_bytes=10_000)
    for _ in range(5):
        entry(log, b"x" * 4000)
    assert len(log) == 2


def test_what_an_answer_adds_counts_too():
    log = RequestLog(keep_requests=100, keep_bytes=10_000)
    entry(log)
    one = entry(log)
    before = one.size_bytes
    one.sent += b"x" * 8500
    log.grew(one, before)
    assert list(log) == [one]


def test_an_entry_that_is_gone_adds_nothing():
    log = RequestLog(keep_requests=1, keep_bytes=10_000)
    gone = entry(log)
    kept = entry(log)
    gone.sent += b"x" * 20_000
    log.grew(gone, 1000)
    assert list(log) == [kept]


def test_ids_go_on_after_clearing():
    log = RequestLog(keep_requests=3, keep_bytes=10_000)
    entry(log)
    log.clear()
    assert len(log) == 0
    assert entry(log).id == 2


def test_a_header_is_found_by_its_last_value():
    one = entry(RequestLog(keep_requests=3, keep_bytes=10_000))
    assert one.header("a") == "2"
    assert one.header("b") is None
