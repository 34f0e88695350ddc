"""Which processes of a state folder live: each holds a lock on a file of its own, which ends with the process.

So it is known at once, and for sure, that a process has died, however it died.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from lockgate.errors import ConfigError


class Processes:
    """The files of one folder, which is made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd: int | None = None

    def enter(self, name: str) -> None:
        """Say that a process of this name lives, until ``close`` or its end. Raises ConfigError."""
        path, beside = self._folder / name, self._folder / f".{name}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # under its name it is never seen without the lock
            os.link(beside, path)
            os.unlink(beside)
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}") from None

    def dead(self) -> list[str]:
        """Return the names of processes that have ended and were not buried."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if not path.name.startswith("."))
        except FileNotFoundError:
            return []
        return [path.name for path in paths if not is_locked(path)]

    def bury(self, name: str) -> None:
        """Forget a dead process."""
        (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """End: from now on this process counts as dead."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def is_locked(path: Path) -> bool:
    """Tell whether a living process holds a file; one that is gone is held by nobody."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
