"""Whatever a body holds, its pieces joined are the body; what comes again is a part."""

from __future__ import annotations

import base64
import json
import os

from hypothesis import given
from hypothesis import strategies as st

from lockgate.records.bodies.parts import MAX_LITERAL, MIN_MEDIA, MIN_PART, Part, join, split

long_text = st.text(min_size=100, max_size=300)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "content": st.one_of(st.text(max_size=10), long_text)}
    ),
    max_size=6,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "model": st.text(max_size=5), "messages": messages, "system": long_text, "tools": st.lists(st.dictionaries(st.text(max_size=3), long_text)),
        "input": st.one_of(long_text, messages), "content": messages,
    },
)  # fmt: skip


@given(bodies, st.sampled_from([None, 2]), st.booleans())
def test_any_call_comes_back_byte_for_byte(body, indent, is_ascii):
    data = json.dumps(body, indent=indent, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    assert join(split(data)) == data


@given(st.binary(max_size=2000))
def test_any_bytes_come_back(data):
    assert join(split(data)) == data


@given(st.binary(max_size=50), st.integers(0, 200), st.integers(0, 300))
def test_a_damaged_call_comes_back(junk, at, cut):
    data = json.dumps({"messages": [{"role": "user", "content": "x" * 150}] * 3}).encode()
    data = data[:at] + junk + data[at : len(data) - cut]
    assert join(split(data)) == data


@given(st.lists(st.integers(0, MIN_MEDIA * 2), max_size=4), st.binary(max_size=20))
def test_media_come_back(sizes, around):
    data = around.join(base64.b64encode(os.urandom(size)) for size in sizes)
    body = b'{"messages":[{"content":"' + data + b'"}]}'
    assert join(split(body)) == body


def test_keys_that_come_twice_and_items_that_repeat_come_back():
    item = b'{"role":"user","content":"' + b"y" * 200 + b'"}'
    data = b'{"messages":[' + item + b'],"x":' + item + b',"messages":[' + item + b"," + item + b"]}"
    assert join(split(data)) == data


def parts_of(data):
    return [piece.data for piece in split(data) if isinstance(piece, Part)]


def test_the_history_of_a_conversation_is_the_same_parts_each_turn():
    history = [{"role": "user", "content": f"{n} " * 100} for n in range(5)]
    first = parts_of(json.dumps({"model": "m", "messages": history}).encode())
    second = parts_of(
        json.dumps({"model": "other", "messages": [*history, {"role": "user", "content": "new " * 100}]}).encode()
    )
    assert len(first) == 5
    assert second[:5] == first


def test_the_parts_of_each_api_are_found():
    long = "z" * MIN_PART
    for name in ("system", "instructions", "input", "content"):
        assert parts_of(json.dumps({name: long}).encode()) == [json.dumps(long).encode()]
    for name in ("messages", "tools", "input", "contents", "choices", "content", "output", "system"):
        assert len(parts_of(json.dumps({name: [{"text": long}, {"text": long + "2"}, "short"]}).encode())) == 2


def test_media_are_parts_of_their_own():
    image = base64.b64encode(os.urandom(MIN_MEDIA))
    body = (
        b'{"messages":[{"role":"user","content":[{"type":"image","data":"'
        + image
        + b'"},{"text":"'
        + b"w" * 200
        + b'"}]}]}'
    )
    assert image in parts_of(body)


def test_long_literals_are_parts():
    data = b"not json " * MAX_LITERAL
    assert parts_of(data) == [data]
    assert split(b"") == []
