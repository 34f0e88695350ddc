"""Copies of everything that a machine needs to go on elsewhere: database, what budgets have used, records.

What must not lie beside the data, or is not ours to copy, is left out and named: the master key, the configuration
file, a database or counters on servers. What budgets have used is counted together from the last checkpoint and the
journal, as a start of the gateway would do it, so that the copy needs no journal.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from lockgate.app.counting import counters_left
from lockgate.app.options import REDIS_VARIABLE
from lockgate.config import Document
from lockgate.errors import ConfigError, Conflict
from lockgate.records import backup as records
from lockgate.records.backup import Progress, copy_database
from lockgate.store.checkpoint import CHECKPOINT, Checkpoint, write_checkpoint
from lockgate.store.directory import URL_VARIABLE
from lockgate.store.engine import database_url
from lockgate.store.master_key import FILE, VARIABLE, read_master_keys
from lockgate.store.state import StateFolder
from lockgate.telemetry.clock import SystemClock

_DONE = "complete"
_RECORDS = "records"
_DATABASE = "lockgate.db"
_SERVER = "appendonlydir"
"""What the private server of several workers writes."""
_ATTEMPTS = 5


class Copied(Struct, frozen=True):
    """What was copied, and what the operator has to see to."""

    files: int
    size_bytes: int
    seconds: float
    remarks: tuple[str, ...]
    """A sentence each."""


class _Made(Struct, frozen=True, kw_only=True):
    """What a complete copy says of itself."""

    version: int = 1
    master_key: str | None = None
    """The id of the key that opens the database."""


def back_up(
    home: Path,
    target: Path,
    *,
    document: Document,
    environment: Mapping[str, str],
    progress: Progress = lambda _done, _all: None,
) -> Copied:
    """Copy a state folder into an empty folder, while a gateway runs with it or not. Raises Conflict, OSError,
    ConfigError when what budgets have used cannot be read."""
    if target.exists() and any(target.iterdir()):
        raise Conflict(f"{target} is not empty")
    started = time.monotonic()
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = _master_key(environment, home)
    remarks = [_keep_key(key, environment, home), "The configuration file and what it names are not in it"]
    # the database first: what is used of a budget that it does not know yet harms nobody
    url = database_url(environment.get(URL_VARIABLE) or document.database.url, home)
    if url.drivername != "sqlite":
        remarks.append("The database is on a server and not in it: copy it with the means of that server (pg_dump)")
    elif Path(url.database or "").exists():
        copy_database(Path(url.database or ""), target / _DATABASE)
        os.chmod(target / _DATABASE, 0o600)
    if environment.get(REDIS_VARIABLE) or document.counters.url:
        remarks.append("What budgets have used is on the server of the counters and not in it: copy that server, too")
    else:
        state = counters_left(home / "journal", SystemClock()).state()
        write_checkpoint(target / CHECKPOINT, Checkpoint(state=state))
        _copy_server(home / _SERVER, target / _SERVER)
    if (home / _RECORDS).exists():
        records.back_up(home / _RECORDS, target / _RECORDS, progress=progress)
    (target / _DONE).write_bytes(msgspec.json.encode(_Made(master_key=key)))
    return _told(target, started, remarks)


def restore(
    source: Path,
    home: Path,
    *,
    document: Document,
    environment: Mapping[str, str],
    progress: Progress = lambda _done, _all: None,
) -> Copied:
    """Put a copy into a state folder with which no gateway has run. Raises Conflict, ConfigError, OSError."""
    try:
        made = msgspec.json.decode((source / _DONE).read_bytes(), type=_Made)
    except (OSError, msgspec.MsgspecError):
        raise Conflict(f"{source} is not a complete copy") from None
    url = database_url(environment.get(URL_VARIABLE) or document.database.url, home)
    database = Path(url.database or "") if url.drivername == "sqlite" else None
    _check_unused(home, database)
    started = time.monotonic()
    lock = StateFolder(home).own()
    try:
        remarks = []
        if (source / _RECORDS).exists():
            records.restore(source / _RECORDS, home / _RECORDS, progress=progress)
        if (source / _SERVER).exists():
            shutil.copytree(source / _SERVER, home / _SERVER)
        if (source / CHECKPOINT).exists():
            shutil.copy(source / CHECKPOINT, home / CHECKPOINT)
        if database is None:
            remarks.append("The database is on a server: restore it there with the means of that server")
        elif (source / _DATABASE).exists():
            database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copy(source / _DATABASE, database)
    finally:
        os.close(lock)
    if made.master_key is not None and made.master_key not in _known_keys(environment, home):
        place = f"put it into {home / FILE}, or its text into {VARIABLE}"
        remarks.append(f"The database needs the master key {made.master_key} before the gateway starts: {place}")
    return _told(source, started, remarks)


def _check_unused(home: Path, database: Path | None) -> None:
    places = {
        "records": home / _RECORDS / "manifest.db", "a database": database, "counters": home / CHECKPOINT,
        "counters of workers": home / _SERVER,
    }  # fmt: skip
    found = next((name for name, path in places.items() if path is not None and path.exists()), None)
    if found is None and any((home / "journal").glob("*.log")):
        found = "a journal"
    if found is not None:
        raise Conflict(f"{home} holds {found} already; restore into a folder with which no gateway has run")


def _copy_server(folder: Path, target: Path) -> None:
    """Copy what a private counter server has written; what it appends meanwhile may end anywhere. Raises OSError."""
    manifests = sorted(folder.glob("*.manifest"))
    if not manifests:
        return
    for _ in range(_ATTEMPTS):
        before = [path.read_bytes() for path in manifests]
        shutil.rmtree(target, ignore_errors=True)
        try:
            shutil.copytree(folder, target)
        except shutil.Error:
            # it began new files meanwhile, and took the old ones away
            continue
        if before == [path.read_bytes() for path in manifests]:
            return
    raise OSError("the counters of the workers changed too often to be copied; try again")


def _master_key(environment: Mapping[str, str], home: Path) -> str | None:
    try:
        return read_master_keys(environment, home, may_make=False).current.id
    except ConfigError:
        return None


def _known_keys(environment: Mapping[str, str], home: Path) -> frozenset[str]:
    try:
        keys = read_master_keys(environment, home, may_make=False)
    except ConfigError:
        return frozenset()
    return frozenset(key.id for key in (keys.current, *keys.previous))


def _keep_key(key: str | None, environment: Mapping[str, str], home: Path) -> str:
    if key is None:
        return "No master key was found here; without the one of the database its credentials are lost"
    place = VARIABLE if environment.get(VARIABLE) else str(home / FILE)
    return f"The master key {key} is not in it: keep {place} elsewhere, for without it the copy cannot be used"


def _told(folder: Path, started: float, remarks: list[str]) -> Copied:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return Copied(
        files=len(paths),
        size_bytes=sum(path.stat().st_size for path in paths),
        seconds=time.monotonic() - started,
        remarks=tuple(remarks),
    )
