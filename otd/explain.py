"""Why a screen shows what it shows, or does not: the way of a meeting, step by step, ending in one cause and one mend.

Now, or at a time in the past, as far back as readings and the audit are kept; for a time ahead, as things stand now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from otd import bookings, causes, invites, past, placing
from otd.causes import Found
from otd.errors import Missing
from otd.explaining import Step, clock, delivery_steps, hidden_by, invitation_steps, listed, reason_found
from otd.model import Booking, Desired, Endpoint, EndpointState, KeptMeeting, KeptReading, Meeting, Room
from otd.ports import Store
from otd.refresh import Rulebook, in_force

Shows = Literal["join", "without join", "nothing", "unknown"]

JUST_NOW = timedelta(seconds=2)  # a time no longer ago is now
EARLY = timedelta(minutes=15)  # whoever asks for 10:00 may mean the meeting at 10:15
OVERDUE = timedelta(minutes=1)  # work that is due for longer is not being done; where rooms are read often, for less
SHORTEST_OVERDUE = timedelta(seconds=10)
LOOK_BACK = 10  # earlier readings in which a meeting that is gone is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class OnEndpoint:
    """The end of the way: what one endpoint shows of a meeting, and why."""

    endpoint: str
    steps: tuple[Step, ...]
    found: Found
    shows: Shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One meeting; without one, a booking that an endpoint shows, or nothing at all."""

    meeting: Meeting | None = field(default=None, repr=False)
    booking: Booking | None = field(default=None, repr=False)
    steps: tuple[Step, ...] = ()
    on: tuple[OnEndpoint, ...] = ()
    found: Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that there is to say of a room at a time."""

    room: Room
    asked: datetime
    as_of: datetime  # what was known then is what it is explained by
    read_at: datetime | None
    meetings: tuple[Explained, ...]

    @property
    def found(self) -> Found:
        """The cause: of the meetings at that time, the first with which something is wrong."""
        wrong = [one.found for one in self.meetings if one.found.code not in ("nothing_wrong", "join_later")]
        return (wrong or [self.meetings[0].found])[0]


class Explain:
    """Explains rooms by what the store knows."""

    def __init__(
        self, *, store: Store, rooms: Mapping[str, Room], endpoints: Mapping[str, Endpoint], rules: Rulebook
    ) -> None:
        self._store, self._rooms, self._endpoints, self._own = store, rooms, endpoints, rules

    def room(self, name: str, asked: datetime | None = None) -> Explanation:
        """Explain what the room's endpoints show at that time; None: of the meeting that is on, or comes next. Raises
        Missing for a room that is not configured."""
        room = self._rooms.get(name)
        if room is None:
            raise Missing(f"room {name}", "it is not configured", "`otd rooms list` names those that are")
        now = self._store.now()
        as_of = now if asked is None or asked >= now - JUST_NOW else asked
        case = _Case(self, room, asked, as_of, live=as_of == now)
        return Explanation(
            room=room,
            asked=asked or now,
            as_of=as_of,
            read_at=case.reading.at if case.reading else None,
            meetings=tuple(case.explained()),
        )


class _Case:
    """One room at one time."""

    def __init__(self, by: Explain, room: Room, asked: datetime | None, as_of: datetime, *, live: bool) -> None:
        self.store, self.room, self.as_of, self.live = by._store, room, as_of, live
        self.asked, self.zone = asked or as_of, ZoneInfo(room.timezone)
        self.own = by._own
        self.rules = in_force(self.store, self.own)
        self.shown_on = [endpoint for endpoint in by._endpoints.values() if room.name in endpoint.rooms]
        self.reading = self._reading()
        self.states = {endpoint.name: self._state(endpoint) for endpoint in self.shown_on}
        self.next = asked is None
        self.work = {(row.kind, row.name): row for row in self.store.work()} if live else {}
        self.paused = {lane.name for lane in self.store.lanes() if lane.paused_until} if live else set()

    def clock(self, time: datetime) -> str:
        return clock(time, self.zone)

    def _reading(self) -> KeptReading | None:
        marks = self.store.readings(self.room.name, self.as_of, self.as_of)
        return self.store.reading(marks[-1].id) if marks else None

    def _state(self, endpoint: Endpoint) -> EndpointState | None:
        if not self.live:
            return past.endpoint_at(self.store, endpoint, self.as_of)
        try:
            return self.store.endpoint(endpoint.name)
        except Missing:
            return None

    # which meetings -----------------------------------------------------------------------------------------------

    def explained(self) -> Iterable[Explained]:
        """At least one; the meetings of that time, then bookings that no meeting stands behind."""
        if not self.shown_on:
            return [Explained(found=Found(code="room_without_endpoint"))]
        kept = self._meetings()
        found = [self._meeting(one) for one in kept]
        ours = {bookings.id_of(self.room, one.meeting) for one in kept}
        found += [self._booking(booking) for booking in self._strays(ours)]
        return found or [self._nothing()]

    def _meetings(self) -> list[KeptMeeting]:
        kept = [one for one in (self.reading.meetings if self.reading else ()) if one.meeting.kind != "series"]
        early = max(self.rules.policy.start_buffer, timedelta(minutes=5))
        on = [one for one in kept if one.meeting.start - early <= self.asked < _end(one.meeting)]
        if on or (not self.next and self.reading is None):
            return _in_order(on)
        later = _in_order(one for one in kept if one.meeting.start > self.asked)
        limit = later[0].meeting.start if self.next and later else self.asked + EARLY
        return [one for one in later if one.meeting.start <= limit]

    def _strays(self, ours: set[str]) -> list[Booking]:
        """What endpoints show of the room at that time, or are to show, though the calendar does not hold it."""
        in_reading = {bookings.id_of(self.room, one.meeting) for one in (self.reading.meetings if self.reading else ())}
        found: dict[str, Booking] = {}
        for state in self.states.values():
            for held in (self._seen(state), state.desired if state else None):
                for booking in held.list.bookings if held else ():
                    is_on = booking.start - booking.start_buffer <= self.asked < booking.end
                    if booking.room == self.room.name and is_on and booking.id not in ours | in_reading:
                        found[booking.id] = booking
        return list(found.values())

    def _seen(self, state: EndpointState | None) -> Desired | None:
        """The list that was last confirmed."""
        if state is None or state.confirmed_at is None:
            return None
        if state.desired is not None and state.confirmed_revision >= state.desired.revision:
            return state.desired
        return self.store.list_at(state.endpoint.name, state.confirmed_at)

    # nothing to be found ------------------------------------------------------------------------------------------

    def _nothing(self) -> Explained:
        return Explained(steps=(self._seen_step(None),), found=self._no_meeting())

    def _no_meeting(self) -> Found:
        """Why there is no meeting at that time."""
        if trouble := self._trouble:
            return trouble
        if self.reading is None:
            return Found(code="not_kept") if not self.live else Found(code="calendar_unread")
        if self.asked > self.reading.window.end:
            return Found(code="meeting_outside", detail=f"{self.rules.policy.ahead.days} days ahead are shown")
        was = self._was_there()
        if was is not None:
            return Found(code="meeting_gone", detail=f"it was last in the reading of {self.clock(was)}")
        return Found(code="meeting_not_found")

    def _was_there(self) -> datetime | None:
        """When an earlier reading last held a meeting at that time."""
        marks = self.store.readings(self.room.name, self.as_of - self.own.keep, self.as_of)
        for mark in reversed(marks[-LOOK_BACK - 1 : -1]):
            for one in self.store.reading(mark.id).meetings:
                if one.meeting.start <= self.asked < _end(one.meeting) and not one.meeting.cancelled:
                    return mark.at
        return None

    @cached_property
    def _trouble(self) -> Found | None:
        """Why the calendar is not read, or not in time."""
        if not self.live:
            line = past.trouble_at(self.store, self.room.name, self.as_of)
            return causes.of_calendar(line.word, line.why, line.mend) if line else None
        state = next((one for one in self.store.rooms() if one.room.name == self.room.name), None)
        if state is None:
            return Found(code="room_unknown")
        if found := self._not_working("refresh", self.room.name):
            return found
        return causes.of_room(state)

    def _not_working(self, kind: Literal["refresh", "deliver"], name: str) -> Found | None:
        row = self.work.get((kind, name))
        limit = min(OVERDUE, max(SHORTEST_OVERDUE, 3 * self.own.refresh))
        if row is None or row.leased or row.due > self.as_of - limit:
            return None
        detail = f"{row.kind} of {row.name} is due since {self.clock(row.due)}"
        return Found(code="lane_paused" if row.lane in self.paused else "work_stopped", detail=detail)

    # one meeting --------------------------------------------------------------------------------------------------

    def _meeting(self, kept: KeptMeeting) -> Explained:
        join = invites.read(kept.meeting, self.rules.site)
        steps = (self._seen_step(kept.meeting), *invitation_steps(kept, join))
        before = listed(kept.meeting, self.rules.policy, self.reading.window if self.reading else None)
        on = tuple(self._on(endpoint, kept, join, before) for endpoint in self.shown_on)
        wrong = [one.found for one in on if one.found.code not in ("nothing_wrong", "join_later")]
        return Explained(meeting=kept.meeting, steps=steps, on=on, found=(wrong or [on[0].found])[0])

    def _seen_step(self, meeting: Meeting | None) -> Step:
        if self.reading is None:
            return Step(name="seen", mark="stop", said="no reading of that time is kept")
        when = f"the reading of {self.clock(self.reading.at)}"
        if meeting is None:
            return Step(name="seen", mark="stop", said=f"{when} holds no meeting at that time")
        if trouble := self._trouble:
            return Step(name="seen", mark="note", said=f"{when} holds it; since then: {trouble.cause.sentence}")
        return Step(name="seen", mark="ok", said=f"{when} holds it, and nothing changed since")

    def _on(self, endpoint: Endpoint, kept: KeptMeeting, join: invites.Joining, before: Found | None) -> OnEndpoint:
        state, meeting = self.states[endpoint.name], kept.meeting
        id = bookings.id_of(self.room, meeting)
        told = _of(state.desired if state else None, id, meeting)
        seen = _of(self._seen(state), id, meeting)
        dialled = bookings.dial_for(
            join, meeting, self.rules.plan, self.rules.policy, room=self.room.name, endpoint=endpoint.name
        )
        steps = delivery_steps(state, told, dialled, kept, self.zone)
        found = before or self._listing(endpoint, state, told, kept, join) or self._delivery(endpoint, state, meeting)
        if found is None:
            found = self._time(told, meeting)
        shows: Shows = "nothing" if seen is None else "join" if seen.dial else "without join"
        return OnEndpoint(
            endpoint=endpoint.name,
            steps=steps,
            found=found,
            shows="unknown" if state is None or state.confirmed_at is None else shows,
        )

    def _listing(
        self,
        endpoint: Endpoint,
        state: EndpointState | None,
        told: Booking | None,
        kept: KeptMeeting,
        join: invites.Joining,
    ) -> Found | None:
        """Why the endpoint's list holds no booking with a dial string for it."""
        if told is not None and told.dial is not None:
            return None
        if state is None or state.desired is None:
            return self._unlisted(endpoint)
        held = past.held_at(self.store, self.room.name, self.as_of)
        if told is None and held is not None:
            return Found(code="brake_calendar", detail=f"since {self.clock(held.at)}")
        names = {"room": self.room.name, "endpoint": endpoint.name}
        now = bookings.dial_for(join, kept.meeting, self.rules.plan, self.rules.policy, **names)
        wanted = bookings.dial_for(join, kept.meeting, self.own.plan, self.own.policy, **names)
        if self.rules is not self.own and wanted.dial is not None and wanted.allowed and not (now.dial and now.allowed):
            return Found(code="brake_rules", detail=f"the rule {wanted.rule} of the settings would dial it")
        if told is not None:
            return reason_found(told.reason, told.rule, join, now)
        if now.dial is None or not now.allowed:  # and the policy keeps meetings without a dial string off the screen
            return reason_found(now.reason, now.rule, join, now)
        return self._not_working("refresh", self.room.name) or Found(code="delivery_waiting")

    def _unlisted(self, endpoint: Endpoint) -> Found:
        """Why the endpoint has no list at all."""
        if not self.live:
            return Found(code="not_kept")
        unread = [name for name in endpoint.rooms if self.store.part(endpoint.name, name) is None]
        trouble = self._trouble if self.room.name in unread or not unread else None
        return trouble or Found(code="calendar_unread", detail=f"not read yet: {', '.join(unread)}")

    def _delivery(self, endpoint: Endpoint, state: EndpointState | None, meeting: Meeting) -> Found | None:
        """Why the list is not on the endpoint, or not to be seen there."""
        if state is None:
            return Found(code="room_unknown")
        relays = self.store.relays() if self.live else past.relays_at(state, self.as_of)
        found = causes.of_endpoint(state, relays, self.as_of)
        if found is not None and found.code == "list_not_fetched" and not state.endpoint.password_hash and self.live:
            return Found(code="login_missing", mend=f"`otd endpoints credentials {endpoint.name}` makes one.")
        if found is not None and found.code in ("delivery_waiting", "no_relay"):
            return self._not_working("deliver", endpoint.name) or found
        fetches = self.live and endpoint.kind in placing.KINDS
        if found is None and fetches and placing.is_silent(state, self.as_of - self.own.timing.silence):
            last = f"it last asked at {self.clock(state.fetched_at)}" if state.fetched_at else "it never asked"
            return Found(code="list_not_fetched", detail=last)
        if found is not None and found.code != "hidden":
            return found
        return hidden_by(state, meeting)

    def _time(self, told: Booking | None, meeting: Meeting) -> Found:
        """It is where it should be: is Join to be seen at that time?"""
        if self.asked >= _end(meeting):
            return Found(code="meeting_over")
        shown_from = meeting.start - (told.start_buffer if told else timedelta(0))
        if self.asked < shown_from:
            return Found(code="join_later", detail=f"at {self.clock(shown_from)}")
        return Found(code="nothing_wrong")

    # a booking without a meeting ----------------------------------------------------------------------------------

    def _booking(self, booking: Booking) -> Explained:
        """Why an endpoint shows what the calendar does not hold (any more)."""
        on = tuple(
            OnEndpoint(
                endpoint=endpoint.name,
                steps=delivery_steps(self.states[endpoint.name], booking, None, None, self.zone),
                found=self._stray(endpoint, booking),
                shows="join" if booking.dial else "without join",
            )
            for endpoint in self.shown_on
        )
        return Explained(booking=booking, steps=(self._seen_step(None),), on=on, found=on[0].found)

    def _stray(self, endpoint: Endpoint, booking: Booking) -> Found:
        state = self.states[endpoint.name]
        if state is not None and _of(state.desired, booking.id) is None:  # it is to go, and did not yet
            return self._delivery(endpoint, state, _as_meeting(booking)) or Found(code="meeting_gone")
        held = past.held_at(self.store, self.room.name, self.as_of)
        if held is not None:
            return Found(code="brake_calendar", detail=f"since {self.clock(held.at)}")
        return self._trouble or Found(code="delivery_waiting")


def _of(held: Desired | None, id: str, meeting: Meeting | None = None) -> Booking | None:
    """The booking in a list; of a meeting that is booked in several rooms of the endpoint, the one that is shown."""
    listed_there = held.list.bookings if held else ()
    own = next((booking for booking in listed_there if booking.id == id), None)
    if own is not None or meeting is None:
        return own
    same = (b for b in listed_there if (b.start, b.end) == (meeting.start, meeting.end) and b.dial is not None)
    return next(same, None)


def _end(meeting: Meeting) -> datetime:
    return max(meeting.end, meeting.start + bookings.SHORTEST)


def _in_order(kept: Iterable[KeptMeeting]) -> list[KeptMeeting]:
    return sorted(kept, key=lambda one: (one.meeting.start, one.meeting.end, one.meeting.id))


def _as_meeting(booking: Booking) -> Meeting:
    return Meeting(id=booking.id, uid=booking.id, start=booking.start, end=booking.end)
