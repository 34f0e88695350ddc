"""A client that misbehaves on purpose: it leaves early, stops reading or sends a lot. Plain sockets, loopback only."""

from __future__ import annotations

import socket
import time

from bench.payloads import Shape
from bench.running import Running

READ_LIMIT_S = 20.0


def write_request(target: Running, shape: Shape) -> bytes:
    """The bytes of one request over a connection that stays open."""
    path, file = target.body_file(shape)
    body = file.read_bytes()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *target.launch.headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Client:
    """One connection to a system."""

    def __init__(self, target: Running, *, receive_buffer_bytes: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_buffer_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self._socket.settimeout(READ_LIMIT_S)
        self._socket.connect(("127.0.0.1", target.place.port))
        self._unread = b""

    def send(self, request: bytes) -> None:
        """Send all of it."""
        self._socket.sendall(request)

    def read_until(self, text: bytes, limit_s: float = READ_LIMIT_S) -> bytes:
        """Read up to and with this text; what came until then if the connection ends or time runs out."""
        deadline_s = time.monotonic() + limit_s
        while text not in self._unread and time.monotonic() < deadline_s:
            try:
                more = self._socket.recv(65536)
            except OSError:
                break
            if not more:
                break
            self._unread += more
        end = self._unread.find(text)
        end = len(self._unread) if end < 0 else end + len(text)
        found, self._unread = self._unread[:end], self._unread[end:]
        return found

    def close(self) -> None:
        """Leave at once."""
        self._socket.close()
