"""Explaining a config: the machine's own answers, without secrets."""

from __future__ import annotations

import msgspec

from lockgate.routing.explain import LOST_CONNECTION, explain
from lockgate.routing.machine import proceed
from tests.unit.routing.configs import play, routes_of, scene_of, status

CONFIG = {
    "retry": {"attempts": 2},
    "strategy": {"mode": "fallback", "on_status_codes": [429, 529]},
    "targets": [
        {
            "name": "main",
            "provider": "anthropic",
            "api_key": "sk-verysecret",
            "request_timeout": 1500,
            "override_params": {"max_tokens": 5},
            "default_params": {"temperature": 0},
            "drop_params": ["user"],
        },
        {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@b", "weight": 3}, {"provider": "@c"}]},
    ],
}


def told(config, statuses, **given):
    return explain(routes_of(config), scene_of(**given), statuses)


def test_the_target_its_settings_and_the_way_to_it():
    found = told(CONFIG, [])
    assert (found.target.path, found.target.name, found.target.provider) == ("config.targets[0]", "main", "anthropic")
    assert (found.target.retries, found.target.timeout_s) == (2, 1.5)
    assert (found.target.sets, found.target.defaults, found.target.drops) == (("max_tokens",), ("temperature",), 1)
    assert [(choice.path, choice.because) for choice in found.choices] == [("config", "order of the fallback")]
    assert b"verysecret" not in msgspec.json.encode(found)


def test_what_would_come_after_a_failure():
    (found,) = told(CONFIG, [529]).what_if
    assert [(event.path, event.because, event.wait_s) for event in found.events] == [
        ("config.targets[0]", "retry 1 after status 529", 1.0),
        ("config.targets[0]", "retry 2 after status 529", 2.0),
        ("config.targets[1].targets[0]", "weight", 0.0),
        ("config.targets[1].targets[0]", "retry 1 after status 529", 1.0),
        ("config.targets[1].targets[0]", "retry 2 after status 529", 2.0),
        ("config.targets[1].targets[0]", "nothing left to try", 0.0),
    ]
    assert (found.calls, found.waited_s, found.events[-1].retry_count) == (6, 6.0, -1)


def test_a_failure_that_is_not_in_the_list_is_the_answer():
    bad, lost = told(CONFIG, [400, LOST_CONNECTION]).what_if
    assert [(event.path, event.ends) for event in bad.events] == [("config.targets[0]", True)]
    assert (lost.failure, lost.calls) == ("connection lost", 3)


def test_chances_are_named():
    found = told({"targets": [CONFIG["targets"][1]]}, [])
    assert [choice.because for choice in found.choices] == ["first target", "weight: 3 of 4"]


def test_open_circuits_are_named():
    config = {**CONFIG, "cb_config": {"failure_threshold": 1, "cooldown_interval": 30000}}
    found = told(config, [], is_open=lambda path, policy: path == "config.targets[0]")
    assert found.open_circuits == ("config.targets[0]",)
    assert found.target.path == "config.targets[1].targets[0]"


def test_when_nothing_can_be_chosen_it_says_why():
    parked = {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@a", "weight": 0}]}
    found = told(parked, [500])
    assert (found.target, found.refusal) == (None, "config: the weights of all targets are 0")


def test_warnings_come_along():
    assert [warning.path for warning in told({"wieght": 1}, []).warnings] == ["wieght"]


def test_what_is_explained_is_what_happens():
    calls, _ = play(CONFIG, [status(529)])
    (found,) = told(CONFIG, [529]).what_if
    assert [event.path for event in found.events[:-1]] == [call.leaf.path for call in calls[1:]]
    assert proceed(calls[0], status(529), scene_of()).wait_s == found.events[0].wait_s
