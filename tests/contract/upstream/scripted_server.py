"""A server on loopback that does, byte by byte, what a test tells it to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

Script = Callable[["Peer"], Awaitable[None]]


class Received:
    """One request as it came over the wire."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head = head
        self.body = body
        self.line, _, rest = head.partition(b"\r\n")
        pairs = [line.partition(b": ") for line in rest.split(b"\r\n") if line]
        self.headers = [(name, value) for name, _, value in pairs]

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header that must not be there twice."""
        values = [value for key, value in self.headers if key.lower() == name]
        assert len(values) < 2, f"{name!r} was sent twice"
        return values[0] if values else None


class Peer:
    """The server's end of one connection. ``number`` counts connections from 0."""

    def __init__(self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.number = server.connections
        self.bytes_written = 0
        self.has_departed = False

    async def head(self) -> bytes:
        """Read a request's head; its body stays unread."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> Received:
        """Read a whole request and remember it."""
        head = await self.head()
        received = Received(head, b"")
        length = int(received.header(b"content-length") or 0)
        received.body = await self.reader.readexactly(length)
        self.server.requests.append(received)
        return received

    async def requests(self):
        """Yield requests until the client closes."""
        while True:
            try:
                yield await self.request()
            except (asyncio.IncompleteReadError, ConnectionError):
                self.has_departed = True
                return

    async def send(self, data: bytes) -> None:
        """Send these bytes, and let the other side read them before going on."""
        if self.writer.transport.is_closing():
            raise ConnectionResetError  # uvloop would raise something else
        self.writer.write(data)
        self.bytes_written += len(data)
        await self.writer.drain()
        await settle()

    async def send_pieces(self, pieces: Iterable[bytes]) -> None:
        """Send each piece by itself."""
        for piece in pieces:
            await self.send(piece)

    async def pour(self, size_bytes: int, step_bytes: int = 64 * 1024) -> None:
        """Send this many bytes as fast as they are taken."""
        block = b"x" * step_bytes
        while size_bytes > 0:
            self.writer.write(block[:size_bytes])
            await self.writer.drain()
            self.bytes_written += min(step_bytes, size_bytes)
            size_bytes -= step_bytes

    def half_close(self) -> None:
        """Send no more, but keep reading."""
        self.writer.write_eof()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client has closed its side."""
        with suppress(ConnectionError):
            while await self.reader.read(1 << 20):
                pass
        self.has_departed = True

    def stop_reading(self) -> None:
        """Take nothing more from the socket."""
        self.writer.transport.pause_reading()

    async def forever(self) -> None:
        """Do nothing until the test is over."""
        await asyncio.Event().wait()


class ScriptedServer:
    """Runs one script per connection. A script that fails fails the test."""

    def __init__(self, script: Script, *, context: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.context = context
        self.connections = 0
        self.requests: list[Received] = []
        self.peers: list[Peer] = []
        self.failures: list[BaseException] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def departures(self) -> int:
        """How many connections the client closed while a script talked or watched for it."""
        return sum(peer.has_departed for peer in self.peers)

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind, error, trace) -> None:
        assert self._server is not None
        self._server.close()
        for _ in range(50):  # scripts that only wait for the end see it when the client has closed
            if not self._tasks:
                break
            await asyncio.sleep(0.001)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in self.peers:
            peer.writer.transport.abort()
        await settle()
        if kind is None and self.failures:
            raise self.failures[0]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(self, reader, writer)
        self.connections += 1
        self.peers.append(peer)
        task = asyncio.get_running_loop().create_task(self._run(peer), name=f"script-{peer.number}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, peer: Peer) -> None:
        try:
            await self.script(peer)
        except (asyncio.IncompleteReadError, ConnectionError):
            peer.has_departed = True  # the test says whether it should have
        except Exception as error:
            self.failures.append(error)
        finally:
            if not peer.writer.transport.is_closing():
                peer.writer.close()


async def settle(turns: int = 4) -> None:
    """Let both sides of a loopback connection do what is ready."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something has become true; the test's own time limit is the bound."""
    while not condition():
        await asyncio.sleep(0.002)


async def steady(measure: Callable[[], int]) -> int:
    """Wait until a figure has stopped changing, and return it."""
    unchanged, last = 0, measure()
    while unchanged < 25:
        await asyncio.sleep(0.004)
        now = measure()
        unchanged, last = (unchanged + 1, last) if now == last else (0, now)
    return last
