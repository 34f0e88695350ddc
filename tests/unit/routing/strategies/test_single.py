"""A single target."""

from __future__ import annotations

from tests.unit.routing.configs import paths, scene_of, status

TARGETS = [{"provider": "@a"}, {"provider": "@b"}]
BREAKER = {"failure_threshold": 1, "cooldown_interval": 30000}


def test_the_first_target_serves_and_nobody_takes_its_place():
    assert paths({"strategy": {"mode": "single"}, "targets": TARGETS}, [status(500)]) == ["config.targets[0]"]


def test_one_target_needs_no_strategy():
    assert paths({"targets": TARGETS[:1]}, [status(500)]) == ["config.targets[0]"]


def test_a_target_whose_circuit_is_open_is_left_out():
    config = {"strategy": {"mode": "single", "cb_config": BREAKER}, "targets": TARGETS}
    scene = scene_of(is_open=lambda path, policy: path == "config.targets[0]")
    assert paths(config, [status(500)], scene) == ["config.targets[1]"]
