"""No secret leaves the store but through the one door, and the master key can be replaced under load."""

from __future__ import annotations

import logging
import os
import queue
import threading

import msgspec
import pytest
from sqlalchemy import select, text, update

from lockgate.core.secret import Secret
from lockgate.entities import Integration, IntegrationModel, Organisation, Scope, User
from lockgate.entities.secret_fields import CUSTOM_HEADERS, KEY
from lockgate.errors import ConfigError, Conflict
from lockgate.store import replies
from lockgate.store.api_keys import issue_key
from lockgate.store.bootstrap import FirstStart, begin
from lockgate.store.directory import open_directory
from lockgate.store.engine import database_url, open_engine, reading, writing
from lockgate.store.replies import Asked, Reply
from lockgate.store.rotation import rotate_master_key
from lockgate.store.tables import data_keys, metadata, secrets
from tests.contract.store.test_api_keys import blank as blank_key
from tests.contract.store.world import CANARY, ENVIRONMENT, MASTER_KEY, OTHER_MASTER_KEY, api_key, integration


def everything_stored(url, folder) -> bytes:
    """Return all that a thief of the database and the state folder would have."""
    found = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
    engine = open_engine(database_url(url, folder))
    with reading(engine) as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                found += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    engine.dispose()
    return b"\n".join(found)


def test_neither_database_nor_state_folder_holds_a_secret(directory, world, url, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    texts = [CANARY]
    fields = {KEY: "canary-one-0123456789", "configurations.aws_secret_access_key": "canary-two-0123456789",
              CUSTOM_HEADERS: '{"x-api-key":"canary-three-0123456789"}'}  # fmt: skip
    with directory.change(world.admin) as tx:
        made = tx.insert(integration(world.acme, "many"), secrets={f: Secret(t) for f, t in fields.items()})
        tx.update(msgspec.structs.replace(made, name="Again"), secrets={KEY: Secret("canary-four-0123456789")})
        tx.insert(
            IntegrationModel(integration_id=made.id, slug="m"),
            secrets={CUSTOM_HEADERS: Secret("canary-five-0123456789")},
        )
        issued = issue_key(tx, blank_key(world))
        texts += [*fields.values(), "canary-four-0123456789", "canary-five-0123456789", "canary-six-0123456789"]
        texts += ["canary-seven-0123456789", issued.text.reveal()]
        tx.archive(made, force=True)
    asked = Asked(
        organisation_id=world.acme.id, caller="k", name="canary-six-0123456789", request=b"canary-eight-0123456789"
    )
    replies.begin(directory, asked)
    replies.finish(directory, asked, Reply(200, (), b"canary-seven-0123456789"))
    texts.append("canary-eight-0123456789")
    begun = begin(directory, FirstStart(service_scopes=(), admin_scopes=()))
    texts += [key.reveal() for key in (begun.service_key, begun.admin_key) if key]
    stored = everything_stored(url, tmp_path)
    for text_ in texts:
        assert text_.encode() not in stored
        assert text_ not in caplog.text
    assert MASTER_KEY.encode() not in stored
    assert b"sk-*****ijk" in stored


def test_the_scan_would_see_a_secret(directory, world, url, tmp_path):
    with directory.change(world.admin) as tx:
        tx.insert(integration(world.acme, "leaky", description="canary-in-the-open"))
    assert b"canary-in-the-open" in everything_stored(url, tmp_path)


def test_errors_hold_no_secret(directory, world):
    failures = []
    with directory.change(world.admin) as tx:
        for attempt in (
            lambda: tx.insert(integration(world.acme, "main"), secrets={KEY: Secret(CANARY)}),
            lambda: tx.insert(User(email="x@y.z"), secrets={KEY: Secret(CANARY)}),
            lambda: tx.update(
                msgspec.structs.replace(world.main, references={KEY: "env:X"}), secrets={KEY: Secret(CANARY)}
            ),
        ):
            with pytest.raises((Conflict, ValueError)) as raised:
                attempt()
            failures.append(repr(raised.value) + str(raised.getrepr(showlocals=True)))
    assert CANARY not in "".join(failures)


def test_a_failing_statement_does_not_tell_its_values(directory, world, monkeypatch, caplog):
    monkeypatch.setattr("lockgate.store.transaction.check_unique", lambda *_: None)
    with pytest.raises(Conflict) as raised, directory.change(world.admin) as tx:
        tx.insert(integration(world.acme, "main", description="canary-in-a-parameter"))
    assert "canary-in-a-parameter" not in str(raised.value) + caplog.text
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_an_estate_has_the_secrets_and_does_not_show_them(directory, world):
    estate = directory.load()
    assert estate.secrets[world.main.id, "key"].reveal() == CANARY
    assert CANARY not in repr(estate)


def test_a_moved_ciphertext_does_not_open(directory, world, url, tmp_path):
    engine = open_engine(database_url(url, tmp_path))
    with writing(engine) as connection:
        rows = {row.owner_id: row for row in connection.execute(select(secrets))}
        foreign = rows[world.foreign.id]
        values = {"ciphertext": foreign.ciphertext, "organisation_id": foreign.organisation_id}
        connection.execute(update(secrets).where(secrets.c.owner_id == world.main.id).values(values))
    engine.dispose()
    with pytest.raises(ConfigError, match="does not open"):
        directory.load()


def test_another_master_key_opens_nothing(directory, world, url, tmp_path):
    other = open_directory(url=url, home=tmp_path, environment={"LOCKGATE_MASTER_KEY": OTHER_MASTER_KEY})
    with pytest.raises(ConfigError, match="which is not here"):
        other.load()
    with pytest.raises(ConfigError, match="which is not here"), other.change() as tx:
        fresh = tx.insert(Organisation(name="New", slug="new"))
        tx.insert(integration(fresh, "x"), secrets={KEY: Secret("hush")})
    other.close()
    assert len(directory.load().organisations) == 2


def hammer(directory, world, stop, failures, done):
    """Read and write secrets until told to stop."""
    number = 0
    while not stop.is_set():
        number += 1
        try:
            with directory.change(world.admin) as tx:
                read = tx.get(Integration, "main")
                tx.update(read, secrets={KEY: Secret(f"{CANARY}-{number}")})
            assert directory.load().secrets[world.main.id, "key"].reveal().startswith(CANARY)
            with directory.read(Scope(organisation_id=world.acme.id)) as view:
                view.secrets_of(view.get(Integration, "private"))
            done.put(number)
        except Exception as error:
            failures.append(error)
            done.put(0)
            return


def test_the_master_key_is_replaced_under_load_by_environment(directory, world, url, tmp_path):
    after = {"LOCKGATE_MASTER_KEY": OTHER_MASTER_KEY, "LOCKGATE_MASTER_KEY_PREVIOUS": MASTER_KEY}
    gateways = [open_directory(url=url, home=tmp_path, environment=after) for _ in range(2)]
    failures, done, stop = [], queue.Queue(), threading.Event()
    threads = [threading.Thread(target=hammer, args=(g, world, stop, failures, done)) for g in gateways]
    for thread in threads:
        thread.start()
    counts = [rotate_master_key(gateways[0], tmp_path, after) for _ in range(3)]
    for _ in range(done.qsize() + 4):
        done.get(timeout=60)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert counts == [3, 3, 3]  # two organisations and the audit log
    for gateway in gateways:
        gateway.close()
    alone = open_directory(url=url, home=tmp_path, environment={"LOCKGATE_MASTER_KEY": OTHER_MASTER_KEY})
    assert alone.load().secrets[world.main.id, "key"].reveal().startswith(CANARY)
    assert alone.verify_audit().is_whole
    alone.close()


def test_to_replace_the_key_of_the_environment_both_must_be_there(directory, world, tmp_path):
    with pytest.raises(ConfigError, match="LOCKGATE_MASTER_KEY_PREVIOUS"):
        rotate_master_key(directory, tmp_path, ENVIRONMENT)


@pytest.fixture
def with_file(empty_url, tmp_path):
    """A directory whose master key is a file."""
    environment = {"LOCKGATE_MASTER_KEY": MASTER_KEY}
    (tmp_path / "master.key").write_text(MASTER_KEY)
    made = open_directory(url=empty_url, home=tmp_path, environment={})
    with made.change() as tx:
        acme = tx.insert(Organisation(name="Acme", slug="acme"))
        tx.insert(integration(acme, "main"), secrets={KEY: Secret(CANARY)})
    yield made
    made.close()
    del environment


def secret_in(directory) -> str:
    return next(iter(directory.load().secrets.values())).reveal()


def test_running_gateways_find_the_new_file(with_file, empty_url, tmp_path):
    running = open_directory(url=empty_url, home=tmp_path, environment={})
    assert secret_in(running) == CANARY
    assert rotate_master_key(with_file, tmp_path, {}) == 2
    assert (tmp_path / "master.key").read_text().strip() != MASTER_KEY
    assert not (tmp_path / "master.key.previous").exists()
    assert secret_in(running) == CANARY
    with running.change() as tx:
        fresh = tx.insert(Organisation(name="New", slug="new"))
        tx.insert(integration(fresh, "x"), secrets={KEY: Secret(CANARY)})
    running.close()
    later = open_directory(url=empty_url, home=tmp_path, environment={})
    assert {secret.reveal() for secret in later.load().secrets.values()} == {CANARY}
    later.close()


def test_a_gateway_that_missed_two_rotations_makes_no_key_that_nobody_has(with_file, empty_url, tmp_path):
    """Its first data key after them must be wrapped by the key of today."""
    idle = open_directory(url=empty_url, home=tmp_path, environment={})
    for _ in range(2):
        rotate_master_key(with_file, tmp_path, {})
    with idle.change() as tx:
        fresh = tx.insert(Organisation(name="New", slug="new"))
        tx.insert(integration(fresh, "x"), secrets={KEY: Secret(CANARY)})
    idle.close()
    later = open_directory(url=empty_url, home=tmp_path, environment={})
    assert len(later.load().secrets) == 2
    later.close()


@pytest.mark.parametrize("dies_at", ["before the data keys", "after the data keys"])
def test_a_rotation_that_was_killed_loses_nothing_and_can_be_repeated(
    with_file, empty_url, tmp_path, monkeypatch, dies_at
):
    class Killed(BaseException):
        pass

    def die(*_, **__):
        raise Killed

    name = "envelope.Vault.rewrap" if dies_at.startswith("before") else "rotation.forget_previous_file"
    with monkeypatch.context() as patch:
        patch.setattr(f"lockgate.store.{name}", die)
        with pytest.raises(Killed):
            rotate_master_key(with_file, tmp_path, {})
    assert secret_in(with_file) == CANARY
    for _ in range(2):
        later = open_directory(url=empty_url, home=tmp_path, environment={})
        assert secret_in(later) == CANARY
        rotate_master_key(later, tmp_path, {})
        later.close()
    assert secret_in(with_file) == CANARY
    assert sorted(os.listdir(tmp_path))[-1] == "master.key"


def test_each_data_key_is_stored_wrapped(directory, world, url, tmp_path):
    engine = open_engine(database_url(url, tmp_path))
    with reading(engine) as connection:
        rows = connection.execute(select(data_keys)).all()
        known = [directory._vault.data_key(connection, row.id, None) for row in rows]
        assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()
    assert {row.id for row in rows} == {world.acme.id, world.zeta.id, "audit"}
    assert len(set(known)) == 3
    assert not any(key in row.wrapped for key, row in zip(known, rows, strict=True))


def test_a_key_of_ours_is_not_a_secret_of_the_vault(directory, world, clock):
    with directory.change(world.admin) as tx:
        key = tx.insert(api_key(world.a, "k", "t", now=clock.now))
        assert tx.secrets_of(key) == {}
