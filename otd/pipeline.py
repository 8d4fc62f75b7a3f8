"""The use cases: refresh a room, deliver to an endpoint, apply a receipt. Everything else calls these.

Each looks at what is there, does one thing and says when it is due again. Run twice, late or out of order they end
with the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog

from otd import bookings, deliveries, placing
from otd.deliveries import GiveUp, Park, Renumber, Send, Timing
from otd.dialplan import DialPlan
from otd.errors import Busy, Missing, OtdError, Permanent, Unreachable
from otd.invites import Site
from otd.model import (
    Booking,
    Complete,
    Empty,
    Endpoint,
    EndpointState,
    Failed,
    Fill,
    Hello,
    Policy,
    Receipt,
    Room,
    Settled,
    Window,
    Work,
)
from otd.ports import Bus, Calendar, Store

LOOK_BACK = timedelta(hours=1)  # meetings that ended this long ago are still read
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """All that decides how a meeting becomes a booking, and when things are due."""

    plan: DialPlan
    site: Site
    policy: Policy
    timing: Timing = field(default_factory=Timing)
    refresh: timedelta = timedelta(seconds=30)
    read_within: timedelta = timedelta(seconds=45)


class Pipeline:
    """The use cases with what they need."""

    def __init__(
        self,
        *,
        store: Store,
        calendars: Mapping[str, Calendar],
        bus: Bus,
        rooms: Mapping[str, Room],
        endpoints: Mapping[str, Endpoint],
        rules: Rulebook,
    ) -> None:
        self._store, self._calendars, self._bus, self._rules = store, calendars, bus, rules
        self._rooms = rooms
        self._shown_on: dict[str, tuple[Endpoint, ...]] = {
            room: tuple(e for e in endpoints.values() if room in e.rooms) for room in rooms
        }

    def carry_out(self, work: Work) -> Settled:
        """Do the piece of work and say when it is due again."""
        todo: Callable[[str], Settled] = {"refresh": self.refresh_room, "deliver": self.deliver_endpoint}[work.kind]
        try:
            return todo(work.name)
        except OtdError as error:
            return self._failed(error, work.attempt)

    # refresh ------------------------------------------------------------------------------------------------------

    def refresh_room(self, name: str) -> Settled:
        """Read the room's window; compute the lists of its endpoints; store those that changed. A reading that failed
        changes nothing on any screen. Raises OtdError with what the reading failed of."""
        room = self._rooms.get(name)
        calendar = self._calendars.get(room.calendar) if room else None
        if room is None or calendar is None:
            raise Missing(f"room {name}", "it is no longer configured")
        now = self._store.now()
        window = Window(start=now - LOOK_BACK, end=now + self._rules.policy.ahead)
        reading = calendar.read(room, window, within=self._rules.read_within)
        self._store.save_reading(reading)
        if isinstance(reading, Failed):
            raise reading.error
        for endpoint in self._shown_on[name]:
            self._show(room, endpoint, reading)
        return Settled(after=self._rules.refresh)

    def _show(self, room: Room, endpoint: Endpoint, reading: Complete | Empty) -> None:
        """Bring the endpoint's desired list in line with this reading."""
        rules = self._rules
        part = bookings.of_room(room, endpoint, reading.meetings, rules.plan, rules.site, rules.policy, reading.window)
        if part != self._store.part(endpoint.name, room.name):
            self._store.put_part(endpoint.name, room.name, part)
        parts: list[tuple[Booking, ...]] = []
        for other in endpoint.rooms:
            known = part if other == room.name else self._store.part(endpoint.name, other)
            if known is None:
                return  # not all of its rooms have been read yet: half a list is no list
            parts.append(known)
        wanted = bookings.union(endpoint.name, reading.window, parts)
        desired = self._store.desired(endpoint.name)
        now = self._store.now()
        # what is over need not be taken off at once: it goes with the next change
        if desired is not None and bookings.digest(desired.list.current(now)) == bookings.digest(wanted.current(now)):
            return
        revision = self._store.put_desired(wanted.current(now), bookings.digest(wanted.current(now)))
        log.info("list changed", endpoint=endpoint.name, revision=revision, bookings=len(wanted.bookings))

    # deliver ------------------------------------------------------------------------------------------------------

    def deliver_endpoint(self, name: str) -> Settled:
        """Do what the endpoint's state asks for: send, wait, or park."""
        state = self._store.endpoint(name)
        step = self._step(state)
        while isinstance(step, Send) and step.verb == "put" and state.endpoint.kind in placing.KINDS:
            self._place(state, step.relay)
            state = self._store.endpoint(name)
            step = self._step(state)  # the next relay, until each has been sent it
        if isinstance(step, Send):
            return self._send(state, step)
        if isinstance(step, Renumber):
            self._store.renumber(name, step.above)
            return Settled(after=timedelta(0))
        if isinstance(step, GiveUp):
            self._store.give_up(name)
            return Settled(after=timedelta(0))
        if isinstance(step, Park):
            return Settled(after=step.after, error=step.error, code=step.code, mend=step.mend, parked=True)
        return Settled(after=step.after, error=step.error, code=step.code, mend=step.mend)

    def _step(self, state: EndpointState) -> deliveries.Step:
        return deliveries.step(state, self._store.relays(), self._store.now(), self._rules.timing)

    def _place(self, state: EndpointState, relay: str) -> None:
        """Send one relay the list of an endpoint that fetches; a relay that has just gone is tried again, or gone."""
        sequence = self._store.placing(state.endpoint.name, state.revision, relay)
        order = deliveries.delivery(state, "put", sequence, self._store.now(), self._rules.timing)
        with suppress(Unreachable):
            self._bus.send(order, relay=relay)

    def _fill(self, relay: str, pool: str) -> None:
        """Tell a relay which lists of endpoints that fetch it must hold."""
        fetching = [
            state
            for state in self._store.endpoints()
            if state.endpoint.kind in placing.KINDS and state.endpoint.pool == pool and not state.removed
        ]
        lists = tuple((state.endpoint.name, state.desired.revision) for state in fetching if state.desired)
        self._bus.fill(Fill(relay=relay, pool=pool, lists=lists))

    def _send(self, state: EndpointState, step: Send) -> Settled:
        timing = self._rules.timing
        revision = state.desired.revision if state.desired else 0
        sequence = self._store.sending(state.endpoint.name, step.verb, revision, step.relay)
        delivery = deliveries.delivery(state, step.verb, sequence, self._store.now(), timing)
        try:
            self._bus.send(delivery, relay=step.relay)
        except Unreachable:
            if not step.relay:
                raise
            self._bus.send(delivery)  # that relay has just gone: whoever is left
        if step.verb == "forget" and delivery.endpoint.kind in placing.KINDS:
            for relay in self._store.relays():  # each of them holds it
                if relay.pool == delivery.endpoint.pool:
                    self._fill(relay.name, relay.pool)
        return Settled(after=timing.answer)

    def apply_receipt(self, receipt: Receipt) -> None:
        """What a relay found. One that is older than what is known changes nothing."""
        if self._store.apply(receipt):
            log.info(
                "receipt applied",
                endpoint=receipt.endpoint,
                relay=receipt.relay,
                verb=receipt.verb,
                revision=receipt.revision,
                outcome=receipt.outcome,
                detail=receipt.detail,
            )

    def apply_hello(self, hello: Hello) -> None:
        """A relay is there; when it was not before, its pool's endpoints are looked at anew."""
        new = self._store.heard(hello)
        if not hello.leaving and not hello.filled:
            self._fill(hello.relay, hello.pool)
        if new:
            log.info("relay left" if hello.leaving else "relay is there", relay=hello.relay, pool=hello.pool)
            for state in self._store.endpoints():
                if hello.pool in (state.endpoint.pool, state.leaving.pool if state.leaving else ""):
                    self._store.hint("deliver", state.endpoint.name)

    def _failed(self, error: OtdError, attempt: int) -> Settled:
        timing = self._rules.timing
        settled = Settled(
            after=deliveries.backoff(attempt + 1, timing),
            error=f"{error.where}: {error.why}",
            code=error.code,
            mend=error.mend,
        )
        if isinstance(error, Permanent):
            return replace(settled, after=timing.parked, parked=True)
        if isinstance(error, Busy):
            return replace(settled, after=max(settled.after, error.retry_after), pause_lane=error.retry_after)
        return settled
