"""Who created which batch: implements ``ports.BatchBook``. Batches are rare, so each call is a transaction.

What providers keep for a month at most is remembered for three.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from msgspec import structs
from sqlalchemy import ColumnElement, RowMapping, delete, insert, select, update

from lockgate.core.batches import BatchOwner
from lockgate.store.directory import Directory
from lockgate.store.tables import batch_owners

LIFETIME = timedelta(days=90)
_columns = batch_owners.c


class DatabaseBatchBook:
    """The book of one database."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def keep(self, owner: BatchOwner) -> None:
        """Remember a batch; of one that is known, only the file is new."""
        await asyncio.to_thread(self._keep, owner)

    async def find(self, workspace_id: str, id: str) -> BatchOwner | None:
        """Return a batch."""
        return await asyncio.to_thread(self._find, workspace_id, _columns.id == id)

    async def find_by_file(self, workspace_id: str, file_id: str) -> BatchOwner | None:
        """Return the batch whose results a file holds."""
        return await asyncio.to_thread(self._find, workspace_id, _columns.file_id == file_id)

    async def charge(self, owner: BatchOwner, lines: int) -> bool:
        """Note that so many results are charged, unless somebody else has noted something meanwhile."""
        return await asyncio.to_thread(self._charge, owner, lines)

    async def drop_hold(self, owner: BatchOwner) -> None:
        """Note that nothing is reserved for a batch any more."""
        await asyncio.to_thread(self._drop_hold, owner)

    def open_holds(self, since: datetime) -> list[tuple[str, datetime]]:
        """Return what is reserved for batches that were created since then, and when each was created."""
        with self._directory.read() as view:
            which = (_columns.hold.is_not(None), _columns.created_at > since)
            found = view.connection.execute(select(_columns.hold, _columns.created_at).where(*which))
            return [(row.hold, row.created_at) for row in found]

    def _drop_hold(self, owner: BatchOwner) -> None:
        with self._directory.change() as tx:
            tx.connection.execute(update(batch_owners).where(*_same(owner)).values(hold=None))

    def _keep(self, owner: BatchOwner) -> None:
        with self._directory.change() as tx:
            tx.connection.execute(delete(batch_owners).where(_columns.created_at <= tx.now - LIFETIME))
            known = tx.connection.execute(select(_columns.file_id).where(*_same(owner))).one_or_none()
            if known is None:
                values = {name: getattr(owner, name) for name in BatchOwner.__struct_fields__}
                tx.connection.execute(insert(batch_owners).values({**values, "created_at": tx.now}))
            elif owner.file_id is not None and known.file_id != owner.file_id:
                tx.connection.execute(update(batch_owners).where(*_same(owner)).values(file_id=owner.file_id))

    def _find(self, workspace_id: str, which: ColumnElement[bool]) -> BatchOwner | None:
        with self._directory.read() as view:
            rows = view.connection.execute(select(batch_owners).where(_columns.workspace_id == workspace_id, which))
            row = rows.mappings().first()
        return _read(row) if row is not None else None

    def _charge(self, owner: BatchOwner, lines: int) -> bool:
        with self._directory.change() as tx:
            is_unchanged = _columns.charged_lines == owner.charged_lines
            done = tx.connection.execute(
                update(batch_owners).where(*_same(owner), is_unchanged).values(charged_lines=lines)
            )
            return done.rowcount == 1


def _same(owner: BatchOwner) -> tuple[ColumnElement[bool], ...]:
    return _columns.workspace_id == owner.workspace_id, _columns.id == owner.id


def _read(row: RowMapping) -> BatchOwner:
    return BatchOwner(**{name: row[name] for name in BatchOwner.__struct_fields__})


class MemoryBatchBook:
    """The same in memory, for a data plane without a database."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str], BatchOwner] = {}

    async def keep(self, owner: BatchOwner) -> None:
        """Remember a batch; of one that is known, only the file is new."""
        known = self._owners.setdefault((owner.workspace_id, owner.id), owner)
        if owner.file_id is not None and known.file_id != owner.file_id:
            self._owners[owner.workspace_id, owner.id] = structs.replace(known, file_id=owner.file_id)

    async def find(self, workspace_id: str, id: str) -> BatchOwner | None:
        """Return a batch."""
        return self._owners.get((workspace_id, id))

    async def find_by_file(self, workspace_id: str, file_id: str) -> BatchOwner | None:
        """Return the batch whose results a file holds."""
        owners = self._owners.values()
        return next((one for one in owners if (one.workspace_id, one.file_id) == (workspace_id, file_id)), None)

    async def charge(self, owner: BatchOwner, lines: int) -> bool:
        """Note that so many results are charged, unless somebody else has noted something meanwhile."""
        known = self._owners.get((owner.workspace_id, owner.id))
        if known is None or known.charged_lines != owner.charged_lines:
            return False
        self._owners[owner.workspace_id, owner.id] = structs.replace(known, charged_lines=lines)
        return True

    async def drop_hold(self, owner: BatchOwner) -> None:
        """Note that nothing is reserved for a batch any more."""
        known = self._owners.get((owner.workspace_id, owner.id))
        if known is not None:
            self._owners[owner.workspace_id, owner.id] = structs.replace(known, hold=None)
