"""A private server: only ours, keeps what it holds, leaves nothing behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import stat
import subprocess
import sys

import pytest
import redis

from lockgate.errors import ConfigError
from lockgate.store.valkey import PrivateValkey


@pytest.fixture
def folder(tmp_path_factory):
    """A folder with a short path, as sockets want it."""
    return tmp_path_factory.mktemp("v") / "valkey"


def client(server):
    return redis.from_url(server.url)


def test_it_listens_on_a_socket_of_this_user_alone_and_ends_when_told(folder):
    server = PrivateValkey(folder)
    with client(server) as found:
        assert found.ping()
        assert found.config_get("port") == {"port": "0"} or found.config_get("port") == {b"port": b"0"}
    assert stat.S_IMODE((folder / "valkey.sock").stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    server.stop()
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_what_it_holds_survives_a_restart(folder):
    server = PrivateValkey(folder)
    with client(server) as found:
        found.set("kept", "1")
    server.stop()
    server = PrivateValkey(folder)
    with client(server) as found:
        assert found.get("kept") == b"1"
    server.stop()


def test_a_server_that_was_left_over_is_ended_and_its_data_taken_over(folder):
    script = f"""
import os, redis
from pathlib import Path
from lockgate.store.valkey import PrivateValkey
server = PrivateValkey(Path({str(folder)!r}))
redis.from_url(server.url).set("kept", "1")
print(server.pid, flush=True)
os._exit(9)
"""
    left = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    server = PrivateValkey(folder)
    with client(server) as found:
        assert found.get("kept") == b"1"
        assert found.info("server")["process_id"] == server.pid != int(left.stdout)
    server.stop()


def test_a_socket_without_a_server_is_no_obstacle(folder):
    server = PrivateValkey(folder)
    os.kill(server.pid, signal.SIGKILL)
    server._process.wait(10)
    assert (folder / "valkey.sock").exists()
    server = PrivateValkey(folder)
    with client(server) as found:
        assert found.ping()
    server.stop()


def test_a_path_too_long_for_a_socket_is_explained(tmp_path):
    with pytest.raises(ConfigError, match="too long for a socket"):
        PrivateValkey(tmp_path / ("x" * 120))


def test_a_folder_that_cannot_be_made_is_explained(folder):
    folder.parent.joinpath("file").write_text("")
    with pytest.raises(ConfigError, match="cannot start Valkey"):
        PrivateValkey(folder.parent / "file" / "below")


def test_a_server_that_ends_at_once_is_explained(folder):
    folder.mkdir()
    (folder / "appendonlydir").write_text("not a folder")
    with pytest.raises(ConfigError, match="ended at once"):
        PrivateValkey(folder)


def test_a_missing_wheel_is_explained(folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"lockgate\[workers\]"):
        PrivateValkey(folder)
