"""Small rows for tests of parts of the store."""

from __future__ import annotations

from lockgate.records.row import Preview, Row
from lockgate.records.sketch import bucket_of

DAY = 20_500
HOUR_US = 3_600_000_000
START = DAY * 24 * HOUR_US


def row(number: int, *, at: int = 0, **changes) -> Row:
    """Return a row, ``at`` microseconds after the start of the day."""
    values = {
        "id": f"rec_{number}", "started_us": START + at, "trace_id": f"t{number}", "workspace_id": "ws", "duration_us": 1000,
        "duration_bucket": bucket_of(1000), "status_code": 200, "cost_nano": number,
    }  # fmt: skip
    return Row(**(values | changes))


def preview(number: int, *, at: int = 0, text: str = "words") -> Preview:
    """Return a preview."""
    return Preview(id=f"rec_{number}", started_us=START + at, text=text, request_preview=f"p{number}")
