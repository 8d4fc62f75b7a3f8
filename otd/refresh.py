"""Refreshing a room: read its calendar, compute the lists of its endpoints, hold back what the brake holds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock

import structlog

from otd import bookings, brake
from otd.deliveries import Timing, list_name
from otd.dialplan import DialPlan
from otd.dialplan.ruling import Ruling, restored
from otd.errors import ELSEWHERE, Busy, Missing, OtdError, Permanent, Unreachable
from otd.invites import Site
from otd.metrics import Metrics
from otd.model import (
    Booking,
    Complete,
    Emptied,
    Empty,
    Endpoint,
    Failed,
    Policy,
    Reading,
    Room,
    Settled,
    Standing,
    Window,
    Work,
)
from otd.pacing import Budget, period
from otd.ports import Calendar, Store

LOOK_BACK = timedelta(hours=1)  # meetings that ended this long ago are still read
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """All that decides how a meeting becomes a booking, and when things are due."""

    plan: DialPlan
    site: Site
    policy: Policy
    ruling: Ruling | None = None  # what `plan` and `site` come from; None: they hold whatever the store says
    timing: Timing = field(default_factory=Timing)
    refresh: timedelta = timedelta(seconds=30)  # a room with a meeting near is read this often,
    idle: timedelta = timedelta(minutes=2)  # and one with nothing ahead today this often, see otd.pacing
    read_within: timedelta = timedelta(seconds=45)
    keep: timedelta = timedelta(days=14)  # readings, for replay
    audited: timedelta = timedelta(days=90)  # the audit
    bodies: bool = True  # and with them the bodies of meetings that are not private


def under(ruling: Ruling, rules: Rulebook) -> Rulebook:
    """The same rulebook with this ruling in place of its own."""
    site = ruling.site
    policy = replace(
        rules.policy,
        private_dial=ruling.private_dial,
        own_domains=site.own_domains,
        allowed_domains=site.allowed_domains,
    )
    return replace(rules, plan=ruling.plan, site=site, policy=policy, ruling=ruling)


def in_force(store: Store, own: Rulebook) -> Rulebook:
    """Our own rulebook, or the one that is in force while the brake holds ours or a person went back from it."""
    saved = store.ruling("force")
    if own.ruling is None or saved is None or saved.digest == own.ruling.digest:
        return own
    return under(restored(saved), own)


Parts = dict[str, tuple[Booking, ...] | None]
"""What endpoints show of a room, by endpoint; None where it was never read."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What was last computed of a room, and from what."""

    meetings: int  # their hash
    rules: Rulebook
    parts: Mapping[str, tuple[Booking, ...]]


class Refresh:
    """The use case with what it needs."""

    def __init__(
        self,
        *,
        store: Store,
        calendars: Mapping[str, Calendar],
        rooms: Mapping[str, Room],
        endpoints: Mapping[str, Endpoint],
        rules: Rulebook,
        elsewhere: Mapping[str, tuple[str, ...]] | None = None,
        metrics: Metrics | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`elsewhere`: by calendar, the others on which to look for a mailbox that is no longer there. `wake` is called
        when a lane has room for more."""
        self._store, self._calendars, self._rooms, self._own = store, calendars, rooms, rules
        self._elsewhere, self._wake = elsewhere or {}, wake
        self._metrics = metrics or Metrics()
        self._endpoints = endpoints
        self._shown_on = {room: tuple(e for e in endpoints.values() if room in e.rooms) for room in rooms}
        self._rooms_of = Counter(room.calendar for room in rooms.values())
        self._known: dict[str, _Known] = {}
        self._lock, self._other = Lock(), rules  # the rulebook that is in force, when that is not our own

    def room(self, name: str, work: Work | None = None) -> Settled:
        """Read the room's window; compute the lists of its endpoints; store those that changed. A reading that failed
        changes nothing on any screen. When it takes a while to work up what was read, `work` leaves its lane for that
        time, since the calendar is asked nothing more. Raises OtdError with what the reading failed of."""
        room = self._rooms.get(name)
        if room is None or room.calendar not in self._calendars:
            raise Missing(f"room {name}", "it is no longer configured")
        standing = self._store.standing(name)
        rules = self._in_force(standing)
        window = Window(start=standing.now - LOOK_BACK, end=standing.now + rules.policy.ahead)
        began = time.monotonic()
        reading, calendar = self._read(room, window, rules, standing)
        self._metrics.reading(calendar, _outcome(reading), timedelta(seconds=time.monotonic() - began))
        parts = None if isinstance(reading, Failed) else self._remembered(room, reading, rules)
        if work is not None and parts is None and not isinstance(reading, Failed):
            self._store.leave_lane(work)
            self._wake()
        if self._store.save_reading(reading):
            _log_change(room, calendar, reading)
        if isinstance(reading, Failed):
            raise reading.error
        parts = self._parts_of(room, reading, rules) if parts is None else parts
        before: Parts = {e.name: self._store.part(e.name, name) for e in self._shown_on[name]}
        after = self._thawed(room, reading, rules, parts, before) if standing.frozen else dict(parts)
        for one in self._held(room, calendar, window, before, after, standing):
            if one.room == name:
                after |= dict(one.parts)
            else:
                self._put_back(one, window, standing.now)
        for endpoint in self._shown_on[name]:
            if after[endpoint.name] != before[endpoint.name]:
                self._store.put_part(endpoint.name, name, after[endpoint.name])
            self._show(endpoint, window, {name: after[endpoint.name]}, standing.now, standing.read_at)
        changed = self._store.keep_reading(reading, bodies=rules.bodies, known=standing.reading)
        return Settled(after=self._next(room, reading, rules, standing, changed=changed), requests=reading.requests)

    def _read(self, room: Room, window: Window, rules: Rulebook, standing: Standing) -> tuple[Reading, str]:
        """A reading, and the calendar that it is from: the one on which the mailbox was last found, or when that has it
        no longer, another one that has."""
        last = standing.read_on if standing.read_on in self._calendars else room.calendar
        reading = self._calendars[last].read(room, window, within=rules.read_within)
        if not (isinstance(reading, Failed) and reading.error.reason == ELSEWHERE):
            return reading, last
        for other in (room.calendar, *self._elsewhere.get(room.calendar, ())):
            if other == last:
                continue
            if (paused := self._paused(other, standing.now)) is not None:
                reading = replace(reading, error=_not_found(reading.error, other, paused))
                continue
            found = self._calendars[other].read(room, window, within=rules.read_within)
            if not isinstance(found, Failed):
                self._store.moved(room.name, other)
                log.warning("a mailbox moved", room=room.name, was_on=last, found_on=other)
                return found, other
            if found.error.everywhere and found.error.rest is not None:
                self._store.pause(other, standing.now + found.error.rest, found.error.why)
            if found.error.reason != ELSEWHERE:
                reading = replace(reading, error=_not_found(reading.error, other, found.error))
        return reading, last

    def _paused(self, calendar: str, now: datetime) -> OtdError | None:
        """Why this calendar is to be asked nothing just now."""
        for lane in self._store.lanes():
            if lane.name == calendar and lane.paused_until is not None:
                return Busy(calendar, f"it is not asked now ({lane.why})", lane.paused_until - now)
        return None

    def _next(
        self, room: Room, reading: Complete | Empty, rules: Rulebook, standing: Standing, *, changed: bool
    ) -> timedelta:
        left = max(standing.budget - standing.asked - reading.requests, 0) if standing.budget else None
        budget = Budget(left=left, rooms=self._rooms_of[room.calendar])
        return period(
            reading.meetings, standing.now, refresh=rules.refresh, idle=rules.idle, budget=budget, changed=changed
        )

    def _in_force(self, standing: Standing) -> Rulebook:
        """Our own rulebook, or the one that is in force while the brake holds ours or a person went back from it."""
        own = self._own.ruling
        if own is None or standing.rules in ("", own.digest):
            return self._own
        with self._lock:
            if self._other.ruling is None or self._other.ruling.digest != standing.rules:
                self._other = in_force(self._store, self._own)
            return self._other

    def _thawed(
        self,
        room: Room,
        reading: Complete | Empty,
        rules: Rulebook,
        parts: Mapping[str, tuple[Booking, ...]],
        before: Parts,
    ) -> dict[str, tuple[Booking, ...]]:
        """What endpoints show while rules are held: of meetings that did not change, what they showed before."""
        unchanged = self._store.unchanged(reading, bodies=rules.bodies)
        same = frozenset(bookings.id_of(room, m) for m in reading.meetings if m.id in unchanged)
        return {name: brake.frozen(before[name] or (), part, same) for name, part in parts.items()}

    def _remembered(
        self, room: Room, reading: Complete | Empty, rules: Rulebook
    ) -> Mapping[str, tuple[Booking, ...]] | None:
        """What the room's endpoints should show of it, when the meetings in the window are what they were."""
        known = self._known.get(room.name)
        if known is not None and known.meetings == _hash(reading) and known.rules is rules:
            return known.parts
        return None

    def _parts_of(self, room: Room, reading: Complete | Empty, rules: Rulebook) -> Mapping[str, tuple[Booking, ...]]:
        """What the room's endpoints should show of it."""
        parts = {
            endpoint.name: bookings.of_room(
                room, endpoint, reading.meetings, rules.plan, rules.site, rules.policy, reading.window
            )
            for endpoint in self._shown_on[room.name]
        }
        self._known[room.name] = _Known(_hash(reading), rules, parts)
        return parts

    # the brake ----------------------------------------------------------------------------------------------------

    def _held(
        self,
        room: Room,
        calendar: str,
        window: Window,
        before: Parts,
        after: dict[str, tuple[Booking, ...]],
        standing: Standing,
    ) -> tuple[Emptied, ...]:
        """What the brake holds because this room would go from bookings to none: its own list, and those of others."""
        now = standing.now
        shows = any(brake.shows_something(part, window, now) for part in after.values())
        if shows:
            if standing.emptied:
                self._store.filled(room.name)
            return ()
        showed = any(brake.shows_something(part or (), window, now) for part in before.values())
        if not showed and not standing.emptied:
            return ()
        held = self._store.emptying(room.name, calendar, tuple((e, part or ()) for e, part in before.items()))
        if len(held) > 1:
            log.error(
                "the brake holds a calendar's rooms",
                calendar=calendar,
                rooms=len(held),
                mend=f"is the calendar read with all its rights? `otd release {calendar}` lets the rooms go empty",
            )
        return held

    def _put_back(self, one: Emptied, window: Window, now: datetime) -> None:
        """Let a room's endpoints show again what they showed before it went empty."""
        for name, part in one.parts:
            endpoint = self._endpoints.get(name)
            if endpoint is not None and one.room in endpoint.rooms:
                self._store.put_part(name, one.room, part)
                self._show(endpoint, window, {one.room: part}, now)

    # lists --------------------------------------------------------------------------------------------------------

    def _show(
        self,
        endpoint: Endpoint,
        window: Window,
        fresh: Mapping[str, tuple[Booking, ...]],
        now: datetime,
        read_before: datetime | None = None,
    ) -> None:
        """Bring the endpoint's desired list in line with the parts of its rooms, of which `fresh` are in hand."""
        parts: list[tuple[Booking, ...]] = []
        for room in endpoint.rooms:
            known = fresh[room] if room in fresh else self._store.part(endpoint.name, room)
            if known is None:
                return  # not all of its rooms have been read yet: half a list is no list
            parts.append(known)
        wanted = bookings.union(endpoint.name, window, parts)
        desired = self._store.desired(endpoint.name)
        # what is over need not be taken off at once: it goes with the next change
        if desired is not None and bookings.digest(desired.list.current(now)) == bookings.digest(wanted.current(now)):
            return
        shown = wanted.current(now)
        revision = self._store.put_desired(shown, bookings.digest(shown), after=read_before)
        self._metrics.list_changed()
        log.info(
            "list changed",
            list=list_name(endpoint.name, revision),
            endpoint=endpoint.name,
            revision=revision,
            bookings=len(wanted.bookings),
            rooms=sorted(fresh),
        )


def _hash(reading: Complete | Empty) -> int:
    """Of the meetings in the window: it covers every field and is keyed by this process. A calendar may give more than
    was asked for: what lies outside waits until the window reaches it."""
    return hash(tuple(m for m in reading.meetings if reading.window.overlaps(m.start, m.end)))


def _outcome(reading: Reading) -> str:
    match reading:
        case Failed():
            return reading.error.code
        case Empty():
            return "empty"
        case _:
            return "complete"


def _log_change(room: Room, calendar: str, reading: Reading) -> None:
    """That a room cannot be read any more, or can be again: once, and not with each reading."""
    if isinstance(reading, Failed):
        error = reading.error
        log.warning("room not read", room=room.name, calendar=calendar, code=error.code, why=error.why, mend=error.mend)
    else:
        log.info("room read again", room=room.name, calendar=calendar, meetings=len(reading.meetings))


def _not_found(here: OtdError, other: str, there: OtdError) -> OtdError:
    """For a mailbox that is not where it was, while the other calendar does not say whether it is there."""
    kind = Missing if isinstance(there, Permanent) else Unreachable
    why = f"{here.why}; calendar {other}, asked too: {there.why}"
    return kind(here.where, why, there.mend or here.mend, rest=there.rest)
