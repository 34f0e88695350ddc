import json
import re

from hypothesis import given
from hypothesis import strategies as st

from lockgate.simulator.dice import Dice
from lockgate.simulator.splitting import escape_non_ascii, split_json, split_text, tear, write_arguments

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.text(), st.integers())
def test_pieces_of_a_text_make_the_text(text, seed):
    pieces = split_text(text, Dice(seed))
    assert "".join(pieces) == text
    assert "" not in pieces


@given(st.text(min_size=1), st.integers(1, 20))
def test_as_many_pieces_as_were_asked_for(text, count):
    pieces = split_text(text, Dice(0), count)
    assert "".join(pieces) == text
    assert len(pieces) == count


@given(VALUES, st.integers())
def test_pieces_of_json_make_the_json(value, seed):
    text = write_arguments(value, Dice(seed))
    pieces = split_json(text, Dice(seed))
    assert json.loads("".join(pieces)) == value
    assert pieces[0] == ""


@given(VALUES)
def test_escaped_json_is_ascii_and_the_same(value):
    escaped = escape_non_ascii(json.dumps(value, ensure_ascii=False))
    assert escaped.isascii()
    assert json.loads(escaped) == value


def test_a_family_is_torn_apart():
    text = "A family: 👩‍👩‍👧‍👦!"
    assert any(piece.startswith("\u200d") for seed in range(5) for piece in split_text(text, Dice(seed)))


def test_json_is_torn_inside_escapes_and_numbers():
    text = r'{"a":"\u00e9\ud83d\ude00\n","n":123456.75,"t":true}'
    torn = ["|".join(split_json(text, Dice(seed))) for seed in range(40)]
    assert any(re.search(r"\\u?[0-9a-f]{0,3}\|", one) for one in torn)
    assert any(re.search(r"\d\|\d", one) for one in torn)
    assert any("||" in one for one in torn)


def test_a_frame_is_torn_inside_a_utf8_sequence():
    frame = "data: naïve".encode()
    places = {tear(frame, Dice(seed)) for seed in range(20)}
    assert places == {0, frame.index(b"\xaf")}
    assert tear(b"data: plain", Dice(0)) == 0
