"""Replay: stored readings through today's code and rules, beside what the endpoints were told then. Changes nothing.

Readings are taken one by one, by room and time, so memory stays flat whatever their number, and whoever stops can go on
behind the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from otd import bookings, invites
from otd.errors import Missing
from otd.invites import Joining, Site
from otd.model import EPOCH, Booking, Endpoint, KeptReading, Meeting, ReadingMark, Room
from otd.ports import Store
from otd.refresh import Rulebook

Effect = Literal["gain", "lose", "change", "appear", "vanish", "other", "same"]
EFFECTS: tuple[Effect, ...] = ("lose", "vanish", "change", "gain", "appear", "other", "same")
Readings = Callable[[str, datetime, datetime], Sequence[ReadingMark]]
LONGEST_MOMENT = 14  # digits of an id's milliseconds, which lie 3000 years ahead then
REMEMBERED = 2000  # meetings of one room whose join details are remembered from one reading to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One booking on one endpoint, as it was told then and as it would be told now. `effect`: it would gain, lose or
    change its dial string, appear or vanish whole, or be shown otherwise."""

    endpoint: str
    id: str
    effect: Effect
    before: Booking | None = field(repr=False)
    after: Booking | None = field(repr=False)

    @property
    def booking(self) -> Booking:
        """Whichever there is."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a change is of some booking")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What one reading gave: the bookings that differ, how many are the same, and how many cannot be told, since a body
    or the list of that time is not kept."""

    id: str
    room: str
    at: datetime
    timezone: str  # the room's
    meetings: int
    changes: tuple[Change, ...] = ()
    same: int = 0
    unknown: int = 0


class Rerun:
    """Runs readings through a rulebook."""

    def __init__(self, rules: Rulebook) -> None:
        self._rules = rules
        self._joins: dict[int, Joining] = {}
        self._of = ""  # the room that these are of

    def reading(
        self,
        room: Room,
        kept: KeptReading,
        endpoints: Iterable[Endpoint],
        told: Mapping[str, tuple[Booking, ...] | None],
        *,
        id: str = "",
    ) -> Replayed:
        """What it gives now, beside what these endpoints were told; None: that is not known."""
        if self._of != room.name or len(self._joins) > REMEMBERED:
            self._of, self._joins = room.name, {}
        unknown = frozenset(bookings.id_of(room, one.meeting) for one in kept.meetings if one.body_left_out)
        meetings = tuple(one.meeting for one in kept.meetings)
        rules = self._rules
        changes: list[Change] = []
        same = untold = 0
        for endpoint in endpoints:
            after = bookings.of_room(
                room, endpoint, meetings, rules.plan, rules.site, rules.policy, kept.window, read=self._read
            )
            before = told.get(endpoint.name)
            if before is None:
                untold += len(after)
                continue
            found, left = compared(endpoint.name, room.name, before, after, unknown, kept.at)
            changes += [change for change in found if change.effect != "same"]
            same += sum(change.effect == "same" for change in found)
            untold += left
        return Replayed(
            id=id,
            room=room.name,
            at=kept.at,
            timezone=room.timezone,
            meetings=len(meetings),
            changes=tuple(changes),
            same=same,
            unknown=untold,
        )

    def _read(self, meeting: Meeting, site: Site) -> Joining:
        """As otd.invites.read, once for each meeting of the room that stays the same."""
        key = hash(meeting)
        found = self._joins.get(key)
        if found is None:
            found = self._joins[key] = invites.read(meeting, site)
        return found


def marks(
    readings: Readings, names: Iterable[str], since: datetime | None, until: datetime, behind: str
) -> Iterator[ReadingMark]:
    """See `Replay.marks`; `readings` are a room's, as `otd.ports.Store.readings` gives them."""
    room, _, moment = behind.rpartition("/")
    for name in sorted(names):
        if name < room:
            continue
        found = readings(name, since or until, until)
        for mark in found if since else found[-1:]:
            if name != room or not moment.isdecimal() or int(mark.id.rpartition("/")[2]) > int(moment):
                yield mark


class Replay:
    """Replays readings of a store by a rulebook."""

    def __init__(
        self, *, store: Store, rooms: Mapping[str, Room], endpoints: Mapping[str, Endpoint], rules: Rulebook
    ) -> None:
        self._store, self._rooms, self._rerun = store, rooms, Rerun(rules)
        self._shown_on = {name: [e for e in endpoints.values() if name in e.rooms] for name in rooms}

    def marks(
        self, names: Iterable[str], since: datetime | None = None, until: datetime | None = None, behind: str = ""
    ) -> Iterator[ReadingMark]:
        """The readings of these rooms in the span, by room and time; without `since` the newest of each. `behind` is
        the id of the last one that was done already."""
        return marks(self._store.readings, names, since, until or self._store.now(), behind)

    def mark(self, id: str) -> ReadingMark | None:
        """The reading of this id; None when it is not kept (any more), or not of these rooms."""
        room, _, moment = id.rpartition("/")
        if room not in self._rooms or not moment.isdecimal() or len(moment) > LONGEST_MOMENT:
            return None
        at = EPOCH + timedelta(milliseconds=int(moment))
        return next((mark for mark in self._store.readings(room, at, at) if mark.id == id), None)

    def reading(self, mark: ReadingMark) -> Replayed:
        """One reading beside the lists of its time. What was removed meanwhile counts as unknown."""
        room, told = self._rooms[mark.room], self.told(mark.room, mark.at)
        try:
            kept = self._store.reading(mark.id)
        except Missing:  # its time was over between two looks
            return Replayed(
                id=mark.id,
                room=mark.room,
                at=mark.at,
                timezone=room.timezone,
                meetings=mark.meetings,
                unknown=mark.meetings,
            )
        return self._rerun.reading(room, kept, self._shown_on[mark.room], told, id=mark.id)

    def told(self, room: str, at: datetime) -> dict[str, tuple[Booking, ...] | None]:
        """What each endpoint of the room was told then; None where that is not kept."""
        found: dict[str, tuple[Booking, ...] | None] = {}
        for endpoint in self._shown_on[room]:
            held = self._store.list_at(endpoint.name, at)
            found[endpoint.name] = held.list.bookings if held else None
        return found


def compared(
    endpoint: str,
    room: str,
    before: Iterable[Booking],
    after: Iterable[Booking],
    unknown: frozenset[str],
    now: datetime,
) -> tuple[list[Change], int]:
    """Each booking of the room on the endpoint, by start, and how many cannot be told. What was over then is left out.
    What was booked in several rooms of the endpoint at once was shown once, and that is the same."""
    told = [booking for booking in before if not booking.is_over(now)]
    old = {booking.id: booking for booking in told if booking.room == room}
    new = {booking.id: booking for booking in after if not booking.is_over(now)}
    others = {(b.start, b.end, b.dial) for b in told if b.room != room}
    found, left = [], 0
    for id in sorted(old.keys() | new.keys(), key=lambda one: ((old.get(one) or new[one]).start, one)):
        was, would = old.get(id), new.get(id)
        if id in unknown:
            left += 1
            continue
        shown_by_another = was is None and would is not None and (would.start, would.end, would.dial) in others
        effect = "same" if shown_by_another else _effect(was, would)
        found.append(Change(endpoint=endpoint, id=id, effect=effect, before=was, after=would))
    return found, left


def _effect(was: Booking | None, would: Booking | None) -> Effect:
    if was is None or would is None:
        return "appear" if was is None else "vanish"
    if was.dial != would.dial:
        return "gain" if was.dial is None else "lose" if would.dial is None else "change"
    return "same" if _shown(was) == _shown(would) else "other"


def _shown(booking: Booking) -> tuple[object, ...]:
    return (booking.start, booking.end, booking.title, booking.organizer, booking.private, booking.dial)
