"""Inheritance: the table of section 3.5, one case for each row; and what targets say of their provider."""

from __future__ import annotations

import pytest

from lockgate.core.secret import Secret
from lockgate.routing.compile import NO_CONFIG
from lockgate.routing.retry import DEFAULT_CODES
from lockgate.routing.tree import Leaf, leaves
from tests.unit.routing.configs import routes_of

BREAKER = {"failure_threshold": 2, "cooldown_interval": 45000}


def tree(root: object = None, middle: object = None, leaf: object = None) -> Leaf:
    """Return the leaf of a config of three levels; a neighbour stands beside it on each."""
    inner = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@leaf", **(leaf or {})}, {"provider": "@n"}]}
    outer = {"strategy": {"mode": "fallback"}, "targets": [{**inner, **(middle or {})}, {"provider": "@n"}]}
    return leaves(routes_of({**outer, **(root or {})}).root)[0]


def decoded(params):
    return {key: bytes(raw).decode() for key, raw in params.items()}


@pytest.mark.parametrize("key, attribute", [("override_params", "overrides"), ("default_params", "defaults")])
def test_params_are_merged_one_level_deep_and_the_child_wins(key, attribute):
    leaf = tree({key: {"a": 1, "b": {"x": 1}}}, {key: {"b": {"y": 2}, "c": None}}, {key: {"a": "own"}})
    assert decoded(getattr(leaf.shaping, attribute)) == {"a": '"own"', "b": '{"y": 2}', "c": "null"}


def test_paths_to_drop_replace_those_from_above():
    assert tree({"drop_params": ["a", "b"]}).shaping.drops == (("a",), ("b",))
    assert tree({"drop_params": ["a", "b"]}, None, {"drop_params": ["c"]}).shaping.drops == (("c",),)
    assert tree({"drop_params": ["a", "b"]}, None, {"drop_params": []}).shaping.drops == ()


def test_retry_is_replaced_as_a_whole():
    above = {"retry": {"attempts": 3, "on_status_codes": [418], "use_retry_after_headers": True}}
    assert tree(above).retry.codes == {418}
    own = tree(above, None, {"retry": {"attempts": 1}}).retry
    assert (own.attempts, own.codes, own.uses_retry_after) == (1, DEFAULT_CODES, False)
    assert tree(above, None, {"retry": {"attempts": 0}}).retry is None
    assert tree(above, {"retry": {"attempts": 0}}).retry is None


def test_cache_is_replaced_as_a_whole():
    above = {"cache": {"mode": "simple", "max_age": 100}}
    assert tree(above).cache.max_age_s == 100
    assert tree(above, {"cache": "semantic"}).cache.max_age_s is None


@pytest.mark.parametrize(
    "key, attribute, above, own",
    [
        ("request_timeout", "timeout_ms", 2000, 5000),
        ("custom_host", "custom_host", "https://a.example/v1", "https://b.example/v1"),
        ("forward_headers", "forward_headers", ["a"], ["b"]),
        ("strict_open_ai_compliance", "is_strict", True, False),
    ],
)
def test_the_child_or_else_the_parent(key, attribute, above, own):
    def value(leaf):
        found = getattr(leaf, attribute)
        return list(found) if isinstance(found, tuple) else found

    assert value(tree()) is None
    assert value(tree({key: above})) == above
    assert value(tree({key: above}, {key: own})) == own
    assert value(tree({key: own}, {key: own}, {key: above})) == above


def test_the_example_of_the_timeouts():
    config = {
        "request_timeout": 2000,
        "strategy": {"mode": "loadbalance"},
        "targets": [
            {
                "strategy": {"mode": "fallback"},
                "request_timeout": 5000,
                "targets": [{"provider": "@a"}, {"provider": "@b", "request_timeout": 10000}],
            },
            {"provider": "@c"},
        ],
    }
    assert [leaf.timeout_ms for leaf in leaves(routes_of(config).root)] == [5000, 10000, 2000]


def test_circuits_come_from_the_strategy_and_go_down():
    assert tree().breaker is None
    leaf = tree({"strategy": {"mode": "fallback", "cb_config": BREAKER}})
    assert (leaf.breaker.failures, leaf.breaker.cooldown_s) == (2, 45.0)
    assert tree({"cb_config": BREAKER}).breaker == leaf.breaker
    other = {"failure_threshold_percentage": 50, "cooldown_interval": 30000, "minimum_requests": 9}
    both = tree({"cb_config": other, "strategy": {"mode": "fallback", "cb_config": BREAKER}})
    assert both.breaker == leaf.breaker
    own = tree({"cb_config": BREAKER}, {"strategy": {"mode": "fallback", "cb_config": other}})
    assert (own.breaker.failures, own.breaker.percentage, own.breaker.minimum) == (None, 50, 9)


def test_a_cooldown_below_the_least_is_raised():
    assert tree({"cb_config": {"failure_threshold": 1, "cooldown_interval": 10}}).breaker.cooldown_s == 30.0


@pytest.mark.parametrize(
    "key", ["provider", "virtual_key", "api_key", "passthrough", "aws_region", "prompt_id", "name", "openai_project"]
)
def test_what_is_not_inherited(key):
    value = True if key == "passthrough" else "openai" if key == "provider" else "value"
    config = {key: value, "strategy": {"mode": "single"}, "targets": [{"weight": 1}]}
    (leaf,) = leaves(routes_of(config).root)
    assert leaf.pin.is_from_request
    assert (leaf.pin.api_key, leaf.pin.vendor, leaf.prompt_id, leaf.name) == (None, {}, None, None)


def test_on_status_codes_are_not_inherited():
    inner = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@a"}, {"provider": "@b"}]}
    config = {"strategy": {"mode": "fallback", "on_status_codes": [429]}, "targets": [inner, {"provider": "@c"}]}
    root = routes_of(config).root
    assert root.strategy.codes == {429}
    assert root.children[0].strategy.codes is None


def test_paths_are_those_of_the_config():
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [{"provider": "@a"}, {"targets": [{"provider": "@b"}]}],
    }
    assert [leaf.path for leaf in leaves(routes_of(config).root)] == [
        "config.targets[0]",
        "config.targets[1].targets[0]",
    ]
    assert routes_of({}).root.path == NO_CONFIG.root.path == "config"


@pytest.mark.parametrize(
    "node, slug, provider, model_slug",
    [
        ({"virtual_key": "prod"}, "prod", None, None),
        ({"virtual_key": "@prod"}, "prod", None, None),
        ({"virtual_key": "prod", "provider": "anthropic"}, "prod", None, None),
        ({"virtual_key": "prod", "provider": "@other"}, "prod", None, None),
        ({"provider": "@prod"}, "prod", None, None),
        ({"provider": "anthropic"}, None, "anthropic", None),
        ({"override_params": {"model": "@prod/claude/x"}}, None, None, "prod"),
        ({"provider": "@a", "override_params": {"model": "@prod/claude"}}, "a", None, "prod"),
        ({"override_params": {"model": "@prod"}}, None, None, None),
        ({"override_params": {"model": "gpt-5"}}, None, None, None),
        ({"override_params": {"model": None}}, None, None, None),
        ({"passthrough": True}, None, None, None),
        ({"retry": {"attempts": 1}}, None, None, None),
    ],
)
def test_what_a_target_says_of_its_provider(node, slug, provider, model_slug):
    pin = leaves(routes_of(node).root)[0].pin
    assert (pin.slug, pin.provider, pin.model_slug) == (slug, provider, model_slug)
    assert pin.is_from_request is (not (slug or provider or model_slug))
    assert pin.is_root


def test_credentials_are_secrets():
    config = {
        "provider": "openai",
        "api_key": "sk-verysecret",
        "aws_secret_access_key": "sk-verysecret",
        "vertex_service_account_json": {"private_key": "sk-verysecret"},
    }
    leaf = leaves(routes_of(config).root)[0]
    assert leaf.pin.api_key == Secret("sk-verysecret")
    assert leaf.pin.vendor["vertex_service_account_json"].reveal() == '{"private_key": "sk-verysecret"}'
    assert "verysecret" not in repr(leaf)


def test_the_metadata_of_the_root_is_kept_within_the_limits_of_all_metadata():
    config = {"metadata": {"team": "x", "n": 1, "none": None, "long": "y" * 200}, "targets": [{"metadata": {"a": "b"}}]}
    assert routes_of(config).metadata == {"team": "x", "n": "1", "long": "y" * 128}


@pytest.mark.parametrize("count, is_single", [(1, True), (2, False)])
def test_only_a_single_target_can_hold_a_thread(count, is_single):
    config = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@a"}] * count}
    assert routes_of(config).can_hold_thread is is_single
    assert NO_CONFIG.can_hold_thread
    assert not routes_of({**config, "cache": "simple"}).can_hold_thread


@pytest.mark.parametrize(
    "models, is_many",
    [(["a"], False), (["a", "a"], False), (["a", "b"], True), (["a", None], True), ([None, None], False)],
)
def test_whether_a_conversation_can_meet_several_models(models, is_many):
    targets = [{"provider": "@x", **({"override_params": {"model": model}} if model else {})} for model in models]
    assert routes_of({"strategy": {"mode": "fallback"}, "targets": targets}).has_many_models is is_many
    assert not NO_CONFIG.has_many_models


def test_models_for_requests_that_name_none_are_several_too():
    targets = [{"provider": "@x", "default_params": {"model": model}} for model in ("a", "b")]
    assert routes_of({"strategy": {"mode": "fallback"}, "targets": targets}).has_many_models
