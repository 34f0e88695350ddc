"""Who created a batch is remembered, and each of its results is charged once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from msgspec import structs

from lockgate.core.batches import BatchOwner
from lockgate.store.batch_book import LIFETIME, DatabaseBatchBook, MemoryBatchBook

OWNER = BatchOwner(workspace_id="w", id="msgbatch_1", slug="claude", key_id="k")


async def tell(book):
    assert await book.find("w", "msgbatch_1") is None
    assert not await book.charge(OWNER, 1)
    await book.keep(OWNER)
    await book.keep(structs.replace(OWNER, key_id="somebody else", slug="other"))
    assert await book.find("w", "msgbatch_1") == OWNER
    assert await book.find("x", "msgbatch_1") is None
    await book.keep(structs.replace(OWNER, key_id="somebody else", file_id="file_1"))
    known = await book.find_by_file("w", "file_1")
    assert known == structs.replace(OWNER, file_id="file_1")
    assert await book.find_by_file("x", "file_1") is None
    assert await book.charge(known, 3)
    assert not await book.charge(known, 4)
    known = await book.find("w", "msgbatch_1")
    assert known.charged_lines == 3
    assert sorted(await asyncio.gather(*[book.charge(known, 5) for _ in range(4)])) == [False, False, False, True]


async def hold(book):
    await book.keep(structs.replace(OWNER, hold="a reservation"))
    await book.keep(structs.replace(OWNER, file_id="file_1"))
    known = await book.find("w", OWNER.id)
    assert known.hold == "a reservation"
    await book.drop_hold(known)
    assert await book.find("w", OWNER.id) == structs.replace(known, hold=None)
    await book.drop_hold(structs.replace(OWNER, id="nobody knows it"))


def test_what_is_reserved_is_known_until_it_is_dropped(directory):
    asyncio.run(hold(DatabaseBatchBook(directory)))
    asyncio.run(hold(MemoryBatchBook()))


def test_what_is_reserved_is_found_after_a_restart(directory, clock):
    book = DatabaseBatchBook(directory)

    async def scene():
        await book.keep(structs.replace(OWNER, id="old", hold="x"))
        clock.now += timedelta(hours=1)
        await book.keep(structs.replace(OWNER, id="none"))
        await book.keep(structs.replace(OWNER, id="new", hold="y"))

    asyncio.run(scene())
    assert book.open_holds(clock.now - timedelta(minutes=1)) == [("y", clock.now)]


def test_in_a_database(directory):
    asyncio.run(tell(DatabaseBatchBook(directory)))


def test_in_memory():
    asyncio.run(tell(MemoryBatchBook()))


def test_a_batch_is_forgotten_when_no_provider_has_it_any_more(directory, clock):
    book = DatabaseBatchBook(directory)

    async def scene():
        await book.keep(OWNER)
        clock.now += LIFETIME
        await book.keep(structs.replace(OWNER, id="msgbatch_2"))
        return await book.find("w", OWNER.id)

    assert asyncio.run(scene()) is None
