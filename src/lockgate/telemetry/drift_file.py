"""Which counters of budgets differ from the ledger, as the last check found: a small file for all processes beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from lockgate.core.limits import Charged, Drift
from lockgate.telemetry.small_file import replace_file

NAME = "drifts.json"
"""In the state folder."""


class _Entry(Struct):
    limit: str
    group: str
    start: int
    extra: int


_decode = msgspec.json.Decoder(list[_Entry]).decode
_encode = msgspec.json.Encoder().encode


def write_drifts(path: Path, drifts: Sequence[Drift]) -> None:
    """Replace the file. Raises OSError."""
    entries = [_Entry(one.limit.id, one.group, one.start, -one.missing) for one in drifts]
    replace_file(path, _encode(entries))


class DriftFile:
    """Reads the file when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._found: Mapping[Charged, int] = {}

    def __call__(self) -> Mapping[Charged, int]:
        """Return what counters have too much; nothing where there was no check yet, or none can be read."""
        try:
            stat = self._path.stat()
            mark = (stat.st_mtime_ns, stat.st_ino)
            if mark != self._seen:
                entries = _decode(self._path.read_bytes())
                self._found = {Charged(one.limit, one.group, one.start): one.extra for one in entries}
                self._seen = mark
        except (OSError, msgspec.MsgspecError):
            self._seen, self._found = None, {}
        return self._found
