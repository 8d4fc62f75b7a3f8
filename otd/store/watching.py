"""What the guard looks at: as little as it can, since it looks often and at everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import or_, select

from otd.model import EndpointState, Joinless
from otd.store import learning, placements, receipts
from otd.store.tables import at, endpoints, parts, span
from otd.store.transaction import Transaction

NEEDS_A_PERSON = ("denied", "untrusted", "unsupported")


def watched(tx: Transaction, before: timedelta, after: timedelta) -> tuple[EndpointState, ...]:
    """See `otd.ports.Store.watched`. Lists are opened of those only that are not known to be right by their columns."""
    soon = {endpoint for endpoint, _, _ in _summaries(tx, before, after)}
    stays = endpoints.c.removed.is_(False)
    right = (endpoints.c.outcome == "confirmed") & (endpoints.c.applied_revision == endpoints.c.revision)
    candidates = select(endpoints.c.name, endpoints.c.outcome, right.label("is_right")).where(
        stays, or_(~right, endpoints.c.outcome.in_(NEEDS_A_PERSON))
    )
    names = [
        row.name
        for row in tx.connection.execute(candidates.order_by(endpoints.c.name)).all()
        if row.name in soon or row.outcome in NEEDS_A_PERSON
    ]
    found: list[EndpointState] = []
    for start in range(0, len(names), 500):
        some = tx.connection.execute(select(endpoints).where(endpoints.c.name.in_(names[start : start + 500])))
        found += [receipts.state_of(tx, row) for row in some.all()]
    return learning.joined(tx, placements.joined(tx, tuple(found)))


def unsettled(tx: Transaction, limit: int) -> tuple[EndpointState, ...]:
    """See `otd.ports.Store.unsettled`."""
    right = (endpoints.c.outcome == "confirmed") & (endpoints.c.applied_revision == endpoints.c.revision)
    listed = endpoints.c.desired.is_not(None)
    fetched = listed & (endpoints.c.outcome == "") & (endpoints.c.confirmed_revision == endpoints.c.revision)
    query = select(endpoints).where(~(right | fetched) | endpoints.c.leaving.is_not(None))
    found = tuple(receipts.state_of(tx, row) for row in tx.connection.execute(query.limit(limit)).all())
    return learning.joined(tx, placements.joined(tx, found))


def joinless(tx: Transaction, before: timedelta, after: timedelta) -> tuple[Joinless, ...]:
    """See `otd.ports.Store.joinless`."""
    found = {
        (room, start, reason)
        for _, room, booked in _summaries(tx, before, after)
        for start, _, reason in booked
        if reason
    }
    return tuple(Joinless(room=room, start=at(start), reason=reason) for room, start, reason in sorted(found))


def _summaries(
    tx: Transaction, before: timedelta, after: timedelta
) -> Iterator[tuple[str, str, list[tuple[int, str, str]]]]:
    """(endpoint, room, bookings) of those with a booking that starts within `before`, or did so within `after`."""
    now = tx.clock()
    rows = select(parts.c.endpoint, parts.c.room, parts.c.summary, parts.c.starts).where(parts.c.starts != "[]")
    for endpoint, room, summary, starts in tx.connection.execute(rows):
        known = json.loads(summary) or [(start, "", "") for start in json.loads(starts)]  # written before 0008
        booked = [one for one in known if now - span(after) <= one[0] <= now + span(before)]
        if booked:
            yield endpoint, room, booked
