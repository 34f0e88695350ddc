"""The records of a state folder: shipped from the journal into the store beside it, and read from there.

Each gateway process has a desk; one of them holds the store's lock and ships for all. A store that fails or a process
that ends costs nothing: the journal waits.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lockgate.app.recording import RecorderProcess
from lockgate.config import RecordSettings
from lockgate.core.capture import Capture
from lockgate.dialects import Dialect
from lockgate.errors import ConfigError
from lockgate.records.bodies.store import Bodies, BodyReader
from lockgate.records.embedded.deleting import ask_deletion
from lockgate.records.embedded.feedback import FeedbackFile
from lockgate.records.embedded.manifest import Manifest
from lockgate.records.embedded.reader import EmbeddedReader
from lockgate.records.embedded.writer import system_now_us
from lockgate.records.exports.book import ExportBook
from lockgate.records.exports.jobs import Exports
from lockgate.records.query.tree import Node
from lockgate.records.retention import Retention
from lockgate.records.row import Row
from lockgate.records.shipping.body_journal import BodyLimits
from lockgate.records.shipping.keeper import KeeperSettings
from lockgate.records.shipping.pressure import DiskLimits
from lockgate.records.shipping.shipper import ShipperStatus
from lockgate.records.store import Feedback, Receipt, RecordReader, Scope
from lockgate.records.tending import Task, Tending
from lockgate.telemetry.journal import Journal

_SALT_BYTES = 32
_log = logging.getLogger("lockgate.records")


class Desk:
    """Implements ``admin.desk.RecordDesk`` and ``ports.CaptureSink``."""

    def __init__(
        self,
        home: Path,
        journal: Journal,
        journal_path: Path,
        settings: RecordSettings,
        dialects: Mapping[str, Dialect],
        *,
        first_needed: Callable[[], int | None] = lambda: None,
    ) -> None:
        """``first_needed``: the first segment that the counters need after a crash.

        Raises ConfigError when there can be no store; one that fails only makes records wait.
        """
        self._reader = EmbeddedReader(home / "records")
        self._body_reader = BodyReader(self._reader.layout)
        self._journal = journal
        layout = self._reader.layout
        self._feedback = FeedbackFile(layout.feedback)
        self.on_feedback: Callable[[Feedback], None] = lambda item: None
        salt = b""
        try:
            layout.create()
            salt = _salt(layout.folder / "salt")
            for create in (
                self._feedback.create,
                # so that who asks before any process has become the writer finds an empty store, not none
                lambda: Manifest(layout.manifest).close(),
                ExportBook(layout.folder / "exports").create,
            ):
                _try(create, layout.folder)
        except OSError as error:
            raise ConfigError(f"cannot keep records in {layout.folder}: {error}") from None

        self.exports = Exports(layout.folder / "exports", self._reader, self.bodies_of, system_now_us)
        task = _task(settings, layout.folder, journal_path, salt)
        self._tending: Tending | RecorderProcess
        if settings.apart:
            self._tending = RecorderProcess(task, tuple(dialects), first_needed=first_needed)
        else:
            self._tending = Tending(task, dialects, first_needed=first_needed)

    def start(self) -> None:
        """Begin to ship. To be called when the counters have read what they need of the journal."""
        self._tending.start()
        self.exports.start()

    def close(self) -> None:
        """Ship what is there, and close."""
        self.exports.close()
        self._tending.close()
        self._reader.close()

    @property
    def status(self) -> ShipperStatus:
        """What this process has shipped, and what holds it up."""
        return self._tending.status

    @property
    def reader(self) -> RecordReader:
        """What lists, charts and traces ask."""
        return self._reader

    def bodies_of(self, row: Row) -> Bodies | None:
        """Return what is kept of a record's bodies, None when nothing is. Raises OSError for damaged ones."""
        return self._body_reader.get(row.id, row.started_us)

    @property
    def shed(self) -> int:
        """Requests of this process whose bodies were not kept for want of room."""
        return self._tending.shed

    def offer(self, capture: Capture) -> None:
        """Keep bodies if there is room for them."""
        self._tending.offer(capture)

    def append(self, data: bytes, record_id: str) -> None:
        """Put a record, as JSON text, into the journal."""
        self._journal.append(data, record_id)

    def delete(self, where: Node, scope: Scope, *, reason: str, now_us: int) -> Receipt:
        """Hide records at once; the process that writes removes them from every file."""
        return ask_deletion(self._reader, where, scope, reason=reason, now_us=now_us)

    def add_feedback(self, items: Sequence[Feedback]) -> None:
        """Keep feedback, all or none."""
        self._feedback.add(items)
        for item in items:
            self.on_feedback(item)

    def change_feedback(
        self,
        id: str,
        scope: Scope,
        *,
        now_us: int,
        value: int | None,
        weight: float | None,
        metadata: Mapping[str, str] | None,
    ) -> Feedback | None:
        """Change what is given; None: there is no such feedback."""
        return self._feedback.change(id, scope, now_us=now_us, value=value, weight=weight, metadata=metadata)


def _task(settings: RecordSettings, folder: Path, journal: Path, salt: bytes) -> Task:
    return Task(
        records=str(folder),
        journal=str(journal),
        keeper=KeeperSettings(
            disk=DiskLimits(bodies=settings.disk_share),
            retention=Retention(row_days=settings.days, body_days=min(settings.body_days, settings.days)),
        ),
        bodies=BodyLimits(body_bytes=settings.body_bytes),
        salt=salt,
    )


def _try(create: Callable[[], None], folder: Path) -> None:
    try:
        create()
    except sqlite3.Error as error:
        # requests do not need it, and the journal keeps everything until it is mended
        _log.error("records wait in the journal: the store in %s cannot be opened: %s", folder, error)


def _salt(path: Path) -> bytes:
    """Return what hashes of personal data are made with: random, the same for all processes of a folder."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        salt = path.read_bytes()
        if len(salt) == _SALT_BYTES:
            return salt
        # another process is about to write it, or ended before it could
        path.unlink(missing_ok=True)
        return _salt(path)
    with open(fd, "wb") as file:
        salt = secrets.token_bytes(_SALT_BYTES)
        file.write(salt)
    return salt
