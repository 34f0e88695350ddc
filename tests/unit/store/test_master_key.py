from __future__ import annotations

import base64
import os

import pytest

from lockgate.errors import ConfigError
from lockgate.store.master_key import (
    MasterKey,
    forget_previous_file,
    new_master_key,
    read_master_keys,
    replace_file,
)

ONE, TWO = bytes(range(32)), bytes(range(1, 33))


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_the_environment_goes_before_the_file(tmp_path):
    (tmp_path / "master.key").write_text(text(TWO))
    keys = read_master_keys({"LOCKGATE_MASTER_KEY": text(ONE)}, tmp_path, may_make=True)
    assert keys.current.id == MasterKey(ONE).id
    assert keys.previous == ()


def test_the_key_before_is_accepted_too(tmp_path):
    environment = {"LOCKGATE_MASTER_KEY": text(TWO), "LOCKGATE_MASTER_KEY_PREVIOUS": text(ONE)}
    keys = read_master_keys(environment, tmp_path, may_make=False)
    assert keys.find(MasterKey(ONE).id)
    assert keys.find(MasterKey(TWO).id)
    assert keys.find("other") is None


def test_a_missing_file_is_made_for_its_owner_only(tmp_path):
    keys = read_master_keys({}, tmp_path, may_make=True)
    path = tmp_path / "master.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_master_keys({}, tmp_path, may_make=False).current.id == keys.current.id
    assert sorted(os.listdir(tmp_path)) == ["master.key"]


def test_without_leave_to_make_one_it_is_asked_for(tmp_path):
    with pytest.raises(ConfigError, match="set LOCKGATE_MASTER_KEY"):
        read_master_keys({}, tmp_path, may_make=False)


@pytest.mark.parametrize("given", ["short", text(b"x" * 31), text(b"x" * 33), "ä" * 32, "=" * 44])
def test_what_is_no_key_is_refused_without_repeating_it(tmp_path, given):
    with pytest.raises(ConfigError, match="32 bytes in base64") as raised:
        read_master_keys({"LOCKGATE_MASTER_KEY": given}, tmp_path, may_make=True)
    assert given not in str(raised.value)
    (tmp_path / "master.key").write_text(given, "utf-8")
    with pytest.raises(ConfigError, match="32 bytes in base64"):
        read_master_keys({}, tmp_path, may_make=True)


def test_a_replaced_file_keeps_the_key_before_until_it_is_forgotten(tmp_path):
    old = read_master_keys({}, tmp_path, may_make=True).current
    new = new_master_key()
    replace_file(tmp_path, new)
    keys = read_master_keys({}, tmp_path, may_make=False)
    assert keys.current.id == new.id
    assert [key.id for key in keys.previous] == [old.id]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
    forget_previous_file(tmp_path)
    forget_previous_file(tmp_path)
    assert read_master_keys({}, tmp_path, may_make=False).previous == ()


def test_a_data_key_opens_only_with_its_master_and_under_its_name():
    master = MasterKey(ONE)
    wrapped = master.wrap("org", TWO)
    assert TWO not in wrapped
    assert master.unwrap("org", wrapped) == TWO
    for other, name, blob in (
        (MasterKey(TWO), "org", wrapped),
        (master, "other", wrapped),
        (master, "org", wrapped[:-1] + bytes([wrapped[-1] ^ 1])),
        (master, "org", b""),
    ):
        with pytest.raises(ConfigError):
            other.unwrap(name, blob)


def test_nothing_shows_a_master_key():
    master = MasterKey(ONE)
    assert text(ONE) not in repr(master) + str(master.text) + master.id
    assert master.id == MasterKey(ONE).id != MasterKey(TWO).id
