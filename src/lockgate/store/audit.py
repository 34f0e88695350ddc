"""The audit log: one entry for each change, in a chain that shows when an entry is changed, missing or put in.

An entry's digest is an HMAC over the digest before it and the entry as JSON, under a key that the master key wraps:
who can write the database alone cannot make a chain that holds. The head is sealed apart, so that a cut end shows.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct
from sqlalchemy import Connection, Row, func, insert, select, update

from lockgate.entities import NULL, Actor, AuditAction, AuditEntry, Entity, Scope
from lockgate.store.envelope import Vault
from lockgate.store.filters import Wanted, conditions
from lockgate.store.tables import audit_entries, audit_head

_KEY_NAME = "audit"
_START = "0" * 64
_HIDDEN = frozenset({"digest", "token_digest", "password_hash", "sso_subject"})
_MASK = Raw(b'"*****"')
_COLUMNS = (
    "sequence at organisation_id workspace_id actor_kind actor_id action resource_type resource_id "
    "method uri request_id client_ip"
).split()

_encoder = msgspec.json.Encoder()
_entry = msgspec.json.Decoder(AuditEntry)


class Change(Struct, frozen=True, kw_only=True):
    """What an entry tells, beside who did it."""

    action: AuditAction
    resource_type: str
    resource_id: str
    organisation_id: str | None
    workspace_id: str | None
    before: Entity | None
    after: Entity | None


class Verdict(Struct, frozen=True, kw_only=True):
    """What a check of the chain found."""

    entries: int
    """How many were looked at."""
    broken_at: int | None = None
    """The sequence number of the first entry that does not hold."""
    reason: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every entry is as it was written."""
        return self.broken_at is None


def append(connection: Connection, vault: Vault, actor: Actor, change: Change, now: datetime) -> AuditEntry:
    """Write an entry at the end of the chain. Only one writer at a time may call this."""
    key = vault.data_key(connection, _KEY_NAME, now)
    head = connection.execute(select(audit_head)).one_or_none()
    sequence, previous = (head.sequence + 1, head.digest) if head is not None else (1, _START)
    entry = AuditEntry(
        sequence=sequence,
        at=now,
        actor_kind=actor.kind,
        actor_id=actor.id,
        organisation_id=change.organisation_id,
        workspace_id=change.workspace_id,
        action=change.action,
        resource_type=change.resource_type,
        resource_id=change.resource_id,
        before=shown(change.before),
        after=shown(change.after),
        method=actor.method,
        uri=actor.uri,
        request_id=actor.request_id,
        client_ip=actor.client_ip,
    )
    document = _encoder.encode(entry)
    digest = _digest(key, previous, document)
    row = {name: getattr(entry, name) for name in _COLUMNS} | {"document": document.decode(), "digest": digest}
    connection.execute(insert(audit_entries).values(row))
    values = {"sequence": sequence, "digest": digest, "seal": _seal(key, sequence, digest)}
    if head is None:
        connection.execute(insert(audit_head).values(id=1, **values))
    else:
        connection.execute(update(audit_head).values(values))
    return msgspec.structs.replace(entry, digest=digest)


def verify(connection: Connection, vault: Vault) -> Verdict:
    """Walk the whole chain and say where it breaks, if it does."""
    head = connection.execute(select(audit_head)).one_or_none()
    total = connection.execute(select(func.count()).select_from(audit_entries)).scalar_one()
    if head is None:
        return Verdict(entries=0) if not total else Verdict(entries=total, broken_at=1, reason="the head is missing")
    key = vault.data_key(connection, _KEY_NAME, None)
    previous, expected = _START, 1
    query = select(audit_entries).order_by(audit_entries.c.sequence).execution_options(yield_per=500)
    with connection.execute(query) as rows:
        for row in rows:
            reason = _fault(key, previous, expected, row)
            if reason:
                return Verdict(entries=total, broken_at=expected, reason=reason)
            previous, expected = row.digest, expected + 1
    if (head.sequence, head.digest) != (expected - 1, previous):
        return Verdict(entries=total, broken_at=expected, reason="entries at the end are missing")
    if not hmac.compare_digest(_seal(key, head.sequence, head.digest), head.seal):
        return Verdict(entries=total, broken_at=head.sequence, reason="the head was changed")
    return Verdict(entries=total)


def _fault(key: bytes, previous: str, expected: int, row: Row[Any]) -> str | None:
    """Return what is wrong with an entry's row, if anything is."""
    if row.sequence != expected:
        return "an entry is missing"
    if not hmac.compare_digest(_digest(key, previous, row.document.encode()), row.digest):
        return "the entry was changed, or the one before it was"
    entry = _entry.decode(row.document)
    if any(getattr(entry, name) != getattr(row, name) for name in _COLUMNS):
        return "the columns of the entry were changed"
    return None


def page_of(
    connection: Connection,
    scope: Scope,
    *,
    page: int,
    size: int,
    since: datetime | None,
    until: datetime | None,
    equals: Mapping[str, Wanted],
) -> tuple[tuple[AuditEntry, ...], int]:
    """Return one page of entries that a scope shows, the newest first, and how many match."""
    columns = audit_entries.c
    query = select(audit_entries)
    for name, value in (("organisation_id", scope.organisation_id), ("workspace_id", scope.workspace_id)):
        if value is not None:
            query = query.where(columns[name] == value)
    if since is not None:
        query = query.where(columns.at >= since)
    if until is not None:
        query = query.where(columns.at <= until)
    query = query.where(*conditions(audit_entries, equals))
    total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    rows = connection.execute(query.order_by(columns.sequence.desc()).limit(size).offset(page * size))
    found = tuple(msgspec.structs.replace(_entry.decode(row.document), digest=row.digest) for row in rows)
    return found, total


def shown(entity: Entity | None) -> Raw:
    """Return an entity as JSON with digests and hashes masked. Secrets are in no entity."""
    if entity is None:
        return NULL
    return Raw(_encoder.encode(_masked(msgspec.json.decode(_encoder.encode(entity)))))


def _masked(value: object) -> object:
    if isinstance(value, dict):
        return {k: _MASK if k in _HIDDEN and v is not None else _masked(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value


def _digest(key: bytes, previous: str, document: bytes) -> str:
    return hmac.new(key, b"entry\0" + previous.encode() + b"\0" + document, hashlib.sha256).hexdigest()


def _seal(key: bytes, sequence: int, digest: str) -> str:
    return hmac.new(key, f"head\0{sequence}\0{digest}".encode(), hashlib.sha256).hexdigest()
