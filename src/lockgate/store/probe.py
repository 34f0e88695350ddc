"""Looking at a database without making, migrating or changing it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from lockgate.errors import ConfigError
from lockgate.store.directory import URL_VARIABLE
from lockgate.store.engine import database_url, open_engine, reading
from lockgate.store.master_key import read_master_keys
from lockgate.store.tables import providers


class Probed(Struct, frozen=True, kw_only=True):
    """What was found."""

    shown: str
    """Where the database is, without a password."""
    is_there: bool
    """False: a SQLite file that the first start makes."""
    provider_slugs: frozenset[str] | None
    """Of all workspaces; None when the tables cannot be read, as before the first start or an upgrade."""


def probe_database(url: str | None, environment: Mapping[str, str], home: Path) -> Probed:
    """Connect and read. Raises ConfigError for an address that is wrong, that nothing answers at or that refuses, and
    when a database on a server has no master key."""
    address = database_url(environment.get(URL_VARIABLE) or url, home)
    shown = address.render_as_string(hide_password=True)
    if address.drivername == "sqlite":
        file = Path(address.database or "")
        if not file.exists():
            if (environment.get(URL_VARIABLE) or url) and not file.absolute().parent.is_dir():
                raise ConfigError(f"database.url: there is no folder {file.absolute().parent} for {shown}")
            return Probed(shown=shown, is_there=False, provider_slugs=frozenset())
    else:
        read_master_keys(environment, home, may_make=False)
    engine = open_engine(address)
    try:
        with reading(engine) as connection:
            found = connection.execute(select(providers.c.slug).where(providers.c.status == "active"))
            return Probed(shown=shown, is_there=True, provider_slugs=frozenset(found.scalars()))
    except DBAPIError:
        return Probed(shown=shown, is_there=True, provider_slugs=None)
    finally:
        engine.dispose()
