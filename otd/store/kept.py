"""Secrets of the installation's own, sealed in the database."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import insert, select

from otd.store.tables import meta
from otd.store.transaction import Transaction


def secret(tx: Transaction, name: str, make: Callable[[], str]) -> str:
    """See `otd.ports.Store.kept_secret`."""
    row, place = f"secret/{name}", f"meta/secret/{name}"
    sealed = tx.connection.execute(select(meta.c.value).where(meta.c.name == row)).scalar()
    if sealed is not None:
        return tx.vault.open(place, bytes(sealed))
    made = make()
    tx.connection.execute(insert(meta).values(name=row, value=tx.vault.seal(place, made)))
    return made
