"""What ``lockgate check`` looks at: the file, the environment's keys, the database. Nothing is started or changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from lockgate.app.gateway import check_config
from lockgate.app.offline import missing_providers
from lockgate.config import Document
from lockgate.errors import ConfigError, ConfigFaults, raise_all
from lockgate.store.probe import probe_database


class Checkup(Struct, frozen=True, kw_only=True):
    """What was found."""

    document: Document
    notes: list[str]
    """What is not wrong yet."""
    database: str | None
    """One sentence; None when nobody looked."""


def check_all(path: Path, environment: Mapping[str, str], home: Path, *, is_offline: bool = False) -> Checkup:
    """Look at everything. Raises ConfigError, ConfigFaults with every fault that was found.

    When ``is_offline``, no connection is made, and what only a database could hold becomes a note.
    """
    faults: list[ConfigError] = []
    document = Document()
    with _collecting(faults):
        document = check_config(path, environment)
    database, slugs = None, None
    if not is_offline:
        with _collecting(faults):
            probed = probe_database(document.database.url, environment, home)
            slugs = probed.provider_slugs
            state = "answers" if probed.is_there else "is made at the first start"
            database = f"The database {probed.shown} {state}."
    notes: list[str] = []
    if not faults:
        missing = missing_providers(path, environment, slugs)
        if slugs is None:
            notes = [str(note) for note in missing]
        else:
            faults += [note for note in missing if ".providers: " in note.message]
            notes = [str(note) for note in missing if note not in faults]
    raise_all(faults)
    return Checkup(document=document, notes=notes, database=database)


@contextmanager
def _collecting(faults: list[ConfigError]) -> Iterator[None]:
    try:
        yield
    except ConfigFaults as error:
        faults += error.faults
    except ConfigError as error:
        faults.append(error)
