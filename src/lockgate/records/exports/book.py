"""The jobs of exports: what was asked for, how far it is, who may fetch it. Any process may read and change them.

A job goes ``draft`` - ``in_progress`` - ``success``, ``failed`` or ``stopped``; each step names the states that it may
be taken from, so that two who take different ones at the same moment cannot both succeed.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from lockgate.records.embedded.sqlite import reading, transaction, writing
from lockgate.records.exports.manifest import Part
from lockgate.records.exports.writers import Format

Status: TypeAlias = Literal["draft", "in_progress", "success", "failed", "stopped"]
WAITING: frozenset[Status] = frozenset({"draft", "failed"})
"""States of a job that may be changed and started."""
UNDER_WAY: frozenset[Status] = frozenset({"in_progress"})
DONE: frozenset[Status] = frozenset({"success"})

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, organisation_id TEXT NOT NULL, workspace_id TEXT NOT NULL, status TEXT NOT NULL,
  created_us INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS secret (id INTEGER PRIMARY KEY CHECK (id = 1), value BLOB NOT NULL);
"""
_READ_S = 5.0
_SECRET_BYTES = 32


class Job(Struct, frozen=True, kw_only=True):
    """One export. Times are in microseconds since 1970."""

    id: str
    organisation_id: str
    workspace_id: str
    """The workspace whose records it holds; ``*`` for several."""
    created_by: str
    """A person, else a key."""
    created_us: int
    updated_us: int
    status: Status = "draft"
    description: str | None = None
    filters: Mapping[str, Any] = {}
    fields: tuple[str, ...] = ()
    format: Format = "jsonl"
    is_gzipped: bool = False
    workspaces: tuple[str, ...] = ()
    """Whose records may be read, as it was when the job was started."""
    api_keys: tuple[str, ...] | None = None
    """Only what these keys did; None: whichever."""
    begun_us: int = 0
    """When the records were begun to be read."""
    until_us: int = 0
    """Records that began later are left out."""
    total: int = 0
    """How many records there were when it was made or started."""
    done: int = 0
    """How many are written."""
    file: str | None = None
    """The name of the result in the job's folder, of its first part when there are several."""
    size_bytes: int | None = None
    """Of all parts."""
    sha256: str | None = None
    """Of the one part; several have their own."""
    parts: tuple[Part, ...] = ()
    """When there are several; of a failed job, those that are whole."""
    manifest: str | None = None
    """The name of what lists several parts."""
    error: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Job).decode


class ExportBook:
    """Keeps jobs in a file of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "exports.db"

    def create(self) -> None:
        """Make what is missing."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO secret VALUES (1, ?)", (secrets.token_bytes(_SECRET_BYTES),))

    def secret(self) -> bytes:
        """Return what links to results are signed with, the same in every process."""
        with reading(self._path, _READ_S) as connection:
            value: bytes = connection.execute("SELECT value FROM secret").fetchone()[0]
            return value

    def add(self, job: Job) -> None:
        """Keep a new job."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)",
                (job.id, job.organisation_id, job.workspace_id, job.status, job.created_us, _encode(job)),
            )

    def get(self, id: str) -> Job | None:
        """Return a job."""
        found = self._select("WHERE id = ?", (id,))
        return found[0] if found else None

    def list(self, organisation_id: str, workspace_id: str | None) -> Sequence[Job]:
        """Return the jobs of a workspace, or of all of an organisation, the newest first."""
        where = "WHERE organisation_id = ? AND (workspace_id = ? OR ? IS NULL) ORDER BY created_us DESC, id DESC"
        return self._select(where, (organisation_id, workspace_id, workspace_id))

    def under_way(self) -> Sequence[Job]:
        """Return the jobs that are to be done, the oldest first."""
        return self._select("WHERE status = 'in_progress' ORDER BY created_us, id", ())

    def kept_before(self, us: int) -> Sequence[Job]:
        """Return the jobs with a result, or parts of one, whose records were read from a moment before on."""
        found = self._select("WHERE status IN ('success', 'failed')", ())
        return [job for job in found if job.begun_us <= us and (job.status == "success" or job.parts)]

    def created_before(self, us: int) -> Sequence[Job]:
        """Return old jobs."""
        return self._select("WHERE created_us < ?", (us,))

    def change(self, id: str, states: Collection[Status], **changes: object) -> Job | None:
        """Change a job that is in one of the states; None: there is none."""
        with self._writing() as connection:
            row = connection.execute("SELECT data FROM jobs WHERE id = ?", (id,)).fetchone()
            if row is None or (old := _decode(row[0])).status not in states:
                return None
            new = msgspec.structs.replace(old, **changes)
            connection.execute("UPDATE jobs SET status = ?, data = ? WHERE id = ?", (new.status, _encode(new), id))
            return new

    def remove(self, id: str) -> None:
        """Forget a job."""
        with self._writing() as connection:
            connection.execute("DELETE FROM jobs WHERE id = ?", (id,))

    def _select(self, where: str, parameters: tuple[object, ...]) -> Sequence[Job]:
        with reading(self._path, _READ_S) as connection:
            return [_decode(row[0]) for row in connection.execute(f"SELECT data FROM jobs {where}", parameters)]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = writing(self._path, _SCHEMA, is_durable=True)
        try:
            with transaction(connection):
                yield connection
        finally:
            connection.close()
