import time

from lockgate.core.capture import Capture
from lockgate.core.recording import Rules
from lockgate.records.bodies.store import BodyReader
from lockgate.records.embedded.layout import Layout
from lockgate.records.shipping.keeper import KeeperSettings
from lockgate.records.shipping.pressure import DiskLimits
from lockgate.records.tending import Task, Tending


def tended(tmp_path, **settings):
    Layout(tmp_path / "records").create()
    task = Task(records=str(tmp_path / "records"), journal=str(tmp_path / "journal"), salt=b"salt", **settings)
    return Tending(task, {})


def test_what_is_offered_is_in_the_store_when_it_is_closed(tmp_path):
    work = tended(tmp_path)
    work.start()
    rules = Rules(mode="redacted", personal=("email",), action="hash")
    work.offer(Capture(record_id="rec_1", started_at=1.0, rules=rules, request=b'{"to":"ann@example.org"}'))
    deadline = time.monotonic() + 20
    while not work.status.bodies:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    work.close()
    found = BodyReader(Layout(tmp_path / "records")).get("rec_1", 1_000_000)
    assert b"[PII:email:" in found.views["request"].data
    assert work.shed == 0


def test_without_room_bodies_are_shed(tmp_path):
    work = tended(tmp_path, keeper=KeeperSettings(disk=DiskLimits(bodies=1e-9)))
    work.start()
    work.offer(Capture(record_id="rec_1", started_at=1.0, request=b"{}"))
    work.close()
    assert work.shed == 1
