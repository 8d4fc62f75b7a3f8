"""Alerts and the outbox of what is told of them.

`settle` is given all that is wrong now: what was not known is raised, what is wrong no longer is cleared, and both
write their notices in the same transaction. So whoever comes second changes nothing, and nothing that was raised goes
untold because a process died.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from otd.model import Alert, AlertState, Expiry, Notice, NoticeEvent
from otd.store import claims, records
from otd.store.tables import alerts, at, at_or_none, expiries, ms, notices, span
from otd.store.transaction import Transaction, line

Key = tuple[str, str]


def is_settled(tx: Transaction, found: Sequence[Alert]) -> bool:
    """Whether exactly these alerts stand."""
    standing = {state.alert for state in states(tx, cleared=False)}
    return standing == {_cleaned(alert) for alert in found}


def settle(
    tx: Transaction, found: Sequence[Alert], channels: Iterable[str], notes: Mapping[Key, str]
) -> tuple[tuple[Notice, ...], tuple[Notice, ...]]:
    """See `otd.ports.Store.settle_alerts`. The caller sees to it that one process at a time is here."""
    wanted = {_key(alert): _cleaned(alert) for alert in found}
    rows = {(row.cause, row.thing): row for row in tx.connection.execute(select(alerts)).all()}
    now = tx.clock()
    raised, cleared = [], []
    for key, alert in wanted.items():
        row = rows.get(key)
        if row is None or row.cleared_at is not None:
            times = 1 if row is None else row.times + 1
            _raise(tx, alert, now, times, known=row is not None)
            raised.append(_notice(alert, "raised", times, now))
        elif (row.detail, row.mend) != (alert.detail, alert.mend):
            tx.connection.execute(update(alerts).where(_is(alert)).values(detail=alert.detail, mend=alert.mend))
    for key, row in rows.items():
        if row.cleared_at is None and key not in wanted:
            alert, note = _alert(row), line(notes.get(key, "it is so no longer"))
            tx.connection.execute(update(alerts).where(_is(alert)).values(cleared_at=now, note=note))
            cleared.append(_notice(alert, "cleared", row.times, now, note))
    for channel in channels:
        _put(tx, channel, [*raised, *cleared])
    return tuple(raised), tuple(cleared)


def _raise(tx: Transaction, alert: Alert, now: int, times: int, *, known: bool) -> None:
    values = {"detail": alert.detail, "mend": alert.mend, "raised_at": now, "cleared_at": None, "note": ""}
    if known:
        tx.connection.execute(update(alerts).where(_is(alert)).values(times=times, **values))
    else:
        tx.connection.execute(insert(alerts).values(cause=alert.cause, thing=alert.thing, times=times, **values))


def _put(tx: Transaction, channel: str, told: Sequence[Notice]) -> None:
    """A channel is not told of its own failing: it would hear of it when it works again."""
    rows = [
        {"channel": channel, "id": one.id, "at": int(tx.clock()), "sent_at": None, "notice": records.dump(one)}
        for one in told
        if one.alert.thing != f"channel:{channel}"
    ]
    if rows:
        tx.connection.execute(insert(notices), rows)
        claims.hint(tx, "notify", channel)


def states(tx: Transaction, *, cleared: bool) -> tuple[AlertState, ...]:
    """Those that stand, and with `cleared` also the others; the newest last."""
    wanted = select(alerts).order_by(alerts.c.raised_at, alerts.c.cause, alerts.c.thing)
    if not cleared:
        wanted = wanted.where(alerts.c.cleared_at.is_(None))
    return tuple(
        AlertState(
            alert=_alert(row),
            raised_at=at(row.raised_at),
            cleared_at=at_or_none(row.cleared_at),
            note=row.note,
            times=row.times,
        )
        for row in tx.connection.execute(wanted)
    )


def untold(tx: Transaction, channel: str, limit: int) -> tuple[Notice, ...]:
    """What the channel has still to tell, the oldest first; of one moment, what was raised before what was cleared."""
    waiting = select(notices.c.notice).where(notices.c.channel == channel, notices.c.sent_at.is_(None))
    rows = tx.connection.execute(waiting.order_by(notices.c.at, notices.c.id).limit(limit)).scalars()
    return tuple(records.load(Notice, row) for row in rows)


def told(tx: Transaction, channel: str, ids: Sequence[str]) -> None:
    """The channel has told these."""
    which = (notices.c.channel == channel) & notices.c.id.in_(ids)
    tx.connection.execute(update(notices).where(which).values(sent_at=tx.now))


def tidy(tx: Transaction, keep: timedelta) -> None:
    """Forget what was told, and what was cleared, longer ago than `keep`; what nobody takes any more, too."""
    cutoff = tx.clock() - span(keep)
    tx.connection.execute(delete(notices).where(notices.c.at <= cutoff))
    tx.connection.execute(delete(alerts).where(alerts.c.cleared_at <= cutoff))


def put_expiry(tx: Transaction, expiry: Expiry) -> None:
    """Remember when it runs out, in place of what was known before."""
    which = (expiries.c.cause == expiry.cause) & (expiries.c.thing == expiry.thing)
    moment = ms(expiry.at)
    known = tx.connection.execute(select(expiries.c.at).where(which)).scalar()
    if known is None:
        tx.connection.execute(insert(expiries).values(cause=expiry.cause, thing=expiry.thing, at=moment))
    elif known != moment:
        tx.connection.execute(update(expiries).where(which).values(at=moment))


def known_expiries(tx: Transaction) -> tuple[Expiry, ...]:
    rows = tx.connection.execute(select(expiries).order_by(expiries.c.at)).all()
    return tuple(Expiry(cause=row.cause, thing=row.thing, at=at(row.at)) for row in rows)


def _key(alert: Alert) -> Key:
    return alert.cause, alert.thing


def _is(alert: Alert) -> Any:
    return (alerts.c.cause == alert.cause) & (alerts.c.thing == alert.thing)


def _cleaned(alert: Alert) -> Alert:
    return Alert(cause=alert.cause, thing=line(alert.thing, 128), detail=line(alert.detail), mend=line(alert.mend))


def _alert(row: Any) -> Alert:
    return Alert(cause=row.cause, thing=row.thing, detail=row.detail, mend=row.mend)


def _notice(alert: Alert, event: NoticeEvent, times: int, now: int, note: str = "") -> Notice:
    """Its id orders what happens to one alert: the first raising is 1.raised, its end 2.cleared."""
    step = 2 * times - (1 if event == "raised" else 0)
    return Notice(id=f"{alert.cause}/{alert.thing}/{step}", event=event, alert=alert, at=at(now), note=note)
