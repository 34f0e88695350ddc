"""Faults have a path or a byte; lone surrogates are mended; streams get one ASCII line."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from lockgate.core import json_text
from lockgate.errors import InvalidRequest, Malformed


class Inner(Struct):
    a: int
    b: list[str] = []
    c: dict[str, int] = {}


class Outer(Struct):
    inner: Inner


DECODER = msgspec.json.Decoder(Outer)
TEXT = msgspec.json.Decoder(str)
DEEP = b'{"x":' + b"[" * 3000 + b"]" * 3000 + b"}"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        (b'{"inner":{"a":"x"}}', "inner.a", "expected `int`, got `str`"),
        (b'{"inner":{"a":1,"b":["x",2]}}', "inner.b[1]", "expected `str`, got `int`"),
        (b'{"inner":{"a":1,"c":{"k":"v"}}}', "inner.c[...]", "expected `int`, got `str`"),
        (b'{"inner":{}}', "inner.a", "this field is required"),
        (b"{}", "inner", "this field is required"),
        (b"[]", None, "expected `object`, got `array`"),
    ],
)
def test_a_wrong_type_has_its_path(body, path, message):
    with pytest.raises(InvalidRequest) as caught:
        json_text.decode_input(DECODER, body)
    assert (caught.value.path, caught.value.message) == (path, message)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"inner" 1}', "(byte 9)"),
        (b'{"inner":x}', "(byte 9)"),
        (b'{"inner":{"a":1}', "(byte 16)"),
        (b"", "empty"),
        (b'{"inner":{"a":1}} x', "trailing characters (byte "),
    ],
)
def test_malformed_json_has_its_byte(body, where):
    with pytest.raises(InvalidRequest) as caught:
        json_text.decode_input(DECODER, body)
    assert where in caught.value.message
    assert caught.value.path is None


@pytest.mark.parametrize(
    ("body", "fault"), [(b'{"inner":{"a":1,"b":["\xff"]}}', UnicodeDecodeError), (DEEP, RecursionError)]
)
def test_what_concerns_the_whole_body_is_left_to_its_reader(body, fault):
    with pytest.raises(fault):
        json_text.decode_input(DECODER, body)


@pytest.mark.parametrize(("body", "byte"), [(b'{"name":"\xff"}', 9), ("é".encode() + b"\xe9", 2)])
def test_bad_utf_8_has_its_byte(body, byte):
    fault = json_text.bad_utf8(body, "p")
    assert (fault.message, fault.path) == (f"The body is not valid UTF-8 (byte {byte})", "p")


@pytest.mark.parametrize("data", [b"", b"{", b'{"inner":5}', b'{"inner":"\xff"}', DEEP])
def test_a_providers_fault_is_never_quoted(data):
    with pytest.raises(Malformed) as caught:
        json_text.decode_upstream(DECODER, data, "not what was promised")
    assert caught.value.message == "not what was promised"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (rb'"a\ud83d"', "a\ufffd"),
        (rb'"a\ud83db"', "a\ufffdb"),
        (rb'"\udc00b"', "\ufffdb"),
        (rb'"\ude00\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\\ud83d"', r"\ud83d"),
        (rb'"\\\ud83d\n"', "\\\ufffd\n"),
    ],
)
def test_a_lone_surrogate_becomes_a_replacement(written, text):
    assert json_text.decode(TEXT, written) == text


def test_an_error_seen_from_further_out_has_the_longer_path():
    error = json_text.below(json_text.below(InvalidRequest("x", path="type"), "content[1]"), "messages[0]")
    assert error.path == "messages[0].content[1].type"
    assert json_text.below(InvalidRequest("x"), "tools").path == "tools"
    assert json_text.below(InvalidRequest("x", path="[2].a"), "tools").path == "tools[2].a"


@pytest.mark.parametrize(
    ("path", "inner", "expected"),
    [("", "a", "a"), ("a", "", "a"), ("a", "b", "a.b"), ("a", "[0]", "a[0]"), ("a[1]", "b.c", "a[1].b.c")],
)
def test_paths_are_joined(path, inner, expected):
    assert json_text.join(path, inner) == expected


@given(JSON)
def test_one_line_is_ascii_and_means_the_same(value):
    pretty = json.dumps(value, ensure_ascii=False, indent=2).encode()
    line = json_text.one_line(pretty)
    assert line.isascii()
    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line) == value


def test_line_separators_are_escaped():
    assert json_text.one_line('"a\u2028b\u2029"'.encode()) == rb'"a\u2028b\u2029"'


@given(st.text())
def test_a_string_is_written_in_ascii(text):
    written = json_text.ascii_string(text)
    assert written.isascii()
    assert json.loads(written) == text


@pytest.mark.parametrize(
    ("text", "is_object"),
    [
        ("{}", True),
        (' {"a":[1]} \n', True),
        ("", False),
        ("[]", False),
        ('{"a":', False),
        ("{}{}", False),
        ("1", False),
    ],
)
def test_an_object_is_told_from_its_beginning(text, is_object):
    assert json_text.is_object_text(text) is is_object


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'"x"', "x"),
        (b' "x"', "x"),
        (b"null", None),
        (b"1", None),
        (b"", None),
        (b"{", None),
        (b'"\xff"', None),
        (b'"\\ud800"', "\ufffd"),
    ],
)
def test_only_a_string_has_text(raw, text):
    assert json_text.text_of(Raw(raw)) == json_text.text_of(raw) == text
    assert json_text.text_of(None) is None


@pytest.mark.parametrize(
    ("raw", "keys"),
    [(b'{"a":1}', {"a"}), (b"[1]", set()), (b"null", set()), (b"", set()), (b"{", set()), (b"\xff", set())],
)
def test_only_an_object_has_members(raw, keys):
    assert set(json_text.object_keys(Raw(raw))) == set(json_text.object_keys(raw)) == keys


@pytest.mark.parametrize(
    ("raw", "items"),
    [(b' [1,"a"]', [b"1", b'"a"']), (b'{"a":1}', []), (b"5", []), (b"", []), (b"[", []), (b"\xff", []), (DEEP, [])],
)
def test_only_a_list_has_items(raw, items):
    assert [bytes(item) for item in json_text.list_items(raw)] == items
    assert json_text.list_items(None) == []


def test_null_counts_as_absent():
    assert json_text.given(Raw(b"null")) is None
    assert json_text.given(json_text.ABSENT) is None
    assert json_text.given(Raw(b"0")) == Raw(b"0")
