"""A meeting of our own, followed from the calendar to the endpoint and away again: what takes how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from otd import bookings, causes
from otd.causes import Found
from otd.deliveries import condition
from otd.errors import Missing, Retryable, Unsupported
from otd.model import Booked, EndpointState, Meeting, Room, RoomState
from otd.ports import Bookable, Store

LOOK = 0.1  # seconds between two looks at the rows
SUBJECT = "OTD probe"
CALL = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step that was reached, how long after the beginning, and how long after the step before."""

    name: str
    after: float
    took: float


class Probe:
    """The meeting on its way. Use it as a context: whatever happens, at its end the meeting is taken back."""

    def __init__(
        self,
        store: Store,
        calendar: Bookable,
        room: Room,
        endpoints: Collection[str],
        *,
        start: datetime,
        dial: str,
        within: timedelta,
        is_interrupted: Callable[[], bool],
    ) -> None:
        """`endpoints` show the room; `dial` is an address that the invitation states, "" for a meeting without Join.
        `is_interrupted` is asked between two looks."""
        self._store, self._calendar, self._room, self._within = store, calendar, room, within
        self._is_interrupted = is_interrupted
        self._endpoints = frozenset(endpoints)
        body = f"This meeting was booked by `otd probe`; it is taken back at once.\n{f'sip:{dial}' if dial else ''}"
        self._meeting = Meeting(
            id="",
            uid=f"otd-probe-{uuid4()}",
            subject=SUBJECT,
            start=start,
            end=start + timedelta(minutes=1),
            body=body,
        )
        self._booked: Booked | None = None
        self.steps: list[Step] = []

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_: object) -> None:
        self.take_back()

    def run(self, said: Callable[[Step], None]) -> None:
        """There and back. Raises OtdError: Permanent when it cannot get there, before anything is booked; Retryable
        with the cause when a step is not reached within its time. Raises KeyboardInterrupt when it is interrupted."""
        self._look_ahead()
        self._began = time.monotonic()

        def reached(name: str) -> None:
            now = time.monotonic() - self._began
            step = Step(name=name, after=now, took=now - (self.steps[-1].after if self.steps else 0.0))
            self.steps.append(step)
            said(step)

        self._booked = self._calendar.book(self._room, self._meeting, within=CALL)
        reached("booked in the calendar")
        id = bookings.booking_id(self._room.name, self._booked.uid, None)
        self._until(lambda: self._all(lambda state: id in _ids(state)), "read, and in the list of its endpoints")
        reached("read, and in the list of its endpoints")
        self._until(lambda: self._all(_is_confirmed), "confirmed on its endpoints")
        reached("confirmed on its endpoints")
        self.take_back()
        reached("taken back from the calendar")
        self._until(lambda: self._all(lambda state: id not in _ids(state)), "read, and out of the list")
        reached("read, and out of the list")
        self._until(lambda: self._all(_is_confirmed), "confirmed to be gone")
        reached("confirmed to be gone from its endpoints")

    def _look_ahead(self) -> None:
        states = {state.endpoint.name: state for state in self._states()}
        for name in sorted(self._endpoints):
            if name not in states:
                cause = Found(code="room_unknown").cause
                raise Missing(f"endpoint {name}", "the database does not know it yet", cause.mend)
            if condition(states[name]) == "observed":
                why = "it is only observed, so nothing of ours is ever put there"
                raise Unsupported(f"endpoint {name}", why, "`otd pools cutover` puts OTD in charge; then probe again")

    def take_back(self) -> None:
        """Remove the meeting from the calendar, if it is there."""
        booked, self._booked = self._booked, None
        if booked is not None:
            self._calendar.take_back(self._room, booked, within=CALL)

    def _until(self, is_reached: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + self._within.total_seconds()
        while not is_reached():
            if self._is_interrupted():
                raise KeyboardInterrupt
            if time.monotonic() > end:
                found = self._cause()
                raise Retryable(
                    f"room {self._room.name}",
                    f"not {what} within {self._within.total_seconds():g} s: {found.cause.sentence}",
                    found.mend or found.cause.mend,
                )
            time.sleep(LOOK)

    def _states(self) -> Iterator[EndpointState]:
        return (state for state in self._store.endpoints() if state.endpoint.name in self._endpoints)

    def _all(self, holds: Callable[[EndpointState], bool]) -> bool:
        return sum(holds(state) for state in self._states()) == len(self._endpoints)

    def _cause(self) -> Found:
        """The first thing that is wrong on the way."""
        room: RoomState | None = next((r for r in self._store.rooms() if r.room.name == self._room.name), None)
        if room is None:
            return Found(code="room_unknown")
        if found := causes.of_room(room):
            return found
        relays, now = self._store.relays(), self._store.now()
        for state in self._states():
            if found := causes.of_endpoint(state, relays, now):
                return found
        return Found(code="work_stopped")


def _ids(state: EndpointState) -> set[str]:
    return {booking.id for booking in state.desired.list.bookings} if state.desired else set()


def _is_confirmed(state: EndpointState) -> bool:
    return condition(state) in ("confirmed", "hidden")
