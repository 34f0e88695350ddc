"""The control plane on a real socket, in a thread of the test's own process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tests.unit.admin.plane import Plane

START_S = 30


@contextmanager
def served(plane: Plane) -> Iterator[str]:
    """Serve until the block ends; give the base URL that an SDK wants."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(plane.app, loop="asyncio", lifespan="off", log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    is_up = threading.Event()

    async def serve() -> None:
        task = asyncio.get_running_loop().create_task(server.serve([listener]), name="serve")
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        is_up.set()
        await task

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="control plane")
    thread.start()
    assert is_up.wait(START_S)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join(START_S)
        listener.close()
