"""What every statement of the store needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, select

from otd.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction: its connection, the time as an expression, and what seals and opens columns."""

    connection: Connection
    now: ColumnElement[int]
    vault: Vault
    actor: str = ""  # the person who opened the store, for the audit

    def clock(self) -> int:
        """The time as a number."""
        return int(self.connection.execute(select(self.now)).scalar_one())


def greatest(one: Any, other: Any) -> ColumnElement[int]:
    """The greater of two, in words that both databases know."""
    return case((one > other, one), else_=other)


def least(one: Any, other: Any) -> ColumnElement[int]:
    """The smaller of two, in words that both databases know."""
    return case((one < other, one), else_=other)


def line(words: str, limit: int = 500) -> str:
    """Words from outside as one line that every database can hold: no controls, no lone surrogates, not endless."""
    clean = words.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in clean)[:limit]
