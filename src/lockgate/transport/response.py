"""An answer from a provider, read whole or as it arrives."""

from __future__ import annotations

from lockgate.core.record import Opened
from lockgate.errors import Broken, Malformed, UpstreamError
from lockgate.transport.connection import BODY, DONE, Connection


class HttpResponse:
    """An answer whose head has arrived; implements ports.UpstreamResponse. Closing early drops the connection."""

    __slots__ = ("_connection", "_error", "headers", "opened", "status")

    def __init__(self, connection: Connection) -> None:
        self.status = connection.status
        self.headers = connection.headers
        self.opened: Opened | None = connection.opened
        self._connection: Connection | None = connection
        self._error: UpstreamError | None = None

    async def read(self, limit_bytes: int) -> bytes:
        """Return the whole body. Raises Malformed when it is longer than the limit, TimedOut or Broken."""
        connection = self._connection
        if connection is None:
            return self._after_end()
        connection.collect(limit_bytes)
        while connection.state == BODY and connection.size <= limit_bytes:
            await self._wait(connection, DONE)
        if connection.size > limit_bytes:
            self.close()
            raise Malformed(f"the provider's answer is longer than {limit_bytes} bytes")
        body = connection.take()
        self._finish(connection)
        return body

    async def next_chunk(self) -> bytes:
        """Return the next bytes of the body, b"" at its end. Raises TimedOut or Broken."""
        connection = self._connection
        if connection is None:
            return self._after_end()
        while not connection.pieces:
            if connection.state != BODY:
                self._finish(connection)
                return b""
            await self._wait(connection, BODY)
        return connection.take()

    def close(self) -> None:
        """Give the connection back when the body is complete, else drop it at once. May be called twice."""
        connection = self._connection
        if connection is not None:
            self._connection = None
            if connection.state != DONE:
                self._error = Broken("the answer was closed before its end")
            connection.release()

    async def _wait(self, connection: Connection, wanted: int) -> None:
        try:
            await connection.wait(wanted)
        except BaseException:
            self.close()
            raise

    def _finish(self, connection: Connection) -> None:
        """Give the connection back; raise when the body was not complete."""
        self._connection = None
        self._error = connection.error
        connection.release()
        if self._error is not None:
            raise self._error

    def _after_end(self) -> bytes:
        if self._error is not None:
            raise self._error
        return b""
