"""Waits for what a process of ours does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_S = 60.0


def wait_until(what: Callable[[], object], told: Callable[[], object] = lambda: "it did not happen in time") -> None:
    """Ask again and again until the answer is true. ``told`` says what was there when it did not come to be."""
    until_s = time.monotonic() + LONGEST_S
    while not what():
        assert time.monotonic() < until_s, told()
        time.sleep(0.02)
