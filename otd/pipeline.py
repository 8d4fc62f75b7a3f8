"""The use cases: refresh a room, deliver to an endpoint, apply a receipt. Everything else calls these.

Each looks at what is there, does one thing and says when it is due again. Run twice, late or out of order they end
with the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import structlog

from otd import deliveries, placing
from otd.deliveries import GiveUp, Park, Renumber, Send
from otd.errors import OtdError, Permanent, Unreachable, Unsupported
from otd.metrics import Metrics
from otd.model import (
    Desired,
    Duty,
    Endpoint,
    EndpointState,
    Fill,
    Hello,
    Receipt,
    Room,
    Settled,
    Work,
    WorkKind,
)
from otd.ports import Bus, Calendar, Store
from otd.refresh import LOOK_BACK, Refresh, Rulebook

__all__ = ["LOOK_BACK", "Pipeline", "Rulebook"]

TIDY = timedelta(hours=1)
AT_ONCE = 64  # endpoints of a pool whose relay came back that are looked at without delay
RESTARTED = 1000  # endpoints of one hello that are looked at because they restarted
SPREAD = timedelta(seconds=30)  # over which the others are
TIDY_AGAIN = timedelta(seconds=1)  # when there was more to do than one look does
log = structlog.get_logger(__name__)


def no_provision(relay: str) -> Settled:
    """For a process that makes no users at a broker."""
    raise Unsupported(f"relay {relay}", "this process makes no users at a broker", "add [bus] to its settings")


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
        provision: Callable[[str], Settled] = no_provision,
        more: Mapping[WorkKind, Callable[[str], Settled]] | None = None,
        metrics: Metrics | None = None,
        elsewhere: Mapping[str, tuple[str, ...]] | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`provision` makes a relay's user at the broker, or removes it; see otd.provisioning. `more` are use cases for
        other kinds of work, by kind. `elsewhere`: see otd.refresh.Refresh. `wake` is called when a lane has room for
        more before a piece of work is done."""
        self._store, self._bus, self._rules = store, bus, rules
        self._metrics = metrics or Metrics()
        self._refresh = Refresh(
            store=store,
            calendars=calendars,
            rooms=rooms,
            endpoints=endpoints,
            rules=rules,
            elsewhere=elsewhere,
            metrics=self._metrics,
            wake=wake,
        )
        self._todo: dict[WorkKind, Callable[[str], Settled]] = {
            "deliver": self.deliver_endpoint,
            "tidy": self.tidy_up,
            "provision": provision,
            **(more or {}),
        }

    def carry_out(self, work: Work) -> Settled:
        """Do the piece of work and say when it is due again."""
        try:
            if work.kind == "refresh":
                return self._refresh.room(work.name, work)
            return self._todo[work.kind](work.name)
        except OtdError as error:
            return self._failed(error, work.attempt)

    # refresh ------------------------------------------------------------------------------------------------------

    def refresh_room(self, name: str) -> Settled:
        """See `otd.refresh.Refresh.room`."""
        return self._refresh.room(name)

    def tidy_up(self, house: str) -> Settled:
        """Remove readings, and lines of the audit, that are kept no longer."""
        more = self._store.tidy(self._rules.keep, audited=self._rules.audited)
        return Settled(after=TIDY_AGAIN if more else TIDY)

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
        self._bus.tell(Fill(relay=relay, pool=pool, lists=lists))

    def _send(self, state: EndpointState, step: Send) -> Settled:
        timing = self._rules.timing
        revision = state.desired.revision if state.desired else 0
        ask = state.question.key if state.question and step.verb == "read" else ""
        sequence = self._store.sending(state.endpoint.name, step.verb, revision, step.relay, ask=ask)
        delivery = deliveries.delivery(state, step.verb, sequence, self._store.now(), timing)
        if step.verb != "read":
            log.info(
                "delivery sent",
                list=deliveries.list_name(state.endpoint.name, revision),
                verb=step.verb,
                sequence=sequence,
                relay=step.relay or "any",
            )
        self._metrics.sent(step.verb)
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
        before = self._store.apply(receipt)
        if before is not None:
            self._metrics.receipt(receipt.verb, receipt.outcome)
            if receipt.outcome in ("confirmed", "fetched") and before.desired is not None:
                self._count_confirmed(before.desired, before.confirmed_revision, receipt.revision)
            say = log.debug if deliveries.is_as_before(receipt) else log.info
            say(
                "receipt applied",
                list=deliveries.list_name(receipt.endpoint, receipt.revision),
                endpoint=receipt.endpoint,
                relay=receipt.relay,
                verb=receipt.verb,
                sequence=receipt.sequence,
                outcome=receipt.outcome,
                detail=receipt.detail,
            )
        else:  # it came twice, late, or from where nothing was sent to
            log.info(
                "receipt passed over",
                endpoint=receipt.endpoint,
                relay=receipt.relay,
                revision=receipt.revision,
                sequence=receipt.sequence,
                outcome=receipt.outcome,
            )

    def _count_confirmed(self, desired: Desired, confirmed: int, revision: int) -> None:
        if revision == desired.revision > confirmed:
            now = self._store.now()
            self._metrics.confirmed(now - desired.since, None if desired.after is None else now - desired.after)

    def apply_hello(self, hello: Hello) -> None:
        """A relay is there; when it was not before, its pool's endpoints are looked at anew."""
        new = self._store.heard(hello)
        if not hello.leaving and not hello.filled:
            self._fill(hello.relay, hello.pool)
        if not hello.leaving and (resting := self._store.rests(hello)) != hello.resting:
            duty = Duty(relay=hello.relay, pool=hello.pool, started_at=hello.started_at, resting=resting)
            self._bus.tell(duty)
        if hello.restarted:
            self._store.restarted(hello.pool, hello.restarted[:RESTARTED])
        if new:
            log.info("relay left" if hello.leaving else "relay is there", relay=hello.relay, pool=hello.pool)
            self._look_anew(hello.pool)

    def _look_anew(self, pool: str) -> None:
        """Make the endpoints of a pool due, whose next meeting is soonest first: some at once, the others spread."""
        its = [
            state
            for state in self._store.endpoints()
            if pool in (state.endpoint.pool, state.leaving.pool if state.leaving else "")
        ]
        gap, now = SPREAD / max(len(its) - AT_ONCE, 1), self._store.now()
        soonest = sorted(its, key=lambda state: deliveries.next_meeting(state, now))
        delays = {state.endpoint.name: gap * max(place - AT_ONCE, 0) for place, state in enumerate(soonest)}
        self._store.hint_all("deliver", delays)

    def _failed(self, error: OtdError, attempt: int) -> Settled:
        timing = self._rules.timing
        settled = Settled(
            after=deliveries.backoff(attempt + 1, timing),
            error=f"{error.where}: {error.why}",
            code=error.code,
            mend=error.mend,
            requests=error.requests,
            pause_lane=error.rest if error.everywhere else None,
        )
        rest = error.rest
        if rest is not None and not error.everywhere:
            rest *= 1 << min(attempt, 2)  # what did not help once is asked for more seldom
        if isinstance(error, Permanent):
            return replace(settled, after=timing.parked, parked=True, rest=rest)
        return settled if rest is None else replace(settled, after=max(settled.after, rest))
