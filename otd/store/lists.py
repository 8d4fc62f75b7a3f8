"""Rooms as they were read, the parts of endpoints' lists, and the desired lists."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select, update

from otd.errors import Missing, Unsupported
from otd.model import Booking, BookingList, Desired, Failed, Reading, Room, RoomState
from otd.store import audit, claims, records
from otd.store.tables import at, at_or_none, endpoints, ms, parts, rooms, work
from otd.store.transaction import Transaction, greatest, line
from otd.store.vault import Vault

HIGHEST = 2**53  # what JSON carries exactly; as milliseconds it lies 280,000 years ahead


def not_configured(name: str) -> Missing:
    return Missing(name, "it is not in the settings (any more)", "run `otd check`")


def save_reading_as_before(tx: Transaction, reading: Reading) -> bool:
    """In one statement, when the room is read as it was before, or fails of the same; else nothing, and False."""
    code = line(reading.error.code, 64) if isinstance(reading, Failed) else ""
    as_before = rooms.c.failing_since.is_not(None) if code else rooms.c.failing_since.is_(None)
    which = (rooms.c.name == reading.room, as_before, rooms.c.code == code)
    saved = tx.connection.execute(update(rooms).where(*which).values(_failed(tx, reading) | _read(tx, reading)))
    return saved.rowcount == 1


def save_reading(tx: Transaction, reading: Reading) -> bool:
    """See `otd.ports.Store.save_reading`; that it fails, or does so no longer, goes into the audit."""
    which = rooms.c.name == reading.room
    before = tx.connection.execute(select(rooms.c.code).where(which).with_for_update()).one_or_none()
    if before is None:
        raise not_configured(reading.room)
    tx.connection.execute(update(rooms).where(which).values(_failed(tx, reading) | _read(tx, reading)))
    error = reading.error if isinstance(reading, Failed) else None
    if before.code == (line(error.code, 64) if error else ""):
        return False
    said = audit.Said(why=line(error.why), mend=line(error.mend)) if error else None
    audit.note(tx, "reading", f"room:{reading.room}", error.code if error else "read", said=said)
    return True


def _failed(tx: Transaction, reading: Reading) -> dict[str, object]:
    if not isinstance(reading, Failed):
        return {"failing_since": None, "error": "", "code": "", "mend": ""}
    error = reading.error
    since = func.coalesce(rooms.c.failing_since, tx.now)
    return {"failing_since": since, "error": line(error.why), "code": line(error.code, 64), "mend": line(error.mend)}


def _read(tx: Transaction, reading: Reading) -> dict[str, object]:
    if isinstance(reading, Failed):
        return {}
    problems = None
    if reading.problems:
        problems = tx.vault.seal(f"rooms/{reading.room}/problems", records.dump(reading.problems))
    return {"read_at": tx.now, "meetings": len(reading.meetings), "problems": problems}


_THE_PART = select(parts.c.bookings).where(parts.c.endpoint == bindparam("of"), parts.c.room == bindparam("its_room"))
_PUT_PART = (
    update(parts)
    .where(parts.c.endpoint == bindparam("of"), parts.c.room == bindparam("its_room"))
    .values(bookings=bindparam("sealed"), starts=bindparam("its_starts"), summary=bindparam("in_short"))
)
_THE_ENDPOINT = select(endpoints).where(endpoints.c.name == bindparam("of"))


def part(tx: Transaction, endpoint: str, room: str) -> tuple[Booking, ...] | None:
    sealed = tx.connection.execute(_THE_PART, {"of": endpoint, "its_room": room}).scalar()
    if sealed is None:
        return None
    return records.load_tuple(Booking, tx.vault.open(_part(endpoint, room), bytes(sealed)))


def sealed_part(vault: Vault, endpoint: str, room: str, bookings: tuple[Booking, ...]) -> bytes:
    return vault.seal(_part(endpoint, room), records.dump(bookings))


def put_part(tx: Transaction, endpoint: str, room: str, bookings: tuple[Booking, ...], sealed: bytes) -> None:
    """`sealed` is what `sealed_part` makes of the bookings."""
    starts = json.dumps(sorted({ms(booking.start) for booking in bookings}))
    summary = json.dumps([(ms(booking.start), booking.platform, booking.reason) for booking in bookings])
    values = {"of": endpoint, "its_room": room, "sealed": sealed, "its_starts": starts, "in_short": summary}
    put = tx.connection.execute(_PUT_PART, values)
    if put.rowcount == 0:
        raise not_configured(f"{room} on {endpoint}")


def _part(endpoint: str, room: str) -> str:
    return f"parts/{endpoint}/{room}"


def sealed_list(vault: Vault, wanted: BookingList) -> bytes:
    return vault.seal(_desired(wanted.endpoint), records.dump(wanted))


def put_desired(tx: Transaction, wanted: BookingList, digest: str, sealed: bytes, after: datetime | None = None) -> int:
    """`sealed` is what `sealed_list` makes of it. A parked delivery stays parked, since a new list is no new password;
    but a list that the endpoint did not take may be followed by one that it takes."""
    locked = select(endpoints).where(endpoints.c.name == wanted.endpoint).with_for_update()
    former = tx.connection.execute(locked).one_or_none()
    before = None if former is None else desired_of(tx, former)
    row = tx.connection.execute(
        update(endpoints)
        .where(endpoints.c.name == wanted.endpoint, endpoints.c.removed.is_(False))
        .values(
            revision=_next_revision(tx),
            digest=digest,
            desired=sealed,
            desired_since=tx.now,
            desired_after=None if after is None else ms(after),
        )
        .returning(endpoints.c.revision, endpoints.c.outcome)
    ).one_or_none()
    if row is None:
        raise not_configured(wanted.endpoint)
    audit.put_list(tx, before, wanted, row.revision)
    again = claims.revive if row.outcome == "unsupported" else claims.hint
    again(tx, "deliver", wanted.endpoint)
    return int(row.revision)


def renumber(tx: Transaction, endpoint: str, above: int) -> int:
    if above >= HIGHEST:
        raise Unsupported(endpoint, f"a relay says that it has seen revision {above}", "revoke it if it is not yours")
    revision = tx.connection.execute(
        update(endpoints)
        .where(endpoints.c.name == endpoint)
        .values(revision=greatest(_next_revision(tx), above + 1))
        .returning(endpoints.c.revision)
    ).scalar()
    if revision is None:
        raise not_configured(endpoint)
    audit.put_same_list(tx, endpoint, revision)
    return int(revision)


def _next_revision(tx: Transaction) -> ColumnElement[int]:
    """Never back, even when an older copy of the database was restored: the clock has gone on since."""
    return greatest(endpoints.c.revision + 1, tx.now)


def _desired(endpoint: str) -> str:
    return f"endpoints/{endpoint}/desired"


def desired(tx: Transaction, endpoint: str) -> Desired | None:
    row = tx.connection.execute(_THE_ENDPOINT, {"of": endpoint}).one_or_none()
    return None if row is None else desired_of(tx, row)


def desired_of(tx: Transaction, row: Any) -> Desired | None:
    """The desired list in a row of `endpoints`."""
    if row.desired is None:
        return None
    wanted = records.load(BookingList, tx.vault.open(_desired(row.name), bytes(row.desired)))
    return Desired(
        revision=row.revision,
        digest=row.digest,
        list=wanted,
        since=at(row.desired_since),
        after=at_or_none(row.desired_after),
    )


def room_states(tx: Transaction) -> tuple[RoomState, ...]:
    lane = select(work.c.lane).where(work.c.key == "refresh:" + rooms.c.name).scalar_subquery()
    return tuple(
        RoomState(
            room=records.load(Room, row.room),
            read_on=row.lane or "",
            read_at=at_or_none(row.read_at),
            meetings=row.meetings,
            problems=_problems(tx, row.name, row.problems),
            failing_since=at_or_none(row.failing_since),
            error=row.error,
            code=row.code,
            mend=row.mend,
        )
        for row in tx.connection.execute(select(rooms, lane.label("lane")).order_by(rooms.c.name))
    )


def _problems(tx: Transaction, room: str, sealed: bytes | None) -> tuple[str, ...]:
    if sealed is None:
        return ()
    return records.load_tuple(str, tx.vault.open(f"rooms/{room}/problems", bytes(sealed)))
