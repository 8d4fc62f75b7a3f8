"""How everything is, in numbers: for metrics and for the status of a big fleet. No list is opened for it."""

from __future__ import annotations

import json
from collections import Counter

from sqlalchemy import and_, case, func, select

from otd.model import BookingCount, Counts, LaneCount, StateCount
from otd.store.tables import alerts, endpoints, lanes, notices, parts, rooms, work
from otd.store.transaction import Transaction


def counts(tx: Transaction) -> Counts:
    """See `otd.ports.Store.counts`."""
    standing = select(alerts.c.cause, func.count()).where(alerts.c.cleared_at.is_(None)).group_by(alerts.c.cause)
    untold = select(notices.c.channel, func.count()).where(notices.c.sent_at.is_(None)).group_by(notices.c.channel)
    return Counts(
        rooms=_rooms(tx),
        endpoints=_endpoints(tx),
        lanes=_lanes(tx),
        bookings=_bookings(tx),
        alerts=tuple(sorted((cause, number) for cause, number in tx.connection.execute(standing).all())),
        untold=tuple(sorted((channel, number) for channel, number in tx.connection.execute(untold).all())),
    )


def _rooms(tx: Transaction) -> tuple[StateCount, ...]:
    """By calendar: parked, failing, unread, read."""
    state = case(
        (and_(work.c.parked, rooms.c.failing_since.is_not(None)), "parked"),
        (rooms.c.failing_since.is_not(None), "failing"),
        (rooms.c.read_at.is_(None), "unread"),
        else_="read",
    )
    query = (
        select(work.c.lane, state.label("state"), func.count().label("number"))
        .select_from(rooms.join(work, and_(work.c.kind == "refresh", work.c.name == rooms.c.name)))
        .group_by(work.c.lane, state)
    )
    return _states(tx, query)


def _endpoints(tx: Transaction) -> tuple[StateCount, ...]:
    """By pool: parked, failing, unread, waiting, confirmed; of those that fetch, confirmed is what they were given."""
    seen = and_(endpoints.c.outcome == "confirmed", endpoints.c.applied_revision == endpoints.c.revision)
    fetched = and_(endpoints.c.outcome == "", endpoints.c.confirmed_revision == endpoints.c.revision)
    state = case(
        (endpoints.c.leaving.is_not(None), "leaving"),
        (work.c.parked, "parked"),
        (endpoints.c.desired.is_(None), "unread"),
        (seen | fetched, "confirmed"),
        (endpoints.c.failing_since.is_not(None), "failing"),
        else_="waiting",
    )
    query = (
        select(work.c.lane, state.label("state"), func.count().label("number"))
        .select_from(endpoints.join(work, and_(work.c.kind == "deliver", work.c.name == endpoints.c.name)))
        .group_by(work.c.lane, state)
    )
    return _states(tx, query)


def _states(tx: Transaction, query: object) -> tuple[StateCount, ...]:
    rows = tx.connection.execute(query).all()  # type: ignore[call-overload]
    return tuple(sorted((StateCount(lane=r.lane, state=r.state, number=r.number) for r in rows), key=repr))


def _lanes(tx: Transaction) -> tuple[LaneCount, ...]:
    """What is due and not yet begun, and how late the latest of it is."""
    late = and_(work.c.due <= tx.now, work.c.lease_until <= tx.now)
    rows = tx.connection.execute(
        select(
            lanes.c.name,
            func.count(work.c.key).label("rows"),
            func.sum(case((late, 1), else_=0)).label("due"),
            func.max(case((late, tx.now - work.c.due), else_=0)).label("lateness"),
            func.sum(case((work.c.parked, 1), else_=0)).label("parked"),
        )
        .select_from(lanes.outerjoin(work, work.c.lane == lanes.c.name))
        .group_by(lanes.c.name)
        .order_by(lanes.c.name)
    ).all()
    return tuple(
        LaneCount(
            name=row.name,
            rows=row.rows,
            due=row.due or 0,
            parked=row.parked or 0,
            lateness=(row.lateness or 0) / 1000,
        )
        for row in rows
    )


def _bookings(tx: Transaction) -> tuple[BookingCount, ...]:
    """Bookings on endpoints by platform, and by the reason why they have no Join."""
    found: Counter[tuple[str, str]] = Counter()
    for summary in tx.connection.execute(select(parts.c.summary).where(parts.c.summary != "[]")).scalars():
        found.update((platform, reason) for _, platform, reason in json.loads(summary))
    return tuple(
        BookingCount(platform=platform, reason=reason, number=number)
        for (platform, reason), number in sorted(found.items())
    )
