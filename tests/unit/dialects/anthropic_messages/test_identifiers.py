"""Ids and names become legal, stay unique, and depend on nothing that comes later."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.dialects.anthropic_messages.identifiers import MAX_NAME_CHARS, ToolIds, ToolNames, clean_id, made_id


@pytest.mark.parametrize(
    "given_id, expected",
    [
        ("toolu_01A-b", "toolu_01A-b"),
        ("call.1:2", "call_1_2"),
        ("a b", "a_b"),
        ("x__thought__y=", "x__thought__y_"),
        ("é", "_"),
    ],
)
def test_ids_lose_what_anthropic_refuses(given_id, expected):
    assert clean_id(given_id) == expected


def test_ids_that_collide_are_numbered():
    ids = ToolIds()
    assert [ids.place(name, 0) for name in ("a.b", "a:b", "a_b", "a.b")] == ["a_b", "a_b_2", "a_b_3", "a_b_4"]


def test_missing_ids_are_made_by_position():
    ids = ToolIds()
    assert [ids.place("", 0), ids.place("", 0)] == ["toolu_1", "toolu_2"]
    assert [ids.answered("").id, ids.answered("").id] == ["toolu_1", "toolu_2"]


def test_an_id_used_twice_is_answered_in_pairs():
    ids = ToolIds()
    ids.place("x", 1)
    assert ids.answered("x").id == "x"
    ids.place("x", 3)
    assert ids.answered("x").id == "x_2"
    assert ids.answered("x").id == "x_2"


def test_a_call_left_unanswered_does_not_take_a_later_result():
    ids = ToolIds()
    ids.place("x", 1)
    ids.place("x", 3)
    assert ids.answered("x").id == "x_2"


def test_nobody_answers_for_an_unknown_id():
    assert ToolIds().answered("x") is None


def test_a_legal_name_is_sent_as_it_is():
    names = ToolNames(["look"])
    assert names.sent("look") == "look"
    assert names.originals == {}


def test_a_name_that_would_collide_gets_a_mark():
    names = ToolNames(["a.b", "a_b", "a:b"])
    first, second = names.sent("a.b"), names.sent("a:b")
    assert re.fullmatch(r"a_b_[0-9a-f]{6}", first)
    assert first != second
    assert names.originals == {first: "a.b", second: "a:b"}


@given(st.text(max_size=200))
def test_every_name_becomes_legal_the_same_way_each_time(name):
    sent = ToolNames([name]).sent(name)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,%d}" % MAX_NAME_CHARS, sent)
    assert ToolNames([name]).sent(name) == sent


def test_made_ids_depend_on_their_seed_alone():
    assert made_id("msg_", "a") == made_id("msg_", "a") != made_id("msg_", "b")
    assert re.fullmatch(r"msg_[0-9a-zA-Z]{24}", made_id("msg_", "a"))
