"""Deletion on request: hidden at once by a tombstone, then rewritten out of every file, with a receipt.

Sums stay: their dimensions name no end user. A tombstone outlives its deletion, so that a row that comes late, out of
an old segment of the journal, does not bring back what was deleted.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from lockgate.errors import InvalidRequest
from lockgate.records.embedded import sealed
from lockgate.records.embedded.feedback import FeedbackFile
from lockgate.records.embedded.folder import Folder
from lockgate.records.embedded.manifest import Manifest, Sealed, Tombstone
from lockgate.records.embedded.reader import EmbeddedReader, deleted
from lockgate.records.embedded.sealed import id_hash
from lockgate.records.embedded.sqlite import reading
from lockgate.records.from_record import user_hash
from lockgate.records.query.matching import Test, matcher
from lockgate.records.query.sql import DuckSpeech, Sql, SqliteSpeech, compile_filter
from lockgate.records.query.tree import AllOf, AnyOf, Compare, Node, Not, Text, read_tree, walk, write_tree
from lockgate.records.row import Row
from lockgate.records.store import PageQuery, Receipt, Scope

OnDeleted: TypeAlias = Callable[[int, Sequence[str]], int]
"""Told a day and record ids; returns how many bodies it removed."""

_encode = msgspec.json.Encoder().encode
_read_receipt = msgspec.json.Decoder(Receipt).decode
_READ_S = 600.0


class Deleting:
    """Keeps tombstones and applies them."""

    def __init__(self, folder: Folder, feedback: FeedbackFile) -> None:
        self._folder = folder
        self._feedback = feedback
        self._tests: list[Test] = []
        self._learn()
        self.on_deleted: OnDeleted = lambda _day, _ids: 0

    def without_deleted(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows that no deletion covers; those that one does are noted, for their bodies may come yet."""
        if not self._tests:
            return list(rows)
        gone = [row.id for row in rows if any(test(row, None) for test in self._tests)]
        if gone:
            self._folder.manifest.note_deleted(map(id_hash, gone))
        return [row for row in rows if row.id not in set(gone)]

    def among(self, ids: Sequence[str]) -> set[str]:
        """Return which records were deleted."""
        if not self._tests:
            return set()
        by_hash = {id_hash(id): id for id in ids}
        return {by_hash[found] for found in self._folder.manifest.deleted_among(list(by_hash))}

    def bury(self, where: Node, scope: Scope, *, reason: str, now_us: int, hidden: int) -> Receipt:
        """Hide rows from now on. Raises InvalidRequest for filters that look into texts, or select everything."""
        with self._folder.mutex:
            receipt = bury(
                self._folder.manifest, self._feedback, where, scope, reason=reason, now_us=now_us, hidden=hidden
            )
            self._learn()
        return receipt

    def _learn(self) -> None:
        """Know the tombstones that other processes have put up."""
        self._tests = [matcher(_filter(stone)) for stone in self._folder.manifest.tombstones()]

    def apply(self, now_us: int) -> list[Receipt]:
        """Rewrite what holds deleted rows; returns the receipts of what is done now."""
        with self._folder.mutex:
            self._learn()
        done = [self._apply(stone, now_us) for stone in self._folder.manifest.tombstones() if not stone.is_done]
        if done:
            self._folder.unlink_retired(at_once=True)
        return done

    def _apply(self, stone: Tombstone, now_us: int) -> Receipt:
        rows, bodies, files = 0, 0, 0
        traces: set[str] = set()
        for day, state in sorted(self._folder.manifest.contents().days.items()):
            gone: dict[str, str | None] = {}
            with self._folder.mutex:
                if state != "cold":
                    gone |= self._delete_fresh(day, _filter(stone))
                    files += bool(gone)
                if state != "hot":
                    found, rewritten = self._delete_sealed(day, _filter(stone), sorted(gone))
                    gone |= found
                    files += rewritten
            if gone:
                self._folder.manifest.note_deleted(map(id_hash, gone))
                rows += len(gone)
                bodies += self.on_deleted(day, sorted(gone))
                traces |= {trace for trace in gone.values() if trace is not None}
        if traces:
            self._feedback.drop(sorted(traces))
        receipt = msgspec.structs.replace(
            _read_receipt(self._folder.manifest.receipt(stone.id)), is_done=True, finished_us=now_us, rows_removed=rows,
            bodies_removed=bodies, files_rewritten=files,
        )  # fmt: skip
        self._folder.manifest.finish_tombstone(stone.id, _encode(receipt))
        return receipt

    def _delete_fresh(self, day: int, where: Node) -> dict[str, str | None]:
        condition = compile_filter(where, SqliteSpeech())
        with reading(self._folder.layout.day(day), _READ_S) as connection:
            found = connection.execute(f"SELECT id, trace_id FROM rows WHERE {condition.text}", condition.parameters)
            gone: dict[str, str | None] = dict(found.fetchall())
        if gone:
            self._folder.writer(day).delete(gone)
            self._folder.swap(remove=self._hours_with(day, sorted(gone)))
        return gone

    def _hours_with(self, day: int, ids: Sequence[str]) -> list[Sealed]:
        """Sealed hours of a hot day are made again from what is left."""
        return [f for f in self._folder.sealed_of(day, "hour") if self._folder.known_in([f], ids)]

    def _delete_sealed(self, day: int, where: Node, late: Sequence[str]) -> tuple[dict[str, str | None], int]:
        files = self._folder.sealed_of(day, "rows")
        condition = compile_filter(where, DuckSpeech())
        table = sealed.table(self._folder.layout.cold, files, sealed.ROW_TYPES)
        found = self._folder.duck.rows(
            Sql(f"SELECT id, trace_id FROM {table} WHERE {condition.text}", condition.parameters)
        )
        gone = {str(row[0]): None if row[1] is None else str(row[1]) for row in found}
        rewritten = 0
        if gone:
            rewritten += self._rewrite(files, day, condition)
        previews = self._folder.sealed_of(day, "previews")
        if previews and (gone or late):
            rewritten += self._rewrite(previews, day, DuckSpeech().one_of(Sql("id"), [*gone, *late]))
        return gone, rewritten

    def _rewrite(self, files: Sequence[Sealed], day: int, without: Sql) -> int:
        made = self._folder.sealer.join(files, files[0].kind, day=day, without=without)
        self._folder.swap(add=[made] if made is not None else [], remove=files)
        return len(files)


def bury(
    manifest: Manifest, feedback: FeedbackFile, where: Node, scope: Scope, *, reason: str, now_us: int, hidden: int
) -> Receipt:
    """Put up a tombstone, as any process may: readers see it at once, the writer applies it within a minute.

    Raises InvalidRequest for filters that look into texts, or select everything.
    """
    leaves = list(walk(where))
    if not leaves or any(isinstance(leaf, Text) for leaf in leaves):
        raise InvalidRequest("A deletion wants conditions on columns or metadata, and no free text", path="filter")
    narrowed = _without_names(scope.narrow(feedback.resolve(where, scope)))
    receipt = Receipt(id=f"del_{secrets.token_hex(12)}", reason=reason, created_us=now_us, rows_hidden=hidden)
    manifest.bury(write_tree(narrowed), receipt, _encode(receipt))
    return receipt


def ask_deletion(reader: EmbeddedReader, where: Node, scope: Scope, *, reason: str, now_us: int) -> Receipt:
    """Hide records at once, whichever process writes. Raises as ``bury`` does."""
    hidden = reader.count(PageQuery(scope=scope, filter=where, to_us=now_us + 1))
    manifest = Manifest(reader.layout.manifest)
    try:
        feedback = FeedbackFile(reader.layout.feedback)
        return bury(manifest, feedback, where, scope, reason=reason, now_us=now_us, hidden=hidden)
    finally:
        manifest.close()


def _without_names(node: Node) -> Node:
    """Return the filter with end users by their hash: a tombstone must not keep the name that it is to forget."""
    match node:
        case Compare(field="end_user", op="in", values=values):
            return Compare("end_user_hash", "in", tuple(user_hash(str(value)) or 0 for value in values))
        case Not(child):
            return Not(_without_names(child))
        case AllOf(children):
            return AllOf(tuple(map(_without_names, children)))
        case AnyOf(children):
            return AnyOf(tuple(map(_without_names, children)))
        case _:
            return node


def _filter(stone: Tombstone) -> Node:
    return deleted(read_tree(stone.filter), stone.created_us)
