"""The journal of bodies: a bounded queue, and a thread that redacts and appends. Nothing here holds up a request.

Bodies travel apart from records, so that they can be shed without touching what money is counted by: when the queue is
full, when unshipped segments are too large, when the disk fills. Each is counted.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from lockgate.core.capture import Capture, shortened
from lockgate.dialects import Dialect
from lockgate.errors import ConfigError
from lockgate.records.bodies.kept import keep, write_kept
from lockgate.records.redaction import Rules
from lockgate.records.shipping.frames import write_frame

SUFFIX = ".bodies"
_log = logging.getLogger("lockgate.records")
_WAIT_S = 0.5
_GATHER_S = 0.05
"""How long what came first waits for more: one thread that wakes for each request would take turns with the one that
serves them."""
_WRITE_BYTES = 256 * 1024
_LOOK_S = 1.0
"""How often the folder is looked at for what is not shipped."""


class BodyLimits(Struct, frozen=True, kw_only=True):
    """How much may wait, and how large a body may be."""

    queue_bytes: int = 64 << 20
    queue_items: int = 10_000
    body_bytes: int = 10 << 20
    """Longer bodies are cut to their first 256 KB and last 64 KB."""
    segment_bytes: int = 64 << 20
    unshipped_bytes: int = 1 << 30
    """More in segments that wait to be shipped: new bodies are shed."""


def _own_rules(capture: Capture) -> Rules:
    return capture.rules


class BodyJournal:
    """Implements ``ports.CaptureSink``."""

    def __init__(
        self, folder: Path, rules_of: Callable[[Capture], Rules] = _own_rules, *, limits: BodyLimits | None = None,
        may_write: Callable[[], bool] = lambda: True, dialects: Mapping[str, Dialect] | None = None,
    ) -> None:  # fmt: skip
        """``may_write``: whether the disk has room for bodies. ``dialects`` put streams together.

        Raises ConfigError when the folder cannot be written.
        """
        self._folder = folder
        self._dialects = dialects or {}
        self._rules_of = rules_of
        self._limits = limits or BodyLimits()
        self._may_write = may_write
        self._queue: deque[Capture] = deque()
        self._queued_bytes = 0
        self._wake = threading.Condition()
        self._hurry = threading.Event()
        """Set when somebody waits for what is queued."""
        self._is_closing = False
        self._is_busy = False
        self._fd = -1
        self._size = 0
        self._frames: list[bytes] = []
        """Made and not written yet; their sizes together are ``_framed``."""
        self._framed = 0
        self._unshipped = 0
        self._looked_s = float("-inf")
        self.shed = 0
        """Requests whose bodies were not kept for want of room since the start."""
        self.failed = 0
        """Requests whose bodies could not be redacted, which are not kept either."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._open()
        except OSError as error:
            raise ConfigError(f"cannot write bodies in {folder}: {error.strerror}") from None
        self._thread = threading.Thread(target=self._run, name="body-journal", daemon=True)
        self._thread.start()

    def offer(self, capture: Capture) -> None:
        """Queue bodies if there is room."""
        limits = self._limits
        capture = shortened(capture, limits.body_bytes)
        size = capture.size_bytes
        with self._wake:
            if len(self._queue) >= limits.queue_items or self._queued_bytes + size > limits.queue_bytes:
                self.shed += 1
                return
            self._queue.append(capture)
            self._queued_bytes += size
            if len(self._queue) == 1 and not self._is_busy:
                self._wake.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything that is queued is written; False when time is up."""
        self._hurry.set()
        with self._wake:
            return self._wake.wait_for(lambda: not self._queue and not self._is_busy, timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what is queued, as far as time allows, and close the file."""
        self.flush(timeout_s)
        with self._wake:
            self._is_closing = True
            self._wake.notify_all()
        self._thread.join(timeout_s)
        if self._fd >= 0 and not self._thread.is_alive():
            os.close(self._fd)
            self._fd = -1

    def _run(self) -> None:
        while self._has_some():
            self._hurry.wait(_GATHER_S)
            while (capture := self._take()) is not None:
                self._keep(capture)
            self._hurry.clear()
            self._write()

    def _has_some(self) -> bool:
        """Wait until something is queued; False when the journal is closed and nothing is."""
        with self._wake:
            self._is_busy = False
            self._wake.notify_all()
            while not self._queue:
                if self._is_closing:
                    return False
                self._wake.wait(_WAIT_S)
            self._is_busy = True
            return True

    def _take(self) -> Capture | None:
        with self._wake:
            if not self._queue:
                return None
            capture = self._queue.popleft()
            self._queued_bytes -= capture.size_bytes
            return capture

    def _keep(self, capture: Capture) -> None:
        """Redact bodies and put them into a frame."""
        if not self._may_write() or self._is_behind():
            self.shed += 1
            return
        try:
            rules, limit = self._rules_of(capture), self._limits.body_bytes
            kept = keep(capture, rules, limit_bytes=limit, dialects=self._dialects)
        except Exception as error:  # noqa: BLE001  # what cannot be redacted must not be kept, and must not end the thread
            self.failed += 1
            _log.error("the bodies of %s were not kept: %s", capture.record_id, type(error).__name__)
            return
        if kept is None:
            return
        frame = write_frame(write_kept(kept))
        if self._framed >= _WRITE_BYTES or self._size + self._framed + len(frame) > self._limits.segment_bytes:
            self._write()
        self._frames.append(frame)
        self._framed += len(frame)

    def _write(self) -> None:
        """Append the frames that are made, all of them to one segment."""
        frames, size = self._frames, self._framed
        self._frames, self._framed = [], 0
        if not frames:
            return
        written = 0
        try:
            if self._size and self._size + size > self._limits.segment_bytes:
                os.close(self._fd)
                self._open()
            written = os.write(self._fd, b"".join(frames))
            self._size += written
            self._unshipped += written
            if written != size:
                raise OSError(0, "short write")
        except OSError as error:
            ends = itertools.accumulate(map(len, frames))
            lost = sum(end > written for end in ends)
            self.shed += lost
            _log.error("the bodies of %d requests were not kept: %s", lost, error.strerror)

    def _open(self) -> None:
        last = max((int(p.stem) for p in self._folder.glob(f"*{SUFFIX}") if p.stem.isdigit()), default=0)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        for number in range(last + 1, last + 1000):
            try:
                self._fd = os.open(self._folder / f"{number:010d}{SUFFIX}", flags, 0o600)
            except FileExistsError:
                continue
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._size = 0
            return
        raise OSError(0, "no free file name")

    def _is_behind(self) -> bool:
        """Tell whether too much waits to be shipped. The folder is looked at when it may, and once a second."""
        now_s = time.monotonic()
        if self._unshipped + self._framed > self._limits.unshipped_bytes or now_s - self._looked_s >= _LOOK_S:
            self._unshipped, self._looked_s = self._measure(), now_s
        return self._unshipped + self._framed > self._limits.unshipped_bytes

    def _measure(self) -> int:
        total = 0
        for path in self._folder.glob(f"*{SUFFIX}"):
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue
        return total
