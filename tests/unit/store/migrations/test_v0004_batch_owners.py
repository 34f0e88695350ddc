from __future__ import annotations

from sqlalchemy import inspect

from lockgate.store.engine import database_url, open_engine
from lockgate.store.migrate import migrate, schema_version


def test_the_table_comes_beside_the_others(tmp_path):
    engine = open_engine(database_url(None, tmp_path))
    migrate(engine, target="0003")
    before = set(inspect(engine).get_table_names())
    migrate(engine, target="0004")
    assert schema_version(engine) == "0004"
    assert set(inspect(engine).get_table_names()) - before == {"batch_owners"}
    engine.dispose()
