"""Names stay apart, can be restored, and never depend on what comes later."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.tool_names import ToolNames, clean

MAX_CHARS = 64
LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("toolu_01A-b", "toolu_01A-b"),
        ("call.1:2", "call_1_2"),
        ("a b", "a_b"),
        ("x__thought__y=", "x__thought__y_"),
        ("é", "_"),
        ("a\n", "a_"),
        ("", ""),
    ],
)
def test_what_providers_refuse_is_replaced(text, cleaned):
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("name", "sent"),
    [("get_weather", "get_weather"), ("get weather", "get_weather"), ("a.b/c", "a_b_c"), ("x" * 64, "x" * 64)],
)
def test_a_name_is_changed_only_where_it_must_be(name, sent):
    names = ToolNames([name], MAX_CHARS)
    assert names.sent(name) == sent
    assert names.originals == ({sent: name} if sent != name else {})


def test_a_long_name_ends_in_a_hash():
    names = ToolNames([], MAX_CHARS)
    first, second = names.sent("x" * 70 + "a"), names.sent("x" * 70 + "b")
    assert first != second
    assert LEGAL.fullmatch(first)
    assert re.search(r"_[0-9a-f]{6}$", first)


def test_a_name_that_would_collide_gets_a_mark():
    names = ToolNames(["a.b", "a_b", "a:b"], MAX_CHARS)
    first, second = names.sent("a.b"), names.sent("a:b")
    assert re.fullmatch(r"a_b_[0-9a-f]{6}", first)
    assert first != second
    assert names.originals == {first: "a.b", second: "a:b"}


def test_a_name_that_no_tool_has_changes_nothing_for_those_that_follow():
    names = ToolNames(["a.b"], MAX_CHARS)
    assert names.sent("a_b") == "a_b"
    assert names.sent("a.b") == "a_b"
    assert names.originals == {"a_b": "a.b"}


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=8, unique=True))
def test_names_stay_apart_and_can_be_restored(found):
    names = ToolNames(found, MAX_CHARS)
    sent = [names.sent(name) for name in found]
    assert all(LEGAL.fullmatch(name) for name in sent)
    assert len(set(sent)) == len(found)
    assert [names.originals.get(name, name) for name in sent] == found
    assert [names.sent(name) for name in found] == sent


@given(st.text(max_size=200), st.sampled_from([64, 128]))
def test_every_name_becomes_legal_the_same_way_each_time(name, max_chars):
    sent = ToolNames([name], max_chars).sent(name)
    assert re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{max_chars}}}", sent)
    assert ToolNames([], max_chars).sent(name) == sent
