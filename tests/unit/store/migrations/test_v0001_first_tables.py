from __future__ import annotations

from sqlalchemy import inspect

from lockgate.store.engine import database_url, open_engine
from lockgate.store.migrate import migrate, schema_version


def test_an_empty_database_gets_its_first_tables(tmp_path):
    engine = open_engine(database_url(None, tmp_path))
    migrate(engine, target="0001")
    assert schema_version(engine) == "0001"
    assert {"organisations", "api_keys", "secrets", "audit_entries", "changes"} <= set(
        inspect(engine).get_table_names()
    )
    engine.dispose()
