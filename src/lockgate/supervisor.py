"""Several gateway processes behind one port: started, watched, restarted and ended together.

The supervisor serves nothing itself. It keeps the port, does what is done once (the first key, the simulator), and
runs ``lockgate up`` again for each worker. The kernel spreads connections over the workers (SO_REUSEPORT). A worker
that dies is replaced; one that keeps dying is replaced more and more slowly.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import msgspec

from lockgate.app import WORKER_VARIABLE, Gateway, Options, Started
from lockgate.errors import ConfigError
from lockgate.transport.server import bind

_log = logging.getLogger("lockgate.supervisor")

_START_S = 60.0
"""How long a worker may take until it listens."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
_HEALTHY_S = 30.0
"""A worker that lived this long starts again at once."""


class Supervisor:
    """Runs ``count`` workers with the arguments of this process."""

    def __init__(self, options: Options, count: int, arguments: list[str]) -> None:
        """Read everything that can be wrong. Raises ConfigError; nothing listens yet."""
        self._gateway = Gateway(options)
        self._options = options
        self._count = count
        self._arguments = arguments
        self._workers: dict[int, asyncio.subprocess.Process] = {}
        self._stop = asyncio.Event()
        self._exit_statuses: list[int] = []

    @property
    def made_keys(self) -> tuple[str | None, str | None]:
        """The texts of keys that this start made, as ``Gateway.made_keys``."""
        return self._gateway.made_keys

    async def run(self, on_start: Callable[[Started], None]) -> int:
        """Serve until SIGTERM or SIGINT; return how many workers did not end in order. Raises ConfigError."""
        if self._gateway.port:
            # a shared port can be bound twice by one user, and requests would reach either gateway
            bind(self._gateway.host, self._gateway.port, is_listening=False).close()
        place = bind(self._gateway.host, self._gateway.port, is_shared=True, is_listening=False)
        async with AsyncExitStack() as stack:
            stack.callback(place.close)
            started = await self._gateway.overview(place, stack)
            port: int = place.getsockname()[1]
            self._install_signals()
            loop = asyncio.get_running_loop()
            ready = [loop.create_future() for _ in range(self._count)]
            keepers = [
                loop.create_task(self._keep(number, port, ready[number]), name=f"worker-{number}")
                for number in range(self._count)
            ]
            try:
                await self._until_ready(ready, keepers)
                if not self._stop.is_set():
                    on_start(started)
                await asyncio.gather(*keepers)
            finally:
                self._stop.set()
                self._signal(signal.SIGKILL)
                for task in keepers:
                    task.cancel()
                await asyncio.gather(*keepers, return_exceptions=True)
        return sum(status != 0 for status in self._exit_statuses)

    async def _until_ready(self, ready: list[asyncio.Future[None]], keepers: list[asyncio.Task[None]]) -> None:
        """Wait until all workers listen, or one cannot; raise what ended its keeper."""
        all_ready = asyncio.gather(*ready)
        waited_for: list[asyncio.Future[Any]] = [all_ready, *keepers]
        await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
        for keeper in keepers:
            if keeper.done():
                keeper.result()
        await all_ready

    def stop(self) -> None:
        """End all workers in order, at the second call at once."""
        self._stop.set()
        self._signal(signal.SIGTERM)

    # ---- workers

    async def _keep(self, number: int, port: int, ready: asyncio.Future[None]) -> None:
        """Run one worker again and again until all is over."""
        loop, pause_s = asyncio.get_running_loop(), _FIRST_PAUSE_S
        while not self._stop.is_set():
            began = loop.time()
            process = await self._start(number, port, ready)
            status = await process.wait()
            del self._workers[number]
            if self._stop.is_set():
                self._exit_statuses.append(status)
                break
            if not ready.done():
                ready.set_exception(ConfigError(f"worker {number} ended with status {status} before it listened"))
                return
            pause_s = _FIRST_PAUSE_S if loop.time() - began > _HEALTHY_S else min(pause_s * 2, _LONGEST_PAUSE_S)
            _log.error("worker %d ended with status %d; starting another in %g s", number, status, pause_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause_s)
        if not ready.done():
            ready.set_result(None)

    async def _start(self, number: int, port: int, ready: asyncio.Future[None]) -> asyncio.subprocess.Process:
        """Start one worker and wait until it listens, ends, or takes too long."""
        reading, writing = os.pipe()
        told = msgspec.json.encode(self._gateway.worker(number, port, writing)).decode()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "lockgate",
                *self._arguments,
                env={**self._options.environment, WORKER_VARIABLE: told},
                stdin=asyncio.subprocess.PIPE,  # its end tells a worker that nobody watches it any more
                pass_fds=(writing,),
                start_new_session=True,
            )
        finally:
            os.close(writing)
        self._workers[number] = process
        try:
            if await self._has_reported(reading):
                _log.info("worker %d listens (process %d)", number, process.pid)
                if not ready.done():
                    ready.set_result(None)
            elif process.returncode is None and not self._stop.is_set():
                _log.error("worker %d does not listen after %g s and is ended", number, _START_S)
                process.kill()
        finally:
            os.close(reading)
        return process

    async def _has_reported(self, reading: int) -> bool:
        """Wait for the byte of a worker that listens; its end or silence is a no."""
        os.set_blocking(reading, False)
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(reading, readable.set)
        try:
            async with asyncio.timeout(_START_S):
                await readable.wait()
            return bool(os.read(reading, 1))
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(reading)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._workers.values():
            with suppress(ProcessLookupError):
                process.send_signal(number)

    def _install_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._signal(signal.SIGHUP))
