import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.json_edit import Edit, Place, end_of_value, read_items, read_members, skip_space

SPACE = st.text(" \t\r\n", max_size=2)
NUMBERS = st.sampled_from(["0", "-1", "1.0", "1e400", "12345678901234567890.10", "1E-7"])
STRINGS = st.text(max_size=6).map(json.dumps) | st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters='"\\', min_codepoint=32), max_size=6
).map(lambda text: f'"{text}"')
STRINGS |= st.sampled_from(
    [r'"\/"', r'"\""', r'"\\"', r'"\\\""', r'"\ud800"', '"[{"', '"]}"', '","', '":"', '"é\u2028"']
)


@st.composite
def written(draw, inner):
    """Return a list or an object as somebody might write it."""
    space = lambda: draw(SPACE)  # noqa: E731
    if draw(st.booleans()):
        items = [space() + item + space() for item in draw(st.lists(inner, max_size=4))]
        return "[" + (",".join(items) or space()) + "]"
    pairs = draw(st.lists(st.tuples(STRINGS, inner), max_size=4))
    members = [space() + key + space() + ":" + space() + value + space() for key, value in pairs]
    return "{" + (",".join(members) or space()) + "}"


JSON = st.recursive(NUMBERS | STRINGS | st.sampled_from(["true", "false", "null"]), written, max_leaves=12)
LISTS = st.lists(JSON, max_size=5)


@given(JSON, SPACE, SPACE)
def test_the_end_of_a_value_is_found(value, before, after):
    data = (before + value + after).encode()
    start = skip_space(data, 0)
    assert data[start : end_of_value(data, start)] == value.encode()


@given(st.lists(st.tuples(JSON, SPACE, SPACE), max_size=5), SPACE)
def test_items_are_found_where_they_stand(parts, before):
    text = before + "[" + ",".join(left + value + right for value, left, right in parts) + "]"
    data = text.encode()
    assert [data[item.start : item.end].decode() for item in read_items(data)] == [value for value, _, _ in parts]


@given(st.lists(st.tuples(STRINGS, JSON, SPACE), max_size=5))
def test_members_are_found_where_they_stand(parts):
    data = ("{" + ",".join(s + key + s + ":" + s + value + s for key, value, s in parts) + "}").encode()
    found = read_members(data)
    assert [data[m.start : m.key_end].decode() for m in found] == [key for key, _, _ in parts]
    assert [data[m.value : m.end].decode() for m in found] == [value for _, value, _ in parts]


@given(LISTS, st.data())
def test_what_is_not_replaced_stays_byte_for_byte(values, data):
    body = ("[ " + " , ".join(values) + " ]").encode()
    items = read_items(body)
    chosen = data.draw(st.sets(st.sampled_from(range(len(values))))) if values else set()
    new = [data.draw(JSON) if at in chosen else value for at, value in enumerate(values)]
    edit = Edit(body)
    for at in chosen:
        edit.replace(items[at].start, items[at].end, new[at].encode())
    assert edit.apply() == ("[ " + " , ".join(new) + " ]").encode()


@given(LISTS, st.data(), SPACE, SPACE)
def test_removed_items_take_their_comma_along_and_nothing_else(values, data, before, after):
    body = ("[" + ",".join(before + value + after for value in values) + "]").encode()
    items = read_items(body)
    gone = data.draw(st.sets(st.sampled_from(range(len(values))))) if values else set()
    edit = Edit(body)
    edit.remove(items, gone)
    out = edit.apply()
    kept = [value for at, value in enumerate(values) if at not in gone]
    assert [out[item.start : item.end].decode() for item in read_items(out)] == kept
    if kept and len(kept) < len(values):
        assert out == ("[" + ",".join(before + value + after for value in kept) + "]").encode()
    if not gone:
        assert out == body


@given(st.lists(st.tuples(STRINGS, JSON), max_size=5), st.data())
def test_removed_members_leave_the_others(parts, data):
    body = ("{" + ", ".join(f"{key}: {value}" for key, value in parts) + "}").encode()
    gone = data.draw(st.sets(st.sampled_from(range(len(parts))))) if parts else set()
    edit = Edit(body)
    edit.remove(read_members(body), gone)
    kept = [part for at, part in enumerate(parts) if at not in gone]
    assert edit.apply() == ("{" + ", ".join(f"{key}: {value}" for key, value in kept) + "}").encode()


def test_changes_of_any_order_and_at_one_place():
    edit = Edit(b'{"a":1,"b":2}')
    edit.insert(12, b"]")
    edit.replace(5, 6, b"3")
    edit.insert(11, b"[")
    assert edit.apply() == b'{"a":3,"b":[2]}'


def test_changes_that_overlap_are_a_mistake():
    edit = Edit(b"[1,2]")
    edit.replace(1, 3, b"")
    edit.replace(2, 4, b"")
    with pytest.raises(ValueError, match="overlap"):
        edit.apply()


def test_a_key_is_read_as_text_also_when_it_is_escaped_or_broken():
    keys = [member.key for member in read_members(rb'{"m\u006fdel":1,"\ud800":2,"\"":3}')]
    assert keys == ["model", '"\\ud800"', '"']


@pytest.mark.parametrize("data", [b"[1", b'["', b"[[]", b'{"a":{'])
def test_text_that_is_not_whole_is_never_read_as_if_it_were(data):
    with pytest.raises((ValueError, IndexError)):
        end_of_value(data, 0)


def test_nothing_removed_from_nothing():
    edit = Edit(b"[ ]")
    edit.remove([], {0})
    assert edit.apply() == b"[ ]"
    assert read_items(b"[ ]") == []
    assert read_members(b"{ }") == []
    assert Place(1, 2).end == 2
