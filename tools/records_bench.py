"""Fills a record store and times the questions that the console asks, against their limits.

    python -m tools.records_bench [--rows 1000000] [--days 30] [--folder DIR] [--keep]

Rows are made by a seed, spread evenly over the days, and go the way of real ones: appended in batches of 500, sealed by
the hour, made one file by the day. Each question is asked several times; the middle time counts. Ends with 1 when a
limit is missed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lockgate.records.aggregate import count_users, fold
from lockgate.records.embedded.manifest import DAY_US
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.from_record import user_hash
from lockgate.records.query.language import parse
from lockgate.records.row import Preview, Row
from lockgate.records.sketch import bucket_of, percentile
from lockgate.records.store import ALL, AggregateSpec, PageQuery

BATCH = 500
FIRST_DAY = 20_400
MODELS = [
    ("anthropic", "claude-opus-4-7"),
    ("anthropic", "claude-haiku-4-5"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5-mini"),
]
TEAMS = [f"team-{n}" for n in range(40)]
KEYS = [f"key_{n:024x}" for n in range(25)]
USERS = [f"user-{n}" for n in range(5000)]
WORDS = ["refund", "policy", "invoice", "weather", "Berlin", "code", "review", "translate", "summary", "agent"]


def main() -> int:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description="Times the record store.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--folder", type=Path, help="use or make the store here")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="records-bench-"))
    now = [FIRST_DAY * DAY_US]
    is_new = not (folder / "manifest.db").exists()
    store = EmbeddedStore(folder, now_us=lambda: now[0])
    try:
        if is_new:
            fill(store, options.rows, options.days, now)
        now[0] = (FIRST_DAY + options.days) * DAY_US
        measure_sizes(folder, options.rows)
        return ask(store, options.days, options.rounds)
    finally:
        store.close()
        if not options.keep and options.folder is None:
            shutil.rmtree(folder)


def fill(store: EmbeddedStore, rows: int, days: int, now: list[int]) -> None:
    """Append rows day by day, and let the store seal what is over."""
    dice = random.Random(5)
    per_day, number, appending, tending = rows // days, 0, 0.0, 0.0
    for day in range(FIRST_DAY, FIRST_DAY + days):
        for at in range(0, per_day, BATCH):
            count = min(BATCH, per_day - at)
            batch = [make_row(dice, number + n, day * DAY_US + (at + n) * DAY_US // per_day) for n in range(count)]
            number += count
            started = time.perf_counter()
            store.append(batch)
            store.append_previews([make_preview(dice, row) for row in batch[::10]])
            appending += time.perf_counter() - started
        now[0] = (day + 1) * DAY_US + 600_000_000
        started = time.perf_counter()
        store.maintain()
        tending += time.perf_counter() - started
        print(f"\r{number:>9} rows", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"append          {number / appending:10,.0f} rows/s (one in ten with its texts)")
    print(f"seal and join   {number / tending:10,.0f} rows/s")


def make_row(dice: random.Random, number: int, started_us: int) -> Row:
    """Return a row as a busy gateway has it."""
    provider, model = dice.choices(MODELS, (5, 3, 2, 2))[0]
    status = dice.choices([200, 429, 500, 529], (95, 2, 2, 1))[0]
    duration = int(dice.lognormvariate(14, 1))
    user = dice.choice(USERS)
    tokens_in, tokens_out = dice.randrange(20, 20_000), dice.randrange(1, 2000)
    return Row(
        id=f"rec_{started_us // 1000:012x}7{number:019x}", started_us=started_us, kind="llm", source="gateway",
        trace_id=f"{number // 4:032x}", span_id=f"{number:016x}", workspace_id=f"ws_{number % 5}",
        api_key_id=dice.choice(KEYS), api_key_name="production", end_user=user, end_user_hash=user_hash(user),
        environment="production", endpoint="messages", user_agent="Anthropic/Python 2.12.0",
        client_app="Anthropic/Python", method="POST", dialect="anthropic_messages", request_model=f"@main/{model}",
        is_stream=number % 2 == 0, request_bytes=tokens_in * 4, response_bytes=tokens_out * 5, provider=provider,
        provider_slug="main", model=model, response_id=f"msg_{dice.getrandbits(96):024x}",
        upstream_request_id=f"req_{dice.getrandbits(96):024x}", attempt_count=1, failed_attempts=0, retry_count=0,
        fallback_count=0, cache_status="miss", status_code=status,
        outcome="success" if status == 200 else "provider_error", error_origin=None if status == 200 else "provider",
        error_code=None if status == 200 else "upstream_rejected", is_error=status != 200, finish_reason="end_turn",
        duration_us=duration, receive_us=300, prepare_us=500, upstream_first_us=duration // 3,
        upstream_rest_us=duration // 2, finish_us=100, upstream_us=duration * 5 // 6, ttft_us=duration // 3,
        overhead_us=600, output_tps=55.5, duration_bucket=bucket_of(duration), ttft_bucket=bucket_of(duration // 3),
        overhead_bucket=bucket_of(600), in_uncached=tokens_in, out_text=tokens_out, input_tokens=tokens_in,
        output_tokens=tokens_out, total_tokens=tokens_in + tokens_out,
        cost_nano=tokens_in * 3000 + tokens_out * 15_000, cost_status="priced", price_version="2026-11-01",
        metadata={"team": dice.choice(TEAMS), "feature": f"f{number % 12}", "_user": user},
        attempts='[{"provider":"anthropic","slug":"main","status":200,"duration_ms":812.5,"kind":"primary"}]',
    )  # fmt: skip


def make_preview(dice: random.Random, row: Row) -> Preview:
    """Return the texts of a row."""
    text = " ".join(dice.choices(WORDS, k=60))
    return Preview(
        id=row.id, started_us=row.started_us, workspace_id=row.workspace_id, request_preview=text[:240], text=text
    )


def measure_sizes(folder: Path, rows: int) -> None:
    """Print how many bytes a row takes, fresh and sealed."""
    cold = sum(path.stat().st_size for path in (folder / "cold").iterdir())
    whole = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    each = f"{cold / rows:,.0f} bytes for each row"
    print(f"on disk         {whole / 1e6:10,.1f} MB, of which sealed {cold / 1e6:,.1f} MB ({each})")


def ask(store: EmbeddedStore, days: int, rounds: int) -> int:
    """Time each question; returns 1 when one takes longer than it may."""
    low, high = FIRST_DAY * DAY_US, (FIRST_DAY + days) * DAY_US
    hour = DAY_US // 24
    rows = list(store.page(PageQuery(scope=ALL, limit=1000)).entries)
    old = store.page(PageQuery(scope=ALL, to_us=low + 5 * DAY_US, limit=50)).entries[-1].row
    fresh = rows[500].row

    whole = PageQuery(scope=ALL, from_us=low, to_us=high)

    def page(text: str, to_us: int = high) -> Callable[[], object]:
        query = PageQuery(scope=ALL, filter=parse(text), limit=50, from_us=low, to_us=to_us)
        return lambda: store.page(query)

    def sums(text: str = "", **changes: object) -> Callable[[], object]:
        spec = AggregateSpec(**({"scope": ALL, "from_us": low, "to_us": high, "filter": parse(text)} | changes))  # type: ignore[arg-type]
        return lambda: store.aggregate(spec)

    def overview() -> object:
        table = store.aggregate(
            AggregateSpec(scope=ALL, from_us=low, to_us=high, step_us=6 * hour, sketches=("duration", "ttft"))
        )
        month = fold(table.groups.values())
        return [percentile(month.sketches["duration"], share) for share in (0.5, 0.9, 0.99)]

    def users() -> object:
        spec = AggregateSpec(scope=ALL, from_us=low, to_us=high, is_distinct_users=True, measures=("requests",))
        return count_users(fold(store.aggregate(spec).groups.values()).users)

    by_model = sums(dimensions=("model",), step_us=DAY_US, sketches=("duration",))
    questions: list[tuple[str, str, float, Callable[[], object]]] = [
        ("Q1", "newest page", 100, page("")),
        ("Q1", "filtered page, common: status>=500", 100, page("status>=500")),
        ("Q1", "filtered page, rare: one user", 100, page("user:user-77")),
        ("Q1", "filtered page, metadata and model", 100, page("meta.team=team-7 model:gpt-5-mini")),
        ("Q1", "page in the middle of the month", 100, page("", low + days // 2 * DAY_US)),
        ("Q2", "count and sums of a filtered month", 500, sums("user:user-77")),
        ("Q3", "month by outcome", 300, sums(dimensions=("outcome",), step_us=6 * hour, measures=("requests",))),
        ("Q4", "values of a column", 2000, lambda: store.facets("model", whole)),
        ("Q5", "row by id, fresh", 20, lambda: store.get(fresh.id, ALL)),
        ("Q5", "row by id, sealed", 20, lambda: store.get(old.id, ALL)),
        ("Q6", "trace by id, fresh", 100, lambda: store.trace(fresh.trace_id or "", ALL)),
        ("Q6", "trace by id, sealed", 100, lambda: store.trace(old.trace_id or "", ALL)),
        ("Q8", "month overview with percentiles", 1000, overview),
        ("Q8", "month by model with percentiles", 1000, by_model),
        ("Q9", "top by metadata key", 2000, sums(dimensions=("metadata.team",))),
        ("Q9", "top by end user", 2000, sums(dimensions=("end_user",), measures=("requests", "cost_nano"))),
        ("Q10", "metadata key by model", 3000, sums(dimensions=("metadata.team", "model"))),
        ("Q11", "text, first page", 1000, page('"weather Berlin code"')),
        ("Q11", "text that is nowhere", 1000, page('"no such words at all"')),
        ("Q12", "distinct users of the month", 1000, users),
    ]  # fmt: skip
    missed = 0
    print(f"\n{'':4} {'question':38} {'first':>9} {'middle':>9} {'worst':>9} {'limit':>9}")
    for number, name, limit_ms, question in questions:
        first, *times = [timed(question) for _ in range(rounds + 1)]
        middle = statistics.median(times)
        missed += middle > limit_ms
        mark = "" if middle <= limit_ms else "   MISSED"
        print(f"{number:4} {name:38} {first:7.1f}ms {middle:7.1f}ms {max(times):7.1f}ms {limit_ms:7.0f}ms{mark}")
    print(f"{'Q18':4} {'export scan':38} {scan(store, low, high)}")
    return 1 if missed else 0


def timed(question: Callable[[], object]) -> float:
    """Return how many milliseconds an answer takes."""
    started = time.perf_counter()
    question()
    return (time.perf_counter() - started) * 1000


def scan(store: EmbeddedStore, low: int, high: int) -> str:
    """Read a tenth of the rows for an export."""
    started, rows = time.perf_counter(), 0
    for batch in store.scan(PageQuery(scope=ALL, from_us=low, to_us=low + (high - low) // 10)):
        rows += len(batch)
    return f"{rows / (time.perf_counter() - started):,.0f} rows/s"


if __name__ == "__main__":
    sys.exit(main())
