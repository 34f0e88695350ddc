"""One connection to Redis that carries the commands of many tasks: what comes while an answer is awaited goes together.

So a busy gateway sends few large writes, and an idle one waits for nobody. The order of commands is kept. A command may
be carried out twice when its connection breaks: what is sent here must bear that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from lockgate.errors import CountersUnreachable

Command = tuple[str | bytes | int, ...]
_BATCH = 128
_LATE = 0.1
"""A timer that comes later than this part of the time limit says that our own loop was held up, not the server."""
_MAX_EXTENSIONS = 20


class Script:
    """A Lua script, loaded into each server that does not know it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha: str | None = None


class _Waiting:
    __slots__ = ("command", "done", "script")

    def __init__(self, script: Script | None, command: Command, done: asyncio.Future[Any]) -> None:
        self.script = script
        self.command = command
        self.done = done


class _Patience:
    """Ends a wait after a time limit, in which time that the loop was held up does not count."""

    def __init__(self, wait: asyncio.Timeout, limit_s: float) -> None:
        self._wait = wait
        self._limit_s = limit_s
        self._loop = asyncio.get_running_loop()
        self._extensions = 0
        self._begin()

    def _begin(self) -> None:
        self._due_s = self._loop.time() + self._limit_s
        self._timer = self._loop.call_at(self._due_s, self._look)

    def _look(self) -> None:
        if self._extensions < _MAX_EXTENSIONS and self._loop.time() - self._due_s > _LATE * self._limit_s:
            self._extensions += 1
            self._begin()
        else:
            self._wait.reschedule(self._loop.time())

    def end(self) -> None:
        """The wait is over."""
        self._timer.cancel()


class Lane:
    """Runs commands in order over a connection of its own, which it opens again when it broke."""

    def __init__(self, pool: ConnectionPool, *, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._queue: deque[_Waiting] = deque()
        self._connection: AbstractConnection | None = None
        self._task: asyncio.Task[None] | None = None

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """Run a script. Raises CountersUnreachable, also for a command that may have been carried out."""
        return await self._send(script, (len(keys), *keys, *arguments))

    async def command(self, *command: str | int) -> Any:
        """Run a command. Raises CountersUnreachable."""
        return await self._send(None, command)

    async def close(self) -> None:
        """Close the connection; what still waits fails."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._fail([*self._queue], "closed")
        self._queue.clear()
        await self._drop()

    async def _send(self, script: Script | None, command: Command) -> Any:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(script, command, loop.create_future())
        self._queue.append(waiting)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._drain(), name="redis-lane")
        return await waiting.done

    async def _drain(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            try:
                await self._exchange_in_time(batch)
            except (RedisError, OSError, TimeoutError) as error:
                await self._drop()
                # whoever came meanwhile would wait as long for the same answer
                self._fail([*batch, *self._queue], type(error).__name__)
                self._queue.clear()
            except BaseException:
                self._fail(batch, "cancelled")
                raise

    async def _exchange_in_time(self, batch: Sequence[_Waiting]) -> None:
        """Exchange within the time limit, which is the server's: time in which this loop did not run does not count.

        A gateway under load would otherwise take answers that it has not looked at yet for silence.
        """
        async with asyncio.timeout(None) as limit:
            patience = _Patience(limit, self._timeout_s)
            try:
                await self._exchange(batch)
            finally:
                patience.end()

    async def _exchange(self, batch: Sequence[_Waiting]) -> None:
        if self._connection is not None:
            try:
                await self._carry_out(self._connection, batch)
                return
            except (RedisConnectionError, OSError):
                # it may have been idle, and closed by a server that was restarted: what is sent can be sent twice
                await self._drop()
        self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call] # their gap
        await self._carry_out(self._connection, [waiting for waiting in batch if not waiting.done.done()])

    async def _carry_out(self, connection: AbstractConnection, batch: Sequence[_Waiting]) -> None:
        scripts = {id(w.script): w.script for w in batch if w.script is not None and w.script.sha is None}
        if scripts:
            await self._load(connection, list(scripts.values()))
        again = await self._round(connection, batch)
        if again:  # the server was restarted and has forgotten the scripts
            await self._load(connection, list({id(w.script): w.script for w in again if w.script}.values()))
            self._fail(await self._round(connection, again), "NOSCRIPT")

    async def _load(self, connection: AbstractConnection, scripts: Sequence[Script]) -> None:
        await connection.send_packed_command(
            connection.pack_commands([("SCRIPT", "LOAD", script.text) for script in scripts]), check_health=False
        )
        for script in scripts:
            sha = await connection.read_response()
            script.sha = sha.decode() if isinstance(sha, bytes) else sha

    async def _round(self, connection: AbstractConnection, batch: Sequence[_Waiting]) -> list[_Waiting]:
        """Send and answer; return what the server knows no script for."""
        commands = [w.command if w.script is None else ("EVALSHA", w.script.sha or "", *w.command) for w in batch]
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        again = []
        for waiting in batch:
            try:
                answer = await connection.read_response(disconnect_on_error=False)
            except NoScriptError:
                again.append(waiting)
            except ResponseError as error:
                if not waiting.done.done():
                    waiting.done.set_exception(CountersUnreachable(f"the counters' server refused: {error}"))
            else:
                if not waiting.done.done():
                    waiting.done.set_result(answer)
        return again

    def _fail(self, batch: Sequence[_Waiting], why: str) -> None:
        for waiting in batch:
            if not waiting.done.done():
                waiting.done.set_exception(CountersUnreachable(f"the counters' server does not answer ({why})"))

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)
