"""What the brake remembers: rooms that went empty, what is held and since when, and the rules in force.

Whoever notes a room that goes empty has locked its calendar's lane first, so that two that come at once see each other.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, String, bindparam, delete, func, insert, select, update

from otd import brake
from otd.brake import Floor
from otd.model import Booking, Brake, Emptied, SavedRuling, Standing
from otd.pacing import asked_today
from otd.store import audit, claims, records
from otd.store.tables import at, at_or_none, brakes, emptied, lanes, readings, rooms, rulings, span, work
from otd.store.transaction import Transaction

RULES = "rules"  # no calendar can have this name's brake, see otd.settings
_PART: Any = tuple[str, tuple[Booking, ...]]
PAST = 10  # rulings that were in force once, and refused ones, that stay


def standing(tx: Transaction, room: str) -> Standing:
    """See `otd.ports.Store.standing`."""
    row = tx.connection.execute(_stands(tx.now), {"of": room, "its_work": f"refresh:{room}"}).one()
    return Standing(
        now=at(row.now),
        read_at=at_or_none(row.read_at),
        rules=row.rules or "",
        frozen=row.frozen is not None,
        reading=row.reading or "",
        emptied=row.mark is not None,
        budget=row.budget or 0,
        asked=asked_today(row.asked or 0, row.day or 0, at(row.now)),
        read_on=row.lane or "",
    )


@cache
def _stands(now: ColumnElement[int]) -> Select[Any]:
    the_room = bindparam("of", type_=String)
    in_force = select(rulings.c.digest).where(rulings.c.state == "force").limit(1).scalar_subquery()
    is_frozen = select(rulings.c.digest).where(rulings.c.state == "held", rulings.c.frozen).limit(1).scalar_subquery()
    newest = (
        select(readings.c.digest)
        .where(readings.c.room == the_room)
        .order_by(readings.c.at.desc())
        .limit(1)
        .scalar_subquery()
    )
    lane = select(work.c.lane).where(work.c.key == bindparam("its_work", type_=String)).scalar_subquery()
    return select(
        now.label("now"),
        in_force.label("rules"),
        is_frozen.label("frozen"),
        newest.label("reading"),
        select(emptied.c.room).where(emptied.c.room == the_room).scalar_subquery().label("mark"),
        lane.label("lane"),
        select(rooms.c.read_at).where(rooms.c.name == the_room).scalar_subquery().label("read_at"),
        *(
            select(column).where(lanes.c.name == lane).scalar_subquery().label(column.name)
            for column in (lanes.c.budget, lanes.c.asked, lanes.c.day)
        ),
    )


# --- rooms that go empty ------------------------------------------------------------------------------------------

Parts = tuple[tuple[str, tuple[Booking, ...]], ...]
"""What endpoints show of a room, by endpoint."""


def emptying(tx: Transaction, room: str, calendar: str, parts: Parts) -> tuple[Emptied, ...]:
    """See `otd.ports.Store.emptying`."""
    now = _in_turn(tx, calendar)
    mark = tx.connection.execute(select(emptied.c.room).where(emptied.c.room == room)).one_or_none()
    if mark is None:
        if not _shows(parts, now):
            return ()
        sealed = tx.vault.seal(_place(room), records.dump(parts))
        tx.connection.execute(insert(emptied).values(room=room, calendar=calendar, at=now, held=False, before=sealed))
    floor = _floor(tx, calendar, now)
    if not brake.holds(floor, at(now)):
        return ()
    whose = emptied.c.room == room if floor.on else emptied.c.calendar == calendar
    for newly in tx.connection.execute(select(emptied.c.room).where(whose, emptied.c.held.is_(False))).scalars().all():
        audit.note(tx, "brake", f"room:{newly}", "held")
    tx.connection.execute(update(emptied).where(whose).values(held=True))
    if not floor.on:
        why = f"{floor.emptied} of {floor.rooms} rooms would go from bookings to none within ten minutes"
        _put(tx, _of(calendar), since=now, why=why)
    held = [
        Emptied(room=row.room, parts=records.load_tuple(_PART, tx.vault.open(_place(row.room), bytes(row.before))))
        for row in tx.connection.execute(select(emptied).where(whose).order_by(emptied.c.room)).all()
    ]
    over = [one.room for one in held if not _shows(one.parts, now)]
    _forget(tx, over)
    return tuple(one for one in held if one.room not in over)


def _in_turn(tx: Transaction, calendar: str) -> int:
    """Lock the calendar's lane and forget what does not count any more; the time."""
    tx.connection.execute(select(lanes.c.name).where(lanes.c.name == calendar).with_for_update())
    now = tx.clock()
    old = (emptied.c.calendar == calendar, emptied.c.held.is_(False), emptied.c.at <= now - span(brake.WITHIN))
    tx.connection.execute(delete(emptied).where(*old))
    return now


def _floor(tx: Transaction, calendar: str, now: int) -> Floor:
    rooms_of_it = select(func.count()).where(work.c.kind == "refresh", work.c.lane == calendar)
    recent = select(func.count()).where(emptied.c.calendar == calendar, emptied.c.at > now - span(brake.WITHIN))
    held = select(func.count()).where(emptied.c.calendar == calendar, emptied.c.held)
    let_go = select(brakes.c.open_until).where(brakes.c.name == _of(calendar))
    row = tx.connection.execute(
        select(
            rooms_of_it.scalar_subquery().label("rooms"),
            recent.scalar_subquery().label("recent"),
            held.scalar_subquery().label("held"),
            let_go.scalar_subquery().label("open"),
        )
    ).one()
    return Floor(rooms=row.rooms, emptied=row.recent, on=row.held > 0, open_until=at(row.open) if row.open else None)


def filled(tx: Transaction, room: str) -> None:
    """See `otd.ports.Store.filled`."""
    if tx.connection.execute(select(emptied.c.held).where(emptied.c.room == room)).scalar():
        audit.note(tx, "brake", f"room:{room}", "let go", said=audit.Said(why="it has bookings again"))
    _forget(tx, [room])


def _forget(tx: Transaction, names: list[str]) -> None:
    if names:
        tx.connection.execute(delete(emptied).where(emptied.c.room.in_(names)))


def _shows(parts: Parts, now: int) -> bool:
    return any(not booking.is_over(at(now)) for _, part in parts for booking in part)


def _of(calendar: str) -> str:
    return f"calendar:{calendar}"


def _place(room: str) -> str:
    return f"emptied/{room}"


# --- what is held, and letting it go ------------------------------------------------------------------------------


def held(tx: Transaction) -> tuple[Brake, ...]:
    """See `otd.ports.Store.brakes`."""
    things = select(emptied.c.calendar, func.count()).where(emptied.c.held).group_by(emptied.c.calendar)
    count = {_of(calendar): number for calendar, number in tx.connection.execute(things).all()}
    is_held = tx.connection.execute(select(rulings.c.digest).where(rulings.c.state == "held")).first() is not None
    found = []
    for row in tx.connection.execute(select(brakes).where(brakes.c.since > 0).order_by(brakes.c.name)).all():
        number = count.get(row.name, 0) if row.name != RULES else row.things if is_held else 0
        if number:
            name = row.name.removeprefix(_of(""))
            found.append(Brake(name=name, since=at(row.since), things=number, why=row.why))
    return tuple(found)


def let_go(tx: Transaction, calendar: str, why: str) -> int:
    """See `otd.ports.Store.let_go`."""
    now = _in_turn(tx, calendar)
    names = tx.connection.execute(select(emptied.c.room).where(emptied.c.calendar == calendar, emptied.c.held))
    rooms_held = list(names.scalars().all())
    if rooms_held:
        tx.connection.execute(delete(emptied).where(emptied.c.calendar == calendar))
        _put(tx, _of(calendar), since=0, why="", open_until=now + span(brake.OPEN))
        for room in rooms_held:
            claims.hint(tx, "refresh", room)
            audit.note(tx, "brake", f"room:{room}", "let go", who=tx.actor)
        audit.act(tx, _of(calendar), "release", why)
    return len(rooms_held)


def _put(tx: Transaction, name: str, *, since: int, why: str, things: int = 0, open_until: int = 0) -> None:
    values = {"since": since, "why": why, "things": things, "open_until": open_until}
    if tx.connection.execute(update(brakes).where(brakes.c.name == name).values(values)).rowcount == 0:
        tx.connection.execute(insert(brakes).values(name=name, **values))


# --- the rules in force -------------------------------------------------------------------------------------------


def put_ruling(tx: Transaction, ruling: SavedRuling, *, held_for: tuple[int, str] | None, frozen: bool) -> None:
    """See `otd.ports.Store.put_ruling`."""
    _drop_held(tx)
    if held_for is None:
        _into_force(tx, ruling.digest, ruling)
        return
    _note(tx, "held", ruling.digest, held_for[1])
    tx.connection.execute(delete(rulings).where(rulings.c.digest == ruling.digest))
    _insert(tx, ruling, state="held", frozen=frozen)
    things, why = held_for
    _put(tx, RULES, since=tx.clock(), why=why, things=things)


def release_rules(tx: Transaction, why: str) -> bool:
    """See `otd.ports.Store.release_rules`."""
    waiting = tx.connection.execute(select(rulings.c.digest).where(rulings.c.state == "held")).scalar()
    if waiting is None:
        return False
    _into_force(tx, waiting)
    _everything_anew(tx)
    audit.act(tx, RULES, "release", why)
    return True


def revert_rules(tx: Transaction, why: str) -> SavedRuling | None:
    """See `otd.ports.Store.revert_rules`."""
    refused = {"state": "refused", "frozen": False, "since": tx.clock()}
    if tx.connection.execute(update(rulings).where(rulings.c.state == "held").values(refused)).rowcount == 0:
        last = select(rulings.c.digest).where(rulings.c.state == "past").order_by(rulings.c.since.desc()).limit(1)
        before = tx.connection.execute(last).scalar()
        if before is None:
            return None
        tx.connection.execute(update(rulings).where(rulings.c.state == "force").values(refused))
        _into_force(tx, before)
    _everything_anew(tx)
    audit.act(tx, RULES, "revert", why)
    return ruling_in(tx, "force")


def ruling_in(tx: Transaction, state: str) -> SavedRuling | None:
    """The one that is in force, or held."""
    row = tx.connection.execute(select(rulings).where(rulings.c.state == state)).first()
    if row is None:
        return None
    return SavedRuling(digest=row.digest, text=tx.vault.open(_sealed(row.digest), bytes(row.ruling)))


def is_refused(tx: Transaction, digest: str) -> bool:
    """See `otd.ports.Store.is_refused`."""
    refused = select(rulings.c.digest).where(rulings.c.digest == digest, rulings.c.state == "refused")
    return tx.connection.execute(refused).first() is not None


def _into_force(tx: Transaction, digest: str, ruling: SavedRuling | None = None) -> None:
    now = tx.clock()
    if tx.connection.execute(select(rulings.c.digest).where(rulings.c.state == "force")).scalar() != digest:
        _note(tx, "in force", digest)
    other = (rulings.c.state == "force", rulings.c.digest != digest)
    tx.connection.execute(update(rulings).where(*other).values(state="past", since=now, frozen=False))
    changed = {"state": "force", "frozen": False, "since": now}
    if (
        tx.connection.execute(update(rulings).where(rulings.c.digest == digest).values(changed)).rowcount == 0
        and ruling
    ):
        _insert(tx, ruling, state="force", frozen=False)
    older = select(rulings.c.digest).where(rulings.c.state.in_(("past", "refused"))).order_by(rulings.c.since.desc())
    gone = tx.connection.execute(older.offset(PAST)).scalars().all()
    if gone:
        tx.connection.execute(delete(rulings).where(rulings.c.digest.in_(gone)))


def _note(tx: Transaction, word: str, digest: str, why: str = "") -> None:
    audit.note(tx, "rules", RULES, word, said=audit.Said(why=f"rules {digest[:12]}" + (f": {why}" if why else "")))


def _drop_held(tx: Transaction) -> None:
    tx.connection.execute(delete(rulings).where(rulings.c.state == "held"))


def _insert(tx: Transaction, ruling: SavedRuling, *, state: str, frozen: bool) -> None:
    sealed = tx.vault.seal(_sealed(ruling.digest), ruling.text)
    values = {"digest": ruling.digest, "state": state, "since": tx.clock(), "frozen": frozen, "ruling": sealed}
    tx.connection.execute(insert(rulings).values(values))


def _sealed(digest: str) -> str:
    return f"rulings/{digest}"


def _everything_anew(tx: Transaction) -> None:
    rooms_all = tx.connection.execute(select(rooms.c.name).order_by(rooms.c.name)).scalars().all()
    for room in rooms_all:
        claims.hint(tx, "refresh", room)
