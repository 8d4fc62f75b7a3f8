"""A refresh of what did not change: the window moves on all the same."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from otd.bus.local import LocalBus
from otd.model import Complete, Meeting, Policy, Reading, Room, Window
from otd.pipeline import Pipeline
from otd.store.sql import SqlStore
from tests.adapters.test_brake import a_rulebook, a_ruling
from tests.values import HOUR, MINUTE, T0, FixedClock, an_endpoint

ROOM = Room(name="room1", calendar="office", mailbox="room1@example.com")
AHEAD = Policy().ahead


class RoundingCalendar:
    """It gives whole days, and so a meeting that begins after the window ends."""

    def __init__(self, *meetings: Meeting) -> None:
        self.name, self._meetings = "office", meetings

    def read(self, room: Room, window: Window, *, within: timedelta) -> Reading:
        return Complete(room=room.name, window=window, taken_at=window.start, meetings=self._meetings)

    def close(self) -> None:
        pass


def test_a_room_that_was_read_makes_room_in_its_lane_before_its_list_is_computed(tmp_path: Path) -> None:
    clock = FixedClock()
    meeting = Meeting(id="m1", uid="m1@example.com", start=T0 + HOUR, end=T0 + 2 * HOUR, subject="Budget")
    endpoint = an_endpoint()
    store = SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", b"k" * 32, clock=clock)
    store.adopt([ROOM], [endpoint], {"office": 1, "hq": 9, "house": 9}, "settings")
    seen: list[tuple[int, bool]] = []  # at each wake: how many the lane runs, and whether there is a list

    def woken() -> None:
        running = next(lane.leased for lane in store.lanes() if lane.name == "office")
        seen.append((running, store.desired(endpoint.name) is not None))

    pipeline = Pipeline(
        store=store,
        calendars={"office": RoundingCalendar(meeting)},
        bus=LocalBus(),
        rooms={ROOM.name: ROOM},
        endpoints={endpoint.name: endpoint},
        rules=a_rulebook(a_ruling()),
        wake=woken,
    )

    def refreshed() -> None:
        (work,) = store.claim("test", limit=1, lease=MINUTE, kinds=("refresh",))
        store.finish(work, pipeline.carry_out(work))
        clock.time += HOUR

    refreshed()
    assert seen == [(0, False)]
    assert store.desired(endpoint.name) is not None
    refreshed()
    assert len(seen) == 1  # of what did not change there is nothing to compute
    store.close()


def test_a_meeting_is_listed_when_the_window_reaches_it_although_nothing_changed(tmp_path: Path) -> None:
    clock = FixedClock()
    start = T0 + AHEAD + HOUR
    later = Meeting(id="m1", uid="m1@example.com", start=start, end=start + HOUR, subject="Budget")
    endpoint = an_endpoint()
    store = SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", b"k" * 32, clock=clock)
    store.adopt([ROOM], [endpoint], {"office": 9, "hq": 9, "house": 9}, "settings")
    pipeline = Pipeline(
        store=store,
        calendars={"office": RoundingCalendar(later)},
        bus=LocalBus(),
        rooms={ROOM.name: ROOM},
        endpoints={endpoint.name: endpoint},
        rules=a_rulebook(a_ruling()),
    )

    def listed() -> list[str]:
        pipeline.refresh_room(ROOM.name)
        desired = store.desired(endpoint.name)
        return [booking.title for booking in desired.list.bookings] if desired else []

    assert listed() == []
    clock.time += HOUR + MINUTE
    assert listed() == ["Budget"]
    store.close()
