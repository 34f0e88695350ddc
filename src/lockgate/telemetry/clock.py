"""The real clock."""

from __future__ import annotations

import time


class SystemClock:
    """Implements ``ports.Clock``."""

    monotonic = staticmethod(time.perf_counter)
    unix = staticmethod(time.time)
