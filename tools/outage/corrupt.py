"""Damages the journal before it is shipped: flipped bytes, zeros, torn ends; then zeroes what lists the records.

The rest arrives; the damage is told.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lockgate.core.journal_line import unframe
from lockgate.records.bodies.store import BodyReader
from lockgate.records.embedded.layout import Layout
from lockgate.records.embedded.sqlite import beside
from tools.outage.ledger import Books, check_store, count_rows, read_books
from tools.outage.load import Call, Load, Pace, outcomes, plan
from tools.outage.report import Report
from tools.outage.stage import Stage, wait
from tools.outage.stopped import check_load, store_held


@dataclass(frozen=True, kw_only=True)
class CorruptOptions:
    """How much load, and how much damage."""

    seconds: float = 20.0
    """Of load before the damage."""
    rate_per_s: float = 80.0
    damages: int = 40
    seed: int = 7


def run(options: CorruptOptions, folder: Path) -> Report:
    """Run everything in a folder that is empty. Ends by itself."""
    stage = Stage(folder, seed=options.seed, segment_bytes=32 * 1024)
    dice = random.Random(options.seed)  # the same damage every time
    calls = plan(dice, Pace(events=4, drip_s=0.005, delay_s=0.02))
    try:
        stage.start()
        first = _load(stage, calls, options.rate_per_s, options.seconds / 2)
        wait(lambda: count_rows(stage.records) == len(first), 30)
        with store_held(stage.records):
            second = _load(stage, calls, options.rate_per_s, options.seconds / 2)
            before = read_lines(stage.journal)
            shipped = count_rows(stage.records)
            told = [damage(stage.journal, dice) for _ in range(options.damages)]
            after = read_lines(stage.journal)
            bodies = [damage(stage.journal / "bodies", dice, "*.bodies") for _ in range(options.damages // 4)]
        return _judge(options, stage, calls, [*first, *second], before, shipped, told, bodies, after)
    finally:
        stage.close()


def _load(stage: Stage, calls: Iterator[Call], rate_per_s: float, seconds: float) -> list[Call]:
    load = Load(stage.gateway.port, stage.key, calls)

    async def play() -> None:
        running = asyncio.create_task(load.run_paced(rate_per_s))
        await asyncio.sleep(seconds)
        load.stop()
        await running

    asyncio.run(play())
    return load.calls


def read_lines(journal: Path) -> set[bytes]:
    """Return every whole line of a journal, as it stands there."""
    found: set[bytes] = set()
    for path in journal.glob("*.log"):
        found |= {line for line in path.read_bytes().split(b"\n") if line}
    return found


def damage(journal: Path, dice: random.Random, names: str = "*.log") -> str:
    """Damage a segment somewhere, as a bad disk would; return how. The newest one, still written to, is not torn."""
    paths = sorted(path for path in journal.glob(names) if path.stat().st_size)
    path = dice.choice(paths)
    size = path.stat().st_size
    at = dice.randrange(size)
    kind = dice.choice(("flip", "flip", "flip", "zeros", "tear"))
    if kind == "tear" and (path == paths[-1] or at < size // 2):
        kind = "flip"
    with path.open("r+b") as file:
        file.seek(at)
        if kind == "tear":
            file.truncate(at)
        elif kind == "zeros":
            file.write(bytes(min(dice.randrange(1, 700), size - at)))
        else:
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ (1 << dice.randrange(8))]))
    return f"{kind} {path.name} at {at}"


def _judge(
    options: CorruptOptions,
    stage: Stage,
    calls: Iterator[Call],
    sent: list[Call],
    before: set[bytes],
    shipped: int,
    told: list[str],
    bodies: list[str],
    after: set[bytes],
) -> Report:
    gone = before - after
    count = len(before) - len(gone)
    # what was shipped before its line was damaged is in the store all the same
    arrived_s = wait(lambda: count_rows(stage.records) >= count, 60)
    # who ships tells the gateway every second
    wait(lambda: stage.metrics()["aigw_log_damaged_total"] >= len(_quarantined(stage)), 10)
    # an end without its line feed is only damage once nobody writes there any more: after the kill
    counted, aside = stage.metrics()["aigw_log_damaged_total"], len(_quarantined(stage))
    assert stage.gateway.popen is not None
    stage.kill(stage.gateway.popen.pid)
    listed = zero_manifest(stage.records)
    log = stage.gateway.log.read_text(errors="replace")
    stage.start()
    wait(lambda: stage.metrics()["aigw_log_spool_bytes"] == 0, 30)
    later = _load(stage, calls, options.rate_per_s, 2)
    status = stage.gateway.stop()
    log += stage.gateway.log.read_text(errors="replace")
    books = read_books(stage.records)
    quarantined = _quarantined(stage)
    problems = check_store(books) + check_load([*sent, *later])
    if status:
        problems.append(f"the gateway ended with status {status}")
    if arrived_s is None:
        problems.append(f"not all of the {count} whole records arrived")
    missing = [id for id in map(_id_of, before - gone) if id not in books.ids]
    if missing:
        problems.append(f"{len(missing)} whole records are not in the store: {', '.join(missing[:5])}")
    lost = [id for id in map(_id_of, gone) if id not in books.ids]
    if not lost:
        problems.append("no record that was not shipped was damaged: nothing was tried")
    late = [call.tag for call in later if call.tag not in books.by_tag]
    if late:
        problems.append(f"{len(late)} later requests have no record: {', '.join(late[:5])}")
    problems += check_bodies(stage.records, books, len(bodies), [call.tag for call in later])
    problems += _check_told(log, quarantined, lost) + _check_made_again(log, stage.records)
    if counted < aside or not aside:
        problems.append(f"/metrics tells of {counted:g} pieces, {aside} were put aside")
    lines = [
        f"{len(sent)} requests, {outcomes(sent)}; {shipped} records were shipped before the damage",
        f"{len(told)} damages in {len({text.split()[1] for text in told})} segments: "
        f"{len(gone)} of {len(before)} lines; {len(lost)} records are in no store",
        f"{len(bodies)} damages in the journal of bodies, {listed} bytes of the manifest zeroed",
        f"{len(quarantined)} pieces were put aside; {log.count('are damaged')} lines in the log; "
        f"aigw_log_damaged_total {counted:g} before the kill",
        f"{books.records} records in the store, {len(later)} of them of after the damage",
    ]
    return Report(lines=lines, problems=problems)


def _quarantined(stage: Stage) -> list[Path]:
    return sorted((stage.records / "quarantine").glob("*.bad"))


def zero_manifest(records: Path) -> int:
    """Leave nothing but zeros of what lists the records, as a bad disk would; returns how many bytes."""
    manifest = Layout(records).manifest
    for path in beside(manifest)[1:]:
        path.unlink(missing_ok=True)
    size = manifest.stat().st_size
    manifest.write_bytes(bytes(size))
    return size


def _check_made_again(log: str, records: Path) -> list[str]:
    if "the manifest of records is damaged or gone and is made again" in log and list(
        (records / "quarantine").glob("manifest-*")
    ):
        return []
    return ["the log does not tell that the manifest was made again"]


def check_bodies(records: Path, books: Books, damages: int, later: list[str]) -> list[str]:
    """Each damage costs the bodies of two requests at most, and none that come later."""
    reader = BodyReader(Layout(records))
    rows = [row for found in books.by_tag.values() for row in found]
    missing = [row.trace_id or "" for row in rows if reader.get(row.id, row.started_us) is None]
    found = []
    if len(missing) > 2 * damages:
        found.append(f"{len(missing)} requests of {len(rows)} have no bodies, after {damages} damages")
    late = sorted(set(missing) & set(later))
    if late:
        found.append(f"{len(late)} later requests have no bodies: {', '.join(late[:5])}")
    return found


def _check_told(log: str, quarantined: list[Path], lost: list[str]) -> list[str]:
    found = []
    if log.count("are damaged") < len(quarantined) or not quarantined:
        found.append(f"the log tells of {log.count('are damaged')} damaged pieces, {len(quarantined)} were put aside")
    aside = b"".join(path.read_bytes() for path in quarantined)
    # a flipped byte may hit the id itself, and a tear leaves nothing: most of the others must be found
    untold = [id for id in lost if id.encode() not in aside]
    if lost and len(untold) == len(lost):
        found.append("nothing of what was lost is among what was put aside")
    return found


def _id_of(line: bytes) -> str:
    data = unframe(line) or b""
    at = data.find(b'"id":"') + 6
    return data[at : data.find(b'"', at)].decode("latin-1")
