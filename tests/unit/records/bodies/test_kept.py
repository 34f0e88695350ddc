"""Redacted first, then cut, then previewed."""

from __future__ import annotations

import json

import pytest

from lockgate.app import load_dialects
from lockgate.core.capture import (
    FAILED_BYTES,
    HEAD_BYTES,
    MARGIN_BYTES,
    TAIL_BYTES,
    Capture,
    CapturedStream,
    FailedAttempt,
    shortened,
)
from lockgate.records.bodies.kept import attempt_of, attempt_view, keep, read_kept, write_kept
from lockgate.records.redaction import Rules

KEY = "sk-" + "ant-api03-" + "a1B2c3D4" * 6
CAPTURE = Capture(
    record_id="rec_1", started_at=1.5, workspace_id="ws", request=f'{{"messages":[{{"role":"user","content":"use {KEY}"}}]}}'.encode(),
    response=f'{{"choices":[{{"message":{{"content":"it is {KEY}"}}}}]}}'.encode(), upstream_request=f'{{"x":"{KEY}"}}'.encode(),
    request_headers=[(b"authorization", b"Bearer another-key"), (b"x-note", KEY.encode())], response_headers=[(b"set-cookie", b"s=1"), (b"date", b"d")],
)  # fmt: skip


def test_no_view_header_or_preview_holds_a_secret():
    kept = keep(CAPTURE, Rules(), limit_bytes=1000)
    assert KEY.encode() not in write_kept(kept)
    assert [view.name for view in kept.views] == ["request", "upstream_request", "response"]
    assert kept.redactions == {"anthropic": 3}
    assert kept.request_preview.startswith("use [SECRET:anthropic")
    assert kept.response_preview.startswith("it is [SECRET:anthropic")
    assert [name for name, _ in kept.request_headers] == ["x-note"]
    assert kept.response_headers == [("date", "d")]
    assert (kept.preview.id, kept.preview.started_us, kept.preview.workspace_id) == ("rec_1", 1_500_000, "ws")


@pytest.mark.parametrize("mode", ["metrics_only", "off"])
def test_some_modes_keep_nothing(mode):
    assert keep(CAPTURE, Rules(mode=mode), limit_bytes=1000) is None


def test_long_bodies_keep_their_ends_and_say_so():
    body = bytes(range(65, 91)) * 40_000
    kept = keep(Capture(record_id="r", started_at=0.0, request=body), Rules(), limit_bytes=500_000)
    view = kept.views[0]
    assert (view.size_bytes, view.is_truncated) == (len(body), True)
    assert view.data == body[:HEAD_BYTES] + body[-TAIL_BYTES:]
    assert (
        not keep(Capture(record_id="r", started_at=0.0, request=body), Rules(), limit_bytes=len(body))
        .views[0]
        .is_truncated
    )


@pytest.mark.parametrize("hand_over", [lambda capture: capture, lambda capture: shortened(capture, 500_000)])
@pytest.mark.parametrize("edge", [HEAD_BYTES - 20, HEAD_BYTES - 100, -TAIL_BYTES - 20, HEAD_BYTES + MARGIN_BYTES - 20])
def test_a_secret_across_the_cut_is_found_before_it_is_cut(edge, hand_over):
    body = b"x " * 300_000
    at = edge % len(body)
    body = body[:at] + b" " + KEY.encode() + b" " + body[at:]
    kept = keep(hand_over(Capture(record_id="r", started_at=0.0, request=body)), Rules(), limit_bytes=500_000)
    assert KEY[:16].encode() not in kept.views[0].data
    assert KEY[-16:].encode() not in kept.views[0].data


def test_ends_are_kept_as_if_the_whole_body_had_come():
    body, reply = b'{"a":"' + b"x" * 600_000 + b'"}', b'{"b":"' + b"y" * 700_000 + b'"}'
    whole = Capture(record_id="r", started_at=0.0, request=body, upstream_request=body + b" ", response=reply)
    ends = shortened(whole, 500_000)
    assert (ends.request, ends.upstream_request, ends.response) == (b"", b"", b"")
    assert ends.size_bytes < 1_100_000
    assert keep(ends, Rules(), limit_bytes=500_000).views == keep(whole, Rules(), limit_bytes=500_000).views


@pytest.mark.parametrize("rules", [Rules(mode="redacted", drop_paths=("a",)), Rules()])
def test_what_is_short_or_has_paths_to_drop_is_handed_over_whole(rules):
    limit = 500_000 if rules.drop_paths else 2_000_000
    capture = Capture(record_id="r", started_at=0.0, rules=rules, request=b'{"a":"' + b"x" * 600_000 + b'"}')
    assert shortened(capture, limit) is capture


def test_what_is_kept_comes_back_from_bytes():
    kept = keep(CAPTURE, Rules(), limit_bytes=1000)
    again = read_kept(write_kept(kept))
    assert (again.views, again.preview, dict(again.redactions)) == (kept.views, kept.preview, kept.redactions)
    with pytest.raises(ValueError):
        read_kept(b"\x00nonsense")


HEADERS = [(b"Authorization", b"Bearer operators/own+key"), (b"x-portkey-sensitive-headers", b"x-tenant, x-b"),
           (b"x-tenant", b"acme"), (b"x-note", b"it is operators/own+key")]  # fmt: skip


def test_what_the_request_was_opened_with_and_what_opened_the_provider_is_taken_out_wherever_it_is_repeated():
    kept = keep(
        Capture(
            record_id="r",
            started_at=0.0,
            request=b'{"a":"operators/own+key"}',
            response=b'{"error":"operators\\/own+key, upstreams-own-key, teams-own-token, a-plain-word and short"}',
            request_headers=HEADERS,
            response_headers=[(b"x-echo", b"upstreams-own-key")],
            secrets=[
                (b"authorization", b"Bearer upstreams-own-key"),
                (b"x-api-key", b"short"),
                (b"x-team-token", b"teams-own-token"),
                (b"x-team", b"a-plain-word"),
            ],
        ),
        Rules(),
        limit_bytes=1000,
    )
    assert [view.data for view in kept.views] == [
        b'{"a":"[SECRET:credential]"}',
        b'{"error":"[SECRET:credential], [SECRET:credential], [SECRET:credential], a-plain-word and short"}',
    ]
    assert kept.redactions == {"credential": 4}
    assert dict(kept.response_headers) == {"x-echo": "[SECRET:credential]"}
    headers = dict(kept.request_headers)
    assert headers["x-note"] == "it is [SECRET:credential]"
    assert headers["x-tenant"].startswith("sha256:")
    assert "authorization" not in headers


def chat_event(text):
    body = {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def test_a_stream_is_kept_as_the_reply_that_it_makes_and_secrets_across_events_are_found():
    pieces = [chat_event("use " + KEY[:20]), chat_event(KEY[20:]), b"data: [DONE]\n\n"]
    stream = CapturedStream(dialect="openai_chat", pieces=pieces, at_s=[1.5, 1.75, 2.0], started_s=1.0, size_bytes=300)
    capture = Capture(record_id="r", started_at=9.0, request=b"{}", response_stream=stream)
    kept = keep(capture, Rules(), limit_bytes=1000, dialects=load_dialects())
    answer = kept.views[1]
    assert (answer.name, answer.size_bytes, answer.is_truncated) == ("response", 300, False)
    told = json.loads(answer.data)["choices"][0]["message"]["content"]
    assert told.startswith("use [SECRET:anthropic:")
    assert KEY[20:].encode() not in write_kept(kept)
    assert kept.response_preview == told
    assert (kept.timeline.kinds, kept.timeline.after_us) == ((0, 0, 0), (500_000, 250_000, 250_000))


def test_a_stream_of_an_unknown_dialect_is_not_kept():
    stream = CapturedStream(dialect="dialect-x", pieces=[b"data: " + KEY.encode() + b"\n\n"])
    kept = keep(Capture(record_id="r", started_at=0.0, response_stream=stream), Rules(), limit_bytes=1000)
    assert kept.views == ()


def test_both_sides_of_a_translated_stream_are_kept():
    anthropic = [
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
        b'"model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":0}}}\n\n',
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}\n\n',
    ]
    capture = Capture(
        record_id="r",
        started_at=0.0,
        response_stream=CapturedStream(dialect="openai_chat", pieces=[chat_event("Hi")]),
        upstream_stream=CapturedStream(dialect="anthropic_messages", pieces=anthropic),
    )
    views = {view.name: view for view in keep(capture, Rules(), limit_bytes=1000, dialects=load_dialects()).views}
    assert json.loads(views["response"].data)["choices"][0]["message"]["content"] == "Hi"
    upstream = json.loads(views["upstream_response"].data)
    assert (upstream["id"], upstream["content"][0]["text"]) == ("msg_1", "Hi")
    assert views["upstream_response"].is_truncated, "it broke off"


def failed(*attempts, **changes):
    values = {
        "record_id": "r",
        "started_at": 0.0,
        "request": b'{"n":1}',
        "upstream_request": b'{"n":2}',
        "failed": attempts,
    }
    return Capture(**(values | changes))


def test_what_targets_that_failed_were_asked_and_said_is_kept_without_its_secrets():
    said = f'{{"error":"bad key {KEY}"}}'.encode()
    first = FailedAttempt(number=0, request=b'{"n":0}', response=said, size_bytes=len(said))
    second = FailedAttempt(number=1, request=b'{"n":2}', response=b"no JSON", size_bytes=7)
    silent = FailedAttempt(number=2)
    kept = keep(failed(first, second, silent), Rules(), limit_bytes=1000)
    found = {view.name: view for view in kept.views if view.name.startswith("attempt")}
    assert list(found) == ["attempt_0_request", "attempt_0_response", "attempt_1_response"]
    assert found["attempt_0_request"].data == b'{"n":0}'
    assert found["attempt_0_response"].data.startswith(b'{"error":"bad key [SECRET:anthropic:')
    assert found["attempt_0_response"].size_bytes == len(said)
    assert not any(view.is_truncated for view in found.values())
    assert KEY.encode() not in write_kept(kept)


def test_of_a_long_answer_of_a_target_that_failed_the_beginning_is_kept():
    edge = FAILED_BYTES - 20
    body = b"x" * edge + b" " + KEY.encode() + b" " + b"y" * 10**6
    attempt = FailedAttempt(number=0, response=body[: FAILED_BYTES + MARGIN_BYTES], size_bytes=len(body))
    kept = keep(failed(attempt), Rules(), limit_bytes=10**7)
    (view,) = (view for view in kept.views if view.name == "attempt_0_response")
    assert (len(view.data), view.size_bytes, view.is_truncated) == (FAILED_BYTES, len(body), True)
    assert KEY[:10].encode() not in view.data
    rules = Rules(mode="redacted", drop_paths=("a.b",))
    kept = keep(failed(attempt, rules=rules), rules, limit_bytes=10**7)
    assert [view.name for view in kept.views] == ["request", "upstream_request"]


def test_a_stream_that_failed_is_put_together():
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
    stream = CapturedStream(dialect="anthropic_messages", pieces=[error], size_bytes=len(error))
    kept = keep(failed(FailedAttempt(number=0, stream=stream)), Rules(), limit_bytes=1000, dialects=load_dialects())
    (view,) = (view for view in kept.views if view.name == "attempt_0_response")
    assert json.loads(view.data) == {"error": {"type": "overloaded_error", "message": "busy"}}
    assert view.size_bytes == len(error)


def test_names_of_views_of_attempts():
    assert attempt_of(attempt_view(3, "response")) == (3, "response")
    assert attempt_of("response") is None
