"""The counters of budgets and rates: in memory for one process, on Redis or Valkey for several, exact over restarts.

In memory the journal is the truth: at the start its charges are counted on top of the last checkpoint. On a server each
settlement is told once more at the next start if nobody can say that it arrived, which changes nothing when it did;
and what processes of this state folder had reserved when they died is given back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockgate.app.processes import Processes, is_locked
from lockgate.config.document import CacheSettings
from lockgate.core.batches import read_hold
from lockgate.core.journal import Position
from lockgate.core.limits import LedgerEntry
from lockgate.dataplane.batch_results import HOLD_S
from lockgate.errors import ConfigError, GatewayError
from lockgate.policy.answers import Listener
from lockgate.ports import CacheStore, Clock, Counters
from lockgate.routing.breaker import CircuitBook
from lockgate.store.batch_book import DatabaseBatchBook
from lockgate.store.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint, write_checkpoint
from lockgate.store.counters_memory import MemoryCounters
from lockgate.store.settled_marks import SettledMarks
from lockgate.telemetry.journal import Journal, read_journal, read_segment

if TYPE_CHECKING:
    from lockgate.store.valkey import PrivateValkey

_log = logging.getLogger("lockgate.limits")

_CHECKPOINT_EVERY_S = 5.0
_MARK_EVERY_S = 1.0
_REPLAY_AT_ONCE = 500
_LOOK_AFTER_S = 0.5


def counters_left(folder: Path, clock: Clock, on_event: Listener = lambda _event: None) -> MemoryCounters:
    """Return the counters that a journal's folder and the checkpoint beside it say, whether a gateway runs or not.

    Raises ConfigError.
    """
    checkpoint = read_checkpoint(folder.parent / CHECKPOINT)
    counters = MemoryCounters(clock, on_event=on_event)
    counters.restore(checkpoint.state)
    for record in read_journal(folder, after=checkpoint.position):
        counters.replay(record.charges)
    return counters


def local_counters(folder: Path, journal: Journal, clock: Clock, stack: AsyncExitStack, on_event: Listener) -> Counters:
    """Return counters in memory, as they were when the last process ended. Raises ConfigError."""
    path = folder.parent / CHECKPOINT
    counters = counters_left(folder, clock, on_event)
    kept: Position | None = None

    def keep() -> None:
        nonlocal kept
        if journal.held or journal.position == kept:
            # what is held is counted already, and will stand behind this place: it would be counted again
            return
        position = journal.position
        try:
            write_checkpoint(path, Checkpoint(position=position, state=counters.state()))
        except ConfigError as error:
            # the journal still has everything: only the next start takes longer
            _log.error("%s", error)
        else:
            kept = position

    def keep_now() -> None:
        nonlocal kept
        kept = None
        keep()

    counters.on_reset = keep_now
    keep()
    stack.callback(keep)
    _repeat(keep, _CHECKPOINT_EVERY_S, "counter-checkpoints", stack)
    return counters


async def shared_counters(
    url: str, folder: Path, journal: Journal, clock: Clock, stack: AsyncExitStack, on_event: Listener
) -> Counters:
    """Return counters on a server, after what ended processes left has been settled. Raises ConfigError."""
    try:
        from lockgate.store.counters_redis import RedisCounters
    except ImportError:
        raise ConfigError(
            f"counters on a server need the extra: pip install 'lockgate[redis]' ({_shown(url)})"
        ) from None

    marks = SettledMarks(folder)
    marks.sweep()
    try:
        counters = RedisCounters(
            url, clock, on_event=on_event, position=lambda: journal.position, on_settled=marks.reached
        )
    except ValueError as error:
        raise ConfigError(f"counters.url: {error}") from None
    processes = Processes(folder.parent / "processes")
    stack.callback(processes.close)
    stack.push_async_callback(counters.close)
    stack.callback(marks.write)
    try:
        processes.enter(counters.instance)
        await counters.usage([])
        dead = processes.dead()  # before their journals are read: whoever is dead here writes nothing more
        await _settle_left_over(folder, marks, counters.replay)
        for instance in dead:
            count = await counters.abandon(instance)
            processes.bury(instance)
            if count:
                _log.warning("a process ended without a word; the reservations of its %d requests are back", count)
    except GatewayError as error:
        raise ConfigError(f"the counters at {_shown(url)} do not answer: {error.message}") from None
    _repeat(marks.write, _MARK_EVERY_S, "settled-marks", stack)
    return counters


def take_up_batches(counters: Counters, book: DatabaseBatchBook, clock: Clock) -> None:
    """Reserve again for batches that are under way; counters that are kept elsewhere know of them."""
    if not isinstance(counters, MemoryCounters):
        return
    now = datetime.fromtimestamp(clock.unix(), UTC)
    for text, created_at in book.open_holds(now - timedelta(seconds=HOLD_S)):
        try:
            counters.take_again(read_hold(text), created_at.timestamp() + HOLD_S)
        except msgspec.MsgspecError:
            _log.error("what a batch reserved cannot be read, and is not reserved again")


def private_server(home: Path, stack: AsyncExitStack) -> PrivateValkey:
    """Start a server for the counters of the processes on this machine. Raises ConfigError."""
    try:
        from lockgate.store.valkey import PrivateValkey
    except ImportError:
        raise ConfigError(
            "several workers need shared counters: set LOCKGATE_REDIS_URL, or pip install 'lockgate[workers]'"
        ) from None
    server = PrivateValkey(home)
    stack.callback(server.stop)
    return server


def look_after(server: PrivateValkey, stack: AsyncExitStack) -> None:
    """Start a private server again whenever it ends, until the stack ends."""

    async def watch() -> None:
        while True:
            await asyncio.sleep(_LOOK_AFTER_S)
            try:
                if await asyncio.to_thread(server.revive):
                    _log.error("the private counter server had ended; it runs again with what it had counted")
            except ConfigError as error:
                _log.error("the private counter server has ended: %s", error)

    stack.callback(asyncio.get_running_loop().create_task(watch(), name="counter-server").cancel)


def shared_cache(url: str, settings: CacheSettings, clock: Clock, stack: AsyncExitStack) -> CacheStore:
    """Return a cache on a server; one that is away is a miss. Raises ConfigError for what is no URL."""
    try:
        from redis.asyncio import Redis

        from lockgate.store.cache_redis import RedisCache
    except ImportError:
        raise ConfigError(f"a cache at {_shown(url)} needs: pip install 'lockgate[redis]'") from None
    try:
        client = Redis.from_url(url)
    except ValueError as error:
        raise ConfigError(f"cache.url: {error}") from None
    stack.push_async_callback(client.aclose)
    return RedisCache(client, clock, most_entry_bytes=settings.entry_bytes, timeout_s=settings.timeout_s)


def shared_circuits(url: str, clock: Clock, stack: AsyncExitStack) -> CircuitBook:
    """Return circuits that all processes on the server of the counters share."""
    from redis.asyncio import Redis

    from lockgate.store.circuits_redis import RedisCircuits

    client = Redis.from_url(url, decode_responses=True)
    stack.push_async_callback(client.aclose)
    circuits = RedisCircuits(client, clock)
    stack.callback(asyncio.get_running_loop().create_task(circuits.tend(), name="circuits").cancel)
    return circuits


async def _settle_left_over(
    folder: Path, marks: SettledMarks, replay: Callable[[Sequence[LedgerEntry]], Awaitable[None]]
) -> None:
    """Settle what the journals of ended processes hold beyond their marks."""
    for position in marks.unsettled():
        path = folder / f"{position.segment:010d}.log"
        if is_locked(path):
            continue
        entries = [
            LedgerEntry(grant=r.grant, charges=r.charges) for r in read_segment(path, position.offset) if r.charges
        ]
        for some in _slices(entries):
            await replay(some)
        if entries:
            _log.info("%d charges of %s were settled", len(entries), path.name)
        marks.settle_whole(position.segment)


def _slices(entries: Sequence[LedgerEntry]) -> Iterator[Sequence[LedgerEntry]]:
    for start in range(0, len(entries), _REPLAY_AT_ONCE):
        yield entries[start : start + _REPLAY_AT_ONCE]


def _repeat(work: Callable[[], None], every_s: float, name: str, stack: AsyncExitStack) -> None:
    async def run() -> None:
        while True:
            await asyncio.sleep(every_s)
            work()

    stack.callback(asyncio.get_running_loop().create_task(run(), name=name).cancel)


def _shown(url: str) -> str:
    """Return a URL without what may be secret in it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
