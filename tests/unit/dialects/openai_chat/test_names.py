"""Names and ids within OpenAI's limits."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.dialects.openai_chat.names import ToolNames, make_call_id, send_call_id, send_user

ALLOWED = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@pytest.mark.parametrize(
    ("name", "sent"),
    [("get_weather", "get_weather"), ("get weather", "get_weather"), ("a.b/c", "a_b_c"), ("x" * 64, "x" * 64)],
)
def test_a_name_is_changed_only_where_it_must_be(name, sent):
    names = ToolNames([name])
    assert names.send(name) == sent
    assert names.changed == ({sent: name} if sent != name else {})


def test_a_long_name_ends_in_a_hash():
    names = ToolNames([])
    first, second = names.send("x" * 70 + "a"), names.send("x" * 70 + "b")
    assert first != second
    assert ALLOWED.fullmatch(first)
    assert re.search(r"_[0-9a-f]{6}$", first)


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=8, unique=True))
def test_names_stay_apart_and_can_be_restored(found):
    names = ToolNames(found)
    sent = [names.send(name) for name in found]
    assert all(ALLOWED.fullmatch(name) for name in sent)
    assert len(set(sent)) == len(found)
    assert [names.changed.get(name, name) for name in sent] == found
    assert [names.send(name) for name in found] == sent


@given(st.text(max_size=100))
def test_a_call_id_fits_and_is_always_the_same(call_id):
    sent = send_call_id(call_id)
    assert len(sent) <= 40
    assert sent == send_call_id(call_id)
    assert (sent == call_id) is (len(call_id) <= 40)


def test_a_long_user_is_hashed():
    assert send_user("u" * 64) == "u" * 64
    assert re.fullmatch(r"[0-9a-f]{64}", send_user("u" * 65))
    assert send_user("u" * 65) != send_user("u" * 66)


def test_a_made_id_depends_on_reply_and_number():
    assert re.fullmatch(r"toolu_[0-9a-zA-Z]{24}", make_call_id("chatcmpl-1", 0))
    assert len({make_call_id("a", 0), make_call_id("a", 1), make_call_id("b", 0)}) == 3
