"""The parts of an export, and the manifest beside them: what was asked for, and how each part is known again.

``NAME.jsonl`` in parts is ``NAME.00001.jsonl``, ``NAME.00002.jsonl`` and so on (``NAME.00001.jsonl.gz``), with
``NAME.manifest.json``.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

import lockgate
from lockgate.errors import InvalidRequest
from lockgate.records.exports.writers import Format
from lockgate.records.row import FAR_FUTURE_US
from lockgate.records.store import PageQuery

ENDING = ".manifest.json"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_BYTES = 64 << 20


class Part(Struct, frozen=True, kw_only=True):
    """A file of an export, in the manifest's folder."""

    name: str
    rows: int
    size_bytes: int
    sha256: str


class Asked(Struct, frozen=True, kw_only=True):
    """What an export was asked for, by the names of who asked."""

    query: str | None = None
    """A line of the search box."""
    filters: Mapping[str, Any] | None = None
    """Portkey's filters by name."""
    since: str | None = None
    """The first moment, in UTC; None: since ever."""
    until: str | None = None
    """Before when, in UTC; None: without an end."""


class Manifest(Struct, frozen=True, kw_only=True):
    """An export that is whole."""

    rows: int
    format: Format
    columns: tuple[str, ...]
    asked: Asked
    parts: tuple[Part, ...]
    lockgate_version: str = lockgate.__version__


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Manifest).decode


def asked_of(query: PageQuery, text: str | None = None, filters: Mapping[str, Any] | None = None) -> Asked:
    """Return what a query asks for, with the words it was asked in."""
    return Asked(
        query=text or None,
        filters=filters,
        since=_moment(query.from_us) if query.from_us > 0 else None,
        until=_moment(query.to_us) if query.to_us < FAR_FUTURE_US else None,
    )


def part_path(path: Path, number: int) -> Path:
    """Return where a part lies, counted from 1, of an export into a file."""
    name, ending = _parted(path)
    return path.with_name(f"{name}.{number:05d}{ending}")


def manifest_path(path: Path) -> Path:
    """Return where the manifest of an export into a file lies."""
    return path.with_name(_parted(path)[0] + ENDING)


def forget_manifest(path: Path) -> list[Path]:
    """Remove the manifest of an earlier export into a file; return the numbered parts that it lists. Raises OSError.

    One that lists anything else belongs to another file and stays.
    """
    manifest = manifest_path(path)
    try:
        listed = [part.name for part in read_manifest(manifest).parts]
    except (InvalidRequest, FileNotFoundError):
        return []
    parts = [part_path(path, number) for number in range(1, len(listed) + 1)]
    if listed == [path.name]:
        parts = []
    elif listed != [part.name for part in parts]:
        return []
    manifest.unlink(missing_ok=True)
    return parts


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest, whole or not at all. Raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with draft.open("wb") as file:
            os.chmod(draft, 0o600)
            file.write(msgspec.json.format(_encode(manifest), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def read_manifest(path: Path) -> Manifest:
    """Return what a manifest says. Raises InvalidRequest when it is none, OSError."""
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES)
    try:
        found = _decode(data)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"{path.name} is no manifest of an export: {error}") from None
    for part in found.parts:
        if part.name != Path(part.name).name or part.name in ("", ".", ".."):
            raise InvalidRequest(f"{path.name} is no manifest of an export: {part.name!r} is no name of a file")
    if sum(part.rows for part in found.parts) != found.rows:
        raise InvalidRequest(f"{path.name}: its parts do not have {found.rows} rows together")
    return found


def check_parts(folder: Path, manifest: Manifest) -> list[Path]:
    """Return the parts of a manifest. Raises InvalidRequest that names one that is missing or changed, OSError."""
    found = [folder / part.name for part in manifest.parts]
    for path, part in zip(found, manifest.parts, strict=True):
        if not path.is_file():
            raise InvalidRequest(f"{part.name} is missing")
        if path.stat().st_size != part.size_bytes or digest(path) != part.sha256:
            raise InvalidRequest(f"{part.name} is not as it was written: its SHA-256 is not {part.sha256}")
    return found


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Force a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _parted(path: Path) -> tuple[str, str]:
    """Return a name without its endings, and those: ``x.csv.gz`` has two."""
    packed = ".gz" if path.name.endswith(".gz") and path.name != ".gz" else ""
    plain = Path(path.name.removesuffix(packed) if packed else path.name)
    return plain.stem, plain.suffix + packed


def _moment(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")
