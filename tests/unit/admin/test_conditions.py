import pytest
from msgspec import to_builtins

from lockgate.admin.conditions import (
    RATE_KEYS,
    TOOL_KEYS,
    USAGE_KEYS,
    ConditionBody,
    GroupKey,
    read_conditions,
    read_groups,
    write_conditions,
    write_groups,
)
from lockgate.entities import Condition
from lockgate.errors import InvalidRequest


@pytest.mark.parametrize(
    "body, stored, shown",
    [
        (
            {"key": "model", "value": "@a/*"},
            [Condition(key="model", values=("@a/*",))],
            {"value": "@a/*", "excludes": None},
        ),
        (
            {"key": "model", "value": ["a", "b"]},
            [Condition(key="model", values=("a", "b"))],
            {"value": ["a", "b"], "excludes": None},
        ),
        (
            {"key": "metadata._user", "value": "*", "excludes": ["ci-bot", "x"]},
            [
                Condition(key="metadata._user", values=("*",)),
                Condition(key="metadata._user", values=("ci-bot", "x"), is_excluded=True),
            ],
            {"value": "*", "excludes": ["ci-bot", "x"]},
        ),
        (
            {"key": "provider", "excludes": "x"},
            [Condition(key="provider", values=("*",)), Condition(key="provider", values=("x",), is_excluded=True)],
            {"value": "*", "excludes": "x"},
        ),
    ],
)
def test_there_and_back(body, stored, shown):
    found = read_conditions([ConditionBody(**body)], USAGE_KEYS)
    assert list(found) == stored
    assert to_builtins(write_conditions(found)) == [{"key": body["key"]} | shown]


def test_an_exclusion_alone_is_shown_with_any_value():
    found = write_conditions([Condition(key="model", values=("x",), is_excluded=True)])
    assert to_builtins(found) == [{"key": "model", "value": "*", "excludes": "x"}]


@pytest.mark.parametrize(
    "key, keys, is_right",
    [
        ("metadata.team", USAGE_KEYS, True),
        ("metadata.", USAGE_KEYS, False),
        ("endpoint_type", USAGE_KEYS, False),
        ("endpoint_type", RATE_KEYS, True),
        ("mcp_tool", TOOL_KEYS, True),
        ("mcp_tool", RATE_KEYS, False),
        ("colour", USAGE_KEYS, False),
    ],
)
def test_keys(key, keys, is_right):
    if is_right:
        assert read_groups([key], keys) == (key,)
        return
    with pytest.raises(InvalidRequest, match=r"conditions\[0\]\.key"):
        read_conditions([ConditionBody(key=key)], keys)
    with pytest.raises(InvalidRequest, match=r"group_by\[0\]\.key"):
        read_groups([key], keys)


def test_groups_come_as_texts_or_objects_and_each_once():
    assert read_groups([GroupKey(key="model"), "api_key", "model"], USAGE_KEYS) == ("model", "api_key")
    assert to_builtins(write_groups(("model",))) == [{"key": "model"}]
