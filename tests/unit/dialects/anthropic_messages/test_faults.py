"""A fault of a client has its whole path in the message; one of a provider is never quoted."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.dialects.anthropic_messages.faults import decode_input, decode_upstream, place, refuse
from lockgate.errors import InvalidRequest, Malformed


class Shape(msgspec.Struct):
    name: str
    inner: dict[str, int] = {}


SHAPE = msgspec.json.Decoder(Shape)


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


def test_a_fault_without_a_path_is_about_the_body():
    assert (refuse("", "no").message, refuse("", "no").path) == ("The body: no", None)
    assert (refuse("a.b", "no").message, refuse("a.b", "no").path) == ("a.b: no", "a.b")


def test_a_fault_found_further_in_is_told_from_the_top():
    placed = place(InvalidRequest("no", path="[1].b"), "a")
    assert (placed.message, placed.path) == ("a[1].b: no", "a[1].b")
