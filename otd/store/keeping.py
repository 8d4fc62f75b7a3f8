"""Readings kept for replay.

A reading is a row with the digests of its meetings; a meeting's content is a row of its own, sealed, and stays as long
as some reading needs it. `used_at` of a content is not before the moment when the last reading with it was superseded;
only what the newest reading of a room holds may be needed although its `used_at` is old.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, exists, insert, select, update

from otd import readings as kept_form
from otd.errors import Missing
from otd.model import Complete, Empty, KeptMeeting, KeptReading, Meeting, ReadingMark, Sighting, Window
from otd.store import records
from otd.store.lists import not_configured
from otd.store.tables import at, contents, ms, readings, rooms, span
from otd.store.transaction import Transaction, greatest
from otd.store.vault import Vault

SIZE = 16  # bytes of a digest
REMEMBERED = 200_000  # meetings whose digests a process remembers, about 100 bytes each
ROOMS_AT_ONCE = 200  # that one call of `tidy` looks at


class Digests:
    """The digests of meetings as they are kept; those of meetings that have not changed since are remembered.

    They are remembered by their hash, which covers every field and is keyed by this process, so that nobody can make
    two meetings with the same one.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault, self._lock = vault, Lock()
        self._known: OrderedDict[tuple[int, bool], bytes] = OrderedDict()

    def of(self, meeting: Meeting, *, bodies: bool, texts: dict[bytes, str] | None = None) -> bytes:
        """The digest of what is kept of this meeting; what that is goes into `texts` when it had to be made."""
        key = (hash(meeting), bodies)
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
                return found
        text = records.dump(kept_form.kept(meeting, bodies=bodies))
        found = self._vault.digest(text)
        if texts is not None:
            texts[found] = text
        with self._lock:
            self._known[key] = found
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found


def digest_of(parts: Iterable[bytes]) -> str:
    """The digest of a reading: that of its meetings in whatever order."""
    return sha256(b"".join(sorted(parts))).hexdigest()


_NEWEST = select(readings).where(readings.c.room == bindparam("of")).order_by(readings.c.at.desc()).limit(1)


def latest(tx: Transaction, room: str) -> Row[Any] | None:
    """The newest reading of the room."""
    return tx.connection.execute(_NEWEST, {"of": room}).one_or_none()


def digests_of_latest(tx: Transaction, room: str) -> frozenset[bytes]:
    """The meetings in it."""
    newest = latest(tx, room)
    return frozenset(_split(newest.meetings)) if newest is not None else frozenset()


def sealed(vault: Vault, room: str, texts: Mapping[bytes, str]) -> dict[bytes, bytes]:
    """What is kept of meetings, by digest, as it goes into rows."""
    return {digest: vault.seal(_place(room, digest), text) for digest, text in texts.items()}


def keep(
    tx: Transaction,
    reading: Complete | Empty,
    found: dict[bytes, Meeting],
    made: Mapping[bytes, bytes],
    *,
    bodies: bool,
) -> bool:
    """See `otd.ports.Store.keep_reading`; `found` are the meetings by digest, `made` the sealed contents of some."""
    locked = tx.connection.execute(select(rooms.c.name).where(rooms.c.name == reading.room).with_for_update())
    if locked.one_or_none() is None:
        raise not_configured(reading.room)
    before, digest = latest(tx, reading.room), digest_of(found)
    if before is not None and before.digest == digest:
        return False
    superseded = _split(before.meetings) if before is not None else ()
    _use(tx, reading.room, {*found, *superseded})
    stored = tx.connection.execute(
        select(contents.c.digest).where(contents.c.room == reading.room, contents.c.digest.in_(found))
    ).scalars()
    known = {bytes(digest) for digest in stored}
    rest = {
        one: records.dump(kept_form.kept(meeting, bodies=bodies))
        for one, meeting in found.items()
        if one not in known and one not in made
    }
    new = {one: content for one, content in made.items() if one not in known} | sealed(tx.vault, reading.room, rest)
    if new:
        now = tx.clock()
        rows = [{"room": reading.room, "digest": one, "content": new[one], "used_at": now} for one in new]
        tx.connection.execute(insert(contents), rows)
    now_or_later = tx.now if before is None else greatest(tx.now, before.at + 1)
    tx.connection.execute(
        insert(readings).values(
            room=reading.room,
            at=now_or_later,
            digest=digest,
            meetings=b"".join(found),
            window_start=ms(reading.window.start),
            window_end=ms(reading.window.end),
        )
    )
    return True


def _use(tx: Transaction, room: str, digests: Iterable[bytes]) -> None:
    tx.connection.execute(
        update(contents).where(contents.c.room == room, contents.c.digest.in_(sorted(digests))).values(used_at=tx.now)
    )


def _place(room: str, digest: bytes) -> str:
    return f"contents/{room}/{digest.hex()}"


def _split(joined: bytes) -> tuple[bytes, ...]:
    whole = bytes(joined)
    return tuple(whole[n : n + SIZE] for n in range(0, len(whole), SIZE))


def marks(tx: Transaction, room: str, since: int, until: int) -> tuple[ReadingMark, ...]:
    """See `otd.ports.Store.readings`."""
    in_force = (
        select(readings.c.at)
        .where(readings.c.room == room, readings.c.at <= since)
        .order_by(readings.c.at.desc())
        .limit(1)
    ).scalar_subquery()
    wanted = readings.c.at.between(since, until) | (readings.c.at == in_force)
    rows = tx.connection.execute(
        select(readings.c.at, readings.c.meetings).where(readings.c.room == room, wanted).order_by(readings.c.at)
    )
    return tuple(
        ReadingMark(id=f"{room}/{row.at}", room=room, at=at(row.at), meetings=len(row.meetings) // SIZE) for row in rows
    )


def load(tx: Transaction, id: str) -> KeptReading:
    """See `otd.ports.Store.reading`."""
    room, _, moment = id.rpartition("/")
    row = None
    if moment.isascii() and moment.isdigit() and len(moment) < SIZE:
        row = tx.connection.execute(
            select(readings).where(readings.c.room == room, readings.c.at == int(moment))
        ).one_or_none()
    if row is None:
        raise Missing(f"reading {id}", "it is not kept (any more)", "`otd readings list ROOM` names those that are")
    return _whole(tx, row)


def _whole(tx: Transaction, row: Any) -> KeptReading:
    digests = _split(row.meetings)
    found = _opened(tx, row.room, contents.c.digest.in_(digests))
    return KeptReading(
        room=row.room,
        at=at(row.at),
        window=Window(start=at(row.window_start), end=at(row.window_end)),
        meetings=tuple(found[one] for one in digests if one in found),
    )


def _opened(tx: Transaction, room: str, *which: ColumnElement[bool]) -> dict[bytes, KeptMeeting]:
    """Contents of the room by their digests."""
    rows = tx.connection.execute(select(contents.c.digest, contents.c.content).where(contents.c.room == room, *which))
    return {
        bytes(row.digest): records.load(KeptMeeting, tx.vault.open(_place(room, bytes(row.digest)), bytes(row.content)))
        for row in rows
    }


def load_latest(tx: Transaction, room: str) -> KeptReading | None:
    """See `otd.ports.Store.last_reading`."""
    row = latest(tx, room)
    return None if row is None else _whole(tx, row)


def sightings(tx: Transaction, room: str) -> tuple[Sighting, ...]:
    """See `otd.ports.Store.sightings`."""
    rows = tx.connection.execute(select(readings).where(readings.c.room == room).order_by(readings.c.at)).all()
    found = _opened(tx, room)
    seen: dict[KeptMeeting, Sighting] = {}  # by the meeting without its change key
    before: datetime | None = None
    for row in rows:
        now = at(row.at)
        for digest in _split(row.meetings):
            if (kept := found.get(digest)) is None:
                continue
            key = replace(kept, meeting=replace(kept.meeting, change_key=""))
            known = seen.get(key)
            first = Sighting(kept=kept, first=now, last=now, before=before)
            seen[key] = first if known is None else replace(known, last=now)
        before = at(row.window_end)
    return tuple(seen.values())


def tidy(tx: Transaction, keep_for: timedelta) -> bool:
    """See `otd.ports.Store.tidy`."""
    cutoff = tx.clock() - span(keep_for)
    later = readings.alias("later")
    superseded = exists().where(later.c.room == readings.c.room, later.c.at > readings.c.at, later.c.at <= cutoff)
    of_no_room = readings.c.room.not_in(select(rooms.c.name))
    tx.connection.execute(delete(readings).where(readings.c.at <= cutoff, superseded | of_no_room))
    stale = contents.c.used_at <= cutoff
    some = tx.connection.execute(
        select(contents.c.room).where(stale).distinct().order_by(contents.c.room).limit(ROOMS_AT_ONCE)
    ).scalars()
    looked_at = [_tidy_room(tx, room, cutoff) for room in some.all()]
    return len(looked_at) == ROOMS_AT_ONCE and any(looked_at)


def _tidy_room(tx: Transaction, room: str, cutoff: int) -> bool:
    """Remove the contents that no reading needs; False when another transaction writes readings of the room."""
    one = select(rooms.c.name).where(rooms.c.name == room)
    is_there = tx.connection.execute(one).one_or_none() is not None
    if is_there and tx.connection.execute(one.with_for_update(skip_locked=True)).one_or_none() is None:
        return False
    newest = latest(tx, room)
    if newest is not None:
        _use(tx, room, _split(newest.meetings))
    tx.connection.execute(delete(contents).where(contents.c.room == room, contents.c.used_at <= cutoff))
    return True
