"""Medians, scaling by the calibration, added times and what is left out."""

import pytest

from bench.metrics import METRIC, figure
from bench.rounds import Run, order
from bench.trials import Outcome


def run(system, number=0, calibration_s=0.02, **outcomes):
    return Run(system=system, round=number, calibration_s=calibration_s, outcomes=outcomes)


def get(runs, system, name):
    found = figure(runs, system, METRIC[name])
    assert found is not None
    return found


def chat(cpu_us=100.0, rate=9000.0, busy=1.0):
    return Outcome(values={"cpu_us": cpu_us, "rate": rate, "busy": busy})


def test_the_median_is_taken_over_the_rounds():
    runs = [run("a", n, chat=chat(cpu_us)) for n, cpu_us in enumerate([90.0, 400.0, 100.0])]
    found = get(runs, "a", "chat")
    assert (found.median, found.n) == (100.0, 3)


def test_cpu_time_is_scaled_to_the_fastest_moment():
    runs = [run("a", calibration_s=0.02, chat=chat(100.0)), run("b", calibration_s=0.04, chat=chat(100.0))]
    assert get(runs, "a", "chat").median == 100.0
    assert get(runs, "b", "chat").median == 50.0


def test_rates_are_not_scaled():
    runs = [run("a", calibration_s=0.02, chat=chat()), run("b", calibration_s=0.04, chat=chat(rate=7000.0))]
    assert get(runs, "b", "rate").median == 7000.0


def test_a_void_trial_does_not_count():
    runs = [run("a", 0, chat=chat(100.0)), run("a", 1, chat=Outcome(void="status 502"))]
    assert get(runs, "a", "chat").n == 1
    assert figure(runs[1:], "a", METRIC["chat"]) is None


def test_added_time_is_over_direct_in_the_same_run():
    runs = [
        run("direct", chat200=Outcome(values={"p50_us": 150.0, "rate": 200.0})),
        run("a", chat200=Outcome(values={"p50_us": 450.0, "rate": 200.0})),
    ]
    assert get(runs, "a", "chat200-p50").median == 300.0
    assert figure(runs, "direct", METRIC["chat200-p50"]) is None
    assert figure(runs[1:], "a", METRIC["chat200-p50"]) is None


@pytest.mark.parametrize("busy,is_floor", [(0.99, False), (0.5, True)])
def test_a_rate_is_a_floor_when_the_gateway_was_not_the_limit(busy, is_floor):
    assert get([run("a", chat=chat(busy=busy))], "a", "rate").is_floor is is_floor


@pytest.mark.parametrize("rate,missed", [(199.0, None), (60.0, 60.0)])
def test_a_rate_that_is_not_held_is_named(rate, missed):
    runs = [run("a", chat200=Outcome(values={"cpu_us": 1.0, "rate": rate}))]
    assert get(runs, "a", "chat200").missed_rate == missed


def test_every_system_comes_once_per_round_and_starts_differ():
    names = ["a", "b", "c"]
    rounds = [order(names, number) for number in range(3)]
    assert all(sorted(names_now) == names for names_now in rounds)
    assert len({names_now[0] for names_now in rounds}) > 1
