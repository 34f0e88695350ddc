from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, insert, select, update

from lockgate.core.secret import Secret
from lockgate.errors import ConfigError
from lockgate.store.envelope import Vault
from lockgate.store.master_key import MasterKey, MasterKeys
from lockgate.store.tables import data_keys, metadata, organisations, secrets

NOW = datetime(2026, 8, 1, tzinfo=UTC)
ONE, TWO = MasterKey(bytes(range(32))), MasterKey(bytes(range(1, 33)))


@pytest.fixture
def connection():
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as connection:
        for id in ("o1", "o2"):
            row = dict.fromkeys(("id", "organisation_id", "slug", "name"), id)
            row |= {"status": "active", "version": 1, "created_at": NOW, "updated_at": NOW, "document": "{}"}
            connection.execute(insert(organisations).values(row))
        yield connection


def vault(current=ONE, previous=()):
    return Vault(lambda: MasterKeys(current=current, previous=previous))


def test_what_is_put_can_be_read_and_is_not_stored_as_text(connection):
    one = vault()
    one.put(connection, "o1", "a", {"key": Secret("hush-1"), "other": Secret("ünï")}, NOW)
    one.put(connection, "o2", "b", {"key": Secret("hush-1")}, NOW)
    assert one.get(connection, "a") == {("a", "key"): Secret("hush-1"), ("a", "other"): Secret("ünï")}
    assert len(vault().get(connection)) == 3
    rows = connection.execute(select(secrets)).all()
    assert not any(b"hush" in row.ciphertext for row in rows)
    assert len({row.ciphertext for row in rows}) == 3


def test_a_secret_is_replaced_removed_and_wiped(connection):
    one = vault()
    one.put(connection, "o1", "a", {"key": Secret("x"), "other": Secret("y")}, NOW)
    one.put(connection, "o1", "a", {"key": Secret("z"), "other": None}, NOW)
    assert one.get(connection, "a") == {("a", "key"): Secret("z")}
    one.wipe(connection, "a")
    assert one.get(connection) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"owner_id": "b"},
        {"field": "other"},
        {"organisation_id": "o2"},
        {"ciphertext": b"\x01" + b"x" * 40},
        {"ciphertext": b"\x01x"},
        {"ciphertext": b""},
    ],
)
def test_a_secret_opens_only_in_its_place(connection, change):
    one = vault()
    one.put(connection, "o1", "a", {"key": Secret("hush")}, NOW)
    one.put(connection, "o2", "z", {"key": Secret("hush")}, NOW)
    connection.execute(update(secrets).where(secrets.c.owner_id == "a").values(change))
    with pytest.raises(ConfigError, match="does not open"):
        one.get(connection)


def test_each_organisation_has_a_data_key_of_its_own(connection):
    one = vault()
    assert one.data_key(connection, "o1", NOW) != one.data_key(connection, "o2", NOW)
    assert one.data_key(connection, "o1", NOW) == vault().data_key(connection, "o1", None)
    with pytest.raises(ConfigError, match="missing"):
        one.data_key(connection, "o3", None)


def test_another_master_key_wraps_data_keys_and_leaves_secrets_as_they_are(connection):
    vault().put(connection, "o1", "a", {"key": Secret("hush")}, NOW)
    before = connection.execute(select(secrets.c.ciphertext)).scalars().all()
    assert vault(TWO, (ONE,)).rewrap(connection, TWO) == 1
    assert connection.execute(select(secrets.c.ciphertext)).scalars().all() == before
    assert connection.execute(select(data_keys.c.master_key_id)).scalars().all() == [TWO.id]
    assert vault(TWO).get(connection) == {("a", "key"): Secret("hush")}
    with pytest.raises(ConfigError, match=f"master key {TWO.id}, which is not here"):
        vault(ONE).get(connection)


def test_an_unknown_master_key_is_looked_for_again(connection):
    keys = [MasterKeys(current=ONE)]
    one = Vault(lambda: keys[0])
    one.put(connection, "o1", "a", {"key": Secret("hush")}, NOW)
    vault(TWO, (ONE,)).rewrap(connection, TWO)
    keys[0] = MasterKeys(current=TWO, previous=(ONE,))
    assert one.get(connection) == {("a", "key"): Secret("hush")}


def test_a_data_key_whose_transaction_was_undone_is_not_used_again(connection):
    one = vault()
    with pytest.raises(RuntimeError), connection.begin_nested():
        one.put(connection, "o1", "a", {"key": Secret("hush")}, NOW)
        one.get(connection)
        raise RuntimeError
    one.put(connection, "o1", "a", {"key": Secret("hush")}, NOW)
    assert vault().get(connection) == {("a", "key"): Secret("hush")}
