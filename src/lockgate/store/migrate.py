"""Bringing a database to the version that this program needs: all steps in one transaction, one process at a time.

What fails leaves the database as it was. There is no way back but a copy of before.
"""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from lockgate.errors import ConfigError
from lockgate.store.engine import reading, writing

_FOLDER = Path(__file__).parent / "migrations"
_VERSION_TABLE = "schema_version"


def migrate(engine: Engine, *, target: str = "head", folder: Path = _FOLDER) -> None:
    """Migrate forward, from empty or from any earlier version. Processes may call it at once: the others wait.

    Raises ConfigError when the database is newer than this program, or a step fails; then nothing has changed.
    """
    scripts = _scripts(folder)
    with reading(engine) as connection:
        if _version(connection) == scripts.get_current_head() and target == "head":
            return
    try:
        with writing(engine) as connection:
            _run(connection, scripts, target)
    except (CommandError, SQLAlchemyError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"the database could not be migrated and is as it was: {reason}") from error


def schema_version(engine: Engine) -> str | None:
    """Return the version of the database, None when it is empty."""
    with reading(engine) as connection:
        return _version(connection)


def _run(connection: Connection, scripts: ScriptDirectory, target: str) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    version = _version(connection)
    if version is not None and version not in known:
        raise ConfigError(f"the database is at version {version}, which a newer Lockgate made; use that one")
    context = EnvironmentContext(
        Config(),
        scripts,
        fn=lambda rev, _: scripts._upgrade_revs(target, rev),
    )
    with context:
        # one transaction around all: Alembic takes part in ours
        context.configure(connection=connection, version_table=_VERSION_TABLE, transactional_ddl=True)
        context.run_migrations()


def _version(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": _VERSION_TABLE})
    return context.get_current_revision()


def _scripts(folder: Path) -> ScriptDirectory:
    return ScriptDirectory(str(folder), version_locations=[str(folder)])
