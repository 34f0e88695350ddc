"""Answers that are kept for a day, for callers who ask twice with the same Idempotency-Key, of whatever process.

They may hold the text of a new key, so they are encrypted.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, delete, insert, select, update

from lockgate.errors import Conflict
from lockgate.store.directory import Directory
from lockgate.store.tables import replies

LIFETIME = timedelta(days=1)
LEASE = timedelta(minutes=2)
"""After this time a request without an answer counts as lost with its process, and may be tried again."""


class Asked(Struct, frozen=True, kw_only=True):
    """A request with an Idempotency-Key."""

    organisation_id: str
    caller: str
    """The id of the key; the same text from another caller is another request."""
    name: str
    """Method, path and the text of the header."""
    request: bytes
    """The body: what must be the same."""


class Reply(Struct, frozen=True):
    """An answer as it was sent."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Reply)


def begin(directory: Directory, asked: Asked) -> Reply | None:
    """Return what was answered in the last day, or None when the request is new and now counts as under way.

    Raises Conflict when the key was used for another request, or while the first one is still under way.
    """
    with directory.change() as tx:
        columns = replies.c
        tx.connection.execute(delete(replies).where(columns.created_at <= tx.now - LIFETIME))
        is_lost = (columns.ciphertext == b"") & (columns.created_at <= tx.now - LEASE)
        tx.connection.execute(delete(replies).where(is_lost))
        row = tx.connection.execute(select(replies).where(*_same(asked))).one_or_none()
        if row is None:
            values = {
                "organisation_id": asked.organisation_id,
                "caller": asked.caller,
                "key": _key(asked),
                "request_digest": _digest(asked),
                "created_at": tx.now,
                "ciphertext": b"",
            }
            tx.connection.execute(insert(replies).values(values))
            return None
        if row.request_digest != _digest(asked):
            raise Conflict("The Idempotency-Key was used for another request; send a new one with this body")
        if not row.ciphertext:
            raise Conflict("The first request with this Idempotency-Key is still under way; ask again in a moment")
        return _decoder.decode(tx.vault.open(tx.connection, asked.organisation_id, _place(asked), row.ciphertext))


def finish(directory: Directory, asked: Asked, reply: Reply | None) -> None:
    """Keep the answer; None forgets the request, so that it may be tried again."""
    with directory.change() as tx:
        if reply is None:
            tx.connection.execute(delete(replies).where(*_same(asked)))
            return
        sealed = tx.vault.seal(tx.connection, asked.organisation_id, _place(asked), _encoder.encode(reply), tx.now)
        tx.connection.execute(update(replies).where(*_same(asked)).values(ciphertext=sealed))


def _same(asked: Asked) -> tuple[ColumnElement[bool], ...]:
    columns = replies.c
    return (
        columns.organisation_id == asked.organisation_id,
        columns.caller == asked.caller,
        columns.key == _key(asked),
    )


def _key(asked: Asked) -> str:
    """A digest: a client's text may be anything."""
    return hashlib.sha256(asked.name.encode("utf-8", "surrogatepass")).hexdigest()


def _place(asked: Asked) -> str:
    return f"reply\0{asked.caller}\0{_key(asked)}"


def _digest(asked: Asked) -> str:
    return hashlib.sha256(asked.request).hexdigest()
