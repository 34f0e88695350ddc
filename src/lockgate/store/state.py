"""The state folder (``LOCKGATE_HOME``): gateway keys by their digest, and where the journal lives.

Until the database comes this is all the state there is. Keys are stored as SHA-256 digests; the text of the first
key is shown once, at its creation, and never again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from lockgate.errors import ConfigError
from lockgate.plan.snapshot import GatewayKey


class StoredKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key as it stands in ``keys.json``."""

    name: str
    sha256: str
    created_at: str


class _KeyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int = 1
    keys: tuple[StoredKey, ...] = ()


_OTHERS = 0o077
_DATA = ("*.db*", "records/*.db*")
"""Files that SQLite made, which takes the permissions that the process has by default."""


def _tighten(path: Path) -> None:
    """Take data files that earlier versions left readable away from everybody else."""
    for pattern in _DATA:
        for file in path.glob(pattern):
            with contextlib.suppress(FileNotFoundError, PermissionError):
                mode = file.stat().st_mode
                if mode & _OTHERS:
                    file.chmod(mode & ~_OTHERS & 0o777)


class StateFolder:
    """Owns the state folder. Opening it creates it and proves that it can be written."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when the folder cannot be made or written."""
        self.path = path
        self.journal_path = path / "journal"
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.journal_path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=path):
                pass
            _tighten(path)
        except OSError as error:
            raise ConfigError(
                f"cannot write the state folder {path}: {error.strerror}; set LOCKGATE_HOME to another folder"
            ) from None

    def own(self) -> int:
        """Keep every other gateway out of the folder, until the descriptor that this returns is closed.

        Two that count for themselves would each spend a whole budget. Raises ConfigError when one is there.
        """
        handle = os.open(self.path / "gateway.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise ConfigError(
                f"another gateway (process {holder}) uses the state folder {self.path}: use that one, end it, or set "
                "LOCKGATE_HOME to another folder"
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, b"%d\n" % os.getpid())
        return handle

    def read_keys(self) -> Mapping[bytes, GatewayKey]:
        """Return the stored keys by digest. Raises ConfigError when the file is damaged."""
        keys = self._read().keys
        try:
            return {bytes.fromhex(key.sha256): GatewayKey(id=f"key_{key.name}", name=key.name) for key in keys}
        except ValueError:
            raise ConfigError(f"{self._file} is damaged: a sha256 is not hexadecimal") from None

    def add_key(self, key: StoredKey) -> None:
        """Add a key; the file is replaced in one step, so a crash leaves the old one. Raises ConfigError."""
        document = self._read()
        if any(key.name == old.name for old in document.keys):
            raise ConfigError(f"there is a key named {key.name} already")
        self._write(_KeyFile(keys=(*document.keys, key)))

    def stored_keys(self) -> tuple[StoredKey, ...]:
        """Return the keys that an earlier version kept here. Raises ConfigError when the file is damaged."""
        return self._read().keys

    def retire_keys(self) -> None:
        """Put the file of keys aside, once the database has them."""
        with contextlib.suppress(FileNotFoundError):
            os.replace(self._file, self._file.with_suffix(".json.imported"))

    @property
    def _file(self) -> Path:
        return self.path / "keys.json"

    def _read(self) -> _KeyFile:
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return _KeyFile()
        except OSError as error:
            raise ConfigError(f"cannot read {self._file}: {error.strerror}") from None
        try:
            return msgspec.json.decode(data, type=_KeyFile)
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{self._file} is damaged: {error}") from None

    def _write(self, document: _KeyFile) -> None:
        data = msgspec.json.format(msgspec.json.encode(document), indent=2)
        try:
            handle, name = tempfile.mkstemp(dir=self.path, prefix="keys-")
        except OSError as error:
            raise ConfigError(f"cannot write {self._file}: {error.strerror}") from None
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data + b"\n")
                out.flush()
                os.fsync(out.fileno())
            os.replace(name, self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise ConfigError(f"cannot write {self._file}: {error.strerror}") from None
