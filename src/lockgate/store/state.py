"""The state folder (``LOCKGATE_HOME``): gateway keys by their digest, and where the journal lives.

Until the database comes this is all the state there is. Keys are stored as SHA-256 digests; the text of the first
key is shown once, at its creation, and never again.
"""

from __future__ import annotations

import contextlib
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


class StateFolder:
    """Owns the state folder. Opening it creates it and proves that it can be written."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when the folder cannot be made or written."""
        self.path = path
        self.journal_path = path / "journal"
        try:
            self.journal_path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as error:
            raise ConfigError(
                f"cannot write the state folder {path}: {error.strerror}; set LOCKGATE_HOME to another folder"
            ) from None

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
