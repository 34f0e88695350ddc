"""Configs of requests are compiled once, and only so many of them are kept."""

from __future__ import annotations

import json

import pytest

from lockgate.errors import InvalidConfig
from lockgate.routing import inline
from lockgate.routing.inline import InlineConfigs, inline_id
from tests.unit.routing.configs import RULES


def text(name: str, size: int = 0) -> bytes:
    return json.dumps({"provider": "@a", "name": name + "x" * size}).encode()


def test_the_same_text_is_compiled_once():
    configs = InlineConfigs(RULES)
    assert configs.compile(text("a")) is configs.compile(text("a"))
    assert configs.compile(text("a")).root.name == "a"


def test_configs_that_say_the_same_have_one_id():
    assert inline_id(b'{"a":1,"b":[2]}') == inline_id(b' { "b":[2], "a" : 1 } ') != inline_id(b'{"a":1,"b":[3]}')
    assert InlineConfigs(RULES).compile(text("a")).id == inline_id(text("a"))
    assert inline_id(b"{}").startswith("inline-")


def test_a_config_that_is_wrong_is_wrong_each_time():
    configs = InlineConfigs(RULES)
    for _ in range(2):
        with pytest.raises(InvalidConfig):
            configs.compile(b'{"weight":-1}')
    assert not configs._kept


def test_their_number_and_size_are_bounded():
    configs = InlineConfigs(RULES)
    kept = configs.compile(text("kept"))
    for number in range(2000):
        configs.compile(text(str(number)))
        assert configs.compile(text("kept")) is kept
    assert len(configs._kept) == inline.MAX_KEPT
    for number in range(100):
        configs.compile(text(str(number), 100_000))
    assert configs._size_bytes == sum(map(len, configs._kept)) <= inline.MAX_KEPT_BYTES
