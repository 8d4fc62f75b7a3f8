"""How long what Graph refuses is left alone: one room, or the whole tenant. Through Graph, pipeline and store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otd import dialplan
from otd.bus.local import LocalBus
from otd.calendars.graph import GraphCalendar
from otd.invites import Site
from otd.lab import faults
from otd.lab.faults import Fault
from otd.model import LaneSize, LaneState, Policy, WorkState
from otd.pipeline import Pipeline, Rulebook
from otd.store.sql import SqlStore
from tests.adapters.graph_lab import Lab, lab
from tests.contracts.calendar import WINDOW, a_room, planned
from tests.contracts.store_case import NoJitter
from tests.values import HOUR, MINUTE, SECOND, T0, FixedClock

__all__ = ["lab"]


class Centre:
    """The rooms of one tenant, read by hand, under a clock that stands still."""

    def __init__(self, lab: Lab, folder: Path, *, rooms: int, budget: int = 0, secret: str = "") -> None:
        self.clock = FixedClock()
        self.rooms = {f"room{n}": a_room(f"room{n}@example.com", name=f"room{n}") for n in range(rooms)}
        for room in self.rooms.values():
            lab.lay(planned(), mailbox=room.mailbox)
        secrets = {"graph-secret": secret} if secret else {}
        self.calendar: GraphCalendar = lab.calendar(secrets=secrets)
        calendar = next(iter(self.rooms.values())).calendar
        self.store = SqlStore(f"sqlite:///{folder / 'otd.db'}", b"k" * 32, clock=self.clock, rng=NoJitter())
        lanes = {calendar: LaneSize(cap=8, most=64, budget=budget), "house": 1}
        self.store.adopt(self.rooms.values(), (), lanes, "digest")
        self.pipeline = Pipeline(
            store=self.store,
            calendars={calendar: self.calendar},
            bus=LocalBus(),
            rooms=self.rooms,
            endpoints={},
            rules=Rulebook(plan=dialplan.plan((), (), ()), site=Site(), policy=Policy()),
        )

    def work(self) -> int:
        """Carry out what can be claimed now; how many it was."""
        claimed = self.store.claim("me", limit=100, lease=90 * SECOND)
        begun = [item for item in claimed if self.store.begin(item)]
        for item, settled in [(item, self.pipeline.carry_out(item)) for item in begun]:
            self.store.finish(item, settled)
        return len(begun)

    @property
    def lane(self) -> LaneState:
        return next(lane for lane in self.store.lanes() if lane.name != "house")

    def row(self, room: str = "room0") -> WorkState:
        return next(row for row in self.store.work() if row.name == room)


Make = Callable[..., Centre]


@pytest.fixture
def centre_of(lab: Lab, tmp_path: Path) -> Iterator[Make]:
    made: list[Centre] = []

    def make(**wishes: Any) -> Centre:
        made.append(Centre(lab, tmp_path, **wishes))
        return made[-1]

    yield make
    for centre in made:
        centre.calendar.close()
        centre.store.close()


@pytest.fixture
def one(centre_of: Make) -> Centre:
    return centre_of(rooms=1)


@pytest.fixture
def twenty(centre_of: Make) -> Centre:
    return centre_of(rooms=20)


@pytest.mark.parametrize(
    ("fault", "pauses"),
    [
        (faults.status(403), [30 * MINUTE, HOUR, 2 * HOUR, 2 * HOUR]),
        (faults.status(404), [HOUR, 2 * HOUR, 4 * HOUR, 4 * HOUR]),
    ],
)
def test_a_room_that_is_refused_is_left_alone_longer_and_longer_whatever_hints_come(
    lab: Lab, one: Centre, fault: Fault, pauses: list[timedelta]
) -> None:
    lab.fault(fault)
    for pause in pauses:
        assert one.work() == 1
        assert one.row().parked
        assert one.row().due == one.clock.time + pause
        one.store.hint("refresh", "room0")
        assert one.work() == 0
        one.clock.time += pause
    assert lab.graph.requests.count(operation="calendarView") == len(pauses)
    assert one.lane.paused_until is None
    lab.graph.faults.clear()
    assert one.work() == 1
    assert not one.row().parked


def test_a_room_that_is_refused_holds_up_no_other(lab: Lab, twenty: Centre) -> None:
    lab.fault(faults.status(403), mailbox="room0@example.com")
    assert twenty.work() + twenty.work() + twenty.work() == 20
    assert [row.name for row in twenty.store.work() if row.parked] == ["room0"]


def test_a_page_that_is_gone_is_asked_for_again_soon(lab: Lab, one: Centre) -> None:
    lab.fault(faults.status(410))
    one.work()
    assert (one.row().parked, one.row().due) == (False, one.clock.time + 5 * SECOND)


def test_a_tenant_that_asks_to_wait_is_left_alone_with_all_its_rooms(lab: Lab, twenty: Centre) -> None:
    lab.fault(faults.status(429, retry_after=40), times=1)
    assert twenty.work() == 8
    assert twenty.lane.paused_until == T0 + 40 * SECOND
    assert twenty.lane.cap == 4
    assert twenty.work() == 0
    twenty.clock.time += 40 * SECOND
    assert twenty.work() == 4


def test_without_a_retry_after_the_pause_begins_at_15_seconds_and_doubles(lab: Lab, one: Centre) -> None:
    lab.fault(faults.status(429))
    pauses = []
    for _ in range(3):
        assert one.work() == 1
        assert one.lane.paused_until is not None
        pauses.append(one.lane.paused_until - one.clock.time)
        one.clock.time = max(one.lane.paused_until, one.row().due)
    assert pauses == [15 * SECOND, 30 * SECOND, MINUTE]


def test_a_wrong_secret_is_tried_by_a_few_rooms_and_not_by_all_of_them(lab: Lab, centre_of: Make) -> None:
    centre = centre_of(rooms=20, secret="a wrong one")
    assert centre.work() == 8
    assert centre.lane.paused_until == T0 + 5 * MINUTE
    assert "AADSTS7000215" in centre.lane.why
    centre.clock.time += 5 * MINUTE
    centre.work()
    assert centre.lane.paused_until == centre.clock.time + 10 * MINUTE
    assert sum(row.failing_since is not None for row in centre.store.work()) == 16


def test_a_fresh_token_that_is_refused_pauses_the_tenant(lab: Lab, twenty: Centre) -> None:
    lab.fault(faults.status(401))
    twenty.work()
    assert twenty.lane.paused_until == T0 + 5 * MINUTE


def test_a_graph_that_is_down_is_not_asked_room_by_room(lab: Lab, twenty: Centre) -> None:
    lab.fault(faults.status(500))
    assert twenty.work() == 8
    assert twenty.lane.paused_until == T0 + 15 * SECOND
    assert twenty.work() == 0
    lab.graph.faults.clear()
    twenty.clock.time += 15 * SECOND
    assert twenty.work() == 8
    assert twenty.lane.paused_until is None


def test_every_request_counts_the_pages_and_the_ones_that_fail(lab: Lab, centre_of: Make) -> None:
    centre = centre_of(rooms=1)
    centre.work()
    assert centre.lane.asked == lab.graph.requests.count(operation="calendarView") == 1
    lab.fault(faults.status(404))
    centre.store.unpark("refresh", "room0")
    centre.work()
    assert centre.lane.asked == 2


def test_a_budget_that_is_used_up_stops_all_reading_until_midnight_and_says_so(lab: Lab, centre_of: Make) -> None:
    centre = centre_of(rooms=20, budget=16)
    total = sum(centre.work() for _ in range(5))
    midnight = datetime(T0.year, T0.month, T0.day, tzinfo=UTC) + 24 * HOUR
    assert total == lab.graph.requests.count(operation="calendarView") == 16
    assert centre.lane.paused_until == midnight
    assert "the 16 requests" in centre.lane.why


def test_one_mailbox_is_asked_one_thing_at_a_time(lab: Lab) -> None:
    calendar, room = lab.calendar(), a_room()
    lab.lay(planned())
    lab.graph.latency = 0.05
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: calendar.read(room, WINDOW, within=10 * SECOND), range(6)))
    assert lab.graph.most_at_once(room.mailbox) == 1
    calendar.close()
