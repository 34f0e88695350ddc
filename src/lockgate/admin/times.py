"""Times as the control plane's API writes and reads them: ISO 8601, UTC, milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from lockgate.errors import InvalidRequest

_LOST_PLUS = re.compile(r"(\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) (\d{2}:?\d{2})$")


def write_time(moment: datetime) -> str:
    """Return ``2026-08-21T09:30:00.000Z``."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def write_time_or_none(moment: datetime | None) -> str | None:
    """Return the time's text, or None where there is none."""
    return write_time(moment) if moment is not None else None


def normal_time(text: str, path: str) -> str:
    """Return a client's time in UTC; without an offset it is taken as UTC, and a bare date as its midnight.

    A query string may have turned the ``+`` of an offset into a space. What is no time at all comes back as it is, for
    the typed reading to refuse. Raises InvalidRequest for a moment before year 1 or after 9999.
    """
    try:
        moment = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text.strip()))
    except ValueError:
        return text
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC).isoformat()
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:
        raise InvalidRequest(f"{path}: the time is out of range; give one from year 1 to 9999", path=path) from None
