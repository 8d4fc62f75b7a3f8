"""Which relay reaches which endpoint, from what they report."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from otd.model import Outcome, Reach, Receipt
from otd.store.tables import at_or_none, reaching
from otd.store.transaction import Transaction, line

_SAYS_NOTHING: frozenset[Outcome] = frozenset({"stale", "expired", "not_for_me", "placed", "fetched"})


def note(tx: Transaction, receipt: Receipt) -> None:
    """The endpoint answered this relay, or did not; some receipts tell of neither."""
    if receipt.outcome in _SAYS_NOTHING:
        return
    missed = receipt.outcome == "unreachable"
    values = {"missed_at": tx.now, "why": line(receipt.detail)} if missed else {"reached_at": tx.now}
    which = (reaching.c.endpoint == receipt.endpoint, reaching.c.relay == receipt.relay)
    if tx.connection.execute(update(reaching).where(*which).values(values)).rowcount == 0:
        known = {"endpoint": receipt.endpoint, "relay": receipt.relay, "why": ""}
        tx.connection.execute(insert(reaching).values(known | values))


def all_known(tx: Transaction) -> tuple[Reach, ...]:
    """See `otd.ports.Store.reach`."""
    return tuple(
        Reach(
            endpoint=row.endpoint,
            relay=row.relay,
            reached_at=at_or_none(row.reached_at),
            missed_at=at_or_none(row.missed_at),
            why=row.why,
        )
        for row in tx.connection.execute(select(reaching).order_by(reaching.c.endpoint, reaching.c.relay))
    )
