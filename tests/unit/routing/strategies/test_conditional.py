"""Conditional routing: order, default, malformed conditions. Section 4.6; operators are in test_conditions."""

from __future__ import annotations

import pytest

from lockgate.errors import InvalidConfig
from lockgate.routing.machine import begin
from tests.unit.routing.configs import paths, play, routes_of, scene_of, status

GOLD = {"metadata.tier": "gold"}


def conditional(*conditions: tuple[dict[str, object], str], default: str = "c") -> dict[str, object]:
    return {
        "strategy": {
            "mode": "conditional",
            "conditions": [{"query": query, "then": then} for query, then in conditions],
            "default": default,
        },
        "targets": [{"name": name, "provider": f"@{name}"} for name in "abc"],
    }


def chosen(config, **given):
    step = begin(routes_of(config), scene_of(**given))
    return step.leaf.name, step.because


def test_the_first_condition_that_holds_decides():
    config = conditional((GOLD, "b"), ({}, "a"))
    assert chosen(config, metadata={"tier": "gold"}) == ("b", "conditions[0]")
    assert chosen(config) == ("a", "conditions[1]")


def test_without_one_the_default_serves():
    assert chosen(conditional((GOLD, "b"))) == ("c", "default")


def test_the_decision_is_final():
    calls, _ = play(conditional((GOLD, "b")), [status(500)], scene_of(metadata={"tier": "gold"}))
    assert [call.leaf.name for call in calls] == ["b"]


def test_a_malformed_condition_is_passed_over_with_a_warning():
    config = conditional(({"$or": [{"metadata.tier": {"$like": "x"}}, {}]}, "a"), (GOLD, "b"))
    assert chosen(config, metadata={"tier": "gold"}) == ("b", "conditions[1]")
    (warning,) = routes_of(config).warnings
    assert warning.path == "strategy.conditions.0.query"
    assert "$like is no operator" in warning.what


def test_a_malformed_condition_is_refused_when_saved():
    inner = conditional(({"metadata.tier": {"$regex": "("}}, "a"))
    with pytest.raises(InvalidConfig) as caught:
        routes_of({"strategy": {"mode": "fallback"}, "targets": [{"provider": "@x"}, inner]}, is_saved=True)
    assert caught.value.path == "targets.1.strategy.conditions.0.query"


def test_the_first_of_two_targets_with_one_name_is_meant():
    config = conditional((GOLD, "a"))
    config["targets"][1]["name"] = "a"
    assert paths(config, [status(200)], scene_of(metadata={"tier": "gold"})) == ["config.targets[0]"]


def test_circuits_are_not_asked():
    config = {**conditional((GOLD, "b")), "cb_config": {"failure_threshold": 1, "cooldown_interval": 30000}}
    scene = scene_of(metadata={"tier": "gold"}, is_open=lambda path, policy: path == "config.targets[1]")
    assert paths(config, [status(200)], scene) == ["config.targets[1]"]


def test_circuits_below_a_condition_are_asked():
    config = {**conditional((GOLD, "b")), "cb_config": {"failure_threshold": 1, "cooldown_interval": 30000}}
    config["targets"][1] = {
        "name": "b",
        "strategy": {"mode": "fallback"},
        "targets": [{"provider": "@x"}, {"provider": "@y"}],
    }
    scene = scene_of(metadata={"tier": "gold"}, is_open=lambda path, policy: path == "config.targets[1].targets[0]")
    assert paths(config, [status(200)], scene) == ["config.targets[1].targets[1]"]


def test_the_body_is_asked_for_only_when_a_condition_looks_into_it():
    assert not routes_of(conditional((GOLD, "b"))).needs_params
    assert routes_of(conditional(({"$or": [GOLD, {"params.model": "x"}]}, "b"))).needs_params
    assert chosen(conditional(({"params.model": "x"}, "b")), body={"model": "x"})[0] == "b"
