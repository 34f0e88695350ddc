import pytest
from msgspec import Struct

from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.paging import Page, cut_page, read_limit, read_query


class Thing(Struct, frozen=True):
    id: str


def page(query):
    return cut_page([Thing(letter) for letter in "abcdef"], read_query(query), lambda thing: {"id": thing.id})


@pytest.mark.parametrize(
    "query, ids, has_more",
    [
        ("", "abcdef", False),
        ("limit=2", "ab", True),
        ("limit=2&after_id=b", "cd", True),
        ("limit=2&after_id=d", "ef", False),
        ("after_id=f", "", False),
        ("limit=2&before_id=e", "cd", True),
        ("limit=9&before_id=c", "ab", False),
        ("before_id=a", "", False),
    ],
)
def test_pages_lie_behind_or_before_an_id(query, ids, has_more):
    found = page(query)
    assert ("".join(one["id"] for one in found.data), found.has_more) == (ids, has_more)
    assert found.write()["first_id"] == (ids[0] if ids else None)
    assert found.write()["last_id"] == (ids[-1] if ids else None)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=1001", "limit=x", "limit=", "after_id=z", "before_id=z"]
)
def test_a_page_that_is_not_there_is_refused(query):
    with pytest.raises(ApiError):
        page(query)


def test_only_one_direction_is_possible():
    with pytest.raises(ApiError):
        page("after_id=a&before_id=c")


def test_brackets_at_a_key_do_not_matter():
    assert read_query("ids[]=a&ids=b&x=") == {"ids": ["a", "b"], "x": [""]}


def test_a_page_has_twenty_objects_by_default():
    assert read_limit({}) == 20
    assert Page([], has_more=False).write()["first_id"] is None
