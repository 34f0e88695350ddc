from __future__ import annotations

import pytest

from lockgate.entities import Organisation
from lockgate.errors import ConfigError
from lockgate.store.directory import open_directory
from lockgate.store.master_key import new_master_key, read_master_keys, replace_file
from lockgate.store.rotation import rotate_master_key


@pytest.fixture
def directory(tmp_path):
    directory = open_directory(url=None, home=tmp_path, environment={})
    with directory.change() as tx:
        tx.insert(Organisation(name="Acme", slug="acme"))
    yield directory
    directory.close()


def test_each_rotation_puts_another_key_in_place(directory, tmp_path):
    seen = {(tmp_path / "master.key").read_text()}
    for number in range(1, 4):
        assert rotate_master_key(directory, tmp_path, {}) == 1
        seen.add((tmp_path / "master.key").read_text())
        assert len(seen) == number + 1
    assert directory.verify_audit().is_whole


def test_a_key_that_still_wraps_something_is_not_put_aside_twice(directory, tmp_path):
    """A rotation that ended between the files and the database."""
    first = read_master_keys({}, tmp_path, may_make=False).current
    replace_file(tmp_path, new_master_key())
    assert [key.id for key in read_master_keys({}, tmp_path, may_make=False).previous] == [first.id]
    rotate_master_key(directory, tmp_path, {})
    again = open_directory(url=None, home=tmp_path, environment={})
    assert again.verify_audit().is_whole
    again.close()


def test_without_a_key_there_is_nothing_to_replace(directory, tmp_path):
    (tmp_path / "master.key").unlink()
    with pytest.raises(ConfigError, match="no master key"):
        rotate_master_key(directory, tmp_path, {})
