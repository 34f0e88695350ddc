"""Every change leaves an entry, and what is done to the log shows."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import delete, insert, select, update

from lockgate.core.secret import Secret
from lockgate.entities import Actor, KeyText, ProviderRecord, Workspace
from lockgate.store.api_keys import issue_key
from lockgate.store.engine import database_url, open_engine, writing
from lockgate.store.tables import audit_entries, audit_head
from tests.contract.store.test_api_keys import blank
from tests.contract.store.world import CANARY, digest, provider


def entries(directory, scope=None, **filters):
    with directory.read(*([scope] if scope else [])) as view:
        return view.audit_entries(**filters)[0]


def test_an_entry_tells_who_changed_what_from_what_to_what(directory, world, clock):
    actor = Actor(
        kind="api_key",
        id="key-1",
        scope=world.everywhere,
        method="PUT",
        uri="/v1/providers/claude",
        request_id="req-1",
        client_ip="10.0.0.1",
    )
    now = clock.go(minutes=5)
    with directory.change(actor) as tx:
        tx.update(msgspec.structs.replace(world.in_a, name="Renamed"))
    entry = entries(directory)[0]
    assert (entry.at, entry.actor_kind, entry.actor_id, entry.action) == (now, "api_key", "key-1", "update")
    assert (entry.resource_type, entry.resource_id) == ("provider", world.in_a.id)
    assert (entry.organisation_id, entry.workspace_id) == (world.acme.id, world.a.id)
    assert (entry.method, entry.uri, entry.request_id, entry.client_ip) == (
        "PUT",
        "/v1/providers/claude",
        "req-1",
        "10.0.0.1",
    )
    before, after = msgspec.json.decode(entry.before), msgspec.json.decode(entry.after)
    assert (before["name"], after["name"]) == ("Claude", "Renamed")
    assert {name for name in before if before[name] != after[name]} == {"name", "version", "updated_at", "updated_by"}


def test_creation_and_deletion_have_one_side(directory, world):
    with directory.change(world.admin) as tx:
        made = tx.insert(provider(world.a, world.main, "x"))
        tx.archive(made)
    deleted, created = entries(directory)[:2]
    assert (created.action, bytes(created.before)) == ("create", b"null")
    assert (deleted.action, msgspec.json.decode(deleted.after)["status"]) == ("delete", "archived")


def test_a_changed_credential_is_told_without_it(directory, world):
    with directory.change(world.admin) as tx:
        tx.update(world.main, secrets={"key": Secret("another-credential-0987654321")})
        key = issue_key(tx, blank(world)).key
        second = KeyText(digest=digest("second"), mask="gk_*****abc", created_at=tx.now)
        tx.update(msgspec.structs.replace(key, texts=(second, *key.texts)), action="rotate")
    rotated, _, changed = entries(directory)[:3]
    assert msgspec.json.decode(changed.before)["masks"] == {"key": "sk-*****ijk"}
    assert msgspec.json.decode(changed.after)["masks"] == {"key": "ano*****321"}
    assert rotated.action == "rotate"
    assert {text["digest"] for text in msgspec.json.decode(rotated.after)["texts"]} == {"*****"}
    assert CANARY not in repr(entries(directory, size=100))


def test_what_changes_no_entity_can_be_noted(directory, world):
    before = directory.revision()
    with directory.change(world.of_a) as tx:
        tx.note("export", "log", "exp-1")
    entry = entries(directory)[0]
    assert (entry.action, entry.resource_type, entry.resource_id, entry.actor_id) == ("export", "log", "exp-1", "key-a")
    assert (entry.organisation_id, entry.workspace_id) == (world.acme.id, world.a.id)
    assert directory.revision() == before


def test_the_log_is_confined_and_filtered(directory, world, clock):
    started = clock.now
    later = clock.go(hours=1)
    with directory.change(world.of_a) as tx:
        tx.insert(provider(world.a, world.main, "x"))
    assert {e.workspace_id for e in entries(directory, world.inside_a, size=100)} == {world.a.id}
    assert {e.organisation_id for e in entries(directory, world.everywhere, size=100)} == {world.acme.id}
    assert [e.actor_id for e in entries(directory, since=later)] == ["key-a"]
    assert "key-a" not in {e.actor_id for e in entries(directory, until=later - timedelta(milliseconds=1), size=100)}
    assert {e.resource_type for e in entries(directory, resource_type=["workspace", "organisation"], size=100)} == {
        "workspace",
        "organisation",
    }
    assert entries(directory, actor_id="nobody\0") == ()
    with directory.read() as view:
        first, total = view.audit_entries(size=2)
        second, _ = view.audit_entries(size=2, page=1)
    numbers = [entry.sequence for entry in (*first, *second)]
    assert numbers == list(range(total, total - 4, -1))
    assert started < later


def test_an_untouched_log_is_whole(directory, world):
    verdict = directory.verify_audit()
    assert verdict.is_whole
    assert verdict.entries == entries(directory)[0].sequence


def edit(**values):
    return lambda: update(audit_entries).where(audit_entries.c.sequence == 5).values(**values)


def forge_document():
    row = audit_entries.c
    from sqlalchemy import func

    return (
        update(audit_entries)
        .where(row.sequence == 5)
        .values(document=func.replace(row.document, '"create"', '"update"'))
    )


TAMPERING = {
    "an entry is changed": (forge_document, 5),
    "a column is changed": (edit(actor_id="somebody else"), 5),
    "a digest is changed": (edit(digest="0" * 64), 5),
    "an entry is removed": (lambda: delete(audit_entries).where(audit_entries.c.sequence == 5), 5),
    "the first is removed": (lambda: delete(audit_entries).where(audit_entries.c.sequence == 1), 1),
    "the end is cut off": (lambda: delete(audit_entries).where(audit_entries.c.sequence > 7), 8),
    "all is removed": (lambda: delete(audit_entries), 1),
    "the head is removed": (lambda: delete(audit_head), 1),
    "the head is changed": (lambda: update(audit_head).values(seal="0" * 64), None),
}


@pytest.mark.parametrize("change, broken_at", TAMPERING.values(), ids=TAMPERING)
def test_tampering_shows(directory, world, url, tmp_path, change, broken_at):
    engine = open_engine(database_url(url, tmp_path))
    with writing(engine) as connection:
        assert connection.execute(change()).rowcount >= 1
    engine.dispose()
    verdict = directory.verify_audit()
    assert not verdict.is_whole
    assert verdict.reason
    assert broken_at in (None, verdict.broken_at)


def test_entries_in_another_order_show(directory, world, url, tmp_path):
    engine = open_engine(database_url(url, tmp_path))
    with writing(engine) as connection:
        rows = [
            row._asdict()
            for row in connection.execute(select(audit_entries).where(audit_entries.c.sequence.in_([4, 5])))
        ]
        connection.execute(delete(audit_entries).where(audit_entries.c.sequence.in_([4, 5])))
        for row in rows:
            connection.execute(insert(audit_entries).values({**row, "sequence": 9 - row["sequence"]}))
    engine.dispose()
    assert directory.verify_audit().broken_at == 4


def test_who_can_write_the_database_but_has_no_master_key_cannot_mend_the_chain(directory, world, url, tmp_path):
    """Digests that are made without the key of the log do not hold, however consistent they are."""
    from lockgate.store import audit

    engine = open_engine(database_url(url, tmp_path))
    with writing(engine) as connection:
        key, previous = b"guessed key of 32 bytes.........", "0" * 64
        for row in connection.execute(select(audit_entries).order_by(audit_entries.c.sequence)).all():
            previous = audit._digest(key, previous, row.document.encode())
            connection.execute(
                update(audit_entries).where(audit_entries.c.sequence == row.sequence).values(digest=previous)
            )
        connection.execute(update(audit_head).values(digest=previous, seal=audit._seal(key, row.sequence, previous)))
    engine.dispose()
    assert directory.verify_audit().broken_at == 1


def test_the_chain_goes_on_after_a_restart_and_after_what_was_undone(directory, world):
    with pytest.raises(RuntimeError), directory.change(world.admin) as tx:
        tx.insert(provider(world.a, world.main, "x"))
        raise RuntimeError
    with directory.change(world.admin) as tx:
        tx.update(msgspec.structs.replace(tx.get(Workspace, world.b.id), description="d"))
        tx.archive(tx.get(ProviderRecord, world.in_b.id))
    assert directory.verify_audit().is_whole
