"""Master keys: 32 bytes that wrap the data keys, and are stored beside no data.

They come from ``LOCKGATE_MASTER_KEY`` (base64), or from ``master.key`` in the state folder. While one is being replaced
the one before it is accepted too: ``LOCKGATE_MASTER_KEY_PREVIOUS`` or ``master.key.previous``.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from lockgate.core.secret import Secret
from lockgate.errors import ConfigError

VARIABLE = "LOCKGATE_MASTER_KEY"
PREVIOUS_VARIABLE = "LOCKGATE_MASTER_KEY_PREVIOUS"
FILE = "master.key"
PREVIOUS_FILE = "master.key.previous"
_KEY_BYTES = 32
_NONCE_BYTES = 12


class MasterKey:
    """One master key. Nothing shows it."""

    __slots__ = ("_cipher", "id", "text")

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self.id = hashlib.sha256(b"lockgate master key\0" + key).hexdigest()[:16]
        """Says which one wrapped a data key, and nothing about the key."""
        self.text = Secret(base64.b64encode(key).decode())

    def wrap(self, name: str, data_key: bytes) -> bytes:
        """Encrypt a data key; only under the same name can it be unwrapped."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data_key, name.encode())

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """Return the data key. Raises ConfigError when it was not wrapped by this key, or was changed."""
        try:
            return self._cipher.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError):
            raise ConfigError("a data key does not open with the master key that it names: it was changed") from None


class MasterKeys(Struct, frozen=True, kw_only=True):
    """The key that wraps, and those that still unwrap."""

    current: MasterKey
    previous: tuple[MasterKey, ...] = ()

    def find(self, id: str) -> MasterKey | None:
        """Return the key of that id."""
        return next((key for key in (self.current, *self.previous) if key.id == id), None)


ReadMasterKeys = Callable[[], MasterKeys]


def new_master_key() -> MasterKey:
    """Return a key that nobody has."""
    return MasterKey(os.urandom(_KEY_BYTES))


def read_master_keys(environment: Mapping[str, str], home: Path, *, may_make: bool) -> MasterKeys:
    """Read the keys; the environment goes before the file. With ``may_make`` a missing file is made, for its owner
    only. Raises ConfigError."""
    given = environment.get(VARIABLE)
    if given:
        old = environment.get(PREVIOUS_VARIABLE)
        previous = (_parse(old, PREVIOUS_VARIABLE),) if old else ()
        return MasterKeys(current=_parse(given, VARIABLE), previous=previous)
    path = home / FILE
    current = _read(path)
    if current is None and may_make:
        _make(path)
        current = _read(path)
    if current is None:
        raise ConfigError(f"there is no master key: set {VARIABLE} to 32 random bytes in base64")
    old_key = _read(home / PREVIOUS_FILE)
    return MasterKeys(current=current, previous=(old_key,) if old_key else ())


def replace_file(home: Path, new: MasterKey) -> None:
    """Make a key the current one of the state folder; the one before stays readable beside it. Raises ConfigError."""
    try:
        _write(home / PREVIOUS_FILE, (home / FILE).read_text("ascii"))
        _write(home / FILE, new.text.reveal() + "\n")
    except OSError as error:
        raise ConfigError(f"cannot write the master key below {home}: {error.strerror}") from None


def forget_previous_file(home: Path) -> None:
    """Remove the key before the current one, once nothing is wrapped by it."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(home / PREVIOUS_FILE)


def _parse(text: str, where: str) -> MasterKey:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigError(f"{where}: expected {_KEY_BYTES} bytes in base64")
    return MasterKey(key)


def _read(path: Path) -> MasterKey | None:
    try:
        return _parse(path.read_text("ascii"), str(path))
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected {_KEY_BYTES} bytes in base64") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _make(path: Path) -> None:
    """Make the file; of several processes that try, one does."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        _write(scratch, new_master_key().text.reveal() + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)
        os.unlink(scratch)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    """Write a file for its owner only, whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(scratch, path)
