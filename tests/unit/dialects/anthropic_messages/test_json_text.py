"""Faults have a path or a byte; lone surrogates are mended; streams get one ASCII line."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lockgate.dialects.anthropic_messages.json_text import (
    ABSENT,
    ascii_string,
    decode,
    decode_input,
    decode_upstream,
    join,
    list_items,
    object_keys,
    one_line,
    text_of,
)
from lockgate.dialects.anthropic_messages.json_text import (
    given as given_value,
)
from lockgate.errors import InvalidRequest, Malformed


class Shape(msgspec.Struct):
    name: str
    inner: dict[str, int] = {}


SHAPE = msgspec.json.Decoder(Shape)
TEXT = msgspec.json.Decoder(str)


@pytest.mark.parametrize("value, expected", [(ABSENT, None), (Raw(b"null"), None), (Raw(b"0"), Raw(b"0"))])
def test_absent_and_null_are_nothing(value, expected):
    assert given_value(value) == expected


@pytest.mark.parametrize(
    "data, expected",
    [
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"a\ud83db"', "a�b"),
        (rb'"\ude00\ud83d\ude00"', "�\U0001f600"),
        (rb'"\\ud83d"', r"\ud83d"),
    ],
)
def test_lone_surrogates_become_replacement_characters(data, expected):
    assert decode(TEXT, data) == expected


@pytest.mark.parametrize(
    "data, path, message",
    [
        (b'{"name":5}', "a.name", "a.name: expected `str`, got `int`"),
        (b"{}", "a.name", "a.name: this field is required"),
        (b'{"name":"x","inner":{"k":"v"}}', "a.inner[...]", "a.inner[...]: expected `int`, got `str`"),
        (b"[]", "a", "a: expected `object`, got `array`"),
    ],
)
def test_a_wrong_type_has_its_path(data, path, message):
    with pytest.raises(InvalidRequest) as caught:
        decode_input(SHAPE, data, "a")
    assert (caught.value.path, caught.value.message) == (path, message)


@pytest.mark.parametrize(
    "data, words",
    [
        (b'{"name":', r"\(byte 8\)"),
        (b'{"name":x}', r"\(byte 8\)"),
        (b"", "empty"),
        (b'{"name":"\xff"}', r"not valid UTF-8 \(byte 9\)"),
        (b'{"x":' + b"[" * 3000 + b"]" * 3000 + b"}", "nests deeper"),
    ],
)
def test_broken_text_has_its_byte(data, words):
    with pytest.raises(InvalidRequest, match=words):
        decode_input(SHAPE, data)


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"name":5}', b'{"name":"\xff"}', b'{"x":' + b"[" * 3000 + b"]" * 3000 + b"}"]
)
def test_a_providers_fault_is_never_quoted(data):
    with pytest.raises(Malformed) as caught:
        decode_upstream(SHAPE, data, "the message")
    assert caught.value.message == (
        "Invalid response received from the provider: the message is not what Messages promises"
    )


@pytest.mark.parametrize("data", [b"", b"5", b"{", b'"x"', b"\xff"])
def test_what_is_something_else_is_nothing(data):
    assert object_keys(data) == {}
    assert list_items(data) == []
    assert text_of(data) == ("x" if data == b'"x"' else None)


@pytest.mark.parametrize(
    "path, inner, expected",
    [("", "a", "a"), ("a", "", "a"), ("a", "b", "a.b"), ("a", "[0]", "a[0]"), ("a[1]", "b.c", "a[1].b.c")],
)
def test_paths_are_joined(path, inner, expected):
    assert join(path, inner) == expected


@given(st.text())
def test_ascii_strings_say_the_same(words):
    written = ascii_string(words)
    assert written.isascii()
    if not any("\ud800" <= char <= "\udfff" for char in words):
        assert msgspec.json.decode(written) == words


@given(st.recursive(st.none() | st.integers(-9, 9) | st.text(st.characters(exclude_categories=["Cs"])), st.lists))
def test_one_line_says_the_same(value):
    data = msgspec.json.format(msgspec.json.encode(value), indent=2)
    written = one_line(data)
    assert written.isascii()
    assert b"\n" not in written
    assert msgspec.json.decode(written) == value


def test_line_separators_are_escaped():
    assert one_line('"a\u2028b\u2029"'.encode()) == rb'"a\u2028b\u2029"'
