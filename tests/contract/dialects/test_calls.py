"""Every dialect reads the calls that it writes, and refuses garbage with nothing but InvalidRequest."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from lockgate.catalog import find_facts
from lockgate.core.chat import Call, Message, TextBlock
from lockgate.dialects import TargetInfo
from lockgate.errors import InvalidRequest
from tests.contract.dialects.discover import DIALECTS, limits_of
from tests.contract.dialects.strategies import bare, calls, merged

EVERY_DIALECT = pytest.mark.parametrize("name", sorted(DIALECTS))
TARGET = TargetInfo(provider="somebody", model="a-model", facts=find_facts("a-model"))


def written(name, call):
    return DIALECTS[name].write_call(call, TARGET)


@EVERY_DIALECT
@given(data=st.data())
def test_what_is_written_reads_the_same(name, data):
    call = data.draw(calls(limits_of(name)))
    out = written(name, call)
    again = DIALECTS[name].read_call(out.body)
    assert bare(merged(again)) == bare(merged(structs.replace(call, model=TARGET.model)))
    assert (out.dropped, out.adjusted) == ((), ())


@EVERY_DIALECT
@given(data=st.data())
def test_writing_is_deterministic_and_changes_nothing(name, data):
    call = data.draw(calls(limits_of(name)))
    before = msgspec.json.encode(call)
    assert written(name, call) == written(name, call)
    assert msgspec.json.encode(call) == before


@EVERY_DIALECT
@given(data=st.data())
def test_a_longer_conversation_keeps_its_prefix(name, data):
    call = data.draw(calls(limits_of(name)))
    shorter = msgspec.json.decode(written(name, call).body)["messages"]
    turns = (
        Message(role="assistant", content=(TextBlock(text="So be it."),)),
        Message(role="user", content=(TextBlock(text="And now?"),)),
    )
    longer = structs.replace(call, messages=call.messages + turns)
    assert msgspec.json.decode(written(name, longer).body)["messages"][: len(shorter)] == shorter


@EVERY_DIALECT
@given(noise=st.binary(max_size=40), at=st.integers(0, 400), lost=st.integers(0, 40))
def test_damaged_calls_raise_nothing_else(name, noise, at, lost):
    message = Message(role="user", content=(TextBlock(text="Hi"),))
    body = written(name, Call(model="m", messages=(message,), max_tokens=5, stop=("a",), user="u")).body
    try:
        DIALECTS[name].read_call(body[:at] + noise + body[at + lost :])
    except InvalidRequest as error:
        assert error.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "name", "input", "source", "function", "id"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "model",
        "messages",
        "system",
        "max_tokens",
        "tools",
        "tool_choice",
        "stop",
        "stream",
        "thinking",
        "metadata",
        "output_config",
        "response_format",
        "user",
    ]
)


@EVERY_DIALECT
@given(fields=st.dictionaries(FIELDS, JSON, max_size=5))
def test_calls_of_the_wrong_shape_raise_nothing_else(name, fields):
    body = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields})
    try:
        DIALECTS[name].read_call(body)
    except InvalidRequest as error:
        assert error.message


@EVERY_DIALECT
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"5", b'{"model":"\xff"}', b"<html>", b"[" * 100_000])
def test_a_body_that_is_no_call_is_refused(name, body):
    with pytest.raises(InvalidRequest):
        DIALECTS[name].read_call(body)


def test_dialects_are_named_after_their_packages():
    assert set(DIALECTS) >= {"anthropic_messages"}
