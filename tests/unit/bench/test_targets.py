"""The ratio targets follow from the design's table."""

import pytest

from bench.rounds import Run
from bench.targets import PROTOTYPE_CALIBRATION_S, TARGETS, verdicts
from bench.trials import Outcome


def run(system, **outcomes):
    return Run(system=system, round=0, calibration_s=PROTOTYPE_CALIBRATION_S, outcomes=outcomes)


def chat(cpu_us):
    return Outcome(values={"cpu_us": cpu_us, "rate": 1.0, "busy": 1.0})


@pytest.mark.parametrize(
    "metric,multiple", [("chat", 10.0), ("chat200", 5.0), ("messages", 8.33), ("paced", 3.61), ("big", 12.5)]
)
def test_multiples_of_nginx_are_the_designs_limit_over_the_designs_nginx(metric, multiple):
    target = next(target for target in TARGETS if target.metric == metric)
    assert target.nginx_multiple == pytest.approx(multiple, abs=0.01)


def test_nginx_in_the_same_run_gives_the_limit():
    by_nginx, by_calibration = verdicts([run("lockgate", chat=chat(120.0)), run("nginx", chat=chat(20.0))])
    assert by_nginx.most == pytest.approx(200.0)
    assert by_nginx.is_met
    assert by_calibration.basis.endswith("by calibration")


def test_without_nginx_the_limit_is_estimated():
    (verdict,) = verdicts([run("lockgate", chat=chat(1000.0))])
    assert not verdict.is_met
    assert verdict.most == pytest.approx(2 * TARGETS[0].prototype_us)


def test_peers_set_a_limit_only_where_they_ran():
    runs = [run("lockgate", chat=chat(120.0)), run("portkey", chat=chat(1100.0))]
    verdict = verdicts(runs)[-1]
    assert verdict.basis == "portkey / 10"
    assert verdict.most == pytest.approx(110.0)
    assert not verdict.is_met


def test_fixed_limits_need_no_other_system():
    runs = [run("lockgate", memory=Outcome(values={"peak_mb": 130.0}), start=Outcome(values={"s": 0.5}))]
    assert {verdict.metric: verdict.is_met for verdict in verdicts(runs)} == {"memory": False, "start": True}


@pytest.mark.parametrize("cpu_us, is_met", [(114.0, True), (116.0, False)])
def test_limits_may_cost_a_part_of_the_same_without_them(cpu_us, is_met):
    runs = [run("lockgate", chat=chat(100.0)), run("lockgate-limits", chat=chat(cpu_us))]
    verdict = verdicts(runs)[-1]
    assert (verdict.basis, verdict.is_met) == ("1.15 x without limits", is_met)
    assert verdict.most == pytest.approx(115.0)


@pytest.mark.parametrize("cpu_us, is_met", [(19.0, True), (21.0, False)])
def test_a_hit_may_cost_a_fifth_of_a_miss(cpu_us, is_met):
    runs = [run("lockgate-miss", long=chat(100.0)), run("lockgate-hit", long=chat(cpu_us))]
    (verdict,) = verdicts(runs)
    assert (verdict.basis, verdict.is_met) == ("lockgate-hit: 0.2 x lockgate-miss", is_met)
