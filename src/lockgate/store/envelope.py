"""Envelope encryption: secrets under a data key for each organisation, data keys under the master key.

AES-256-GCM. A ciphertext opens only for the owner and the field that it was made for. Changing the master key wraps
the data keys again and touches no secret. Source: reliability and security requirements, R23.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, delete, insert, select, update

from lockgate.core.secret import Secret
from lockgate.errors import ConfigError
from lockgate.store.master_key import MasterKey, ReadMasterKeys
from lockgate.store.tables import data_keys, secrets

_FORMAT = b"\x01"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class Vault:
    """Encrypts and decrypts with the data keys in the database. Threads may share one."""

    def __init__(self, read_master_keys: ReadMasterKeys) -> None:
        """Master keys are read now, and again when a data key names one that is unknown. Raises ConfigError."""
        self._read_master_keys = read_master_keys
        self._masters = read_master_keys()
        self._data_keys: dict[bytes, bytes] = {}
        self._lock = threading.Lock()

    # ---- secrets

    def put(
        self,
        connection: Connection,
        organisation_id: str,
        owner_id: str,
        values: Mapping[str, Secret | None],
        now: datetime,
    ) -> None:
        """Store an owner's secrets by field; None removes one. Other fields stay."""
        for field, value in values.items():
            connection.execute(delete(secrets).where(secrets.c.owner_id == owner_id, secrets.c.field == field))
            if value is not None:
                sealed = self.seal(connection, organisation_id, f"{owner_id}\0{field}", value.reveal().encode(), now)
                row = {"owner_id": owner_id, "field": field, "organisation_id": organisation_id, "ciphertext": sealed}
                connection.execute(insert(secrets).values(row))

    def wipe(self, connection: Connection, owner_id: str) -> None:
        """Remove all secrets of an owner."""
        connection.execute(delete(secrets).where(secrets.c.owner_id == owner_id))

    def get(self, connection: Connection, owner_id: str | None = None) -> dict[tuple[str, str], Secret]:
        """Return the secrets of an owner, or of all, by owner and field. Raises ConfigError for a changed one."""
        query = select(secrets)
        if owner_id is not None:
            query = query.where(secrets.c.owner_id == owner_id)
        found: dict[tuple[str, str], Secret] = {}
        keys: dict[str, bytes] = {}
        for row in connection.execute(query).all():
            name = row.organisation_id
            key = keys[name] = keys.get(name) or self.data_key(connection, name, None)
            found[row.owner_id, row.field] = Secret(_open(key, f"{row.owner_id}\0{row.field}", row.ciphertext).decode())
        return found

    # ---- bytes

    def seal(self, connection: Connection, key_name: str, place: str, text: bytes, now: datetime) -> bytes:
        """Encrypt; ``place`` says where the result will stand, and must be given again to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        cipher = AESGCM(self.data_key(connection, key_name, now))
        return _FORMAT + nonce + cipher.encrypt(nonce, text, place.encode())

    def open(self, connection: Connection, key_name: str, place: str, sealed: bytes) -> bytes:
        """Decrypt. Raises ConfigError when it was changed or stood in another place."""
        return _open(self.data_key(connection, key_name, None), place, sealed)

    def data_key(self, connection: Connection, name: str, now: datetime | None) -> bytes:
        """Return the data key of that name; with ``now`` a missing one is made. Raises ConfigError."""
        row = connection.execute(select(data_keys).where(data_keys.c.id == name)).one_or_none()
        if row is not None:
            return self._unwrap(name, row.master_key_id, row.wrapped)
        if now is None:
            raise ConfigError("the data key of a stored secret is missing")
        self._refresh(connection)
        key = os.urandom(_KEY_BYTES)
        master = self._masters.current
        values = {"id": name, "master_key_id": master.id, "wrapped": master.wrap(name, key), "created_at": now}
        connection.execute(insert(data_keys).values(values))
        return key

    def _unwrap(self, name: str, master_key_id: str, wrapped: bytes) -> bytes:
        """Return a data key. It is remembered by its wrapped form, so that a row that was undone is never used."""
        with self._lock:
            known = self._data_keys.get(wrapped)
        if known is not None:
            return known
        key = self._master(master_key_id).unwrap(name, wrapped)
        with self._lock:
            self._data_keys[wrapped] = key
        return key

    def rewrap(self, connection: Connection, new: MasterKey) -> int:
        """Wrap every data key with another master key; return how many there are. Raises ConfigError."""
        rows = connection.execute(select(data_keys)).all()
        for row in rows:
            key = self._master(row.master_key_id).unwrap(row.id, row.wrapped)
            values = {"master_key_id": new.id, "wrapped": new.wrap(row.id, key)}
            connection.execute(update(data_keys).where(data_keys.c.id == row.id).values(values))
        return len(rows)

    def count_outdated(self, connection: Connection) -> int:
        """Return how many data keys are wrapped with another master key than the current one."""
        ids = connection.execute(select(data_keys.c.master_key_id)).scalars().all()
        return sum(id != self._masters.current.id for id in ids)

    def _refresh(self, connection: Connection) -> None:
        """Learn of a master key that was replaced, before a data key is wrapped with one that nobody has any more."""
        self._masters = self._read_master_keys()
        for id in connection.execute(select(data_keys.c.master_key_id).distinct()).scalars():
            self._master(id)

    def _master(self, id: str) -> MasterKey:
        found = self._masters.find(id)
        if found is None:
            self._masters = self._read_master_keys()
            found = self._masters.find(id)
        if found is None:
            raise ConfigError(
                f"the secrets are encrypted with the master key {id}, which is not here; "
                "set LOCKGATE_MASTER_KEY to it; if it is being replaced, set LOCKGATE_MASTER_KEY_PREVIOUS to it "
                "and run lockgate secrets rotate"
            )
        return found


def _open(key: bytes, place: str, sealed: bytes) -> bytes:
    nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        if sealed[:1] != _FORMAT:
            raise InvalidTag
        return AESGCM(key).decrypt(nonce, body, place.encode())
    except (InvalidTag, ValueError):
        raise ConfigError("a stored secret does not open: it was changed, or moved from its place") from None
