"""Circuits that processes share, in Redis or Valkey: they count together, and what one has opened all leave out.

Nothing waits for the server: decisions look at what this process knows, and a task tells the server what was observed
and learns what is open, within half a second also of processes that saw no failure themselves. While the server does
not answer, each process counts for itself. Source: gateway protocol specification, section 4.7.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from importlib.resources import files
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from lockgate.ports import Clock
from lockgate.routing.breaker import MAX_CIRCUITS, BreakerPolicy, Circuit, Circuits, Observation

LOOK_EVERY_S = 0.5
"""How long it may take until what another process has opened is left out here."""

_TIMEOUT_S = 1.0
_PAUSE_S = 1.0
_MOST_WAITING = 10_000
_BATCH = 256
_LONGEST_MS = 30 * 24 * 3600 * 1000
_BETWEEN = "\n"

_log = logging.getLogger("lockgate.circuits")


class RedisCircuits:
    """Implements ``routing.breaker.CircuitBook``. Somebody must let ``tend`` run. The client must return text."""

    def __init__(
        self, client: Redis, clock: Clock, *, namespace: str = "lockgate", timeout_s: float = _TIMEOUT_S
    ) -> None:
        self._client = client
        self._now = clock.monotonic
        self._timeout_s = timeout_s
        self._prefix = f"{{{namespace}:circuits}}:"
        self._observe = client.register_script(_script("circuit_observe"))
        self._find_open = client.register_script(_script("circuits_open"))
        self._known = Circuits()
        self._until_s: dict[tuple[str, str], float] = {}
        self._waiting: deque[tuple[str, Observation]] = deque()
        self._news = asyncio.Event()
        self._is_needed = False
        self._is_away = False

    def is_open(self, owner: str, path: str, policy: BreakerPolicy, now_s: float) -> bool:
        """Tell whether a target is to be left out, as far as this process knows."""
        if not self._is_needed:
            self._is_needed = True
            self._news.set()
        return now_s < self._until_s.get((owner, path), 0.0) or self._known.is_open(owner, path, policy, now_s)

    def observe(self, owner: str, seen: Observation, now_s: float) -> None:
        """Count one answer here, and soon for all."""
        self._known.observe(owner, seen, now_s)
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append((owner, seen))
        self._is_needed = True
        self._news.set()

    async def tend(self) -> None:
        """Tell and learn, until cancelled. Nothing is asked before there is a circuit."""
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S if self._is_needed else None):
                    await self._news.wait()
            except TimeoutError:
                pass
            if not await self.exchange():
                await asyncio.sleep(_PAUSE_S)

    async def exchange(self) -> bool:
        """Tell what waits to be told, and learn what is open; False when the server did not answer."""
        self._news.clear()
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH))]
        if self._waiting:
            self._news.set()
        try:
            async with asyncio.timeout(self._timeout_s):
                *states, found = await self._ask(batch)
        except (RedisError, OSError, TimeoutError) as error:
            if not self._is_away:
                _log.warning("circuits are not shared, their server does not answer: %s", type(error).__name__)
            self._is_away = True
            return False
        if self._is_away:
            _log.info("circuits are shared again")
        self._is_away = False
        now_s = self._now()
        for (owner, seen), state in zip(batch, states, strict=True):
            self._known.learn(owner, seen.path, _circuit(state, seen.policy, now_s))
        self._until_s = {_pair(name): now_s + int(left) / 1000 for name, left in zip(*[iter(found)] * 2, strict=True)}
        return True

    async def _ask(self, batch: Sequence[tuple[str, Observation]]) -> list[list[int | str]]:
        async with self._client.pipeline(transaction=False) as pipe:
            for owner, seen in batch:
                keys = [f"{self._prefix}{owner}{_BETWEEN}{seen.path}", f"{self._prefix}open", f"{self._prefix}all"]
                await self._observe(keys, _arguments(owner, seen), client=pipe)
            await self._find_open([f"{self._prefix}open"], [MAX_CIRCUITS], client=pipe)
            return cast(list[list[int | str]], await pipe.execute())


def _arguments(owner: str, seen: Observation) -> list[str | int | float]:
    policy = seen.policy
    return [
        f"{owner}{_BETWEEN}{seen.path}",
        int(seen.is_failure),
        int(seen.is_exhausted),
        min(int(policy.cooldown_s * 1000), _LONGEST_MS),
        policy.failures or 0,
        policy.percentage or 0,
        policy.minimum,
        MAX_CIRCUITS,
    ]


def _circuit(state: Sequence[int | str], policy: BreakerPolicy, now_s: float) -> Circuit:
    """Return a circuit as the server has it, on the clock of this process."""
    failures, successes, is_open, left_ms = map(int, state)
    since_s = now_s + left_ms / 1000 - policy.cooldown_s
    return Circuit(since_s=since_s, failures=failures, successes=successes, opened_s=since_s if is_open else None)


def _pair(name: int | str) -> tuple[str, str]:
    owner, _, path = str(name).partition(_BETWEEN)
    return owner, path


def _script(name: str) -> str:
    return (files("lockgate.store") / "lua" / f"{name}.lua").read_text()
