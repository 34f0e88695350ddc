"""Messages on their way out, each as a small file, so that they survive the end of the process that sends them.

A file is there from before the first try until the message is delivered or given up. Where several processes share a
folder, one that starts may send what another is still at: who takes messages knows them by their ids.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

import msgspec
from msgspec import Struct

_log = logging.getLogger("lockgate.limits")

MOST = 1000
"""How many messages may wait."""
OLDEST_S = 3 * 86_400
"""What has waited longer is of no use to anybody."""
_SUFFIX = ".json"


class Message(Struct, frozen=True, kw_only=True):
    """Something to be posted."""

    id: str
    """The same with each try; a file's name."""
    kind: str
    body: bytes
    put_at: float
    """In seconds since 1970."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Message).decode


class Outbox:
    """The messages of one folder. Nothing here raises: what the disk does not take is still sent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, message: Message) -> None:
        """Keep a message until it is done with."""
        path = self._folder / f"{message.id}{_SUFFIX}"
        beside = path.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
                out.write(_encode(message))
            os.replace(beside, path)
        except OSError as error:
            _log.error("%s does not survive a restart until it is delivered: %s", message.kind, error.strerror)

    def done(self, id: str) -> None:
        """Forget a message."""
        with contextlib.suppress(OSError):
            (self._folder / f"{id}{_SUFFIX}").unlink()

    def left(self, now_s: float) -> list[Message]:
        """Return what an earlier process left, the oldest first; what is damaged, too old or too much is removed."""
        found = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            try:
                message = _decode(path.read_bytes())
            except (OSError, msgspec.MsgspecError):
                self.done(path.stem)
                continue
            if message.put_at < now_s - OLDEST_S:
                _log.error("%s of long ago was never delivered and is given up", message.kind)
                self.done(message.id)
            else:
                found.append(message)
        found.sort(key=lambda message: (message.put_at, message.id))
        for message in found[MOST:]:
            _log.error("too many alerts wait; %s is given up", message.kind)
            self.done(message.id)
        return found[:MOST]
