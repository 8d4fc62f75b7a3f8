"""One room with one endpoint in a database of their own, and short words for what happens to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from otd import bookings, dialplan
from otd.dialplan.ruling import Ruling
from otd.explain import Explain, Explanation
from otd.invites import Site
from otd.model import Booking, Complete, Empty, Meeting, Policy, Settled, Window
from otd.refresh import Rulebook
from otd.store import SqlStore
from tests.contracts.store_case import CAPS, KEY, NoJitter, a_hello, a_room
from tests.values import HOUR, MINUTE, T0, FixedClock, a_receipt, an_endpoint

SITE = Site()
ROOM = a_room(timezone="Europe/Berlin")
TEN = T0 + HOUR
BODY = "Join by video: sip:weekly@video.webex.com"


def a_meeting(**overrides: Any) -> Meeting:
    usual = Meeting(id="m1", uid="m1@example.com", start=TEN, end=TEN + HOUR, subject="Budget", body=BODY)
    return replace(usual, **overrides)


class OneRoom:
    """One room with one endpoint, and short words for what happens to them."""

    def __init__(self, path: Path, **policy: Any) -> None:
        self.clock = FixedClock()
        self.store = SqlStore(f"sqlite:///{path}", KEY, clock=self.clock, rng=NoJitter())
        self.endpoint = an_endpoint(kind="cisco")
        self.policy = Policy(**policy)
        self.rules = Rulebook(
            plan=dialplan.for_site((), SITE), site=SITE, policy=self.policy, ruling=Ruling(version="1", site=SITE)
        )
        self.store.adopt([ROOM], [self.endpoint], CAPS, "settings")
        self.store.heard(a_hello(at=T0))

    def read(self, *meetings: Meeting) -> tuple[Booking, ...]:
        """A refresh, as the pipeline does it: the reading, the part, the list."""
        now = self.store.now()
        window = Window(start=now - HOUR, end=now + self.policy.ahead)
        facts: dict[str, Any] = {"room": "room1", "window": window, "taken_at": now}
        reading = Complete(meetings=meetings, **facts) if meetings else Empty(**facts)
        self.store.save_reading(reading)
        part = bookings.of_room(ROOM, self.endpoint, meetings, self.rules.plan, SITE, self.policy, window)
        self.store.put_part("codec1", "room1", part)
        wanted = bookings.union("codec1", window, [part])
        self.store.put_desired(wanted, bookings.digest(wanted))
        self.store.keep_reading(reading)
        return part

    def answer(self, outcome: Any = "confirmed", **more: Any) -> None:
        revision = self.store.endpoint("codec1").revision
        sequence = self.store.sending("codec1", more.get("verb", "put"), revision, "relay1")
        receipt = a_receipt(revision=revision, sequence=sequence, outcome=outcome, at=self.clock.time, **more)
        assert self.store.apply(receipt)

    def work(self) -> None:
        """Whoever works is at it: nothing is overdue."""
        for work in self.store.claim("worker", limit=10, lease=MINUTE):
            assert self.store.begin(work)
            self.store.finish(work, Settled(after=10 * HOUR))

    def wait(self, span: timedelta) -> None:
        self.clock.time += span
        self.store.heard(a_hello(at=self.clock.time))

    def explained(self, at: datetime | None = None) -> Explanation:
        by = Explain(store=self.store, rooms={"room1": ROOM}, endpoints={"codec1": self.endpoint}, rules=self.rules)
        return by.room("room1", at)

    def cause(self, at: datetime | None = None) -> str:
        return self.explained(at).found.code
