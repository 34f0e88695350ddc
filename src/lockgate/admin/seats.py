"""How many clients of a process may follow something at once: each costs a query twice a second."""

from __future__ import annotations

import threading

MOST = 32


class Seats:
    """So many, no more. May be used from any thread."""

    def __init__(self, most: int = MOST) -> None:
        self._lock = threading.Lock()
        self._free = most

    def take(self) -> bool:
        """Take a seat; False when there is none."""
        with self._lock:
            if self._free == 0:
                return False
            self._free -= 1
            return True

    def leave(self) -> None:
        """Give a seat back."""
        with self._lock:
            self._free += 1
