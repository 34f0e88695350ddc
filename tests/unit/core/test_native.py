"""Beta flags come as texts, comma lists and lists of either."""

from __future__ import annotations

import pytest

from lockgate.core.native import read_betas, split_flags


@pytest.mark.parametrize(
    ("sources", "flags"),
    [
        ((None, None), ()),
        (("a", None), ("a",)),
        ((" a , b,,a ", ["b", "c, d"]), ("a", "b", "c", "d")),
        (([], ""), ()),
    ],
)
def test_each_flag_is_named_once_in_the_order_of_its_first_mention(sources, flags):
    assert read_betas(*sources) == flags


def test_a_comma_list_has_no_empty_flags():
    assert split_flags(" a,, b ,") == ["a", "b"]
    assert split_flags('["a-1", "b"]') == split_flags("['a-1', 'b']") == split_flags("('a-1', 'b')") == ["a-1", "b"]
    assert split_flags("[]") == []
