"""JSON text: faults with a path, lone surrogates, one line of ASCII."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from lockgate.dialects.openai_chat import json_text
from lockgate.errors import InvalidRequest


class Inner(Struct):
    a: int
    b: list[str] = []


class Outer(Struct):
    inner: Inner


DECODER = msgspec.json.Decoder(Outer)
TEXT = msgspec.json.Decoder(str)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"inner":{"a":"x"}}', "inner.a"),
        (b'{"inner":{"a":1,"b":["x",2]}}', "inner.b[1]"),
        (b'{"inner":{}}', "inner.a"),
        (b"{}", "inner"),
        (b"[]", None),
    ],
)
def test_a_wrong_type_has_its_path(body, path):
    with pytest.raises(InvalidRequest) as caught:
        json_text.decode_input(DECODER, body)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"inner" 1}', "(byte 9)"),
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
    ("written", "text"),
    [
        (rb'"a\ud83d"', "a\ufffd"),
        (rb'"\udc00b"', "\ufffdb"),
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


@given(JSON)
def test_one_line_is_ascii_and_means_the_same(value):
    pretty = json.dumps(value, ensure_ascii=False, indent=2).encode()
    line = json_text.one_line(pretty)
    assert line.isascii()
    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line) == value


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
    ("raw", "text"), [(b'"x"', "x"), (b"null", None), (b"1", None), (b"", None), (b'"\\ud800"', "\ufffd")]
)
def test_only_a_string_has_text(raw, text):
    assert json_text.text_of(Raw(raw)) == text


@pytest.mark.parametrize(("raw", "keys"), [(b'{"a":1}', {"a"}), (b"[1]", set()), (b"null", set()), (b"", set())])
def test_only_an_object_has_members(raw, keys):
    assert set(json_text.object_keys(Raw(raw))) == keys


def test_null_counts_as_absent():
    assert json_text.given(Raw(b"null")) is None
    assert json_text.given(json_text.ABSENT) is None
    assert json_text.given(Raw(b"0")) == Raw(b"0")
