import socket

import pytest

from lockgate.errors import ConfigError
from lockgate.store.probe import probe_database


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "lockgate.db").write_text("this is no database, whatever its name says" * 50)
    with pytest.raises(ConfigError, match="cannot open the database"):
        probe_database(None, {}, tmp_path)


def test_a_server_that_does_not_answer_is_told_without_the_password(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    url = f"postgresql://me:canary-password@127.0.0.1:{port}/lockgate"
    with pytest.raises(ConfigError, match="cannot open the database") as caught:
        probe_database(url, {"LOCKGATE_MASTER_KEY": "A" * 43 + "="}, tmp_path)
    assert "canary" not in str(caught.value)


def test_a_server_needs_a_master_key(tmp_path):
    with pytest.raises(ConfigError, match="there is no master key"):
        probe_database("postgresql://me@127.0.0.1:1/x", {}, tmp_path)


def test_nothing_is_made(tmp_path):
    found = probe_database(None, {}, tmp_path)
    assert (found.is_there, found.provider_slugs) == (False, frozenset())
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_none_is_told(tmp_path):
    with pytest.raises(ConfigError, match="mysql is not supported"):
        probe_database(None, {"LOCKGATE_DATABASE_URL": "mysql://x/y"}, tmp_path)
