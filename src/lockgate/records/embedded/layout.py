"""Where everything lies in the folder of records."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from lockgate.records.embedded.manifest import DAY_US

PREFIX = "cold-"
"""Begins the names of sealed files that were put aside."""
BAD = ".bad"
"""Ends the names of damaged pieces of the journal that were put aside."""


class Layout:
    """Paths below one folder.

    manifest.db    what there is               hot/2026-11-22.db    fresh rows of a day
    feedback.db    what people think           cold/*.parquet       sealed hours and days
    writer.lock    held by the one writer      bodies/2026-11-22/   requests and answers
    temp/          drafts                      quarantine/          what could not be read
    inbox/         what a command hands to the writer
    deletions.jsonl    copies of the deletions that the manifest knows
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = folder / "manifest.db"
        self.feedback = folder / "feedback.db"
        self.lock = folder / "writer.lock"
        self.hot = folder / "hot"
        self.cold = folder / "cold"
        self.bodies = folder / "bodies"
        self.temp = folder / "temp"
        self.inbox = folder / "inbox"
        self.quarantine = folder / "quarantine"

    def create(self) -> None:
        """Make the folders."""
        for path in (self.hot, self.cold, self.bodies, self.temp, self.inbox, self.quarantine):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def day(self, day: int) -> Path:
        """Return the file of a day's fresh rows."""
        return self.hot / f"{name_of(day)}.db"

    def bodies_of(self, day: int) -> Path:
        """Return the folder of a day's bodies."""
        return self.bodies / name_of(day)


def name_of(day: int) -> str:
    """Return the date of a day."""
    return datetime.fromtimestamp(day * DAY_US // 1_000_000, UTC).date().isoformat()


def day_of_name(name: str) -> int:
    """Return the day of a date. Raises ValueError."""
    moment = datetime.fromisoformat(name).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000 // DAY_US
