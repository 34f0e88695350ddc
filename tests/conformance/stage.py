"""Runs one cell of the matrix in memory: a client's request, a provider's answer, and what both sides saw."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field

from tests.conformance.streams import chat_chunks, fold_chat, fold_messages, message_events, sse
from tests.conformance.table import GONE, Expect, Row
from tests.unit.dataplane.fakes import JSON, SSE, FakeResponse, World

ANSWER = "Fine, grüße ☂"
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-6",
    "content": [{"type": "text", "text": ANSWER}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 11, "output_tokens": 7},
}
COMPLETION = {
    "id": "chatcmpl_1",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt-4.1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
}
PROMPT = [{"role": "user", "content": "hello"}]


@dataclass
class Seen:
    """What one exchange left behind."""

    request: bytes
    status: int
    headers: dict[str, str]
    body: bytes
    answer: object
    upstream_answer: bytes
    sent: bytes | None = None
    sent_headers: dict[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()


@functools.cache
def world() -> World:
    """Return one data plane for all cells: compiling it costs more than a request."""
    made = World()
    made.upstream.pages["https://a.example/b.pdf"] = lambda: FakeResponse(
        200, [(b"content-type", b"application/pdf")], b"%PDF-1.4\n"
    )
    return made


def run(row: Row, route: str, mode: str) -> Seen:
    """Make the request of a cell."""
    is_stream = mode == "streamed"
    is_chat = route.startswith("chat")
    model = f"@openai/{row.target}" if route == "adapter" else f"@anthropic/{row.model}"
    body: dict[str, object] = {"model": model}
    body |= {"messages": PROMPT} | row.chat if is_chat else {"max_tokens": 64, "messages": PROMPT} | row.messages
    if is_stream:
        body["stream"] = True
    headers = {name.replace("-", "_"): value for name, value in row.headers.items()}
    if is_chat:
        headers["x_portkey_strict_open_ai_compliance"] = "true" if route == "chat_strict" else "false"
    return exchange(
        "/v1/chat/completions" if is_chat else "/v1/messages",
        json.dumps(body, ensure_ascii=False).encode(),
        provider_answer(row, route, is_stream),
        is_stream,
        headers,
    )


def provider_answer(row: Row, route: str, is_stream: bool) -> bytes:
    """Return the bytes with which the provider answers."""
    if route == "adapter":
        completion = COMPLETION | row.openai
        return chat_chunks(completion) if is_stream else json.dumps(completion).encode()
    message = MESSAGE | row.anthropic
    if not is_stream:
        return json.dumps(message).encode()
    return sse(row.events) if row.events else sse(message_events(message))


def exchange(path: str, request: bytes, upstream: bytes, is_stream: bool, headers: dict[str, str]) -> Seen:
    """Send a request through the data plane and gather what happened."""
    stage = world()
    stage.upstream.sent.clear()
    stage.upstream.answers.clear()
    stage.upstream.responses.clear()
    stage.records.clear()
    # Two pieces: what is relayed or read must not depend on how the bytes arrive.
    half = len(upstream) // 2
    stage.upstream.will(FakeResponse(200, SSE if is_stream else JSON, upstream[:half], upstream[half:]))
    answer = stage.call(path, request, **headers)
    assert answer.is_complete
    record = stage.record
    seen = Seen(
        request=request,
        status=answer.status,
        headers=answer.headers,
        body=answer.body,
        answer=read_answer(path, answer, is_stream),
        upstream_answer=upstream,
        dropped=record.dropped,
        adjusted=record.adjusted,
    )
    if stage.upstream.sent:
        seen.sent, seen.sent_headers = stage.sent.body, stage.sent_headers()
    return seen


def read_answer(path: str, answer, is_stream: bool) -> object:
    """Return the answer as one object, a streamed one put together as a client would."""
    if "text/event-stream" not in answer.headers["content-type"]:
        return answer.json()
    assert is_stream, "nobody asked for a stream"
    return fold_messages(answer.body) if path == "/v1/messages" else fold_chat(answer.body)


def look(value: object, path: str) -> object:
    """Return what a path like ``messages[0].content`` leads to."""
    for key, index in re.findall(r"([^.\[\]]+)|\[(-?\d+)\]", path):
        try:
            value = value[key] if key else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return GONE
    return value


def occurs(needle: object, hay: object) -> bool:
    """Tell whether a value stands somewhere in a value, unchanged."""
    if needle == hay:
        return True
    inside = hay.values() if isinstance(hay, dict) else hay if isinstance(hay, list) else ()
    return any(occurs(needle, item) for item in inside)


def check(seen: Seen, expect: Expect, route: str) -> None:
    """Compare what happened with what is expected."""
    if expect.refused is not None:
        return check_refusal(seen, expect, route)
    assert seen.status == 200, seen.body
    sent = json.loads(seen.sent)
    for path, value in expect.sent.items():
        assert look(sent, path) == value, (path, sent)
    for value in expect.holds:
        assert occurs(value, sent), (value, sent)
    for name, value in expect.headers.items():
        if value == GONE:
            assert name not in seen.sent_headers, seen.sent_headers
        else:
            assert value in seen.sent_headers.get(name, "").split(","), seen.sent_headers
    check_names(seen, expect)
    check_answer(seen, expect, route)


def check_names(seen: Seen, expect: Expect) -> None:
    """What was left out or changed is named in the answer's headers and in the record, and nothing else is."""
    named = {name for name in seen.headers.get("x-lockgate-dropped", "").split(", ") if name}
    assert named == set(seen.dropped)
    changed = {text.partition(":")[0] for text in seen.adjusted}
    assert bool(changed) == ("x-lockgate-adjusted" in seen.headers)
    assert named == set(expect.dropped)
    assert changed == set(expect.adjusted), seen.adjusted


def check_refusal(seen: Seen, expect: Expect, route: str) -> None:
    """The client hears the path, in its own dialect, and nobody else hears anything."""
    assert seen.status == 400, seen.body
    assert seen.sent is None
    error = seen.answer["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == expect.refused
    assert expect.refused in error["message"]
    if expect.code is not None:
        assert error["details"]["error_code"] == expect.code


def check_answer(seen: Seen, expect: Expect, route: str) -> None:
    """The answer holds what is expected of it."""
    for path, value in expect.got.items():
        assert look(seen.answer, path) == value, (path, seen.answer)
    for value in expect.shows:
        assert occurs(value, seen.answer), (value, seen.answer)
    for value in expect.hides:
        assert not occurs(value, seen.answer), (value, seen.answer)
    for text in expect.events:
        assert text.encode() in seen.body, (text, seen.body)
    if route == "messages":
        assert seen.body == seen.upstream_answer, "a native answer is relayed byte for byte"


def check_native_bytes(seen: Seen, model: str) -> None:
    """What is carried on the native route is the client's bytes, with nothing but the model's name changed."""
    expected = seen.request.replace(b'"model": "@anthropic/', b'"model": "', 1)
    assert model.encode() in expected
    assert seen.sent == expected
