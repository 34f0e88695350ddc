"""The schema and the reader agree on what may be saved."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config.routes import config_schema
from lockgate.config.routes.nodes import GUARDRAILS
from tests.unit.config.routes.configs import EVERYTHING, LEAF, faults

SCHEMA = config_schema()
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)

# Faults that only code can find: names, limits, hosts, what is enough, how paths are written.
BEYOND = (
    "there is",
    "a target needs",
    "more than",
    "nest",
    "slug",
    "invalid provider",
    "expected names",
    "several",
    "list may",
)

GOOD = [
    EVERYTHING,
    {"provider": "@a"},
    {"cache": "simple", "provider": "@a"},
    {"retry": {"attempts": 0}},
    {"anthropic_beta": "x", "provider": "@a"},
    {"databricks_host": "x", "provider": "@a", "aws_verify": True},
    {"input_guardrails": [], "provider": "@a"},
]
BAD = [
    {},
    [],
    {"wieght": 1},
    {"retry": {"attempts": -1}},
    {"retry": {"attempts": 1, "max": 2}},
    {"retry": None},
    {"cache": "fast"},
    {"cache": {"max_age": 5}},
    {"strategy": {"mode": "single"}},
    {"strategy": {"mode": "conditional"}, "targets": [{"provider": "@a"}]},
    {"cb_config": {"cooldown_interval": 30000}, "provider": "@a"},
    {"cb_config": {"cooldown_interval": 29999, "failure_threshold": 1}, "provider": "@a"},
    {"targets": [], "provider": "@a"},
    {"input_guardrails": ["x"], "provider": "@a"},
    {"request_timeout": 0},
    {"retry": {"attempts": 1, "on_status_codes": [99]}},
]


@pytest.mark.parametrize("config", GOOD, ids=lambda config: "+".join(config)[:40])
def test_what_may_be_saved_keeps_the_schema(config):
    assert faults(config, is_saved=True) == {}
    assert VALIDATOR.is_valid(config)


@pytest.mark.parametrize("config", BAD, ids=lambda config: json.dumps(config)[:40])
def test_what_may_not_be_saved_does_not(config):
    assert faults(config, is_saved=True)
    assert not VALIDATOR.is_valid(config)


def test_the_schema_is_one_and_names_every_key():
    jsonschema_rs.validator_for(SCHEMA)
    properties = SCHEMA["$defs"]["Node"]["properties"]
    clouds = {key for key in LEAF if key.startswith(("aws_", "azure_", "vertex_"))}
    assert set(properties) == (set(LEAF) - clouds) | {"id", "strategy", "targets", "virtual_key", *GUARDRAILS}
    assert set(SCHEMA["$defs"]["Strategy"]["properties"]) == {
        "mode",
        "on_status_codes",
        "conditions",
        "default",
        "sticky",
        "cb_config",
    }
    assert "null" not in json.dumps(SCHEMA)


SMALL = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 700), st.sampled_from([0.5, "simple", "@a", "single", "fallback", "429x"])
)
LISTS = st.lists(SMALL, max_size=2)


def nodes(depth: int = 2) -> st.SearchStrategy[dict[str, object]]:
    retry = st.dictionaries(
        st.sampled_from(["attempts", "on_status_codes", "use_retry_after_header"]), SMALL | LISTS, max_size=3
    )
    breaker = st.dictionaries(
        st.sampled_from(["failure_threshold", "cooldown_interval", "minimum_requests"]),
        SMALL | st.just(30000),
        max_size=3,
    )
    strategy = st.dictionaries(
        st.sampled_from(["mode", "on_status_codes", "default", "cb_config"]), SMALL | LISTS | breaker, max_size=3
    )
    values: dict[str, st.SearchStrategy[object]] = {
        "retry": retry,
        "cb_config": breaker,
        "strategy": strategy,
        "cache": SMALL | st.fixed_dictionaries({"mode": SMALL}, optional={"max_age": SMALL}),
        "override_params": st.dictionaries(st.text(max_size=2), SMALL, max_size=2) | SMALL,
        "drop_params": LISTS | st.just(["a"]),
        "targets": st.lists(nodes(depth - 1), max_size=2) if depth else LISTS,
    }
    plain = dict.fromkeys(
        ("weight", "provider", "api_key", "passthrough", "request_timeout", "aws_x", "x"), SMALL | LISTS
    )
    return st.fixed_dictionaries({}, optional={**values, **plain})


@given(nodes())
def test_schema_and_reader_agree(config):
    found = faults(config, is_saved=True)
    serious = {path: what for path, what in found.items() if not what.startswith(BEYOND)}
    is_valid = VALIDATOR.is_valid(config)
    if is_valid:
        assert serious == {}
    elif not found:
        raise AssertionError(f"the reader takes what the schema refuses: {config}")
