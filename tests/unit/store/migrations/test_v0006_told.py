from __future__ import annotations

from sqlalchemy import inspect

from lockgate.store.engine import database_url, open_engine
from lockgate.store.migrate import migrate, schema_version


def test_the_table_comes_beside_the_others(tmp_path):
    engine = open_engine(database_url(None, tmp_path))
    migrate(engine, target="0005")
    assert not inspect(engine).has_table("told")
    migrate(engine, target="0006")
    assert schema_version(engine) == "0006"
    assert {column["name"] for column in inspect(engine).get_columns("told")} == {"id", "at"}
    engine.dispose()
