"""A checkpoint is replaced whole or not at all, and a damaged one is not taken for an empty one."""

from __future__ import annotations

import os

import pytest

from lockgate.core.journal import Position
from lockgate.errors import ConfigError
from lockgate.store.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from lockgate.store.counters_memory import CountState, MemoryState, WindowState

FULL = Checkpoint(
    position=Position(segment=3, offset=42),
    state=MemoryState(
        counts=(CountState(limit="b", group="ann", start=5, end=9, used=10**18, told=7, told_cap=8),),
        windows=(WindowState(limit="r", group="", start=0, window_s=3600, current=4, previous=2),),
    ),
)


def test_what_was_written_comes_back(tmp_path):
    path = tmp_path / "counters.json"
    assert read_checkpoint(path) == Checkpoint()
    write_checkpoint(path, Checkpoint())
    write_checkpoint(path, FULL)
    assert read_checkpoint(path) == FULL
    assert [found.name for found in tmp_path.iterdir()] == ["counters.json"]


def test_a_failed_replacement_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "counters.json"
    write_checkpoint(path, FULL)

    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(ConfigError, match="No space left"):
            write_checkpoint(path, Checkpoint())
    assert read_checkpoint(path) == FULL
    assert [found.name for found in tmp_path.iterdir()] == ["counters.json"]


@pytest.mark.parametrize("data", [b"", b"{", b'{"state":{"counts":[{"used":"much"}]}}'])
def test_a_damaged_file_is_an_error(tmp_path, data):
    path = tmp_path / "counters.json"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="damaged"):
        read_checkpoint(path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        read_checkpoint(tmp_path)
