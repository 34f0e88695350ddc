"""What was told once is told once, whoever wants to tell it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from lockgate.store.told_book import LIFETIME, ToldBook


def test_an_id_is_new_once(directory):
    book = ToldBook(directory)
    assert book.first(["a", "b"]) == {"a", "b"}
    assert ToldBook(directory).first(["a", "c"]) == {"c"}
    assert book.first(["a", "b", "c"]) == set()
    assert book.first([]) == set()


def test_of_many_who_ask_at_once_one_is_first(directory):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ToldBook(directory).first(["a"]), range(16)))
    assert sorted(map(len, found)) == [0] * 15 + [1]


def test_what_is_old_is_forgotten(directory, clock):
    book = ToldBook(directory)
    book.first(["a"])
    clock.now += LIFETIME
    assert book.first(["b"]) == {"b"}
    assert book.first(["a"]) == {"a"}
