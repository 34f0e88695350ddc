"""Ids and users within OpenAI's limits."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lockgate.dialects.openai_chat.names import make_call_id, send_call_id, send_user


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
