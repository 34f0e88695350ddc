"""The records of a state folder as a command reads them, whether a gateway runs beside it or not.

Where none runs, what the last one left in the journal is shipped first, so that nothing is missing.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lockgate.errors import Conflict, NotFound, Unavailable
from lockgate.records.bodies.store import Bodies, BodyReader, BodyStore
from lockgate.records.embedded.deleting import ask_deletion
from lockgate.records.embedded.reader import EmbeddedReader
from lockgate.records.embedded.writer import EmbeddedStore, system_now_us
from lockgate.records.query.tree import Node
from lockgate.records.row import Row
from lockgate.records.shipping.shipper import Shipper, ShipPolicy
from lockgate.records.store import ALL, Entry, PageQuery, Receipt, Scope, Tail, record_id_of
from lockgate.store.config_file import ConfigFile

_KEEP_ALL = ShipPolicy(keep_s=float("inf"))
"""Segments stay: a gateway that starts may still have to read what they charge."""
_LOOK_EVERY_S = 0.25
_ROUNDS_TO_SHIP = 8


class Archive:
    """Reads records. ``close`` ends it."""

    def __init__(self, home: Path, *, config_path: Path | None = None, may_begin: bool = False) -> None:
        """``may_begin``: where there are no records, there are from now on.

        Raises NotFound when there are none, Unavailable when they cannot be read, ConfigError.
        """
        file = ConfigFile(config_path or Path("lockgate.toml"), is_required=config_path is not None)
        self.home = home
        self.folder = home / "records"
        self.settings = file.read().records
        if not self.settings.enabled and not self.folder.exists():
            raise NotFound("Records are off (records.enabled in the configuration): only the journal has them")
        if not may_begin and not self.folder.exists() and not (home / "journal").exists():
            raise NotFound(
                f"There are no records in {home}: no gateway has run with it; say where they are with LOCKGATE_HOME"
            )
        self.catch_up()
        self.reader = EmbeddedReader(self.folder)
        self.bodies = BodyReader(self.reader.layout)

    def close(self) -> None:
        """Give back what queries have taken."""
        self.reader.close()

    def catch_up(self) -> bool:
        """Ship the journal if no process does that; returns whether this one did. Raises Unavailable."""
        with self.writing() as writer:
            if writer is None:
                return False
            while writer.shipper.run_once():
                pass
            if writer.shipper.status.blocked is not None:
                raise Unavailable(f"The records of {self.home} are not up to date: {writer.shipper.status.blocked}")
            return True

    @contextmanager
    def writing(self) -> Iterator[Writer | None]:
        """Be the writer for a while; None: another process is. Raises Unavailable when the folder cannot be written."""
        try:
            store = EmbeddedStore(self.folder)
        except Conflict:
            yield None
            return
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(f"The records in {self.folder} cannot be opened: {error}") from None
        bodies = BodyStore(store.layout)
        try:
            yield Writer(self.home / "journal", store, bodies)
        finally:
            bodies.close()
            store.close()

    def follow(self, query: PageQuery, wait: Callable[[float], bool]) -> Iterator[Tail]:
        """Yield records as they arrive, from now on. ``wait`` waits so many seconds, and says whether that is all."""
        return self._arriving(query, wait, self.reader.tail(query.scope, query.filter, None))

    def _arriving(self, query: PageQuery, wait: Callable[[float], bool], tail: Tail) -> Iterator[Tail]:
        rounds = 0
        while not wait(_LOOK_EVERY_S):
            rounds += 1
            if rounds % _ROUNDS_TO_SHIP == 0:
                # a gateway that ended meanwhile ships no more
                self.catch_up()
            tail = self.reader.tail(query.scope, query.filter, tail.position, limit=query.limit)
            if tail.rows:
                yield tail

    def delete(self, where: Node, scope: Scope, *, reason: str) -> Receipt:
        """Hide records at once, whoever writes; ``apply_deletion`` sees to it that they leave every file.

        Raises InvalidRequest for a filter that looks into texts, or selects everything.
        """
        return ask_deletion(self.reader, where, scope, reason=reason, now_us=system_now_us())

    def apply_deletion(self, id: str, wait: Callable[[float], bool], *, timeout_s: float) -> Receipt:
        """Return the receipt of a deletion that is done, or, when time is up, of one that a gateway has still to do.

        Where no process writes, this one rewrites the files. ``wait`` waits so many seconds.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            receipt = next(found for found in self.reader.receipts() if found.id == id)
            if receipt.is_done or time.monotonic() >= deadline:
                return receipt
            with self.writing() as writer:
                if writer is not None:
                    writer.store.apply_deletions(system_now_us())
                    continue
            wait(_LOOK_EVERY_S)

    def find(self, some_id: str, scope: Scope = ALL) -> tuple[Entry | None, Sequence[Row]]:
        """Return the record of an id with its previews; when it is no record's, all rows that it belongs to."""
        entry = self.reader.get(record_id_of(some_id) or some_id, scope)
        if entry is not None:
            return entry, (entry.row,)
        rows = self.reader.find(some_id, scope)
        if len(rows) == 1:
            return self.reader.get(rows[0].id, scope), rows
        return None, rows

    def bodies_of(self, row: Row) -> Bodies | None:
        """Return what is kept of a request's bodies. Raises Unavailable when that is damaged."""
        try:
            return self.bodies.get(row.id, row.started_us)
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(f"The bodies of {row.id} cannot be read: {error}") from None


class Writer:
    """The store for writing, and a shipper into it."""

    def __init__(self, journal: Path, store: EmbeddedStore, bodies: BodyStore) -> None:
        self.store = store
        self.bodies = bodies
        store.when_deleted(bodies.delete)
        self.shipper = Shipper(journal, store, bodies, store.manifest, store.layout.quarantine, policy=_KEEP_ALL)
