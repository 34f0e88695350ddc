"""All the work on records that no request waits for: redacting and writing bodies, shipping the journal, forgetting.

It needs nothing but what ``Task`` says, so it can be done in a thread of the gateway or in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec import Struct

from lockgate.core.capture import Capture
from lockgate.core.recording import Rules
from lockgate.dialects import Dialect
from lockgate.records.shipping.body_journal import BodyJournal, BodyLimits
from lockgate.records.shipping.keeper import Keeper, KeeperSettings
from lockgate.records.shipping.pressure import room_for_bodies
from lockgate.records.shipping.shipper import ShipperStatus

CLOSE_S = 10.0
"""How long the end may take."""


class Task(Struct, frozen=True, kw_only=True):
    """Where, and how."""

    records: str
    """The folder of the store."""
    journal: str
    keeper: KeeperSettings = KeeperSettings()
    bodies: BodyLimits = BodyLimits()
    salt: bytes = b""
    """Of the hashes that stand for personal data."""


class Tending:
    """The work, in threads of this process. Implements ``ports.CaptureSink``."""

    def __init__(
        self,
        task: Task,
        dialects: Mapping[str, Dialect],
        *,
        first_needed: Callable[[], int | None] = lambda: None,
    ) -> None:
        """``first_needed``: the first segment of the journal that somebody else needs.

        Raises ConfigError when bodies cannot be written.
        """
        journal = Path(task.journal)
        self._keeper = Keeper(Path(task.records), journal, task.keeper, first_needed=first_needed)

        @lru_cache(maxsize=1024)
        def salted(rules: Rules) -> Rules:
            return msgspec.structs.replace(rules, salt=task.salt)

        self._bodies = BodyJournal(
            journal / "bodies",
            lambda capture: salted(capture.rules),
            limits=task.bodies,
            may_write=room_for_bodies(journal, task.keeper.disk),
            dialects=dialects,
        )

    def start(self) -> None:
        """Begin to ship."""
        self._keeper.start()

    def offer(self, capture: Capture) -> None:
        """Keep bodies if there is room for them."""
        self._bodies.offer(capture)

    def close(self) -> None:
        """Write and ship what is there, and end."""
        self._bodies.close(CLOSE_S)
        self._keeper.stop(CLOSE_S)

    @property
    def shed(self) -> int:
        """Requests whose bodies were not kept for want of room."""
        return self._bodies.shed

    @property
    def status(self) -> ShipperStatus:
        """What was shipped, and what holds it up."""
        return self._keeper.status
