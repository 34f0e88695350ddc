"""Circuits: the table of section 4.7, with an injected clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.routing.breaker import BreakerPolicy, Circuits, Observation, observation_of
from lockgate.routing.outcome import Origin, Outcome
from tests.unit.routing.configs import LOST, TIMEOUT, status

BY_COUNT = BreakerPolicy(cooldown_s=60.0, failures=3)
BY_SHARE = BreakerPolicy(cooldown_s=60.0, percentage=50, minimum=4)


class Run:
    """Feeds answers to one circuit: ``f`` a failure, ``s`` a success, a number moves the clock."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self.circuits = Circuits()
        self.policy = policy
        self.now = 1000.0

    def __call__(self, *events: str | float) -> bool:
        for event in events:
            if isinstance(event, str):
                for letter in event:
                    self.circuits.observe("o", seen(self.policy, is_failure=letter == "f"), self.now)
            else:
                self.now += event
        return self.circuits.is_open("o", "config.targets[0]", self.policy, self.now)


def seen(policy, *, is_failure, is_exhausted=False):
    return Observation(path="config.targets[0]", policy=policy, is_failure=is_failure, is_exhausted=is_exhausted)


@pytest.mark.parametrize(
    "policy, events, is_open",
    [
        (BY_COUNT, ["ff"], False),
        (BY_COUNT, ["fff"], True),
        (BY_COUNT, ["fsfsssf"], True),
        (BY_COUNT, ["fff", 59.9], True),
        (BY_COUNT, ["fff", 60.0], False),
        (BY_COUNT, ["fff", 60.0, "ff"], False),
        (BY_COUNT, ["fff", 60.0, "fff"], True),
        (BY_COUNT, ["ff", 60.0, "f"], False),
        (BY_COUNT, ["f", 59.0, "f", 59.0, "f"], True),
        (BY_COUNT, ["f", 59.0, "s", 59.0, "ff"], False),
        (BY_SHARE, ["fff"], False),
        (BY_SHARE, ["ffff"], True),
        (BY_SHARE, ["sssf"], False),
        (BY_SHARE, ["ssff"], True),
        (BY_SHARE, ["ssssssfffff"], False),
        (BY_SHARE, ["sssssffff", "f"], True),
        (BreakerPolicy(cooldown_s=30.0, percentage=100), ["f"], True),
        (BreakerPolicy(cooldown_s=30.0, percentage=1), ["s" * 99, "f"], True),
        (BreakerPolicy(cooldown_s=30.0, percentage=1), ["s" * 100, "f"], False),
        (BreakerPolicy(cooldown_s=30.0, failures=9, percentage=50, minimum=2), ["ff"], True),
        (BreakerPolicy(cooldown_s=30.0, failures=2, percentage=50, minimum=9), ["ff"], True),
        (BreakerPolicy(cooldown_s=30.0, failures=2.5), ["ff"], False),
    ],
)
def test_when_a_circuit_is_open(policy, events, is_open):
    assert Run(policy)(*events) is is_open


def test_an_open_circuit_closes_on_time_whatever_is_answered_meanwhile():
    run = Run(BY_COUNT)
    assert run("fff", 30.0, "fffff", 29.0)
    assert not run(1.0)
    assert not run("ff")


def test_a_spent_credential_opens_the_circuit_at_once():
    circuits = Circuits()
    circuits.observe("o", seen(BY_COUNT, is_failure=True, is_exhausted=True), 0.0)
    assert circuits.is_open("o", "config.targets[0]", BY_COUNT, 59.0)


@pytest.mark.parametrize(
    "codes, outcome, is_failure",
    [
        (None, status(200), False),
        (None, status(429), False),
        (None, status(499), False),
        (None, status(500), True),
        (None, status(529), True),
        (None, LOST, True),
        (None, Outcome(status=408, origin=Origin.CONNECTION), True),
        (None, TIMEOUT, False),
        ({408}, TIMEOUT, True),
        ({429}, status(429), True),
        ({429}, status(500), False),
        ({429}, LOST, False),
        ({500}, LOST, True),
        ({429}, status(402, is_exhausted=True), True),
        (None, Outcome(status=412, origin=Origin.LIMIT), False),
        ({412}, Outcome(status=412, origin=Origin.LIMIT), True),
        (None, Outcome(status=446, origin=Origin.OUTPUT_HOOK), False),
    ],
)
def test_what_counts_as_a_failure(codes, outcome, is_failure):
    policy = BreakerPolicy(cooldown_s=30.0, failures=1, codes=frozenset(codes) if codes else None)
    assert observation_of("config", policy, outcome).is_failure is is_failure


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(status=200, origin=Origin.CACHE),
        Outcome(status=446, origin=Origin.INPUT_HOOK),
        Outcome(status=400, origin=Origin.REFUSAL),
        Outcome(status=200, is_client_gone=True),
    ],
    ids=lambda outcome: outcome.origin.value,
)
def test_what_does_not_count_at_all(outcome):
    assert observation_of("config", BY_COUNT, outcome) is None
    assert observation_of("config", None, status(500)) is None


def test_an_answer_that_breaks_later_is_a_failure_after_all():
    good = observation_of("config", BY_COUNT, status(200))
    assert (good.is_failure, good.broken().is_failure) == (False, True)


def test_circuits_of_other_owners_and_targets_stay_closed():
    circuits = Circuits()
    for _ in range(3):
        circuits.observe("one", seen(BY_COUNT, is_failure=True), 0.0)
    assert circuits.is_open("one", "config.targets[0]", BY_COUNT, 1.0)
    assert not circuits.is_open("two", "config.targets[0]", BY_COUNT, 1.0)
    assert not circuits.is_open("one", "config.targets[1]", BY_COUNT, 1.0)


def test_the_number_of_circuits_is_bounded():
    circuits = Circuits(most=10)
    for number in range(1000):
        circuits.observe(str(number), seen(BY_COUNT, is_failure=True), 0.0)
    assert len(circuits._circuits) == 10


@given(st.lists(st.tuples(st.floats(min_value=0, max_value=90), st.booleans()), max_size=60))
def test_a_circuit_is_never_open_longer_than_its_cooldown(events):
    circuits, now, opened = Circuits(), 0.0, None
    for wait, is_failure in events:
        now += wait
        was_open = circuits.is_open("o", "config.targets[0]", BY_COUNT, now)
        assert not was_open or now < opened + 60.0
        circuits.observe("o", seen(BY_COUNT, is_failure=is_failure), now)
        is_open = circuits.is_open("o", "config.targets[0]", BY_COUNT, now)
        if is_open and not was_open:
            assert is_failure
            opened = now
