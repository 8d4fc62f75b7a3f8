"""The use cases over a real store, a real bus and real relays: what the calendar says is what the endpoints show."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otd import dialplan
from otd.bus.local import LocalBus, LocalRelayBus
from otd.calendars.memory import MemoryCalendar
from otd.deliveries import Timing, condition
from otd.endpoints.memory import MemoryDriver
from otd.errors import Busy, Denied, Garbled, Missing, OtdError, Truncated, Unreachable
from otd.executor import LocalExecutor
from otd.invites import Site
from otd.model import Endpoint, EndpointState, Meeting, Person, Policy, Receipt, Room
from otd.pairing import Keys
from otd.pipeline import Pipeline, Rulebook
from otd.relay.lists import Lists
from otd.relay.memory import Memory
from otd.relay.service import Relay
from otd.store.sql import SqlStore
from tests.values import HOUR, MINUTE, SECOND

ROOM = Room(name="room1", calendar="office", mailbox="room1@example.com")
ENDPOINT = Endpoint(name="codec1", kind="memory", address="127.0.0.1:1", pool="hq", rooms=("room1",))
TIMING = Timing(
    answer=timedelta(milliseconds=300),
    verify=timedelta(seconds=1),
    backoff=timedelta(milliseconds=50),
    backoff_most=timedelta(milliseconds=200),
)


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def a_meeting(id: str = "m1", **overrides: Any) -> Meeting:
    start = datetime.now(UTC).replace(microsecond=0) + HOUR
    usual = Meeting(
        id=id,
        uid=f"{id}@example.com",
        change_key="1",
        subject=f"Meeting {id}",
        start=start,
        end=start + HOUR,
        organizer=Person(name="Ann Example", address="ann@example.com"),
        body="Join: sip:weekly@video.example.com",
    )
    return replace(usual, **overrides)


class House:
    """OTD in one process with everything but the outside real."""

    def __init__(
        self, folder: Path, *, rooms: tuple[Room, ...] = (ROOM,), endpoints: tuple[Endpoint, ...] = (ENDPOINT,)
    ) -> None:
        self.clock = SystemClock()
        self.calendar = MemoryCalendar("office", clock=self.clock, mailboxes={room.mailbox: () for room in rooms})
        self.driver = MemoryDriver()
        self.store = SqlStore(f"sqlite:///{folder / 'otd.db'}", b"k" * 32)
        self.bus = LocalBus(concurrency=4)
        self.relays: dict[str, tuple[Relay, LocalRelayBus]] = {}
        policy = Policy(own_domains=("example.com",))
        self.pipeline = Pipeline(
            store=self.store,
            calendars={"office": self.calendar},
            bus=self.bus,
            rooms={room.name: room for room in rooms},
            endpoints={endpoint.name: endpoint for endpoint in endpoints},
            rules=Rulebook(
                plan=dialplan.plan((), ("example.com",), ()),
                site=Site(own_domains=("example.com",)),
                policy=policy,
                timing=TIMING,
                refresh=timedelta(milliseconds=100),
            ),
        )
        self.executor = LocalExecutor(self.store, self.pipeline.carry_out, threads=4, owner="test")
        self.store.adopt(rooms, endpoints, {"office": 4, "hq": 4, "house": 4}, "digest")
        self.bus.listen(self._receipt, self._hello)

    def _receipt(self, receipt: Any) -> None:
        self.pipeline.apply_receipt(receipt)
        self.executor.wake()

    def _hello(self, hello: Any) -> None:
        self.pipeline.apply_hello(hello)
        self.executor.wake()

    def start_relay(
        self, name: str, driver: MemoryDriver | None = None, *, pool: str = "hq", lists: Lists | None = None
    ) -> None:
        side = self.bus.relay(name, pool)
        relay = Relay(
            name=name,
            pool=pool,
            bus=side,
            drivers={"memory": driver or self.driver},
            memory=Memory(),
            clock=self.clock,
            lists=lists,
            hello_every=timedelta(milliseconds=200),
        )
        self.relays[name] = (relay, side)
        relay.start()

    def cut_relay(self, name: str) -> None:
        relay, side = self.relays.pop(name)
        side.cut()
        relay.abandon()

    def book(self, *meetings: Meeting) -> None:
        self.calendar.put(ROOM.mailbox, *meetings)

    def titles(self, endpoint: str = "codec1") -> list[str]:
        return sorted(booking.title for booking in self.driver.bookings(endpoint))

    def state(self, endpoint: str = "codec1") -> EndpointState:
        return self.store.endpoint(endpoint)

    def until(self, reached: Callable[[], bool], within: timedelta = MINUTE) -> None:
        end = time.monotonic() + within.total_seconds()
        while not reached():
            assert time.monotonic() < end, "it did not come to that in time"
            threading.Event().wait(0.01)

    def until_shown(self, *titles: str, within: timedelta = MINUTE) -> None:
        self.until(lambda: self.titles() == sorted(titles) and condition(self.state()) == "confirmed", within)

    def refreshed(self) -> None:
        """Wait until the room was read once more."""
        before = self.store.now()
        self.until(lambda: (self.store.rooms()[0].read_at or before) > before)

    def close(self) -> None:
        self.executor.stop(within=10 * SECOND)
        self.close_the_rest()

    def close_the_rest(self) -> None:
        for relay, _ in self.relays.values():
            relay.stop()
        self.bus.close()
        self.store.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.start_relay("relay1")
    house.executor.start()
    yield house
    house.close()


def test_a_booked_meeting_gets_its_button(house: House) -> None:
    house.book(a_meeting())
    house.until_shown("Meeting m1")
    (booking,) = house.driver.bookings("codec1")
    assert booking.dial is not None
    assert booking.dial.uri == "weekly@video.example.com"


def test_a_meeting_that_moves_keeps_its_booking_and_gets_the_new_time(house: House) -> None:
    meeting = a_meeting()
    house.book(meeting)
    house.until_shown("Meeting m1")
    (before,) = house.driver.bookings("codec1")
    house.book(replace(meeting, start=meeting.start + MINUTE, end=meeting.end + MINUTE, change_key="2"))
    house.until(lambda: house.driver.bookings("codec1")[0].start == before.start + MINUTE)
    assert house.driver.bookings("codec1")[0].id == before.id


def test_a_cancelled_meeting_leaves_the_screen(house: House) -> None:
    house.book(a_meeting("m1"), a_meeting("m2"))
    house.until_shown("Meeting m1", "Meeting m2")
    house.book(a_meeting("m1"), a_meeting("m2", cancelled=True, change_key="2"))
    house.until_shown("Meeting m1")


def test_an_empty_calendar_clears_the_screen(house: House) -> None:
    house.book(a_meeting())
    house.until_shown("Meeting m1")
    house.book()
    house.until_shown()


def test_an_unchanged_calendar_is_delivered_once(house: House) -> None:
    house.book(a_meeting())
    house.until_shown("Meeting m1")
    for _ in range(3):
        house.refreshed()
    assert house.driver.puts == {"codec1": 1}


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("office", "timed out"),
        Garbled("office", "HTML instead of SOAP"),
        Truncated("office", "a page is missing"),
        Denied("office", "401"),
        Missing("room1", "no such mailbox"),
        Busy("office", "429", timedelta(milliseconds=100)),
    ],
)
def test_failing_to_read_is_not_reading_nothing(house: House, error: OtdError) -> None:
    house.book(a_meeting())
    house.until_shown("Meeting m1")
    house.calendar.fail(error)
    house.until(lambda: house.store.rooms()[0].failing_since is not None)
    assert house.titles() == ["Meeting m1"]
    assert house.driver.puts == {"codec1": 1}
    assert error.why in house.store.rooms()[0].error


def test_a_calendar_that_can_be_read_again_is_followed_again(house: House) -> None:
    house.calendar.fail(Unreachable("office", "timed out"))
    house.until(lambda: house.store.rooms()[0].failing_since is not None)
    house.calendar.heal()
    house.book(a_meeting())
    house.until_shown("Meeting m1")
    assert house.store.rooms()[0].failing_since is None


def test_a_calendar_that_asks_to_wait_is_left_alone_as_a_whole(house: House) -> None:
    house.calendar.fail(Busy("office", "429", HOUR))
    house.until(lambda: any(lane.paused_until for lane in house.store.lanes() if lane.name == "office"))
    read_before = house.store.rooms()[0].read_at  # at the start, or not at all
    house.calendar.heal()
    house.store.hint("refresh", "room1")
    house.executor.wake()
    threading.Event().wait(0.2)
    assert house.store.rooms()[0].read_at == read_before


def test_a_list_that_an_endpoint_lost_is_put_again_at_the_next_look(house: House) -> None:
    house.book(a_meeting())
    house.until_shown("Meeting m1")
    house.driver.lose("codec1")
    house.until(lambda: house.driver.puts == {"codec1": 2})
    house.until_shown("Meeting m1")


def test_another_relay_takes_over_from_one_that_cannot_reach_the_endpoint(tmp_path: Path) -> None:
    house = House(tmp_path)
    cut_off = MemoryDriver()
    cut_off.fail("codec1", Unreachable("codec1", "no route"))
    house.start_relay("relay1", cut_off)
    house.executor.start()
    house.book(a_meeting())
    house.until(lambda: condition(house.state()) == "failing")
    assert house.state().unreachable_from == ("relay1",)
    house.start_relay("relay2")
    house.until_shown("Meeting m1")
    receipt = house.state().receipt
    assert receipt is not None
    assert receipt.relay == "relay2"
    house.close()


def test_another_relay_takes_over_from_one_that_is_gone(house: House) -> None:
    house.start_relay("relay2")
    house.book(a_meeting())
    house.until_shown("Meeting m1")
    house.cut_relay("relay1")
    house.book(a_meeting("m2"))
    house.until_shown("Meeting m2")
    assert house.state().receipt.relay == "relay2"  # type: ignore[union-attr]


def test_without_any_relay_the_list_waits_and_goes_out_when_one_is_back(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.executor.start()
    house.book(a_meeting())
    house.until(lambda: any(row.code == "no_relay" for row in house.store.work()))
    house.start_relay("relay1")
    house.until_shown("Meeting m1")
    house.close()


def test_a_refused_password_is_parked_and_not_tried_again_for_a_new_list(house: House) -> None:
    house.driver.fail("codec1", Denied("codec1", "it refused the password", "set the right secret"))
    house.book(a_meeting())
    house.until(lambda: any(row.parked for row in house.store.work()))
    tries = house.state().failures
    house.book(a_meeting("m2"))
    house.until(lambda: [b.title for b in house.state().desired.list.bookings] == ["Meeting m2"])  # type: ignore[union-attr]
    threading.Event().wait(0.3)
    assert house.state().failures == tries == 1
    house.driver.fail("codec1", None)
    house.store.unpark("deliver", "codec1")
    house.executor.wake()
    house.until_shown("Meeting m2")


class ByHand(House):
    """A house whose work is done, and whose receipts are applied, when a test says so."""

    def __init__(self, folder: Path) -> None:
        self.receipts: queue.Queue[Receipt] = queue.Queue()
        super().__init__(folder)

    def _receipt(self, receipt: Receipt) -> None:
        self.receipts.put(receipt)

    def receipt(self) -> Receipt:
        return self.receipts.get(timeout=10)

    def work(self) -> None:
        for claimed in self.store.claim("test", limit=9, lease=MINUTE):
            self.store.finish(claimed, self.pipeline.carry_out(claimed))

    def mend_and_retry(self) -> None:
        self.driver.fail("codec1", None)
        self.store.unpark("deliver", "codec1")

    def is_confirmed_next(self) -> bool:
        """By what comes of the work that is due."""
        self.work()
        self.pipeline.apply_receipt(self.receipt())
        return condition(self.state()) == "confirmed"


@pytest.fixture
def by_hand(tmp_path: Path) -> Iterator[ByHand]:
    """The endpoint has just refused the password."""
    house = ByHand(tmp_path)
    house.start_relay("relay1")
    house.until(lambda: bool(house.store.relays()))
    house.driver.fail("codec1", Denied("codec1", "it refused the password", "set the right secret"))
    house.book(a_meeting())
    while house.receipts.empty():
        house.work()
    yield house
    house.close_the_rest()


def test_a_retry_before_the_answer_to_what_was_sent_earlier_comes_is_not_undone_by_it(by_hand: ByHand) -> None:
    refused = by_hand.receipt()
    by_hand.mend_and_retry()
    by_hand.pipeline.apply_receipt(refused)
    assert by_hand.is_confirmed_next()


def test_a_retry_while_the_answer_is_thought_over_is_not_undone_by_it(by_hand: ByHand) -> None:
    by_hand.pipeline.apply_receipt(by_hand.receipt())
    (claimed,) = by_hand.store.claim("test", limit=1, lease=MINUTE, kinds=("deliver",))
    settled = by_hand.pipeline.carry_out(claimed)
    assert settled.parked
    by_hand.mend_and_retry()
    by_hand.store.finish(claimed, settled)
    assert by_hand.is_confirmed_next()


def test_a_divisible_room_shows_the_union_and_nothing_until_both_were_read(tmp_path: Path) -> None:
    other = replace(ROOM, name="room2", mailbox="room2@example.com")
    house = House(tmp_path, rooms=(ROOM, other), endpoints=(replace(ENDPOINT, rooms=("room1", "room2")),))
    house.calendar.put(other.mailbox, a_meeting("m2"))
    house.calendar.fail(Unreachable("office", "timed out"), mailbox=ROOM.mailbox)
    house.start_relay("relay1")
    house.executor.start()
    house.until(lambda: all(r.read_at or r.failing_since for r in house.store.rooms()))
    assert condition(house.state()) == "unread"
    assert house.driver.puts == {}
    house.calendar.heal()
    house.book(a_meeting("m1"))
    house.until_shown("Meeting m1", "Meeting m2")
    house.close()


def test_an_endpoint_that_is_removed_from_the_settings_is_cleared(house: House) -> None:
    house.book(a_meeting())
    house.until_shown("Meeting m1")
    house.store.adopt((ROOM,), (), {"office": 4, "hq": 4}, "another digest")
    house.executor.wake()
    house.until(lambda: house.titles() == [] and house.store.endpoints() == ())


def test_an_endpoint_that_moves_to_another_pool_is_written_by_that_one(house: House) -> None:
    house.book(a_meeting())
    house.until_shown("Meeting m1")
    house.start_relay("branch1", pool="branch")
    house.store.adopt((ROOM,), (replace(ENDPOINT, pool="branch"),), {"office": 4, "hq": 4, "branch": 4}, "digest")
    house.executor.wake()
    house.until(lambda: (receipt := house.state().receipt) is not None and receipt.relay == "branch1")
    house.until_shown("Meeting m1")
    assert house.relays["relay1"][0]._memory.highest("codec1") == 0, "the old pool has let go"


def test_after_a_restored_backup_the_list_is_numbered_above_what_the_relays_have_seen(house: House) -> None:
    house.relays["relay1"][0]._memory.saw("codec1", 9_999_999_999_999)
    house.book(a_meeting())
    house.until_shown("Meeting m1")
    assert house.state().desired.revision > 9_999_999_999_999  # type: ignore[union-attr]


def test_a_relay_in_maintenance_rests_while_another_works_and_comes_back(house: House) -> None:
    other = MemoryDriver()
    house.start_relay("relay2", other)
    key = "A" * 43
    house.store.members.adopt("relay1", "hq", Keys(signing=key, sealing=key), administrator="anna")
    house.store.members.rest("relay1", True, "new disk")
    house.until(lambda: house.relays["relay1"][0].resting)
    house.book(a_meeting())
    house.store.hint("refresh", ROOM.name)
    house.until(lambda: len(other.bookings("codec1")) == 1)
    assert house.titles() == []
    house.store.members.rest("relay1", False)
    house.until(lambda: not house.relays["relay1"][0].resting)
    house.cut_relay("relay2")
    house.book(a_meeting(), a_meeting("m2"))
    house.store.hint("refresh", ROOM.name)
    house.until(lambda: len(house.titles()) == 2)
