"""A lenient stand-in for Anthropic's and OpenAI's APIs: each request gets one fixed answer of its shape.

For ``tools.sdk_suites`` only: the suites ask with made-up parameters that the strict simulator would refuse, rightly.
It keeps what it was asked, so that two runs can be compared. ``HeaderFront`` adds headers on the way to a gateway.
"""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

_TIME = "2026-01-02T03:04:05Z"
_USAGE = {"input_tokens": 3, "output_tokens": 2}
_MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-mock", "container": None,
    "content": [{"type": "text", "text": "Hello.", "citations": None}], "stop_reason": "end_turn",
    "stop_sequence": None, "usage": _USAGE,
}  # fmt: skip
_MODEL = {"id": "m", "type": "model", "display_name": "M", "created_at": _TIME, "lifecycle": "active"}
_FILE = {
    "id": "file_1", "type": "file", "filename": "a.txt", "mime_type": "text/plain", "size_bytes": 1,
    "created_at": _TIME, "downloadable": True,
}  # fmt: skip
_BATCH = {
    "id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress", "created_at": _TIME,
    "expires_at": _TIME, "archived_at": None, "cancel_initiated_at": None, "ended_at": None, "results_url": None,
    "request_counts": {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
}  # fmt: skip
_CHAT = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-mock",
    "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None,
                 "message": {"role": "assistant", "content": "Hello.", "refusal": None}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}  # fmt: skip
_CHAT_CHUNK = {
    "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-mock",
    "choices": [{"index": 0, "finish_reason": "stop", "delta": {"role": "assistant", "content": "Hello."}}],
}  # fmt: skip
_STREAM = (
    {"type": "message_start", "message": _MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", "citations": None}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": _USAGE},
    {"type": "message_stop"},
)
_PAGE = {"has_more": False, "first_id": None, "last_id": None}
_WHOLE: tuple[tuple[str, Any], ...] = (
    (r"POST /messages", _MESSAGE),
    (r"POST /messages/count_tokens", {"input_tokens": 3}),
    (r"GET /models", {"data": [_MODEL]} | _PAGE),
    (r"GET /models/[^/]+", _MODEL),
    (r"GET /files", {"data": [_FILE], "next_page": None} | _PAGE),
    (r"POST /files", _FILE),
    (r"GET /files/[^/]+", _FILE),
    (r"DELETE /files/[^/]+", {"id": "file_1", "type": "file_deleted"}),
    (r"GET /messages/batches", {"data": [_BATCH]} | _PAGE),
    (r"POST /messages/batches|GET /messages/batches/[^/]+|POST /messages/batches/[^/]+/cancel", _BATCH),
    (r"DELETE /messages/batches/[^/]+", {"id": "msgbatch_1", "type": "message_batch_deleted"}),
    (r"GET /chat/completions", {"object": "list", "data": [_CHAT]} | _PAGE),
    (r"POST /chat/completions(/[^/]+)?|GET /chat/completions/[^/]+", _CHAT),
    (r"DELETE /chat/completions/[^/]+", {"id": "chatcmpl-1", "object": "chat.completion.deleted", "deleted": True}),
    (r"GET /chat/completions/[^/]+/messages", {"object": "list", "data": []} | _PAGE),
)
_IS_STREAM = re.compile(rb'"stream":\s*true')
_BOUNDARY = re.compile(rb"boundary=\"?([^\";\r\n]+)")


def answer(method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
    """Return status, content type and body for a request; 404 for what neither API documents."""
    request = f"{method} {path.removeprefix('/v1')}"
    if request == "POST /messages" and _IS_STREAM.search(body):
        return 200, "text/event-stream", b"".join(_event(event["type"], event) for event in _STREAM)
    if request == "POST /chat/completions" and _IS_STREAM.search(body):
        return 200, "text/event-stream", _event(None, _CHAT_CHUNK) + b"data: [DONE]\n\n"
    for pattern, found in _WHOLE:
        if re.fullmatch(pattern, request):
            return 200, "application/json", msgspec.json.encode(found)
    error = {"type": "not_found_error", "message": f"the mock has no {request}"}
    return 404, "application/json", msgspec.json.encode({"type": "error", "error": error})


def _event(name: Any, data: Any) -> bytes:
    first = f"event: {name}\n".encode() if name else b""
    return first + b"data: " + msgspec.json.encode(data) + b"\n\n"


def fingerprint(method: str, target: str, headers: dict[str, str], body: bytes) -> str:
    """Return one line that says what was asked: equal lines, equal requests. Credentials take no part in it."""
    said = {name: value for name, value in headers.items() if name.startswith(("anthropic-", "openai-"))}
    found = _BOUNDARY.search(headers.get("content-type", "").encode())
    if found:
        body = body.replace(found.group(1), b"BOUNDARY")
    names = "".join(f" {name}={said[name]}" for name in sorted(said))
    return f"{method} {target.removeprefix('/v1')}{names} {body.decode(errors='replace')}".rstrip()


class MockUpstream(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1. ``seen`` counts fingerprints; with ``refuses`` every answer is a 400."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MockHandler)
        self.seen: Counter[str] = Counter()
        self.refuses = False
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a client leaves: the suites close streams that they do not read."""


class _MockHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: MockUpstream

    def _serve(self) -> None:
        body = self._body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            self.server.seen[fingerprint(self.command, self.path, headers, body)] += 1
        status, kind, data = answer(self.command, urlsplit(self.path).path, body)
        if self.server.refuses:
            status, kind, data = 400, "application/json", b'{"error":{"message":"refused on purpose"}}'
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815  # the names that http.server looks for

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a run has hundreds of requests."""


class HeaderFront(ThreadingTCPServer):
    """Passes bytes to a port of 127.0.0.1 and back, one request per connection, with some headers put first."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _FrontHandler)
        self.port = port
        self.extra = headers
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


def with_headers(head: bytes, extra: dict[str, str]) -> bytes:
    """Put headers after the request line and make the request the last one of its connection."""
    first, *lines = head.split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith((b"connection:", b"keep-alive:"))]
    added = [f"{name}: {value}".encode() for name, value in {**extra, "connection": "close"}.items()]
    return b"\r\n".join([first, *added, *kept])


class _FrontHandler(StreamRequestHandler):
    server: HeaderFront
    disable_nagle_algorithm = True
    _gone: ClassVar[tuple[type[Exception], ...]] = (ConnectionError, TimeoutError, OSError, ValueError)

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline(65_536)
            if not line:
                return
            head += line
        with socket.create_connection(("127.0.0.1", self.server.port)) as upstream:
            upstream.sendall(with_headers(head, self.server.extra))
            threading.Thread(target=self._send_body, args=(upstream,), daemon=True).start()
            try:
                while data := upstream.recv(65_536):
                    self.wfile.write(data)
            except self._gone:
                pass

    def _send_body(self, upstream: socket.socket) -> None:
        """Pass on what the client still sends; when it leaves, so does the connection to the gateway."""
        try:
            while data := self.rfile.read1(65_536):
                upstream.sendall(data)
            upstream.shutdown(socket.SHUT_RDWR)
        except self._gone:
            pass
