"""A throw-away database on the PostgreSQL of this machine."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator

import psycopg
from psycopg import sql

from otd.store.tables import metadata

SERVER = os.environ.get("OTD_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")


@contextlib.contextmanager
def database() -> Iterator[str]:
    """The url of a new, empty database, which is gone afterwards."""
    name = f"otd_test_{secrets.token_hex(6)}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield f"{SERVER}/{name}"
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def empty(url: str) -> None:
    """Throw all rows away but what the store itself keeps in `meta`."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM meta WHERE name <> 'key'")
        for table in (table.name for table in reversed(metadata.sorted_tables) if table.name != "meta"):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


def cut(url: str) -> None:
    """End every other connection to this database, as a restart of the server does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
