"""Rules beyond types: the table of section 3.3, limits, and what makes a config say something."""

from __future__ import annotations

import pytest

from lockgate.config.routes.nodes import GUARDRAILS
from lockgate.errors import InvalidRequest
from tests.unit.config.routes.configs import EVERYTHING, faults, read

TWO = [{"name": "a", "provider": "@a"}, {"name": "b", "provider": "@b"}]


def conditional(conditions, default):
    strategy = {"mode": "conditional"}
    if conditions is not None:
        strategy["conditions"] = [{"query": {}, "then": name} for name in conditions]
    if default is not None:
        strategy["default"] = default
    return {"strategy": strategy, "targets": TWO}


@pytest.mark.parametrize(
    "config, path",
    [
        ({"strategy": {"mode": "fallback"}}, "targets"),
        ({"targets": TWO}, "strategy"),
        (conditional(None, "a"), "strategy.conditions"),
        (conditional(["a"], None), "strategy.default"),
        (conditional(["c"], "a"), "strategy.conditions.0.then"),
        (conditional(["a"], "c"), "strategy.default"),
        ({"provider": "opnai"}, "provider"),
        ({"provider": "@a/b"}, "provider"),
        ({"provider": "@"}, "provider"),
        ({"virtual_key": "a b"}, "virtual_key"),
        ({"forward_headers": ["a", "x-portkey-forward-headers"]}, "forward_headers.1"),
        ({"forward_headers": ["X_Portkey_ForwardHeaders"]}, "forward_headers.0"),
        ({"drop_params": ["ok", "a..b"]}, "drop_params.1"),
        ({"drop_params": ["a"] * 101}, "drop_params"),
        ({"cb_config": {"cooldown_interval": 30000}}, "cb_config.failure_threshold"),
        (
            {
                "strategy": {"mode": "single", "cb_config": {"cooldown_interval": 30000}},
                "targets": [{"provider": "@a"}],
            },
            "strategy.cb_config.failure_threshold",
        ),
        ({"strategy": {"mode": "single"}, "targets": [{"targets": TWO}]}, "targets.0.strategy"),
    ],
)
@pytest.mark.parametrize("is_saved", [False, True])
def test_what_is_refused_always(config, path, is_saved):
    assert path in faults(config, is_saved=is_saved)


@pytest.mark.parametrize("key", GUARDRAILS)
@pytest.mark.parametrize("is_saved", [False, True])
def test_a_config_that_names_guardrails_is_refused_with_the_path(key, is_saved):
    camel = "".join(part.title() if at else part for at, part in enumerate(key.split("_")))
    for spelling in (key, camel):
        config = {"strategy": {"mode": "single"}, "targets": [{"provider": "@a", spelling: ["pg-x"]}]}
        found = faults(config, is_saved=is_saved)
        assert list(found) == [f"targets.0.{key}"]
        assert "guardrails" in found[f"targets.0.{key}"]
    assert faults({"provider": "@a", key: []}, is_saved=is_saved) == {}


def test_the_fault_of_a_provider_names_those_there_are():
    assert "(anthropic, openai)" in faults({"provider": "opnai"})["provider"]


def test_one_target_needs_no_strategy():
    assert faults({"targets": TWO[:1]}) == {}


def test_two_targets_of_one_name_are_refused_when_saved():
    config = conditional(["a"], "a")
    config["targets"] = [TWO[0], {**TWO[1], "name": "a"}]
    assert faults(config) == {}
    assert set(faults(config, is_saved=True)) == {"strategy.conditions.0.then", "strategy.default"}


def test_hosts_are_judged():
    def judge(url):
        if "10.0.0.1" in url:
            raise InvalidRequest("a private address")

    config = {"strategy": {"mode": "single"}, "targets": [{"provider": "@a", "custom_host": "http://10.0.0.1/v1"}]}
    assert faults(config, judge_host=judge) == {"targets.0.custom_host": "invalid custom host: a private address"}
    assert faults({"custom_host": "https://good.example"}, judge_host=judge) == {}
    assert "custom_host" in faults({"custom_host": "https://" + "x" * 2050})


# ---- limits


def row(count: int, mode: str = "fallback", **node: object) -> dict[str, object]:
    strategy: dict[str, object] = {"mode": mode}
    if mode == "conditional":
        strategy |= {"conditions": [{"query": {}, "then": "t"}], "default": "t"}
    return {"strategy": strategy, "targets": [{"name": "t", "provider": "@a"}] * count, **node}


def nested(depth: int) -> dict[str, object]:
    node: dict[str, object] = {"provider": "@a"}
    for _ in range(depth - 1):
        node = {"targets": [node]}
    return node


@pytest.mark.parametrize(
    "config, path",
    [
        (row(100), None),
        (row(101), "targets"),
        (row(1000, "conditional"), None),
        (row(1001, "conditional"), "targets"),
        ({"targets": [row(50)]}, None),
        ({"targets": [row(51)]}, "targets.0.targets"),
        ({"targets": [row(51, "conditional")]}, "targets.0.targets"),
        (nested(8), None),
        (nested(9), ".".join(["targets.0"] * 7) + ".targets"),
        ({"strategy": {"mode": "fallback"}, "targets": [row(50)] * 39}, None),
        ({"strategy": {"mode": "fallback"}, "targets": [row(50)] * 40}, ""),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value),
)
def test_limits_of_width_depth_and_number(config, path):
    assert list(faults(config)) == ([] if path is None else [path])


def test_an_enormous_config_is_refused_early():
    assert list(faults({"targets": [{}] * 20_000})) == ["targets"]


# ---- what makes a config say something


@pytest.mark.parametrize(
    "node",
    [
        {"provider": "@a"},
        {"provider": "openai", "api_key": "k"},
        {"provider": "openai", "custom_host": "https://h"},
        {"virtual_key": "a"},
        {"cache": "simple"},
        {"retry": {"attempts": 1}},
        {"prompt_id": "p"},
        {"forward_headers": ["a"]},
        {"request_timeout": 5},
        {"passthrough": True},
        {"default_params": {}},
        {"drop_params": ["a"]},
        {"override_params": {"model": "@a/b"}},
        {"aws_access_key_id": "a", "aws_secret_access_key": "b"},
        {"aws_role_arn": "a"},
        {"vertex_region": "r", "vertex_project_id": "p"},
        {"vertex_region": "r", "vertex_service_account_json": {}},
        {"resource_name": "r", "deployment_id": "d"},
        {"azure_foundry_url": "u"},
    ],
    ids=lambda node: "+".join(node),
)
def test_sets_of_keys_that_are_enough(node):
    assert faults(node, is_saved=True) == {}


@pytest.mark.parametrize(
    "node",
    [
        {},
        {"name": "a"},
        {"weight": 1},
        {"provider": "openai"},
        {"api_key": "k"},
        {"aws_access_key_id": "a"},
        {"vertex_region": "r"},
    ],
    ids=lambda node: "+".join(node),
)
def test_sets_of_keys_that_are_not_enough_to_be_saved(node):
    assert list(faults(node, is_saved=True)) == ["provider"]
    assert faults(node) == {}


def test_a_semantic_cache_is_a_warning():
    found = read({"cache": "semantic", "provider": "@a"})
    assert [warning.path for warning in found.warnings] == ["cache.mode"]


def test_everything_is_a_good_config():
    assert faults(EVERYTHING, is_saved=True) == {}
