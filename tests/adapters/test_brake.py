"""The brake over a real store: a calendar that answers with nothing, and rules that are wrong, clear no floor."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otd.bus.local import LocalBus
from otd.calendars.memory import MemoryCalendar
from otd.dialplan import read_rules
from otd.dialplan.ruling import Ruling
from otd.errors import Denied, OtdError
from otd.invites import Site
from otd.judging import settle_rules
from otd.model import Endpoint, Meeting, Policy, Room
from otd.pipeline import Pipeline, Rulebook
from otd.refresh import under
from otd.store.sql import SqlStore
from tests.values import HOUR, MINUTE, T0, FixedClock

SITE = Site(own_domains=("example.com",))
CAPS = {"office": 99, "hq": 99, "house": 9}


def a_ruling(*tables: dict[str, object], version: str = "1") -> Ruling:
    rules, mistakes = read_rules(tables)
    assert not mistakes
    return Ruling(version=version, rules=rules, site=SITE)


def a_rulebook(ruling: Ruling) -> Rulebook:
    policy = Policy(own_domains=SITE.own_domains)
    return under(ruling, Rulebook(plan=ruling.plan, site=SITE, policy=policy))


class Floor:
    """Some rooms with an endpoint each, read one by one as the test says."""

    def __init__(self, folder: Path, rooms: int = 52) -> None:
        self.url = f"sqlite:///{folder / 'otd.db'}"
        self.clock = FixedClock()
        self.calendar = MemoryCalendar("office", clock=self.clock)
        self.names = [f"room{n}" for n in range(rooms)]
        self.rooms = {n: Room(name=n, calendar="office", mailbox=n) for n in self.names}
        self.endpoints = {
            f"codec-{n}": Endpoint(name=f"codec-{n}", kind="memory", address="192.0.2.1", pool="hq", rooms=(n,))
            for n in self.names
        }
        for name in self.names:
            self.book(name)
        self.ruling = a_ruling()
        self.start()
        self.read(*self.names)

    def start(self, ruling: Ruling | None = None) -> None:
        """As after a restart; with other rules, when they are given."""
        self.ruling = ruling or self.ruling
        self.store = SqlStore(self.url, b"k" * 32, clock=self.clock, rng=random.Random(1))  # noqa: S311
        self.store.adopt(self.rooms.values(), self.endpoints.values(), CAPS, self.ruling.digest)
        self.rules = a_rulebook(self.ruling)
        settle_rules(self.store, self.rooms, self.endpoints, self.rules)
        self.pipeline = Pipeline(
            store=self.store,
            calendars={"office": self.calendar},
            bus=LocalBus(),
            rooms=self.rooms,
            endpoints=self.endpoints,
            rules=self.rules,
        )

    def restart(self, ruling: Ruling | None = None) -> None:
        self.store.close()
        self.start(ruling)

    def book(self, name: str, *, address: str = "", hours: int = 3) -> None:
        meeting = Meeting(
            id=f"m-{name}",
            uid=f"{name}@example.com",
            start=self.clock.time + HOUR,
            end=self.clock.time + hours * HOUR,
            subject="Budget",
            body=f"Join: sip:{address or name}@video.example.com",
        )
        self.calendar.put(name, meeting)

    def cancel(self, *names: str) -> None:
        for name in names:
            self.calendar.put(name)

    def read(self, *names: str) -> None:
        for name in names:
            try:
                self.pipeline.refresh_room(name)
            except OtdError:
                continue

    def dialled(self, name: str) -> list[str]:
        """What the room's endpoint is to show: the dial strings, "-" for a booking without one."""
        desired = self.store.desired(f"codec-{name}")
        assert desired is not None
        shown = desired.list.current(self.clock.time).bookings
        return [booking.dial.uri if booking.dial else "-" for booking in shown]

    def cleared(self) -> list[str]:
        return [name for name in self.names if not self.dialled(name)]


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


def test_a_permission_that_is_half_gone_and_answers_with_nothing_clears_no_floor(floor: Floor) -> None:
    floor.cancel(*floor.names)
    floor.read(*floor.names)
    assert floor.cleared() == []
    (brake,) = floor.store.brakes()
    assert (brake.name, brake.since, brake.things) == ("office", T0, 52)
    floor.clock.time += HOUR / 2
    floor.read(*floor.names)
    assert floor.cleared() == []


def test_what_went_just_before_is_put_back_even_when_the_calendar_fails_then(floor: Floor) -> None:
    floor.cancel(*floor.names[:20])
    floor.read(*floor.names[:19])
    assert floor.cleared() == floor.names[:19]
    for name in floor.names[:19]:
        floor.calendar.fail(Denied("office", "403"), mailbox=name)
    floor.read(*floor.names[:20])
    assert floor.cleared() == []


def test_a_restart_between_changes_nothing(floor: Floor) -> None:
    floor.cancel(*floor.names)
    for number, name in enumerate(floor.names):
        if number % 7 == 0:
            floor.restart()
        floor.read(name)
    assert floor.cleared() == []
    assert floor.store.brakes()[0].things == 52


def test_a_process_that_died_before_it_put_rooms_back_leaves_it_to_their_next_reading(floor: Floor) -> None:
    floor.cancel(*floor.names)
    floor.read(*floor.names[:19])
    last = floor.names[19]
    part = floor.store.part(f"codec-{last}", last)
    assert part is not None
    floor.store.emptying(last, "office", ((f"codec-{last}", part),))  # and then it died
    assert len(floor.cleared()) == 19
    floor.restart()
    floor.read(*floor.names)
    assert floor.cleared() == []


def test_rooms_that_a_person_empties_now_and_then_are_cleared(floor: Floor) -> None:
    floor.cancel(*floor.names[:19])
    floor.read(*floor.names)
    assert floor.cleared() == floor.names[:19]
    floor.clock.time += 11 * MINUTE
    floor.cancel(*floor.names[19:37])
    floor.read(*floor.names)
    assert floor.cleared() == floor.names[:37]
    assert floor.store.brakes() == ()


def test_a_slow_trickle_within_ten_minutes_counts(floor: Floor) -> None:
    for name in floor.names:
        floor.cancel(name)
        floor.read(name)
        floor.clock.time += timedelta(seconds=28)
    assert floor.cleared() == []


def test_the_evening_empties_rooms_and_the_brake_does_not_mind(floor: Floor) -> None:
    floor.clock.time += 5 * HOUR
    floor.cancel(*floor.names)
    floor.read(*floor.names)
    assert floor.store.brakes() == ()
    assert not floor.store.standing(floor.names[0]).emptied


def test_a_calendar_that_comes_back_lets_the_brake_go(floor: Floor) -> None:
    floor.cancel(*floor.names)
    floor.read(*floor.names)
    for name in floor.names:
        floor.book(name, address=f"new-{name}")
    floor.read(*floor.names)
    assert floor.store.brakes() == ()
    assert [floor.dialled(name) for name in floor.names] == [[f"new-{name}@video.example.com"] for name in floor.names]


def test_a_person_lets_the_rooms_go(floor: Floor) -> None:
    floor.cancel(*floor.names)
    floor.read(*floor.names)
    assert floor.store.let_go("office") == 52
    floor.read(*floor.names)
    assert floor.cleared() == floor.names


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_order_no_floor_is_cleared(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    floor = Floor(tmp_path_factory.mktemp("floor"), rooms=51)
    gone = data.draw(st.lists(st.sampled_from(floor.names), min_size=20, max_size=50, unique=True), "rooms gone")
    rest = [name for name in floor.names if name not in gone]
    acts: list[Callable[[], None]] = [
        lambda name=name: floor.read(name)  # type: ignore[misc]
        for name in (*gone, *gone[:9], *rest[:5])
    ]
    acts += [floor.restart] * 2
    acts += [lambda: floor.calendar.fail(Denied("office", "403"), mailbox=gone[0]), floor.calendar.heal]
    floor.cancel(*gone)
    for act in data.draw(st.permutations(acts), "order"):
        act()
        floor.clock.time += timedelta(seconds=data.draw(st.integers(0, 3), "seconds"))
    floor.calendar.heal()
    floor.read(*floor.names)
    assert floor.cleared() == []
    assert floor.store.brakes()[0].things == len(gone)


# --- rules ----------------------------------------------------------------------------------------------------------

GATEWAY = {
    "name": "to-gateway",
    "platform": "sip",
    "template": "{{ sip_user }}@gateway.example.com",
    "gateway": "gateway.example.com",
}


def test_rules_that_change_many_dial_strings_are_held_until_they_are_released(floor: Floor) -> None:
    floor.restart(a_ruling(GATEWAY))
    floor.read(*floor.names)
    assert floor.dialled("room7") == ["room7@video.example.com"]
    (brake,) = floor.store.brakes()
    assert (brake.name, brake.things) == ("rules", 52)
    assert "the rules would take away 0 and change 52 of 52" in brake.why
    floor.book("room7", address="other")
    floor.restart()
    floor.read("room7")
    assert floor.dialled("room7") == ["other@video.example.com"]
    assert floor.store.release_rules()
    floor.read(*floor.names)
    assert floor.dialled("room7") == ["other@gateway.example.com"]
    assert floor.store.brakes() == ()


def test_rules_that_are_held_can_be_gone_back_from_and_stay_so(floor: Floor) -> None:
    floor.restart(a_ruling(GATEWAY))
    assert floor.store.revert_rules() is not None
    floor.restart()
    floor.read(*floor.names)
    assert floor.store.brakes() == ()
    assert floor.dialled("room7") == ["room7@video.example.com"]


def test_rules_in_force_can_be_gone_back_from_while_it_runs(floor: Floor) -> None:
    floor.restart(a_ruling({**GATEWAY, "rooms": ["room7"]}))
    floor.read(*floor.names)
    assert floor.store.brakes() == ()
    assert floor.dialled("room7") == ["room7@gateway.example.com"]
    assert floor.store.revert_rules() is not None
    floor.read(*floor.names)
    assert floor.dialled("room7") == ["room7@video.example.com"]


def test_rules_that_take_many_dial_strings_away_are_held(floor: Floor) -> None:
    nowhere = {**GATEWAY, "template": "{{ sip_user }}@elsewhere.test", "gateway": ""}
    floor.restart(a_ruling(nowhere))
    floor.read(*floor.names)
    assert "take away 52" in floor.store.brakes()[0].why
    assert floor.dialled("room7") == ["room7@video.example.com"]


def test_a_tenth_may_change_without_being_held(floor: Floor) -> None:
    few = floor.names[:5]
    floor.restart(a_ruling({**GATEWAY, "rooms": few}))
    assert floor.store.brakes() == ()
    floor.read(*few)
    floor.restart(a_ruling({**GATEWAY, "rooms": floor.names[:11]}))
    assert floor.store.brakes()[0].things == 6


def test_a_version_that_reads_otherwise_leaves_what_nobody_touched(floor: Floor) -> None:
    for name in floor.names:  # what the version before made of the same invitations
        part = floor.store.part(f"codec-{name}", name)
        assert part is not None
        old = tuple(replace(b, dial=replace(b.dial, uri=f"old-{name}@video.example.com")) for b in part if b.dial)
        floor.store.put_part(f"codec-{name}", name, old)
    floor.restart(a_ruling(version="2"))
    assert "this version would" in floor.store.brakes()[0].why
    floor.book("room8", address="new")
    floor.read(*floor.names)
    assert floor.dialled("room7") == ["old-room7@video.example.com"]
    assert floor.dialled("room8") == ["new@video.example.com"]
    floor.store.release_rules()
    floor.read(*floor.names)
    assert floor.dialled("room7") == ["room7@video.example.com"]
