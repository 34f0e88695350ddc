"""Fallback: the table of section 4.4."""

from __future__ import annotations

import pytest

from lockgate.routing.machine import begin
from lockgate.routing.outcome import Origin, Outcome
from tests.unit.routing.configs import BROKEN, LOST, TIMEOUT, paths, play, routes_of, scene_of, status

FIRST, SECOND, THIRD = (f"config.targets[{at}]" for at in range(3))


def fallback(count: int = 2, **strategy: object) -> dict[str, object]:
    targets = [{"provider": f"@p{at}"} for at in range(count)]
    return {"strategy": {"mode": "fallback", **strategy}, "targets": targets}


@pytest.mark.parametrize("code", [100, 199, 300, 302, 400, 401, 404, 408, 412, 429, 446, 500, 529])
def test_without_a_list_all_but_2xx_leads_on(code):
    assert paths(fallback(), [status(code)]) == [FIRST, SECOND]


@pytest.mark.parametrize("code", [200, 201, 206, 246, 299])
def test_without_a_list_2xx_is_the_answer_and_so_is_246(code):
    assert paths(fallback(), [status(code)]) == [FIRST]


@pytest.mark.parametrize(
    "codes, outcome, leads_on",
    [
        ([429], status(429), True),
        ([429], status(500), False),
        ([429], status(400), False),
        (["429"], status(429), True),
        ([], status(500), True),
        ([], status(200), False),
        ([246], status(246), True),
        ([446], Outcome(status=446, origin=Origin.INPUT_HOOK), True),
        ([200], status(200), True),
        ([529], status(529), True),
        ([408], TIMEOUT, True),
        ([500], TIMEOUT, False),
        ([500], LOST, True),
        ([500], BROKEN, True),
        ([503], LOST, True),
        ([502], LOST, False),
        ([429], LOST, False),
        ([400], Outcome(status=400, origin=Origin.REFUSAL), True),
        ([429], Outcome(status=400, origin=Origin.REFUSAL), False),
        ([412], Outcome(status=412, origin=Origin.LIMIT), True),
        ([500], status(429, is_exhausted=True), True),
    ],
)
def test_a_list_decides_alone(codes, outcome, leads_on):
    assert len(paths(fallback(on_status_codes=codes), [outcome])) == 1 + leads_on


@pytest.mark.parametrize("code", [400, 412, 429])
def test_what_we_refuse_for_one_target_leads_to_the_next(code):
    refused = Outcome(status=code, origin=Origin.REFUSAL)
    assert paths(fallback(), [refused, status(200)]) == [FIRST, SECOND]


def test_the_last_answer_is_returned_whatever_it_is():
    calls, stop = play(fallback(3), [status(500), status(429), status(404)])
    assert [call.leaf.path for call in calls] == [FIRST, SECOND, THIRD]
    assert (stop.path, stop.because) == (THIRD, "nothing left to try")
    assert [(visit.path, visit.status) for visit in stop.trail] == [(FIRST, 500), (SECOND, 429), (THIRD, 404)]


def test_the_older_place_of_the_list():
    config = {**fallback(), "on_status_codes": [429]}
    assert paths(config, [status(500)]) == [FIRST]
    both = {**fallback(on_status_codes=[500]), "on_status_codes": [429]}
    assert paths(both, [status(500)]) == [FIRST, SECOND]


def test_a_target_whose_circuit_is_open_is_left_out_and_the_numbers_stay():
    config = {**fallback(3), "cb_config": {"failure_threshold": 1, "cooldown_interval": 30000}}
    scene = scene_of(is_open=lambda path, policy: path == FIRST)
    assert paths(config, [status(500)], scene) == [SECOND, THIRD]


def test_when_all_circuits_are_open_none_is_left_out():
    config = {**fallback(3), "cb_config": {"failure_threshold": 1, "cooldown_interval": 30000}}
    assert paths(config, [status(500)], scene_of(is_open=lambda path, policy: True)) == [FIRST, SECOND, THIRD]


def test_without_circuits_nobody_asks_for_them():
    def never(path, policy):
        raise AssertionError(path)

    assert begin(routes_of(fallback()), scene_of(is_open=never)).leaf.path == FIRST
