"""The file that lets counters in memory survive a restart: their state, and the place in the journal that it covers.

It is replaced in one step, so that a crash leaves the one before. At start the journal's charges after that place are
counted on top. A state and its place must be taken together, with no await between a record's writing and its settling.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct

from lockgate.core.journal import Position
from lockgate.errors import ConfigError
from lockgate.store.counters_memory import MemoryState

CHECKPOINT = "counters.json"
"""Its name in the state folder."""


class Checkpoint(Struct, frozen=True, kw_only=True):
    """Counters at a place in the journal."""

    version: int = 1
    position: Position | None = None
    """None: the journal had not begun."""
    state: MemoryState = MemoryState()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Checkpoint).decode


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint of a file, an empty one when there is none.

    Raises ConfigError when the file cannot be read or is damaged: without it budgets would begin at zero unasked.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Checkpoint()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    try:
        return _decode(data)
    except msgspec.MsgspecError as error:
        raise ConfigError(
            f"{path} is damaged: {error}; without the file, counters are made again from the whole journal"
        ) from None


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file, on disk when this returns. Raises ConfigError; then the old file is as it was."""
    name = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}-")
        with os.fdopen(handle, "wb") as out:
            out.write(_encode(checkpoint))
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, path)
    except OSError as error:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
