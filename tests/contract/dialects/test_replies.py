"""Every dialect reads the replies, streams and errors that it writes, however the bytes are cut."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from lockgate.core.assemble import Assembler
from lockgate.core.chunk import BlockStart, BlockStop, Done, Finish, Ping, Start, StreamError
from lockgate.core.sse import split_events
from lockgate.dialects import ReplyRules, View
from lockgate.errors import Broken, InvalidRequest, Malformed, Rejected
from tests.contract.dialects.discover import DIALECTS, limits_of
from tests.contract.dialects.strategies import bare, chunk_lists, replies

EVERY_DIALECT = pytest.mark.parametrize("name", sorted(DIALECTS))
VIEW = View(provider="somebody", strict=True, created=1_700_000_000, request_id="req_1", include_usage=True)
RULES = ReplyRules()


def assembled(chunks):
    assembler = Assembler()
    for chunk in chunks:
        assembler.add(chunk)
    return assembler.reply()


def read(name, *parts):
    reader = DIALECTS[name].stream_reader(RULES)
    chunks = [chunk for part in parts for chunk in reader.feed(part)]
    return [*chunks, *reader.close()]


def streamed(name, reply, data):
    return DIALECTS[name].stream_writer(VIEW).write(data.draw(chunk_lists(reply)))


# ---- whole replies


@EVERY_DIALECT
@given(data=st.data())
def test_a_reply_that_is_written_reads_the_same(name, data):
    reply = data.draw(replies(limits_of(name)))
    body = DIALECTS[name].write_reply(reply, VIEW)
    again = DIALECTS[name].read_reply(body, RULES)
    assert bare(structs.replace(again, extra={})) == bare(reply)


@EVERY_DIALECT
@given(data=st.data())
def test_the_summary_of_a_reply_says_what_the_reply_says(name, data):
    reply = data.draw(replies(limits_of(name)))
    summary = DIALECTS[name].read_summary(DIALECTS[name].write_reply(reply, VIEW))
    assert (summary.id, summary.model, summary.usage) == (reply.id, reply.model, reply.usage)
    assert summary.stop_reason == reply.stop_reason


@EVERY_DIALECT
@given(data=st.data(), noise=st.binary(max_size=30), at=st.integers(0, 400), lost=st.integers(0, 30))
def test_damaged_replies_raise_nothing_but_malformed(name, data, noise, at, lost):
    body = DIALECTS[name].write_reply(data.draw(replies(limits_of(name))), VIEW)
    damaged = body[:at] + noise + body[at + lost :]
    try:
        DIALECTS[name].read_reply(damaged, RULES)
    except Malformed:
        pass
    DIALECTS[name].read_summary(damaged)


# ---- streams


@EVERY_DIALECT
@given(data=st.data())
def test_a_stream_assembles_to_the_whole_reply(name, data):
    reply = data.draw(replies(limits_of(name)))
    found = assembled(read(name, streamed(name, reply, data)))
    whole = DIALECTS[name].read_reply(DIALECTS[name].write_reply(reply, VIEW), RULES)
    assert bare(structs.replace(found, extra={})) == bare(structs.replace(whole, extra={})) == bare(reply)


@EVERY_DIALECT
@given(data=st.data())
def test_a_cut_at_any_byte_gives_the_same_chunks(name, data):
    stream = streamed(name, data.draw(replies(limits_of(name))), data)
    whole = read(name, stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    edges = [0, *cuts, len(stream)]
    assert read(name, *(stream[a:b] for a, b in zip(edges, edges[1:], strict=False))) == whole
    assert read(name, *(stream[at : at + 1] for at in range(len(stream)))) == whole


@EVERY_DIALECT
@given(data=st.data())
def test_chunks_come_in_order(name, data):
    chunks = read(name, streamed(name, data.draw(replies(limits_of(name))), data))
    plain = [chunk for chunk in chunks if not isinstance(chunk, Ping)]
    assert isinstance(plain[0], Start)
    assert [type(chunk) for chunk in plain[-2:]] == [Finish, Done]
    assert sum(isinstance(chunk, Start | Finish | Done) for chunk in plain) == 3
    open_at, following = None, 0
    for chunk in plain[1:-2]:
        if isinstance(chunk, BlockStart):
            assert (open_at, chunk.index) == (None, following)
            open_at, following = chunk.index, following + 1
        else:
            assert chunk.index == open_at
            open_at = None if isinstance(chunk, BlockStop) else open_at
    assert open_at is None


@EVERY_DIALECT
@given(data=st.data())
def test_a_writer_may_be_given_any_number_of_chunks_at_a_time(name, data):
    chunks = data.draw(chunk_lists(data.draw(replies(limits_of(name)))))
    writer = DIALECTS[name].stream_writer(VIEW)
    assert b"".join(writer.write([chunk]) for chunk in chunks) == DIALECTS[name].stream_writer(VIEW).write(chunks)


@EVERY_DIALECT
@given(data=st.data())
def test_a_stream_cut_short_is_malformed(name, data):
    stream = streamed(name, data.draw(replies(limits_of(name))), data)
    first = stream.index(b"\n\n") + 2
    reader = DIALECTS[name].stream_reader(RULES)
    reader.feed(stream[:first])
    assert reader.is_complete is False
    with pytest.raises(Malformed):
        reader.close()


@EVERY_DIALECT
@given(data=st.data(), noise=st.binary(max_size=30), at=st.integers(0, 1500), lost=st.integers(0, 60))
def test_damaged_streams_raise_nothing_but_malformed(name, data, noise, at, lost):
    stream = streamed(name, data.draw(replies(limits_of(name))), data)
    reader = DIALECTS[name].stream_reader(RULES)
    try:
        reader.feed(stream[:at] + noise + stream[at + lost :])
        reader.close()
    except Malformed:
        pass


@EVERY_DIALECT
@given(data=st.data())
def test_a_meter_hears_what_a_reader_reads(name, data):
    reply = data.draw(replies(limits_of(name)))
    stream = streamed(name, reply, data)
    for events in ([stream], [part + b"\n\n" for part in stream.split(b"\n\n")[:-1]]):
        meter = DIALECTS[name].stream_meter()
        for part in events:
            meter.feed(part)
        summary = meter.summary
        assert (summary.id, summary.model, summary.usage) == (reply.id, reply.model, reply.usage)
        assert (summary.stop_reason, summary.error, summary.is_complete) == (reply.stop_reason, None, True)


@EVERY_DIALECT
@given(noise=st.binary(max_size=200))
def test_a_meter_never_raises(name, noise):
    meter = DIALECTS[name].stream_meter()
    meter.feed(noise + b"\n\n")
    meter.feed(b"data: " + noise + b"\n\n")


# ---- what streams look like


def check_messages(events):
    """Anthropic's grammar: one message, blocks one after another, numbered without gaps."""
    kinds = [event["type"] for event in events if event["type"] != "ping"]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    open_at, following = None, 0
    for event in events:
        match event["type"]:
            case "content_block_start":
                assert (open_at, event["index"]) == (None, following)
                open_at, following = event["index"], following + 1
            case "content_block_delta":
                assert event["index"] == open_at
            case "content_block_stop":
                assert event["index"] == open_at
                open_at = None
            case kind:
                assert open_at is None or kind == "ping"
    assert kinds.count("message_start") == kinds.count("message_delta") == kinds.count("message_stop") == 1


def check_chat(events):
    """OpenAI's invariants: one id, one choice, one finish reason, ids and names in a call's first chunk only."""
    *chunks, end = events
    assert end == "[DONE]"
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert sum(chunk.get("usage") is not None for chunk in chunks) == 1
    finished = [at for at, chunk in enumerate(chunks) if chunk["choices"] and chunk["choices"][0]["finish_reason"]]
    assert len(finished) == 1
    assert all(not chunk["choices"] for chunk in chunks[finished[0] + 1 :])
    seen = 0
    for call in (
        call for chunk in chunks for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", ())
    ):
        assert ("id" in call) == (call["index"] == seen)
        seen += "id" in call


GRAMMARS = {"anthropic_messages": check_messages, "openai_chat": check_chat}


@EVERY_DIALECT
@given(data=st.data())
def test_events_have_the_dialects_grammar_and_are_ascii(name, data):
    stream = streamed(name, data.draw(replies(limits_of(name))), data)
    assert stream.isascii()
    assert stream.endswith(b"\n\n")
    events = [
        "[DONE]" if event.data == b"[DONE]" else msgspec.json.decode(event.data) for event in split_events(stream)
    ]
    GRAMMARS.get(name, lambda events: None)(events)


# ---- errors


ERRORS = [
    Rejected("Overloaded", status=529, kind="overloaded_error"),
    Rejected("too many", status=429, kind="rate_limit_error", wire_code="ramp_limit_exceeded"),
    InvalidRequest("model: this field is required", path="model"),
    Broken("The connection broke"),
]


@EVERY_DIALECT
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
@pytest.mark.parametrize("provider", [None, "somebody"])
def test_every_error_has_a_message_and_a_type_where_sdks_look(name, error, provider):
    body = msgspec.json.decode(DIALECTS[name].write_error(error, request_id="req_1", provider=provider))
    assert error.message in body["error"]["message"]
    assert body["error"]["type"] == error.kind
    assert body["error"]["code"] is None or isinstance(body["error"]["code"], str)


@EVERY_DIALECT
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_an_error_body_reads_as_the_error(name, error):
    again = DIALECTS[name].read_error(error.status, DIALECTS[name].write_error(error, request_id="r", provider=None))
    assert (again.status, again.kind) == (error.status, error.kind)
    assert error.message in again.message


@EVERY_DIALECT
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_an_error_in_a_stream_reads_as_the_error(name, error):
    dialect = DIALECTS[name]
    stream = dialect.stream_writer(VIEW).write([Start("msg_1", "m")])
    writer = dialect.stream_writer(VIEW)
    chunks = read(name, stream + writer.error(error))
    assert isinstance(chunks[-1], StreamError)
    assert (chunks[-1].kind, error.message in chunks[-1].message) == (error.kind, True)
    meter = dialect.stream_meter()
    meter.feed(stream + dialect.stream_writer(VIEW).error(error))
    assert meter.summary.error is not None
    assert meter.summary.is_complete is False


@EVERY_DIALECT
@given(status=st.integers(100, 999), body=st.binary(max_size=200))
def test_reading_an_error_never_raises(name, status, body):
    for data in (body, b'{"error":' + body + b"}", b"<html>" + body):
        error = DIALECTS[name].read_error(status, data)
        assert error.status == status
        assert error.message
        assert error.body == data
