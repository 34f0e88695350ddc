"""Records and bodies as an ended gateway leaves them: in the journal of a state folder."""

from __future__ import annotations

import json

from lockgate.core.capture import Capture
from lockgate.records.redaction import Rules
from lockgate.records.shipping.body_journal import BodyJournal
from lockgate.telemetry.journal import Journal

START_S = 1_700_000_000.0
"""2023-11-14, 22:13:20 UTC."""


def record(number, **changes):
    """Return a record as the journal has it: a second after the one before."""
    made = {
        "schema_version": 2, "id": f"rec_{number:032x}", "trace_id": f"trace-{number}", "started_at": START_S + number,
        "method": "POST", "route": "chat", "dialect": "openai_chat", "status": 200, "workspace_id": "ws", "key_name": "app",
        "slug": "anthropic", "provider": "anthropic", "model_asked": "@anthropic/claude", "model": "claude-haiku",
        "duration_ms": 12.5, "tokens": {"input": 10, "output": 5}, "response_id": f"msg_{number}",
        "cost": {"nanos": 35_000, "status": "priced", "version": "2026-11", "parts": {"input": 10_000, "output": 25_000}},
        "stages": {"receive": 0.5, "prepare": 2.0, "upstream_first": 5.0, "upstream_rest": 4.5, "finish": 0.5},
        "attempts": [
            {"provider": "anthropic", "slug": "anthropic", "model": "claude-haiku", "status": 529, "error": "overloaded",
             "duration_ms": 2.0},
            {"provider": "anthropic", "slug": "anthropic", "model": "claude-haiku", "status": 200, "kind": "retry",
             "waited_ms": 1.0, "started_ms": 3.0, "duration_ms": 9.5},
        ],
    }  # fmt: skip
    return made | changes


def write_records(home, records, captures=(), rules=None):
    """Put records, and bodies, into the journal of a state folder."""
    (home / "journal").mkdir(parents=True, exist_ok=True)
    journal = Journal(home / "journal", fsync="off", segment_bytes=1 << 20)
    for each in records:
        journal.append(json.dumps(each).encode(), each["id"])
    journal.close()
    if captures:
        bodies = BodyJournal(home / "journal" / "bodies", lambda _: rules or Rules())
        for capture in captures:
            bodies.offer(capture)
        bodies.close()


def capture(of, request, response=b'{"ok":true}', **more):
    """Return the bodies of a record."""
    return Capture(
        record_id=of["id"], started_at=of["started_at"], workspace_id=of["workspace_id"], request=request, response=response,
        **more,
    )  # fmt: skip
