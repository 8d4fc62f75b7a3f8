"""Endpoints as they are configured, in their rows. Sealed: they may hold the hash of a password."""

from __future__ import annotations

from typing import Any

from otd.model import Endpoint
from otd.store import records
from otd.store.transaction import Transaction


def seal_endpoint(tx: Transaction, endpoint: Endpoint) -> bytes:
    """For the columns `endpoint` and `leaving` of its row."""
    return tx.vault.seal(_place(endpoint.name), records.dump(endpoint))


def endpoint_in(tx: Transaction, row: Any) -> Endpoint:
    """As it is configured now, or was when it was removed."""
    return records.load(Endpoint, tx.vault.open(_place(row.name), bytes(row.endpoint)))


def leaving_in(tx: Transaction, row: Any) -> Endpoint | None:
    """As it was where a `forget` is still owed."""
    return None if row.leaving is None else records.load(Endpoint, tx.vault.open(_place(row.name), bytes(row.leaving)))


def _place(name: str) -> str:
    return f"endpoints/{name}/endpoint"
