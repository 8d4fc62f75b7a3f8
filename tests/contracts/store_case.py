"""What the tests of a Store share: values, short words for what they do, and a clock that stands still."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otd.model import (
    BookingList,
    Complete,
    Empty,
    Endpoint,
    EndpointState,
    Hello,
    LaneSize,
    Meeting,
    Room,
    Settled,
    Work,
    WorkState,
)
from otd.ports import Clock, Store
from tests.values import HOUR, MINUTE, SECOND, T0, WINDOW, FixedClock, a_booking, a_receipt

LEASE = 90 * SECOND
DAY = 24 * HOUR
CAPS = {"office": 4, "hq": 4, "lab": 4, "house": 4}
KEY = b"0123456789abcdef0123456789abcdef"


def a_room(number: int = 1, **overrides: Any) -> Room:
    name = f"room{number}"
    return replace(Room(name=name, calendar="office", mailbox=f"{name}@example.com"), **overrides)


def a_list(*ids: str, endpoint: str = "codec1") -> BookingList:
    return BookingList(endpoint=endpoint, window=WINDOW, bookings=tuple(a_booking(id=one) for one in ids))


def a_reading(*, meetings: int = 1, problems: tuple[str, ...] = ()) -> Complete | Empty:
    if not meetings:
        return Empty(room="room1", window=WINDOW, taken_at=T0, problems=problems)
    read = tuple(
        Meeting(id=f"m{n}", uid=f"m{n}@example.com", start=T0 + n * HOUR, end=T0 + (n + 1) * HOUR)
        for n in range(meetings)
    )
    return Complete(room="room1", window=WINDOW, taken_at=T0, meetings=read, problems=problems)


def a_hello(**overrides: Any) -> Hello:
    return replace(Hello(relay="relay1", pool="hq", version="1.0", started_at=T0, at=T0), **overrides)


class NoJitter(random.Random):
    """Takes nothing away from a period."""

    def random(self) -> float:
        return 0.0


class StoreCase:
    """Inherit from `StoreContract`, and say in `open` how to open a store whose tables are empty when a test begins.

    The clock stands still, and jitter takes nothing away, unless a test says otherwise.
    """

    clock: FixedClock
    store: Store

    def open(self, database: str, clock: Clock, rng: random.Random) -> Store:
        """`database` is what the fixture of that name gives."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def opened(self, database: str) -> Iterator[None]:
        self.clock = FixedClock()
        self.store = self.open(database, self.clock, NoJitter())
        yield
        self.store.close()

    def adopt(
        self,
        *,
        rooms: int | tuple[Room, ...] = 1,
        endpoints: tuple[Endpoint, ...] = (),
        caps: Mapping[str, int | LaneSize] | None = None,
        digest: str = "settings",
    ) -> None:
        many = rooms if isinstance(rooms, tuple) else tuple(a_room(n + 1) for n in range(rooms))
        self.store.adopt(many, endpoints, {**CAPS, **(caps or {})}, digest)

    def claim(self, limit: int = 100, owner: str = "me", **more: Any) -> tuple[Work, ...]:
        return self.store.claim(owner, limit=limit, lease=LEASE, **more)

    def claim_one(self) -> Work:
        (work,) = self.claim()
        return work

    def names(self, limit: int = 100) -> list[str]:
        return [work.name for work in self.claim(limit)]

    def row(self, name: str = "room1") -> WorkState:
        return next(row for row in self.store.work() if row.name == name)

    def pass_time(self, span: timedelta) -> None:
        self.clock.time += span

    def run(self, after: timedelta = MINUTE, **settled: Any) -> Work:
        """Claim the one row that is due and settle it so."""
        work = self.claim_one()
        assert self.store.begin(work)
        self.store.finish(work, Settled(after=after, **settled))
        return work

    def deliver(self, outcome: Any = "confirmed", *, relay: str = "relay1", **more: Any) -> bool:
        """Send the desired list and apply the receipt that comes back."""
        revision = self.store.endpoint("codec1").revision
        sequence = self.store.sending("codec1", more.get("verb", "put"), revision, relay)
        return self.store.apply(a_receipt(revision=revision, sequence=sequence, outcome=outcome, relay=relay, **more))

    def state(self) -> EndpointState:
        return self.store.endpoint("codec1")
