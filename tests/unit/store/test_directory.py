from __future__ import annotations

import pytest

from lockgate.entities import Organisation
from lockgate.errors import ConfigError, Unavailable
from lockgate.store.directory import open_directory, utc_now
from lockgate.store.engine import database_url, open_engine, writing


def test_without_a_url_everything_is_in_the_state_folder(tmp_path):
    directory = open_directory(url=None, home=tmp_path, environment={})
    with directory.change() as tx:
        made = tx.insert(Organisation(name="Acme", slug="acme"))
    directory.close()
    assert {"lockgate.db", "master.key"} <= {path.name for path in tmp_path.iterdir()}
    again = open_directory(url=None, home=tmp_path, environment={})
    assert again.load().organisations == (made,)
    assert again.revision() == again.load().revision == 1
    again.close()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "lockgate.db").write_bytes(b"not a database, and long enough to tell" * 100)
    with pytest.raises(ConfigError):
        open_directory(url=None, home=tmp_path, environment={})


def test_a_busy_database_is_unavailable(tmp_path, monkeypatch):
    monkeypatch.setattr("lockgate.store.engine._BUSY_TIMEOUT_S", 0.01)
    directory = open_directory(url=None, home=tmp_path, environment={})
    other = open_engine(database_url(None, tmp_path))
    with writing(other), pytest.raises(Unavailable, match="busy"), directory.change():
        pass
    with writing(other):
        assert directory.revision() == 0
    other.dispose()
    directory.close()


def test_the_environment_says_where_the_database_is_before_the_file(tmp_path):
    environment = {"LOCKGATE_DATABASE_URL": f"sqlite:///{tmp_path}/env.db"}
    open_directory(url=f"sqlite:///{tmp_path}/file.db", home=tmp_path, environment=environment).close()
    open_directory(url=f"sqlite:///{tmp_path}/file.db", home=tmp_path, environment={}).close()
    assert {"env.db", "file.db"} <= {path.name for path in tmp_path.iterdir()}
    assert not (tmp_path / "lockgate.db").exists()


def test_times_are_whole_milliseconds():
    assert all(utc_now().microsecond % 1000 == 0 for _ in range(20))
