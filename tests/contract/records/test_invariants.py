"""The data invariants of the observability specification, section 10, by their numbers.

Number 1 is in ``tests/e2e/test_record_invariants.py``, 4 in ``test_killed.py`` and ``tests/e2e/test_outage.py``, 6 in the
latter, 9 in ``test_round_trip.py``.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from lockgate.core.capture import Capture
from lockgate.records.aggregate import fold
from lockgate.records.analytics import GRAPHS, Question, cents, graph
from lockgate.records.bodies.kept import keep
from lockgate.records.bodies.store import BodyStore
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.from_record import user_hash
from lockgate.records.query.language import parse
from lockgate.records.query.tree import all_of
from lockgate.records.redaction import Rules
from lockgate.records.row import Row
from lockgate.records.sketch import bucket_of, percentile
from lockgate.records.slots import choose
from lockgate.records.store import ALL, AggregateSpec, PageQuery
from tests.contract.records.world import DAY, HOUR, START, record_id

# ---- 2: tiles and the rows behind them

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns")
CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "America/St_Johns": ("2026-03-08", "2026-11-01"),
}
"""The days on which clocks change, forth and back. Source: IANA time zone database, 2026."""
FILTERS = 200
ATOMS = (
    "model:claude*", "model:gpt-5", "provider:openai", "status>=500", "status:200", "status:4xx", "stream:true", "key:key_2",
    "meta.team=search", "meta.team=ads", "cost>0.02", "duration>2s", "tokens>=400", "cache:hit", "cache:miss", "user:ann", "failed:true",
    "gone:true", "workspace:ws_a", "rescued:retry", "model=gpt-5,claude-x", "route:chat", "message*=gesperrt",
)  # fmt: skip


def week_of(zone: str, day: str) -> tuple[int, int]:
    """Return the local days around a change of clocks, from midnight to midnight, in microseconds."""
    change = datetime.fromisoformat(day)
    first = datetime(change.year, change.month, change.day, tzinfo=ZoneInfo(zone))
    bounds = [datetime.fromordinal(first.toordinal() + days).replace(tzinfo=ZoneInfo(zone)) for days in (-3, 4)]
    low, high = (int(bound.timestamp()) * 1_000_000 for bound in bounds)
    return low, high


WEEKS = [(zone, *week_of(zone, day)) for zone, days in CHANGES.items() for day in days]


def week_rows() -> list[Row]:
    """Return rows in all these weeks, many of them in the hours in which clocks change."""
    dice = random.Random(26)
    found = []
    for number in range(1600):
        _, low, high = dice.choice(WEEKS)
        middle = low + (high - low) // 2
        at = dice.randrange(low, high) if number % 3 else dice.randrange(middle - 6 * HOUR, middle + 6 * HOUR)
        status = dice.choice([200, 200, 200, 404, 429, 500, 503])
        duration = dice.randrange(1, 9_000_000)
        user = dice.choice([None, "ann", "bob", "eve"])
        found.append(
            Row(
                id=record_id(at, number), started_us=at, workspace_id=dice.choice(["ws_a", "ws_b"]), api_key_id=dice.choice(["key_1", "key_2"]),
                end_user=user, end_user_hash=user_hash(user), endpoint=dice.choice(["chat", "messages"]),
                provider=dice.choice(["openai", "anthropic"]), model=dice.choice(["claude-x", "claude-y", "gpt-5", None]),
                is_stream=dice.random() < 0.5, status_code=status, is_error=status >= 400, is_client_gone=dice.random() < 0.05,
                error_message="Straße gesperrt" if status == 503 else None, duration_us=duration, duration_bucket=bucket_of(duration),
                total_tokens=dice.choice([None, dice.randrange(900)]), cost_nano=dice.choice([None, 0, dice.randrange(50_000_000)]),
                cache_status=dice.choice([None, "hit", "miss"]), rescued_by=dice.choice([None, "retry"]) if status == 200 else None,
                metadata=dice.choice([{}, {"team": "search"}, {"team": "ads"}]), is_counted=dice.random() < 0.95,
            )
        )  # fmt: skip
    return found


@pytest.fixture(scope="module", params=["fresh", "sealed"])
def weeks(request, tmp_path_factory):
    """A store and the weeks in it: all of them fresh; or two, nearly all sealed, where clocks change by half an hour."""
    chosen = WEEKS if request.param == "fresh" else [week for week in WEEKS if week[0] == "Australia/Lord_Howe"]
    now_us = max(high for _, _, high in chosen) + HOUR
    store = EmbeddedStore(tmp_path_factory.mktemp("weeks") / "records", now_us=lambda: now_us)
    rows = [row for row in week_rows() if any(low <= row.started_us < high for _, low, high in chosen)]
    late = rows[::10] if request.param == "sealed" else []
    store.append([row for row in rows if row not in late])
    if late:
        store.maintain()
        store.append(late)
        assert "late" in store.manifest.contents().days.values()
    yield store, chosen
    store.close()


def random_filters() -> list[str]:
    dice = random.Random(200)
    found = [""]
    while len(found) < FILTERS:
        atoms = dice.sample(ATOMS, dice.choice([1, 1, 2, 2, 3]))
        found.append(" ".join(dice.choice(["", "", "-"]) + atom for atom in atoms))
    return found


MEANINGS = {
    "requests": ("total", lambda rows: len(rows)),
    "cost": ("total", lambda rows: cents(sum(row.cost_nano or 0 for row in rows))),
    "tokens": ("total", lambda rows: sum(row.total_tokens or 0 for row in rows)),
    "errors": ("total", lambda rows: sum(row.is_error for row in rows)),
    "users": ("total", lambda rows: len({row.end_user for row in rows} - {None})),
}
"""What a tile says of its rows, in plain words."""


@pytest.mark.parametrize(
    "weeks, part", [*(("fresh", part) for part in range(8)), ("sealed", 0)], indirect=["weeks"], scope="module"
)
def test_invariant_2_every_tile_equals_the_rows_that_it_leads_to(weeks, part):
    """200 random filters, each in 4 time zones in the 2 weeks in which their clocks change; 20 on sealed rows."""
    names, (store, chosen) = sorted(MEANINGS), weeks
    nonempty = 0
    for number, text in enumerate(random_filters()[part::8][: 20 if chosen != WEEKS else FILTERS]):
        node = parse(text)
        behind = all_of(node, parse("counted:true"))
        for place, (zone, low, high) in enumerate(chosen):
            name = names[(number + place) % len(names)]
            member, meaning = MEANINGS[name]
            answer = graph(store, name, Question(scope=ALL, filter=node, from_us=low, to_us=high, zone=zone))
            query = PageQuery(scope=ALL, filter=behind, from_us=low, to_us=high)
            rows = [entry.row for batch in store.scan(query) for entry in batch]
            nonempty += bool(rows)
            if not place:
                assert store.count(query) == len(rows)
            assert answer["summary"][member] == meaning(rows), (name, text, zone)
            assert values_of(answer, member) == by_slot(rows, meaning, low, high, zone), (name, text, zone)
    assert nonempty > 20


def values_of(answer, member):
    return {moment_us(point["timestamp"]): point[member] for point in answer["data_points"] if point[member]}


def moment_us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def by_slot(rows, meaning, low, high, zone):
    """Return what each slot's rows say; which slot is told by the local hour, not by arithmetic on slots."""
    starts = sorted(choose(low, high, zone).boundaries)[:-1]
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(max(start for start in starts if start <= row.started_us), []).append(row)
    return {start: meaning(of) for start, of in found.items() if meaning(of)}


@pytest.mark.parametrize("zone, low, high", WEEKS)
def test_invariant_2_slots_keep_to_local_hours_when_clocks_change(zone, low, high):
    boundaries = list(choose(low, high, zone).boundaries)
    local = [datetime.fromtimestamp(us / 1e6, UTC).astimezone(ZoneInfo(zone)) for us in boundaries]
    assert (boundaries[0], boundaries[-1]) == (low, high)
    assert sum(at.hour == at.minute == 0 for at in local) == 8
    lengths = Counter(after - before for before, after in zip(boundaries, boundaries[1:], strict=False))
    assert len(lengths) == 2
    assert high - low != 7 * DAY


def test_invariant_2_covers_the_tiles_that_are_totals():
    totals = {name for name, made in GRAPHS.items() if set(made.summary(fold(()))) >= {"total"}}
    assert totals - set(MEANINGS) == {"users/requests", "cache/hit-rate"}, "worked out by hand in test_analytics.py"


# ---- 3: percentiles

SKEWED = {
    "lognormal": lambda dice: int(dice.lognormvariate(13, 2.5)),
    "pareto": lambda dice: int(20_000 * dice.paretovariate(0.7)),
    "two humps": lambda dice: int(abs(dice.gauss(3_000, 400) if dice.random() < 0.97 else dice.gauss(60_000_000, 9e6))),
    "all equal": lambda dice: 1_234_567,
}


@pytest.mark.parametrize("name", SKEWED)
def test_invariant_3_percentiles_of_skewed_times_are_within_one_per_cent(tmp_path, name):
    """Over hours of very different load, some sealed, and never as an average of averages."""
    dice = random.Random(3)
    now = [START]
    store = EmbeddedStore(tmp_path / "records", now_us=lambda: now[0])
    rows = []
    for number in range(3000):
        # nearly everything happens in one hour; an average over hours would be far off
        hour = 5 if dice.random() < 0.9 else dice.randrange(72)
        us = max(1, SKEWED[name](dice)) * (1 if hour == 5 else 20)
        at = START + hour * HOUR + dice.randrange(HOUR)
        rows.append(
            Row(id=record_id(at, number), started_us=at, duration_us=us, duration_bucket=bucket_of(us), status_code=200)
        )
    store.append(rows)
    now[0] = START + 3 * DAY
    store.maintain()
    for step in (0, HOUR, DAY):
        spec = AggregateSpec(scope=ALL, from_us=START, to_us=START + 3 * DAY, step_us=step, sketches=("duration",))
        sketch = fold(store.aggregate(spec).groups.values()).sketches["duration"]
        for share in (0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0):
            exact = sorted(row.duration_us or 0 for row in rows)[max(1, math.ceil(share * len(rows))) - 1]
            assert abs(percentile(sketch, share) - exact) <= 0.01 * exact, (step, share)
    store.close()


# ---- 7: retention and deletion

USER, SECRET_TEXT = "user-to-be-forgotten", "the-words-that-nobody-may-find"


def filled(folder, now):
    store = EmbeddedStore(folder, now_us=lambda: now[0])
    bodies = BodyStore(store.layout)
    store.when_deleted(bodies.delete)
    for day in range(4):
        for number in range(30):
            at = START + day * DAY + number * HOUR // 2
            id = record_id(at, number)
            user = USER if number % 5 == 0 else f"user-{number % 3}"
            text = f"{SECRET_TEXT} {number}" if user == USER else f"question {number}"
            store.append(
                [
                    Row(
                        id=id,
                        started_us=at,
                        end_user=user,
                        end_user_hash=user_hash(user),
                        metadata={"_user": user},
                        duration_us=number + 1,
                        duration_bucket=bucket_of(number + 1),
                    )
                ]
            )
            kept = keep(
                Capture(
                    record_id=id,
                    started_at=at / 1e6,
                    request=json.dumps({"messages": [{"role": "user", "content": text}]}).encode(),
                ),
                Rules(),
                limit_bytes=1 << 20,
            )
            store.append_previews([kept.preview])
            bodies.put([kept])
    return store, bodies


def found_in(folder, *needles: bytes) -> list[str]:
    """Return the files that hold one of these words."""
    return [path.name for path in folder.rglob("*") if path.is_file() and any(n in path.read_bytes() for n in needles)]


def test_invariant_7_a_deleted_user_is_absent_from_rows_bodies_words_and_sums(tmp_path):
    now = [START + 2 * DAY + DAY // 2]
    store, bodies = filled(tmp_path / "records", now)
    store.maintain()
    now[0] += 2 * DAY
    query = PageQuery(scope=ALL, filter=parse(f"user:{USER}"))
    gone = [entry.row for batch in store.scan(query) for entry in batch]
    assert len(gone) == 24
    assert bodies.get(gone[0].id, gone[0].started_us) is not None
    assert store.count(PageQuery(scope=ALL, filter=parse(f'"{SECRET_TEXT}"'))) == 24
    receipt = store.delete_where(parse(f"user:{USER}"), ALL, reason="asked to", now_us=now[0])
    assert (receipt.rows_hidden, receipt.is_done) == (24, False)
    assert store.count(query) == 0
    (done,) = store.apply_deletions(now[0])
    assert (done.id, done.is_done, done.rows_removed, done.bodies_removed) == (receipt.id, True, 24, 24)
    assert store.receipts()[0] == done
    now[0] += DAY
    store.maintain()
    assert store.count(PageQuery(scope=ALL)) == 96
    assert store.count(PageQuery(scope=ALL, filter=parse(f'"{SECRET_TEXT}"'))) == 0
    assert [row.id for row in gone if bodies.get(row.id, row.started_us) is not None] == []
    assert USER not in [facet.value for facet in store.facets("end_user", PageQuery(scope=ALL))]
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=START + 5 * DAY, dimensions=("end_user",), step_us=DAY)
    assert USER not in {key[0] for _, key in store.aggregate(spec).groups}
    total = AggregateSpec(scope=ALL, from_us=START, to_us=START + 5 * DAY, step_us=DAY)
    requests = sum(sums.values["requests"] for sums in store.aggregate(total).groups.values())
    assert requests == 120, "what was spent stays spent: sums name nobody, and are kept"
    bodies.close()
    store.close()
    stones = [name for name in found_in(tmp_path / "records", USER.encode()) if not name.startswith("manifest.db")]
    assert stones == [], "only the tombstone may name whom it is about"
    assert found_in(tmp_path / "records", SECRET_TEXT.encode()) == []


def test_invariant_7_retention_unlinks_whole_files_and_touches_no_other(tmp_path):
    now = [START + 6 * DAY]
    store, bodies = filled(tmp_path / "records", now)
    store.maintain()
    rows = [
        path for path in (tmp_path / "records").rglob("*") if path.is_file() and path.suffix in (".parquet", ".seg")
    ]
    before = {path: path.read_bytes() for path in rows}
    dropped = store.drop_before(START + 2 * DAY)
    bodies.drop_before(START + 2 * DAY)
    left = [path for path in rows if path.exists()]
    assert 0 < len(left) < len(rows)
    assert all(path.read_bytes() == before[path] for path in left), "a file that stays is not written again"
    assert (dropped.days, store.count(PageQuery(scope=ALL))) == (2, 60)
    bodies.close()
    store.close()
