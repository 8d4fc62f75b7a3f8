"""Change notifications: which room is subscribed under which id, and what a notification makes due."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from otd import pacing
from otd.model import ChangeNotice, Subscription
from otd.pacing import Budget
from otd.store import claims
from otd.store.tables import at, lanes, ms, rooms, span, subscriptions, work
from otd.store.transaction import Transaction


def subscription(tx: Transaction, room: str) -> Subscription | None:
    """See `otd.ports.Store.subscription`."""
    row = tx.connection.execute(select(subscriptions).where(subscriptions.c.room == room)).one_or_none()
    if row is None:
        return None
    return Subscription(
        room=row.room,
        id=row.id,
        client_state=_opened(tx, row),
        since=at(row.since),
        expires_at=at(row.expires_at),
        renew=row.renew,
    )


def put(tx: Transaction, found: Subscription) -> None:
    """See `otd.ports.Store.put_subscription`."""
    if tx.connection.execute(select(rooms.c.name).where(rooms.c.name == found.room)).one_or_none() is None:
        return
    tx.connection.execute(delete(subscriptions).where(subscriptions.c.room == found.room))
    tx.connection.execute(
        insert(subscriptions).values(
            room=found.room,
            id=found.id,
            client_state=tx.vault.seal(_place(found.room), found.client_state),
            since=ms(found.since),
            expires_at=ms(found.expires_at),
        )
    )
    claims.hint(tx, "refresh", found.room)  # what changed before is told by nobody


def renewed(tx: Transaction, found: Subscription) -> None:
    tx.connection.execute(
        update(subscriptions)
        .where(subscriptions.c.room == found.room, subscriptions.c.id == found.id)
        .values(since=ms(found.since), expires_at=ms(found.expires_at), renew=False)
    )


def drop(tx: Transaction, room: str) -> None:
    tx.connection.execute(delete(subscriptions).where(subscriptions.c.room == room))


def count(tx: Transaction) -> dict[str, int]:
    """How many rooms of each calendar have one that holds."""
    lane = select(work.c.lane).where(work.c.key == "refresh:" + subscriptions.c.room).scalar_subquery()
    rows = tx.connection.execute(
        select(lane.label("calendar"), func.count()).where(subscriptions.c.expires_at > tx.now).group_by("calendar")
    )
    return {calendar: number for calendar, number in rows if calendar}


def notified(tx: Transaction, notices: Iterable[ChangeNotice]) -> int:
    """See `otd.ports.Store.notified`."""
    told: dict[tuple[str, str], Any] = {}
    for notice in notices:
        row = tx.connection.execute(
            select(subscriptions).where(subscriptions.c.id == notice.subscription)
        ).one_or_none()
        if row is not None and hmac.compare_digest(_opened(tx, row).encode(), notice.client_state.encode()):
            told[row.room, notice.event] = row
    for (room, event), row in sorted(told.items(), key=lambda one: one[0]):
        if event == "reauthorize":
            tx.connection.execute(update(subscriptions).where(subscriptions.c.room == room).values(renew=True))
            claims.hint(tx, "subscribe", room)
        elif event == "removed":
            drop(tx, room)
            claims.hint(tx, "subscribe", room)
        _read_soon(tx, row)
    return len(told)


def _read_soon(tx: Transaction, row: Any) -> None:
    """At once, unless that was just asked for: Exchange tells of one change two or three times, and whoever can send a
    room invitations must not be able to use up the calendar's requests."""
    now = tx.clock()
    gap = span(pacing.hint_gap(_budget(tx, row.room), at(now)))
    delay = min(max(row.hinted_at + gap - now, 0), gap)
    if delay == 0:
        tx.connection.execute(update(subscriptions).where(subscriptions.c.room == row.room).values(hinted_at=now))
    claims.hint(tx, "refresh", row.room, timedelta(milliseconds=delay))


def _budget(tx: Transaction, room: str) -> Budget:
    lane = select(work.c.lane).where(work.c.key == f"refresh:{room}").scalar_subquery()
    row = tx.connection.execute(select(lanes, tx.now.label("now")).where(lanes.c.name == lane)).one_or_none()
    if row is None or not row.budget:
        return Budget()
    left = max(row.budget - pacing.asked_today(row.asked, row.day, at(row.now)), 0)
    sharing = select(func.count()).where(work.c.lane == row.name, work.c.kind == "refresh")
    return Budget(left=left, rooms=tx.connection.execute(sharing).scalar_one())


def _place(room: str) -> str:
    return f"subscriptions/{room}"


def _opened(tx: Transaction, row: Any) -> str:
    return tx.vault.open(_place(row.room), bytes(row.client_state))
