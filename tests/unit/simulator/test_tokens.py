import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.simulator.tokens import count_json, count_text, cut_text


@pytest.mark.parametrize("text, tokens", [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("é", 1), ("👩‍👧", 3)])
def test_a_token_is_four_bytes(text, tokens):
    assert count_text(text) == tokens


def test_json_is_counted_as_it_is_written():
    assert count_json({"a": 1}) == 2


@given(st.text(), st.integers(0, 20))
def test_a_cut_text_is_a_beginning_that_fits(text, tokens):
    cut = cut_text(text, tokens)
    assert text.startswith(cut)
    assert count_text(cut) <= tokens
