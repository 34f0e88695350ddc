import os

import pytest

from lockgate.errors import ConfigError
from lockgate.plan.keys import digest_of
from lockgate.store.state import StateFolder, StoredKey


def stored(name, text):
    return StoredKey(name=name, sha256=digest_of(text).hex(), created_at="2026-11-22T00:00:00+00:00")


def test_keys_survive_and_hold_no_secret(tmp_path):
    folder = StateFolder(tmp_path / "home")
    folder.add_key(stored("first", "gk-secret-text"))
    again = StateFolder(tmp_path / "home")
    assert again.read_keys()[digest_of("gk-secret-text")].name == "first"
    assert b"gk-secret-text" not in (tmp_path / "home" / "keys.json").read_bytes()
    assert (tmp_path / "home" / "keys.json").stat().st_mode & 0o077 == 0


def test_names_are_unique(tmp_path):
    folder = StateFolder(tmp_path)
    folder.add_key(stored("a", "1"))
    with pytest.raises(ConfigError, match="a key named a already"):
        folder.add_key(stored("a", "2"))
    assert list(folder.read_keys()) == [digest_of("1")]


def test_a_damaged_file_is_one_sentence(tmp_path):
    folder = StateFolder(tmp_path)
    (tmp_path / "keys.json").write_text('{"keys": [')
    with pytest.raises(ConfigError, match=r"keys\.json is damaged"):
        folder.read_keys()


def test_a_digest_that_is_none_is_one_sentence(tmp_path):
    folder = StateFolder(tmp_path)
    folder.add_key(StoredKey(name="a", sha256="zz", created_at=""))
    with pytest.raises(ConfigError, match="not hexadecimal"):
        folder.read_keys()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot write the state folder .* set LOCKGATE_HOME"):
        StateFolder(tmp_path / "file" / "home")


def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    folder = StateFolder(tmp_path)
    folder.add_key(stored("a", "1"))

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ConfigError, match="No space left"):
        folder.add_key(stored("b", "2"))
    assert list(folder.read_keys()) == [digest_of("1")]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["journal", "keys.json"]


def test_keys_are_put_aside_once_they_are_elsewhere(tmp_path):
    folder = StateFolder(tmp_path)
    folder.retire_keys()
    stored = StoredKey(name="first", sha256="0" * 64, created_at="2026-01-01T00:00:00Z")
    folder.add_key(stored)
    assert folder.stored_keys() == (stored,)
    folder.retire_keys()
    assert folder.stored_keys() == ()
    assert (tmp_path / "keys.json.imported").exists()


def test_a_second_gateway_stays_out_of_the_folder_and_is_told_whose_it_is(tmp_path):
    state = StateFolder(tmp_path / "home")
    handle = state.own()
    with pytest.raises(ConfigError, match=rf"process {os.getpid()}\) uses the state folder .*LOCKGATE_HOME"):
        StateFolder(tmp_path / "home").own()
    os.close(handle)
    os.close(StateFolder(tmp_path / "home").own())


def test_only_its_owner_reads_the_folder(tmp_path):
    StateFolder(tmp_path / "home")
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0
