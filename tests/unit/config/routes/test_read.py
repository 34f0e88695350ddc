"""Reading configs: every key in both spellings, and the path of each fault."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config.routes import Node, read_config
from lockgate.config.routes.nodes import GUARDRAILS
from lockgate.config.routes.read import snake_case
from lockgate.core.secret import Secret
from lockgate.errors import InvalidConfig
from lockgate.routing.cache_policy import MAX_AGE_S, MIN_AGE_S
from lockgate.routing.retry import MAX_ATTEMPTS
from tests.unit.config.routes.configs import EVERYTHING, LEAF, RULES, faults, read

PAYLOADS = {"override_params", "default_params", "query", "metadata", "vertex_service_account_json"}


def camel(value: object) -> object:
    """Write all keys in camelCase, but for those inside payloads."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), key): item if key in PAYLOADS else camel(item)
        for key, item in value.items()
    }


def plain(value: object) -> object:
    """Return a Struct as data, raw JSON and secrets as text, and without what was not given."""
    if isinstance(value, msgspec.Struct):
        return {key: plain(item) for key, item in msgspec.structs.asdict(value).items() if item is not None}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    return value.reveal() if isinstance(value, Secret) else value


@pytest.mark.parametrize("is_saved", [False, True])
@pytest.mark.parametrize("spelling", [lambda config: config, camel], ids=["snake", "camel"])
def test_every_key_is_read_in_both_spellings(spelling, is_saved):
    found = read(spelling(EVERYTHING), is_saved=is_saved)
    assert found.warnings == ()
    leaf = plain(found.root.targets[0])
    cloud = leaf.pop("cloud")
    expected = {key: value for key, value in LEAF.items() if key not in cloud}
    assert leaf == expected
    assert cloud == {
        "vertex_service_account_json": '{"privateKey": "k"}',
        "vertex_region": "eu",
        "aws_access_key_id": "i",
        "azure_deployment_type": "managed",
    }
    router = plain(found.root.targets[1])
    assert router["strategy"] == EVERYTHING["targets"][1]["strategy"]
    root = plain(found.root)["strategy"]
    assert root == EVERYTHING["strategy"]


def test_the_example_names_every_key_there_is():
    known = {field.name for field in msgspec.structs.fields(Node)} - {"cloud", *GUARDRAILS}
    named = set(LEAF) | set(EVERYTHING) | {"virtual_key", "id"}
    assert known - named == set()


@pytest.mark.parametrize(
    "key, name",
    [
        ("beforeRequestHooks", "before_request_hooks"),
        ("strictOpenAiCompliance", "strict_open_ai_compliance"),
        ("strictOpenAICompliance", "strict_open_ai_compliance"),
        ("strict_openai_compliance", "strict_open_ai_compliance"),
        ("awsS3Bucket", "aws_s3_bucket"),
        ("vertexServiceAccountJSON", "vertex_service_account_json"),
        ("on_status_codes", "on_status_codes"),
    ],
)
def test_spellings(key, name):
    assert snake_case(key) == name


@pytest.mark.parametrize(
    "config, path, what",
    [
        (b'{"a":', "", "invalid config JSON"),
        (b"{'a': 1}", "", "invalid config JSON"),
        (b'{"provider":"\xff"}', "", "invalid config JSON"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "", "nests too deep"),
        (b'{"a":' + b"[" * 90_000 + b"]" * 90_000 + b"}", "", "nests too deep"),
        (b"[]", "", "expected `object`, got `array`"),
        ({"targets": {}}, "targets", "expected `array`"),
        ({"targets": []}, "targets", "at least 1"),
        ({"targets": ["x"]}, "targets.0", "expected `object`"),
        ({"targets": [{}, {"weight": -1}]}, "targets.1.weight", ">= 0"),
        ({"targets": [{"targets": [{"weight": "x"}]}]}, "targets.0.targets.0.weight", "expected `float`"),
        ({"provider": 1}, "provider", "expected `str`"),
        ({"apiKey": 1}, "apiKey", "expected `str`"),
        ({"passthrough": "yes"}, "passthrough", "expected `bool`"),
        ({"override_params": []}, "override_params", "expected `object`"),
        ({"drop_params": "x"}, "drop_params", "expected `array`"),
        ({"drop_params": [1]}, "drop_params.0", "expected `str`"),
        ({"retry": {}}, "retry.attempts", "required"),
        ({"retry": 3}, "retry", "expected `object`"),
        ({"retry": {"attempts": "many"}}, "retry.attempts", "expected `int`"),
        ({"retry": {"attempts": 1.5}}, "retry.attempts", "expected `int`"),
        ({"retry": {"attempts": True}}, "retry.attempts", "expected `int`"),
        ({"retry": {"attempts": 1, "onStatusCodes": [500, 99]}}, "retry.onStatusCodes.1", ">= 100"),
        ({"cache": {"mode": "fast"}}, "cache.mode", "invalid enum value"),
        ({"cache": "fast"}, "cache.mode", "invalid enum value"),
        ({"cache": {"max_age": 5}}, "cache.mode", "required"),
        ({"request_timeout": 0}, "request_timeout", ">= 1"),
        ({"request_timeout": 1.5}, "request_timeout", "expected `int`"),
        (
            {"strategy": {"mode": "x"}, "targets": [{}]},
            "strategy.mode",
            "one of conditional, fallback, loadbalance, single",
        ),
        ({"strategy": {}, "targets": [{}]}, "strategy.mode", "required"),
        ({"strategy": {"mode": "single", "sticky": {"ttl": 0}}, "targets": [{}]}, "strategy.sticky.ttl", "> 0"),
        ({"cb_config": {"failure_threshold": 1}}, "cb_config.cooldown_interval", "required"),
        ({"options": [{}]}, "options", "rename options to targets"),
        ({"retry": {"attempts": 1}, "Retry": {"attempts": 2}}, "Retry", "given twice"),
    ],
)
@pytest.mark.parametrize("is_saved", [False, True])
def test_what_is_wrong_is_named_with_its_path(config, path, what, is_saved):
    found = faults(config, is_saved=is_saved)
    assert what in found[path]


def test_all_faults_are_named_at_once():
    config = {"weight": -1, "retry": {"attempts": "x"}, "targets": [{"weight": "y"}, {}, {"cache": "z"}]}
    assert set(faults(config)) == {"weight", "retry.attempts", "targets.0.weight", "targets.2.cache.mode"}


def test_faults_of_values_and_of_rules_are_named_together():
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [
            {"provider": "nope", "weight": "heavy", "input_guardrails": ["x"]},
            7,
            {"provider": "@a", "drop_params": ["a["], "cb_config": {"cooldown_interval": 30000}},
            {"strategy": {"mode": "single"}, "retry": {"attempts": []}},
        ],
    }
    assert list(faults(config, is_saved=True)) == [
        "targets.0.weight",
        "targets.1",
        "targets.3.retry.attempts",
        "targets.0.provider",
        "targets.0.input_guardrails",
        "targets.2.drop_params.0",
        "targets.2.cb_config.failure_threshold",
        "targets.3.targets",
    ]


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"strategy": {"mode": "odd"}, "targets": [{"provider": "@a"}, {"provider": "@b"}]}, "strategy.mode"),
        ({"strategy": {"mode": "single"}, "targets": "x"}, "targets"),
        ({"targets": [{"provider": 7}]}, "targets.0.provider"),
        (
            {
                "strategy": {"mode": "conditional", "conditions": [{"query": {}, "then": "a"}], "default": "a"},
                "targets": [{"name": 7, "provider": "@a"}],
            },
            "targets.0.name",
        ),
    ],
    ids=["strategy", "targets", "provider", "name"],
)
def test_what_could_not_be_read_is_no_second_fault(config, path):
    assert list(faults(config, is_saved=True)) == [path]


def test_the_error_lists_what_the_answer_will_list():
    with pytest.raises(InvalidConfig) as caught:
        read({"targets": [{"weight": -1}], "cache": 1})
    assert caught.value.message == "Invalid config passed: targets.0.weight: expected `float` >= 0.0 (and 1 more)"
    assert [str(fault) for fault in caught.value.faults] == [
        "path: targets.0.weight, message: expected `float` >= 0.0",
        "path: cache, message: expected `object`, got `int`",
    ]


def test_unknown_keys_are_ignored_with_a_warning_and_refused_when_saved():
    config = {"provider": "@a", "wieght": 1, "targets": [{"provider": "@a", "retry": {"attempts": 1, "max": 2}}]}
    (first, second) = read(config).warnings
    assert (first.path, "did you mean weight?" in first.what) == ("wieght", True)
    assert second.path == "targets.0.retry.max"
    assert set(faults(config, is_saved=True)) == {"wieght", "targets.0.retry.max"}


@pytest.mark.parametrize("is_saved", [False, True])
@pytest.mark.parametrize(
    "config, value, path, what",
    [
        ({"retry": {"attempts": 50}}, 5, "retry.attempts", "50 is out of range, 5 is used"),
        ({"retry": {"attempts": "6"}}, 5, "retry.attempts", "6 is out of range, 5 is used"),
        ({"cache": {"mode": "simple", "max_age": 5}}, 60, "cache.max_age", "5 is out of range, 60 is used"),
        ({"cache": {"mode": "simple", "maxAge": -5}}, 60, "cache.maxAge", "-5 is out of range, 60 is used"),
        ({"cache": {"mode": "simple", "max_age": 7_776_001}}, MAX_AGE_S, "cache.max_age", "7776000 is used"),
    ],
)
def test_some_numbers_act_as_the_nearest_and_are_warned_of_saved_or_not(config, value, path, what, is_saved):
    found = read({**config, "provider": "@a"}, is_saved=is_saved)
    assert [warning.path for warning in found.warnings] == [path]
    assert what in found.warnings[0].what
    key, inner = snake_case(path).split(".")
    assert getattr(getattr(found.root, key), inner) == value


def test_numbers_in_range_are_not_warned_of():
    for age in (MIN_AGE_S, MAX_AGE_S):
        assert not read({"cache": {"mode": "simple", "max_age": age}, "retry": {"attempts": MAX_ATTEMPTS}}).warnings


@pytest.mark.parametrize("is_saved", [False, True])
def test_what_is_no_whole_number_is_not_brought_into_a_range(is_saved):
    assert "expected `int`" in faults({"cache": {"mode": "simple", "max_age": 5.5}}, is_saved=is_saved)["cache.max_age"]


@pytest.mark.parametrize(
    "config, value, path",
    [
        ({"retry": {"attempts": -2}}, 0, "retry.attempts"),
        ({"cb_config": {"failure_threshold": 1, "cooldown_interval": 5}}, 30000, "cb_config.cooldown_interval"),
    ],
)
def test_numbers_out_of_range_are_brought_into_it_and_refused_when_saved(config, value, path):
    found = read(config)
    assert [warning.path for warning in found.warnings] == [path]
    key, inner = path.split(".")
    assert getattr(getattr(found.root, key), inner) == value
    assert set(faults(config, is_saved=True)) == {path}


def test_null_is_a_key_that_is_not_there_and_refused_when_saved():
    config = {"retry": None, "provider": "@a", "strategy": None, "override_params": {"stop": None}}
    root = read(config).root
    assert (root.retry, root.strategy, bytes(root.override_params["stop"])) == (None, None, b"null")
    assert set(faults(config, is_saved=True)) == {"retry", "strategy"}


@pytest.mark.parametrize("text", ["3", "5"])
def test_numbers_may_be_given_as_text(text):
    retry = read({"retry": {"attempts": text, "on_status_codes": ["429", 500]}}).root.retry
    assert (retry.attempts, retry.on_status_codes) == (int(text), (429, 500))


def test_a_config_has_a_largest_size():
    assert faults({"name": "x" * 100}, size_bytes=50) == {"": "the config is longer than 50 bytes"}


def test_no_secret_is_in_a_fault():
    config = {"api_key": ["sk-verysecret"], "aws_secret_access_key": "sk-verysecret", "weight": -1}
    with pytest.raises(InvalidConfig) as caught:
        read(config)
    assert "verysecret" not in repr(caught.value.faults)
    assert "verysecret" not in repr(read({"api_key": "sk-verysecret", "aws_secret_access_key": "sk-verysecret"}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just("@a"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*LEAF, "strategy", "targets", "mode", "conditions", "query", "then", "default", "attempts"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(JSON, st.booleans())
def test_any_json_is_a_config_or_has_faults(config, is_saved):
    assert isinstance(faults(config, is_saved=is_saved), dict)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_config_or_have_faults(text):
    try:
        read_config(text, RULES)
    except InvalidConfig as error:
        assert error.faults
