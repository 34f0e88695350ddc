from lockgate.store.directory import open_directory
from lockgate.store.told_book import ToldBook


def test_it_is_remembered_over_restarts(tmp_path):
    for expected in ({"key.rotated/k/1"}, set()):
        directory = open_directory(url=None, home=tmp_path, environment={})
        assert ToldBook(directory).first(["key.rotated/k/1"]) == expected
        directory.close()
