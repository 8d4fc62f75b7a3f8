"""A relay at work: takes deliveries, puts and reads back, and says what it found.

One delivery per endpoint at a time. A revision older than the highest one seen is refused; no write begins or goes on
after `act_by`. The relay's own clock may be wrong: it learns its offset from the deliveries and judges by the centre's.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

import otd
from otd import asking
from otd.deliveries import is_as_before, list_name, seen_digest
from otd.errors import BadSetting, Busy, Denied, OtdError, Permanent, Untrusted
from otd.model import Booking, Delivery, Difference, Duty, Endpoint, Facts, Fill, Hello, Order, Outcome, Receipt
from otd.outbound import Deadline
from otd.placing import KINDS as FETCHING
from otd.placing import coming
from otd.ports import Clock, EndpointDriver, RelayBus, Seen
from otd.reach import Reach, confined
from otd.relay.lists import Lists
from otd.relay.memory import Memory

if TYPE_CHECKING:
    from otd.relay.face.app import Fetch
    from otd.relay.feedback import Feedback

HELLO_EVERY = timedelta(seconds=5)
_GATHER = timedelta(milliseconds=200)  # from the first endpoint that restarted to the hello that tells of all
WITHIN = timedelta(seconds=45)  # for one delivery, its read-back included
log = structlog.get_logger(__name__)


class Relay:
    """The relay as a running part: `start`, then `stop`."""

    def __init__(
        self,
        *,
        name: str,
        pool: str,
        bus: RelayBus,
        drivers: Mapping[str, EndpointDriver],
        memory: Memory,
        clock: Clock,
        lists: Lists | None = None,
        reach: Reach | None = None,
        feedback: Feedback | None = None,
        hello_every: timedelta = HELLO_EVERY,
    ) -> None:
        """`lists` are what this relay's face serves to endpoints that fetch; without a face there are none. `reach` is
        where endpoints may be, None for anywhere. `feedback` knows which endpoints said that they restarted."""
        self.name, self.pool = name, pool
        self._bus, self._drivers, self._memory, self._clock = bus, drivers, memory, clock
        self._lists, self._reach = lists, reach
        self._hello_every = hello_every
        self._lanes = _Lanes()
        self._offset = _Offset()
        self._started_at = clock.now()
        self._counted: Counter[str] = Counter()
        self._resting = False
        self._feedback = feedback
        self._stopping, self._woken = threading.Event(), threading.Event()
        if feedback is not None:
            feedback.wake = self._woken.set
        self._certificates: list[Callable[[], datetime | None]] = []
        self._greeter = threading.Thread(target=self._greet, name=f"otd-{name}-hello", daemon=True)

    def shows(self, expires: Callable[[], datetime | None]) -> None:
        """Endpoints are shown a certificate that runs out then."""
        self._certificates.append(expires)

    def start(self) -> None:
        self._bus.listen(self.handle)
        self._greeter.start()

    def stop(self) -> None:
        """End what was begun, say goodbye, take nothing new."""
        self._end_greeting()
        self._bus.hello(self._hello(leaving=True))
        self._bus.close()

    @property
    def counts(self) -> dict[str, int]:
        """How many deliveries were answered, by outcome."""
        return dict(self._counted)

    @property
    def clock_offset(self) -> timedelta:
        """How far this machine's clock is ahead of the centre's."""
        return self._offset.value

    def abandon(self) -> None:
        """Stop without a word: the caller has cut the relay's side of the bus already."""
        self._end_greeting()

    def _end_greeting(self) -> None:
        self._stopping.set()
        self._woken.set()
        self._greeter.join()

    def fill(self, fill: Fill) -> None:
        """Which lists of endpoints that fetch there are."""
        if self._lists is not None:
            self._lists.begin_fill(dict(fill.lists))

    def obey(self, duty: Duty) -> None:
        """Rest, or go back to work. What is meant for another process under this identity is passed over: the centre
        says it again as long as it is not so."""
        if duty.started_at == self._started_at and duty.resting != self._resting:
            self._bus.rest(duty.resting)
            self._resting = duty.resting  # said only when it is so
            log.warning("relay rests" if duty.resting else "relay is back at work", relay=self.name, pool=self.pool)

    @property
    def resting(self) -> bool:
        """Whether it takes nothing from its pool."""
        return self._resting

    def fetched(self, fetch: Fetch) -> None:
        """Tell the centre what an endpoint was given."""
        self._bus.receipt(
            Receipt(
                endpoint=fetch.endpoint,
                pool=self.pool,
                relay=self.name,
                verb="read",
                revision=fetch.revision,
                sequence=0,
                counter=0,
                outcome="fetched",
                at=fetch.at,
                seen_digest=fetch.digest,
            )
        )

    def handle(self, order: Order, waited: timedelta = timedelta(0)) -> None:
        """Carry out one order, which has lain in this process for so long; publish the receipt of a delivery. Never
        raises for what the outside does."""
        if isinstance(order, Fill):
            self.fill(order)
        elif isinstance(order, Duty):
            self.obey(order)
        else:
            self._deliver(order, waited)

    def _deliver(self, delivery: Delivery, waited: timedelta) -> None:
        self._offset.learn(self._clock.now() - waited - delivery.sent_at)
        with self._lanes.of(delivery.endpoint.name, first=delivery.verb != "read"):
            receipt = self.carry_out(delivery)
        self._counted[receipt.outcome] += 1
        say = log.debug if is_as_before(receipt) else log.info
        say(
            "delivery handled",
            list=list_name(receipt.endpoint, receipt.revision),
            relay=self.name,
            verb=receipt.verb,
            sequence=receipt.sequence,
            outcome=receipt.outcome,
        )
        self._bus.receipt(receipt)

    def carry_out(self, delivery: Delivery) -> Receipt:
        """What came of it. The caller holds the endpoint's lane."""
        name = delivery.endpoint.name
        self._memory.met(delivery.endpoint)
        highest = self._memory.highest(name)
        if delivery.revision < highest:
            return self._receipt(delivery, "stale", highest=highest, detail="a newer list has been seen here")
        if self._now() >= delivery.act_by:
            return self._receipt(delivery, "expired", detail="it came too late to act on")
        if delivery.endpoint.kind in FETCHING:
            if delivery.verb != "read":
                return self._hold(delivery)
            delivery = replace(delivery, bookings=coming(delivery.bookings, self._now()))
        driver = self._drivers.get(delivery.endpoint.kind)
        if driver is None:
            return self._receipt(delivery, "unsupported", detail=f"no driver for kind {delivery.endpoint.kind}")
        try:
            with confined(self._reach):
                return self._drive(driver, delivery)
        except BadSetting as error:
            return self._receipt(delivery, "not_for_me", detail=str(error), mend=error.mend)
        except TimeoutError:
            return self._receipt(delivery, "expired", detail="it could not be done in time")
        except OtdError as error:
            retry_after = error.retry_after if isinstance(error, Busy) else None
            failed = self._receipt(
                delivery, _outcome(error), detail=error.why, mend=error.mend, retry_after=retry_after
            )
            shown = error.shown if isinstance(error, Untrusted) else ""
            return replace(failed, reason=error.reason, shown=shown)

    def _drive(self, driver: EndpointDriver, delivery: Delivery) -> Receipt:
        if delivery.anew:  # so many questions take seconds with a password in each
            delivery = replace(delivery, endpoint=replace(delivery.endpoint, session=True))
        endpoint, bookings = delivery.endpoint, delivery.bookings
        deadline = Deadline.after(min(delivery.act_by - self._now(), WITHIN))
        if delivery.verb == "forget":
            return self._forget(driver, delivery, deadline)
        if delivery.verb == "put":
            self._memory.saw(endpoint.name, delivery.revision)
            driver.put(endpoint, bookings, within=deadline.left())
        found = driver.read(endpoint, within=deadline.left())
        wanted = driver.seen(endpoint, bookings)
        receipt = self._compare(delivery, wanted, found)
        if delivery.verb != "read":
            return receipt
        if delivery.ask:
            receipt = replace(receipt, answer=asking.seal(wanted, found, delivery.ask))
        return replace(receipt, facts=self._facts(driver, delivery, deadline))

    def _facts(self, driver: EndpointDriver, delivery: Delivery, deadline: Deadline) -> Facts | None:
        """What the endpoint is; None when it would not say, which takes nothing from what was read of its list. A list
        that waits for the endpoint goes first: it is asked no further then, and another time."""
        endpoint = delivery.endpoint
        try:
            facts = driver.facts(
                endpoint,
                within=deadline.left(),
                unless=lambda: self._lanes.is_awaited(endpoint.name),
                anew=delivery.anew,
            )
        except (OtdError, TimeoutError):
            return None
        ahead = facts.clock_offset
        return facts if ahead is None else replace(facts, clock_offset=ahead + self._offset.value)

    def _hold(self, delivery: Delivery) -> Receipt:
        """Keep the list for an endpoint that fetches it, or drop it."""
        name = delivery.endpoint.name
        if self._lists is None:
            mend = f"give the relays of pool {self.pool} a face, or take the endpoint out of it"
            return self._receipt(delivery, "unsupported", detail="this relay has no face to serve it", mend=mend)
        if delivery.verb == "forget":
            self._lists.forget(name)
            self._memory.forget(name)
            return self._receipt(delivery, "forgotten")
        self._memory.saw(name, delivery.revision)
        held = self._lists.put(delivery)
        return self._receipt(delivery, "placed", seen_digest=held.digest)

    def _forget(self, driver: EndpointDriver, delivery: Delivery, deadline: Deadline) -> Receipt:
        """Let go of it; with `clear` only if all that it shows is ours."""
        endpoint = delivery.endpoint
        detail = ""
        if delivery.clear:
            ours = _ids(delivery.bookings)
            if all(seen.id in ours for seen in driver.read(endpoint, within=deadline.left())):
                driver.put(endpoint, (), within=deadline.left())
            else:
                detail = "left as it is: another system has bookings there"
        with suppress(OtdError, TimeoutError):  # what stays there does no harm
            driver.leave(endpoint, within=deadline.left())
        self._memory.forget(endpoint.name)
        return self._receipt(delivery, "forgotten", detail=detail)

    def _compare(self, delivery: Delivery, wanted: tuple[Seen, ...], found: tuple[Seen, ...]) -> Receipt:
        now = self._now()
        differences = compare(wanted, found, now)
        return self._receipt(
            delivery,
            "differs" if differences else "confirmed",
            seen_digest=seen_digest(found, now),
            differences=differences,
            detail=_in_words(differences),
        )

    def _receipt(
        self,
        delivery: Delivery,
        outcome: Outcome,
        *,
        seen_digest: str = "",
        differences: tuple[Difference, ...] = (),
        highest: int = 0,
        detail: str = "",
        mend: str = "",
        retry_after: timedelta | None = None,
    ) -> Receipt:
        endpoint: Endpoint = delivery.endpoint
        return Receipt(
            endpoint=endpoint.name,
            pool=self.pool,
            relay=self.name,
            verb=delivery.verb,
            revision=delivery.revision,
            sequence=delivery.sequence,
            counter=0,
            outcome=outcome,
            at=self._now(),
            seen_digest=seen_digest,
            differences=differences,
            highest=highest,
            detail=detail,
            mend=mend,
            retry_after=retry_after,
            pin=self._memory.get(endpoint.name) if endpoint.trust == "pin" else "",
        )

    def _now(self) -> datetime:
        """The centre's time, as well as this relay can tell."""
        return self._clock.now() - self._offset.value

    def _greet(self) -> None:
        while True:
            try:
                self._bus.hello(self._hello())
            except Exception as error:  # the next hello must still be said
                log.error("hello not said", relay=self.name, error=type(error).__name__)
            self._woken.wait(self._hello_every.total_seconds())
            if self._stopping.wait(_GATHER.total_seconds() if self._woken.is_set() else 0):
                return
            self._woken.clear()

    def _hello(self, *, leaving: bool = False) -> Hello:
        return Hello(
            relay=self.name,
            pool=self.pool,
            version=otd.__version__,
            started_at=self._started_at,
            at=self._now(),
            leaving=leaving,
            clock_offset=self._offset.value,
            filled=self._lists is None or self._lists.told,
            face_until=min(filter(None, (expires() for expires in self._certificates)), default=None),
            resting=self._resting,
            restarted=() if leaving or self._feedback is None else self._feedback.take(),
        )


def compare(wanted: Sequence[Seen], found: Sequence[Seen], now: datetime) -> tuple[Difference, ...]:
    """What differs between two lists, by id; bookings that are over do not count on either side. Pure."""
    want = {seen.id: seen for seen in wanted if seen.end > now}
    have = {seen.id: seen for seen in found if seen.end > now}
    differences = []
    for id in sorted(want.keys() | have.keys()):
        if id not in have:
            differences.append(Difference(id=id, fields=("missing",)))
        elif id not in want:
            differences.append(Difference(id=id, fields=("foreign",)))
        elif want[id].fields != have[id].fields:
            pairs = zip(want[id].fields, have[id].fields, strict=True)
            differences.append(Difference(id=id, fields=tuple(a[0] for a, b in pairs if a != b)))
    return tuple(differences)


def _ids(bookings: tuple[Booking, ...]) -> frozenset[str]:
    return frozenset(booking.id for booking in bookings)


def _in_words(differences: tuple[Difference, ...]) -> str:
    """ "2 missing, 1 foreign, 1 changed (title)"; ids and values are left out."""
    if not differences:
        return ""
    missing = sum(d.fields == ("missing",) for d in differences)
    foreign = sum(d.fields == ("foreign",) for d in differences)
    changed = [d for d in differences if d.fields not in (("missing",), ("foreign",))]
    fields = sorted({field for d in changed for field in d.fields})
    parts = [f"{missing} missing"] * bool(missing) + [f"{foreign} foreign"] * bool(foreign)
    return ", ".join(parts + [f"{len(changed)} changed ({', '.join(fields)})"] * bool(changed))


def _outcome(error: OtdError) -> Outcome:
    if isinstance(error, Busy):
        return "busy"
    if isinstance(error, Untrusted):
        return "untrusted"
    if isinstance(error, Denied):
        return "denied"
    return "unsupported" if isinstance(error, Permanent) else "unreachable"


@dataclass(slots=True)
class _Lane:
    busy: bool = False
    users: int = 0
    urgent: int = 0  # those that wait and go first
    free: threading.Condition = field(default_factory=threading.Condition)


class _Lanes:
    """One at a time for each endpoint; who is to go `first` does not wait behind others that wait."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._lanes: dict[str, _Lane] = {}

    def is_awaited(self, endpoint: str) -> bool:
        """Whether somebody waits who is to go first."""
        with self._guard:
            lane = self._lanes.get(endpoint)
            return lane is not None and lane.urgent > 0

    @contextmanager
    def of(self, endpoint: str, *, first: bool) -> Iterator[None]:
        with self._guard:
            lane = self._lanes.setdefault(endpoint, _Lane())
            lane.users += 1
        try:
            with lane.free:
                lane.urgent += first
                lane.free.wait_for(lambda: not lane.busy and (first or not lane.urgent))
                lane.urgent -= first
                lane.busy = True
            try:
                yield
            finally:
                with lane.free:
                    lane.busy = False
                    lane.free.notify_all()
        finally:
            with self._guard:
                lane.users -= 1
                if lane.users == 0:
                    self._lanes.pop(endpoint, None)


class _Offset:
    """How far this clock is ahead of the centre's. A delivery that took long to come makes it look further ahead, never
    less far; so the smallest of the last readings is the nearest to the truth."""

    def __init__(self) -> None:
        self._readings: deque[timedelta] = deque(maxlen=20)

    def learn(self, ahead: timedelta) -> None:
        self._readings.append(ahead)

    @property
    def value(self) -> timedelta:
        nearest = min(self._readings, default=timedelta(0))
        return nearest if abs(nearest) > timedelta(seconds=2) else timedelta(0)
