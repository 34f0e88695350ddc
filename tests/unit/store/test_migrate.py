from __future__ import annotations

import textwrap

import pytest
from sqlalchemy import text

from lockgate.errors import ConfigError
from lockgate.store.engine import database_url, open_engine, reading
from lockgate.store.migrate import migrate, schema_version

FIRST = """
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.execute("CREATE TABLE things (id TEXT)")
    op.execute("INSERT INTO things VALUES ('kept')")
"""
SECOND = """
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.execute("ALTER TABLE things ADD COLUMN size INTEGER")
    op.execute("UPDATE things SET size = 3")
"""
BROKEN = """
from alembic import op
revision, down_revision = "0003", "0002"
def upgrade():
    op.execute("DROP TABLE things")
    op.execute("SELECT hush FROM nowhere")
"""


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(database_url(None, tmp_path))
    yield engine
    engine.dispose()


def steps(tmp_path, *texts):
    folder = tmp_path / f"steps{len(texts)}"
    folder.mkdir()
    for number, step in enumerate(texts):
        (folder / f"v{number}.py").write_text(textwrap.dedent(step))
    return folder


def things(engine):
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(text("SELECT * FROM things"))]


def test_each_step_runs_once_in_order(engine, tmp_path):
    assert schema_version(engine) is None
    migrate(engine, folder=steps(tmp_path, FIRST))
    assert (schema_version(engine), things(engine)) == ("0001", [("kept",)])
    two = steps(tmp_path, FIRST, SECOND)
    migrate(engine, folder=two)
    migrate(engine, folder=two)
    assert (schema_version(engine), things(engine)) == ("0002", [("kept", 3)])


def test_a_failed_step_leaves_everything_as_it_was(engine, tmp_path):
    migrate(engine, folder=steps(tmp_path, FIRST))
    with pytest.raises(ConfigError, match="is as it was"):
        migrate(engine, folder=steps(tmp_path, FIRST, SECOND, BROKEN))
    assert (schema_version(engine), things(engine)) == ("0001", [("kept",)])


def test_a_database_of_a_newer_program_is_refused_and_named(engine, tmp_path):
    migrate(engine, folder=steps(tmp_path, FIRST, SECOND))
    with pytest.raises(ConfigError, match="version 0002, which a newer Lockgate made"):
        migrate(engine, folder=steps(tmp_path, FIRST))
    assert things(engine) == [("kept", 3)]
