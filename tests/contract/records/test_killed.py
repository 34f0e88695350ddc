"""A writer that is killed again and again, at any moment, loses nothing and keeps nothing twice."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from lockgate.core.capture import Capture
from lockgate.core.record import CostLine, Record
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.redaction import Rules
from lockgate.records.shipping.body_journal import BodyJournal
from lockgate.records.shipping.keeper import Keeper, KeeperSettings
from lockgate.records.shipping.shipper import ShipPolicy
from lockgate.records.store import ALL, AggregateSpec, PageQuery
from lockgate.telemetry.journal import Journal
from tests.contract.records.world import DAY, START, record_id

ROWS, BODIES, KILLS = 3000, 300, 10
WRITER = """
import sys, time
from pathlib import Path
from lockgate.records.shipping.keeper import Keeper, KeeperSettings
from lockgate.records.shipping.shipper import ShipPolicy

folder, now_us = Path(sys.argv[1]), int(sys.argv[2])
settings = KeeperSettings(ship=ShipPolicy(batch_rows=40, batch_bodies=10, keep_s=0.0), poll_s=0.01, maintain_s=0.05, retry_s=0.01)
keeper = Keeper(folder / "records", folder / "journal", settings, now_us=lambda: now_us)
keeper.start()
print("started", flush=True)
keeper._thread.join()
"""


def fill(folder: Path) -> None:
    """Write a journal of five days, with bodies."""
    folder.mkdir(parents=True)
    journal, bodies = (
        Journal(folder, fsync="off", segment_bytes=50_000),
        BodyJournal(folder / "bodies", lambda _: Rules()),
    )
    for number in range(ROWS):
        us = START + number * 5 * DAY // ROWS
        journal.write(
            Record(
                schema_version=2, id=record_id(us, number), trace_id=f"t{number}", started_at=us / 1e6, method="POST", route="chat",
                dialect="openai_chat", status=200, cost=CostLine(nanos=number, status="priced"),
            )
        )  # fmt: skip
        if number % (ROWS // BODIES) == 0:
            bodies.offer(
                Capture(
                    record_id=record_id(us, number), started_at=us / 1e6, request=b'{"prompt":"number %d"}' % number
                )
            )
    journal.close()
    bodies.close()


def test_invariant_4_a_writer_that_is_killed_at_any_moment_loses_and_doubles_nothing(tmp_path):
    fill(tmp_path / "journal")
    dice = random.Random(11)
    now_us = START + 6 * DAY
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(now_us)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"started\n"
        try:
            process.wait(dice.uniform(0.02, 1.2))
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait(30)
        process.stdout.close()
    settings = KeeperSettings(ship=ShipPolicy(keep_s=0.0), poll_s=0.01, maintain_s=0.01, retry_s=0.01)
    keeper = Keeper(tmp_path / "records", tmp_path / "journal", settings, now_us=lambda: now_us)
    keeper.start()
    assert keeper.shipped(100)
    assert keeper.shipped(100)
    assert keeper.shipper.status.damaged == 0
    keeper.stop(60)

    store = EmbeddedStore(tmp_path / "records", now_us=lambda: now_us)
    store.maintain()
    assert store.count(PageQuery(scope=ALL)) == ROWS
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=START + 5 * DAY, step_us=DAY)
    sums = store.aggregate(spec).groups.values()
    assert sum(s.values["requests"] for s in sums) == ROWS
    assert sum(s.values["cost_nano"] for s in sums) == sum(range(ROWS))
    seen = [entry for batch in store.scan(PageQuery(scope=ALL)) for entry in batch]
    assert len({entry.row.id for entry in seen}) == len(seen) == ROWS
    previews = [entry.preview.request_preview for entry in seen if entry.preview]
    assert previews == [f"number {number}" for number in range(0, ROWS, ROWS // BODIES)]
    bodies = [keeper.bodies.get(entry.row.id, entry.row.started_us) for entry in seen if entry.preview]
    assert [body.views["request"].data for body in bodies] == [b'{"prompt":"%s"}' % text.encode() for text in previews]
    store.close()
