from __future__ import annotations

import pytest

from lockgate.records.shipping import pressure
from lockgate.records.shipping.pressure import DiskLimits, disk_share, level_of


@pytest.mark.parametrize(
    "share, level", [(0.0, "none"), (0.899, "none"), (0.9, "bodies"), (0.96, "bodies"), (0.97, "rows"), (1.0, "rows")]
)
def test_bodies_go_first_then_rows_wait(share, level):
    assert level_of(share, DiskLimits()) == level


def test_the_share_of_a_real_disk(tmp_path):
    assert 0.0 <= disk_share(tmp_path)() <= 1.0


def test_room_for_bodies_is_looked_up_once_a_second_and_a_change_is_told(tmp_path, monkeypatch, caplog):
    used, now = [0.5], [0.0]
    monkeypatch.setattr(pressure, "disk_share", lambda _folder: lambda: used[0])
    may_write = pressure.room_for_bodies(tmp_path, DiskLimits(), lambda: now[0])
    assert may_write()
    used[0] = 0.95
    assert may_write(), "not looked up yet"
    now[0] = 1.0
    assert not may_write()
    assert not may_write()
    now[0], used[0] = 2.0, 0.1
    assert may_write()
    assert len(caplog.records) == 2
