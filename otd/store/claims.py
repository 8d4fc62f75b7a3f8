"""Work rows: hints, claims, leases, lanes.

A row is due at `due`. A claim leases it under a new token; a lease that ran out counts as free. A hint pulls `due`
forward and notes in `again` when it wants the row to have run: a claim empties that, so what stands there at the end
of a run came meanwhile, and the row runs again. A retry notes RETRIED there: what a run found that began before it
parks nothing.

Locks are always taken in the order lanes, endpoints, work, so that transactions on PostgreSQL cannot wait in a ring.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, get_args

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    insert,
    select,
    text,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from otd import pacing
from otd.model import LaneState, Settled, Work, WorkKind, WorkState
from otd.pacing import Pace
from otd.store.tables import at, at_or_none, endpoints, lanes, ms, parts, span, work
from otd.store.transaction import Transaction, greatest, least, line

MANY = 100  # new rows at once, from which on PostgreSQL has to know of them to claim well
RETRIED = 0  # in `again`: before every hint
PARKED = timedelta(days=1)  # a parked row is tried again after this; a caller may ask for longer
AGAIN: Mapping[str, timedelta] = {"refresh": timedelta(seconds=5)}  # how soon after a run for a hint the next one
JITTER = 0.1  # the share of a period by which it may become shorter
EXACT = timedelta(
    seconds=30
)  # what is due sooner than this awaits an answer, or is the rest of a longer wait: no jitter
NAMED: Mapping[WorkKind, str] = {
    "refresh": "room",
    "deliver": "endpoint",
    "subscribe": "calendar",
    "provision": "relay",
    "notify": "channel",
    "tidy": "house",
    "guard": "house",
}  # what the name of work is the name of
SPREAD = timedelta(seconds=60)  # over this the overdue rows of a lane that resumes are spread
SOON = timedelta(minutes=10)  # a meeting that began less than this ago still has people looking for Join


def add(tx: Transaction, rows: Iterable[tuple[WorkKind, str, str]]) -> None:
    """New work (kind, name, lane), due now."""
    now = tx.clock()
    new = [{"key": f"{kind}:{name}", "kind": kind, "name": name, "lane": lane, "due": now} for kind, name, lane in rows]
    if not new:
        return
    tx.connection.execute(insert(work), new)
    if tx.connection.dialect.name == "postgresql" and len(new) >= MANY:
        tx.connection.execute(text("ANALYZE work"))  # or each claim sorts all that is overdue, until it counted itself


def ensure(tx: Transaction, kind: WorkKind, name: str, lane: str) -> None:
    """Add the work unless it is there."""
    if tx.connection.execute(select(work.c.key).where(work.c.key == f"{kind}:{name}")).first() is None:
        add(tx, [(kind, name, lane)])


def drop(tx: Transaction, kind: WorkKind, names: Iterable[str]) -> None:
    keys = [{"this": f"{kind}:{name}"} for name in names]
    if keys:
        tx.connection.execute(delete(work).where(work.c.key == bindparam("this")), keys)


def move(tx: Transaction, kind: WorkKind, to: Mapping[str, str]) -> None:
    """Put the work of these names into these lanes, un-parked and due now: its settings changed."""
    for name, lane in to.items():
        tx.connection.execute(update(work).where(work.c.key == f"{kind}:{name}").values(lane=lane))
        unpark(tx, kind, name)


def relane(tx: Transaction, kind: WorkKind, name: str, lane: str) -> None:
    """Put the work into this lane from its next time on; whoever does it just now goes on."""
    tx.connection.execute(update(work).where(work.c.key == f"{kind}:{name}").values(lane=lane))


def hint(tx: Transaction, kind: WorkKind, name: str, delay: timedelta = timedelta(0)) -> None:
    """Make it due; a parked row stays parked, but runs again if it is just being tried."""
    hint_all(tx, kind, {name: delay})


def hint_all(tx: Transaction, kind: WorkKind, delays: Mapping[str, timedelta]) -> None:
    """The same for many."""
    # In one order always, so that two who do this do not wait for each other.
    rows = [{"this": f"{kind}:{name}", "delay": span(delay)} for name, delay in sorted(delays.items())]
    if rows:
        tx.connection.execute(_hinted(tx.now), rows)


def unpark(tx: Transaction, kind: WorkKind, name: str) -> None:
    """Due now, attempts from zero, and the failures of the endpoint too: a person has looked at it."""
    if kind == "deliver":
        tx.connection.execute(_looked_at().where(endpoints.c.name == name))
    revive(tx, kind, name)


def revive(tx: Transaction, kind: WorkKind, name: str) -> None:
    """Un-park the row alone: it is due now, attempts from zero."""
    tx.connection.execute(update(work).where(work.c.key == f"{kind}:{name}").values(_fresh(tx)))


def skip(tx: Transaction, kind: WorkKind, name: str, why: str) -> bool:
    """See `otd.ports.Store.skip`. Whoever is at it loses the lease: what comes of it changes nothing any more."""
    mine = (work.c.key == f"{kind}:{name}", work.c.parked | (work.c.error != ""))
    values = {"parked": True, "due": tx.now + span(PARKED), "again": None, "owner": "", "lease_until": 0}
    values |= {"token": work.c.token + 1, "code": "skipped", "error": line(why)}
    return tx.connection.execute(update(work).where(*mine).values(values)).rowcount == 1


def unpark_everything(tx: Transaction) -> None:
    """The same for every row."""
    tx.connection.execute(_looked_at())
    tx.connection.execute(update(work).values(_fresh(tx)))


def _looked_at() -> Update:
    """Failures begin anew; the answer to what went out before is none."""
    return update(endpoints).values(failures=0, retried_sequence=endpoints.c.sequence)


def end_pauses(tx: Transaction) -> None:
    """Changed settings may have mended what every lane is paused for, but for a day's budget that is used up."""
    used_up = (lanes.c.budget > 0) & (lanes.c.asked + lanes.c.cap > lanes.c.budget)
    tx.connection.execute(
        update(lanes).where(lanes.c.paused_until > tx.now, ~used_up).values(paused_until=tx.now, bad=0)
    )


def _fresh(tx: Transaction) -> dict[str, Any]:
    return {"parked": False, "attempt": 0, "due": least(work.c.due, tx.now), "again": RETRIED}


@cache
def _hinted(now: ColumnElement[int]) -> Update:
    wanted = now + bindparam("delay", type_=BigInteger)
    return (
        update(work)
        .where(work.c.key == bindparam("this"))
        .values(
            due=case((work.c.parked, work.c.due), else_=least(work.c.due, wanted)),
            again=case((work.c.again.is_(None), wanted), else_=least(work.c.again, wanted)),
        )
    )


def claim(tx: Transaction, owner: str, limit: int, lease: timedelta, kinds: tuple[WorkKind, ...]) -> tuple[Work, ...]:
    """See `otd.ports.Store.claim`. The caps hold because whoever claims has locked the lanes it claims from first."""
    rooms = _room_in_lanes(tx)
    chosen: dict[str, tuple[int, bool]] = {}  # when it was due, and whether it was hinted
    while len(chosen) < limit and any(room > 0 for room in rooms.values()):
        found = tx.connection.execute(
            _overdue(tx.now),
            {
                "open": [lane for lane, room in rooms.items() if room > 0],
                "kinds": kinds or get_args(WorkKind),
                "chosen": list(chosen) or [""],
                "limit": limit - len(chosen),
            },
        ).all()
        for row in found:
            if rooms[row.lane] > 0:
                chosen[row.key] = row.due, row.again is not None
            rooms[row.lane] -= 1
        if all(rooms[row.lane] >= 0 for row in found):
            break  # nothing was left out for want of room in its lane, so there is nothing else to be found
    if not chosen:
        return ()
    leased = {"keys": list(chosen), "owner_is": owner, "length": span(lease)}
    claimed = tx.connection.execute(_leased(tx.now), leased).all()
    return tuple(_work(row, *chosen[row.key]) for row in sorted(claimed, key=lambda row: (chosen[row.key], row.key)))


def _room_in_lanes(tx: Transaction) -> dict[str, int]:
    """How many more each lane may run that is not paused. Locks these lanes; who was there before has counted."""
    for lane in tx.connection.execute(_unpaused(tx.now)).all():
        if lane.paused_until > 0:
            _resume(tx, lane.name, lane.cap)
    return {row.name: row.cap - row.leased for row in tx.connection.execute(_leases(tx.now)).all()}


@cache
def _unpaused(now: ColumnElement[int]) -> Select[str, int, int]:
    unpaused = select(lanes.c.name, lanes.c.cap, lanes.c.paused_until).where(lanes.c.paused_until <= now)
    return unpaused.order_by(lanes.c.name).with_for_update()


@cache
def _leases(now: ColumnElement[int]) -> Select[str, int, int]:
    leased = select(func.count()).where(_counts(now)).scalar_subquery()
    return select(lanes.c.name, lanes.c.cap, leased.label("leased")).where(lanes.c.paused_until <= now)


def _counts(now: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a row of work counts against the cap of this lane."""
    return and_(work.c.lane == lanes.c.name, work.c.lease_until > now, work.c.asks)


@cache
def _overdue(now: ColumnElement[int]) -> Select[str, str, int, int | None]:
    """What could be claimed, the longest overdue first; rows that another transaction is writing are left to it."""
    return (
        select(work.c.key, work.c.lane, work.c.due, work.c.again)
        .where(
            work.c.due <= now,
            # In this form no index but that of `due` fits: any other would have all that is overdue sorted each time.
            work.c.lease_until + 0 <= now,
            func.coalesce(work.c.lane, "").in_(bindparam("open", expanding=True)),
            work.c.kind.in_(bindparam("kinds", expanding=True)),
            work.c.key.not_in(bindparam("chosen", expanding=True)),
        )
        .order_by(work.c.due, work.c.key)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(skip_locked=True)
    )


@cache
def _leased(now: ColumnElement[int]) -> ReturningUpdate[Any]:
    """Due anew from now on: a row whose worker dies each time must not come before all others for ever."""
    length = bindparam("length", type_=BigInteger)
    return (
        update(work)
        .where(work.c.key.in_(bindparam("keys", expanding=True)))
        .values(
            due=now,
            owner=bindparam("owner_is"),
            token=work.c.token + 1,
            again=None,
            lease=length,
            lease_until=now + length,
            asks=True,
        )
        .returning(work)
    )


def _resume(tx: Transaction, lane: str, cap: int) -> None:
    """The pause of a lane is over: what became due meanwhile begins spread over one period, who meets soon first.

    As many as the lane may run at once begin at once.
    """
    tx.connection.execute(update(lanes).where(lanes.c.name == lane).values(paused_until=0, why=""))
    overdue = tx.connection.execute(
        select(work.c.key, work.c.kind, work.c.name, work.c.due)
        .where(work.c.lane == lane, work.c.due <= tx.now, work.c.lease_until <= tx.now)
        .with_for_update()
    ).all()
    if len(overdue) <= cap:
        return
    now = tx.clock()
    soonest = _soonest(tx, now - span(SOON))
    ordered = sorted(overdue, key=lambda row: (soonest.get((row.kind, row.name), now + span(PARKED)), row.due, row.key))
    gap = span(SPREAD) / (len(ordered) - cap)
    tx.connection.execute(
        update(work).where(work.c.key == bindparam("this")).values(due=bindparam("then")),
        [{"this": row.key, "then": now + int(gap * (place + 1))} for place, row in enumerate(ordered[cap:])],
    )


def _soonest(tx: Transaction, after: int) -> dict[tuple[str, str], int]:
    """When the next meeting of each room and endpoint starts, as far as it was read."""
    found: dict[tuple[str, str], int] = {}
    for endpoint, room, starts in tx.connection.execute(select(parts.c.endpoint, parts.c.room, parts.c.starts)):
        ahead = [start for start in json.loads(starts) if start >= after]
        for key in (("deliver", endpoint), ("refresh", room)) if ahead else ():
            found[key] = min(ahead[0], found.get(key, ahead[0]))
    return found


@cache
def _held() -> ColumnElement[bool]:
    return and_(work.c.key == bindparam("this"), work.c.token == bindparam("mine"), work.c.lease_until > 0)


def _mine(item: Work) -> dict[str, Any]:
    return {"this": item.key, "mine": item.token}


def is_fresh(tx: Transaction, item: Work) -> bool:
    """Whether the claim holds, in a lane that is not paused, with most of its lease before it: then there is nothing to
    write."""
    return tx.connection.execute(_fresh_claim(tx.now), _mine(item)).one_or_none() is not None


@cache
def _fresh_claim(now: ColumnElement[int]) -> Select[str]:
    unpaused = select(lanes.c.name).where(lanes.c.paused_until <= now)
    return select(work.c.key).where(
        _held(), (work.c.lease_until - now) * 10 >= work.c.lease * 9, work.c.lane.in_(unpaused)
    )


def begin(tx: Transaction, item: Work) -> bool:
    """Whether the claim still holds; then its lease starts anew. In a lane that was paused meanwhile it is given back,
    so that what a Retry-After forbids does not go out because it was claimed just before."""
    if tx.connection.execute(_begun(tx.now), _mine(item)).rowcount == 1:
        return True
    give_back(tx, item)
    return False


@cache
def _begun(now: ColumnElement[int]) -> Update:
    unpaused = select(lanes.c.name).where(lanes.c.paused_until <= now)
    holds = and_(_held(), work.c.lease_until > now, work.c.lane.in_(unpaused))
    return update(work).where(holds).values(lease_until=now + work.c.lease)


def leave_lane(tx: Transaction, item: Work) -> None:
    """See `otd.ports.Store.leave_lane`."""
    tx.connection.execute(_left(), _mine(item))


@cache
def _left() -> Update:
    return update(work).where(_held()).values(asks=False)


def give_back(tx: Transaction, item: Work) -> None:
    """Take the lease away, if the claim still holds."""
    tx.connection.execute(update(work).where(_held()).values(owner="", lease_until=0), _mine(item))


def leased(tx: Transaction, owner_prefix: str) -> int:
    """How many leases have not run out."""
    mine = (work.c.owner.startswith(owner_prefix, autoescape=True), work.c.lease_until > tx.now)
    return int(tx.connection.execute(select(func.count()).where(*mine)).scalar_one())


def finish(tx: Transaction, item: Work, settled: Settled, rng: random.Random) -> None:
    """See `otd.ports.Store.finish`. A period is an upper bound: jitter only shortens it."""
    if settled.pause_lane is not None or settled.requests or settled.error:
        _note_in_lane(tx, item, settled)
    tx.connection.execute(
        _finished(tx.now, failed=bool(settled.error) or settled.parked, parked=settled.parked),
        _mine(item)
        | {
            "after": _shortened(settled, rng),
            "gap": span(AGAIN.get(item.kind, timedelta(0)) if item.hinted else timedelta(0)),
            "its_error": line(settled.error),
            "its_code": line(settled.code, 64),
            "its_mend": line(settled.mend),
        },
    )


@cache
def _finished(now: ColumnElement[int], *, failed: bool, parked: bool) -> Update:
    after = now + bindparam("after", type_=BigInteger)
    soon = now + bindparam("gap", type_=BigInteger)
    hinted = case((work.c.again.is_(None), after), else_=least(after, greatest(work.c.again, soon)))
    retried = work.c.again == RETRIED
    return (
        update(work)
        .where(_held())
        .values(
            due=case((retried, hinted), else_=after) if parked else hinted,
            owner="",
            lease_until=0,
            attempt=work.c.attempt + 1 if failed else 0,
            parked=case((retried, false()), else_=true()) if parked else False,
            error=bindparam("its_error"),
            code=bindparam("its_code"),
            mend=bindparam("its_mend"),
            failing_since=func.coalesce(work.c.failing_since, now) if failed else None,
        )
    )


def _shortened(settled: Settled, rng: random.Random) -> int:
    if settled.parked:
        return span(max(settled.after, PARKED) if settled.rest is None else settled.rest)
    if settled.after < EXACT:
        return span(settled.after)
    return int(span(settled.after) * (1 - JITTER * rng.random()))


def _note_in_lane(tx: Transaction, item: Work, settled: Settled) -> None:
    """What the answer means for the whole lane. Locks it, unless the claim is lost."""
    row = tx.connection.execute(_its_lane(tx.now), _mine(item)).one_or_none()
    if row is None:
        return
    columns = ("cap", "most", "good", "bad", "asked", "day", "budget", "why")
    before = Pace(paused_until=at(row.paused_until), **{name: getattr(row, name) for name in columns})
    after = pacing.answered(before, settled, at(row.now))
    if after != before:
        values = {name: getattr(after, name) for name in columns} | {"paused_until": ms(after.paused_until)}
        values["why"] = line(after.why)
        tx.connection.execute(update(lanes).where(lanes.c.name == row.name).values(values))


@cache
def _its_lane(now: ColumnElement[int]) -> Select[Any]:
    lane = select(work.c.lane).where(_held()).scalar_subquery()
    return select(lanes, now.label("now")).where(lanes.c.name == lane).with_for_update()


def pause(tx: Transaction, lane: str, until: datetime, why: str) -> None:
    tx.connection.execute(
        update(lanes)
        .where(lanes.c.name == lane, lanes.c.paused_until < ms(until), tx.now < ms(until))
        .values(paused_until=ms(until), why=line(why))
    )


def next_due(tx: Transaction) -> datetime | None:
    """When the next row can be claimed. In a lane that is full: at the latest when its first lease runs out."""
    found = tx.connection.execute(_outlook(tx.now)).all()
    times = [time for lane in found if (time := _claimable_at(lane)) is not None]
    return at(min(times)) if times else None


@cache
def _outlook(now: ColumnElement[int]) -> Select[int, int, int | None, int, int | None]:
    idle = select(work.c.due).where(work.c.lane == lanes.c.name, work.c.lease_until <= now)
    leased = and_(work.c.lane == lanes.c.name, work.c.lease_until > now)
    return select(
        lanes.c.cap,
        lanes.c.paused_until,
        idle.order_by(work.c.due).limit(1).scalar_subquery().label("idle"),
        select(func.count()).where(_counts(now)).scalar_subquery().label("leased"),
        select(func.min(work.c.lease_until)).where(leased).scalar_subquery().label("freed"),
    )


def _claimable_at(lane: Any) -> int | None:
    if lane.cap <= 0:
        return None
    full = lane.leased >= lane.cap
    times = [time for time in (None if full else lane.idle, lane.freed) if time is not None]
    return max(min(times), lane.paused_until) if times else None


def release(tx: Transaction, owner_prefix: str) -> int:
    """Take the leases away."""
    owned = and_(work.c.owner.startswith(owner_prefix, autoescape=True), work.c.lease_until > 0)
    return tx.connection.execute(update(work).where(owned).values(owner="", lease_until=0)).rowcount


def states(tx: Transaction) -> tuple[WorkState, ...]:
    rows = tx.connection.execute(select(work, tx.now.label("now")).order_by(work.c.key)).all()
    return tuple(
        WorkState(
            kind=row.kind,
            name=row.name,
            lane=row.lane,
            due=at(row.due),
            attempt=row.attempt,
            parked=row.parked,
            leased=row.lease_until > row.now,
            error=row.error,
            code=row.code,
            mend=row.mend,
            failing_since=at_or_none(row.failing_since),
        )
        for row in rows
    )


def lane_states(tx: Transaction) -> tuple[LaneState, ...]:
    leased = select(func.count()).where(_counts(tx.now)).scalar_subquery().label("leased")
    rows = tx.connection.execute(select(lanes, leased, tx.now.label("now")).order_by(lanes.c.name)).all()
    return tuple(
        LaneState(
            name=row.name,
            cap=row.cap,
            paused_until=at(row.paused_until) if row.paused_until > row.now else None,
            why=row.why if row.paused_until > row.now else "",
            leased=row.leased,
            most=row.most,
            budget=row.budget,
            asked=pacing.asked_today(row.asked, row.day, at(row.now)),
        )
        for row in rows
    )


def _work(row: Any, due: int, hinted: bool) -> Work:
    return Work(
        kind=row.kind,
        name=row.name,
        lane=row.lane,
        token=row.token,
        attempt=row.attempt,
        due=at(due),
        lease_until=at(row.lease_until),
        hinted=hinted,
    )
