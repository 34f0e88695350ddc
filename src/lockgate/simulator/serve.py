"""Runs a simulator on a socket of its own: inside an event loop, or in a thread for code that has none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from lockgate.simulator.exchange import TRANSPORT_EXTENSION

if TYPE_CHECKING:
    from lockgate.simulator.app import Simulator

_KEEP_ALIVE_S = 75
_STOP_GRACE_S = 2.0


class SimulatorProtocol(HttpToolsProtocol):
    """Lets the app reach its connection, because ASGI has no word for a reset."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT_EXTENSION: {"transport": self.transport}}


class RunningSimulator:
    """A simulator that listens."""

    def __init__(self, simulator: Simulator, server: asyncio.Server, state: ServerState) -> None:
        self.simulator = simulator
        self._server = server
        self._state = state
        host, self.port = server.sockets[0].getsockname()[:2]
        self.url = f"http://{host if ':' not in host else f'[{host}]'}:{self.port}"

    @property
    def connections_open(self) -> int:
        """How many clients are connected."""
        return len(self._state.connections)

    async def stop(self) -> None:
        """Close the socket and every connection; answers under way get a moment to finish."""
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=_STOP_GRACE_S)
        for connection in list(self._state.connections):
            transport: Any = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        for task in list(self._state.tasks):
            task.cancel()
        await asyncio.gather(*self._state.tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets the aborted transports let go of their sockets


async def start(simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> RunningSimulator:
    """Listen, and return at once; port 0 takes a free one. Raises OSError when the port is taken."""
    config = Config(
        simulator, http=SimulatorProtocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=_KEEP_ALIVE_S
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SimulatorProtocol(config=config, server_state=state, app_state={}, _loop=loop),
        host,
        port,
        backlog=2048,
    )
    running = RunningSimulator(simulator, server, state)
    simulator.watch_connections(lambda: running.connections_open)
    return running


async def serve(
    simulator: Simulator,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[int], object] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until cancelled or until ``stop`` is set; ``ready`` is told the port once it accepts connections."""
    running = await start(simulator, host, port)
    try:
        if ready is not None:
            ready(running.port)
        await (stop or asyncio.Event()).wait()
    finally:
        await running.stop()


@asynccontextmanager
async def serving(simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[RunningSimulator]:
    """Serve for the length of a block."""
    running = await start(simulator, host, port)
    try:
        yield running
    finally:
        await running.stop()


@contextmanager
def serving_in_thread(simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> Iterator[RunningSimulator]:
    """Serve for the length of a block from a thread of its own, for code that has no event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulator", daemon=True)
    thread.start()
    try:
        running = asyncio.run_coroutine_threadsafe(start(simulator, host, port), loop).result()
        try:
            yield running
        finally:
            asyncio.run_coroutine_threadsafe(running.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
