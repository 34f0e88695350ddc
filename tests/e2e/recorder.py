"""A small upstream that writes down every byte of what it was sent, and breaks on request.

It is not the simulator: it checks nothing, so a test sees exactly which headers and bodies left the gateway, also
where the simulator would refuse them. A fault is asked for in the text of the body: ``[[fault: reset]]``.

Faults: ``reset`` (TCP reset before an answer), ``drop`` (the connection closes before an answer), ``stall`` (no
answer), ``cut`` (a stream loses its connection in the middle), ``pause`` (a stream goes silent in the middle),
``short`` (a stream ends properly, but without its last events), ``error_event`` (an error inside a 200 stream),
``page`` (an HTML error page), ``detailed`` (status 400 with details), ``garbage`` (a 200 that is not JSON).
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULT = re.compile(rb"\[\[fault: (\w+)\]\]")
HIDDEN = {"x-portkey-trace-id": "not-ours", "x-portkey-provider": "not-ours", "set-cookie": "session=1"}
DETAILED = (
    '{"type": "error", "error": {"type":"invalid_request_error","message":"No.", "details": {"error_code": '
    '"image_too_large", "max_side_length_pixels": 8000.0, "paths":["messages.0.content.0"],"é\\u00e9":null}},'
    ' "request_id":"req_1" }'
).encode()
"""An error of Anthropic's with details, written as nobody else would write it."""
MODELS = ["claude-sonnet-5-5", "claude-haiku-4-5-20251001"]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    """Path and query, undecoded."""
    headers: list[tuple[str, str]]
    """Names in lower case, in order, repeated ones kept."""
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of a header that came once, None when it did not come."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def holds(self, secret: str) -> bool:
        """Say whether a secret occurs anywhere in the request."""
        text = self.target + "".join(f"{name}:{value}\n" for name, value in self.headers)
        return secret in text or secret.encode() in self.body


class Recorder(ThreadingHTTPServer):
    """Listens on a free port of the loopback address. ``url`` has no path."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[Seen] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that leave are part of the tests."""

    def only(self) -> Seen:
        """Return the one request since the last ``clear``."""
        assert len(self.seen) == 1, f"{len(self.seen)} requests arrived, not one"
        return self.seen[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        pairs = [(name.lower(), value) for name, value in self.headers.items()]
        self.server.seen.append(Seen(method=self.command, target=self.path, headers=pairs, body=body))
        fault = FAULT.search(body)
        if fault:
            getattr(self, "fault_" + fault.group(1).decode())(body)
        else:
            self.good(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def good(self, body: bytes) -> None:
        path = self.path.partition("?")[0]
        call = json.loads(body) if body[:1] == b"{" else {}
        if path.endswith("/count_tokens"):
            self.send_json(200, {"input_tokens": 5})
        elif path.endswith("/messages") and call.get("stream"):
            self.send_events(messages_events(call))
        elif path.endswith("/messages"):
            self.send_json(200, message(call))
        elif path.endswith("/chat/completions") and call.get("stream"):
            self.send_events(chat_events(call))
        elif path.endswith("/chat/completions"):
            self.send_json(200, completion(call))
        elif path.endswith("/models"):
            self.send_json(200, model_list("anthropic-version" in self.headers))
        else:
            self.send_json(200, {"path": path})

    def send_json(self, status: int, value: object) -> None:
        self.send_body(status, "application/json", json.dumps(value).encode())

    def send_head(self, status: int) -> None:
        """Begin an answer, with headers among it that no client of the gateway may see."""
        self.send_response(status)
        for name, value in HIDDEN.items():
            self.send_header(name, value)

    def send_body(self, status: int, content_type: str, body: bytes) -> None:
        self.send_head(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_events(self, events: Iterator[bytes], *, complete: bool = True) -> None:
        self.send_head(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.flush()
        if complete:
            self.wfile.write(b"0\r\n\r\n")

    def fault_reset(self, body: bytes) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        self.close_connection = True

    def fault_drop(self, body: bytes) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def fault_stall(self, body: bytes) -> None:
        self.server.closing.wait(60)
        self.close_connection = True

    def fault_cut(self, body: bytes) -> None:
        self.send_events(some(self.events(body), 3), complete=False)
        self.fault_drop(body)

    def fault_pause(self, body: bytes) -> None:
        self.send_events(some(self.events(body), 3), complete=False)
        self.server.closing.wait(60)
        self.close_connection = True

    def fault_short(self, body: bytes) -> None:
        self.send_events(some(self.events(body), 3))

    def fault_error_event(self, body: bytes) -> None:
        first = some(self.events(body), 3)
        if self.is_messages():
            error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded just now"}}
            self.send_events(chain(first, sse(error, "error")))
        else:
            error = {"error": {"message": "Overloaded just now", "type": "server_error", "param": None, "code": "busy"}}
            self.send_events(chain(first, sse(error)))

    def fault_page(self, body: bytes) -> None:
        page = b"<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"
        self.send_body(502, "text/html", page)

    def fault_detailed(self, body: bytes) -> None:
        self.send_body(400, "application/json", DETAILED)

    def fault_garbage(self, body: bytes) -> None:
        self.send_body(200, "application/json", b'{"id": "msg_1", "content": [')

    def is_messages(self) -> bool:
        return self.path.partition("?")[0].endswith("/messages")

    def events(self, body: bytes) -> Iterator[bytes]:
        call = json.loads(body)
        return messages_events(call) if self.is_messages() else chat_events(call)


@contextmanager
def running_recorder() -> Iterator[Recorder]:
    """Serve until the block ends."""
    recorder = Recorder()
    thread = threading.Thread(target=recorder.serve_forever, name="recorder", daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        recorder.closing.set()
        recorder.shutdown()
        recorder.server_close()
        thread.join(5)


def sse(value: object, event: str | None = None) -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


def some(events: Iterator[bytes], count: int) -> Iterator[bytes]:
    for _, event in zip(range(count), events, strict=False):
        yield event


def chain(events: Iterator[bytes], last: bytes) -> Iterator[bytes]:
    yield from events
    yield last


def message(call: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_01recorded",
        "type": "message",
        "role": "assistant",
        "model": call.get("model"),
        "content": [{"type": "text", "text": "Recorded."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }


def messages_events(call: dict[str, Any]) -> Iterator[bytes]:
    start = message(call) | {"content": [], "stop_reason": None}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield sse({"type": "message_start", "message": start}, "message_start")
    yield sse(block, "content_block_start")
    for text in ("Rec", "orded."):
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        yield sse(delta, "content_block_delta")
    yield sse({"type": "content_block_stop", "index": 0}, "content_block_stop")
    finish = {"stop_reason": "end_turn", "stop_sequence": None}
    yield sse({"type": "message_delta", "delta": finish, "usage": {"output_tokens": 2}}, "message_delta")
    yield sse({"type": "message_stop"}, "message_stop")


def completion(call: dict[str, Any]) -> dict[str, Any]:
    answer = {"role": "assistant", "content": "Recorded.", "refusal": None}
    return {
        "id": "chatcmpl-recorded",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": call.get("model"),
        "choices": [{"index": 0, "message": answer, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }


def chat_events(call: dict[str, Any]) -> Iterator[bytes]:
    base = {"id": "chatcmpl-recorded", "object": "chat.completion.chunk", "created": 1_790_000_000}
    base["model"] = call.get("model")
    steps: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    steps += [({"content": "Rec"}, None), ({"content": "orded."}, None), ({}, "stop")]
    for delta, finish_reason in steps:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        yield sse(base | {"choices": [choice]})
    yield b"data: [DONE]\n\n"


def model_list(is_anthropic: bool) -> dict[str, Any]:
    if not is_anthropic:
        data = [{"id": "gpt-recorded", "object": "model", "created": 1_790_000_000, "owned_by": "openai"}]
        return {"object": "list", "data": data}
    entries = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"} for name in MODELS
    ]
    return {"data": entries, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
