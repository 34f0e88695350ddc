"""Rows whose answers are known: made by a seed, with ties in time, values that are absent, and text in many scripts."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from lockgate.records.from_record import user_hash
from lockgate.records.query.matching import matcher
from lockgate.records.row import Preview, Row
from lockgate.records.sketch import bucket_of
from lockgate.records.store import ALL, Entry, PageQuery, RecordStore, Scope

HOUR = 3_600_000_000
DAY = 24 * HOUR
FIRST_DAY = 20_412
START = FIRST_DAY * DAY
DAYS = 5
END = START + DAYS * DAY
COUNT = 400
HOURS = (0, 4, 5, 13, 23)
"""Hours of a day on which something happened."""
WORDS = ["refund policy", "الاسترداد", "退款政策", "возврат", "émigré Straße", 'quote " and \\', "=SUM(A1)"]


def record_id(us: int, number: int) -> str:
    """Return an id as the data plane makes it."""
    return f"rec_{us // 1000:012x}7{number:019x}"


def make_rows(count: int = COUNT, seed: int = 7) -> list[Row]:
    """Return rows over five days."""
    dice, other = random.Random(seed), random.Random(seed + 1)
    rows = []
    for number in range(count):
        hour = dice.randrange(DAYS) * 24 + dice.choice(HOURS)
        started = START + hour * HOUR + dice.randrange(12) * (HOUR // 12)
        status = dice.choice([200, 200, 200, 200, 404, 429, 500, 503, None])
        duration = dice.choice([None, dice.randrange(1, 40_000_000)])
        user = dice.choice([None, *(f"user-{n}" for n in range(9))])
        failed = dice.choice([0, 0, 1])
        is_gone = dice.random() < 0.05
        rows.append(
            Row(
                id=record_id(started, number) if number % 10 else f"imported-{number}",
                started_us=started,
                trace_id=f"trace-{number // 3}",
                span_id=f"span-{number}" if number % 2 else None,
                session_id=f"session-{number % 11}" if number % 5 else None,
                response_id=f"msg_{number}" if number % 4 else None,
                workspace_id=dice.choice(["ws_a", "ws_b", None]),
                api_key_id=dice.choice(["key_1", "key_2", "key_3"]),
                end_user=user,
                end_user_hash=user_hash(user),
                endpoint=dice.choice(["chat", "messages", "embeddings"]),
                provider=dice.choice(["anthropic", "openai", None]),
                provider_slug=dice.choice(["main", "spare"]),
                model=dice.choice(["claude-opus-4-7", "claude-haiku-4-5", "gpt-5", "gpt-5-mini", None]),
                is_stream=dice.random() < 0.5,
                attempt_count=1 + failed,
                failed_attempts=failed,
                rescued_by=dice.choice(["retry", "fallback"]) if failed and status == 200 else None,
                status_code=status,
                is_error=bool(status and status >= 400 and not is_gone),
                is_client_gone=is_gone,
                is_counted=dice.random() < 0.95,
                outcome=dice.choice(["success", "provider_error"]),
                error_origin=dice.choice([None, "client", "provider"]),
                error_message=dice.choice([None, "Straße gesperrt: no route", 'a\x00b\n\u202e"😀']),
                cache_status=dice.choice([None, "hit", "semantic_hit", "miss", "disabled"]),
                cache_saved_nano=dice.choice([None, 1000]),
                duration_us=duration,
                duration_bucket=None if duration is None else bucket_of(duration),
                ttft_us=number,
                ttft_bucket=bucket_of(number),
                overhead_us=700,
                overhead_bucket=bucket_of(700),
                output_tps=dice.choice([None, 12.5, 80.25]),
                input_tokens=dice.choice([None, number]),
                output_tokens=number % 17,
                total_tokens=dice.choice([None, number + number % 17]),
                cost_nano=dice.choice([None, 0, number * 1_000_003]),
                cost_status=dice.choice(["priced", "unpriced", None]),
                client_sdk=other.choice([None, "anthropic-python", "openai-node"]),
                conn_reused=other.choice([None, True, False]),
                stream_complete=other.choice([None, True, False]),
                chunk_count=other.choice([None, number % 23]),
                finish_reasons=other.choice([(), ("end_turn",), ("max_tokens",)]),
                pricing_multiplier=other.choice([None, 0.5, 1.1]),
                tool_names=dice.choice([(), ("search",), ("search", "book a flight")]),
                dropped=dice.choice([(), ("seed",)]),
                metadata=dice.choice([{}, {"team": "search"}, {"team": "ads", 'odd "key".': "x=1"}, {"team": "退款"}]),
                attempts='[{"provider":"anthropic"}]' if number % 3 else None,
            )
        )
    return rows


def make_previews(rows: list[Row]) -> list[Preview]:
    """Return previews of all rows but every seventh."""
    return [
        Preview(
            id=row.id, started_us=row.started_us, workspace_id=row.workspace_id, request_preview=f"ask {number}",
            response_preview=f"answer {number}", text=f"{WORDS[number % len(WORDS)]} in text {number}",
        )
        for number, row in enumerate(rows) if number % 7
    ]  # fmt: skip


class World:
    """A store with known rows, its clock, and what a slow and simple program would answer."""

    def __init__(self, folder: Path, open_store: Callable[[Path, Callable[[], int]], RecordStore]) -> None:
        self.folder = folder
        self._open = open_store
        self.now_us = END
        self.store: RecordStore
        self.rows = make_rows()
        self.previews = {preview.id: preview for preview in make_previews(self.rows)}

    def open(self) -> RecordStore:
        """Open the store."""
        self.store = self._open(self.folder, lambda: self.now_us)
        return self.store

    def copy(self, folder: Path) -> World:
        """Return another world that begins as this one is; this one must be closed."""
        shutil.copytree(self.folder, folder)
        other = World(folder, self._open)
        other.now_us = self.now_us
        other.open()
        return other

    def fill(self) -> None:
        """Put everything in, in the order of arrival."""
        for at in range(0, len(self.rows), 90):
            self.store.append(self.rows[at : at + 90])
        self.store.append_previews(list(self.previews.values()))

    def select(self, node, scope: Scope = ALL, low: int = 0, high: int = 2**62) -> list[Row]:
        """Return the rows of a filter, the newest first."""
        test = matcher(node)
        found = [
            row for row in self.rows
            if scope.admits(row) and low <= row.started_us < high and test(row, self.previews.get(row.id))
        ]  # fmt: skip
        return sorted(found, key=lambda row: (row.started_us, row.id), reverse=True)

    def pages(self, query: PageQuery) -> list[Entry]:
        """Return all entries of a query by turning its pages."""
        found: list[Entry] = []
        cursor = None
        while True:
            page = self.store.page(
                PageQuery(
                    scope=query.scope,
                    filter=query.filter,
                    from_us=query.from_us,
                    to_us=query.to_us,
                    limit=query.limit,
                    cursor=cursor,
                    sort=query.sort,
                    is_ascending=query.is_ascending,
                )
            )
            found += page.entries
            cursor = page.next_cursor
            if cursor is None:
                return found
