"""Retries: the tables of section 4.3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.routing.outcome import Origin, Outcome
from lockgate.routing.retry import DEFAULT_CODES, MAX_WAIT_S, RetryPolicy, can_retry, read_retry_after, wait_s
from tests.unit.routing.configs import BROKEN, LOST, TIMEOUT, scene_of, status, waits

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def retry(**settings):
    return {"provider": "@a", "retry": settings}


def asked(code: int, *waits_s: float):
    return [status(code, retry_after_s=wait) for wait in waits_s]


@pytest.mark.parametrize(
    "attempts, expected", [(1, [1]), (2, [1, 2]), (5, [1, 2, 4, 8, 16]), (9, [1, 2, 4, 8, 16]), ("3", [1, 2, 4])]
)
def test_the_schedule_doubles_and_ends_with_the_attempts(attempts, expected):
    assert waits(retry(attempts=attempts), [status(500)]) == (expected, -1)


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504, 529])
def test_statuses_that_are_tried_again_by_default(code):
    assert waits(retry(attempts=1), [status(code)]) == ([1], -1)


@pytest.mark.parametrize("code", [200, 246, 400, 401, 403, 404, 408, 409, 412, 413, 422, 446, 501, 505])
def test_statuses_that_are_not_tried_again_by_default(code):
    assert waits(retry(attempts=3), [status(code)]) == ([], 0)


@pytest.mark.parametrize(
    "codes, code, expected",
    [
        ([418], 418, ([1], -1)),
        ([418], 500, ([], 0)),
        (["418"], 418, ([1], -1)),
        ([], 529, ([1], -1)),
        ([], 418, ([], 0)),
        ([408], 408, ([1], -1)),
        ([206], 206, ([1], -1)),
    ],
)
def test_a_list_takes_the_place_of_the_default_one_and_an_empty_list_does_not(codes, code, expected):
    assert waits(retry(attempts=1, on_status_codes=codes), [status(code)]) == expected


def test_without_retry_nothing_is_tried_again():
    assert waits({"provider": "@a"}, [status(500)]) == ([], 0)
    assert waits({"provider": "@a"}, [LOST]) == ([], 0)
    assert waits(retry(attempts=0), [LOST]) == ([], 0)
    assert waits(retry(attempts=-3), [LOST]) == ([], 0)


@pytest.mark.parametrize("outcome", [LOST, BROKEN], ids=["refused", "reset"])
def test_a_lost_connection_is_tried_again_whatever_the_list(outcome):
    assert waits(retry(attempts=2, on_status_codes=[418]), [outcome]) == ([1, 2], -1)


def test_our_own_timeout_is_tried_again_only_if_the_list_names_it():
    assert waits(retry(attempts=2), [TIMEOUT]) == ([], 0)
    assert waits(retry(attempts=2, on_status_codes=[408]), [TIMEOUT]) == ([1, 2], -1)


@pytest.mark.parametrize(
    "outcomes, header",
    [
        ([status(200)], 0),
        ([status(500), status(200)], 1),
        ([status(500), LOST, status(200)], 2),
        ([status(500), status(400)], 1),
        ([status(500)], -1),
    ],
)
def test_the_attempt_header(outcomes, header):
    assert waits(retry(attempts=2), outcomes)[1] == header


@pytest.mark.parametrize("origin", [Origin.REFUSAL, Origin.LIMIT, Origin.INPUT_HOOK, Origin.CACHE])
def test_what_was_not_sent_is_not_tried_again(origin):
    policy = RetryPolicy(attempts=5, codes=frozenset({400, 412, 429, 446, 200}))
    assert not any(can_retry(policy, Outcome(status=code, origin=origin)) for code in (400, 412, 429, 446, 200))


@pytest.mark.parametrize("code", [246, 446])
def test_what_an_output_hook_turned_down_is_asked_for_again_at_once(code):
    outcome = Outcome(status=code, origin=Origin.OUTPUT_HOOK)
    assert waits(retry(attempts=2), [outcome]) == ([], 0)
    assert waits(retry(attempts=2, on_status_codes=[code]), [outcome]) == ([0, 0], -1)
    shared = [status(500), outcome, status(500)]
    assert waits(retry(attempts=3, on_status_codes=[code, 500]), shared) == ([1, 0, 4], -1)


def test_a_spent_credential_is_not_tried_again():
    assert waits(retry(attempts=5), [status(429, is_exhausted=True)]) == ([], 0)


# ---- Retry-After


@pytest.mark.parametrize(
    "name, value, seconds",
    [
        ("retry-after-ms", "1500", 1.5),
        ("retry-after-ms", "0.5", 0.0005),
        ("x-ms-retry-after-ms", "250", 0.25),
        ("retry-after", "7", 7.0),
        ("retry-after", "1.25", 1.25),
        ("retry-after", ".5", 0.5),
        ("retry-after", " 3 ", 3.0),
        ("retry-after", "0", 0.0),
        ("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("retry-after", "Tuesday, 14-Nov-23 22:13:50 GMT", 30.0),
        ("retry-after", "Tue Nov 14 22:13:50 2023", 30.0),
        ("retry-after", "Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("x-retry-after", "4", 4.0),
        ("x-retry-after-ms", "4000", 4.0),
        ("retry-after", "86400", 86400.0),
        ("retry-after", "soon", None),
        ("retry-after", "-1", None),
        ("retry-after", "nan", None),
        ("retry-after", "inf", None),
        ("retry-after", "1e3", None),
        ("retry-after", "", None),
        ("retry-after", "Tue, 99 Nov 2023 22:13:50 GMT", None),
        ("retry-after-ms", "Tue, 14 Nov 2023 22:13:50 GMT", None),
        ("x-ratelimit-reset", "5", None),
    ],
)
def test_every_spelling_of_retry_after(name, value, seconds):
    found = read_retry_after([(b"content-type", b"x"), (name.encode(), value.encode())], lambda: NOW)
    assert found == (seconds if seconds is None else pytest.approx(seconds))


def test_milliseconds_come_before_seconds_and_what_cannot_be_read_is_passed_over():
    names = [b"x-retry-after-ms", b"x-retry-after", b"retry-after", b"x-ms-retry-after-ms", b"retry-after-ms"]
    headers = [(name, str(at + 1).encode()) for at, name in enumerate(names)]
    assert read_retry_after(headers, lambda: NOW) == pytest.approx(0.005)
    broken = [(b"retry-after-ms", b"soon"), (b"retry-after", b"2")]
    assert read_retry_after(broken, lambda: NOW) == 2.0


@given(st.binary(max_size=40))
def test_any_retry_after_is_read_or_passed_over(value):
    found = read_retry_after([(b"retry-after", value)], lambda: NOW)
    assert found is None or found >= 0


def test_the_providers_wait_takes_the_place_of_one_step_only():
    config = retry(attempts=4, use_retry_after_headers=True)
    outcomes = [*asked(429, 3.5), status(500), *asked(503, 0.0), status(500)]
    assert waits(config, outcomes) == ([3.5, 2, 0.0, 8], -1)


@pytest.mark.parametrize("settings", [{}, {"use_retry_after_headers": False}])
def test_the_providers_wait_counts_only_when_asked_for(settings):
    assert waits(retry(attempts=1, **settings), asked(429, 9.0)) == ([1], -1)


def test_the_older_spelling_of_the_switch():
    assert waits(retry(attempts=1, use_retry_after_header=True), asked(429, 9.0)) == ([9.0], -1)
    assert waits({"provider": "@a", "retry": {"attempts": 1, "useRetryAfterHeaders": True}}, asked(429, 9.0))[0] == [9]


@pytest.mark.parametrize(
    "given_s, expected",
    [
        ([59.9], ([59.9], 1)),
        ([60], ([], -1)),
        ([86400], ([], -1)),
        ([20, 50], ([20], -1)),
        ([20, 40, 0], ([20, 40, 0], 3)),
        ([20, 40, 0, 1], ([20, 40, 0], -1)),
        ([30, 30, 0.1], ([30, 30], -1)),
    ],
)
def test_waits_above_a_minute_alone_or_together_end_the_retries(given_s, expected):
    config = retry(attempts=5, use_retry_after_headers=True)
    assert waits(config, [*asked(429, *given_s), status(400)]) == expected


@pytest.mark.parametrize("roll, factor", [(0.0, 0.5), (0.5, 0.75), (0.999, 0.9995)])
def test_waits_of_the_schedule_may_be_shortened_by_chance(roll, factor):
    config = {"provider": "@a", "retry": {"attempts": 5, "use_retry_after_headers": True}}
    scene = scene_of(rolls=[roll], has_jitter=True)
    found, _ = waits(config, [status(500)], scene)
    assert found == pytest.approx([seconds * factor for seconds in (1, 2, 4, 8, 16)])
    asked, _ = waits(config, [status(429, retry_after_s=3)], scene)
    assert asked == [3] * 5, "what a provider asks for is waited as it is"


def test_backoff_counts_towards_the_minute():
    config = retry(attempts=5, use_retry_after_headers=True)
    assert waits(config, [status(500), status(500), *asked(429, 57.5)]) == ([1, 2], -1)
    assert waits(config, [*asked(429, 59), status(500)]) == ([59], -1)


@given(
    st.lists(st.one_of(st.none(), st.floats(min_value=0, max_value=100)), min_size=5, max_size=5),
    st.booleans(),
)
def test_no_target_is_waited_for_longer_than_a_minute(given_s, uses):
    policy = RetryPolicy(attempts=5, uses_retry_after=uses)
    waited = 0.0
    for retry_number, wait in enumerate(given_s, 1):
        found = wait_s(policy, status(429, retry_after_s=wait), retry_number, waited)
        if found is None:
            break
        waited += found
        assert waited <= MAX_WAIT_S


def test_the_default_list():
    assert {429, 500, 502, 503, 504, 529} == DEFAULT_CODES
