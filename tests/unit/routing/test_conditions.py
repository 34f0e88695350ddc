"""Conditions: the tables of section 4.6."""

from __future__ import annotations

import json

import pytest

from lockgate.core.json_text import object_keys
from lockgate.routing.conditions import MalformedQuery, compile_query, holds, number_text
from tests.unit.routing.configs import scene_of

METADATA = {"tier": "gold", "n": "42", "empty": "", "price": "12.5usd"}
BODY = {
    "model": "claude-opus-5",
    "stream": True,
    "off": False,
    "n": 1,
    "one": "1",
    "temperature": 0.5,
    "whole": 2.0,
    "nothing": None,
    "messages": [{"role": "user"}],
    "stop": ["x"],
    "tool": {"a": 1},
    "text": "a\nb",
    "escaped": "caf\u00e9",
}


def evaluate(query: object, **given: object) -> bool:
    scene = scene_of(metadata=METADATA, body=BODY, **given)
    return holds(compile_query(object_keys(json.dumps(query).encode())), scene)


@pytest.mark.parametrize(
    "query, expected",
    [
        # equality, with and without the operator
        ({"metadata.tier": "gold"}, True),
        ({"metadata.tier": {"$eq": "gold"}}, True),
        ({"metadata.tier": "Gold"}, False),
        ({"metadata.n": 42}, False),
        ({"metadata.n": "42"}, True),
        ({"metadata.empty": ""}, True),
        ({"params.model": "claude-opus-5"}, True),
        ({"params.stream": True}, True),
        ({"params.stream": 1}, False),
        ({"params.stream": "true"}, False),
        ({"params.n": 1}, True),
        ({"params.n": True}, False),
        ({"params.n": "1"}, False),
        ({"params.n": 1.0}, True),
        ({"params.one": 1}, False),
        ({"params.off": 0}, False),
        ({"params.off": False}, True),
        ({"params.whole": 2}, True),
        ({"params.nothing": None}, True),
        ({"params.nothing": False}, False),
        ({"params.escaped": "café"}, True),
        # inequality
        ({"metadata.tier": {"$ne": "silver"}}, True),
        ({"metadata.tier": {"$ne": "gold"}}, False),
        ({"params.n": {"$ne": "1"}}, True),
        ({"params.stream": {"$ne": 1}}, True),
        # lists
        ({"metadata.tier": {"$in": ["silver", "gold"]}}, True),
        ({"metadata.tier": {"$in": []}}, False),
        ({"params.n": {"$in": ["1", True]}}, False),
        ({"params.n": {"$in": ["1", 1]}}, True),
        ({"metadata.tier": {"$nin": ["silver"]}}, True),
        ({"metadata.tier": {"$nin": ["gold"]}}, False),
        ({"params.n": {"$nin": ["1", True]}}, True),
        # patterns
        ({"params.model": {"$regex": "opus"}}, True),
        ({"params.model": {"$regex": "^opus"}}, False),
        ({"params.model": {"$regex": "OPUS"}}, False),
        ({"params.n": {"$regex": "^1$"}}, True),
        ({"params.whole": {"$regex": "^2$"}}, True),
        ({"params.temperature": {"$regex": "^0\\.5$"}}, True),
        ({"params.stream": {"$regex": "true"}}, False),
        ({"params.nothing": {"$regex": "null"}}, False),
        # order: what a text begins with, as parseFloat reads it
        ({"metadata.n": {"$gt": 41}}, True),
        ({"metadata.n": {"$gt": 42}}, False),
        ({"metadata.n": {"$gte": 42}}, True),
        ({"metadata.n": {"$lt": "43 apples"}}, True),
        ({"metadata.n": {"$lte": 41.9}}, False),
        ({"metadata.price": {"$gt": 12.4}}, True),
        ({"metadata.price": {"$lt": 12.4}}, False),
        ({"metadata.tier": {"$gt": 0}}, False),
        ({"metadata.tier": {"$lte": 0}}, False),
        ({"metadata.empty": {"$gte": 0}}, False),
        ({"params.stream": {"$gte": 0}}, False),
        ({"params.nothing": {"$gte": 0}}, False),
        ({"params.temperature": {"$gt": 0.4, "$lt": 0.6}}, True),
        ({"params.temperature": {"$gt": 0.4, "$lt": 0.5}}, False),
        # all operators of one key must hold
        ({"params.model": {"$regex": "opus", "$ne": "claude-opus-5"}}, False),
        ({"params.model": {"$regex": "opus", "$ne": "claude-opus-4"}}, True),
    ],
)
def test_each_operator(query, expected):
    assert evaluate(query) is expected


@pytest.mark.parametrize("key", ["metadata.absent", "params.absent"])
@pytest.mark.parametrize(
    "operand",
    [
        "x",
        None,
        {"$eq": None},
        {"$ne": "x"},
        {"$in": ["x", None]},
        {"$nin": ["x"]},
        {"$regex": ".*"},
        {"$regex": "undefined"},
        {"$gt": -1e9},
        {"$lte": 1e9},
    ],
)
def test_a_missing_key_is_false_whatever_the_operator(key, operand):
    assert evaluate({key: operand}) is False


@pytest.mark.parametrize("key", ["params.messages", "params.stop", "params.tool"])
@pytest.mark.parametrize("operand", ["x", {"$ne": "x"}, {"$nin": ["x"]}, {"$regex": "."}, {"$gt": 0}])
def test_a_value_that_is_a_list_or_an_object_is_false_whatever_the_operator(key, operand):
    assert evaluate({key: operand}) is False


GOLD, SILVER = {"metadata.tier": "gold"}, {"metadata.tier": "silver"}


@pytest.mark.parametrize(
    "query, expected",
    [
        ({}, True),
        ({"$and": []}, True),
        ({"$or": []}, False),
        ({"$and": [GOLD, {}]}, True),
        ({"$and": [GOLD, SILVER]}, False),
        ({"$or": [SILVER, GOLD]}, True),
        ({"$or": [SILVER]}, False),
        ({"$or": [GOLD], "params.n": 2}, False),
        ({"$or": [GOLD], "params.n": 1}, True),
        ({"params.n": 2, "$and": [GOLD]}, False),
        ({"$and": [{"$or": [SILVER, {"$and": [GOLD, {"params.n": 1}]}]}, {"params.stream": True}]}, True),
        ({"$and": [GOLD], "$or": [SILVER]}, False),
        ({"metadata.tier": "gold", "params.n": 1, "params.stream": True}, True),
        ({"metadata.tier": "gold", "params.n": 1, "params.stream": False}, False),
    ],
)
def test_groups_and_their_neighbours(query, expected):
    assert evaluate(query) is expected


@pytest.mark.parametrize(
    "path, query, expected",
    [
        ("/v1/responses", {"$regex": "^/responses"}, True),
        ("/v1/responses", {"$regex": "^/v1/responses$"}, True),
        ("/v1/responses", {"$regex": "messages"}, False),
        ("/v1/messages", "/v1/messages", True),
        ("/v1/messages", "/messages", True),
        ("/v1/messages", {"$in": ["/messages"]}, True),
        ("/v1/messages", {"$ne": "/messages"}, False),
        ("/v1/messages", {"$ne": "/v1/messages"}, False),
        ("/v1/messages", {"$nin": ["/v1/messages"]}, False),
        ("/v1/messages", {"$ne": "/v1/chat/completions"}, True),
        ("/v1beta/x", {"$regex": "^beta"}, False),
        ("/proxy", "/proxy", True),
    ],
)
def test_the_path_counts_with_and_without_its_version(path, query, expected):
    assert evaluate({"url.pathname": query}, path=path) is expected


@pytest.mark.parametrize(
    "query, complaint",
    [
        ({"tier": "gold"}, "expected metadata.NAME"),
        ({"headers.x": "gold"}, "expected metadata.NAME"),
        ({"metadata.a.b": "gold"}, "expected metadata.NAME"),
        ({"params.": 1}, "expected metadata.NAME"),
        ({"url.host": "x"}, "url.pathname"),
        ({"$not": [GOLD]}, "$not is no operator"),
        ({"$and": GOLD}, "$and: expected a list of queries"),
        ({"$or": ["x"]}, "$or: expected a list of queries"),
        ({"metadata.tier": {"$like": "x"}}, "$like is no operator; known: $eq"),
        ({"metadata.tier": {"$eq": "gold", "tier": 1}}, "tier is no operator"),
        ({"metadata.tier": {}}, "expected a value or operators"),
        ({"metadata.tier": ["gold"]}, "expected text, a number"),
        ({"metadata.tier": {"$eq": ["gold"]}}, "expected text, a number"),
        ({"metadata.tier": {"$ne": {"a": 1}}}, "expected text, a number"),
        ({"metadata.tier": {"$in": "gold"}}, "expected a list"),
        ({"metadata.tier": {"$nin": [["gold"]]}}, "expected text, a number"),
        ({"metadata.tier": {"$gt": "gold"}}, "expected a number"),
        ({"metadata.tier": {"$gt": True}}, "expected a number"),
        ({"metadata.tier": {"$regex": 1}}, "expected a pattern"),
        ({"metadata.tier": {"$regex": "("}}, "missing )"),
        ({"metadata.tier": {"$regex": "(?=x)"}}, "invalid perl operator"),
        ({"$or": [{}] * 300 + [GOLD] * 201}, "more than 200 parts"),
    ],
)
def test_malformed_queries_say_what_is_wrong(query, complaint):
    with pytest.raises(MalformedQuery) as caught:
        evaluate(query)
    assert complaint in str(caught.value)


def test_queries_nest_only_so_deep():
    query: object = GOLD
    for _ in range(9):
        query = {"$and": [query]}
    assert evaluate(query) is True
    with pytest.raises(MalformedQuery, match="deeper"):
        evaluate({"$and": [query]})


@pytest.mark.parametrize("value, text", [(1, "1"), (1.0, "1"), (-2.5, "-2.5"), (1e20, "1" + "0" * 20), (1e21, "1e+21")])
def test_numbers_as_text(value, text):
    assert number_text(value) == text
