"""Ids and names become legal, stay unique, and depend on nothing that comes later."""

from __future__ import annotations

import re

from lockgate.dialects.anthropic_messages.identifiers import ToolIds, made_id


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


def test_made_ids_depend_on_their_seed_alone():
    assert made_id("msg_", "a") == made_id("msg_", "a") != made_id("msg_", "b")
    assert re.fullmatch(r"msg_[0-9a-zA-Z]{24}", made_id("msg_", "a"))
