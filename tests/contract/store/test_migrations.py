"""Migrations end in what the program expects, from empty and from every version before, one process at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from lockgate.entities import ProviderRecord
from lockgate.store.directory import open_directory
from lockgate.store.engine import database_url, open_engine, reading, writing
from lockgate.store.migrate import migrate, schema_version
from lockgate.store.tables import metadata
from tests.contract.store.history import ROWS, SECRETS
from tests.contract.store.world import ENVIRONMENT

FOLDER = Path(migrate.__code__.co_filename).parent / "migrations"
SCRIPTS = ScriptDirectory(str(FOLDER), version_locations=[str(FOLDER)])
VERSIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]


@pytest.fixture
def engine(empty_url, tmp_path):
    engine = open_engine(database_url(empty_url, tmp_path))
    yield engine
    engine.dispose()


def difference(engine):
    with reading(engine) as connection:
        options = {
            "compare_type": True,
            "include_name": lambda name, kind, _: (name, kind) != ("schema_version", "table"),
        }
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def test_versions_have_one_line_of_descent():
    assert [f"{number:04}" for number in range(1, len(VERSIONS) + 1)] == VERSIONS


def test_the_migrations_make_what_the_program_expects(engine):
    migrate(engine)
    assert difference(engine) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_from_each_version_everything_is_kept(engine, empty_url, tmp_path, version):
    migrate(engine, target=version)
    assert schema_version(engine) == version
    with writing(engine) as connection:
        for since, statement, rows in ROWS:
            if since <= version:
                connection.execute(text(statement), rows)
    directory = open_directory(url=empty_url, home=tmp_path, environment=ENVIRONMENT)
    assert schema_version(engine) == VERSIONS[-1]
    assert difference(engine) == []
    estate = directory.load()
    assert {o.slug: o.name for o in estate.organisations} == {"acme": "Acme"}
    assert [(p.slug, p.note) for p in estate.providers] == [("claude", "kept")]
    assert {place: secret.reveal() for place, secret in estate.secrets.items()} == SECRETS
    kept = [("pc-kept-000001", '{"provider":"@other"}')] if version >= "0003" else []
    assert [(config.slug, config.text) for config in estate.configs] == kept
    assert [one.text for one in estate.config_versions] == [text for _, text in kept]
    assert directory.verify_audit().is_whole
    with directory.change() as tx:
        tx.archive(tx.get(ProviderRecord, "claude"))
    assert directory.revision() == 4
    directory.close()


SCRIPT = """
import sys
from pathlib import Path
from lockgate.store.directory import open_directory
print(open_directory(url=sys.argv[1], home=Path(sys.argv[2]), environment={"LOCKGATE_MASTER_KEY": sys.argv[3]}).revision())
"""


def test_several_processes_may_migrate_at_once(empty_url, tmp_path):
    arguments = [sys.executable, "-c", SCRIPT, empty_url, str(tmp_path), ENVIRONMENT["LOCKGATE_MASTER_KEY"]]
    started = [subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ended = [(process.communicate(timeout=90), process.returncode) for process in started]
    assert [(out, code) for (out, _), code in ended] == [("0\n", 0)] * 4, ended
    engine = open_engine(database_url(empty_url, tmp_path))
    assert {"organisations", "replies"} <= set(inspect(engine).get_table_names())
    engine.dispose()


def test_a_failed_migration_leaves_the_old_state_usable(engine, empty_url, tmp_path, monkeypatch):
    from lockgate.errors import ConfigError

    migrate(engine, target=VERSIONS[0])
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in FOLDER.glob("v*.py"):
        (broken / path.name).write_text(path.read_text())
    (broken / "v9999.py").write_text(
        f'from alembic import op\nrevision, down_revision = "9999", {VERSIONS[-1]!r}\n'
        'def upgrade():\n    op.drop_table("secrets")\n    op.execute("SELECT 1 FROM nowhere")\n'
    )
    with pytest.raises(ConfigError, match="is as it was"):
        migrate(engine, folder=broken)
    assert schema_version(engine) == VERSIONS[0]
    assert "secrets" in inspect(engine).get_table_names()
    open_directory(url=empty_url, home=tmp_path, environment=ENVIRONMENT).close()
