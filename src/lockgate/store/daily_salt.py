"""A secret that lasts for a day and is then forgotten: what was hashed with it can be told apart that day, never after.

It lies in a file that all processes of the state folder share.
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

_log = logging.getLogger("lockgate.records")
_DAY_S = 86_400
_SALT_BYTES = 16


class DailySalt:
    """Hands out the salt of a day (UTC)."""

    def __init__(self, path: Path) -> None:
        """Opens nothing yet."""
        self._path = path
        self._day = -1
        self._salt = b""

    def at(self, now_s: float) -> bytes:
        """Return the salt of a moment. A file that cannot be written means one of this process's own. Never raises."""
        day = int(now_s) // _DAY_S
        if day > self._day:
            self._salt, self._day = self._shared(day), day
        return self._salt

    def _shared(self, day: int) -> bytes:
        """Return the salt that the first process of the day has put there."""
        fresh = secrets.token_bytes(_SALT_BYTES)
        beside = self._path.with_name(f".{self._path.name}-{secrets.token_hex(8)}")
        own = self._path.with_name(f"{self._path.name}-{day}")
        try:
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(handle, fresh)
            finally:
                os.close(handle)
            try:
                os.link(beside, own)
            except FileExistsError:
                fresh = own.read_bytes()
            finally:
                os.unlink(beside)
            for old in self._path.parent.glob(f"{self._path.name}-*"):
                if old != own:
                    old.unlink(missing_ok=True)
        except OSError as error:
            _log.error("the salt of today is this process's own: %s", error)
        return fresh
