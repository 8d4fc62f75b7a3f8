"""The migrations make exactly the tables that the code works with."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url

from otd.store import SqlStore
from otd.store.tables import HEAD, VERSION_TABLE, metadata
from tests.adapters import postgresql
from tests.contracts.store_case import KEY


def differences(url: str) -> list[object]:
    engine = create_engine(make_url(url))
    with engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()
    return list(found)


def test_a_new_sqlite_database_has_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'otd.db'}"
    SqlStore(url, KEY).close()
    assert differences(url) == []


@pytest.mark.cluster
def test_a_new_postgresql_database_has_exactly_the_tables_of_the_code() -> None:
    with postgresql.database() as url:
        SqlStore(url, KEY).close()
        assert differences(url.replace("postgresql:", "postgresql+psycopg:")) == []


def test_the_newest_migration_is_the_one_that_the_code_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", "otd.store:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]
