"""The attempt machine: what comes after each outcome, and what can never happen."""

from __future__ import annotations

import sys

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lockgate.routing.breaker import Circuits
from lockgate.routing.compile import NO_CONFIG
from lockgate.routing.machine import Call, Stop, begin, proceed
from lockgate.routing.outcome import Origin, Outcome
from tests.unit.routing.configs import LOST, paths, play, routes_of, scene_of, status

RETRY = {"attempts": 1}
NESTED = {
    "strategy": {"mode": "fallback"},
    "targets": [
        {"provider": "@a", "retry": RETRY},
        {
            "strategy": {"mode": "fallback", "on_status_codes": [429]},
            "targets": [{"provider": "@b"}, {"provider": "@c"}],
        },
        {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@d"}, {"provider": "@e"}]},
    ],
}


def names(outcomes, config=NESTED):
    return [call.leaf.pin.slug for call in play(config, outcomes)[0]]


@pytest.mark.parametrize(
    "outcomes, expected",
    [
        ([status(200)], "a"),
        ([status(500), status(200)], "aa"),
        ([status(400), status(200)], "ab"),
        ([status(500), status(500), status(200)], "aab"),
        ([status(400), status(429), status(200)], "abc"),
        ([status(400), status(500), status(200)], "abd"),
        ([status(400), status(429), status(429), status(200)], "abcd"),
        ([status(400), status(429), status(429), status(500)], "abcd"),
        ([LOST], "aabd"),
    ],
)
def test_retries_are_inside_a_target_and_a_failed_router_is_a_failed_target(outcomes, expected):
    assert "".join(names(outcomes)) == expected


def test_without_a_config_there_is_one_call():
    calls, stop = play(NO_CONFIG, [status(500)])
    assert [call.leaf.path for call in calls] == ["config"]
    assert (stop.path, stop.retry_count, stop.because) == ("config", 0, "nothing left to try")


@pytest.mark.parametrize(
    "given, because",
    [({"is_committed": True}, "the answer had begun"), ({"is_client_gone": True}, "the client left")],
)
@pytest.mark.parametrize("code", [200, 429, 500, 529])
def test_nothing_follows_once_the_answer_has_begun_or_the_client_left(given, because, code):
    calls, stop = play(NESTED, [status(code, **given)])
    assert (len(calls), stop.because) == (1, because)


def test_a_request_that_may_be_sent_once_is_sent_once():
    scene = scene_of(is_repeatable=False)
    for outcome in (status(500), LOST, status(429, is_exhausted=True)):
        assert paths(NESTED, [outcome], scene) == ["config.targets[0]"]
    assert play(NESTED, [status(500)], scene)[1].retry_count == 0


@pytest.mark.parametrize("origin", [Origin.REFUSAL, Origin.LIMIT, Origin.INPUT_HOOK])
def test_what_was_not_sent_does_not_count_as_sent_once(origin):
    refused = Outcome(status=400, origin=origin)
    assert len(paths(NESTED, [refused, status(500)], scene_of(is_repeatable=False))) == 2


@pytest.mark.parametrize(
    "config_ms, header_ms, expected", [(None, None, None), (1500, None, 1.5), (1500, 200, 0.2), (None, 200, 0.2)]
)
def test_the_requests_own_time_limit_beats_the_configs(config_ms, header_ms, expected):
    config = {"provider": "@a", "retry": RETRY} | ({"request_timeout": config_ms} if config_ms else {})
    calls, _ = play(config, [status(500)], scene_of(timeout_ms=header_ms))
    assert [call.timeout_s for call in calls] == [expected, expected]


def test_each_target_has_its_own_minute_of_waiting():
    config = {**NESTED, "retry": {"attempts": 1, "use_retry_after_headers": True}}
    calls, _ = play(config, [status(429, retry_after_s=59)])
    assert [call.wait_s for call in calls] == [0, 1.0, 0, 59, 0, 59, 0, 59]


def test_the_trail_tells_the_whole_way():
    _, stop = play(NESTED, [status(500), status(500), status(429), status(200)])
    assert [(v.path, v.because, v.status, v.retries, v.ended) for v in stop.trail] == [
        ("config.targets[0]", "order of the fallback", 500, 1, "moved on"),
        ("config.targets[1].targets[0]", "order of the fallback", 429, 0, "moved on"),
        ("config.targets[1].targets[1]", "after status 429", 200, 0, "answered"),
    ]


def test_each_target_is_observed_once_when_it_is_left():
    config = {**NESTED, "cb_config": {"failure_threshold": 1, "cooldown_interval": 30000}}
    calls, stop = play(config, [status(500), status(500), status(429), status(200)])
    seen = [[(o.path, o.is_failure) for o in step.observed] for step in (*calls, stop)]
    assert seen == [
        [],
        [],
        [("config.targets[0]", True)],
        [("config.targets[1].targets[0]", False)],
        [("config.targets[1].targets[1]", False)],
    ]


def test_many_targets_that_cannot_be_chosen_do_not_exhaust_the_stack():
    parked = {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@a", "weight": 0}]}
    row = {"strategy": {"mode": "fallback"}, "targets": [parked] * 45}
    config = {"strategy": {"mode": "fallback"}, "targets": [row] * 20}
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(180)
    try:
        step = begin(routes_of(config), scene_of())
    finally:
        sys.setrecursionlimit(limit)
    assert isinstance(step, Stop)
    assert len(step.trail) == 900


# ---- what can never happen


def configs(depth: int = 3) -> st.SearchStrategy[dict[str, object]]:
    codes = st.lists(st.sampled_from([200, 246, 400, 408, 429, 446, 500, 502, 503, 529]), max_size=4)
    retries = st.fixed_dictionaries(
        {"attempts": st.integers(-1, 7)}, optional={"on_status_codes": codes, "use_retry_after_headers": st.booleans()}
    )
    shared = {"retry": retries, "weight": st.sampled_from([0, 1, 2.5])}
    leaf = st.fixed_dictionaries({"provider": st.just("@p")}, optional=shared)
    if depth == 0:
        return leaf
    strategies = st.one_of(
        st.fixed_dictionaries({"mode": st.just("fallback")}, optional={"on_status_codes": codes}),
        st.fixed_dictionaries({"mode": st.sampled_from(["single", "loadbalance"])}),
    )
    breakers = st.just({"failure_threshold": 2, "cooldown_interval": 30000})
    router = st.fixed_dictionaries(
        {"strategy": strategies, "targets": st.lists(configs(depth - 1), min_size=1, max_size=3)},
        optional={**shared, "cb_config": breakers},
    )
    return st.one_of(leaf, router)


def bounds(node, retry=None):
    """The most calls and the longest wait that a config allows, worked out from its text alone."""
    retry = node.get("retry", retry)
    if "targets" not in node:
        attempts = min(max(retry["attempts"], 0), 5) if retry else 0
        wait = 60.0 if retry and retry.get("use_retry_after_headers") else float(2**attempts - 1)
        return 1 + attempts, wait if attempts else 0.0
    below = [bounds(child, retry) for child in node["targets"]]
    if node["strategy"]["mode"] == "fallback":
        return sum(calls for calls, _ in below), sum(wait for _, wait in below)
    return max(calls for calls, _ in below), max(wait for _, wait in below)


OUTCOMES = st.builds(
    Outcome,
    status=st.sampled_from([200, 246, 400, 401, 408, 412, 429, 446, 500, 502, 503, 529]),
    origin=st.sampled_from(list(Origin)),
    retry_after_s=st.one_of(st.none(), st.floats(min_value=0, max_value=120)),
    is_exhausted=st.sampled_from([False, False, False, True]),
)


class Exchanges(RuleBasedStateMachine):
    """Exchanges one after the other over one config, with one clock and the circuits that they leave behind."""

    @initialize(config=configs())
    def start(self, config):
        self.config = config
        self.routes = routes_of(config)
        self.most_calls, self.longest_wait = bounds(config)
        self.circuits = Circuits()
        self.now = 0.0
        self.failures: dict[str, list[float]] = {}
        self.step: Call | Stop | None = None
        self.is_committed = False

    def scene(self):
        def is_open(path, policy):
            return self.circuits.is_open("o", path, policy, self.now)

        scene = scene_of(is_open=is_open, rolls=self.rolls, has_jitter=self.has_jitter)
        return msgspec.structs.replace(scene, is_repeatable=self.is_repeatable)

    @precondition(lambda self: not isinstance(self.step, Call))
    @rule(
        rolls=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4),
        is_repeatable=st.booleans(),
        has_jitter=st.booleans(),
    )
    def a_request_comes(self, rolls, is_repeatable, has_jitter):
        self.rolls, self.is_repeatable, self.has_jitter = rolls, is_repeatable, has_jitter
        self.calls, self.sent, self.waited, self.is_committed = 0, 0, 0.0, False
        self.path, self.leaf_waited, self.ends = None, 0.0, 0
        self.take(begin(self.routes, self.scene()))

    def take(self, step):
        self.step = step
        for seen in step.observed:
            self.circuits.observe("o", seen, self.now)
        if isinstance(step, Stop):
            self.ends += 1
            return
        assert not self.is_committed, "called again after the client had a byte"
        if not step.is_retry:
            self.leaf_waited = 0.0
        else:
            assert step.leaf.path == self.path
        self.path = step.leaf.path
        self.calls += 1
        self.waited += step.wait_s
        self.leaf_waited += step.wait_s
        self.now += step.wait_s

    @precondition(lambda self: isinstance(self.step, Call))
    @rule(outcome=OUTCOMES, is_committed=st.sampled_from([False, False, True]), took=st.floats(0, 40))
    def the_call_ends(self, outcome, is_committed, took):
        self.now += took
        if outcome.origin not in (Origin.REFUSAL, Origin.LIMIT, Origin.INPUT_HOOK, Origin.CACHE):
            self.sent += 1
        self.is_committed = is_committed
        outcome = msgspec.structs.replace(outcome, is_committed=is_committed)
        self.take(proceed(self.step, outcome, self.scene()))
        is_odd = outcome.is_exhausted or outcome.origin is Origin.CONNECTION
        if outcome.is_success and not is_odd and outcome.status not in listed(self.config):
            assert isinstance(self.step, Stop)

    @rule(seconds=st.floats(0, 70))
    def time_passes(self, seconds):
        self.now += seconds

    @invariant()
    def the_config_is_kept(self):
        if self.step is None:
            return
        assert self.calls <= self.most_calls
        assert self.waited <= self.longest_wait
        assert self.leaf_waited <= 60.0
        assert self.is_repeatable or self.sent <= 1
        assert self.ends == isinstance(self.step, Stop)


def listed(config):
    """Every status that any list of a config names."""
    found = set(config.get("retry", {}).get("on_status_codes", ()))
    found |= set(config.get("strategy", {}).get("on_status_codes", ()))
    for child in config.get("targets", ()):
        found |= listed(child)
    return found


TestExchanges = Exchanges.TestCase
