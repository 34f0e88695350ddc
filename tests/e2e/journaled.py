"""What the gateway wrote of its requests, read from its journal."""

from __future__ import annotations

from lockgate.core.record import Record
from lockgate.telemetry.journal import read_line
from tests.e2e.gateway import Server


def record_of(gateway: Server, request_id: str) -> Record:
    """Return the one record of an exchange, whose id is that of ``x-portkey-request-id``."""
    record_id = "rec_" + request_id.replace("-", "")
    (found,) = [record for record in records_with(gateway, record_id) if record.id == record_id]
    return found


def records_with(gateway: Server, text: str) -> list[Record]:
    """Return the whole records whose line holds a text, oldest first. A gateway of many tests has thousands of others."""
    lines: list[bytes] = []
    for path in sorted((gateway.home / "journal").glob("*.log")):
        lines += [line for line in path.read_bytes().splitlines(keepends=True) if text.encode() in line]
    return [record for record in map(read_line, lines) if record is not None]
