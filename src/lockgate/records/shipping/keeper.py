"""The records of one folder in one process: it reads always, and writes when it is the one that holds the lock.

Every gateway process may have a keeper. One of them becomes the writer: it ships the journal, seals what is old,
forgets what is too old and carries out deletions. When it dies, another takes over within seconds.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from lockgate.errors import Conflict, GatewayError
from lockgate.records.bodies.store import BodyReader, BodyStore
from lockgate.records.embedded.duck import DuckLimits
from lockgate.records.embedded.folder import Windows
from lockgate.records.embedded.reader import EmbeddedReader
from lockgate.records.embedded.writer import EmbeddedStore, system_now_us
from lockgate.records.retention import Retention, apply_retention
from lockgate.records.shipping.inbox import take
from lockgate.records.shipping.pressure import DiskLimits, disk_share, level_of
from lockgate.records.shipping.shipper import Shipper, ShipperStatus, ShipPolicy
from lockgate.records.store import Restored

_log = logging.getLogger("lockgate.records")


class KeeperSettings(Struct, frozen=True, kw_only=True):
    """How records are kept."""

    duck: DuckLimits = DuckLimits()
    windows: Windows = Windows()
    ship: ShipPolicy = ShipPolicy()
    disk: DiskLimits = DiskLimits()
    retention: Retention = Retention()
    poll_s: float = 0.5
    """How long the writer sleeps between two rounds."""
    maintain_s: float = 60.0
    look_s: float = 2.0
    """How often the writer looks whether somebody asked for a deletion, or handed records over."""
    retry_s: float = 2.0
    """How often the others try to become the writer."""


class Keeper:
    """Starts a thread that becomes the writer when it can. ``reader`` and ``bodies`` may be used by any thread."""

    def __init__(
        self, folder: Path, journal: Path, settings: KeeperSettings | None = None, *,
        now_us: Callable[[], int] = system_now_us, first_needed: Callable[[], int | None] = lambda: None,
    ) -> None:  # fmt: skip
        """``first_needed``: the first segment of the journal that somebody else still has to read, None: no one."""
        self._folder = folder
        self._journal = journal
        self._settings = settings or KeeperSettings()
        self._now_us = now_us
        self._first_needed = first_needed
        self._stop = threading.Event()
        self._turn = threading.Condition()
        self._rounds = 0
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self.store: EmbeddedStore | None = None
        """Set while this process is the writer."""
        self.shipper: Shipper | None = None
        self.status = ShipperStatus()
        """What this process shipped, whenever it was the writer."""
        self.reader = EmbeddedReader(folder, self._settings.duck)
        self.bodies = BodyReader(self.reader.layout)
        self.may_write_bodies = True
        """Whether the disk has room for bodies; for the journal of bodies."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ship what is there, then close."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self.reader.close()

    def shipped(self, timeout_s: float) -> bool:
        """Wait until this process is the writer and a round found nothing to ship; False when time is up."""
        deadline = time.monotonic() + timeout_s
        with self._turn:
            seen = self._rounds
            return self._turn.wait_for(lambda: self._rounds >= seen + 2, max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                store = EmbeddedStore(
                    self._folder, limits=self._settings.duck, windows=self._settings.windows, now_us=self._now_us
                )
            except Conflict:
                self.status.blocked = None  # another process ships, and knows
                self._stop.wait(self._settings.retry_s)
                continue
            except (OSError, sqlite3.Error) as error:
                self.status.failures += 1
                self.status.blocked = f"the store cannot be opened: {error}"
                _log.error("records cannot be kept: %s", error)
                self._stop.wait(self._settings.retry_s)
                continue
            try:
                self._write(store)
            except Exception as error:  # noqa: BLE001  # the edge: without this thread nothing would ever be shipped again
                self.status.failures += 1
                self.status.blocked = f"{type(error).__name__}: {error}"
                _log.error("records wait in the journal: %s", self.status.blocked)
                self._stop.wait(self._settings.retry_s)
            finally:
                self.store = self.shipper = None
                store.close()

    def _write(self, store: EmbeddedStore) -> None:
        with contextlib.closing(BodyStore(store.layout)) as bodies:
            self._serve(store, bodies)

    def _serve(self, store: EmbeddedStore, bodies: BodyStore) -> None:
        share = disk_share(self._folder)
        store.when_deleted(bodies.delete)
        shipper = Shipper(
            self._journal, store, bodies, store.manifest, store.layout.quarantine,
            policy=self._settings.ship, level=lambda: level_of(share(), self._settings.disk),
            first_needed=self._first_needed, status=self.status,
        )  # fmt: skip
        self.store, self.shipper = store, shipper
        next_care = time.monotonic() + self._settings.maintain_s
        next_look = time.monotonic()
        restored = 0
        while not self._stop.is_set():
            done = shipper.run_once()
            self.may_write_bodies = level_of(share(), self._settings.disk) == "none"
            if time.monotonic() >= next_care:
                self._care(store, bodies, shipper)
                next_care = time.monotonic() + self._settings.maintain_s
            if time.monotonic() >= next_look:
                self._delete(store, shipper)
                is_more = self.may_write_bodies and self._import(store, bodies, shipper)
                next_look = time.monotonic() + (0 if is_more else self._settings.look_s)
            self.status.restored += store.restored + bodies.restored - restored
            restored = store.restored + bodies.restored
            if not done:
                with self._turn:
                    self._rounds += 1
                    self._turn.notify_all()
            # also after a round that shipped something: what comes meanwhile then shares one transaction
            self._stop.wait(self._settings.poll_s)
        shipper.run_once()

    def _care(self, store: EmbeddedStore, bodies: BodyStore, shipper: Shipper) -> None:
        """Seal, forget. What fails is tried again next time; shipping goes on."""
        try:
            store.maintain()
            apply_retention(self._settings.retention, store, bodies, now_us=self._now_us())
        except Restored:
            pass  # the next round ships the journal again, and the rest is done next time
        except (OSError, sqlite3.Error, GatewayError) as error:
            _log.error("records could not be tended: %s", error)

    def _import(self, store: EmbeddedStore, bodies: BodyStore, shipper: Shipper) -> bool:
        """Keep what a command handed over; returns whether there may be more. What fails is tried again next time."""
        try:
            return take(store.layout.inbox, store, bodies) > 0
        except Restored:
            shipper.begin_again()
        except (OSError, sqlite3.Error) as error:
            _log.error("records could not be imported: %s", error)
        return False

    def _delete(self, store: EmbeddedStore, shipper: Shipper) -> None:
        """Do the deletions that this or another process asked for, after what the journal still has of them."""
        try:
            store.heal()
            if store.manifest.has_work() and store.apply_deletions(self._now_us()):
                shipper.purge()
        except Restored:
            shipper.begin_again()
        except (OSError, sqlite3.Error, GatewayError) as error:
            _log.error("records could not be deleted: %s", error)
