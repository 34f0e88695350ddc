"""The directory: everything the control plane stores, behind one face.

All of it is synchronous; code that runs on an event loop calls it in a thread. ::

    with directory.change(actor) as tx:
        integration = tx.insert(Integration(name="Main", slug="main", provider="openai"), secrets={"key": Secret(...)})
        provider = tx.insert(ProviderRecord(workspace_id=..., integration_id=integration.id, slug="main", name="Main"))
        compile_or_raise(tx.estate())

    with directory.read(scope) as view:
        page = view.page(ApiKey, page=0, size=100, workspace_id=...)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, OperationalError

from lockgate.entities import EVERYTHING, SYSTEM, Actor, Estate, Scope
from lockgate.errors import Conflict, Unavailable
from lockgate.store import audit
from lockgate.store.engine import database_url, open_engine, reading, writing
from lockgate.store.envelope import Vault
from lockgate.store.master_key import MasterKey, ReadMasterKeys, read_master_keys
from lockgate.store.migrate import migrate
from lockgate.store.reading import Reading
from lockgate.store.transaction import Transaction

URL_VARIABLE = "LOCKGATE_DATABASE_URL"

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time, in whole milliseconds, as everything here keeps it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class Directory:
    """One database. Threads may share it."""

    def __init__(self, engine: Engine, vault: Vault, clock: Clock = utc_now) -> None:
        """The engine's database must be migrated."""
        self._engine = engine
        self._vault = vault
        self._clock = clock

    def revision(self) -> int:
        """Return the position in the change feed: it grows with each committed change, by whatever process."""
        with self.read(EVERYTHING) as view:
            return view.revision()

    def load(self) -> Estate:
        """Return everything that is active at one revision, with its secrets."""
        with self.read(EVERYTHING) as view:
            return view.estate()

    @contextmanager
    def read(self, scope: Scope = EVERYTHING) -> Iterator[Reading]:
        """One moment of the database, as far as a scope sees it."""
        with _translated(), reading(self._engine) as connection:
            yield Reading(connection, scope, self._vault)

    @contextmanager
    def change(self, actor: Actor = SYSTEM) -> Iterator[Transaction]:
        """One transaction: kept when the block ends, undone when it raises. Changes wait for each other.

        Keep it short, and wait for nothing inside. Raises Unavailable when the database cannot be reached or is busy.
        """
        with _translated(), writing(self._engine) as connection:
            yield Transaction(connection, actor, self._vault, self._clock())

    def verify_audit(self) -> audit.Verdict:
        """Walk the chain of the audit log and say whether it holds."""
        with _translated(), reading(self._engine) as connection:
            return audit.verify(connection, self._vault)

    def rewrap(self, new: MasterKey, *, before: Callable[[], None] = lambda: None) -> int:
        """Wrap all data keys with another master key; return how many there are. ``before`` runs when no other process
        can make one. Raises ConfigError."""
        with _translated(), writing(self._engine) as connection:
            before()
            return self._vault.rewrap(connection, new)

    def outdated_keys(self) -> int:
        """Return how many data keys still need the master key before the current one."""
        with _translated(), reading(self._engine) as connection:
            return self._vault.count_outdated(connection)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def open_directory(*, url: str | None, home: Path, environment: Mapping[str, str], clock: Clock = utc_now) -> Directory:
    """Open the database and migrate it: ``LOCKGATE_DATABASE_URL``, else the URL, else a file in the state folder.

    With SQLite a master key is made where there is none. Raises ConfigError.
    """
    address = database_url(environment.get(URL_VARIABLE) or url, home)
    may_make = address.drivername == "sqlite"

    engine = open_engine(address)
    try:
        migrate(engine)
        return Directory(engine, Vault(_reader(environment, home, may_make=may_make)), clock)
    except BaseException:
        engine.dispose()
        raise


def _reader(environment: Mapping[str, str], home: Path, *, may_make: bool) -> ReadMasterKeys:
    return lambda: read_master_keys(environment, home, may_make=may_make)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the database's errors into ours; they hold no values of rows."""
    try:
        yield
    except IntegrityError:
        raise Conflict("somebody else has just taken this name, or removed what this needs; read again") from None
    except OperationalError as error:
        raise Unavailable("the database cannot be reached or is busy; try again") from error
