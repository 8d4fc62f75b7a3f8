"""What people at a terminal ask of endpoints, and what relays answer: rows that live for as long as somebody waits.

The answer is sealed for whoever asked, so that nobody else opens it, and goes with the one who fetches it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, exists, insert, select, update

from otd.deliveries import ELSEWHERE
from otd.model import HOUSE, Question, Receipt
from otd.store import claims, records
from otd.store.lists import not_configured
from otd.store.tables import endpoints, questions, span
from otd.store.transaction import Transaction

ASKED = exists().where(questions.c.endpoint == endpoints.c.name).label("asked")
"""Beside a row of `endpoints`: whether there is any question about it."""


def ask(tx: Transaction, names: Collection[str], key: str, within: timedelta, *, anew: bool) -> None:
    """See `otd.ports.Store.ask`."""
    now = tx.clock()
    known = tx.connection.execute(select(endpoints.c.name).where(endpoints.c.name.in_(names))).scalars().all()
    if unknown := sorted(set(names) - set(known)):
        raise not_configured(unknown[0])
    until = now + span(within)
    rows = [{"endpoint": name, "key": key, "anew": anew, "until": until} for name in sorted(known)]
    tx.connection.execute(insert(questions), rows)
    drop_old(tx)
    claims.hint_all(tx, "deliver", dict.fromkeys(known, timedelta(0)))
    claims.hint(tx, "tidy", HOUSE, within)  # whoever asked may be gone by then


def drop_old(tx: Transaction) -> None:
    """Nobody waits for these any more."""
    tx.connection.execute(delete(questions).where(questions.c.until <= tx.now))


def next_of(tx: Transaction, endpoint: str) -> Question | None:
    """The one that is to go out, else one that went out and is open."""
    mine = (questions.c.endpoint == endpoint, questions.c.settled.is_(False), questions.c.until > tx.now)
    turn = (questions.c.sequence.is_not(None), questions.c.until, questions.c.key)
    row = tx.connection.execute(select(questions).where(*mine).order_by(*turn).limit(1)).one_or_none()
    return None if row is None else _question(tx, row)


def carried(tx: Transaction, endpoint: str, key: str, sequence: int) -> None:
    """It goes out with this delivery."""
    mine = (questions.c.endpoint == endpoint, questions.c.key == key)
    tx.connection.execute(update(questions).where(*mine).values(sequence=sequence))


def answered(tx: Transaction, receipt: Receipt) -> None:
    """Keep what comes back to the delivery that carried a question, until it is fetched. One that a relay could not
    answer which does not reach the endpoint may go out again."""
    this = (questions.c.endpoint == receipt.endpoint, questions.c.sequence == receipt.sequence)
    settled = receipt.outcome not in ELSEWHERE
    for key in tx.connection.execute(select(questions.c.key).where(*this)).scalars().all():
        sealed = tx.vault.seal(_place(receipt.endpoint, key), records.dump(receipt))
        values = {"receipt": sealed, "settled": settled, "sequence": receipt.sequence if settled else None}
        tx.connection.execute(update(questions).where(*this, questions.c.key == key).values(values))


def are_answered(tx: Transaction, key: str) -> bool:
    """Whether there is an answer to be fetched."""
    mine = (questions.c.key == key, questions.c.settled)
    return tx.connection.execute(select(questions.c.key).where(*mine).limit(1)).one_or_none() is not None


def answers(tx: Transaction, key: str) -> dict[str, Receipt]:
    """See `otd.ports.Store.answers`."""
    rows = tx.connection.execute(
        delete(questions).where(questions.c.key == key, questions.c.settled).returning(questions)
    ).all()
    found = {row.endpoint: _question(tx, row).receipt for row in rows}
    return {name: receipt for name, receipt in found.items() if receipt is not None}


def withdraw(tx: Transaction, key: str, names: Collection[str]) -> dict[str, Question]:
    """See `otd.ports.Store.withdraw`."""
    mine = (questions.c.key == key, questions.c.endpoint.in_(names))
    rows = tx.connection.execute(delete(questions).where(*mine).returning(questions)).all()
    return {row.endpoint: _question(tx, row) for row in rows}


def _question(tx: Transaction, row: Any) -> Question:
    sealed = row.receipt
    opened = tx.vault.open(_place(row.endpoint, row.key), bytes(sealed)) if sealed is not None else ""
    return Question(
        endpoint=row.endpoint,
        key=row.key,
        anew=row.anew,
        sequence=-1 if row.sequence is None else row.sequence,
        receipt=records.load(Receipt, opened) if opened else None,
    )


def _place(endpoint: str, key: str) -> str:
    return f"questions/{endpoint}/{key}"
