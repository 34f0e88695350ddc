"""Messages wait for the next start, in order, and not for ever."""

from __future__ import annotations

import stat

from lockgate.store import outbox as module
from lockgate.store.outbox import OLDEST_S, Message, Outbox

NOW = 1_790_000_000.0


def message(id, put_at=NOW):
    return Message(id=id, kind="budget.exhausted", body=b'{"type":"budget.exhausted"}', put_at=put_at)


def test_messages_come_back_in_order_until_they_are_done(tmp_path):
    box = Outbox(tmp_path / "alerts")
    assert box.left(NOW) == []
    box.put(message("evt_2", NOW + 1))
    box.put(message("evt_1"))
    box.put(message("evt_1"))
    again = Outbox(tmp_path / "alerts")
    assert again.left(NOW) == [message("evt_1"), message("evt_2", NOW + 1)]
    again.done("evt_1")
    again.done("evt_1")
    assert [one.id for one in box.left(NOW)] == ["evt_2"]


def test_nobody_else_may_read_them(tmp_path):
    Outbox(tmp_path / "alerts").put(message("evt_1"))
    (file,) = (tmp_path / "alerts").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_is_damaged_too_old_or_too_much_goes(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    folder = tmp_path / "alerts"
    box = Outbox(folder)
    box.put(message("evt_0", NOW - OLDEST_S - 1))
    for number in (1, 2, 3):
        box.put(message(f"evt_{number}"))
    (folder / "evt_4.json").write_text("{")
    assert [one.id for one in box.left(NOW)] == ["evt_1", "evt_2"]
    assert sorted(path.name for path in folder.iterdir()) == ["evt_1.json", "evt_2.json"]
    assert "of long ago was never delivered" in caplog.text
    assert "too many alerts wait" in caplog.text


def test_a_disk_that_does_not_take_one_is_said(tmp_path, caplog):
    (tmp_path / "alerts").write_text("in the way")
    Outbox(tmp_path / "alerts").put(message("evt_1"))
    assert "budget.exhausted does not survive a restart" in caplog.text
